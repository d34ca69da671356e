"""The probability from which on an answer is worth giving, with a bound that holds on questions not seen yet.

Of many thresholds the one that does best on the questions at hand owes some of that to chance. So an accuracy counts as
kept only if its lower bound is, and the bound holds for all thresholds that were looked at together.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, lgamma, log, log1p, sqrt

import numpy as np

from slmmux._errors import ArgumentError
from slmmux.recording._arrays import Floats, Ints

__all__ = ["Threshold", "threshold"]

_Z = 1.959964  # 95 %, two-sided
_LEAST_SHARE = 0.05  # of the questions: a threshold that answers fewer is not looked at
_LEAST = 5
_LOOKS = 40  # thresholds that are looked at, at most: each one more makes the bound a little wider for all
_LARGEST_Z = 8.0
_FUZZ = 1e-9  # of a probability that is a sum of floats: one of exactly the confidence is enough
_STEPS = 20  # of each bisection


@dataclass(frozen=True, slots=True)
class Threshold:
    """A probability to act on, and its outcome: answers at or above it are given, the others given up.

    Accuracy and share are measured on held-out questions, with 95 % score intervals (Wilson, 1927) for a p chosen
    beforehand. p was chosen on these very questions; `bound` allows for that, and is the promise.

    Attributes:
        p: For `abstain_below` or `escalate_below`: one of the probabilities, or 0 if nothing may be given up.
        accuracy: The share of the answered questions that are right.
        low: Lower end of its interval.
        high: Upper end of its interval.
        answered: The share of questions that are answered.
        answered_low: Lower end of its interval.
        answered_high: Upper end of its interval.
        questions: The number of questions that p was chosen on.
        rule: The name of the rule whose probability it is.
        confidence: The confidence with which `bound` holds on questions not seen yet; `None` in an older result.
        bound: The least accuracy of the answered questions, if an accuracy was the target; the greatest share given up,
            if a budget was.
    """

    p: float
    accuracy: float
    low: float
    high: float
    answered: float
    answered_low: float
    answered_high: float
    questions: int
    rule: str
    confidence: float | None = None
    bound: float | None = None


def threshold(
    probability: Sequence[float],
    right: Sequence[bool],
    *,
    target_accuracy: float | None = None,
    budget: float | None = None,
    confidence: float = 0.9,
    rule: str = "learned",
    served: Sequence[float] = (),
) -> Threshold:
    """Return the lowest probability that keeps an accuracy, or the highest that gives up no more than a budget.

    An accuracy t counts as kept from p on if, of the n questions at or above p, s are right and

        s >= n t + z sqrt(n t (1 - t))

    The p that are looked at, at most 40, spread evenly from 5 % of the questions answered to all of them. z is the same
    for all of them: the least for which a walk of s, with every question right with probability t, meets this line at
    any of their n with a probability of at most 1 - confidence. That probability is computed exactly. With one p alone
    the line is the one-sided score bound (Wilson, 1927) at t; with many, z is the price of choosing among them.

    A budget b is kept up to the k-th lowest probability, for the largest k with P(Binomial(questions, b) >= k) >=
    confidence, whatever the distribution of the probabilities.

    Args:
        probability: [q] the held-out probability of each question, at least one.
        right: [q] whether its answer was right.
        target_accuracy: The accuracy that the answered questions keep.
        budget: The share of the questions that may be given up.
        confidence: The confidence of the promise, between 0 and 1.
        rule: The name of the rule whose probability it is.
        served: The probabilities of the rule that is served, on all questions: a budget is kept among these, too.

    Raises:
        ArgumentError: If both or neither of the two are passed, one is not above 0 and at most 1, the confidence is not
            between 0 and 1, or no probability keeps the accuracy.

    Example:
        >>> probability, right = [q / 100 for q in range(100)], [q >= 30 for q in range(100)]
        >>> result = threshold(probability, right, target_accuracy=0.9)
        >>> result.p, result.accuracy, result.bound >= 0.9
        (0.29, 0.9859154929577465, True)
        >>> threshold(probability, right, budget=0.25).answered
        0.81
    """
    if (target_accuracy is None) == (budget is None):
        received = "neither" if budget is None else "both"
        raise ArgumentError(
            f"threshold takes one of target_accuracy and budget, received {received}; write one of them"
        )
    target = _share("target_accuracy", target_accuracy) if budget is None else _share("budget", budget)
    if not isinstance(confidence, int | float) or isinstance(confidence, bool) or not 0 < confidence < 1:
        raise ArgumentError(f"confidence must be between 0 and 1, received {confidence!r}; for 90 % write 0.9")
    probabilities, truths = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.bool_)
    order = np.argsort(probabilities, kind="stable")
    probabilities, truths = probabilities[order], truths[order]
    # Between two of the probabilities nothing changes, so only they are candidates, lowest first.
    candidates, below = np.unique(probabilities, return_index=True)
    answer_counts = probabilities.size - below
    rights = truths[::-1].cumsum()[::-1][below]
    if budget is None:
        at, bound = _lowest(answer_counts, rights, target, confidence)
        p = float(candidates[at])
    else:
        rank, bound = _highest(probabilities.size, target, confidence)
        # Without a rank that keeps the budget nothing may be given up: no probability is below 0.
        p = float(probabilities[rank - 1]) if rank else 0.0
        if len(served):
            # The rules of the folds differ in their last digits: if the served rule gives many questions the very same
            # probability, a p a little above it would give up all of these.
            rank, _ = _highest(len(served), target, confidence)
            p = min(p, sorted(served)[rank - 1] if rank else 0.0)
        at = int(np.searchsorted(candidates, p))
    total, good = int(answer_counts[at]), int(rights[at])
    return Threshold(
        p,
        good / total,
        *_interval(good, total, _Z),
        total / probabilities.size,
        *_interval(total, probabilities.size, _Z),
        probabilities.size,
        rule,
        confidence,
        bound,
    )


def _lowest(answer_counts: Ints, rights: Ints, target: float, confidence: float) -> tuple[int, float]:
    """Return the place of the lowest candidate that keeps an accuracy, and the accuracy's lower bound there."""
    keeping, z = _keeping(answer_counts, rights, target, confidence)
    if keeping.size:
        at = int(keeping[0])
        return at, _interval(int(rights[at]), int(answer_counts[at]), z)[0]
    # In hundredths: the sentence has no more digits, and the few values are computed once for all selections.
    lower = range(1, ceil(100 * target))
    highest = bisect_left(lower, True, key=lambda at: not _keeping(answer_counts, rights, at / 100, confidence)[0].size)  # noqa: FBT003
    best = int((rights / answer_counts).argmax())
    raise ArgumentError(
        f"target_accuracy={target:g} is kept from no probability on, with a confidence of {confidence:g}: on "
        f"{answer_counts[0]} questions the highest that is kept is {highest / 100:.2f} (measured at best: "
        f"{rights[best] / answer_counts[best]:.2f} on {answer_counts[best]}); ask for that, or select on more questions"
    )


def _keeping(answer_counts: Ints, rights: Ints, target: float, confidence: float) -> tuple[Ints, float]:
    """Return the places of the candidates that keep an accuracy, lowest first, and z."""
    looks = _looks(answer_counts)
    if target >= 1 or not looks.size:  # no number of questions shows that an answer is never wrong
        return np.zeros(0, dtype=np.int64), _LARGEST_Z
    n = answer_counts[looks]
    z = _critical(tuple(n.tolist()), target, confidence)
    return looks[rights[looks] >= _line(n, target, z)], z


def _looks(answer_counts: Ints) -> Ints:
    """Return the places of the candidates that are looked at, lowest first."""
    least = max(_LEAST, ceil(_LEAST_SHARE * answer_counts[0]))
    if answer_counts[0] < least:
        return np.zeros(0, dtype=np.int64)
    # Chosen by how many questions they answer alone: a look at what is right would be one more to pay for.
    evenly = np.linspace(answer_counts[0], least, _LOOKS)
    nearest = np.abs(answer_counts[None, :] - evenly[:, None]).argmin(axis=1)
    return np.unique(nearest[answer_counts[nearest] >= least])


def _line(n: Ints, target: float, z: float) -> Floats:
    line: Floats = n * target + z * np.sqrt(n * target * (1 - target))
    return line


@lru_cache(maxsize=512)  # without ties all recordings of one length share it, and so do the sizes of a selection
def _critical(answer_counts: tuple[int, ...], target: float, confidence: float) -> float:
    """Return the least z whose line the walk meets with probability 1 - confidence at most."""
    stops = np.sort(np.array(answer_counts, dtype=np.int64))
    strides = np.diff(stops, prepend=0).tolist()
    steps = {stride: _binomial(stride, target) for stride in set(strides)}

    def crossing(z: float) -> float:
        """Return the probability that the walk meets the line at one of the stops."""
        lines = np.ceil(_line(stops, target, z) - 1e-9).astype(np.int64)
        alive: Floats = np.ones(1)  # by the number of rights: walks that have not met it
        crossed = 0.0
        for stride, line in zip(strides, lines.tolist(), strict=True):
            alive = np.convolve(alive, steps[stride])
            crossed += float(alive[line:].sum())
            alive = alive[:line]
        return crossed

    return _bisected(lambda z: crossing(z) > 1 - confidence, 0.0, _LARGEST_Z)


def _binomial(n: int, share: float) -> Floats:
    """Return [n + 1] P(Binomial(n, share) = i)."""
    logs = [lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) for i in range(n + 1)]
    i = np.arange(n + 1)
    probabilities: Floats = np.exp(np.array(logs) + i * log(share) + (n - i) * log1p(-share))
    return probabilities


def _highest(questions: int, budget: float, confidence: float) -> tuple[int, float]:
    """Return the largest rank up to which a budget is kept, 0 without one, and the upper bound of the share there."""
    # P(Binomial >= rank) falls with the rank.
    ranks = range(1, questions + 1)
    rank = bisect_left(ranks, True, key=lambda k: _at_least(k, questions, budget) < confidence - _FUZZ)  # noqa: FBT003
    if not rank:
        return 0, 0.0
    return rank, _bisected(lambda share: _at_least(rank, questions, share) < confidence, 0.0, 1.0)


def _at_least(k: int, n: int, share: float) -> float:
    """Return P(Binomial(n, share) >= k)."""
    if share >= 1:
        return 1.0
    return 1 - float(_binomial(n, share)[:k].sum())


def _bisected(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return the border of what is below, from its upper side."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return high


def _interval(count: int, of: int, z: float) -> tuple[float, float]:
    """Return the score interval of a share (Wilson, 1927), which stays wide if few questions are all right."""
    share, z2 = count / of, z * z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = z / (1 + z2 / of) * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    # At 0 and 1 the last digit of a float may fall outside 0..1, or beyond the share itself.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _share(name: str, value: float | None) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
        raise ArgumentError(f"{name} must be a share above 0 and at most 1, received {value!r}; for 90 % write 0.9")
    return float(value)
