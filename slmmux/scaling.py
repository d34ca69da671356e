"""Algorithm 1's expected accuracy for each number of samples (k) and of members (K), exact, from one recording.

Nothing here draws at random: every subset of the recorded samples is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import TypeAlias

import numpy as np

from slmmux._decision.race import check_samples
from slmmux._errors import ArgumentError
from slmmux.recording import Arrays, Recording, arrays_of
from slmmux.recording._arrays import Floats, Missing, Same, Score
from slmmux.recording._replay import group_of

__all__ = ["Point", "expected_right", "scaling"]

Sizes: TypeAlias = tuple[tuple[int, int], ...]  # for each class of equal answers: (its samples, its right samples)

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
    score: Score | None = None,
) -> tuple[Point, ...]:
    """Return the expected accuracy for each number of members and of samples.

    For each member and question, every ordered choice of k of the N recorded samples is equally likely. So a tie within
    a member goes to each of its t top answers with probability 1/t, and at k = N the figure can differ from a replay,
    where the recorded order breaks such ties. With p the probability that a question is right, accuracy = sum(p) / Q
    and deviation = sqrt(sum(p (1 - p))) / Q over Q questions.

    Args:
        recording: The recorded samples.
        models: The members by rank, best first.
        samples: k, or several. `None`: 2 to 9 (arXiv 2510.05077), but not more than every member has recorded.
        sizes: K, or several: the first K of the rank. `None`: all members.
        same: A function of two answers that returns whether they are equal; the gold answer is compared with it too.
            Without it, answers are compared as recorded. If it is not transitive, the classes of all N samples count.
        missing: What to do if a member lacks samples for a question: "error" raises and names them, "drop" leaves the
            question out.
        score: When a sample is right; see `slmmux.recording.arrays_of`.

    Returns:
        A point for each K and k, K by K, in the order of the arguments.

    Raises:
        ArgumentError: `models` is empty or names a model that is unknown or repeated, k is more than was recorded, K is
            more than the number of models, or answers were compared in pairs and `same` is missing.
        RecordingError: Samples are missing, or a question has no gold answer or two different ones.

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
            f"this recording's answers were compared in pairs ({recording.settings['agreement']!r}), and the groups "
            "they form depend on the samples drawn; pass same=, a function of two answers"
        )
    arrays = arrays_of(recording, models, same=same, missing=missing, score=score)
    ks, members = _samples(arrays, samples), _members(arrays, sizes)
    expected = expected_right(arrays, ks)
    return tuple(_point(arrays.models[:size], k, expected[size - 1, i]) for size in members for i, k in enumerate(ks))


def expected_right(arrays: Arrays, samples: Sequence[int]) -> Floats:
    """Return the probability that each question is right, over random subsets of its samples.

    Args:
        arrays: The samples, with the members in rank order (`slmmux.recording.arrays_of`).
        samples: Each k to count, at most what was recorded.

    Returns:
        [m, k, q], where row i is the mux of the first i + 1 members. Given the question, members are independent:
        P(a member leads with count c) = P(its top count is c) P(better ones stay below c) P(others reach at most c).
    """
    leading, leading_right = _tops(arrays, 0, samples)
    rows = [leading_right.sum(axis=-1)]
    for member in range(1, len(arrays.models)):
        top, top_right = _tops(arrays, member, samples)
        at_most, below = top.cumsum(axis=-1), np.zeros_like(top)
        below[..., 1:] = leading.cumsum(axis=-1)[..., :-1]
        leading, leading_right = leading * at_most + top * below, leading_right * at_most + top_right * below
        rows.append(leading_right.sum(axis=-1))
    expected: Floats = np.minimum(np.array(rows).transpose(0, 2, 1), 1.0)  # rounding may lift a sum just above 1
    return expected


def _tops(arrays: Arrays, member: int, samples: Sequence[int]) -> tuple[Floats, Floats]:
    """Return two tables [q, k, c] for a member: P(its top count is c), and P(its top count is c and its vote right)."""
    n = int(arrays.of[member])
    shapes: dict[Sizes, int] = {}  # Few differ, about 150 in 500 questions, so each is counted once.
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
    """Return [2, k, c] for one question: P(top count is c), and P(top count is c and the vote is right).

    A class of s samples can give a of them to a subset in comb(s, a) ways, and so can the samples without an answer.
    The number of subsets of size k is therefore the coefficient of x^k in a product of polynomials. With x = 2^(n + 1)
    a polynomial is one integer: no coefficient exceeds comb(n, k) < 2^(n + 1), so none runs into the next.
    """
    width = n + 1
    one_more = (1 << width) + 1  # 1 + x: one sample, either outside or inside the subset
    sizes = [size for size, _ in classes]
    unread = n - sum(sizes)

    def probabilities(subsets: int) -> list[float]:
        return [(subsets >> k * width & (1 << width) - 1) / comb(n, k) for k in samples]

    def tied(sizes: Sequence[int], c: int) -> list[int]:
        """Return for each t the number of subsets in which t classes have c samples and the others have fewer."""
        by_t = [one_more ** (unread + sum(size for size in sizes if size < c))]  # smaller classes cannot reach c
        for size in (size for size in sizes if size >= c):
            fewer = sum(comb(size, a) << a * width for a in range(c))
            by_t = [
                without * fewer + (within * comb(size, c) << c * width)
                for without, within in zip([*by_t, 0], [0, *by_t], strict=True)
            ]
        return by_t

    table = np.zeros((2, len(samples), max(samples) + 1))
    table[0, :, 0] = probabilities(one_more**unread)
    for c in range(1, min(max(samples), max(sizes, default=0)) + 1):
        table[0, :, c] = probabilities(sum(tied(sizes, c)[1:]))
        for i, (size, rights) in enumerate(classes):
            # Equal answers are right or wrong together, except under a `same` that is not transitive. Then the vote is
            # right if the first sample drawn of its class is, and each of the class is equally likely to be the first.
            if rights:
                for others, subsets in enumerate(tied(sizes[:i] + sizes[i + 1 :], c)):
                    ways = probabilities(subsets * comb(size, c) << c * width)
                    table[1, :, c] += np.array(ways) * rights / size / (1 + others)
    return table


def _samples(arrays: Arrays, samples: int | Iterable[int] | None) -> list[int]:
    fewest = int(arrays.of.min())
    if samples is None:
        return list(range(min(_FEWEST, fewest), min(_MOST, fewest) + 1))
    ks = [samples] if isinstance(samples, int) else list(samples)
    if not ks:
        raise ArgumentError("samples is empty; write at least one k, or leave it out for 2 to 9")
    for k in ks:
        check_samples(dict.fromkeys(arrays.models, k))
        if k > fewest:
            label = arrays.models[int(arrays.of.argmin())]
            raise ArgumentError(f"samples={k}, but only {fewest} were recorded of {label!r}; write at most {fewest}")
    return ks


def _members(arrays: Arrays, sizes: int | Iterable[int] | None) -> list[int]:
    members = len(arrays.models)
    wanted_sizes = [members] if sizes is None else [sizes] if isinstance(sizes, int) else list(sizes)
    for size in wanted_sizes:
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= members:
            raise ArgumentError(
                f"sizes must be whole numbers from 1 to {members}, the number of models, received {size!r}"
            )
    return wanted_sizes


def _point(models: tuple[str, ...], samples: int, right: Floats) -> Point:
    deviation = sqrt(float((right * (1.0 - right)).sum())) / right.size
    return Point(models, samples, float(right.mean()), deviation)
