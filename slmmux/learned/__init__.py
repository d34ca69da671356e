"""Rules whose weights were fitted on validation questions, and how well their probabilities are calibrated.

A chat model reads a fitted rule by question before any question arrives, so what brings numpy loads when it is used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def __getattr__(name: str) -> object:
    if name in __all__:
        from importlib import import_module  # noqa: PLC0415

        file = "_scores" if name in {"brier", "expected_calibration_error"} else "_fit"
        return getattr(import_module(f"{__name__}.{file}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
