"""From which probability on an answer is worth giving: for an accuracy asked for, or for what may be given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmmux._errors import ArgumentError

__all__ = ["Threshold", "threshold"]

_DRAWS = 10_000  # of the bootstrap


@dataclass(frozen=True, slots=True)
class Threshold:
    """A probability to act on, and what it brings: answers at or above it are given, the rest is given up.

    Accuracy and share are those of held-out questions, with 95 % bootstrap intervals: questions resampled, p as it is.
    p itself was chosen on these questions, which flatters the accuracy a little, and more where few are answered.

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
    seed: int = 0,
) -> Threshold:
    """Return the lowest probability that brings an accuracy, or the highest that gives up no more than a budget.

    Args:
        probability: [q] what was foretold of each question, one at least.
        right: [q] whether its answer was right.
        target_accuracy: p is the lowest probability such that the questions at or above it have this accuracy.
        budget: p is the highest probability such that no more than this share of the questions is below it.
        rule: Whose probability it is.
        seed: Of the bootstrap.

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
    return _measured(float(candidates[at]), int(rights[at]), int(answered[at]), said.size, rule, seed)


def _measured(p: float, rights: int, answered: int, questions: int, rule: str, seed: int) -> Threshold:  # noqa: PLR0917
    # Questions drawn with replacement: all that counts of a draw is how many of each of the three sorts it has.
    sorts = np.array([rights, answered - rights, questions - answered]) / questions
    drawn = np.random.default_rng(seed).multinomial(questions, sorts, size=_DRAWS)
    given = drawn[:, :2].sum(axis=1)
    some = given > 0  # a draw that answers nothing has no accuracy
    low, high = _interval(drawn[some, 0] / given[some])
    answered_low, answered_high = _interval(given / questions)
    return Threshold(
        p, rights / answered, low, high, answered / questions, answered_low, answered_high, questions, rule
    )


def _interval(drawn: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _share(name: str, value: float | None) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
        raise ArgumentError(f"{name} must be a share above 0 and at most 1, found {value!r}; for 90 % write 0.9")
    return float(value)
