"""From which probability on an answer is worth giving: for an accuracy asked for, or for what may be given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from slmmux._errors import ArgumentError

__all__ = ["Threshold", "threshold"]

_Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Threshold:
    """A probability to act on, and what it brings: answers at or above it are given, the rest is given up.

    Accuracy and share are those of held-out questions, with 95 % score intervals (Wilson, 1927) for p as it is. p
    itself was chosen on these questions, which flatters the accuracy a little, and more where few are answered.

    Attributes:
        p: For `abstain_below` or `escalate_below`; one of the probabilities that were foretold. 0, that of no answer,
            where even such questions need not be given up: then no threshold is needed.
        accuracy: Of the questions answered, the share that is right.
        low: Lower end of its interval.
        high: Upper end.
        answered: The share of questions that are answered.
        answered_low: Lower end of its interval.
        answered_high: Upper end.
        questions: How many it was chosen on.
        rule: Whose probability it is.
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


def threshold(
    probability: Sequence[float],
    right: Sequence[bool],
    *,
    target_accuracy: float | None = None,
    budget: float | None = None,
    rule: str = "learned",
) -> Threshold:
    """Return the lowest probability that brings an accuracy, or the highest that gives up no more than a budget.

    Args:
        probability: [q] what was foretold of each question, one at least.
        right: [q] whether its answer was right.
        target_accuracy: p is the lowest probability such that the questions at or above it have this accuracy.
        budget: p is the highest probability such that no more than this share of the questions is below it.
        rule: Whose probability it is.

    Raises:
        ArgumentError: Both or none of the two, one that is not above 0 and at most 1, or an accuracy that no
            probability brings.

    Example:
        >>> found = threshold([0.9, 0.8, 0.6, 0.3], [True, True, False, False], target_accuracy=1.0)
        >>> found.p, found.accuracy, found.answered
        (0.8, 1.0, 0.5)
        >>> threshold([0.9, 0.8, 0.6, 0.3], [True, True, False, False], budget=0.25).p
        0.6
    """
    if (target_accuracy is None) == (budget is None):
        what = "neither was" if budget is None else "both were"
        raise ArgumentError(f"threshold takes one of target_accuracy and budget, and {what} given; write one of them")
    asked = _share("target_accuracy", target_accuracy) if budget is None else _share("budget", budget)
    said, came = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.bool_)
    order = np.argsort(said)
    said, came = said[order], came[order]
    # Candidates are the probabilities that were foretold, lowest first: between two of them nothing changes.
    candidates, below = np.unique(said, return_index=True)
    answered = said.size - below
    rights = came[::-1].cumsum()[::-1][below]
    if budget is None:
        reached = np.flatnonzero(rights / answered >= asked)
        if not reached.size:
            best = int((rights / answered).argmax())
            raise ArgumentError(
                f"target_accuracy={target_accuracy!r} is reached from no probability on; the best is "
                f"{rights[best] / answered[best]:.3f}, from p={candidates[best]:.3f} on, with "
                f"{100 * answered[best] / said.size:.0f} % of the questions answered; ask for at most that"
            )
        at = int(reached[0])
    else:
        at = int(np.flatnonzero(below / said.size <= asked)[-1])
    given, good = int(answered[at]), int(rights[at])
    return Threshold(
        float(candidates[at]),
        good / given,
        *_interval(good, given),
        given / said.size,
        *_interval(given, said.size),
        said.size,
        rule,
    )


def _interval(count: int, of: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson, 1927): of all right, too, it says how few they were."""
    share, z2 = count / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    # Within 0..1 and round the share itself, whatever the last digit of a float does at 0 and 1.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _share(name: str, value: float | None) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
        raise ArgumentError(f"{name} must be a share above 0 and at most 1, received {value!r}; for 90 % write 0.9")
    return float(value)
