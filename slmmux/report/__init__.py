"""A recording as one page: what was recorded, which models to mux or not, and what that rests on."""

from slmmux.report._counts import Changed, Recorded, by_dataset, changed, recorded
from slmmux.report._report import Choosing, report

__all__ = ["Changed", "Choosing", "Recorded", "by_dataset", "changed", "recorded", "report"]
