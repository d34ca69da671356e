"""The page of a recording shows what was counted; it fetches nothing, runs nothing and escapes every text."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from statistics import median

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import algorithm_1, most_frequent

from slmmux import ArgumentError, Recording, RecordingError, Row, select_complementary
from slmmux.baselines import baselines
from slmmux.learned import brier, expected_calibration_error
from slmmux.recording import arrays_of
from slmmux.report import Changed, _page, by_dataset, changed, recorded, report
from slmmux.report import _report as module
from slmmux.report._confidence import TARGETS, confidence, thresholds
from slmmux.report._page import Html, points
from slmmux.selection import HeldOut, Subset
from tests.lengths import short_form

GOLD = "x"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """A strict parser of a page: every tag must be closed in its place."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], Counter(), [], []
        self.tables, self.regions, self.figures = [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if dict(attrs).get("role") == "region":
            self.regions.append(dict(attrs)["aria-label"])
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        if tag == "figure":
            self.figures.append("")

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        if "figure" in self.open:
            self.figures[-1] += data + "\n"

    @property
    def text(self):
        return "".join(self.texts)

    def table(self, label):
        (place,) = [i for i, region in enumerate(self.regions) if label in region]
        return self.tables[place]


def rows_of(tables, **more):
    return [
        Row(question_id=f"q{q}", model=model, sample_index=i, answer=answer, gold=GOLD, **more)
        for q, table in enumerate(tables)
        for model, answers in table.items()
        for i, answer in enumerate(answers)
    ]


def random_tables(shares, questions, samples=3, seed=0):
    random = np.random.default_rng(seed)
    return [
        {
            model: [GOLD if random.random() < share else str(random.choice(["y", "z"])) for _ in range(samples)]
            for model, share in shares.items()
        }
        for _ in range(questions)
    ]


@pytest.fixture(scope="module")
def pool():
    """Three models of equal strength, so that a mux of two or three changes many questions."""
    tables = random_tables({"a": 0.5, "b": 0.5, "c": 0.5}, 60)
    return Recording.of(
        [replace(row, dataset="first" if int(row.question_id[1:]) < 40 else "second") for row in rows_of(tables)],
        {"extract": "auto", "models": {"a": {"temperature": 0.5}}},
    )


@pytest.fixture(scope="module")
def source(pool):
    return report(pool, repeats=2)


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


@pytest.fixture(scope="module")
def selection(pool):
    return select_complementary(pool, repeats=2)


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the pictures empty: what is tested stands in words and tables, and drawing takes most of the time."""
    monkeypatch.setattr(_page, "picture", lambda figure, name, says, **kwargs: Html("<svg></svg>"))


answer = st.sampled_from(["x", "y", "z", None])
tables_of_two = st.lists(
    st.tuples(st.lists(answer, min_size=3, max_size=3), st.lists(answer, min_size=2, max_size=2)).map(
        lambda members: dict(zip("ab", members, strict=True))
    ),
    min_size=1,
    max_size=6,
)


@given(tables_of_two)
def test_changed_compares_algorithm_1_with_a_vote(tables):
    """`changed` has the questions on which only one of Algorithm 1 and the single model's vote is right."""
    expected = []
    for q, table in enumerate(tables):
        mux = algorithm_1({"b": table["b"], "a": table["a"]})[1] == GOLD
        alone = most_frequent(table["a"])[1] == GOLD
        if mux != alone:
            expected.append(Changed(f"q{q}", mux))
    assert changed(arrays_of(Recording.of(rows_of(tables))), ["b", "a"], "a") == tuple(expected)


@given(tables_of_two, st.lists(st.sampled_from(["one", "two", None]), min_size=6, max_size=6))
def test_a_dataset_has_its_own_share(tables, datasets):
    """Questions and shares by dataset equal a plain count."""
    rows = [replace(row, dataset=datasets[int(row.question_id[1:])]) for row in rows_of(tables)]
    recording = Recording.of(rows)
    arrays = arrays_of(recording)
    expected = {}
    for table, dataset in zip(tables, datasets, strict=False):
        expected.setdefault(dataset or "without dataset", []).append(most_frequent(table["a"])[1] == GOLD)
    by_name = by_dataset(recording, arrays, arrays.votes.right[0])
    assert by_name == {name: (len(right), pytest.approx(np.mean(right))) for name, right in expected.items()}


def test_recorded_counts_only_the_samples_of_the_arrays():
    """Failures, abstentions, tokens, seconds and temperatures are those of the first k samples."""
    rows = [
        replace(row, temperature=0.5, input_tokens=10, latency_s=float(row.sample_index))
        for row in rows_of([{"a": ["x", None, "y", "x"]}, {"a": ["x", "x", "y", "x"]}])
    ]
    rows[1] = replace(rows[1], output_tokens=5, temperature=0.7)
    rows[4] = replace(rows[4], answer=None, error="refused", input_tokens=None, latency_s=None)
    recording = Recording.of([*rows, *rows_of([{"b": "xxx"}, {"b": "yyy"}])])
    a, b = recorded(recording, arrays_of(recording, samples=3))
    assert (a.model, a.of, a.samples, a.failed, a.unread, a.tokens) == ("a", 3, 6, 1, 1, 55)
    assert (a.temperatures, a.seconds, a.accuracy) == ((0.5, 0.7), median([0, 1, 2, 1, 2]), 1)
    assert (b.failed, b.unread, b.tokens, b.seconds, b.temperatures, b.accuracy) == (0, 0, None, None, (), 0.5)


def test_the_page_is_self_contained(source, page):
    """Every tag is closed, nothing is fetched or run, and every reference points into the page."""
    assert source.startswith("<!DOCTYPE html>\n<html lang=")
    assert source.endswith("</html>\n")
    assert not re.search(r"https?://|//[a-z]|@import|javascript:", source)
    assert not set(page.tags) & {"script", "link", "iframe", "img", "object", "embed", "base", "form"}
    assert "viewport" in {value for _, name, value in page.attributes if name == "name"}
    assert any("default-src 'none'" in value for _, name, value in page.attributes if name == "content")
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 0
    for _, name, value in page.attributes:
        assert not name.startswith("on")
        if name in {"href", "src"}:
            assert value.startswith("data:image/") or value.removeprefix("#") in ids
        for inside in re.findall(r"url\((.*?)\)", value):
            assert inside.removeprefix("#") in ids


def test_the_page_fits_a_phone_and_a_dark_system(source, page):
    """Drawings have no width of their own, tables scroll, and text takes the page's colour."""
    assert page.tags["svg"] == 5
    assert not [name for tag, name, _ in page.attributes if tag == "svg" and name in {"width", "height"}]
    assert len(page.regions) == page.tags["table"]
    assert "prefers-color-scheme: dark" in source
    body = source[source.index("<body>") :]
    assert "#1b1f24" not in body
    assert "currentColor" in body
    assert body.count("<style") == 0


def test_the_verdict_stands_first(source, selection):
    """The selection's verdict follows the title, as a sentence."""
    verdict = selection.verdict[0].upper() + selection.verdict[1:] + "."
    body = source[source.index("<main>") :]
    assert re.match(r'<main><h1>[^<]*</h1><p class="verdict">' + re.escape(verdict) + "</p>", body)


@pytest.mark.parametrize("kind", ["page", "contested"])
def test_every_table_and_figure_says_in_sample_or_held_out(kind, request):
    """Each table, each drawing and each caption says in-sample or held-out."""
    page = request.getfixturevalue(kind)
    assert len(page.tables) > 10
    for region, table in zip(page.regions, page.tables, strict=True):
        assert re.search("in-sample|held-out", region + " ".join(table[0]))
    assert len(page.figures) == {"page": 5, "contested": 7}[kind]
    for figure in page.figures:
        *inside, caption = figure.strip().split("\n")
        assert re.search("in-sample|held-out", " ".join(inside))
        assert re.search("[Ii]n-sample|[Hh]eld-out", caption)


def test_the_table_of_sizes_is_the_selection(page, selection):
    """Each size has a row with the selection's values, followed by the best single model."""
    head, second, *rows = page.table("by number of models")
    assert head[2:4] == ["in-sample (%)", "held-out (%)"]
    assert second == ["objective", "union", "contradiction", "floor", "ceiling", "accuracy",
                      "accuracy", "best single model", "gain, 95 % interval"]  # fmt: skip
    assert [row[0] for row in rows] == ["1", "2", "3", "best single"]
    for row, subset in zip(rows, [*selection.by_size.values(), selection.single], strict=True):
        names = ("objective", "union", "contradiction", "floor", "ceiling", "accuracy")
        assert row[1] == " + ".join(subset.models)
        assert row[2:8] == [f"{100 * getattr(subset, name):.1f}" for name in names]
        if subset.held_out:
            held_out = subset.held_out
            assert row[8:10] == [f"{100 * held_out.accuracy:.1f}", f"{100 * held_out.single:.1f}"]
            figures = [float(figure) for figure in re.findall(r"[+-]\d+\.\d", row[10])]
            assert figures == pytest.approx([100 * held_out.gain, 100 * held_out.low, 100 * held_out.high], abs=0.051)
    assert rows[-1][8:11] == ["-", "-", "-"]
    assert "-0.0 " not in page.text


def test_the_baselines_are_those_of_the_mux(page, pool, selection):
    """The rows equal those of `baselines()` for the chosen members."""
    _, *rows = page.table("way to answer")
    expected = baselines(pool, selection.best.models)
    assert [(row[0], row[2], row[3]) for row in rows] == [
        (row.name, f"{row.samples:.1f}", f"{100 * row.accuracy:.1f} %") for row in expected
    ]


def test_models_and_datasets_stand_best_first(page, pool):
    """Models are listed best first in the tables of samples and datasets and in the heat map."""
    arrays = arrays_of(pool)
    accuracy = dict(zip(arrays.models, arrays.votes.right.mean(axis=1), strict=True))
    order = sorted(accuracy, key=lambda model: -accuracy[model])
    assert order != list(pool.models)
    pairs = [text for text in page.figures[4].split("\n") if text in pool.models]
    assert pairs == order * 2
    _, *rows = page.table("Each model, best first")
    assert [(row[0], row[-1]) for row in rows] == [(model, f"{100 * accuracy[model]:.1f} %") for model in order]
    assert {tuple(row[1:6]) for row in rows} == {("3", "-", "180", "0", "0.0 %")}
    head, *rows = page.table("on each dataset")
    assert head == ["model", "first (40 questions)", "second (20 questions)"]
    assert [row[0] for row in rows[:3]] == order
    assert rows[3][0].startswith("mux: ")
    right = arrays.votes.right[arrays.models.index(order[0])]
    assert rows[0][1:] == [f"{100 * right[:40].mean():.1f} %", f"{100 * right[40:].mean():.1f} %"]


def test_ten_changed_questions_are_shown_with_all_votes(source, page, pool, selection):
    """Wins and losses are shown with the winner, each member's vote and count, and the best single model."""
    arrays = arrays_of(pool)
    mux, single = selection.best.models, selection.single.models[0]
    won_by_id = {c.question: c.won for c in changed(arrays, mux, single)}
    won = sum(won_by_id.values())
    assert f"wins {won} questions and loses {len(won_by_id) - won} (in-sample). 10 of them:" in page.text
    outcomes = dict(re.findall(r"<h3>(q\d+): (won|lost)</h3>", source))
    assert len(outcomes) == 10
    lost = min(5, len(won_by_id) - won)
    assert Counter(outcomes.values()) == {"won": 10 - lost, "lost": lost}
    assert lost > 1
    places = [arrays.questions.index(question) for question in outcomes]
    assert places == sorted(places)
    vote_tables = [table for region, table in zip(page.regions, page.tables, strict=True) if region.startswith("Votes")]
    assert len(vote_tables) == 10
    for (question, outcome), (_, *rows) in zip(outcomes.items(), vote_tables, strict=True):
        assert won_by_id[question] == (outcome == "won")
        table = {model: [row.answer for row in rows] for model, rows in pool.by_question[question].items()}
        speaker = algorithm_1({model: table[model] for model in mux})[0]
        for model, row in zip(mux, rows, strict=True):
            confidence, answer, _ = most_frequent(table[model])
            assert row[0].startswith(model)
            assert ("answers for the mux" in row[0]) == (model == speaker)
            assert ("best single model" in row[0]) == (model == single)
            assert row[1:] == [answer, f"{round(3 * confidence)} of 3", "✓ right" if answer == GOLD else "✗ wrong"]


def test_the_single_model_outside_the_mux_is_shown_beside_it(undrawn):
    """If the best single model is not a member, its vote is last and never the mux's answer."""
    # a is right most often but never certain, so the objective takes b and c.
    tables = [{"a": "xxy", "b": "xxx", "c": "yzx"}] * 3 + [{"a": "xxy", "b": "yzx", "c": "xxx"}] * 3
    tables += [{"a": "yyx", "b": "zyx", "c": "xxx"}] + [{"a": "xxy", "b": "yzx", "c": "yzx"}] * 2
    page = Page(report(Recording.of(rows_of(tables)), sizes=[2], repeats=1))
    assert "Against a alone, the mux c + b wins 1 question and loses 2 (in-sample)." in page.text
    vote_tables = [
        table[1:] for region, table in zip(page.regions, page.tables, strict=True) if region.startswith("Votes")
    ]
    c_won = ["canswers for the mux", "x", "3 of 3", "✓ right"]
    c_lost = ["canswers for the mux", "y", "1 of 3", "✗ wrong"]
    assert vote_tables[0] == [c_won, ["b", "z", "1 of 3", "✗ wrong"], ["abest single model", "y", "2 of 3", "✗ wrong"]]
    lost = [c_lost, ["b", "y", "1 of 3", "✗ wrong"], ["abest single model", "x", "2 of 3", "✓ right"]]
    assert vote_tables[1:] == [lost, lost]
    assert {row[1] for row in page.table("way to answer")[1:]} == {"c", "b", "c, b"}
    many = Page(report(Recording.of(rows_of(tables * 8)), sizes=[2], repeats=1))
    outcomes = Counter(re.findall(r"q\d+: (won|lost)", many.text))
    assert "wins 8 questions and loses 16 (in-sample). 10 of them:" in many.text
    assert outcomes == {"won": 5, "lost": 5}


QUICK = {"repeats": 1, "n_resamples": 4}  # what is tested is the page, not the figures on it


@pytest.fixture(scope="module")
def rule_pool():
    """A pool from which a rule can be learned."""
    return Recording.of(rows_of(random_tables({"a": 0.7, "b": 0.6, "c": 0.4}, 120, seed=2)))


@pytest.fixture(scope="module")
def rule_selection(rule_pool):
    return select_complementary(rule_pool, sizes=[2, 3], rule="learned", **QUICK)


@pytest.fixture(scope="module")
def contested_source(rule_pool):
    return report(rule_pool, sizes=[2, 3], rule="learned", **QUICK)


@pytest.fixture(scope="module")
def contested(contested_source):
    return Page(contested_source)


def section(selection, size=None):
    """The section on one subset, parsed as a page."""
    return Page("".join(confidence(selection, selection.of_size(size))))


def test_the_section_on_rules_needs_a_rule(page, selection, contested):
    """By default rules are not compared; with `rule=` the page has two more pictures and tables."""
    assert confidence(selection, selection.best) == []
    for sentence in (
        "Decision rules and calibration",
        "All of this is for self-consistency; other rules follow below.",
    ):
        assert sentence not in page.text
        assert sentence in contested.text
    assert contested.tags["svg"] == page.tags["svg"] + 2


def test_the_contest_is_that_of_the_selection(contested, rule_selection):
    """Each rule has its held-out values, simplest first, and only the one that is served is marked."""
    subset = rule_selection.best
    head, *rows = contested.table("Accuracy of each rule, simplest first (held-out")
    assert head == ["rule", "accuracy (%)", "gain over the best single model, 95 % interval", "in words"]
    assert [row[0].removesuffix("served") for row in rows] == [
        "best single model", "self-consistency", "pooled", "learned"
    ]  # fmt: skip
    assert [row[0] for row in rows if "served" in row[0]] == [f"{subset.rule}served"]
    assert "The rule asked for is served, whichever did best here: learned." in contested.text
    for row, result in zip(rows, subset.contest.values(), strict=True):
        assert row[1] == f"{100 * result.accuracy:.1f}"
        figures = [float(figure) for figure in re.findall(r"[+-]\d+\.\d", row[2])]
        assert figures == pytest.approx(
            [100 * result.gain, 100 * result.low, 100 * result.high][: len(figures)], abs=0.051
        )
        assert len(figures) == (3 if result is not subset.contest["single"] else 0)


held_outs = st.builds(
    HeldOut, accuracy=st.floats(0, 1), single=st.floats(0, 1), gain=st.sampled_from([-0.05, 0.0, 0.05]),
    low=st.sampled_from([-0.1, -0.06, 0.01]), high=st.sampled_from([-0.01, 0.06, 0.1]), folds=st.just(5),
    repeats=st.just(4),
)  # fmt: skip


@given(held_outs.filter(lambda result: result.low <= result.gain <= result.high))
def test_words_say_what_the_interval_does(result):
    """The words claim better or worse without a "maybe" only if the whole interval is, and never without one."""
    alone = select_complementary(Recording.of(rows_of([{"a": "xxy"}])))
    for estimate in (result, replace(result, low=None, high=None)):
        subset = Subset(
            models=("a", "b"), objective=0, union=0, contradiction=0, floor=0, ceiling=0, accuracy=0, samples={},
            contest={"single": estimate, "learned": estimate}, rule="learned",
        )  # fmt: skip
        page = Page("".join(confidence(alone, subset)))
        *_, figures, words = page.table("Accuracy of each rule")[2]
        is_sure = estimate.interval is not None and not result.low <= 0 <= result.high
        assert ("maybe by chance" in words) == (not is_sure and result.gain != 0)
        assert ("better" in words) == (result.gain >= 0)
        assert ("loses" in words) == (result.gain < 0)
        assert (" to " in figures) == (estimate.interval is not None)


def test_the_table_of_calibration_compares_both_probabilities(contested, rule_selection):
    """Raw confidence and learned probability are compared with their own answers, with both errors."""
    foretold = rule_selection.best.foretold
    _, *rows = contested.table("Calibration (held-out)")
    expected = [
        ("raw confidence", foretold.confidence, foretold.right_by_confidence),
        ("learned probability", foretold.probability, foretold.right),
    ]
    for row, (name, probability, right) in zip(rows, expected, strict=True):
        errors = expected_calibration_error(probability, right), brier(probability, right)
        assert row == [
            name, f"{100 * np.mean(probability):.1f}", f"{100 * np.mean(right):.1f}", *(f"{error:.3f}" for error in errors)
        ]  # fmt: skip


def test_thresholds_are_those_of_the_selection_or_not_reached(contested, rule_selection):
    """Rows have p, accuracy with its interval and the share answered; few answers are marked as few."""
    for size in (2, 3):
        page = section(rule_selection, size)
        (head, *rows) = page.table("Answer only if p is at least ... (held-out)")
        assert head[-1] == f"answers to {len(rule_selection.of_size(size).foretold.right)} questions"
        assert [row[0] for row in rows] == ["80 %", "90 %", "95 %"]
        for row, target in zip(rows, TARGETS, strict=True):
            threshold = rule_selection.threshold(target_accuracy=target, size=size)
            answers = round(threshold.answered * 120)
            assert row[1:] == [
                f"{threshold.p:.3f}",
                f"{100 * threshold.accuracy:.1f} ({100 * threshold.low:.1f} to {100 * threshold.high:.1f})",
                f"{100 * threshold.answered:.1f}",
                f"{answers}{'too few to rely on' if answers < 30 else ''}",
            ]
    foretold = rule_selection.best.foretold
    assert contested.table("Answer only") == section(rule_selection, len(rule_selection.best.models)).table(
        "Answer only"
    )
    sure = replace(
        rule_selection, by_size={2: replace(rule_selection.by_size[2], foretold=replace(foretold, right=(True,) * 120))}
    )
    assert section(sure, 2).figures[1].count("p ≥") == 1  # three rows with one threshold, which is marked once
    foretold = replace(foretold, right=(False,) * 120)
    by_size = {size: replace(subset, foretold=foretold) for size, subset in rule_selection.by_size.items()}
    hopeless = replace(rule_selection, by_size=by_size)
    assert thresholds(hopeless, 2) == dict.fromkeys(TARGETS)
    assert [row[1:] for row in section(hopeless, 2).table("Answer only")[1:]] == [["not reached", "-", "-", "-"]] * 3


def test_without_a_probability_the_section_says_how_to_get_one(rule_pool, rule_selection, undrawn):
    """A pooled vote gives no probability; the section names the learned rule."""
    page = Page(report(rule_pool, sizes=[2], rule="pooled", repeats=1))
    assert 'give no probability that an answer is right. A learned rule does: pass rule="learned"' in page.text
    assert page.tags["svg"] == 5
    assert len(page.table("Accuracy of each rule")) == 4
    for rule in ("pooled", "learned"):
        hint = f'The rule that is served is {rule}, which gives no probability; to get one, make the mux with rule="learned".'
        text = Page("".join(confidence(rule_selection, replace(rule_selection.best, rule=rule)))).text
        assert (hint in text) == (rule == "pooled")


HOSTILE = ['<script>alert("a")</script>', "a&b\"c'd", r"$\frac$ _x", "</svg></style><b onload=1> \U0001f600"]


@pytest.fixture(scope="module")
def hostile():
    """A pool in which every text attacks the page."""
    tables = random_tables(dict.fromkeys(HOSTILE, 0.5), 40, seed=1)
    rows = [
        replace(
            row,
            question_id=f"<i>{row.question_id}&",
            question=f"<script>steal()</script> {row.question_id} a < b & 'c' \"d\"\r\n\tnext\x00\u202eline \U0001f600",
            gold="<x>",
            answer="<x>" if row.answer == GOLD else {"<y>": [row.answer, "&"]},
            dataset=f"<u>{int(row.question_id[1:]) % 2}&amp;",
        )
        for row in rows_of(tables)
    ]
    return Recording.of([*rows], {"system_prompt": "</pre><script>alert(1)</script>", "extract": "<b>"})


@pytest.mark.parametrize("rule", short_form(["self-consistency", "learned"], lambda rule: rule == "self-consistency"))
def test_every_text_is_escaped(hostile, rule):
    """Labels, questions, answers, gold, datasets and settings appear literally and make no element."""
    source = report(hostile, rule=rule, repeats=1)
    page = Page(source)
    assert not set(page.tags) & {"script", "i", "u", "b", "x"}
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for label in HOSTILE:
        assert label in page.text
    assert "<script>steal()</script> q" in page.text
    assert "a < b & 'c' \"d\"\n    next\ufffd\ufffdline \U0001f600" in page.text
    assert "</pre><script>alert(1)</script>" in page.text
    assert "Right answer: <x>" in page.text
    assert '{"<y>": ["' in page.text
    assert "<u>0&amp; (20 questions)" in page.text
    assert "\x00" not in source
    assert "\u202e" not in source
    assert source.count("<svg") == source.count("</svg>") == (5 if rule == "self-consistency" else 7)


def test_long_texts_are_cut_and_missing_answers_named(undrawn):
    """A long question is cut, and a missing answer is written as such in its cell."""
    tables = [{"a": ["y" * 200, "z"], "b": "xx"}, {"a": "xx", "b": "yx"}, {"a": "xx", "b": "yx"}]
    page = Page(report(Recording.of(rows_of(tables, question="w" * 1300)), sizes=[2], repeats=1))
    assert max(len(text) for text in page.texts if set(text) <= {"w", "…"}) == 1200
    cells = [cell for table in page.tables for row in table for cell in row]
    assert "y" * 159 + "…" in cells
    page = Page(report(Recording.of(rows_of([{"a": [None], "b": "x"}, {"a": "x", "b": "y"}])), sizes=[2], repeats=1))
    assert "(no answer)" in {cell for table in page.tables for row in table for cell in row}


def test_the_same_recording_makes_the_same_page(pool, source, tmp_path):
    """The page is the same byte for byte under any matplotlib settings, and the file equals the result."""
    file = tmp_path / "report.html"
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 30, "svg.fonttype": "path", "axes.linewidth": 7}):
        assert report(pool, file, repeats=2) == source
    assert file.read_bytes() == source.encode()


def test_a_gain_of_zero_has_no_minus():
    """A gain that rounds to zero is not shown as a loss."""
    assert [points(share) for share in (-0.0001, 0.0, 0.0051, -0.01)] == ["+0.0", "+0.0", "+0.5", "-1.0"]


def test_another_process_makes_the_same_page(rule_pool, contested_source, tmp_path):
    """Neither the order of a set nor a date changes the page."""
    rule_pool.save(tmp_path / "learned.jsonl")
    code = (
        "import sys, hashlib; from slmmux import Recording; from slmmux.report import report; "
        "page = report(Recording.load(sys.argv[1]), sizes=[2, 3], rule='learned', repeats=1, n_resamples=4); "
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "learned.jsonl"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "0"},
    )  # fmt: skip
    assert result.stdout.strip() == hashlib.sha256(contested_source.encode()).hexdigest()


def test_one_model_makes_a_page():
    """One model and one question make a page that says which parts are missing."""
    source = report(Recording.of(rows_of([{"a": "xxy"}])))
    page = Page(source)
    assert "Cannot tell yet: no mux was looked at" in page.text
    assert "1 model was asked 1 question with known answers, 3 times." in page.text
    assert "There is no held-out estimate" in page.text
    assert "Questions that the mux wins or loses" not in page.text
    assert "Accuracy by dataset" not in page.text
    assert "Settings" not in page.text
    assert page.tags["svg"] == 4


def test_a_mux_that_changes_nothing_says_so(undrawn):
    """If no question is won or lost, none is shown; a mux is reported even if one model is best."""
    page = Page(report(Recording.of(rows_of([{"a": "xx", "b": "x"}, {"a": "xx", "b": "y"}]))))
    assert "wins 0 questions and loses 0 (in-sample)." in " ".join(page.text.split())
    assert "asked 2 questions with known answers, 1 to 2 times." in page.text
    assert not any(region.startswith("Votes") for region in page.regions)
    assert "parts; models are chosen on all parts but one" in page.text


def test_k_and_gaps_are_stated(pool):
    """Only the first k samples count; omitted questions are counted, and a gap is an error unless dropped."""
    with pytest.raises(RecordingError, match="has 2 of 3 samples"):
        report(Recording.of(row for row in pool.rows if (row.question_id, row.sample_index) != ("q7", 2)))
    for gaps, words in (({"q59"}, "1 question of 60 is"), ({"q7", "q9"}, "2 questions of 60 are")):
        rows = [row for row in pool.rows if row.model != "b" or row.question_id not in gaps or not row.sample_index]
        rows = [
            row for row in rows if (row.model, row.question_id) != ("c", "q8")
        ]  # of a model that is left out anyway
        page = Page(report(Recording.of(rows), samples=2, models=["a", "b"], missing="drop", repeats=1))
        assert f"{words} left out because a model lacks samples." in page.text
        assert "2 models were each asked" in page.text
        assert {row[1] for row in page.table("Each model")[1:]} == {"2"}
        assert "K = 2: " in page.text
        assert "c" not in {row[0] for row in page.table("Each model")}


def test_answers_compared_in_pairs_have_no_scaling(pool, undrawn):
    """The page says why it has no scaling; with a caller's `same` it has one."""
    pairs = Recording.of(pool.rows, {"agreement": "math"})
    page = Page(report(pairs, models=["a", "b"], repeats=1))
    assert page.tags["svg"] == 4
    assert "its answers were compared in pairs (math)" in page.text
    page = Page(report(pairs, models=["a", "b"], repeats=1, same=lambda a, b: a == b))
    assert page.tags["svg"] == 5


def test_a_search_that_ran_out_of_time_says_so(pool, monkeypatch, undrawn):
    """The page names the sizes whose best subset is not proved."""
    selection = select_complementary(pool, repeats=1)
    unsure = replace(selection, proved={1: True, 2: False, 3: False}, bounds={2: 0.87654, 3: 0.9})
    monkeypatch.setattr(module, "select_complementary", lambda *_, **__: unsure)
    assert (
        "ran out of time for K = 2 (none has an objective above 87.7 %), K = 3 (none has an objective above 90.0 %): "
        "a better subset may exist." in Page(report(pool)).text
    )


def test_bad_arguments_are_refused(pool, tmp_path, monkeypatch):
    """The errors are those of a selection; without matplotlib nothing is counted or written."""
    with pytest.raises(RecordingError, match="holds no samples"):
        report(Recording.of([]))
    with pytest.raises(ArgumentError, match="but the pool has 3 models"):
        report(pool, sizes=[4])
    with pytest.raises(ArgumentError, match="penalty"):
        report(pool, penalty=-1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ArgumentError, match=r'pip install "slmmux\[plot\]"'):
        report(pool, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
