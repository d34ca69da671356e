"""Accuracy against what a question takes: every kept subset as a dot, the Pareto front as a line."""

from typing import TYPE_CHECKING

from slmmux.plots._style import COLOURS, INK, ROW, blank_figure, drawn_alike, label_shares, need_matplotlib
from slmmux.selection import Selection
from slmmux.selection._spending import PLAN, spending_of, unit_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_spending"]


def plot_spending(selection: Selection) -> "Figure":
    """Return the accuracy of every kept subset over the cost of a question, with the Pareto front. In-sample.

    Without prices the tokens are drawn, without tokens the samples; each by the plan "cascade".

    Args:
        selection: From `select_complementary()`.

    Raises:
        ArgumentError: matplotlib is not installed.
    """
    need_matplotlib()
    unit, front = unit_of(selection.single), selection.front
    with drawn_alike():
        figure, axes = blank_figure(3.0 + ROW * 8)
        sizes = sorted({len(subset.models) for subset in selection.ranking})
        for size, colour in zip(sizes, COLOURS * len(sizes), strict=False):
            subsets = [subset for subset in selection.ranking if len(subset.models) == size]
            axes.plot(
                [spending_of(subset) for subset in subsets],
                [subset.accuracy for subset in subsets],
                color=colour,
                marker="o",
                linestyle="none",
                label=f"{size} model{'s' * (size > 1)}",
            )
        axes.plot(
            [spending_of(subset) for subset in front],
            [subset.accuracy for subset in front],
            color=INK,
            drawstyle="steps-post",
            label="no other subset is better and cheaper",
        )
        axes.set_xlabel(f"{unit} per question (plan {PLAN})")
        label_shares(axes, "accuracy (%)")
        figure.suptitle(f"Accuracy against {unit}\nin-sample")
        figure.legend(loc="outside lower center")
    return figure
