"""Pools of known truth: members whose skill is drawn, so that as many fresh questions as wanted can be asked."""

from dataclasses import dataclass

import numpy as np

from slmmux.recording._arrays import Arrays, _votes
from slmmux.selection._held_out import in_rank_order
from slmmux.selection._pool import PoolFigures

KINDS = ("similar", "dominant", "clones", "tempting")
FRESH = 8000  # questions that stand for all there are: a gain is known to about half a point


@dataclass(frozen=True)
class Pool:
    """Members by what they know and how sure they are.

    Attributes:
        skill: [m] the chance that a member knows the answer to a question of middling difficulty.
        shared: How much of what they know is common to all, 0 to 1.
        sure: [m] the share of samples in which a member sticks to what it believes.
    """

    skill: np.ndarray
    shared: float
    sure: np.ndarray

    def arrays(self, rng, questions, k=4):
        """Return the answers of all members on new questions: 0 is right, 1 to 5 are wrong."""
        members = len(self.skill)
        common, own = rng.normal(size=questions), rng.normal(size=(members, questions))
        ease = np.sqrt(self.shared) * common + np.sqrt(1 - self.shared) * own
        knows = ease < np.array([_normal_quantile(s) for s in self.skill])[:, None]
        believed = np.where(knows, 0, rng.integers(1, 6, (members, questions)))
        shape = members, questions, k
        # Surer where it is right, as real members are, though not always.
        sticks = rng.random(shape) < np.where(knows, self.sure[:, None], 0.75 * self.sure[:, None])[:, :, None]
        codes = np.where(sticks, believed[:, :, None], rng.integers(0, 6, shape))
        right, of = codes == 0, np.full(members, k)
        names = tuple(f"m{m}" for m in range(members))
        ids = tuple(f"q{q:05}" for q in range(questions))
        return Arrays(names, ids, codes, right, of, _votes(codes, right, of), None, None)


def _normal_quantile(share):
    low, high = -6.0, 6.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _normal_share(middle) < share else (low, middle)
    return high


def _normal_share(x):
    from math import erf, sqrt

    return (1 + erf(x / sqrt(2))) / 2


def pool_of(kind, rng):
    """Return a pool: similar members, one that dominates, near clones, or sure ones that are often wrong."""
    if kind == "similar":
        return Pool(rng.uniform(0.5, 0.6, 6), 0.3, rng.uniform(0.7, 0.9, 6))
    if kind == "dominant":
        return Pool(np.append(0.8, rng.uniform(0.4, 0.5, 5)), 0.4, rng.uniform(0.7, 0.9, 6))
    if kind == "clones":
        return Pool(np.full(5, 0.6), 0.98, np.full(5, 0.85))
    return Pool(rng.uniform(0.35, 0.65, 6), 0.2, rng.uniform(0.5, 0.98, 6))


def chooser(arrays, size):
    """Return the search for the best subset of a size."""
    votes = arrays.votes
    return PoolFigures(arrays, votes.unanimous & votes.right, 1.0, 1, 60.0).chooser(size)


def chosen(arrays, size):
    """Return the members chosen on all questions, in rank order, and the best single one."""
    accuracy = arrays.votes.right.mean(axis=1)
    members = chooser(arrays, size)(np.arange(len(arrays.questions)))
    return in_rank_order(members, accuracy), int(accuracy.argmax())


def true_gain(fresh, rank, single):
    """Return the gain of a mux over a single model on fresh questions."""
    return float(fresh.votes.decided_right(rank).mean() - fresh.votes.right[single].mean())
