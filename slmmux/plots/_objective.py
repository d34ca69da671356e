"""The best subset of each size: objective, union, floor, ceiling and accuracy as lines."""

from typing import TYPE_CHECKING

from slmmux.selection import Selection

if TYPE_CHECKING:
    from matplotlib.figure import Figure
from slmmux.plots._style import COLOURS, INK, MARKERS, ROW, blank_figure, drawn_alike, label_shares, need_matplotlib

__all__ = ["plot_objective"]


def plot_objective(selection: Selection) -> "Figure":
    """Return lines for the best subset of each size K: its in-sample shares and its held-out accuracy.

    The upper axes show accuracy, the lower ones the shares that the choice is made by. The bar of the held-out accuracy
    is the 95 % interval of its gain over the best single model, which is marked too: if the bar stays above that mark,
    the gain is more than chance.

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
                # By default the objective equals the floor; dashes leave both lines visible.
                linestyle="--" if name in {"floor", "ceiling"} else "-",
                label=f"{name} (in-sample)",
            )
        if estimates:
            places = [size for size, _ in estimates]
            held_out = [estimate for _, estimate in estimates]
            intervals = [e.interval or (e.gain, e.gain) for e in held_out]
            bars = [
                [e.gain - low for e, (low, _) in zip(held_out, intervals, strict=True)],
                [high - e.gain for e, (_, high) in zip(held_out, intervals, strict=True)],
            ]
            upper.errorbar(
                places,
                [e.accuracy for e in held_out],
                bars,
                color=INK,
                fmt="*",
                markersize=10,
                capsize=4,
                zorder=4,
                label="accuracy (held-out), 95 % interval of its gain",
            )
            upper.plot(places, [e.single for e in held_out], color=INK, marker="_", markersize=18, linestyle="none",
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
