"""Pictures: whose answers a mux gives, which models complement each other, the gain from more samples, calibration.

Each picture draws data that you can also get alone: from the function beside it, from a `Selection`, or from
`scaling()`. matplotlib comes with the extra `plot`; it is imported only when a picture is drawn, and its global state
(pyplot) is never touched. Each title says whether the models were chosen on the questions shown (in-sample) or on
others (held-out).
"""

from slmmux.learned._calibration import Bin, Covered, Reliability, RiskCoverage, reliability, risk_coverage
from slmmux.plots._attribution import Spoken, attribution, plot_attribution
from slmmux.plots._comparison import plot_comparison
from slmmux.plots._complement import Complement, complement, complement_of, draw_complement, plot_complement
from slmmux.plots._confidence import plot_reliability, plot_risk_coverage
from slmmux.plots._objective import plot_objective
from slmmux.plots._scaling import plot_scaling
from slmmux.plots._spending import plot_spending
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
    "plot_comparison",
    "plot_complement",
    "plot_objective",
    "plot_reliability",
    "plot_risk_coverage",
    "plot_scaling",
    "plot_spending",
    "reliability",
    "risk_coverage",
]
