"""The page of a recording: what it says is what was counted, and nothing in it is fetched, run, or left unescaped."""

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
from slmmux.recording._arrays import arrays_of
from slmmux.report import Changed, by_dataset, changed, recorded, report
from slmmux.report import _report as module
from slmmux.report._confidence import TARGETS, confidence, thresholds
from slmmux.report._page import points
from slmmux.selection import HeldOut

GOLD = "x"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """A page, read strictly: every tag is closed where it should be."""

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


def drawn(shares, questions, samples=3, seed=0):
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
    """Three models of one strength: the mux of two or three changes many questions."""
    tables = drawn({"a": 0.5, "b": 0.5, "c": 0.5}, 60)
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


answer = st.sampled_from(["x", "y", "z", None])
tables_of_two = st.lists(
    st.tuples(st.lists(answer, min_size=3, max_size=3), st.lists(answer, min_size=2, max_size=2)).map(
        lambda members: dict(zip("ab", members, strict=True))
    ),
    min_size=1,
    max_size=6,
)


@given(tables_of_two)
def test_what_the_mux_changes_is_algorithm_1_against_a_vote(tables):
    """The questions on which Algorithm 1 and the single model's vote are not alike right, and which way."""
    expected = []
    for q, table in enumerate(tables):
        mux = algorithm_1({"b": table["b"], "a": table["a"]})[1] == GOLD
        alone = most_frequent(table["a"])[1] == GOLD
        if mux != alone:
            expected.append(Changed(f"q{q}", mux))
    assert changed(arrays_of(Recording.of(rows_of(tables))), ["b", "a"], "a") == tuple(expected)


@given(tables_of_two, st.lists(st.sampled_from(["one", "two", None]), min_size=6, max_size=6))
def test_a_dataset_has_its_own_share(tables, datasets):
    """Questions and shares by dataset are a plain count."""
    rows = [replace(row, dataset=datasets[int(row.question_id[1:])]) for row in rows_of(tables)]
    recording = Recording.of(rows)
    arrays = arrays_of(recording)
    expected = {}
    for table, dataset in zip(tables, datasets, strict=False):
        expected.setdefault(dataset or "no dataset named", []).append(most_frequent(table["a"])[1] == GOLD)
    found = by_dataset(recording, arrays, arrays.votes.right[0])
    assert found == {name: (len(right), pytest.approx(np.mean(right))) for name, right in expected.items()}


def test_what_was_recorded_is_counted():
    """Failures, silence, tokens, seconds and temperatures of the samples that count, and of no others."""
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


def test_the_page_needs_nothing_else(source, page):
    """Every tag is closed, nothing is fetched or run, and every reference is to the page itself."""
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


def test_the_page_fits_a_phone_and_the_dark(source, page):
    """Drawings have no width of their own, tables scroll by themselves, and text has the page's own colour."""
    assert page.tags["svg"] == 4
    assert not [name for tag, name, _ in page.attributes if tag == "svg" and name in {"width", "height"}]
    assert len(page.regions) == page.tags["table"]
    assert "prefers-color-scheme: dark" in source
    body = source[source.index("<body>") :]
    assert "#1b1f24" not in body
    assert "currentColor" in body
    assert body.count("<style") == 0


def test_the_verdict_stands_first(source, selection):
    """The verdict of the selection, as a sentence, before anything else but the question."""
    verdict = selection.verdict[0].upper() + selection.verdict[1:] + "."
    body = source[source.index("<main>") :]
    assert re.match(r'<main><h1>[^<]*</h1><p class="verdict">' + re.escape(verdict) + "</p>", body)


@pytest.mark.parametrize("kind", ["page", "contested"])
def test_every_table_and_figure_says_what_it_was_counted_on(kind, request):
    """In-sample or held-out is said by each table, each drawing and each caption under one."""
    page = request.getfixturevalue(kind)
    assert len(page.tables) > 10
    for region, table in zip(page.regions, page.tables, strict=True):
        assert re.search("in-sample|held-out", region + " ".join(table[0]))
    assert len(page.figures) == {"page": 4, "contested": 6}[kind]
    for figure in page.figures:
        *inside, caption = figure.strip().split("\n")
        assert re.search("in-sample|held-out", " ".join(inside))
        assert re.search("[Ii]n-sample|[Hh]eld-out", caption)


def test_the_table_of_sizes_is_the_selection(page, selection):
    """A row a size with the selection's own figures, and the best single model beside them."""
    head, second, *rows = page.table("by number of models")
    assert head[2:4] == ["in-sample (%)", "held-out (%)"]
    assert second == ["objective", "union", "contradiction", "floor", "ceiling", "accuracy",
                      "accuracy", "best single", "gain, 95 % interval"]  # fmt: skip
    assert [row[0] for row in rows] == ["1", "2", "3", "best single"]
    for row, subset in zip(rows, [*selection.by_size.values(), selection.single], strict=True):
        names = ("objective", "union", "contradiction", "floor", "ceiling", "accuracy")
        assert row[1] == " + ".join(subset.models)
        assert row[2:8] == [f"{100 * getattr(subset, name):.1f}" for name in names]
        if subset.held_out:
            seen = subset.held_out
            assert row[8:10] == [f"{100 * seen.accuracy:.1f}", f"{100 * seen.single:.1f}"]
            figures = [float(figure) for figure in re.findall(r"[+-]\d+\.\d", row[10])]
            assert figures == pytest.approx([100 * seen.gain, 100 * seen.low, 100 * seen.high], abs=0.051)
    assert rows[-1][8:11] == ["-", "-", "-"]
    assert "-0.0 " not in page.text


def test_the_baselines_are_those_of_the_mux(page, pool, selection):
    """The rows of `baselines()` with the members that were chosen."""
    _, *rows = page.table("way to answer")
    expected = baselines(pool, selection.best.models)
    assert [(row[0], row[2], row[3]) for row in rows] == [
        (row.name, f"{row.samples:.1f}", f"{100 * row.accuracy:.1f} %") for row in expected
    ]


def test_models_and_datasets_stand_best_first(page, pool):
    """What was recorded of each model, each model and the mux on each dataset, and the pairs of models."""
    arrays = arrays_of(pool)
    accuracy = dict(zip(arrays.models, arrays.votes.right.mean(axis=1), strict=True))
    order = sorted(accuracy, key=lambda model: -accuracy[model])
    assert order != list(pool.models)
    pairs = [text for text in page.figures[3].split("\n") if text in pool.models]
    assert pairs == order * 2
    _, *rows = page.table("Each model, best first")
    assert [(row[0], row[-1]) for row in rows] == [(model, f"{100 * accuracy[model]:.1f} %") for model in order]
    assert {tuple(row[1:6]) for row in rows} == {("3", "-", "180", "0", "0.0 %")}
    head, *rows = page.table("each dataset")
    assert head == ["model", "first (40 questions)", "second (20 questions)"]
    assert [row[0] for row in rows[:3]] == order
    assert rows[3][0].startswith("mux: ")
    right = arrays.votes.right[arrays.models.index(order[0])]
    assert rows[0][1:] == [f"{100 * right[:40].mean():.1f} %", f"{100 * right[40:].mean():.1f} %"]


def test_ten_changed_questions_are_shown_with_who_said_what(source, page, pool, selection):
    """Both kinds, the speaker, every member's vote and count, the best single model, right and wrong."""
    arrays = arrays_of(pool)
    mux, single = selection.best.models, selection.single.models[0]
    found = {c.question: c.won for c in changed(arrays, mux, single)}
    won = sum(found.values())
    assert f"wins {won} questions and loses {len(found) - won} (in-sample). 10 of them:" in page.text
    shown = dict(re.findall(r"<h3>(q\d+): (won|lost)</h3>", source))
    assert len(shown) == 10
    lost = min(5, len(found) - won)
    assert Counter(shown.values()) == {"won": 10 - lost, "lost": lost}
    assert lost > 1
    places = [arrays.questions.index(question) for question in shown]
    assert places == sorted(places)
    said = [table for region, table in zip(page.regions, page.tables, strict=True) if region.startswith("Who said")]
    assert len(said) == 10
    for (question, outcome), (_, *rows) in zip(shown.items(), said, strict=True):
        assert found[question] == (outcome == "won")
        table = {model: [row.answer for row in rows] for model, rows in pool.by_question[question].items()}
        speaker = algorithm_1({model: table[model] for model in mux})[0]
        for model, row in zip(mux, rows, strict=True):
            confidence, answer, _ = most_frequent(table[model])
            assert row[0].startswith(model)
            assert ("answers for the mux" in row[0]) == (model == speaker)
            assert ("best single model" in row[0]) == (model == single)
            assert row[1:] == [answer, f"{round(3 * confidence)} of 3", "✓ right" if answer == GOLD else "✗ wrong"]


def test_the_single_model_outside_the_mux_is_shown_beside_it():
    """Where the best single model is no member, its vote stands last and never answers for the mux."""
    # a is right most often but never sure, so the objective takes b and c.
    tables = [{"a": "xxy", "b": "xxx", "c": "yzx"}] * 3 + [{"a": "xxy", "b": "yzx", "c": "xxx"}] * 3
    tables += [{"a": "yyx", "b": "zyx", "c": "xxx"}] + [{"a": "xxy", "b": "yzx", "c": "yzx"}] * 2
    page = Page(report(Recording.of(rows_of(tables)), sizes=[2], repeats=1))
    assert "Against a alone the mux c + b wins 1 question and loses 2 (in-sample)." in page.text
    said = [table[1:] for region, table in zip(page.regions, page.tables, strict=True) if region.startswith("Who said")]
    c_won = ["canswers for the mux", "x", "3 of 3", "✓ right"]
    c_lost = ["canswers for the mux", "y", "1 of 3", "✗ wrong"]
    assert said[0] == [c_won, ["b", "z", "1 of 3", "✗ wrong"], ["abest single model", "y", "2 of 3", "✗ wrong"]]
    lost = [c_lost, ["b", "y", "1 of 3", "✗ wrong"], ["abest single model", "x", "2 of 3", "✓ right"]]
    assert said[1:] == [lost, lost]
    assert {row[1] for row in page.table("way to answer")[1:]} == {"c", "b", "c, b"}
    many = Page(report(Recording.of(rows_of(tables * 8)), sizes=[2], repeats=1))
    shown = Counter(re.findall(r"q\d+: (won|lost)", many.text))
    assert "wins 8 questions and loses 16 (in-sample). 10 of them:" in many.text
    assert shown == {"won": 5, "lost": 5}


@pytest.fixture(scope="module")
def learned():
    """A pool of which a rule can be learned."""
    return Recording.of(rows_of(drawn({"a": 0.7, "b": 0.6, "c": 0.4}, 120, seed=2)))


@pytest.fixture(scope="module")
def fitted(learned):
    return select_complementary(learned, sizes=[2, 3], rule="learned", repeats=1)


@pytest.fixture(scope="module")
def contested_source(learned):
    return report(learned, sizes=[2, 3], rule="learned", repeats=1)


@pytest.fixture(scope="module")
def contested(contested_source):
    return Page(contested_source)


def section(selection, size=None):
    """The section on one subset, as a page of its own."""
    return Page("".join(confidence(selection, selection.of_size(size))))


def test_a_page_has_no_section_on_confidence_unless_a_rule_is_asked_for(page, selection, contested):
    """By default nothing is held against the rule of the paper; with `rule=` there are two pictures and tables more."""
    assert confidence(selection, selection.best) == []
    for said in ("A confidence to act on", "All of it by self-consistency; other rules stand further down."):
        assert said not in page.text
        assert said in contested.text
    assert contested.tags["svg"] == page.tags["svg"] + 2


def test_the_contest_is_that_of_the_selection(contested, fitted):
    """Each way to decide with its held-out figures, simplest first; the winner alone is marked."""
    subset = fitted.best
    head, *rows = contested.table("Each rule, simplest first (held-out")
    assert head == ["rule", "accuracy (%)", "gain over the best single, 95 % interval", "in words"]
    assert [row[0].removesuffix("best rule") for row in rows] == [
        "best single model", "self-consistency", "pooled", "learned"
    ]  # fmt: skip
    assert [row[0] for row in rows if "best rule" in row[0]] == [f"{subset.rule}best rule"]
    for row, seen in zip(rows, subset.contest.values(), strict=True):
        assert row[1] == f"{100 * seen.accuracy:.1f}"
        figures = [float(figure) for figure in re.findall(r"[+-]\d+\.\d", row[2])]
        assert figures == pytest.approx([100 * seen.gain, 100 * seen.low, 100 * seen.high][: len(figures)], abs=0.051)
        assert len(figures) == (3 if seen is not subset.contest["single"] else 0)


held = st.builds(
    HeldOut, accuracy=st.floats(0, 1), single=st.floats(0, 1), gain=st.sampled_from([-0.05, 0.0, 0.05]),
    low=st.sampled_from([-0.1, -0.06, 0.01]), high=st.sampled_from([-0.01, 0.06, 0.1]), folds=st.just(5),
    repeats=st.just(4),
)  # fmt: skip


@given(held.filter(lambda seen: seen.low <= seen.gain <= seen.high))
def test_words_say_what_the_interval_does(fitted, seen):
    """Better or worse outright only where the whole interval is; and a best rule that does not win says not to mux."""
    subset = replace(fitted.best, rule="learned", foretold=None, contest={"single": seen, "learned": seen})
    page = Page("".join(confidence(fitted, subset)))
    (*_, words) = page.table("Each rule")[2]
    assert ("maybe by chance" in words) == (seen.low <= 0 <= seen.high and seen.gain != 0)
    assert ("better" in words) == (seen.gain >= 0)
    assert ("loses" in words) == (seen.gain < 0)
    assert ("do not mux" in page.text) == (seen.gain <= 0)


def test_what_was_said_is_held_against_what_came(contested, fitted):
    """Raw confidence and the learned probability, each with its own answers, and both errors of each."""
    told = fitted.best.foretold
    _, *rows = contested.table("How far what was said is from what came true (held-out)")
    expected = [
        ("raw confidence", told.confidence, told.right_by_confidence),
        ("learned probability", told.probability, told.right),
    ]
    for row, (name, said, right) in zip(rows, expected, strict=True):
        errors = expected_calibration_error(said, right), brier(said, right)
        assert row == [
            name, f"{100 * np.mean(said):.1f}", f"{100 * np.mean(right):.1f}", *(f"{error:.3f}" for error in errors)
        ]  # fmt: skip


def test_thresholds_are_those_of_the_selection_or_not_reached(contested, fitted):
    """p, accuracy with its interval, and what is still answered; few answers are said to be few."""
    for size in (2, 3):
        page = section(fitted, size)
        (head, *rows) = page.table("To answer only from a probability p on (held-out)")
        assert head[-1] == f"of {len(fitted.of_size(size).foretold.right)} questions"
        assert [row[0] for row in rows] == ["80 %", "90 %", "95 %"]
        for row, target in zip(rows, TARGETS, strict=True):
            found = fitted.threshold(target_accuracy=target, size=size)
            answers = round(found.answered * 120)
            assert row[1:] == [
                f"{found.p:.3f}",
                f"{100 * found.accuracy:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})",
                f"{100 * found.answered:.1f}",
                f"{answers}{'too few to rely on' if answers < 30 else ''}",
            ]
    told = fitted.best.foretold
    assert contested.table("To answer only") == section(fitted, len(fitted.best.models)).table("To answer only")
    sure = replace(fitted, by_size={2: replace(fitted.by_size[2], foretold=replace(told, right=(True,) * 120))})
    assert section(sure, 2).figures[1].count("p ≥") == 1  # three rows of one threshold, which is marked once
    told = replace(told, right=(False,) * 120)
    by_size = {size: replace(subset, foretold=told) for size, subset in fitted.by_size.items()}
    hopeless = replace(fitted, by_size=by_size)
    assert thresholds(hopeless, 2) == dict.fromkeys(TARGETS)
    assert [row[1:] for row in section(hopeless, 2).table("To answer only")[1:]] == [["not reached", "-", "-", "-"]] * 3


def test_without_a_probability_the_section_says_how_to_get_one(learned, fitted):
    """One vote of all samples can win and foretells nothing; a fitted rule that lost is to be asked for by name."""
    page = Page(report(learned, sizes=[2], rule="pooled", repeats=1))
    assert 'says how probable it is that its answer is right. A fitted one does: ask for rule="learned"' in page.text
    assert page.tags["svg"] == 4
    assert len(page.table("Each rule")) == 4
    for rule in ("pooled", "learned"):
        lost = f'Best at deciding is {rule}, which says no probability: to act on one, ask the mux for rule="learned".'
        text = Page("".join(confidence(fitted, replace(fitted.best, rule=rule)))).text
        assert (lost in text) == (rule == "pooled")


HOSTILE = ['<script>alert("a")</script>', "a&b\"c'd", r"$\frac$ _x", "</svg></style><b onload=1> \U0001f600"]


@pytest.fixture(scope="module")
def hostile():
    """A pool whose every text is an attack on the page."""
    tables = drawn(dict.fromkeys(HOSTILE, 0.5), 40, seed=1)
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


@pytest.mark.parametrize("rule", ["self-consistency", "learned"])
def test_every_text_is_escaped(hostile, rule):
    """Labels, questions, answers, gold, datasets and settings are shown as they stand, and make no element."""
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
    assert source.count("<svg") == source.count("</svg>") == (4 if rule == "self-consistency" else 6)


def test_what_is_long_is_cut_and_silence_is_said():
    """A question of a whole page does not push the rest away; silence is no empty cell of a table."""
    tables = [{"a": ["y" * 200, "z"], "b": "xx"}, {"a": "xx", "b": "yx"}, {"a": "xx", "b": "yx"}]
    page = Page(report(Recording.of(rows_of(tables, question="w" * 1300)), sizes=[2], repeats=1))
    assert max(len(text) for text in page.texts if set(text) <= {"w", "…"}) == 1200
    cells = [cell for table in page.tables for row in table for cell in row]
    assert "y" * 159 + "…" in cells
    page = Page(report(Recording.of(rows_of([{"a": [None], "b": "x"}, {"a": "x", "b": "y"}])), sizes=[2], repeats=1))
    assert "(no answer)" in {cell for table in page.tables for row in table for cell in row}


def test_the_same_recording_makes_the_same_page(pool, source, tmp_path):
    """Byte for byte, whatever matplotlib's settings are, and what is written is what is returned."""
    file = tmp_path / "report.html"
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 30, "svg.fonttype": "path", "axes.linewidth": 7}):
        assert report(pool, file, repeats=2) == source
    assert file.read_bytes() == source.encode()


def test_nothing_has_no_minus():
    """A gain that rounds to nothing is no loss."""
    assert [points(share) for share in (-0.0001, 0.0, 0.0051, -0.01)] == ["+0.0", "+0.0", "+0.5", "-1.0"]


def test_another_process_makes_the_same_page(pool, source, learned, contested_source, tmp_path):
    """No order of a set and no date gets into it, with a learned rule or without."""
    pool.save(tmp_path / "pool.jsonl")
    learned.save(tmp_path / "learned.jsonl")
    code = (
        "import sys, hashlib; from slmmux import Recording; from slmmux.report import report; "
        "pages = report(Recording.load(sys.argv[1]), repeats=2), "
        "report(Recording.load(sys.argv[2]), sizes=[2, 3], rule='learned', repeats=1); "
        "print(*(hashlib.sha256(page.encode()).hexdigest() for page in pages))"
    )
    made = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "pool.jsonl", tmp_path / "learned.jsonl"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "0"},
    )  # fmt: skip
    assert made.stdout.split() == [hashlib.sha256(page.encode()).hexdigest() for page in (source, contested_source)]


def test_one_model_is_a_page_too():
    """No mux, no pairs, one question, nothing held out: what there is is shown and what is missing is said."""
    source = report(Recording.of(rows_of([{"a": "xxy"}])))
    page = Page(source)
    assert "No mux was looked at" in page.text
    assert "1 model was asked 1 question with known answers, 3 times." in page.text
    assert "Nothing could be held out" in page.text
    assert "Questions that the mux changed" not in page.text
    assert "By dataset" not in page.text
    assert "Settings" not in page.text
    assert page.tags["svg"] == 3


def test_a_mux_that_changes_nothing_says_so():
    """No question is shown where none was won or lost; a mux is what is reported even where one model is best."""
    page = Page(report(Recording.of(rows_of([{"a": "xx", "b": "x"}, {"a": "xx", "b": "y"}]))))
    assert "wins 0 questions and loses 0 (in-sample)." in " ".join(page.text.split())
    assert "asked 2 questions with known answers, 1 to 2 times." in page.text
    assert not any(region.startswith("Who said") for region in page.regions)
    assert "parts, models are chosen on all parts but one" in page.text


def test_k_and_gaps_are_said(pool):
    """The first k count and no more; what is left out is counted, and a gap is an error unless it may be dropped."""
    with pytest.raises(RecordingError, match="has 2 of 3 samples"):
        report(Recording.of(row for row in pool.rows if (row.question_id, row.sample_index) != ("q7", 2)))
    for gaps, said in (({"q59"}, "1 question of 60 is"), ({"q7", "q9"}, "2 questions of 60 are")):
        rows = [row for row in pool.rows if row.model != "b" or row.question_id not in gaps or not row.sample_index]
        rows = [row for row in rows if (row.model, row.question_id) != ("c", "q8")]  # not among the models asked for
        page = Page(report(Recording.of(rows), samples=2, models=["a", "b"], missing="drop", repeats=1))
        assert f"{said} left out: not recorded in full of every model." in page.text
        assert "2 models were each asked" in page.text
        assert {row[1] for row in page.table("Each model")[1:]} == {"2"}
        assert "K = 2: " in page.text
        assert "c" not in {row[0] for row in page.table("Each model")}


def test_an_equality_that_was_no_key_has_no_scaling_but_says_why(pool):
    """Answers compared in pairs cannot be scaled; with a `same` of one's own they can."""
    pairs = Recording.of(pool.rows, {"agreement": "math"})
    page = Page(report(pairs, models=["a", "b"], repeats=1))
    assert page.tags["svg"] == 3
    assert "its answers were compared in pairs (math)" in page.text
    page = Page(report(pairs, models=["a", "b"], repeats=1, same=lambda a, b: a == b))
    assert page.tags["svg"] == 4


def test_a_search_that_ran_out_of_time_says_so(pool, monkeypatch):
    """What was not proved best is not passed off as such."""
    found = select_complementary(pool, repeats=1)
    unsure = replace(found, proved={1: True, 2: False, 3: False})
    monkeypatch.setattr(module, "select_complementary", lambda *_, **__: unsure)
    assert "ran out of time for K = 2, 3: something better may exist." in Page(report(pool)).text


def test_what_cannot_be_reported_is_refused(pool, tmp_path, monkeypatch):
    """As for a selection; and without matplotlib, before anything is counted or written."""
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
