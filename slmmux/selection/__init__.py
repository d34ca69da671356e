"""Which models of a recorded pool complete each other, what to expect of them, and whether to mux at all.

Objective of a subset S: `UnionAcc(S) - penalty x Contradiction(S)`, over every subset of the sizes asked for, exactly
(SLM-MUX, arXiv 2510.05077, section on model selection). Names say what is in-sample and what is held out.
"""

from slmmux.selection._choose import select_complementary
from slmmux.selection._confidences import ConfidenceResult, compare_confidences
from slmmux.selection._contest import Foretold
from slmmux.selection._held_out import HeldOut
from slmmux.selection._selection import Profiled, Selection, Subset
from slmmux.selection._spending import Within
from slmmux.selection._threshold import Threshold

__all__ = [
    "ConfidenceResult",
    "Foretold",
    "HeldOut",
    "Profiled",
    "Selection",
    "Subset",
    "Threshold",
    "Within",
    "compare_confidences",
    "select_complementary",
]
