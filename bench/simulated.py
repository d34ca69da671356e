"""Pools of known truth: members whose skill is drawn, so that as many fresh questions as wanted can be asked.

A selection's promises are held to them: the coverage of the interval and the verdicts (`outcomes`), the thresholds
(`broken_promises`). tests/core/test_promises.py does so in short, and at length with `pytest -m full`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from slmmux import ArgumentError
from slmmux.recording._arrays import Arrays, Floats, _votes
from slmmux.selection._held_out import Choose, HeldOut, held_out, in_rank_order
from slmmux.selection._pool import PoolFigures
from slmmux.selection._selection import Subset
from slmmux.selection._threshold import threshold
from slmmux.selection._verdict import Recommendation, Verdict, verdict_of

__all__ = ["BUDGET", "KINDS", "SHAPES", "TARGETS", "WORTH", "Outcome", "broken_promises", "outcomes", "told"]

KINDS = ("similar", "dominant", "clones", "tempting")
WORTH = 0.01
TARGETS = (0.6, 0.75, 0.9)
BUDGET = 0.2
SHAPES = ((2, 1), (5, 2), (1, 1), (1, 2))  # of the beta distribution that the chances of being right have

_FRESH = 8000  # questions that stand for all there are: a gain is known to about half a point
_FRESH_CHANCES = 400_000  # the same for thresholds, where each question stands for its chance of being right
_MOST_MORE = 2000  # questions that a selection may ask for in addition
_LEEWAY = 0.005  # for what the fresh questions themselves leave open
_OFF = 0.08  # standard deviation of a probability around the true chance


@dataclass(frozen=True, slots=True)
class Pool:
    """Members by what they know and how sure they are.

    Attributes:
        skill: [m] the chance that a member knows the answer to a question of middling difficulty.
        shared: How much of what they know is common to all, 0 to 1.
        sure: [m] the share of samples in which a member sticks to what it believes.
    """

    skill: Floats
    shared: float
    sure: Floats

    def arrays(self, rng: np.random.Generator, questions: int, k: int = 4) -> Arrays:
        """Return the answers of all members on new questions: 0 is right, 1 to 5 are wrong."""
        members = len(self.skill)
        common, own = rng.normal(size=questions), rng.normal(size=(members, questions))
        ease = np.sqrt(self.shared) * common + np.sqrt(1 - self.shared) * own
        knows = ease < np.array([NormalDist().inv_cdf(share) for share in self.skill])[:, None]
        believed = np.where(knows, 0, rng.integers(1, 6, (members, questions)))
        shape = members, questions, k
        # Surer if it is right, as real members are, though not always.
        sticks = rng.random(shape) < np.where(knows, self.sure[:, None], 0.75 * self.sure[:, None])[:, :, None]
        codes = np.where(sticks, believed[:, :, None], rng.integers(0, 6, shape))
        right, of = codes == 0, np.full(members, k)
        names = tuple(f"m{m}" for m in range(members))
        ids = tuple(f"q{q:05}" for q in range(questions))
        return Arrays(names, ids, codes, right, of, _votes(codes, right, of), None, None)


def pool_of(kind: str, rng: np.random.Generator) -> Pool:
    """Return a pool: similar members, one that dominates, near clones, or sure ones that are often wrong."""
    if kind == "similar":
        return Pool(rng.uniform(0.5, 0.6, 6), 0.3, rng.uniform(0.7, 0.9, 6))
    if kind == "dominant":
        return Pool(np.append(0.8, rng.uniform(0.4, 0.5, 5)), 0.4, rng.uniform(0.7, 0.9, 6))
    if kind == "clones":
        return Pool(np.full(5, 0.6), 0.98, np.full(5, 0.85))
    return Pool(rng.uniform(0.35, 0.65, 6), 0.2, rng.uniform(0.5, 0.98, 6))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A selection on some questions of a simulated pool, and the truth about it.

    Attributes:
        estimate: The held-out figures.
        gain: The true gain of the models chosen over the single model chosen: on fresh questions.
        recommendation: The verdict.
    """

    estimate: HeldOut
    gain: float
    recommendation: Recommendation

    @property
    def is_covered(self) -> bool:
        """Whether the interval holds the true gain."""
        low, high = self.estimate.interval or (0.0, 0.0)
        return low <= self.gain <= high

    @property
    def is_wrong(self) -> bool:
        """Whether the verdict is not true: "mux" without a gain, or "do not mux" with one that is worth it."""
        if self.recommendation == "mux":
            return self.gain < -_LEEWAY
        return self.recommendation == "do not mux" and self.gain > WORTH + _LEEWAY


def outcomes(kind: str, questions: int, runs: int, *, repeats: int, n_resamples: int) -> Iterator[Outcome]:
    """Yield the outcomes of selections on pools of one kind, each drawn anew, of two members and of three in turn."""
    for run in range(runs):
        rng = np.random.default_rng([run, questions])
        pool = pool_of(kind, rng)
        arrays, fresh = pool.arrays(rng, questions), pool.arrays(rng, _FRESH)
        rank, single, estimate, verdict = _selection(arrays, run, repeats, n_resamples)
        gain = float(fresh.votes.decided_right(rank).mean() - fresh.votes.right[single].mean())
        yield Outcome(estimate, gain, verdict.recommendation)


def told(kind: str, questions: int, runs: int, *, repeats: int, n_resamples: int) -> tuple[int, int]:
    """Return how many selections that cannot tell yet are told by as many more questions as they name, and of how many.

    Those that name more than 2,000 are left out. The larger selection has all questions of the smaller one.
    """
    outcomes_told = []
    for run in range(runs):
        rng = np.random.default_rng([run, questions])
        everything = pool_of(kind, rng).arrays(rng, questions + _MOST_MORE)
        more = _selection(_first(everything, questions), run, repeats, n_resamples)[-1].more_questions
        if more is not None and more <= _MOST_MORE:
            verdict = _selection(_first(everything, questions + more), run, repeats, n_resamples)[-1]
            outcomes_told.append(verdict.recommendation != "cannot tell yet")
    return sum(outcomes_told), len(outcomes_told)


def _first(arrays: Arrays, questions: int) -> Arrays:
    """Return the samples on the first questions."""
    places = np.arange(questions)
    return replace(
        arrays,
        questions=arrays.questions[:questions],
        codes=arrays.codes[:, :questions],
        right=arrays.right[:, :questions],
        votes=arrays.votes.at(places),
    )


def _selection(arrays: Arrays, run: int, repeats: int, n_resamples: int) -> tuple[list[int], int, HeldOut, Verdict]:
    """Return the rank of the best mux, the best single model, the held-out figures and the verdict."""
    questions, size = len(arrays.questions), 2 + run % 2
    accuracy = arrays.votes.right.mean(axis=1)
    choose = chooser(arrays, size)
    rank, single = in_rank_order(choose(np.arange(questions)), accuracy), int(accuracy.argmax())
    options = {"folds": 5, "repeats": repeats, "seed": run, "n_resamples": n_resamples}
    estimate = held_out(arrays.votes, choose, **options)
    if estimate is None:
        raise ArgumentError(f"{questions} questions are too few to hold any out; ask for at least 2")
    mux, alone = subset_of(arrays, rank, estimate), subset_of(arrays, [single], None)
    verdict = verdict_of(mux, {size: mux}, alone, "self-consistency", questions=questions, worth=WORTH)
    return rank, single, estimate, verdict


def chooser(arrays: Arrays, size: int) -> Choose:
    """Return the search for the best subset of a size."""
    votes = arrays.votes
    return PoolFigures(arrays, votes.unanimous & votes.right, 1.0, 1, 60.0).chooser(size, 1)[0]


def subset_of(arrays: Arrays, rank: list[int], estimate: HeldOut | None) -> Subset:
    """Return the best subset of a selection, as far as a verdict looks at it."""
    models = tuple(arrays.models[m] for m in rank)
    figures = dict.fromkeys(("objective", "union", "contradiction", "floor", "ceiling", "accuracy"), 0.0)
    return Subset(models=models, samples={}, held_out=estimate, **figures)


def broken_promises(
    questions: int, shape: tuple[float, float], runs: int, *, confidence: float = 0.9
) -> dict[str, tuple[int, int]]:
    """Return how many thresholds broke their promise on fresh questions, and how many were promised.

    Args:
        questions: The number of questions that each is chosen on.
        shape: The beta distribution of the chance of being right; the probabilities are somewhat off it.
        runs: The number of thresholds for each target, and for a budget.
        confidence: The confidence of each promise.

    Returns:
        By target, as its text, and for "budget".
    """
    rng = np.random.default_rng([questions, *shape])
    fresh, truth = _world(rng, _FRESH_CHANCES, shape)
    order = fresh.argsort()
    fresh, rights = fresh[order], truth[order][::-1].cumsum()[::-1]  # the right ones from each place on
    broken = dict.fromkeys([*map(str, TARGETS), "budget"], 0)
    promised = dict.fromkeys(broken, 0)
    for _ in range(runs):
        probability, chance = _world(rng, questions, shape)
        right = rng.random(questions) < chance
        for target in TARGETS:
            try:
                p = threshold(probability, right, target_accuracy=target, confidence=confidence).p
            except ArgumentError:  # it is kept from no probability on
                continue
            promised[str(target)] += 1
            place = int(np.searchsorted(fresh, p))
            broken[str(target)] += bool(rights[place] < target * (fresh.size - place))
        promised["budget"] += 1
        p = threshold(probability, right, budget=BUDGET, confidence=confidence).p
        broken["budget"] += bool(np.searchsorted(fresh, p) > BUDGET * fresh.size)
    return {name: (broken[name], promised[name]) for name in broken}


def _world(rng: np.random.Generator, questions: int, shape: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return the probabilities of questions, and the true chances."""
    truth = rng.beta(*shape, questions)
    return np.clip(truth + rng.normal(0, _OFF, questions), 0, 1), truth
