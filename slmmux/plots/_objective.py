"""What the best subset of each size does: objective, union, floor, ceiling and accuracy as lines."""

from typing import TYPE_CHECKING

from slmmux.selection import Selection

if TYPE_CHECKING:
    from matplotlib.figure import Figure
from slmmux.plots._style import COLOURS, INK, MARKERS, ROW, blank_figure, drawn_alike, label_shares, need_matplotlib

__all__ = ["plot_objective"]


def plot_objective(selection: Selection) -> "Figure":
    """Return lines: what the best subset of each size K does, in-sample, and what was held out of its choice.

    Above the accuracy, below what the subsets were chosen by. The bar of the held-out accuracy is the 95 % interval of
    its gain over the best single model, drawn from that model's held-out accuracy: where it stays above that, the gain
    is more than chance.

    Args:
        selection: From `select_complementary()`.

    Raises:
        ArgumentError: matplotlib is not installed.
    """
    need_matplotlib()
    sizes = sorted(selection.by_size)
    subsets = [selection.by_size[size] for size in sizes]
    estimates = [(size, subset.held_out) for size, subset in zip(sizes, subsets, strict=True) if subset.held_out]
    above, below = ("ceiling", "accuracy"), ("union", "objective", "floor", "contradiction")
    with drawn_alike():
        figure, upper = blank_figure(5.0 + ROW * 8, heights=(1, 1))
        lower = figure.axes[1]
        styles = zip([(upper, n) for n in above] + [(lower, n) for n in below], COLOURS, MARKERS, strict=True)
        for (axes, name), colour, marker in styles:
            axes.plot(
                sizes,
                [getattr(subset, name) for subset in subsets],
                color=colour,
                marker=marker,
                # With its default rule the objective is the floor: the one shows between the dashes of the other.
                linestyle="--" if name in {"floor", "ceiling"} else "-",
                label=f"{name} (in-sample)",
            )
        if estimates:
            places = [size for size, _ in estimates]
            seen = [estimate for _, estimate in estimates]
            reach = [[e.gain - (e.interval or (e.gain, e.gain))[0] for e in seen]]
            reach.append([(e.interval or (e.gain, e.gain))[1] - e.gain for e in seen])
            upper.errorbar(
                places,
                [e.accuracy for e in seen],
                reach,
                color=INK,
                fmt="*",
                markersize=10,
                capsize=4,
                zorder=4,
                label="accuracy (held-out), 95 % interval of its gain",
            )
            upper.plot(places, [e.single for e in seen], color=INK, marker="_", markersize=18, linestyle="none",
                       zorder=4, label="best single model (held-out)")  # fmt: skip
        lower.set_xlabel("models in the mux (K)")
        label_shares(upper, "accuracy (%)")
        label_shares(lower, "share of questions (%)")
        for axes in (upper, lower):
            axes.set_xticks(sizes)
            axes.margins(x=0.12)
        figure.suptitle("The best mux of each size\nlines: in-sample, stars: held-out")
        figure.legend(loc="outside lower center")
    return figure
