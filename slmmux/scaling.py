"""What more samples and more members would bring: Algorithm 1's accuracy against k and K, exact, from one recording.

Nothing here draws at random: every subset of the recorded samples is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux._decision.race import check_samples
from slmmux._errors import ArgumentError
from slmmux.recording import Recording
from slmmux.recording._arrays import Arrays, Missing, Same, arrays_of
from slmmux.recording._replay import group_of

__all__ = ["Point", "expected_right", "scaling"]

Floats: TypeAlias = NDArray[np.float64]
Sizes: TypeAlias = tuple[tuple[int, int], ...]  # of each class of equal answers: (how many samples, how many right)

_FEWEST, _MOST = 2, 9  # the paper's range of k


@dataclass(frozen=True, slots=True)
class Point:
    """The expected accuracy of Algorithm 1 with some members and some samples of each.

    Attributes:
        models: The members, best first.
        samples: k, the samples of each member.
        accuracy: The expected share of questions that are right.
        deviation: The standard deviation of that share from one drawing of k samples to another. It says nothing
            about other questions.
    """

    models: tuple[str, ...]
    samples: int
    accuracy: float
    deviation: float


def scaling(
    recording: Recording,
    models: Sequence[str],
    samples: int | Iterable[int] | None = None,
    *,
    sizes: int | Iterable[int] | None = None,
    same: Same | None = None,
    missing: Missing = "error",
) -> tuple[Point, ...]:
    """Return the expected accuracy for each number of members and of samples.

    Of the N samples recorded of a member each k are drawn alike often, in every order, for each member and question
    on its own. So a tie inside a member goes to each of its t top answers with probability 1/t, and at k = N the figure
    differs from a replay, which has the recorded order, where such a tie was. With p the probability that a question
    is right, accuracy = sum(p) / Q and deviation = sqrt(sum(p (1 - p))) / Q over Q questions.

    Args:
        recording: Where the samples are.
        models: The members by rank, best first.
        samples: k, or several. `None`: 2 to 9 (arXiv 2510.05077), no more than were recorded of every member.
        sizes: K, or several: the first K of the rank. `None`: all members.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded. Where it
            is not transitive the classes are those of all N samples.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.

    Returns:
        A point for each K and k, in the order given, K by K.

    Raises:
        ArgumentError: No, unknown or repeated models, a k that was not recorded, a K that `models` has not, or a
            recording whose equality was no key, without `same`.
        RecordingError: Samples missing, or a question without gold or with two.

    Example:
        >>> from slmmux.recording import Row
        >>> recording = Recording.of(
        ...     Row(question_id="q1", model="qwen", sample_index=i, answer=answer, gold="4")
        ...     for i, answer in enumerate(["4", "5", "4", "4"])
        ... )
        >>> for point in scaling(recording, ["qwen"]):
        ...     print(point.samples, point.accuracy)
        2 0.75
        3 1.0
        4 1.0
    """
    if same is None and group_of(recording) is not None:
        raise ArgumentError(
            f"this recording's answers were compared in pairs ({recording.settings['agreement']!r}), and which of them "
            "form a group depends on which are drawn; pass same=, a function of two answers"
        )
    arrays = arrays_of(recording, models, same=same, missing=missing)
    ks, members = _samples(arrays, samples), _members(arrays, sizes)
    expected = expected_right(arrays, ks)
    return tuple(_point(arrays.models[:size], k, expected[size - 1, i]) for size in members for i, k in enumerate(ks))


def expected_right(arrays: Arrays, samples: Sequence[int]) -> Floats:
    """Return the probability that a question is right, over random subsets of its samples.

    Args:
        arrays: The samples, members in rank order.
        samples: Each k, none beyond what was recorded.

    Returns:
        [m, k, q], where row i is the mux of the first i + 1 members. They are independent given the question:
        P(one is ahead with count c) = P(its top count is c) P(the better ones are below c) P(the others at most c).
    """
    ahead, ahead_right = _tops(arrays, 0, samples)
    found = [ahead_right.sum(axis=-1)]
    for member in range(1, len(arrays.models)):
        top, top_right = _tops(arrays, member, samples)
        at_most, below = top.cumsum(axis=-1), np.zeros_like(top)
        below[..., 1:] = ahead.cumsum(axis=-1)[..., :-1]
        ahead, ahead_right = ahead * at_most + top * below, ahead_right * at_most + top_right * below
        found.append(ahead_right.sum(axis=-1))
    expected: Floats = np.minimum(np.array(found).transpose(0, 2, 1), 1.0)  # sums of roundings may pass 1 by one
    return expected


def _tops(arrays: Arrays, member: int, samples: Sequence[int]) -> tuple[Floats, Floats]:
    """Return [q, k, c] of a member: P(its top count is c), and P(that, and its vote is right)."""
    n = int(arrays.of[member])
    shapes: dict[Sizes, int] = {}  # few differ: a hundred or two in five hundred questions
    shape_of: list[int] = []
    for codes, right in zip(arrays.codes[member, :, :n].tolist(), arrays.right[member, :, :n].tolist(), strict=True):
        classes: dict[int, tuple[int, int]] = {}
        for code, is_right in zip(codes, right, strict=True):
            size, rights = classes.get(code, (0, 0))
            classes[code] = size + 1, rights + is_right
        classes.pop(-1, None)
        shape_of.append(shapes.setdefault(tuple(sorted(classes.values())), len(shapes)))
    tables = np.array([_top(shape, n, samples) for shape in shapes])
    return tables[shape_of, 0], tables[shape_of, 1]


def _top(classes: Sizes, n: int, samples: Sequence[int]) -> Floats:
    """Return [2, k, c] of one question: P(top count is c), and P(that, and the vote is right).

    A class of s samples lends a of them in comb(s, a) ways, what was not read likewise, so the subsets of k are the
    coefficient of x^k in a product of polynomials. x stands for 2^(n + 1): a polynomial is one integer, and as no
    coefficient passes comb(n, k) < 2^(n + 1) none runs into the next.
    """
    width = n + 1
    one_more = (1 << width) + 1  # 1 + x: one sample, in the subset or not
    sizes = [size for size, _ in classes]
    unread = n - sum(sizes)

    def probabilities(subsets: int) -> list[float]:
        return [(subsets >> k * width & (1 << width) - 1) / comb(n, k) for k in samples]

    def tied(sizes: Sequence[int], c: int) -> list[int]:
        """Return, by t, the subsets in which t of the classes have c samples and none has more."""
        found = [one_more ** (unread + sum(size for size in sizes if size < c))]  # those cannot reach c
        for size in (size for size in sizes if size >= c):
            fewer = sum(comb(size, a) << a * width for a in range(c))
            found = [
                without * fewer + (within * comb(size, c) << c * width)
                for without, within in zip([*found, 0], [0, *found], strict=True)
            ]
        return found

    table = np.zeros((2, len(samples), max(samples) + 1))
    table[0, :, 0] = probabilities(one_more**unread)
    for c in range(1, min(max(samples), max(sizes, default=0)) + 1):
        table[0, :, c] = probabilities(sum(tied(sizes, c)[1:]))
        for i, (size, rights) in enumerate(classes):
            # Equal answers are right or wrong together, but for a `same` that is not transitive: then the vote is
            # as right as the first one drawn of its class, and each of the class is that alike often.
            if rights:
                for others, subsets in enumerate(tied(sizes[:i] + sizes[i + 1 :], c)):
                    ways = probabilities(subsets * comb(size, c) << c * width)
                    table[1, :, c] += np.array(ways) * rights / size / (1 + others)
    return table


def _samples(arrays: Arrays, samples: int | Iterable[int] | None) -> list[int]:
    fewest = int(arrays.of.min())
    if samples is None:
        return list(range(min(_FEWEST, fewest), min(_MOST, fewest) + 1))
    asked = [samples] if isinstance(samples, int) else list(samples)
    if not asked:
        raise ArgumentError("samples names no k; give at least one, or leave it out for 2 to 9")
    for k in asked:
        check_samples(dict.fromkeys(arrays.models, k))
        if k > fewest:
            label = arrays.models[int(arrays.of.argmin())]
            raise ArgumentError(f"samples={k}, but only {fewest} were recorded of {label!r}; take at most that many")
    return asked


def _members(arrays: Arrays, sizes: int | Iterable[int] | None) -> list[int]:
    everyone = len(arrays.models)
    asked = [everyone] if sizes is None else [sizes] if isinstance(sizes, int) else list(sizes)
    for size in asked:
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= everyone:
            raise ArgumentError(
                f"sizes must be whole numbers from 1 to {everyone}, as many as there are models, found {size!r}"
            )
    return asked


def _point(models: tuple[str, ...], samples: int, right: Floats) -> Point:
    deviation = sqrt(float((right * (1.0 - right)).sum())) / right.size
    return Point(models, samples, float(right.mean()), deviation)
