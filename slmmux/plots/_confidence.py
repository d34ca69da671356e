"""What a probability is worth: a reliability diagram, and risk against coverage."""

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from slmmux.learned._calibration import reliability, risk_coverage
from slmmux.selection import Foretold, Threshold

if TYPE_CHECKING:
    from matplotlib.figure import Figure
from slmmux.plots._style import (
    COLOURS,
    INK,
    MARKERS,
    PALE,
    ROW,
    blank_figure,
    drawn_alike,
    label_shares,
    need_matplotlib,
    percent_format,
    title_of,
)

__all__ = ["plot_reliability", "plot_risk_coverage"]

_ORACLE = "oracle (right ones first)"
_LARGEST = 300  # square points of a marker that stands for all questions
_DOTTED = 12  # the most values of a confidence that are marked on its line


def plot_reliability(foretold: Foretold, *, bins: int = 10) -> "Figure":
    """Return a reliability diagram: share right against what was said, and below how many questions that rests on.

    The learned probability, and beside it the raw confidence of Algorithm 1's own answer; see `reliability`. The larger
    a mark, the more questions it rests on.

    Args:
        foretold: `Selection.best.foretold`.
        bins: How many.

    Raises:
        ArgumentError: matplotlib is not installed; or as for `reliability`.
    """
    need_matplotlib()
    found = {name: reliability(said, right, bins) for name, (said, right) in _told_by(foretold).items()}
    with drawn_alike():
        figure, upper = blank_figure(4.6 + ROW * (len(found) + 1), heights=(3, 1))
        lower = figure.axes[1]
        upper.plot([0, 1], [0, 1], color=PALE, linestyle="--", label="right as often as said")
        wide = 0.4 / bins
        for n, (name, one) in enumerate(found.items()):
            colour, marker = COLOURS[n], MARKERS[n]
            said, right = [each.said for each in one.bins], [each.right for each in one.bins]
            told = f"{name}: ECE {one.error:.3f}, Brier {one.brier:.3f}"
            upper.plot(said, right, color=colour, marker=marker, linewidth=1, markersize=3, label=told)
            # As large as what they rest on: a bin of one question is noise.
            area = [_LARGEST * each.questions / len(foretold.right) for each in one.bins]
            upper.scatter(said, right, area, color=colour, marker=marker, linewidth=0, zorder=3)
            middles = [(each.low + each.high) / 2 + (n - 0.5) * wide for each in one.bins]
            lower.bar(middles, [each.questions for each in one.bins], wide, color=colour)
        label_shares(upper, "share right (%)")
        lower.set_ylabel("questions")
        lower.set_xlabel("probability said (%)")
        lower.xaxis.set_major_formatter(percent_format())
        lower.set_xlim(-0.02, 1.02)
        figure.suptitle(title_of("Right as often as said?", held_out=True))
        figure.legend(loc="outside lower center")
    return figure


def plot_risk_coverage(foretold: Foretold, thresholds: Sequence[Threshold] = ()) -> "Figure":
    """Return lines: share wrong among the answered against share answered, when the least sure are left unanswered.

    By learned probability, by the raw confidence of Algorithm 1's own answers, and in the oracle's order of the learned
    rule's; see `risk_coverage`. The bar of a threshold is the interval of its accuracy.

    Args:
        foretold: `Selection.best.foretold`.
        thresholds: From `Selection.threshold()`: to be marked.

    Raises:
        ArgumentError: matplotlib is not installed; or as for `risk_coverage`.
    """
    need_matplotlib()
    orders = {**_told_by(foretold), _ORACLE: (foretold.right, foretold.right)}
    found = {name: risk_coverage(said, right) for name, (said, right) in orders.items()}
    with drawn_alike():
        figure, axes = blank_figure(3.4 + ROW * (len(found) + len(thresholds)))
        for (name, one), colour, marker in zip(found.items(), (*COLOURS[:2], PALE), MARKERS, strict=False):
            least = [point.least for point in one.points]
            # A threshold can only stop after the last of equals.
            ends = [i for i, p in enumerate(least) if least[i + 1 : i + 2] != [p]]
            axes.plot(
                [point.answered for point in one.points],
                [point.wrong for point in one.points],
                color=colour,
                linestyle="--" if name == _ORACLE else "-",
                marker=marker if name != _ORACLE and len(ends) <= _DOTTED else None,
                markevery=ends,
                label=f"{name}: area {one.area:.3f}",
            )
        for each, marker in zip(thresholds, cycle(MARKERS[2:]), strict=False):
            wrong = 1 - each.accuracy
            axes.errorbar(
                [each.answered],
                [wrong],
                [[wrong - (1 - each.high)], [1 - each.low - wrong]],
                color=INK,
                fmt=marker,
                capsize=4,
                zorder=4,
                label=f"p ≥ {each.p:.2f}: {100 * each.answered:.0f} % answered, {100 * wrong:.1f} % wrong",
            )
        axes.set_xlabel("share answered, the surest first (%)")
        axes.xaxis.set_major_formatter(percent_format())
        axes.set_xlim(0, 1.02)
        label_shares(axes, "wrong among the answered (%)")
        figure.suptitle(title_of("Wrong answers against answers given", held_out=True))
        figure.legend(loc="outside lower center")
    return figure


def _told_by(foretold: Foretold) -> dict[str, tuple[Sequence[float], Sequence[bool]]]:
    # Each of its own answer: the rule may answer another than the most confident member.
    return {
        f"{foretold.rule} probability": (foretold.probability, foretold.right),
        "raw confidence": (foretold.confidence, foretold.right_by_confidence),
    }
