"""Pictures of calibration: a reliability diagram, and a curve of risk against coverage."""

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

_ORACLE = "oracle (right answers first)"
_LARGEST = 300  # The area, in square points, of a marker that stands for all questions.
_MOST_MARKED = 12  # A line whose confidence has more values is drawn without marks.


def plot_reliability(foretold: Foretold, *, bins: int = 10) -> "Figure":
    """Return a reliability diagram: above, the share right against the stated probability; below, the questions.

    It shows the learned probability and the raw confidence of Algorithm 1's own answer; see `reliability`. A larger
    mark stands for more questions.

    Args:
        foretold: `Selection.best.foretold`.
        bins: The number of bins.

    Raises:
        ArgumentError: matplotlib is not installed, or as for `reliability`.
    """
    need_matplotlib()
    diagrams = {
        name: reliability(probability, right, bins) for name, (probability, right) in _stated_by(foretold).items()
    }
    with drawn_alike():
        figure, upper = blank_figure(4.6 + ROW * (len(diagrams) + 1), heights=(3, 1))
        lower = figure.axes[1]
        upper.plot([0, 1], [0, 1], color=PALE, linestyle="--", label="right as often as stated")
        width = 0.4 / bins
        for n, (name, diagram) in enumerate(diagrams.items()):
            colour, marker = COLOURS[n], MARKERS[n]
            stated, right = [each.said for each in diagram.bins], [each.right for each in diagram.bins]
            label = f"{name}: ECE {diagram.error:.3f}, Brier {diagram.brier:.3f}"
            upper.plot(stated, right, color=colour, marker=marker, linewidth=1, markersize=3, label=label)
            # The area shows how many questions a bin has, because a bin of one question is noise.
            area = [_LARGEST * each.questions / len(foretold.right) for each in diagram.bins]
            upper.scatter(stated, right, area, color=colour, marker=marker, linewidth=0, zorder=3)
            middles = [(each.low + each.high) / 2 + (n - 0.5) * width for each in diagram.bins]
            lower.bar(middles, [each.questions for each in diagram.bins], width, color=colour)
        label_shares(upper, "share right (%)")
        lower.set_ylabel("questions")
        lower.set_xlabel("stated probability (%)")
        lower.xaxis.set_major_formatter(percent_format())
        lower.set_xlim(-0.02, 1.02)
        figure.suptitle(title_of("Calibration: right as often as stated?", held_out=True))
        figure.legend(loc="outside lower center")
    return figure


def plot_risk_coverage(foretold: Foretold, thresholds: Sequence[Threshold] = ()) -> "Figure":
    """Return a curve of the share wrong among the answers given, against the share of questions answered.

    The least certain questions are left unanswered: by learned probability, by the raw confidence of Algorithm 1's own
    answers, and in the order of an oracle that knows which of the learned rule's answers are right; see
    `risk_coverage`. The bar of a threshold is the interval of its accuracy.

    Args:
        foretold: `Selection.best.foretold`.
        thresholds: Thresholds to mark, from `Selection.threshold()`.

    Raises:
        ArgumentError: matplotlib is not installed, or as for `risk_coverage`.
    """
    need_matplotlib()
    orders = {**_stated_by(foretold), _ORACLE: (foretold.right, foretold.right)}
    curves = {name: risk_coverage(probability, right) for name, (probability, right) in orders.items()}
    with drawn_alike():
        figure, axes = blank_figure(3.4 + ROW * (len(curves) + len(thresholds)))
        for (name, curve), colour, marker in zip(curves.items(), (*COLOURS[:2], PALE), MARKERS, strict=False):
            least = [point.least for point in curve.points]
            # A threshold cannot separate equal confidences, so only the last of them is marked.
            ends = [i for i, p in enumerate(least) if least[i + 1 : i + 2] != [p]]
            axes.plot(
                [point.answered for point in curve.points],
                [point.wrong for point in curve.points],
                color=colour,
                linestyle="--" if name == _ORACLE else "-",
                marker=marker if name != _ORACLE and len(ends) <= _MOST_MARKED else None,
                markevery=ends,
                label=f"{name}: area {curve.area:.3f}",
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
        axes.set_xlabel("share answered, most certain first (%)")
        axes.xaxis.set_major_formatter(percent_format())
        axes.set_xlim(0, 1.02)
        label_shares(axes, "wrong among the answers (%)")
        figure.suptitle(title_of("Share wrong against share answered", held_out=True))
        figure.legend(loc="outside lower center")
    return figure


def _stated_by(foretold: Foretold) -> dict[str, tuple[Sequence[float], Sequence[bool]]]:
    # Each is compared with its own answer, because the rule may give another than the most confident member does.
    return {
        f"{foretold.rule} probability": (foretold.probability, foretold.right),
        "raw confidence": (foretold.confidence, foretold.right_by_confidence),
    }
