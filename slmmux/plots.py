"""Pictures of the offline half: who answered, who covers for whom, what more brings, what a probability is worth.

Data first: what a picture shows is a function beside it, a `Selection` or the points of `scaling()`. matplotlib comes
with the extra `plot` and is imported where it is used; its global state (pyplot) never is. Every title says whether the
models were chosen on the questions it shows (in-sample) or not (held-out).
"""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from textwrap import fill
from typing import TYPE_CHECKING, Any

from slmmux._arrays import Arrays, Missing, Same, arrays_of
from slmmux._errors import ArgumentError
from slmmux._reliability import Bin, Covered, Reliability, RiskCoverage, reliability, risk_coverage
from slmmux._replay import replay
from slmmux.recording import Recording
from slmmux.scaling import Point
from slmmux.selection import Foretold, Selection, Threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "INK",
    "Bin",
    "Complement",
    "Covered",
    "Reliability",
    "RiskCoverage",
    "Spoken",
    "attribution",
    "complement",
    "complement_of",
    "draw_complement",
    "drawn_alike",
    "need_matplotlib",
    "plot_attribution",
    "plot_complement",
    "plot_objective",
    "plot_reliability",
    "plot_risk_coverage",
    "plot_scaling",
    "reliability",
    "risk_coverage",
]

INK = "#1b1f24"  # of all text, so that a page may put its own in its place
_PALE = "#8c959f"  # of lines that carry no data: seen on white and on black
# Told apart by eyes of every kind (M. Okabe, K. Ito, "Color Universal Design", 2008); black and yellow left out, as one
# is lost on a dark ground and the other on a light one.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vP"
_WIDTH = 4.4  # inches: scaled down to a phone's width ten points are still read
_ROW = 0.21  # inches a line of a legend
_ORACLE = "oracle (right ones first)"
_NUMBERED = 12  # the most models whose heat map has room for numbers
_TICK, _NAME, _LINE = 20, 22, 44  # characters that fit beside an axis, in a line of a legend with figures, in a line
_LARGEST = 300  # square points of a marker that stands for all questions
_DOTTED = 12  # the most values of a confidence that are marked on its line
_DARK = 0.6  # share of a colour map past which white is read better than black
_STYLE: dict[str, Any] = {
    "font.size": 10,
    "figure.titlesize": 10.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": _PALE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _PALE,
    "grid.alpha": 0.35,
    "hatch.color": "white",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.markersize": 5,
}


@dataclass(frozen=True, slots=True)
class Spoken:
    """How often a member's answer was the mux's: shares of all questions.

    Attributes:
        model: The member; `None`: no answer was read in any reply.
        right: It was the gold one.
        wrong: It was not.
    """

    model: str | None
    right: float
    wrong: float


@dataclass(frozen=True, slots=True)
class Complement:
    """Who is right where another is not, by self-consistency vote.

    Attributes:
        models: The members.
        share: Row i, column j: the share of questions that i's vote is right on and j's is not, silence included.
    """

    models: tuple[str, ...]
    share: tuple[tuple[float, ...], ...]


def need_matplotlib() -> None:
    """Refuse where the extra is not installed.

    Raises:
        ArgumentError: Names the extra.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError('pictures need matplotlib: pip install "slmmux[plot]"')


def attribution(
    recording: Recording,
    models: Sequence[str],
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
) -> tuple[Spoken, ...]:
    """Return how often each member of a mux supplied the answer, right and wrong.

    Args:
        recording: Where the samples are.
        models: The members by rank, best first.
        samples: k, or k by label; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.

    Returns:
        One for each member, in rank order; then one without a model where nobody answered some question. All shares
        together are 1, and the right ones the accuracy of Algorithm 1.

    Raises:
        ArgumentError: No, unknown or repeated models, or a k that was not recorded.
        RecordingError: Samples missing, or a question without gold or with two.

    Example:
        >>> from slmmux.recording import Row
        >>> recording = Recording.of(
        ...     Row(question_id=f"q{q}", model=model, sample_index=i, answer=answer, gold="4")
        ...     for q, said in enumerate([{"qwen": "44", "phi": "45"}, {"qwen": "56", "phi": "44"}])
        ...     for model, answers in said.items()
        ...     for i, answer in enumerate(answers)
        ... )
        >>> attribution(recording, ["qwen", "phi"])
        (Spoken(model='qwen', right=0.5, wrong=0.0), Spoken(model='phi', right=0.5, wrong=0.0))
    """
    arrays = arrays_of(recording, models, samples, same=same, missing=missing)
    planned = dict(zip(arrays.models, arrays.of.tolist(), strict=True))
    decisions = replay(recording, arrays.models, planned, same=same)
    place = {model: m for m, model in enumerate(arrays.models)}
    counts: dict[str | None, list[int]] = {model: [0, 0] for model in arrays.models}
    for q, question in enumerate(arrays.questions):
        winner = decisions[question].winner
        if winner.count:
            counts[winner.model][not arrays.votes.right[place[winner.model], q]] += 1
        else:
            counts.setdefault(None, [0, 0])[1] += 1
    questions = len(arrays.questions)
    return tuple(Spoken(model, right / questions, wrong / questions) for model, (right, wrong) in counts.items())


def complement(
    recording: Recording,
    models: Sequence[str] | None = None,
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
) -> Complement:
    """Return for each pair of members how often one is right where the other is wrong.

    share[i][j] = questions with (i's vote is the gold answer, j's is not) / questions.

    Args:
        recording: Where the samples are.
        models: Which members, in this order; `None`: all, as recorded.
        samples: k, or k by label; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.

    Raises:
        ArgumentError: No, unknown or repeated models, or a k that was not recorded.
        RecordingError: Samples missing, or a question without gold or with two.

    Example:
        >>> from slmmux.recording import Row
        >>> recording = Recording.of(
        ...     Row(question_id=f"q{q}", model=model, sample_index=0, answer=answer, gold="4")
        ...     for model, answers in {"qwen": "4445", "phi": "4554"}.items()
        ...     for q, answer in enumerate(answers)
        ... )
        >>> complement(recording).share
        ((0.0, 0.5), (0.25, 0.0))
    """
    arrays = arrays_of(recording, models, samples, same=same, missing=missing)
    return complement_of(arrays, arrays.models)


def complement_of(arrays: Arrays, models: Sequence[str]) -> Complement:
    """Return the same of some members of arrays."""
    right = arrays.votes.right[[arrays.models.index(model) for model in models]].astype(int)
    found = right @ (1 - right).T / len(arrays.questions)
    return Complement(tuple(models), tuple(map(tuple, found.tolist())))


def plot_attribution(
    recording: Recording,
    models: Sequence[str],
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
    held_out: bool = False,
) -> "Figure":
    """Return a pie: the share of questions whose answer each member supplied, right and wrong; see `attribution`.

    Args:
        recording: Where the samples are.
        models: The members by rank, best first.
        samples: k, or k by label; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.
        held_out: Whether the models were chosen on other questions: what the title says.

    Raises:
        ArgumentError: matplotlib is not installed; or as for `attribution`.
        RecordingError: As for `attribution`.
    """
    need_matplotlib()
    found = attribution(recording, models, samples, same=same, missing=missing)
    with drawn_alike():
        from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

        figure, axes = _figure(3.6 + _ROW * (len(found) + 1))
        wedges: list[tuple[float, str, bool]] = []
        legend = []
        for spoken, colour in zip(found, cycle(_COLOURS), strict=False):
            name, own = ("nobody", _PALE) if spoken.model is None else (_short(spoken.model, _NAME), colour)
            wedges += [(spoken.right, own, False), (spoken.wrong, own, True)]
            share = f"by {name}: {100 * spoken.right:.1f} % right, {100 * spoken.wrong:.1f} % wrong"
            legend.append(Patch(facecolor=own, label=share))
        wedges = [wedge for wedge in wedges if wedge[0]]
        pie = axes.pie(
            [share for share, _, _ in wedges],
            colors=[colour for _, colour, _ in wedges],
            startangle=90,
            counterclock=False,
            wedgeprops={"edgecolor": "white", "linewidth": 1},
        )
        for wedge, (_, _, wrong) in zip(pie[0], wedges, strict=True):
            if wrong:
                wedge.set_hatch("////")
        legend.append(Patch(facecolor=_PALE, hatch="////", label="hatched: the answer was wrong"))
        figure.suptitle(_title("Whose answer the mux gave, share of questions", held_out=held_out))
        figure.legend(handles=legend, loc="outside lower center")
    return figure


def plot_complement(
    recording: Recording,
    models: Sequence[str] | None = None,
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
    held_out: bool = False,
) -> "Figure":
    """Return a heat map: who is right where another is wrong; see `complement`.

    Args:
        recording: Where the samples are.
        models: Which members, in this order; `None`: all, as recorded.
        samples: k, or k by label; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.
        held_out: Whether the models were chosen on other questions: what the title says.

    Raises:
        ArgumentError: matplotlib is not installed; or as for `complement`.
        RecordingError: As for `complement`.
    """
    need_matplotlib()
    return draw_complement(complement(recording, models, samples, same=same, missing=missing), held_out=held_out)


def draw_complement(found: Complement, *, held_out: bool = False) -> "Figure":
    """Return the same of what was counted before."""
    members = range(len(found.models))
    names = [_short(model, _TICK) for model in found.models]
    most = max((found.share[i][j] for i in members for j in members if i != j), default=0) or 1
    with drawn_alike():
        figure, axes = _figure(3.4 + 0.11 * len(members), width=max(_WIDTH, 1.8 + 0.22 * len(members)))
        # No share stands on the diagonal: nobody is right where he is wrong.
        shares = [[float("nan") if i == j else found.share[i][j] for j in members] for i in members]
        mesh = axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=most, edgecolors="face", linewidth=0.2)
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.set_xticks([i + 0.5 for i in members], names, rotation=90)
        axes.set_yticks([i + 0.5 for i in members], names)
        axes.tick_params(length=0)
        axes.set_xlabel("... and this one is wrong")
        axes.set_ylabel("this model is right ...")
        if len(members) <= _NUMBERED:
            for i in members:
                for j in members:
                    share = found.share[i][j]
                    colour = _PALE if i == j else "white" if share > _DARK * most else "black"
                    figures = "-" if i == j else f"{100 * share:.0f}"
                    axes.text(j + 0.5, i + 0.5, figures, ha="center", va="center", color=colour, fontsize=9)
        else:
            bar = figure.colorbar(mesh, ax=axes, format=_percent(), shrink=0.6)
            bar.ax.tick_params(colors=INK)
        title = "Right where another is wrong, % of questions"
        figure.suptitle(_title(title, held_out=held_out))
    return figure


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
        figure, upper = _figure(5.0 + _ROW * 8, heights=(1, 1))
        lower = figure.axes[1]
        styles = zip([(upper, n) for n in above] + [(lower, n) for n in below], _COLOURS, _MARKERS, strict=True)
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
            reach = [[e.gain - e.low for e in seen], [e.high - e.gain for e in seen]]
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
        _shares(upper, "accuracy (%)")
        _shares(lower, "share of questions (%)")
        for axes in (upper, lower):
            axes.set_xticks(sizes)
            axes.margins(x=0.12)
        figure.suptitle("The best mux of each size\nlines: in-sample, stars: held-out")
        figure.legend(loc="outside lower center")
    return figure


def plot_scaling(points: Sequence[Point], *, held_out: bool = False) -> "Figure":
    """Return lines: accuracy against k, one line a mux, with a band of one standard deviation.

    Args:
        points: From `scaling()`, of one recording; of several muxes one after the other.
        held_out: Whether the models were chosen on other questions: what the title says.

    Raises:
        ArgumentError: matplotlib is not installed, or there is no point.
    """
    need_matplotlib()
    if not points:
        raise ArgumentError("no points to draw; pass what scaling() returned")
    muxes: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        muxes.setdefault(point.models, []).append(point)
    named = {models: _wrapped(f"K = {len(models)}: {' + '.join(models)}") for models in muxes}
    with drawn_alike():
        from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

        lines = sum(name.count("\n") + 1 for name in named.values())
        figure, axes = _figure(3.2 + _ROW * (lines + 1))
        for (models, drawn), colour, marker in zip(muxes.items(), cycle(_COLOURS), cycle(_MARKERS), strict=False):
            drawn.sort(key=lambda point: point.samples)
            k = [point.samples for point in drawn]
            low = [point.accuracy - point.deviation for point in drawn]
            high = [point.accuracy + point.deviation for point in drawn]
            axes.fill_between(k, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.plot(k, [point.accuracy for point in drawn], color=colour, marker=marker, label=named[models])
        axes.set_xticks(sorted({point.samples for point in points}))
        axes.set_xlabel("samples of each model (k)")
        _shares(axes, "expected accuracy (%)")
        figure.suptitle(_title("Accuracy against samples", held_out=held_out))
        band = Patch(facecolor=_PALE, alpha=0.4, label="band: ± 1 standard deviation over draws")
        figure.legend(handles=[*axes.get_legend_handles_labels()[0], band], loc="outside lower center")
    return figure


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
        figure, upper = _figure(4.6 + _ROW * (len(found) + 1), heights=(3, 1))
        lower = figure.axes[1]
        upper.plot([0, 1], [0, 1], color=_PALE, linestyle="--", label="right as often as said")
        wide = 0.4 / bins
        for n, (name, one) in enumerate(found.items()):
            colour, marker = _COLOURS[n], _MARKERS[n]
            said, right = [each.said for each in one.bins], [each.right for each in one.bins]
            told = f"{name}: ECE {one.error:.3f}, Brier {one.brier:.3f}"
            upper.plot(said, right, color=colour, marker=marker, linewidth=1, markersize=3, label=told)
            # As large as what they rest on: a bin of one question is noise.
            area = [_LARGEST * each.questions / len(foretold.right) for each in one.bins]
            upper.scatter(said, right, area, color=colour, marker=marker, linewidth=0, zorder=3)
            middles = [(each.low + each.high) / 2 + (n - 0.5) * wide for each in one.bins]
            lower.bar(middles, [each.questions for each in one.bins], wide, color=colour)
        _shares(upper, "share right (%)")
        lower.set_ylabel("questions")
        lower.set_xlabel("probability said (%)")
        lower.xaxis.set_major_formatter(_percent())
        lower.set_xlim(-0.02, 1.02)
        figure.suptitle(_title("Right as often as said?", held_out=True))
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
        figure, axes = _figure(3.4 + _ROW * (len(found) + len(thresholds)))
        for (name, one), colour, marker in zip(found.items(), (*_COLOURS[:2], _PALE), _MARKERS, strict=False):
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
        for each, marker in zip(thresholds, cycle(_MARKERS[2:]), strict=False):
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
        axes.xaxis.set_major_formatter(_percent())
        axes.set_xlim(0, 1.02)
        _shares(axes, "wrong among the answered (%)")
        figure.suptitle(_title("Wrong answers against answers given", held_out=True))
        figure.legend(loc="outside lower center")
    return figure


def _told_by(foretold: Foretold) -> dict[str, tuple[Sequence[float], Sequence[bool]]]:
    # Each of its own answer: the rule may answer another than the most confident member.
    return {
        f"{foretold.rule} probability": (foretold.probability, foretold.right),
        "raw confidence": (foretold.confidence, foretold.right_by_confidence),
    }


@contextmanager
def drawn_alike() -> Iterator[None]:
    """Draw in one style, whatever a matplotlibrc says; what was set before is set again after."""
    import matplotlib.style  # noqa: PLC0415 - an extra

    with matplotlib.style.context(["default", _STYLE]):
        yield


def _figure(height: float, *, width: float = _WIDTH, heights: Sequence[int] = (1,)) -> "tuple[Figure, Axes]":
    """Return a figure and the first of its axes, which stand one below the other, of relative heights."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(width, height), layout="constrained")
    for axes in figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights).flat:
        axes.tick_params(colors=INK)  # ticks are made when they are drawn, out of the style's reach
    return figure, figure.axes[0]


def _shares(axes: "Axes", label: str) -> None:
    axes.yaxis.set_major_formatter(_percent())
    axes.set_ylabel(label)
    axes.grid(visible=True)
    axes.set_axisbelow(True)


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415 - an extra

    return PercentFormatter(xmax=1, symbol="")


def _title(what: str, *, held_out: bool) -> str:
    # Over the whole figure: names beside the axes may leave them less room than their title needs.
    return f"{what}\n{'held-out' if held_out else 'in-sample'}"


def _plain(label: str) -> str:
    """Return a label that matplotlib shows as it stands: no formula between dollars, no character it cannot print."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(label.split()))
    return line.replace("$", r"\$")


def _short(label: str, most: int) -> str:
    """Return a label whose middle is left out where it is long: names differ at their ends."""
    if len(label) > most:
        label = f"{label[: most // 2]}…{label[-(most - most // 2 - 1) :]}"
    return _plain(label)


def _wrapped(line: str) -> str:
    return "\n".join(map(_plain, fill(line, _LINE).splitlines()))
