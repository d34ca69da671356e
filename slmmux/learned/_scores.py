"""Two scores of stated probabilities against the truth: expected calibration error and Brier score."""

from math import fsum

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["brier", "expected_calibration_error"]


def expected_calibration_error(probability: ArrayLike, right: ArrayLike, bins: int = 10) -> float:
    """Return the mean distance between stated probabilities and the share that comes true.

    ECE = sum over bins of (share of questions in it) * |share right - mean probability|, with bins of equal width
    (Guo et al., 2017); a probability on a border is in the lower bin. Without questions it is 0.

    Args:
        probability: [q] between 0 and 1.
        right: [q] whether the answer is right.
        bins: The number of bins.

    Example:
        >>> expected_calibration_error([0.75, 0.75, 0.75, 0.75], [True, True, True, False])
        0.0
    """
    probabilities, truths = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.float64)
    place = np.ceil(probabilities * bins).clip(min=1)
    gaps = [abs(float((truths - probabilities)[place == each].sum())) for each in np.unique(place)]
    return fsum(gaps) / max(1, probabilities.size)


def brier(probability: ArrayLike, right: ArrayLike) -> float:
    """Return the mean squared error of probabilities: mean of (probability - [right])^2, for [q] and [q].

    Example:
        >>> brier([1.0, 0.5], [True, False])
        0.125
    """
    return float(np.mean((np.asarray(probability, dtype=np.float64) - np.asarray(right, dtype=np.float64)) ** 2))
