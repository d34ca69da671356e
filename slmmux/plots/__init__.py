"""Pictures of the offline half: who answered, who covers for whom, what more brings, what a probability is worth.

Data first: what a picture shows is a function beside it, a `Selection` or the points of `scaling()`. matplotlib comes
with the extra `plot` and is imported where it is used; its global state (pyplot) never is. Every title says whether the
models were chosen on the questions it shows (in-sample) or not (held-out).
"""

from slmmux.learned._calibration import Bin, Covered, Reliability, RiskCoverage, reliability, risk_coverage
from slmmux.plots._attribution import Spoken, attribution, plot_attribution
from slmmux.plots._complement import Complement, complement, complement_of, draw_complement, plot_complement
from slmmux.plots._confidence import plot_reliability, plot_risk_coverage
from slmmux.plots._objective import plot_objective
from slmmux.plots._scaling import plot_scaling
from slmmux.plots._style import INK, drawn_alike, need_matplotlib

__all__ = [
    "INK",
    "Bin",
    "Complement",
    "Covered",
    "Reliability",
    "RiskCoverage",
    "Spoken",
    "attribution",
    "complement",
    "complement_of",
    "draw_complement",
    "drawn_alike",
    "need_matplotlib",
    "plot_attribution",
    "plot_complement",
    "plot_objective",
    "plot_reliability",
    "plot_risk_coverage",
    "plot_scaling",
    "reliability",
    "risk_coverage",
]
