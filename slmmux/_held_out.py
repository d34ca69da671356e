"""What choosing models would have brought on questions it had not seen: nested, repeated, seeded.

A figure of the procedure, not of any one subset: each fold chooses its own, and its own rank.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux._arrays import Votes

__all__ = ["HeldOut", "held_out", "ranked"]

Choose: TypeAlias = Callable[[NDArray[np.int64]], Sequence[int]]

_DRAWS = 10_000  # of the bootstrap
_DRAWN_AT_ONCE = 1_000_000  # questions
_MOST_SUBSETS = 200_000_000  # looked at over all folds; some 20 s


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Accuracy on questions that had no part in the choice of models, nor in their rank.

    Attributes:
        accuracy: The mux of the subset chosen on the other folds, share of questions right.
        single: The single model that was best on the other folds, with self-consistency, on the same questions.
        gain: accuracy - single.
        low: Lower end of the 95 % interval of the gain: paired bootstrap over questions, percentiles.
        high: Upper end.
        folds: Parts the questions were split into.
        repeats: How often they were split anew.
    """

    accuracy: float
    single: float
    gain: float
    low: float
    high: float
    folds: int
    repeats: int


def held_out(votes: Votes, choose: Choose, size: int, *, folds: int, repeats: int, seed: int) -> HeldOut | None:
    """Return what choosing subsets of one size brings on questions not chosen on.

    Args:
        votes: The members' votes, on q questions.
        choose: Returns the best subset on some of the questions, by their places.
        size: Members a subset.
        folds: Parts the questions are split into; as many as there are questions where they are fewer.
        repeats: Times they are split anew; fewer where there are very many subsets.
        seed: Of the splits and the bootstrap.

    Returns:
        The estimate; `None` with fewer than two questions, or more subsets than can be searched in every fold.
    """
    members, questions = votes.count.shape
    folds = min(folds, questions)
    repeats = min(repeats, _MOST_SUBSETS // max(1, comb(members, size) * folds))
    if folds < 2 or repeats < 1:  # noqa: PLR2004 - nothing to hold out
        return None
    rng = np.random.default_rng(seed)
    muxed = np.zeros(questions)
    alone = np.zeros(questions)
    for _ in range(repeats):
        for test in np.array_split(rng.permutation(questions), folds):
            train = np.setdiff1d(np.arange(questions), test)
            accuracy = votes.right[:, train].mean(axis=1)
            rank = ranked(choose(train), accuracy)
            muxed[test] += votes.at(test).decided_right(rank)
            alone[test] += votes.right[accuracy.argmax(), test]
    difference = (muxed - alone) / repeats
    low, high = np.percentile(_bootstrapped(difference, rng), [2.5, 97.5])
    return HeldOut(
        accuracy=float(muxed.mean() / repeats),
        single=float(alone.mean() / repeats),
        gain=float(difference.mean()),
        low=float(low),
        high=float(high),
        folds=folds,
        repeats=repeats,
    )


def _bootstrapped(difference: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the means of questions drawn with replacement, as many as there are, some draws at once."""
    questions = difference.size
    at_once = max(1, _DRAWN_AT_ONCE // questions)
    return np.concatenate(
        [
            difference[rng.integers(questions, size=(min(at_once, _DRAWS - begun), questions))].mean(axis=1)
            for begun in range(0, _DRAWS, at_once)
        ]
    )


def ranked(members: Sequence[int], accuracy: NDArray[Any]) -> list[int]:
    """Return members best first: by accuracy, equal ones in the order recorded."""
    return sorted(members, key=lambda m: (-accuracy[m], m))
