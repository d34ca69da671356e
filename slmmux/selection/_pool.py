"""The in-sample figures of a subset, and the order in which subsets are ranked."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import comb
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux.recording._arrays import Arrays
from slmmux.selection._held_out import in_rank_order
from slmmux.selection._search import ScoredSubset, beam, search
from slmmux.selection._selection import Subset

__all__ = ["Bools", "Closing", "HowChosen", "PoolFigures"]

Bools = NDArray[np.bool_]
# (size, best objective so far, the most that any subset of that size can have), as shares of the questions.
Closing: TypeAlias = Callable[[int, float, float], None]
HowChosen: TypeAlias = Literal["exact", "beam"]

_MOST_WORDS = 1_000_000_000  # of 64 questions of a subset, over all folds: about half a minute of exact search


class PoolFigures:
    """A pool's arrays, and the figures of its subsets."""

    def __init__(self, arrays: Arrays, right: Bools, penalty: float, keep: int, time_limit: float) -> None:
        votes = arrays.votes
        self._arrays = arrays
        self._penalty = penalty
        self._keep = keep
        self._time_limit = time_limit
        self._right = right
        # A silent member is not confidently wrong: without an answer its count is 0, so it is never unanimous.
        self._wrong = votes.unanimous & ~votes.right
        self._sure = votes.unanimous & votes.right
        self.accuracy = votes.right.mean(axis=1)
        k = arrays.of[:, None]
        self._planned = np.broadcast_to(k, votes.count.shape)
        self._spending: NDArray[Any] = self._planned if arrays.tokens is None else arrays.tokens
        whole = self._spending
        if arrays.costs is not None:
            self._spending = arrays.costs
            whole = np.rint(arrays.costs * 1e12).astype(np.int64)  # the search adds up whole numbers
        self._costs = [int(c) for c in whole.sum(axis=1)]

    def chooser(self, size: int, times: int) -> tuple[Callable[[NDArray[np.int64]], Sequence[int]], HowChosen]:
        """Return a function that chooses the best subset of a size on some of the questions, and how it does.

        Args:
            size: Members per subset.
            times: How often the estimate will choose. If so many exact searches would take longer than choosing may, a
                beam search chooses in their place. This depends on the numbers of models and questions alone, and not
                on the machine: the same recording has the same estimate anywhere.
        """
        models, questions = self._right.shape
        words = comb(models, size) * -(-questions // 64)
        is_exact = size == 1 or words * times <= _MOST_WORDS

        def choose(questions: NDArray[np.int64]) -> Sequence[int]:
            right, wrong = self._right[:, questions], self._wrong[:, questions]
            options = {"names": self._arrays.models, "penalty": self._penalty, "costs": self._costs}
            if is_exact:
                result = search(right, wrong, size, keep=1, time_limit=self._time_limit, **options)
            else:
                result = beam(right, wrong, size, **options)
            return result.best[0].members

        return choose, "exact" if is_exact else "beam"

    def subsets(self, size: int, told: Closing | None = None) -> tuple[list[Subset], bool, float]:
        """Return the best subsets of a size, best first, whether nothing better exists, and the most that any can have.

        Args:
            size: Members per subset.
            told: Called as the search goes on.
        """
        questions = len(self._arrays.questions)
        result = search(
            self._right,
            self._wrong,
            size,
            names=self._arrays.models,
            penalty=self._penalty,
            keep=self._keep,
            costs=self._costs,
            time_limit=self._time_limit,
            bounds=None if told is None else lambda best, bound: told(size, best / questions, bound / questions),
        )
        return [self.subset(scored) for scored in result.best], result.proved, result.bound / questions

    def subset(self, scored: ScoredSubset) -> Subset:
        """Return the figures of a subset."""
        rank = in_rank_order(scored.members, self.accuracy)
        questions = len(self._arrays.questions)
        union, contradiction = self._counts(rank, self._right)
        sure, disputed = self._counts(rank, self._sure)
        ceiling, _ = self._counts(rank, self._arrays.votes.right)
        return Subset(
            models=tuple(self._arrays.models[m] for m in rank),
            objective=float((union - _exact(self._penalty) * contradiction) / questions),
            union=union / questions,
            contradiction=contradiction / questions,
            floor=(sure - disputed) / questions,
            ceiling=ceiling / questions,
            accuracy=float(self._arrays.votes.decided_right(rank).mean()),
            samples=self._by_plan(rank, self._planned, np.ones(self._planned.shape, dtype=np.int64)),
            tokens=self._by_plan(rank, tokens, alone)
            if (tokens := self._arrays.tokens) is not None and (alone := self._arrays.tokens_alone) is not None
            else None,
            cost=self._by_plan(rank, costs, alone)
            if (costs := self._arrays.costs) is not None and (alone := self._arrays.costs_alone) is not None
            else None,
        )

    def spending(self, rank: Sequence[int]) -> NDArray[Any]:
        """Return what each question takes with some members, best first, by the plan "cascade": [q]."""
        return self._cascade(rank, self._spending)

    def _cascade(self, rank: Sequence[int], cost: NDArray[Any]) -> NDArray[Any]:
        """Return the cost of the members up to the first unanimous one, else of all: [q]."""
        rows = list(rank)
        unanimous = self._arrays.votes.unanimous[rows]
        last = np.where(unanimous.any(axis=0), unanimous.argmax(axis=0), len(rows) - 1)
        up_to: NDArray[Any] = np.take_along_axis(cost[rows].cumsum(axis=0), last[None], axis=0)[0]
        return up_to

    def order(self, subset: Subset) -> tuple[Any, ...]:
        """Return the exact sort key of a subset among those of all sizes."""
        members = [self._arrays.models.index(model) for model in subset.models]
        union, contradiction = self._counts(members, self._right)
        objective = union - _exact(self._penalty) * contradiction
        return -objective, -union, len(members), sum(self._costs[m] for m in members), sorted(subset.models)

    def _counts(self, members: Sequence[int], right: Bools) -> tuple[int, int]:
        rows = list(members)
        some_right = right[rows].any(axis=0)
        return int(some_right.sum()), int((some_right & self._wrong[rows].any(axis=0)).sum())

    def _by_plan(self, rank: Sequence[int], cost: NDArray[Any], first: NDArray[Any]) -> dict[str, float]:
        """Return the mean cost of a question by plan.

        "parallel" pays for every member, "cascade" up to the first unanimous one, "first_round" for one sample of each
        if these agree, else for every member.

        Args:
            rank: The members, best first.
            cost: [m, q] the cost of all k samples.
            first: [m, q] the cost of the first sample.
        """
        rows = list(rank)
        all_samples = cost[rows].sum(axis=0)
        codes = self._arrays.codes[rows, :, 0]
        agreed = (codes == codes[0]).all(axis=0) & (codes[0] >= 0)
        return {
            "parallel": float(all_samples.mean()),
            "cascade": float(self._cascade(rank, cost).mean()),
            "first_round": float(np.where(agreed, first[rows].sum(axis=0), all_samples).mean()),
        }


def _exact(penalty: float) -> Fraction:
    return Fraction(str(penalty))  # through its decimal form, so that 0.1 means one tenth
