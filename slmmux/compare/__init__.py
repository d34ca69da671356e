"""What others do with the same models, measured beside the mux: every method asks the same members the same questions.

The methods are baselines, written to the definitions of their papers (`_methods` names each). What they share is asked
once: the first sample of a member that a debate starts from is the first sample that the mux votes on.
"""

from slmmux.compare._compare import METHODS, compare
from slmmux.compare._comparison import Comparison, Gain, MethodResult

__all__ = ["METHODS", "Comparison", "Gain", "MethodResult", "compare"]
