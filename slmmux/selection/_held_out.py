"""What choosing models would have brought on questions it had not seen: nested, repeated, seeded.

A figure of the procedure, not of any one subset: each fold chooses its own, and its own rank.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux.recording._arrays import Votes

__all__ = [
    "SELF_CONSISTENCY",
    "HeldOut",
    "Way",
    "algorithm_1",
    "best_alone",
    "each_held_out",
    "held_out",
    "in_rank_order",
]

Ints: TypeAlias = NDArray[np.int64]
Choose: TypeAlias = Callable[[Ints], Sequence[int]]
# Of a rank and a fold's training and test questions: whether each of the test questions is answered right.
Way: TypeAlias = Callable[[list[int], Ints, Ints], NDArray[np.bool_]]

SELF_CONSISTENCY: Final = "self-consistency"

_DRAWS = 10_000  # of the bootstrap
_DRAWN_AT_ONCE = 1_000_000  # questions
_MOST_SUBSETS = 200_000_000  # looked at over all folds; some 20 s


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Accuracy on questions that had no part in the choice of models, nor in their rank or rule.

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
    """Return what choosing subsets of one size brings on questions not chosen on, where Algorithm 1 decides.

    Args and what is returned are those of `each_held_out`, of its one entry.
    """
    ways = {SELF_CONSISTENCY: algorithm_1(votes)}
    every = each_held_out(votes, choose, size, ways, folds=folds, repeats=repeats, seed=seed)
    return None if every is None else every[SELF_CONSISTENCY]


def each_held_out(
    votes: Votes, choose: Choose, size: int, ways: Mapping[str, Way], *, folds: int, repeats: int, seed: int
) -> dict[str, HeldOut] | None:
    """Return what choosing subsets of one size brings on questions not chosen on, by each way to decide.

    All ways see the same splits, subsets and ranks, and their intervals the same draws of questions.

    Args:
        votes: The members' votes, on q questions.
        choose: Returns the best subset on some of the questions, by their places.
        size: Members a subset.
        ways: By name; each is called once a fold, repeat by repeat.
        folds: Parts the questions are split into; as many as there are questions where they are fewer.
        repeats: Times they are split anew; fewer where there are very many subsets.
        seed: Of the splits and the bootstrap.

    Returns:
        The estimates; `None` with fewer than two questions, or more subsets than can be searched in every fold.
    """
    members, questions = votes.count.shape
    folds = min(folds, questions)
    repeats = min(repeats, _MOST_SUBSETS // max(1, comb(members, size) * folds))
    if folds < 2 or repeats < 1:  # noqa: PLR2004 - nothing to hold out
        return None
    rng = np.random.default_rng(seed)
    single = best_alone(votes)
    right = {way: np.zeros(questions) for way in ways}
    alone = np.zeros(questions)
    for _ in range(repeats):
        for test in np.array_split(rng.permutation(questions), folds):
            train = np.setdiff1d(np.arange(questions), test)
            rank = in_rank_order(choose(train), votes.right[:, train].mean(axis=1))
            alone[test] += single(rank, train, test)
            for name, way in ways.items():
                right[name][test] += way(rank, train, test)
    differences = {name: (each - alone) / repeats for name, each in right.items()}
    draws = _bootstrapped(list(differences.values()), rng)
    return {
        name: HeldOut(
            accuracy=float(right[name].mean() / repeats),
            single=float(alone.mean() / repeats),
            gain=float(difference.mean()),
            low=float(low),
            high=float(high),
            folds=folds,
            repeats=repeats,
        )
        for (name, difference), (low, high) in zip(
            differences.items(), np.percentile(draws, [2.5, 97.5], axis=1).T, strict=True
        )
    }


def algorithm_1(votes: Votes) -> Way:
    """Return the way of the most confident member's vote."""
    return lambda rank, _train, test: votes.at(test).decided_right(rank)


def best_alone(votes: Votes) -> Way:
    """Return the way of the single model that is best on the training questions, whatever the rank."""
    return lambda _rank, train, test: votes.right[votes.right[:, train].mean(axis=1).argmax(), test]


def _bootstrapped(differences: Sequence[NDArray[np.float64]], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the means of questions drawn with replacement, as many as there are, some draws at once: [way, draw]."""
    questions = differences[0].size
    at_once = max(1, _DRAWN_AT_ONCE // questions)
    means: list[list[NDArray[np.float64]]] = []
    for begun in range(0, _DRAWS, at_once):
        drawn = rng.integers(questions, size=(min(at_once, _DRAWS - begun), questions))
        means.append([difference[drawn].mean(axis=1) for difference in differences])
    return np.concatenate(means, axis=1)


def in_rank_order(members: Sequence[int], accuracy: NDArray[Any]) -> list[int]:
    """Return members best first: by accuracy, equal ones in the order recorded."""
    return sorted(members, key=lambda m: (-accuracy[m], m))
