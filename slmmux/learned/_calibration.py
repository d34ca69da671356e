"""Calibration: how often stated probabilities come true, and the risk of answering only the surest questions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slmmux._errors import ArgumentError
from slmmux.learned._scores import brier, expected_calibration_error

__all__ = ["Bin", "Covered", "Reliability", "RiskCoverage", "reliability", "risk_coverage"]


@dataclass(frozen=True, slots=True)
class Bin:
    """Questions of similar probability.

    Attributes:
        low: The lower border, which is outside the bin.
        high: The upper border, which is inside.
        said: The mean probability.
        right: The share of the questions that were answered right.
        questions: The number of questions.
    """

    low: float
    high: float
    said: float
    right: float
    questions: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Stated probability against the share right, bin by bin.

    Attributes:
        bins: From low to high, of equal width; empty bins are left out.
        error: The expected calibration error.
        brier: The mean squared error.
    """

    bins: tuple[Bin, ...]
    error: float
    brier: float


@dataclass(frozen=True, slots=True)
class Covered:
    """The outcome of answering only the surest questions.

    Attributes:
        least: The lowest probability among the answered questions.
        answered: The share of all questions that are answered.
        wrong: The share of the answered questions that are wrong; equally sure questions count in proportion.
    """

    least: float
    answered: float
    wrong: float


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Share wrong (risk) against share answered (coverage).

    Attributes:
        points: One point for each number of answered questions, from 1 to all.
        area: The area under the points, which is the mean of `wrong`; 0 means never wrong.
    """

    points: tuple[Covered, ...]
    area: float


def reliability(probability: ArrayLike, right: ArrayLike, bins: int = 10) -> Reliability:
    """Return the share of questions answered right by their stated probability.

    The bins are those of `expected_calibration_error` (Guo et al., 2017): of equal width, a border in the lower bin.

    Args:
        probability: [q] the probability that the answer is right, between 0 and 1.
        right: [q] whether the answer is right.
        bins: The number of bins.

    Raises:
        ArgumentError: If there are no questions or no bins, the lengths differ, or a probability is outside 0 to 1.

    Example:
        >>> result = reliability([0.7, 0.9, 0.2], [True, True, False], bins=2)
        >>> result.bins[1]
        Bin(low=0.5, high=1.0, said=0.8, right=1.0, questions=2)
        >>> f"{result.error:.2f} {result.brier:.2f}"
        '0.20 0.05'
    """
    probabilities, truths = _checked_pairs(probability, right)
    if bins < 1:
        raise ArgumentError(f"bins must be at least 1, received {bins!r}; 10 is usual")
    place = np.ceil(probabilities * bins).clip(min=1)
    filled = tuple(
        Bin(
            (high - 1) / bins,
            high / bins,
            float(probabilities[inside].mean()),
            float(truths[inside].mean()),
            int(inside.sum()),
        )
        for high in np.unique(place).tolist()
        for inside in [place == high]
    )
    return Reliability(filled, expected_calibration_error(probabilities, truths, bins), brier(probabilities, truths))


def risk_coverage(probability: ArrayLike, right: ArrayLike) -> RiskCoverage:
    """Return the share wrong among the n surest questions, for n from 1 to all.

    Questions are sorted by falling probability; wrong(n) = (wrong answers among the first n) / n, and the area is its
    mean over n (AURC; Geifman, Uziel and El-Yaniv, 2019). Equally sure questions have no order of their own, so
    wrong(n) is the mean over all orders of them. `risk_coverage(right, right)` is the oracle, which answers all right
    ones first.

    Args:
        probability: [q] the probability that the answer is right, or any score from 0 to 1 that grows with it.
        right: [q] whether the answer is right.

    Raises:
        ArgumentError: If there are no questions, the lengths differ, or a probability is outside 0 to 1.

    Example:
        >>> result = risk_coverage([0.9, 0.5, 0.7], [True, False, True])
        >>> result.points[-1]
        Covered(least=0.5, answered=1.0, wrong=0.3333333333333333)
        >>> f"{result.area:.3f}"
        '0.111'
    """
    probabilities, truths = _checked_pairs(probability, right)
    values, place, equals = np.unique(-probabilities, return_inverse=True, return_counts=True)
    wrong = np.bincount(place, weights=1 - truths)
    before, wrong_before = np.cumsum(equals) - equals, np.cumsum(wrong) - wrong
    group = np.repeat(np.arange(values.size), equals)
    answered = np.arange(1, probabilities.size + 1)
    # In a random order of equals, i of n equals hold i / n of their wrong answers on average.
    risk = (wrong_before[group] + (answered - before[group]) * wrong[group] / equals[group]) / answered
    points = zip((-values[group]).tolist(), (answered / probabilities.size).tolist(), risk.tolist(), strict=True)
    return RiskCoverage(tuple(Covered(*point) for point in points), float(risk.mean()))


def _checked_pairs(probability: ArrayLike, right: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    probabilities, truths = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not probabilities.size or probabilities.shape != truths.shape or probabilities.ndim != 1:
        raise ArgumentError(
            f"expected one probability and one truth per question, received {probabilities.size} and {truths.size}; "
            "pass two lists of the same length, which is not 0"
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ArgumentError("a probability lies outside 0 to 1; pass shares, not per cent and not log-odds")
    return probabilities, truths
