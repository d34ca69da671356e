"""A recording as one page: whether to mux these models, which of them, and the evidence for it."""

from slmmux.report._counts import Changed, Recorded, by_dataset, changed, recorded
from slmmux.report._report import Choosing, report

__all__ = ["Changed", "Choosing", "Recorded", "by_dataset", "changed", "recorded", "report"]
