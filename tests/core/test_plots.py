"""Each picture shows the numbers of a plain count, and says whether it is in-sample or held-out."""

import io
import subprocess
import sys
from dataclasses import replace
from itertools import permutations
from statistics import fmean

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import FAILED, algorithm_1, most_frequent

from slmmux import ArgumentError, Recording, RecordingError, Row, select_complementary
from slmmux.learned import brier, expected_calibration_error
from slmmux.plots import (
    Spoken,
    attribution,
    complement,
    plot_attribution,
    plot_complement,
    plot_objective,
    plot_reliability,
    plot_risk_coverage,
    plot_scaling,
    reliability,
    risk_coverage,
)
from slmmux.recording import arrays_of
from slmmux.scaling import Point, scaling
from slmmux.selection import Foretold
from tests.lengths import examples

GOLD = "x"


def recording_of(tables, settings=None):
    """Make one question of each table; `FAILED` is a failed call, `None` a reply without an answer."""
    return Recording.of(
        (
            Row(question_id=f"q{q}", model=model, sample_index=i, answer=None, error="refused", gold=GOLD)
            if answer is FAILED
            else Row(question_id=f"q{q}", model=model, sample_index=i, answer=answer, gold=GOLD)
            for q, table in enumerate(tables)
            for model, answers in table.items()
            for i, answer in enumerate(answers)
        ),
        settings,
    )


def of_sizes(sizes):
    answer = st.sampled_from(["x", "y", "z", None, FAILED])
    question = st.tuples(*(st.lists(answer, min_size=n, max_size=n) for n in sizes))
    return st.lists(question.map(lambda members: dict(zip("abc", members, strict=False))), min_size=1, max_size=5)


tables_drawn = st.lists(st.integers(1, 4), min_size=1, max_size=3).flatmap(of_sizes)


@given(tables_drawn)
def test_attribution_is_algorithm_1_counted(tables):
    """Each question counts for the member whose answer the mux gave, right or wrong, or for `None`."""
    expected = {model: [0, 0] for model in tables[0]}
    for table in tables:
        decided = algorithm_1(table)
        model = None if decided is None or decided[1] is None else decided[0]
        expected.setdefault(model, [0, 0])[decided is None or decided[1] != GOLD] += 1
    shares = attribution(recording_of(tables), list(tables[0]))
    shares = {share.model: (share.right, share.wrong) for share in shares}
    assert list(shares) == list(expected)
    assert shares == {model: (right / len(tables), wrong / len(tables)) for model, (right, wrong) in expected.items()}


@given(tables_drawn)
def test_the_right_shares_are_the_accuracy_of_the_mux(tables):
    """The shares sum to 1, and the right ones to the accuracy of Algorithm 1."""
    recording = recording_of(tables)
    shares = attribution(recording, list(tables[0]))
    arrays = arrays_of(recording)
    assert sum(share.right + share.wrong for share in shares) == pytest.approx(1)
    assert sum(share.right for share in shares) == pytest.approx(
        arrays.votes.decided_right(range(len(arrays.models))).mean()
    )


@given(tables_drawn)
def test_complement_is_counted_pair_by_pair(tables):
    """Cell (i, j): i's vote is the gold answer and j's is another or missing; the diagonal is 0."""
    result = complement(recording_of(tables))
    assert result.models == tuple(tables[0])
    for i, one in enumerate(result.models):
        for j, other in enumerate(result.models):
            pairs = [(most_frequent(table[one])[1], most_frequent(table[other])[1]) for table in tables]
            assert result.share[i][j] == pytest.approx(sum(a == GOLD != b for a, b in pairs) / len(tables))


def test_models_samples_same_and_gaps_are_as_everywhere():
    """The order of `models`, the first k samples, a caller's `same`, and gaps that raise or are left out."""
    recording = recording_of([{"a": "xyy", "b": "xxx"}, {"a": "yyx", "b": ["y", "Y", "y"]}, {"a": "xxx", "b": "y"}])
    with pytest.raises(RecordingError, match="'b' has 1 of 3"):
        attribution(recording, ["a", "b"])
    with pytest.raises(RecordingError, match="'b' has 1 of 3"):
        complement(recording)
    assert complement(recording, ["b", "a"], missing="drop").share == ((0, 0.5), (0, 0))
    assert complement(recording, ["b", "a"], 1).share == ((0, 0), (1 / 3, 0))
    assert attribution(recording, ["b", "a"], 1) == (Spoken("b", 1 / 3, 2 / 3), Spoken("a", 0, 0))
    alike = {"missing": "drop", "same": lambda a, b: {a, b} <= {"y", "Y", "x"}}
    assert attribution(recording, ["b", "a"], **alike) == (Spoken("b", 1, 0), Spoken("a", 0, 0))
    assert complement(recording, **alike).share == ((0, 0), (0, 0))


few_values = st.sampled_from([0, 0.1, 0.5, 0.7, 1])


def stated(most, probabilities):
    return st.lists(st.tuples(probabilities, st.booleans()), min_size=1, max_size=most)


@given(stated(30, st.floats(0, 1) | few_values), st.integers(1, 12))
def test_a_bin_counts_the_probabilities_within_its_borders(questions, bins):
    """Each question is in the one bin with low < p <= high (0 in the first), and each bin is a plain count."""
    diagram = reliability([p for p, _ in questions], [right for _, right in questions], bins)
    assert sum(each.questions for each in diagram.bins) == len(questions)
    assert [each.low for each in diagram.bins] == sorted({each.low for each in diagram.bins})
    for each in diagram.bins:
        inside = [(p, right) for p, right in questions if each.low < p <= each.high or p == each.low == 0]
        assert each.high - each.low == pytest.approx(1 / bins)
        assert each.questions == len(inside)
        assert each.said == pytest.approx(fmean(p for p, _ in inside))
        assert each.right == pytest.approx(fmean(right for _, right in inside))


@given(stated(30, st.floats(0, 1) | few_values), st.integers(1, 12))
def test_the_errors_are_those_of_learned_and_of_the_bins(questions, bins):
    """ECE is the gap of the bins shown, weighted by questions; ECE and Brier equal those of slmmux.learned."""
    probability, right = [p for p, _ in questions], [right for _, right in questions]
    diagram = reliability(probability, right, bins)
    assert (diagram.error, diagram.brier) == (
        expected_calibration_error(probability, right, bins),
        brier(probability, right),
    )
    gaps = sum(each.questions * abs(each.right - each.said) for each in diagram.bins)
    assert diagram.error == pytest.approx(gaps / len(questions))


@given(stated(6, few_values))
def test_risk_is_the_mean_over_all_orders_of_equals(questions):
    """The share wrong among the first n by falling probability, averaged over all orders of equal ones."""
    curve = risk_coverage([p for p, _ in questions], [right for _, right in questions])
    orders = [order for order in permutations(questions) if sorted(order, key=lambda stated: -stated[0]) == [*order]]
    for n, point in enumerate(curve.points, 1):
        wrong = fmean(sum(not right for _, right in order[:n]) / n for order in orders)
        assert (point.answered, point.wrong) == pytest.approx((n / len(questions), wrong))
        assert point.least == orders[0][n - 1][0]
    assert curve.area == pytest.approx(fmean(point.wrong for point in curve.points))


@given(stated(30, st.floats(0, 1) | few_values), st.randoms())
def test_a_threshold_stops_on_the_curve_and_the_oracle_is_below_it(questions, random):
    """After the last of equal probabilities the curve is a plain count of the questions with at least that probability.

    The oracle's curve is never above another, and the order of the questions does not matter.
    """
    curve = risk_coverage([p for p, _ in questions], [right for _, right in questions])
    assert len(curve.points) == len(questions)
    for p in {p for p, _ in questions}:
        above = [right for probability, right in questions if probability >= p]
        stop = curve.points[len(above) - 1]
        assert (stop.least, stop.answered) == (p, len(above) / len(questions))
        assert stop.wrong == pytest.approx(1 - fmean(above))
    oracle = risk_coverage([right for _, right in questions], [right for _, right in questions])
    assert all(best.wrong <= point.wrong + 1e-12 for best, point in zip(oracle.points, curve.points, strict=True))
    random.shuffle(questions)
    assert risk_coverage([p for p, _ in questions], [right for _, right in questions]) == curve


@pytest.mark.parametrize("count", [reliability, risk_coverage])
def test_bad_probabilities_are_refused(count):
    """Empty lists, lists of two lengths, per cent and NaN are refused with a sentence."""
    for probability, right in (([], []), ([0.5], [True, False]), ([[0.5]], [[True]])):
        with pytest.raises(ArgumentError, match="one probability and one truth per question, received"):
            count(probability, right)
    for probability in ([80.0, 0.1], [-0.1, 1], [float("nan"), 1]):
        with pytest.raises(ArgumentError, match="outside 0 to 1; pass shares"):
            count(probability, [True, False])


def test_zero_bins_are_refused():
    """At least one bin is needed."""
    with pytest.raises(ArgumentError, match="bins must be at least 1, received 0"):
        reliability([0.5], [True], 0)


@pytest.fixture(scope="module")
def pool():
    """A pool of four models, five samples and thirty questions."""
    random = np.random.default_rng(3)
    right = {"a": 0.7, "b": 0.6, "c": 0.5, "d": 0.4}
    return recording_of(
        [
            {
                model: [GOLD if random.random() < share else str(random.choice(["y", "z"])) for _ in range(5)]
                for model, share in right.items()
            }
            for _ in range(30)
        ]
    )


@pytest.fixture(scope="module")
def selection(pool):
    return select_complementary(pool, sizes=(1, 2, 4), repeats=2)


@pytest.fixture(scope="module")
def rule_selection(pool):
    """A selection with a learned rule, on the pool repeated five times."""
    rows = [replace(row, question_id=f"{row.question_id}-{n}") for n in range(5) for row in pool.rows]
    return select_complementary(Recording.of(rows), sizes=[3], rule="learned", repeats=1, n_resamples=4)


def svg(figure):
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg")
    return buffer.getvalue()


def legend(figure):
    (box,) = figure.legends
    return [text.get_text() for text in box.get_texts()]


@pytest.mark.parametrize("held_out", [True, False])
def test_every_title_says_in_sample_or_held_out(pool, held_out):
    """The title says which of the two the picture is, and the other word does not occur."""
    stated_kind, other_kind = ("held-out", "in-sample") if held_out else ("in-sample", "held-out")
    for figure in (
        plot_attribution(pool, ["a", "b"], held_out=held_out),
        plot_complement(pool, held_out=held_out),
        plot_scaling(scaling(pool, ["a", "b"]), held_out=held_out),
    ):
        assert stated_kind in figure.get_suptitle()
        assert other_kind not in svg(figure)


def test_the_default_title_says_in_sample(pool):
    """A picture without `held_out` never passes for held-out."""
    for figure in (plot_attribution(pool, ["a"]), plot_complement(pool), plot_scaling(scaling(pool, ["a"]))):
        assert figure.get_suptitle().endswith("\nin-sample")


def test_the_pie_has_a_wedge_for_each_share(pool):
    """Wedges are the shares above 0 in rank order, hatched if wrong; the legend has the numbers."""
    recording = Recording.of([*pool.rows, *recording_of([{m: [None] * 5 for m in "abcd"}] * 31).rows[600:]])
    shares = attribution(recording, ["d", "a"])
    assert shares[-1] == Spoken(None, 0, 1 / 31)
    figure = plot_attribution(recording, ["d", "a"])
    (axes,) = figure.axes
    wedges = [(size, wrong) for share in shares for size, wrong in ((share.right, False), (share.wrong, True)) if size]
    assert [(w.theta2 - w.theta1) / 360 for w in axes.patches] == pytest.approx([size for size, _ in wedges], abs=1e-6)
    assert [bool(w.get_hatch()) for w in axes.patches] == [wrong for _, wrong in wedges]
    colours = [w.get_facecolor() for w in axes.patches]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert legend(figure) == [
        *(f"by {s.model or 'no member'}: {100 * s.right:.1f} % right, {100 * s.wrong:.1f} % wrong" for s in shares),
        "hatched: wrong answers",
    ]


def test_the_heat_map_has_the_counted_cells(pool):
    """Cells, numbers and names equal those of `complement`; the diagonal is empty."""
    result = complement(pool, ["c", "a", "b"])
    figure = plot_complement(pool, ["c", "a", "b"])
    (axes,) = figure.axes
    (mesh,) = axes.collections
    cells = np.ma.filled(mesh.get_array().astype(float), np.nan).reshape(3, 3)
    expected = np.array(result.share)
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_allclose(cells, expected)
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["-" if i == j else f"{100 * result.share[i][j]:.0f}" for i in range(3) for j in range(3)]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["c", "a", "b"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "a", "b"]
    assert axes.yaxis_inverted()  # the first row is at the top
    assert "right" in axes.get_ylabel()
    assert "wrong" in axes.get_xlabel()
    assert "%" in figure.get_suptitle()


def test_a_heat_map_of_many_has_a_colour_bar_instead_of_numbers():
    """Above twelve models numbers would not fit, and the middle of long names is left out."""
    table = {f"a-very-long-name-of-a-model-{m}": "x" if m % 3 else "y" for m in range(13)}
    axes, bar = plot_complement(recording_of([table])).axes
    assert not axes.texts
    assert axes.get_yticklabels()[12].get_text() == "a-very-lon…-model-12"
    assert bar.get_yticklabels()[-1].get_text() == "100"


def test_one_model_or_no_difference_can_be_drawn():
    """A heat map without any share above 0 is drawn too."""
    assert "in-sample" in svg(plot_complement(recording_of([{"a": "x"}])))
    (axes,) = plot_complement(recording_of([{"a": "x", "b": "x"}])).axes
    assert [text.get_text() for text in axes.texts] == ["-", "0", "0", "-"]


def test_the_objective_has_every_line_and_names_its_kind(selection):
    """Each line is the selection's value by size, marked in-sample or held-out; bars are the gain's interval."""
    figure = plot_objective(selection)
    lines = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    subsets = [selection.by_size[size] for size in (1, 2, 4)]
    for name in ("objective", "union", "contradiction", "floor", "ceiling", "accuracy"):
        assert lines[f"{name} (in-sample)"].get_xdata().tolist() == [1, 2, 4]
        assert lines[f"{name} (in-sample)"].get_ydata().tolist() == [getattr(subset, name) for subset in subsets]
    estimates = [subset.held_out for subset in subsets]
    assert lines["best single model (held-out)"].get_ydata().tolist() == [e.single for e in estimates]
    (bars,) = figure.axes[0].containers
    data, _, (reach,) = bars
    assert data.get_ydata().tolist() == [e.accuracy for e in estimates]
    for (low, high), estimate in zip((segment[:, 1] for segment in reach.get_segments()), estimates, strict=True):
        assert (low, high) == pytest.approx((estimate.single + estimate.low, estimate.single + estimate.high))
    assert len(legend(figure)) == 8
    assert all(("(in-sample)" in text) != ("(held-out)" in text) for text in legend(figure))
    for axes in figure.axes:
        assert axes.get_ylabel().endswith("(%)")
        assert float(axes.yaxis.get_major_formatter()(0.5)) == 50
    assert figure.axes[1].get_xlabel() == "models in the mux (K)"
    assert figure.get_suptitle().endswith("lines: in-sample, stars: held-out")


def test_without_an_estimate_nothing_is_drawn_as_held_out(selection):
    """Without an estimate there are neither stars nor dashes, and in-sample values do not replace them."""
    by_size = {size: replace(subset, held_out=None) for size, subset in selection.by_size.items()}
    assert not any("(held-out)" in text for text in legend(plot_objective(replace(selection, by_size=by_size))))
    by_size[2] = selection.by_size[2]
    (bars,) = plot_objective(replace(selection, by_size=by_size)).axes[0].containers
    assert bars[0].get_xdata().tolist() == [2]


def test_scaling_has_a_line_with_a_band_for_each_mux(pool):
    """Each mux has one line over k in order, with a band of one deviation on both sides."""
    points = [*scaling(pool, ["a"]), *reversed(scaling(pool, ["a", "b"]))]
    figure = plot_scaling(points)
    (axes,) = figure.axes
    assert len(axes.lines) == len(axes.collections) == 2
    for line, band, members in zip(axes.lines, axes.collections, (("a",), ("a", "b")), strict=True):
        own = sorted((point for point in points if point.models == members), key=lambda point: point.samples)
        assert line.get_xdata().tolist() == [2, 3, 4, 5]
        assert line.get_ydata().tolist() == [point.accuracy for point in own]
        corners = {(round(x, 9), round(y, 9)) for x, y in band.get_paths()[0].vertices}
        for point in own:
            assert (point.samples, round(point.accuracy - point.deviation, 9)) in corners
            assert (point.samples, round(point.accuracy + point.deviation, 9)) in corners
    assert legend(figure) == ["K = 1: a", "K = 2: a + b", "band: ± 1 standard deviation over draws"]
    assert axes.get_xlabel() == "samples of each model (k)"
    assert axes.get_ylabel().endswith("(%)")


def test_the_reliability_diagram_has_the_counted_bins(rule_selection):
    """Each bin has a mark above and its questions below; the legend has ECE and Brier of both probabilities."""
    foretold = rule_selection.best.foretold
    figure = plot_reliability(foretold, bins=8)
    upper, lower = figure.axes
    stated_diagram = reliability(foretold.probability, foretold.right, 8)
    raw = reliability(foretold.confidence, foretold.right_by_confidence, 8)
    diagonal, *lines = upper.lines
    assert [*diagonal.get_xdata()] == [*diagonal.get_ydata()] == [0, 1]
    for line, marks, bars, diagram in zip(
        lines, upper.collections, lower.containers, (stated_diagram, raw), strict=True
    ):
        assert line.get_xdata().tolist() == [each.said for each in diagram.bins]
        assert line.get_ydata().tolist() == [each.right for each in diagram.bins]
        assert marks.get_offsets().tolist() == [[each.said, each.right] for each in diagram.bins]
        sizes = marks.get_sizes() / marks.get_sizes().sum()
        assert sizes == pytest.approx([each.questions / len(foretold.right) for each in diagram.bins])
        assert [bar.get_height() for bar in bars] == [each.questions for each in diagram.bins]
        assert all(
            each.low <= bar.get_x() + 1e-9 and bar.get_x() + bar.get_width() <= each.high + 1e-9
            for bar, each in zip(bars, diagram.bins, strict=True)
        )
    assert legend(figure) == [
        "right as often as stated",
        f"learned probability: ECE {stated_diagram.error:.3f}, Brier {stated_diagram.brier:.3f}",
        f"raw confidence: ECE {raw.error:.3f}, Brier {raw.brier:.3f}",
    ]
    assert figure.get_suptitle().endswith("\nheld-out")


def test_the_risk_coverage_curves_are_the_counted_ones(rule_selection):
    """The legend has the areas of all three curves; few stops are marked, and thresholds have intervals."""
    foretold = rule_selection.best.foretold
    thresholds = [rule_selection.threshold(target_accuracy=0.8), rule_selection.threshold(budget=0.5)]
    figure = plot_risk_coverage(foretold, thresholds)
    (axes,) = figure.axes
    learned_curve = risk_coverage(foretold.probability, foretold.right)
    raw = risk_coverage(foretold.confidence, foretold.right_by_confidence)
    oracle = risk_coverage(foretold.right, foretold.right)
    for line, curve in zip(axes.lines, (learned_curve, raw, oracle), strict=False):
        assert line.get_xdata().tolist() == [point.answered for point in curve.points]
        assert line.get_ydata().tolist() == [point.wrong for point in curve.points]
    stops = axes.lines[1].get_markevery()
    assert axes.lines[1].get_marker() == "s"
    assert [raw.points[i].least for i in stops] == sorted({*foretold.confidence}, reverse=True)
    assert all(raw.points[i].answered == fmean(c >= raw.points[i].least for c in foretold.confidence) for i in stops)
    assert axes.lines[0].get_marker() == axes.lines[2].get_marker() == "None"
    for bars, each in zip(axes.containers, thresholds, strict=True):
        data, _, (reach,) = bars
        assert data.get_xdata().tolist() == [each.answered]
        assert data.get_ydata().tolist() == [1 - each.accuracy]
        assert reach.get_segments()[0][:, 1] == pytest.approx([1 - each.high, 1 - each.low])
        at = next(point for point in reversed(learned_curve.points) if point.least >= each.p)
        assert (at.answered, at.wrong) == pytest.approx((each.answered, 1 - each.accuracy))
    assert sorted(legend(figure)) == sorted(
        [
            f"learned probability: area {learned_curve.area:.3f}",
            f"raw confidence: area {raw.area:.3f}",
            f"oracle (right answers first): area {oracle.area:.3f}",
            *(
                f"p ≥ {t.p:.2f}: {100 * t.answered:.0f} % answered, {100 - 100 * t.accuracy:.1f} % wrong"
                for t in thresholds
            ),
        ]
    )
    assert figure.get_suptitle().endswith("\nheld-out")


def test_a_single_question_can_be_drawn():
    """One question without an answer and without thresholds is drawn, and the legend names its rule."""
    lone = Foretold(
        rule="learned-by-question", probability=(0.0,), right=(False,), confidence=(0.0,), right_by_confidence=(False,)
    )
    assert legend(plot_reliability(lone))[1].startswith("learned-by-question probability: ECE 0.000")
    assert len(legend(plot_risk_coverage(lone))) == 3
    assert "held-out" in svg(plot_reliability(lone))
    assert "held-out" in svg(plot_risk_coverage(lone))
    assert "in-sample" not in svg(plot_reliability(lone)) + svg(plot_risk_coverage(lone))


def test_an_empty_list_of_points_is_refused():
    """Without points there is nothing to draw."""
    with pytest.raises(ArgumentError, match=r"pass the result of scaling\(\)"):
        plot_scaling([])


@settings(max_examples=examples(12))
@given(st.lists(st.text(st.characters(max_codepoint=0x24F), min_size=1), min_size=2, max_size=2, unique=True))
def test_any_label_is_drawn_literally(labels):
    """Dollars make no formula, `<` no tag, a leading underscore hides nothing, control characters are removed."""
    recording = recording_of([dict.fromkeys(labels, "xy")])
    points = [Point((label,), 2, 0.5, 0.1) for label in labels]
    with mpl.rc_context({"svg.hashsalt": "a"}):
        for figure in (plot_attribution(recording, labels), plot_complement(recording), plot_scaling(points)):
            if figure.legends:
                assert len(legend(figure)) == 3
            assert "\x00" not in svg(figure)


def test_a_label_with_a_formula_keeps_its_dollars():
    """`$x_1$` is drawn as a name."""
    recording = recording_of([{"_$x_1$": "xy", r"$\frac$": "yx", "<b>&": "xx"}])
    image = svg(plot_attribution(recording, recording.models))
    assert "by _$x_1$:" in image
    assert r"by $\frac$:" in image
    assert "by &lt;b&gt;&amp;:" in image


def test_long_names_are_wrapped_in_a_legend():
    """Several long names are wrapped, and none is cut."""
    names = ("qwen-coder-1.5b-instruct", "smollm2-360m-instruct-q8", "gemma-3-270m")
    text = legend(plot_scaling([Point(names, 2, 0.5, 0.1)]))[0]
    assert max(map(len, text.splitlines())) <= 44
    assert "".join(text.split()) == f"K=3:{'+'.join(names)}"


def test_drawing_leaves_matplotlib_unchanged(pool, selection, rule_selection):
    """Neither pyplot's global state nor a setting of matplotlib is changed."""
    before = dict(mpl.rcParams)
    for figure in (
        plot_attribution(pool, ["a", "b"]),
        plot_complement(pool),
        plot_objective(selection),
        plot_reliability(rule_selection.best.foretold),
        plot_risk_coverage(rule_selection.best.foretold),
    ):
        assert svg(figure)
    assert dict(mpl.rcParams) == before
    code = (
        "import sys; from slmmux.plots import plot_scaling; from slmmux.scaling import Point; "
        "assert 'matplotlib' not in sys.modules; plot_scaling([Point(('a',), 2, .5, .1)]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_sentence_names_the_extra(pool, selection, rule_selection, monkeypatch):
    """Every picture is refused with the extra to install; the data functions still work."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (
        lambda: plot_attribution(pool, ["a"]),
        lambda: plot_complement(pool),
        lambda: plot_objective(selection),
        lambda: plot_scaling([]),
        lambda: plot_reliability(rule_selection.best.foretold),
        lambda: plot_risk_coverage(rule_selection.best.foretold),
    ):
        with pytest.raises(ArgumentError, match=r'pip install "slmmux\[plot\]"'):
            draw()
    assert attribution(pool, ["a"])
    assert complement(pool)
    assert reliability([1], [True])
    assert risk_coverage([1], [True])
