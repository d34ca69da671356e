"""The style of all pictures: colours, sizes, titles, and labels that matplotlib shows literally."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Any

from slmmux._display.text import printable
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

INK = "#1b1f24"  # The colour of all text; a page replaces it with its own.
PALE = "#8c959f"  # The colour of lines without data, visible on white and on black.
# Colours that colour-blind readers can tell apart (M. Okabe, K. Ito, "Color Universal Design", 2008), without black,
# which is lost on a dark background, and yellow, which is lost on a light one.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = "osD^vP"
WIDTH = 4.4  # Inches; scaled down to the width of a phone, text of ten points is still legible.
ROW = 0.21  # Inches for each line of a legend.
# The characters that fit beside an axis, in a legend's line with figures, and in a whole line.
TICK_LENGTH, NAME_LENGTH, _LINE_LENGTH = 20, 22, 44
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
    """Check that matplotlib is installed.

    Raises:
        ArgumentError: It is not; the sentence names the extra.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError('pictures need matplotlib: pip install "slmmux[plot]"')


@contextmanager
def drawn_alike() -> Iterator[None]:
    """Use the style of this module, for any matplotlibrc, and restore the earlier settings afterwards."""
    import matplotlib.style  # noqa: PLC0415 - an extra

    with matplotlib.style.context(["default", _STYLE]):
        yield


def blank_figure(height: float, *, width: float = WIDTH, heights: Sequence[int] = (1,)) -> "tuple[Figure, Axes]":
    """Return a figure and its first axes; further axes lie below, with these relative heights."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(width, height), layout="constrained")
    for axes in figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights).flat:
        axes.tick_params(colors=INK)  # Ticks are created when the figure is drawn, after the style has ended.
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
    # A title of the figure, not of the axes: long names beside the axes may leave too little room for it.
    return f"{what}\n{'held-out' if held_out else 'in-sample'}"


def _plain(label: str) -> str:
    """Return a label that matplotlib shows literally, without formulas between dollars and unprintable characters."""
    return printable(" ".join(label.split())).replace("$", r"\$")


def short_label(label: str, most: int) -> str:
    """Return a label of at most `most` characters; the middle is left out, since names differ at their ends."""
    if len(label) > most:
        label = f"{label[: most // 2]}…{label[-(most - most // 2 - 1) :]}"
    return _plain(label)


def wrapped_label(line: str) -> str:
    return "\n".join(map(_plain, fill(line, _LINE_LENGTH).splitlines()))
