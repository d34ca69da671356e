"""Expected accuracy against the number of samples, as lines with a band of one standard deviation."""

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from slmmux._errors import ArgumentError
from slmmux.scaling import Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure
from slmmux.plots._style import (
    COLOURS,
    MARKERS,
    PALE,
    ROW,
    blank_figure,
    drawn_alike,
    label_shares,
    need_matplotlib,
    title_of,
    wrapped_label,
)

__all__ = ["plot_scaling"]


def plot_scaling(points: Sequence[Point], *, held_out: bool = False) -> "Figure":
    """Return a line for each mux: expected accuracy against k, with a band of one standard deviation.

    Args:
        points: The results of `scaling()` on one recording; those of several muxes may follow each other.
        held_out: Whether the models were chosen on other questions; the title says so.

    Raises:
        ArgumentError: matplotlib is not installed, or `points` is empty.
    """
    need_matplotlib()
    if not points:
        raise ArgumentError("points is empty; pass the result of scaling()")
    muxes: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        muxes.setdefault(point.models, []).append(point)
    label_of = {models: wrapped_label(f"K = {len(models)}: {' + '.join(models)}") for models in muxes}
    with drawn_alike():
        from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

        lines = sum(name.count("\n") + 1 for name in label_of.values())
        figure, axes = blank_figure(3.2 + ROW * (lines + 1))
        for (models, line), colour, marker in zip(muxes.items(), cycle(COLOURS), cycle(MARKERS), strict=False):
            line.sort(key=lambda point: point.samples)
            k = [point.samples for point in line]
            low = [point.accuracy - point.deviation for point in line]
            high = [point.accuracy + point.deviation for point in line]
            axes.fill_between(k, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.plot(k, [point.accuracy for point in line], color=colour, marker=marker, label=label_of[models])
        axes.set_xticks(sorted({point.samples for point in points}))
        axes.set_xlabel("samples of each model (k)")
        label_shares(axes, "expected accuracy (%)")
        figure.suptitle(title_of("Accuracy against samples", held_out=held_out))
        band = Patch(facecolor=PALE, alpha=0.4, label="band: ± 1 standard deviation over draws")
        figure.legend(handles=[*axes.get_legend_handles_labels()[0], band], loc="outside lower center")
    return figure
