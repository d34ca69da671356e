"""What subsets spend, against their accuracy: the Pareto front, and the cheapest one within some points of the best.

Spending is in money if the members' prices are known, else in tokens, else in samples.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from slmmux._errors import ArgumentError
from slmmux.recording._arrays import Arrays, Votes
from slmmux.selection._held_out import in_rank_order

__all__ = ["PLAN", "Unit", "Within", "cheapest_within", "front_of", "spending_of", "unit_of"]

Unit: TypeAlias = Literal["cost", "tokens", "samples"]
PLAN = "cascade"  # the cheapest plan that changes no answer and whose spending has a formula, for every subset

_MOST_SUBSETS = 3000  # that are tried in every fold


class Spender(Protocol):
    """A subset, as far as it has an accuracy and figures by plan."""

    @property
    def models(self) -> tuple[str, ...]: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def samples(self) -> Mapping[str, float]: ...
    @property
    def tokens(self) -> Mapping[str, float] | None: ...
    @property
    def cost(self) -> Mapping[str, float] | None: ...


S = TypeVar("S", bound=Spender)


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """The cheapest subset within some points of the most accurate one, and what to expect of choosing so.

    Attributes:
        points: The points of accuracy that it may lose, as asked for.
        models: Its models, best first.
        unit: What spending is counted in: "cost", "tokens" or "samples".
        accuracy: Held-out: the accuracy of the subset that is chosen so on other questions.
        best: Held-out: the accuracy of the subset that is the most accurate on other questions.
        spending: Held-out: what a question takes by plan="cascade" with the subset that is chosen so.
        best_spending: Held-out: the same of the most accurate one.
        folds: The parts that the questions were split into.
        repeats: The number of splits.
    """

    points: float
    models: tuple[str, ...]
    unit: Unit
    accuracy: float
    best: float
    spending: float
    best_spending: float
    folds: int
    repeats: int


def unit_of(subset: Spender) -> Unit:
    """Return what a subset's spending is counted in."""
    return "cost" if subset.cost is not None else "tokens" if subset.tokens is not None else "samples"


def spending_of(subset: Spender, plan: str = PLAN) -> float:
    """Return what a question takes by a plan."""
    figures = subset.cost if subset.cost is not None else subset.tokens or subset.samples
    return figures[plan]


def front_of(subsets: Iterable[S]) -> tuple[S, ...]:
    """Return the Pareto front, cheapest first: the subsets that no other beats in accuracy and spending at once."""
    front: list[S] = []
    for subset in sorted(subsets, key=lambda s: (spending_of(s), -s.accuracy, s.models)):
        if not front or subset.accuracy > front[-1].accuracy:
            front.append(subset)
    return tuple(front)


def cheapest_within(
    arrays: Arrays,
    spending_by_question: Callable[[Sequence[int]], NDArray[Any]],
    unit: Unit,
    points: float,
    sizes: Sequence[int],
    *,
    folds: int,
    repeats: int,
    seed: int,
) -> Within:
    """Return the cheapest subset within some points of the most accurate one, with held-out figures of that choice.

    In each fold both are chosen on the other questions alone, the rank of their members too.

    Args:
        arrays: The recording.
        spending_by_question: Returns what each question takes with some members, given best first: [q].
        unit: What that is counted in.
        points: The points of accuracy that may be lost.
        sizes: Numbers of models.
        folds: The parts that the questions are split into.
        repeats: The number of splits.
        seed: Their random seed.

    Raises:
        ArgumentError: There are too many subsets to try each of them, or fewer than two questions.
    """
    pool, questions = len(arrays.models), len(arrays.questions)
    if (count := sum(comb(pool, size) for size in sizes)) > _MOST_SUBSETS:
        raise ArgumentError(
            f"within looks at every subset in every fold, and there are {count:,}; name fewer models, or smaller sizes "
            f"(at most {_MOST_SUBSETS:,} subsets)"
        )
    if questions < 2:  # noqa: PLR2004 - nothing to hold out
        raise ArgumentError(f"within needs questions to hold out, received {questions}")
    subsets = [members for size in sizes for members in combinations(range(pool), size)]
    votes, rng = arrays.votes, np.random.default_rng([seed, 2])
    everything = np.arange(questions)
    sums = np.zeros(4)
    for _ in range(repeats):
        for test in np.array_split(rng.permutation(questions), min(folds, questions)):
            train = np.setdiff1d(everything, test)
            figures = _Figures(votes, subsets, spending_by_question, train)
            for place, subset in enumerate((figures.cheapest(points), figures.most_accurate)):
                rank = figures.rank(subset)
                sums[2 * place] += votes.at(test).decided_right(rank).sum()
                sums[2 * place + 1] += spending_by_question(rank)[test].sum()
    means = sums / (repeats * questions)
    whole = _Figures(votes, subsets, spending_by_question, everything)
    return Within(
        points=points,
        models=tuple(arrays.models[m] for m in whole.rank(whole.cheapest(points))),
        unit=unit,
        accuracy=float(means[0]),
        best=float(means[2]),
        spending=float(means[1]),
        best_spending=float(means[3]),
        folds=min(folds, questions),
        repeats=repeats,
    )


class _Figures:
    """The accuracy and spending of every subset on some questions."""

    def __init__(
        self,
        votes: Votes,
        subsets: Sequence[tuple[int, ...]],
        spending_by_question: Callable[[Sequence[int]], NDArray[Any]],
        questions: NDArray[np.int64],
    ) -> None:
        self._subsets = subsets
        self._single = votes.right[:, questions].mean(axis=1)
        some = votes.at(questions)
        ranks = [self.rank(i) for i in range(len(subsets))]
        self._right = np.array([int(some.decided_right(rank).sum()) for rank in ranks])
        self._spending = np.array([float(spending_by_question(rank)[questions].sum()) for rank in ranks])
        self._questions = len(questions)

    def rank(self, subset: int) -> list[int]:
        """Return the members of a subset, best first."""
        return in_rank_order(self._subsets[subset], self._single)

    @property
    def most_accurate(self) -> int:
        """The most accurate subset; the cheapest of equals."""
        return min(range(len(self._subsets)), key=lambda i: (-self._right[i], self._spending[i], i))

    def cheapest(self, points: float) -> int:
        """Return the cheapest subset within some points of the most accurate one; the more accurate of equals."""
        least = self._right.max() - points / 100 * self._questions
        near = np.flatnonzero(self._right >= least)
        return int(min(near, key=lambda i: (self._spending[i], -self._right[i], i)))
