"""What the pictures show is what a plain count gives, and each says whether it is in-sample or held-out."""

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
from slmmux.recording._arrays import arrays_of
from slmmux.scaling import Point, scaling
from slmmux.selection import Foretold

GOLD = "x"


def recording_of(tables, settings=None):
    """One question a table; `FAILED` is a call that failed, `None` a reply without an answer."""
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


recorded = st.lists(st.integers(1, 4), min_size=1, max_size=3).flatmap(of_sizes)


@given(recorded)
def test_attribution_is_algorithm_1_counted(tables):
    """Every question is on the account of the member whose answer it was, right or wrong, or on nobody's."""
    expected = {model: [0, 0] for model in tables[0]}
    for table in tables:
        decided = algorithm_1(table)
        model = None if decided is None or decided[1] is None else decided[0]
        expected.setdefault(model, [0, 0])[decided is None or decided[1] != GOLD] += 1
    found = attribution(recording_of(tables), list(tables[0]))
    shares = {spoken.model: (spoken.right, spoken.wrong) for spoken in found}
    assert list(shares) == list(expected)
    assert shares == {model: (right / len(tables), wrong / len(tables)) for model, (right, wrong) in expected.items()}


@given(recorded)
def test_the_right_shares_are_the_accuracy_of_the_mux(tables):
    """All shares together are all questions, the right ones those that Algorithm 1 gets right."""
    recording = recording_of(tables)
    found = attribution(recording, list(tables[0]))
    arrays = arrays_of(recording)
    assert sum(spoken.right + spoken.wrong for spoken in found) == pytest.approx(1)
    assert sum(spoken.right for spoken in found) == pytest.approx(
        arrays.votes.decided_right(range(len(arrays.models))).mean()
    )


@given(recorded)
def test_complement_is_counted_pair_by_pair(tables):
    """Cell (i, j): i's vote is the gold answer and j's is another or none; the diagonal is 0."""
    found = complement(recording_of(tables))
    assert found.models == tuple(tables[0])
    for i, one in enumerate(found.models):
        for j, other in enumerate(found.models):
            pairs = [(most_frequent(table[one])[1], most_frequent(table[other])[1]) for table in tables]
            assert found.share[i][j] == pytest.approx(sum(a == GOLD != b for a, b in pairs) / len(tables))


def test_models_samples_same_and_gaps_are_as_everywhere():
    """The order given, the first k, a `same` of one's own, and gaps an error or left out."""
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


def told(most, probabilities):
    return st.lists(st.tuples(probabilities, st.booleans()), min_size=1, max_size=most)


@given(told(30, st.floats(0, 1) | few_values), st.integers(1, 12))
def test_a_bin_is_what_was_said_within_its_borders(questions, bins):
    """Each question is in the one bin whose upper border its probability does not pass; a bin is a plain count."""
    found = reliability([p for p, _ in questions], [right for _, right in questions], bins)
    assert sum(each.questions for each in found.bins) == len(questions)
    assert [each.low for each in found.bins] == sorted({each.low for each in found.bins})
    for each in found.bins:
        inside = [(p, right) for p, right in questions if each.low < p <= each.high or p == each.low == 0]
        assert each.high - each.low == pytest.approx(1 / bins)
        assert each.questions == len(inside)
        assert each.said == pytest.approx(fmean(p for p, _ in inside))
        assert each.right == pytest.approx(fmean(right for _, right in inside))


@given(told(30, st.floats(0, 1) | few_values), st.integers(1, 12))
def test_the_errors_are_those_of_learned_and_of_the_bins(questions, bins):
    """ECE is the gap of the bins shown, by their questions; it and Brier are not counted in another way here."""
    said, right = [p for p, _ in questions], [right for _, right in questions]
    found = reliability(said, right, bins)
    assert (found.error, found.brier) == (expected_calibration_error(said, right, bins), brier(said, right))
    gaps = sum(each.questions * abs(each.right - each.said) for each in found.bins)
    assert found.error == pytest.approx(gaps / len(questions))


@given(told(6, few_values))
def test_risk_is_the_mean_over_all_orders_of_equals(questions):
    """The share wrong among the first n by falling probability, over every order in which equals can stand."""
    found = risk_coverage([p for p, _ in questions], [right for _, right in questions])
    orders = [order for order in permutations(questions) if sorted(order, key=lambda told: -told[0]) == [*order]]
    for n, point in enumerate(found.points, 1):
        wrong = fmean(sum(not right for _, right in order[:n]) / n for order in orders)
        assert (point.answered, point.wrong) == pytest.approx((n / len(questions), wrong))
        assert point.least == orders[0][n - 1][0]
    assert found.area == pytest.approx(fmean(point.wrong for point in found.points))


@given(told(30, st.floats(0, 1) | few_values), st.randoms())
def test_a_threshold_stops_on_the_curve_and_the_oracle_is_below_it(questions, random):
    """After the last of equals the curve is a plain count of what lies at or above p; no order passes the oracle's;
    that of the questions has no part in it.
    """
    found = risk_coverage([p for p, _ in questions], [right for _, right in questions])
    assert len(found.points) == len(questions)
    for p in {p for p, _ in questions}:
        above = [right for said, right in questions if said >= p]
        stop = found.points[len(above) - 1]
        assert (stop.least, stop.answered) == (p, len(above) / len(questions))
        assert stop.wrong == pytest.approx(1 - fmean(above))
    oracle = risk_coverage([right for _, right in questions], [right for _, right in questions])
    assert all(best.wrong <= point.wrong + 1e-12 for best, point in zip(oracle.points, found.points, strict=True))
    random.shuffle(questions)
    assert risk_coverage([p for p, _ in questions], [right for _, right in questions]) == found


@pytest.mark.parametrize("count", [reliability, risk_coverage])
def test_what_is_no_probability_is_refused(count):
    """Nothing at all, lists of two lengths, per cent and NaN are refused with a sentence."""
    for said, right in (([], []), ([0.5], [True, False]), ([[0.5]], [[True]])):
        with pytest.raises(ArgumentError, match="one probability and one truth per question, received"):
            count(said, right)
    for said in ([80.0, 0.1], [-0.1, 1], [float("nan"), 1]):
        with pytest.raises(ArgumentError, match="outside 0 to 1; pass shares"):
            count(said, [True, False])


def test_no_bins_are_refused():
    """There is nothing to count in."""
    with pytest.raises(ArgumentError, match="bins must be at least 1, found 0"):
        reliability([0.5], [True], 0)


@pytest.fixture(scope="module")
def pool():
    """Four models, five samples, thirty questions."""
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
def chosen(pool):
    return select_complementary(pool, sizes=(1, 2, 4), repeats=2)


@pytest.fixture(scope="module")
def learned(pool):
    """The same, five times over, with a rule learned on it."""
    rows = [replace(row, question_id=f"{row.question_id}-{n}") for n in range(5) for row in pool.rows]
    return select_complementary(Recording.of(rows), sizes=[3], rule="learned", repeats=1)


def svg(figure):
    drawn = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg")
    return drawn.getvalue()


def legend(figure):
    (found,) = figure.legends
    return [text.get_text() for text in found.get_texts()]


@pytest.mark.parametrize("held_out", [True, False])
def test_every_title_says_in_sample_or_held_out(pool, held_out):
    """What a picture was counted on stands in its title, and the other word nowhere."""
    said, unsaid = ("held-out", "in-sample") if held_out else ("in-sample", "held-out")
    for figure in (
        plot_attribution(pool, ["a", "b"], held_out=held_out),
        plot_complement(pool, held_out=held_out),
        plot_scaling(scaling(pool, ["a", "b"]), held_out=held_out),
    ):
        assert said in figure.get_suptitle()
        assert unsaid not in svg(figure)


def test_in_sample_is_what_is_said_when_nobody_says(pool):
    """Silence never passes for held-out."""
    for figure in (plot_attribution(pool, ["a"]), plot_complement(pool), plot_scaling(scaling(pool, ["a"]))):
        assert figure.get_suptitle().endswith("\nin-sample")


def test_the_pie_has_a_wedge_for_each_share(pool):
    """Wedges are the shares above 0 in rank order, wrong ones hatched in their model's colour; the legend has figures."""
    recording = Recording.of([*pool.rows, *recording_of([{m: [None] * 5 for m in "abcd"}] * 31).rows[600:]])
    found = attribution(recording, ["d", "a"])
    assert found[-1] == Spoken(None, 0, 1 / 31)
    figure = plot_attribution(recording, ["d", "a"])
    (axes,) = figure.axes
    shares = [(share, wrong) for spoken in found for share, wrong in ((spoken.right, False), (spoken.wrong, True))]
    shares = [pair for pair in shares if pair[0]]
    assert [(w.theta2 - w.theta1) / 360 for w in axes.patches] == pytest.approx(
        [share for share, _ in shares], abs=1e-6
    )
    assert [bool(w.get_hatch()) for w in axes.patches] == [wrong for _, wrong in shares]
    colours = [w.get_facecolor() for w in axes.patches]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert legend(figure) == [
        *(f"by {s.model or 'nobody'}: {100 * s.right:.1f} % right, {100 * s.wrong:.1f} % wrong" for s in found),
        "hatched: the answer was wrong",
    ]


def test_the_heat_map_has_the_counted_cells(pool):
    """Cells, numbers and names are those of `complement`; the diagonal is empty."""
    found = complement(pool, ["c", "a", "b"])
    figure = plot_complement(pool, ["c", "a", "b"])
    (axes,) = figure.axes
    (mesh,) = axes.collections
    cells = np.ma.filled(mesh.get_array().astype(float), np.nan).reshape(3, 3)
    expected = np.array(found.share)
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_allclose(cells, expected)
    shown = [text.get_text() for text in axes.texts]
    assert shown == ["-" if i == j else f"{100 * found.share[i][j]:.0f}" for i in range(3) for j in range(3)]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["c", "a", "b"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "a", "b"]
    assert axes.yaxis_inverted()  # the first row stands on top
    assert "right" in axes.get_ylabel()
    assert "wrong" in axes.get_xlabel()
    assert "%" in figure.get_suptitle()


def test_a_heat_map_of_many_has_a_colour_bar_instead_of_numbers():
    """Past twelve models numbers would not fit; names are shortened in their middle."""
    table = {f"a-very-long-name-of-a-model-{m}": "x" if m % 3 else "y" for m in range(13)}
    axes, bar = plot_complement(recording_of([table])).axes
    assert not axes.texts
    assert axes.get_yticklabels()[12].get_text() == "a-very-lon…-model-12"
    assert bar.get_yticklabels()[-1].get_text() == "100"


def test_one_model_or_no_difference_can_be_drawn():
    """A heat map with nothing in it is still one."""
    assert "in-sample" in svg(plot_complement(recording_of([{"a": "x"}])))
    (axes,) = plot_complement(recording_of([{"a": "x", "b": "x"}])).axes
    assert [text.get_text() for text in axes.texts] == ["-", "0", "0", "-"]


def test_the_objective_has_every_line_and_names_its_kind(chosen):
    """Each line is the selection's own figure by size, named in-sample or held-out; the bar is the interval of the gain."""
    figure = plot_objective(chosen)
    lines = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    subsets = [chosen.by_size[size] for size in (1, 2, 4)]
    for name in ("objective", "union", "contradiction", "floor", "ceiling", "accuracy"):
        assert lines[f"{name} (in-sample)"].get_xdata().tolist() == [1, 2, 4]
        assert lines[f"{name} (in-sample)"].get_ydata().tolist() == [getattr(subset, name) for subset in subsets]
    seen = [subset.held_out for subset in subsets]
    assert lines["best single model (held-out)"].get_ydata().tolist() == [e.single for e in seen]
    (bars,) = figure.axes[0].containers
    data, _, (reach,) = bars
    assert data.get_ydata().tolist() == [e.accuracy for e in seen]
    for (low, high), estimate in zip((segment[:, 1] for segment in reach.get_segments()), seen, strict=True):
        assert (low, high) == pytest.approx((estimate.single + estimate.low, estimate.single + estimate.high))
    assert len(legend(figure)) == 8
    assert all(("(in-sample)" in text) != ("(held-out)" in text) for text in legend(figure))
    for axes in figure.axes:
        assert axes.get_ylabel().endswith("(%)")
        assert float(axes.yaxis.get_major_formatter()(0.5)) == 50
    assert figure.axes[1].get_xlabel() == "models in the mux (K)"
    assert figure.get_suptitle().endswith("lines: in-sample, stars: held-out")


def test_what_was_not_held_out_is_not_drawn(chosen):
    """Without an estimate there is neither star nor dash, and in-sample figures do not take their place."""
    by_size = {size: replace(subset, held_out=None) for size, subset in chosen.by_size.items()}
    assert not any("(held-out)" in text for text in legend(plot_objective(replace(chosen, by_size=by_size))))
    by_size[2] = chosen.by_size[2]
    (bars,) = plot_objective(replace(chosen, by_size=by_size)).axes[0].containers
    assert bars[0].get_xdata().tolist() == [2]


def test_scaling_is_a_line_a_mux_with_its_band(pool):
    """Each mux has one line over k in order, and a band of one deviation either way."""
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


def test_the_reliability_diagram_has_the_counted_bins(learned):
    """A mark a bin with what was said and what came, above how many questions; ECE and Brier of both in the legend."""
    foretold = learned.best.foretold
    figure = plot_reliability(foretold, bins=8)
    upper, lower = figure.axes
    said = reliability(foretold.probability, foretold.right, 8)
    raw = reliability(foretold.confidence, foretold.right_by_confidence, 8)
    diagonal, *lines = upper.lines
    assert [*diagonal.get_xdata()] == [*diagonal.get_ydata()] == [0, 1]
    for line, marks, bars, found in zip(lines, upper.collections, lower.containers, (said, raw), strict=True):
        assert line.get_xdata().tolist() == [each.said for each in found.bins]
        assert line.get_ydata().tolist() == [each.right for each in found.bins]
        assert marks.get_offsets().tolist() == [[each.said, each.right] for each in found.bins]
        sizes = marks.get_sizes() / marks.get_sizes().sum()
        assert sizes == pytest.approx([each.questions / len(foretold.right) for each in found.bins])
        assert [bar.get_height() for bar in bars] == [each.questions for each in found.bins]
        assert all(
            each.low <= bar.get_x() + 1e-9 and bar.get_x() + bar.get_width() <= each.high + 1e-9
            for bar, each in zip(bars, found.bins, strict=True)
        )
    assert legend(figure) == [
        "right as often as said",
        f"learned probability: ECE {said.error:.3f}, Brier {said.brier:.3f}",
        f"raw confidence: ECE {raw.error:.3f}, Brier {raw.brier:.3f}",
    ]
    assert figure.get_suptitle().endswith("\nheld-out")


def test_the_risk_coverage_curves_are_the_counted_ones(learned):
    """Learned, raw and the oracle's, with their areas; few stops are marked, and the thresholds with their intervals."""
    foretold = learned.best.foretold
    given = [learned.threshold(target_accuracy=0.8), learned.threshold(budget=0.5)]
    figure = plot_risk_coverage(foretold, given)
    (axes,) = figure.axes
    said = risk_coverage(foretold.probability, foretold.right)
    raw = risk_coverage(foretold.confidence, foretold.right_by_confidence)
    oracle = risk_coverage(foretold.right, foretold.right)
    for line, found in zip(axes.lines, (said, raw, oracle), strict=False):
        assert line.get_xdata().tolist() == [point.answered for point in found.points]
        assert line.get_ydata().tolist() == [point.wrong for point in found.points]
    stops = axes.lines[1].get_markevery()
    assert axes.lines[1].get_marker() == "s"
    assert [raw.points[i].least for i in stops] == sorted({*foretold.confidence}, reverse=True)
    assert all(raw.points[i].answered == fmean(c >= raw.points[i].least for c in foretold.confidence) for i in stops)
    assert axes.lines[0].get_marker() == axes.lines[2].get_marker() == "None"
    for bars, each in zip(axes.containers, given, strict=True):
        data, _, (reach,) = bars
        assert data.get_xdata().tolist() == [each.answered]
        assert data.get_ydata().tolist() == [1 - each.accuracy]
        assert reach.get_segments()[0][:, 1] == pytest.approx([1 - each.high, 1 - each.low])
        at = next(point for point in reversed(said.points) if point.least >= each.p)
        assert (at.answered, at.wrong) == pytest.approx((each.answered, 1 - each.accuracy))
    assert sorted(legend(figure)) == sorted(
        [
            f"learned probability: area {said.area:.3f}",
            f"raw confidence: area {raw.area:.3f}",
            f"oracle (right ones first): area {oracle.area:.3f}",
            *(f"p ≥ {t.p:.2f}: {100 * t.answered:.0f} % answered, {100 - 100 * t.accuracy:.1f} % wrong" for t in given),
        ]
    )
    assert figure.get_suptitle().endswith("\nheld-out")


def test_what_was_foretold_is_drawn_however_little_it_is():
    """One question, silence, and no threshold are a picture too, in a title of its own rule."""
    lone = Foretold(
        rule="learned-by-question", probability=(0.0,), right=(False,), confidence=(0.0,), right_by_confidence=(False,)
    )
    assert legend(plot_reliability(lone))[1].startswith("learned-by-question probability: ECE 0.000")
    assert len(legend(plot_risk_coverage(lone))) == 3
    assert "held-out" in svg(plot_reliability(lone))
    assert "held-out" in svg(plot_risk_coverage(lone))
    assert "in-sample" not in svg(plot_reliability(lone)) + svg(plot_risk_coverage(lone))


def test_no_points_are_refused():
    """There is nothing to draw."""
    with pytest.raises(ArgumentError, match=r"pass what scaling\(\) returned"):
        plot_scaling([])


@settings(max_examples=10)
@given(st.lists(st.text(st.characters(max_codepoint=0x24F), min_size=1), min_size=2, max_size=2, unique=True))
def test_any_label_is_drawn_as_it_stands(labels):
    """Dollars make no formula, `<` no tag, a leading underscore hides nothing, and no control character gets through."""
    recording = recording_of([dict.fromkeys(labels, "xy")])
    points = [Point((label,), 2, 0.5, 0.1) for label in labels]
    with mpl.rc_context({"svg.hashsalt": "a"}):
        for figure in (plot_attribution(recording, labels), plot_complement(recording), plot_scaling(points)):
            if figure.legends:
                assert len(legend(figure)) == 3
            assert "\x00" not in svg(figure)


def test_a_label_with_a_formula_keeps_its_dollars():
    """`$x_1$` is a name."""
    recording = recording_of([{"_$x_1$": "xy", r"$\frac$": "yx", "<b>&": "xx"}])
    drawn = svg(plot_attribution(recording, recording.models))
    assert "by _$x_1$:" in drawn
    assert r"by $\frac$:" in drawn
    assert "by &lt;b&gt;&amp;:" in drawn


def test_long_names_are_wrapped_in_a_legend():
    """No name is cut where several stand in a line."""
    names = ("qwen-coder-1.5b-instruct", "smollm2-360m-instruct-q8", "gemma-3-270m")
    named = legend(plot_scaling([Point(names, 2, 0.5, 0.1)]))[0]
    assert max(map(len, named.splitlines())) <= 44
    assert "".join(named.split()) == f"K=3:{'+'.join(names)}"


def test_nothing_is_left_behind(pool, chosen, learned):
    """Neither pyplot's global state nor a setting of matplotlib's is touched."""
    before = dict(mpl.rcParams)
    for figure in (
        plot_attribution(pool, ["a", "b"]),
        plot_complement(pool),
        plot_objective(chosen),
        plot_reliability(learned.best.foretold),
        plot_risk_coverage(learned.best.foretold),
    ):
        assert svg(figure)
    assert dict(mpl.rcParams) == before
    code = (
        "import sys; from slmmux.plots import plot_scaling; from slmmux.scaling import Point; "
        "assert 'matplotlib' not in sys.modules; plot_scaling([Point(('a',), 2, .5, .1)]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_sentence_names_the_extra(pool, chosen, learned, monkeypatch):
    """Every picture is refused with what to install; the data needs nothing."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (
        lambda: plot_attribution(pool, ["a"]),
        lambda: plot_complement(pool),
        lambda: plot_objective(chosen),
        lambda: plot_scaling([]),
        lambda: plot_reliability(learned.best.foretold),
        lambda: plot_risk_coverage(learned.best.foretold),
    ):
        with pytest.raises(ArgumentError, match=r'pip install "slmmux\[plot\]"'):
            draw()
    assert attribution(pool, ["a"])
    assert complement(pool)
    assert reliability([1], [True])
    assert risk_coverage([1], [True])
