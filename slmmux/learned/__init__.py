"""Rules whose weights were fitted on validation questions, and how well their probabilities are calibrated."""

from slmmux.learned._fit import (
    FEWEST,
    Lesson,
    Near,
    by_id,
    decisions,
    evaluate,
    fit,
    leaned,
    learn,
    places,
    right_votes,
)
from slmmux.learned._scores import brier, expected_calibration_error

__all__ = [
    "FEWEST",
    "Lesson",
    "Near",
    "brier",
    "by_id",
    "decisions",
    "evaluate",
    "expected_calibration_error",
    "fit",
    "leaned",
    "learn",
    "places",
    "right_votes",
]
