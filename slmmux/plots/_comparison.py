"""A picture of a comparison: how often each method is right against what it costs."""

from typing import TYPE_CHECKING

from slmmux._errors import ArgumentError
from slmmux.compare import Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure
from slmmux.plots._style import (
    COLOURS,
    INK,
    blank_figure,
    drawn_alike,
    label_shares,
    need_matplotlib,
    short_label,
)

__all__ = ["plot_comparison"]

_LONGEST = 28  # letters of a name beside its mark
_COSTS = {"calls": "calls per question", "tokens": "tokens per question", "seconds": "seconds per question (median)"}


def plot_comparison(comparison: Comparison, *, cost: str = "tokens", score: str = "includes") -> "Figure":
    """Return accuracy against cost, a mark for each method: higher and further left is better.

    Args:
        comparison: What `slmmux.compare.compare` returned.
        cost: "tokens", "calls" or "seconds", per question.
        score: "includes" or "exact".

    Raises:
        ArgumentError: The cost or score does not exist, a method's cost is not known, or matplotlib is not installed.

    Example:
        >>> import tempfile
        >>> from slmmux.compare import compare
        >>> questions = [{"question_id": "q1", "question": "2 + 2?", "gold": "4"}]
        >>> result = compare({"sure": lambda question: "4"}, questions, folder=tempfile.mkdtemp(), methods=["single"])
        >>> len(plot_comparison(result, cost="calls").axes)
        1
    """
    if cost not in _COSTS:
        raise ArgumentError(f"cost={cost!r} does not exist; write one of {', '.join(_COSTS)}")
    if score not in ("includes", "exact"):
        raise ArgumentError(f"score={score!r} does not exist; write includes or exact")
    need_matplotlib()
    costs = {result.method: getattr(result, cost) for result in comparison.methods}
    if unknown := [method for method, value in costs.items() if value is None]:
        raise ArgumentError(f"the {cost} of {unknown[0]!r} are not known; write cost='calls'")
    with drawn_alike():
        figure, axes = blank_figure(4.2)
        for result in comparison.methods:
            alone = result.method.startswith("single:")
            colour = COLOURS[1] if result.method == "mux" else COLOURS[5] if alone else COLOURS[0]
            point = costs[result.method], result.accuracy(score)
            axes.scatter(*point, color=colour, marker="o" if alone else "D", zorder=2)
            axes.annotate(
                short_label(result.method, _LONGEST),
                point,
                xytext=(6, 4),
                textcoords="offset points",
                color=INK,
                fontsize=8,
            )
        axes.set_xlabel(_COSTS[cost])
        axes.set_xlim(left=0)
        axes.margins(x=0.15, y=0.15)
        label_shares(axes, f"% right by {score}")
        figure.suptitle(f"{comparison.questions} questions, {len(comparison.models)} models")
    return figure
