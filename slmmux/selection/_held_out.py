"""The gain of choosing models, on questions that they were not chosen on: nested, repeated, and with an interval.

The figures are those of the procedure, not of one subset: each fold chooses its own models and its own rank.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux.recording._arrays import Bools, Floats, Ints, Votes

__all__ = [
    "SELF_CONSISTENCY",
    "HeldOut",
    "Progress",
    "Way",
    "algorithm_1",
    "best_alone",
    "each_held_out",
    "held_out",
    "in_rank_order",
]

Choose: TypeAlias = Callable[[Ints], Sequence[int]]
# (rank, training questions, test questions) -> whether each test question is answered right.
Way: TypeAlias = Callable[[list[int], Ints, Ints], Bools]
Progress: TypeAlias = Callable[[int, int], None]  # resamples done, of how many

SELF_CONSISTENCY: Final = "self-consistency"

_Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Accuracy on questions that had no part in the choice of models, nor in their rank or rule.

    Attributes:
        accuracy: The share right of the mux that the other folds chose.
        single: The share right, on the same questions, of the single model that was best on the other folds, with
            self-consistency.
        gain: accuracy - single.
        low: Lower end of the 95 % interval of the gain on new questions; `None` without resamples.
        high: Upper end.
        folds: The parts that the questions were split into.
        repeats: The number of splits.
        n_resamples: The halves of the questions on which everything was chosen again for the interval; 0 without an
            interval, and in the files of older versions.
        search: How models were chosen on the other folds: "exact", as on all questions, or "beam", if the exact search
            in every fold would have cost more than the one on all questions may. What the exact search would have
            chosen beyond the beam's choice is left out of the estimate.
    """

    accuracy: float
    single: float
    gain: float
    low: float | None
    high: float | None
    folds: int
    repeats: int
    n_resamples: int = 0
    search: Literal["exact", "beam"] = "exact"

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the gain, low to high; `None` without one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def held_out(
    votes: Votes,
    choose: Choose,
    *,
    folds: int,
    repeats: int,
    seed: int,
    n_resamples: int = 0,
    progress: Callable[[], None] | None = None,
) -> HeldOut | None:
    """Return the held-out figures of a choice of models under Algorithm 1: the one entry of `each_held_out`."""
    ways = {SELF_CONSISTENCY: algorithm_1(votes)}
    every = each_held_out(
        votes,
        choose,
        ways,
        folds=folds,
        repeats=repeats,
        seed=seed,
        n_resamples=n_resamples,
        progress=progress,
    )
    return None if every is None else every[SELF_CONSISTENCY]


def each_held_out(
    votes: Votes,
    choose: Choose,
    ways: Mapping[str, Way],
    *,
    folds: int,
    repeats: int,
    seed: int,
    n_resamples: int = 0,
    progress: Callable[[], None] | None = None,
) -> dict[str, HeldOut] | None:
    """Return the held-out figures of a choice of models, for each way to decide.

    All ways see the same splits, subsets, ranks and resamples.

    The interval of the gain g on n questions is that of the models, the rank and the rule that are chosen on all of
    them, on new questions. It is g +- 1.96 sqrt(s^2 + c^2). s is the noise of the questions: with a the questions that
    the mux wins and b those that it loses, on average over the repeats,

        s^2 = (p + q - (p - q)^2) / (n + 2),    p = (a + 1) / (n + 2),    q = (b + 1) / (n + 2)

    (Bonett and Price, 2012), which is not 0 even where the two never differ. c is the noise of the choice: models, rank
    and rule are chosen again on random halves of the questions, and c is the standard deviation of their gains over all
    questions. Halves drawn without replacement vary around the whole as the whole does around all questions there are
    (the jackknife of Shao and Wu, 1989), and no question is in one of them twice, which a fitted rule would learn by
    heart.

    Args:
        votes: The members' votes on q questions.
        choose: Returns the best subset on some of the questions, by their places.
        ways: By name; each is called once per fold, repeat by repeat, then once per resample.
        folds: The parts that the questions are split into; as many as there are questions if these are fewer.
        repeats: The number of splits.
        seed: The random seed of splits and resamples.
        n_resamples: The number of halves for the interval; 0 leaves it out.
        progress: Called after each resample.

    Returns:
        The estimates; `None` with fewer than two questions.
    """
    questions = votes.count.shape[1]
    folds = min(folds, questions)
    if folds < 2:  # noqa: PLR2004 - nothing to hold out
        return None
    # Two streams, so that leaving the interval out does not change the estimate.
    splits, halves = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    everything = np.arange(questions)
    all_right = votes.right.sum(axis=1)
    tallies = {name: _Tally(questions) for name in ways}
    alone = np.zeros(questions)
    for _ in range(repeats):
        alone_now = np.zeros(questions)
        right = {name: np.zeros(questions) for name in ways}
        for test in np.array_split(splits.permutation(questions), folds):
            in_training = np.ones(questions, dtype=np.bool_)
            in_training[test] = False
            train = np.flatnonzero(in_training)
            # Counted on the few that are left out: in a large pool, reading all the others cost as much as the search.
            accuracy = (all_right - votes.right[:, test].sum(axis=1)) / train.size
            rank = in_rank_order(choose(train), accuracy)
            alone_now[test] = votes.right[accuracy.argmax(), test]
            for name, way in ways.items():
                right[name][test] = way(rank, train, test)
        alone += alone_now
        for name, tally in tallies.items():
            tally.add(right[name], alone_now)
    gains: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(n_resamples):
        half = np.sort(halves.permutation(questions)[: max(1, questions // 2)])
        accuracy = votes.right[:, half].sum(axis=1) / half.size
        rank = in_rank_order(choose(half), accuracy)
        alone_now = votes.right[accuracy.argmax()].astype(np.float64)
        for name, way in ways.items():
            gains[name].append(float((way(rank, half, everything) - alone_now).mean()))
        if progress is not None:
            progress()
    estimates = {}
    for name, tally in tallies.items():
        low, high = tally.interval(repeats, gains[name]) if n_resamples else (None, None)
        estimates[name] = HeldOut(
            accuracy=float(tally.right.mean() / repeats),
            single=float(alone.mean() / repeats),
            gain=tally.gain(repeats),
            low=low,
            high=high,
            folds=folds,
            repeats=repeats,
            n_resamples=n_resamples,
        )
    return estimates


class _Tally:
    """What one way won and lost against the single model, over the repeats.

    Attributes:
        right: [q] how often it was right.
    """

    def __init__(self, questions: int) -> None:
        self.right: Floats = np.zeros(questions)
        self._won = 0.0
        self._lost = 0.0

    def add(self, right: Floats, alone: Floats) -> None:
        """Count one repeat."""
        self.right += right
        self._won += float((right > alone).sum())
        self._lost += float((right < alone).sum())

    def gain(self, repeats: int) -> float:
        """Return the mean gain."""
        return (self._won - self._lost) / repeats / self.right.size

    def interval(self, repeats: int, gains: Sequence[float]) -> tuple[float, float]:
        """Return the interval of the gain; see `each_held_out`."""
        of = self.right.size + 2
        won, lost = ((count / repeats + 1) / of for count in (self._won, self._lost))
        noise = (won + lost - (won - lost) ** 2) / of
        choice = float(np.var(gains, ddof=1)) if len(gains) > 1 else 0.0
        reach = _Z * sqrt(noise + choice)
        gain = self.gain(repeats)
        return max(-1.0, gain - reach), min(1.0, gain + reach)


def algorithm_1(votes: Votes) -> Way:
    """Return the way of the most confident member's vote."""

    def way(rank: list[int], _train: Ints, test: Ints) -> Bools:
        few = votes.of_members(rank)
        return few.at(test).decided_right(range(len(rank)))

    return way


def best_alone(votes: Votes) -> Way:
    """Return the way of the single model that is best on the training questions, whatever the rank."""
    return lambda _rank, train, test: votes.right[votes.right[:, train].mean(axis=1).argmax(), test]


def in_rank_order(members: Sequence[int], accuracy: NDArray[Any]) -> list[int]:
    """Return members best first: by accuracy, equal ones in the order recorded."""
    return sorted(members, key=lambda m: (-accuracy[m], m))
