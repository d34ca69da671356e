"""What probabilities are worth: whether they come true, and what is gained by answering only the surest questions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slmmux._errors import ArgumentError
from slmmux.learned._scores import brier, expected_calibration_error

__all__ = ["Bin", "Covered", "Reliability", "RiskCoverage", "reliability", "risk_coverage"]


@dataclass(frozen=True, slots=True)
class Bin:
    """Questions that about the same was said of.

    Attributes:
        low: The bin's lower border, outside it.
        high: The upper one, inside.
        said: Their mean probability.
        right: The share of them that came out right.
        questions: How many they are.
    """

    low: float
    high: float
    said: float
    right: float
    questions: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was said of questions, bin by bin, against what came.

    Attributes:
        bins: From low to high, of equal width; empty ones left out.
        error: The expected calibration error.
        brier: The mean squared error.
    """

    bins: tuple[Bin, ...]
    error: float
    brier: float


@dataclass(frozen=True, slots=True)
class Covered:
    """What comes of answering only the questions that one is surest of.

    Attributes:
        least: The lowest probability among them.
        answered: Their share of all questions.
        wrong: The share of them that is wrong: of equally sure questions each in proportion.
    """

    least: float
    answered: float
    wrong: float


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Share wrong (risk) against share answered (coverage).

    Attributes:
        points: One for each number of questions answered, 1 to all.
        area: Under them, the mean of `wrong`: 0 is never wrong.
    """

    points: tuple[Covered, ...]
    area: float


def reliability(probability: ArrayLike, right: ArrayLike, bins: int = 10) -> Reliability:
    """Return how often questions came out right, by what was said of them.

    Bins are of equal width, a border in the lower one: those of `expected_calibration_error` (Guo et al., 2017).

    Args:
        probability: [q] that the answer is right, between 0 and 1.
        right: [q] whether it is.
        bins: How many.

    Raises:
        ArgumentError: No questions, not one truth a probability, no bins, or a probability that is none.

    Example:
        >>> found = reliability([0.7, 0.9, 0.2], [True, True, False], bins=2)
        >>> found.bins[1]
        Bin(low=0.5, high=1.0, said=0.8, right=1.0, questions=2)
        >>> f"{found.error:.2f} {found.brier:.2f}"
        '0.20 0.05'
    """
    said, came = _told(probability, right)
    if bins < 1:
        raise ArgumentError(f"bins must be at least 1, found {bins!r}; 10 is usual")
    place = np.ceil(said * bins).clip(min=1)
    found = tuple(
        Bin((high - 1) / bins, high / bins, float(said[own].mean()), float(came[own].mean()), int(own.sum()))
        for high in np.unique(place).tolist()
        for own in [place == high]
    )
    return Reliability(found, expected_calibration_error(said, came, bins), brier(said, came))


def risk_coverage(probability: ArrayLike, right: ArrayLike) -> RiskCoverage:
    """Return how often one is wrong who answers only what he is surest of, from one question to all.

    With questions by falling probability, wrong(n) = (wrong ones among the first n) / n and the area is the mean over n
    (AURC; Geifman, Uziel and El-Yaniv, 2019). Among equally sure ones no order is better than another: it is the mean
    over all. `risk_coverage(right, right)` is the oracle's: first all that is right.

    Args:
        probability: [q] that the answer is right, or anything between 0 and 1 that grows with it.
        right: [q] whether it is.

    Raises:
        ArgumentError: No questions, not one truth a probability, or a probability that is none.

    Example:
        >>> found = risk_coverage([0.9, 0.5, 0.7], [True, False, True])
        >>> found.points[-1]
        Covered(least=0.5, answered=1.0, wrong=0.3333333333333333)
        >>> f"{found.area:.3f}"
        '0.111'
    """
    said, came = _told(probability, right)
    values, place, equals = np.unique(-said, return_inverse=True, return_counts=True)
    wrong = np.bincount(place, weights=1 - came)
    before, wrong_before = np.cumsum(equals) - equals, np.cumsum(wrong) - wrong
    group = np.repeat(np.arange(values.size), equals)
    taken = np.arange(1, said.size + 1)
    # The mean over all orders of equals: each of them is wrong in proportion.
    risk = (wrong_before[group] + (taken - before[group]) * wrong[group] / equals[group]) / taken
    points = zip((-values[group]).tolist(), (taken / said.size).tolist(), risk.tolist(), strict=True)
    return RiskCoverage(tuple(Covered(*point) for point in points), float(risk.mean()))


def _told(probability: ArrayLike, right: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    said, came = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not said.size or said.shape != came.shape or said.ndim != 1:
        raise ArgumentError(
            f"there must be one probability and one truth a question, found {said.size} and {came.size}; pass two "
            "lists of one length that is not 0"
        )
    if not ((said >= 0) & (said <= 1)).all():
        raise ArgumentError("a probability lies outside 0 to 1; pass shares, not per cent and not log-odds")
    return said, came
