"""Rules whose weights were fitted on validation questions, and how well their probabilities are calibrated.

A chat model reads a fitted rule by question before any question arrives, so what brings numpy loads when it is used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slmmux.learned._common_answers import never_right
    from slmmux.learned._fit import decisions, evaluate, fit, right_votes
    from slmmux.learned._learning import FEWEST, Lesson, Near, by_id, leaned, learn, places
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
    "never_right",
    "places",
    "right_votes",
]


_FILES = {
    "brier": "_scores",
    "decisions": "_fit",
    "evaluate": "_fit",
    "expected_calibration_error": "_scores",
    "fit": "_fit",
    "never_right": "_common_answers",
    "right_votes": "_fit",
}


def __getattr__(name: str) -> object:
    if name in __all__:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(f"{__name__}.{_FILES.get(name, '_learning')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
