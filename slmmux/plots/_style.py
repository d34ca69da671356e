"""The style that all pictures share: colours, sizes, titles and labels that matplotlib shows as they stand."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Any

from slmmux._errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "INK",
    "MARKERS",
    "NAME_LENGTH",
    "PALE",
    "ROW",
    "TICK_LENGTH",
    "WIDTH",
    "blank_figure",
    "drawn_alike",
    "label_shares",
    "need_matplotlib",
    "percent_format",
    "short_label",
    "title_of",
    "wrapped_label",
]

INK = "#1b1f24"  # of all text, so that a page may put its own in its place
PALE = "#8c959f"  # of lines that carry no data: seen on white and on black
# Told apart by eyes of every kind (M. Okabe, K. Ito, "Color Universal Design", 2008); black and yellow left out, as one
# is lost on a dark ground and the other on a light one.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = "osD^vP"
WIDTH = 4.4  # inches: scaled down to a phone's width ten points are still read
ROW = 0.21  # inches a line of a legend
TICK_LENGTH, NAME_LENGTH, _LINE = (
    20,
    22,
    44,
)  # characters that fit beside an axis, in a line of a legend with figures, in a line
_STYLE: dict[str, Any] = {
    "font.size": 10,
    "figure.titlesize": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": PALE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": PALE,
    "grid.alpha": 0.35,
    "hatch.color": "white",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.markersize": 5,
}


def need_matplotlib() -> None:
    """Refuse where the extra is not installed.

    Raises:
        ArgumentError: Names the extra.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError('pictures need matplotlib: pip install "slmmux[plot]"')


@contextmanager
def drawn_alike() -> Iterator[None]:
    """Draw in one style, whatever a matplotlibrc says; what was set before is set again after."""
    import matplotlib.style  # noqa: PLC0415 - an extra

    with matplotlib.style.context(["default", _STYLE]):
        yield


def blank_figure(height: float, *, width: float = WIDTH, heights: Sequence[int] = (1,)) -> "tuple[Figure, Axes]":
    """Return a figure and the first of its axes, which stand one below the other, of relative heights."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(width, height), layout="constrained")
    for axes in figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights).flat:
        axes.tick_params(colors=INK)  # ticks are made when they are drawn, out of the style's reach
    return figure, figure.axes[0]


def label_shares(axes: "Axes", label: str) -> None:
    axes.yaxis.set_major_formatter(percent_format())
    axes.set_ylabel(label)
    axes.grid(visible=True)
    axes.set_axisbelow(True)


def percent_format() -> Any:
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415 - an extra

    return PercentFormatter(xmax=1, symbol="")


def title_of(what: str, *, held_out: bool) -> str:
    # Over the whole figure: names beside the axes may leave them less room than their title needs.
    return f"{what}\n{'held-out' if held_out else 'in-sample'}"


def _plain(label: str) -> str:
    """Return a label that matplotlib shows as it stands: no formula between dollars, no character it cannot print."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(label.split()))
    return line.replace("$", r"\$")


def short_label(label: str, most: int) -> str:
    """Return a label whose middle is left out where it is long: names differ at their ends."""
    if len(label) > most:
        label = f"{label[: most // 2]}…{label[-(most - most // 2 - 1) :]}"
    return _plain(label)


def wrapped_label(line: str) -> str:
    return "\n".join(map(_plain, fill(line, _LINE).splitlines()))
