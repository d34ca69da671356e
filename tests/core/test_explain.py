"""An explanation says what the decision rests on, alike in every form, and nothing in it is markup but its own."""

import io
import json
import random
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from slmmux import AbstainedError, Answer, ArgumentError, Decision, Explanation, NoAnswerError, Race, Vote, explain
from slmmux._decision.groups import classes, neighbourhoods
from slmmux._decision.record import record
from slmmux._display.html import GROUNDS, INK
from slmmux._display.live import Board

few = settings(max_examples=50)  # a page an example

OWN_TAGS = {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "span", "p"}
OWN_ATTRIBUTES = {"class", "scope", "style", "title", "dir"}
SILENT, FAILED, UNUSED = "SILENT", "FAILED", "UNUSED"


class Page(HTMLParser):
    """A fragment, read strictly: every tag is closed where it should be."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.rows, self.chips, self.css = [], [], ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs.items()
        self.open.append((tag, attrs))
        if tag == "tr":
            self.rows.append(attrs)
        if attrs.get("class") == "slmmux-chip":
            self.chips.append({"row": len(self.rows) - 2, "text": "", **attrs})

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open[-1][0] == "style":
            self.css += data
            return
        self.texts.append(data)
        if self.open[-1][1].get("class") == "slmmux-chip":
            self.chips[-1]["text"] += data

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def page(explanation):
    return Page(explanation._repr_html_())


def words(text):
    return Counter(text.split())


def decided(replies, **options):
    """Return the decision over {label: outcomes}; every call of it failing is no decision."""
    race = Race(
        {label: len(outcomes) for label, outcomes in replies.items()},
        lambda reply: None if reply == SILENT else Answer(reply, "text", reply.casefold()),
        wait=options.pop("wait", "exhausted"),
        **options,
    )
    while race.decision is None:
        for draw in race.ask():
            outcome = replies[draw.model][draw.index]
            if outcome == FAILED:
                race.fail(draw, ConnectionError("<refused>"))
            else:
                race.tell(draw, outcome)
    return race.decision


def entry_of(decision, **usage):
    return json.loads(json.dumps(record(decision, plan="parallel", extractor="text", usage=usage)))


nasty = st.sampled_from(
    [
        "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><b>", "' onmouseover='x", "a\nb", "&lt;",
        "<!-- x", "<![CDATA[", "\x1b[31m[bold]red", "\u202eevil", "\ud800", "x" * 100, "</td></tr></table>", "日本語",
    ]
)  # fmt: skip
texts = st.one_of(nasty, st.text(min_size=1, max_size=40), st.sampled_from(["4", "5", "Oslo", "oslo"]))
outcomes = st.one_of(texts, st.sampled_from(["4", "5", SILENT, FAILED]))
pools = st.dictionaries(texts, st.lists(outcomes, min_size=1, max_size=6), min_size=1, max_size=4).filter(
    lambda replies: any(outcome != FAILED for row in replies.values() for outcome in row)
)


@few
@given(pools)
def test_nothing_of_a_model_is_markup(replies):
    """Whatever members are called and write, only our own tags and attributes are there, and each is closed."""
    decision = decided(replies)
    for explanation in (explain(decision), explain(recorded_or_not(decision))):
        fragment = page(explanation)
        assert set(fragment.tags) <= OWN_TAGS
        assert {name for name, _ in fragment.attributes} <= OWN_ATTRIBUTES
        assert fragment.tags.count("style") == 1
        assert not re.search(r"url\(|@import|https?:|expression", fragment.css)
        # Every style is one of ours, to the letter: nothing of a text is in it.
        for name, value in fragment.attributes:
            if name == "style":
                assert re.fullmatch(r"[a-z0-9#:;.%\- ]+(color:inherit;border:\d.*|1px solid transparent)", value)
            if name == "class":
                assert value in {"slmmux-explained", "slmmux-table", "slmmux-speaks", "slmmux-chip", "slmmux-share"}
        visible = "".join(fragment.texts) + "".join(value for name, value in fragment.attributes if name == "title")
        assert all(c.isprintable() or c == "\n" for c in visible)


def recorded_or_not(decision):
    """Half a surrogate pair cannot be written to JSON and back alike: the record itself then."""
    return record(decision, plan="parallel", extractor="text", usage={})


@few
@given(pools)
def test_every_sample_is_a_chip_and_one_member_speaks(replies):
    """k chips a member, as many of each look as the vote counts; the winner is marked once, and not by colour alone."""
    decision = decided(replies)
    for explanation in (explain(decision), explain(recorded_or_not(decision))):
        fragment = page(explanation)
        by_row = Counter(chip["row"] for chip in fragment.chips)
        assert [by_row[i] for i in range(len(decision.votes))] == [vote.of for vote in decision.votes]
        for i, vote in enumerate(decision.votes):
            titles = Counter(
                chip["title"].split(":")[0] for chip in fragment.chips if chip["row"] == i and "title" in chip
            )
            assert titles["the reply contains no answer that could be read"] >= vote.abstained
            assert titles["the call failed"] >= vote.failed
            looks = Counter(chip.look for chip in explanation.members[i].chips)
            assert looks == +Counter(
                {
                    "answer": vote.of - vote.abstained - vote.failed - vote.unused, "no answer": vote.abstained,
                    "failed": vote.failed, "not needed": vote.unused,
                }
            )  # fmt: skip
        marked = [i for i, attrs in enumerate(fragment.rows[1:]) if attrs.get("class") == "slmmux-speaks"]
        assert [decision.votes[i].model for i in marked] == [decision.winner.model]
        assert sum(text.startswith("➜ ") for text in fragment.texts) == 1 + sum(
            text.startswith("➜ ") for text in [v.model for v in decision.votes if v.model != decision.winner.model]
        )


@few
@given(pools)
def test_text_and_html_say_the_same(replies):
    """The plain text has the words of the HTML and no others; the bars between chips and the marks apart."""
    explanation = explain(decided(replies))
    assert words(str(explanation).replace("|", " ")) == words(" ".join(page(explanation).texts).replace("|", " "))
    assert repr(explanation) == str(explanation)


@few
@given(pools)
def test_a_colour_is_an_answer(replies):
    """Equal answers have one colour over all members, different ones have different ones, in order of appearance."""
    decision = decided(replies)
    keys, colours = [], []
    for vote, member in zip(decision.votes, explain(decision).members, strict=True):
        by_index = {s.draw.index: s for s in decision.samples if s.draw.model == vote.model}
        for index, chip in enumerate(member.chips):
            answer = by_index[index].answer if index in by_index else None
            assert (chip.colour is None) == (answer is None)
            if answer is not None:
                keys.append(answer.key)
                colours.append(chip.colour)
    order = list(dict.fromkeys(keys))
    assert colours == [order.index(key) for key in keys]


@few
@given(st.dictionaries(st.text(min_size=1), st.lists(st.sampled_from(["4", "5", SILENT, FAILED]), min_size=1),
                       min_size=1, max_size=4), st.randoms())  # fmt: skip
def test_a_record_gives_the_same_colours_as_its_decision(replies, shuffled):
    """Only the order of a member's chips is not in a record; and one record is one page, however it was made."""
    try:
        decision = decided(replies)
    except NoAnswerError:
        return
    entry = entry_of(decision)
    one, second = explain(decision), explain(entry)
    assert [Counter(c.text for c in m.chips) for m in one.members] == [
        Counter(c.text for c in m.chips) for m in second.members
    ]
    assert (
        page(second).chips == page(explain({key: entry[key] for key in shuffled.sample(list(entry), len(entry))})).chips
    )
    assert second._repr_html_() == explain(entry_of(decided(replies)))._repr_html_()


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=6),
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] < pair[1])),
    st.sampled_from([classes, neighbourhoods]),
)
def test_where_equality_is_no_key_the_vote_has_one_colour(replies, pairs, group):
    """As many chips have the colour of the vote as it counts, whichever way answers that agree were grouped."""
    race = Race({"m": len(replies)}, lambda text: Answer(text, "text", text), wait="exhausted", group=group)
    for draw in race.ask():
        i = draw.index
        alike = {
            j: 1.0 if replies[j] == replies[i] else 0.95
            for j in range(i)
            if replies[j] == replies[i] or (j, i) in pairs
        }
        race.tell(draw, replies[i], (Answer(replies[i], "text", replies[i]), alike))
    (member,) = explain(race.decision).members
    assert race.decision.votes[0].count in Counter(chip.colour for chip in member.chips).values()


def test_the_order_in_which_samples_arrive_does_not_show():
    """A decision's chips stand by index."""
    race = Race({"a": 4}, lambda text: Answer(text, "text", text), wait="exhausted")
    draws = race.ask()
    random.Random(1).shuffle(draws)
    for draw in draws:
        race.tell(draw, "wxyz"[draw.index])
    assert [chip.text for chip in explain(race.decision).members[0].chips] == list("wxyz")


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, second):
    """WCAG 2.2, relative luminance and contrast ratio."""
    low, high = sorted((luminance(one), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", GROUNDS)
def test_every_chip_is_read_and_seen(ground):
    """A chip's text stands out from its ground (4.5), and its ground from a white page and from dark ones (3)."""
    assert contrast(INK, ground) >= 4.5
    for around in ("#ffffff", "#1e1e1e", "#111111", "#0d1117"):
        assert contrast(ground, around) >= 3
    assert len(set(GROUNDS)) == len(GROUNDS)


def test_only_chips_bring_colours():
    """Any other text, and a chip without a ground, is in the page's own colour: it is read wherever the page is."""
    replies = {"a": [f"answer {i}" for i in range(len(GROUNDS) + 2)], "b": [SILENT, FAILED]}
    fragment = page(explain(decided(replies)))
    grounds = [re.search(r"background-color:([^;]*);color:([^;]*);", chip["style"]).groups() for chip in fragment.chips]
    assert grounds == [(ground, INK) for ground in GROUNDS] + [("transparent", "inherit")] * 4
    assert set(re.findall(r"(?<![-\w])color: ?([^;}]*?) *[;}]", fragment.css)) == {"inherit"}
    assert "prefers-color-scheme" not in fragment.css
    assert set(re.findall(r"background: ?([^;}]*?) *[;}]", fragment.css)) == {"transparent"}


def test_what_is_no_answer_looks_like_none_and_says_why():
    """Samples without an answer have a border of their own and a title; a failed one's says what failed."""
    replies = {"a": ["4", SILENT, FAILED], "b": ["4", "4", "4"], "c": ["4"]}
    decision = decided(replies, plan="cascade", wait="settled")
    fragment = page(explain(decision))
    looks = {chip["text"]: (chip["style"].split("border:")[1], chip.get("title")) for chip in fragment.chips}
    assert looks == {
        "4": ("1px solid transparent", None),
        "no answer": ("1px dashed currentColor", "the reply contains no answer that could be read"),
        "failed": ("1px dotted currentColor", "the call failed: ConnectionError: <refused>"),
        "not needed": ("1px none currentColor", "never requested, or still outstanding at the decision"),
    }


def test_a_long_answer_is_cut_and_all_of_it_is_in_the_title():
    """A chip and a vote show the start and an ellipsis; the title has the whole text, its lines too."""
    long = 'def f():\n    return "<b>"  # ' + "x" * 80
    fragment = page(explain(decided({"a": [long]})))
    (chip,) = fragment.chips
    assert chip["text"] == 'def f(): return "<b>" #' + "…"
    assert chip["title"] == long
    assert [value for name, value in fragment.attributes if name == "title"] == [long, long]


OLD = {
    "model": "phi", "answer": "4", "confidence": 0.6, "probability": None, "decided_by": "confidence",
    "reason": "exhausted", "samples": {"planned": 8, "used": 7}, "plan": "parallel", "extractor": "number",
    "votes": [
        {"model": "qwen", "answer": None, "count": 0, "of": 3, "abstained": 1, "failed": 1, "unused": 1},
        {"model": "phi", "answer": "4", "count": 3, "of": 5, "abstained": 0, "failed": 0, "unused": 0},
    ],
    "usage": {"input_tokens": 85, "output_tokens": 36, "total_tokens": 121}, "equality": "canonical",
}  # fmt: skip


OLD_TEXT = """\
member  samples                                      vote
  qwen  no answer | failed | not needed              0/3  -
➜ phi   4 | 4 | 4 | another answer | another answer  3/5  4
phi speaks: confidence 0.60, decided by confidence (exhausted); 7 of 8 samples, 85 + 36 tokens"""


def test_a_record_of_an_older_version_has_its_vote():
    """Without `answers` a member's chips are its vote's, and as many as are left over are "another answer"."""
    assert str(explain(OLD)) == OLD_TEXT


SHORT = {"usage": None, "samples": None}
ESCALATION = {"model": "large", "usage": {"input_tokens": 9, "output_tokens": 2}, "error": None}


def altered(**keys):
    return {**OLD, **keys}


@pytest.mark.parametrize(
    ("keys", "sentences"),
    [
        ({"seconds": 1.62}, ["phi speaks: confidence 0.60, decided by confidence (exhausted); 7 of 8 samples, 85 + 36 tokens, 1.6 s"]),
        ({"probability": 0.934, "rule": "pooled"}, ["phi speaks: confidence 0.60, probability 0.93, decided by confidence under the pooled rule (exhausted); 7 of 8 samples, 85 + 36 tokens"]),
        ({"answer": "5", "rule": "learned"}, ['phi speaks for "5": confidence 0.60, decided by confidence under the learned rule (exhausted); 7 of 8 samples, 85 + 36 tokens']),
        ({"rule": "self-consistency", "outcome": "answered", "escalation": None, "usage": None}, ["phi speaks: confidence 0.60, decided by confidence (exhausted); 7 of 8 samples"]),
        ({"usage": None, "samples": None}, ["phi speaks: confidence 0.60, decided by confidence (exhausted)"]),
        ({**SHORT, "outcome": "abstained", "answer": None, "withheld": {"model": "phi", "answer": "4"}},
         ['phi would have answered "4": confidence 0.60, decided by confidence (exhausted)', "The mux abstains: the probability of this answer is too low to return it."]),
        ({**SHORT, "outcome": "escalated", "model": "large", "answer": "5", "withheld": {"model": "phi", "answer": "4"}, "escalation": ESCALATION},
         ['phi would have answered "4": confidence 0.60, decided by confidence (exhausted)', 'large was asked instead (9 + 2 tokens of these), and answered "5".']),
        ({**SHORT, "outcome": "escalated", "model": "large", "answer": None, "withheld": None, "escalation": {**ESCALATION, "usage": None}},
         ["No member replied", "large was asked instead, and answered nothing that could be read."]),
        ({**SHORT, "outcome": "answered", "escalation": {**ESCALATION, "error": "refused\n  large: <b>"}},
         ["phi speaks: confidence 0.60, decided by confidence (exhausted)", "large was asked as well, and failed: refused large: <b>"]),
        ({**SHORT, "outcome": "abstained", "answer": None, "withheld": {"model": "phi", "answer": None}, "escalation": {**ESCALATION, "error": ""}},
         ["phi would have answered nothing that could be read: confidence 0.60, decided by confidence (exhausted)", "large was asked as well, and failed: ",
          "The mux abstains: the probability of this answer is too low to return it."]),
        ({"equality": "math"}, [..., "Answers were compared by math, so answers of one vote can be worded differently."]),
    ],
)  # fmt: skip
def test_what_is_said_below(keys, sentences):
    """Who speaks and why, what it took as far as it is known, and what became of an answer that was not sure enough."""
    explanation = explain(altered(**keys))
    expected = [first if first is not ... else explanation.sentences[0] for first in sentences]
    assert list(explanation.sentences) == expected
    assert [text for text in page(explanation).texts if text in expected] == expected
    assert [member.speaks for member in explanation.members] == [False, "No member replied" not in expected]


def test_an_answer_of_any_json_is_shown_as_json():
    """Tool calls and parsed values are written as JSON, and equal ones have one colour."""
    calls = [{"name": "search", "args": {"q": "<b>"}}]
    votes = [
        {"model": m, "answer": calls, "count": 1, "of": 1, "abstained": 0, "failed": 0, "unused": 0,
         "answers": [[calls, 1]]} for m in "ab"
    ]  # fmt: skip
    explanation = explain(altered(votes=votes, model="a", answer=calls))
    assert [member.vote for member in explanation.members] == ['[{"name": "search", "ar…'] * 2
    assert {chip.colour for member in explanation.members for chip in member.chips} == {0}


def test_an_answer_that_is_no_json_is_shown_by_its_kind():
    """What a callable made of a reply and JSON has no form for does not keep the rest from being shown."""
    votes = [{"model": "a", "answer": {(1, 2): 3}, "count": 1, "of": 1, "abstained": 0, "failed": 0, "unused": 0}]
    assert explain(altered(votes=votes, model="a", answer={(1, 2): 3})).members[0].vote == "(dict)"


@pytest.mark.parametrize("wrap", [
    lambda r: r, lambda r: {"slmmux": r, "usage": {}}, lambda r: SimpleNamespace(response_metadata={"slmmux": r}),
    lambda r: SimpleNamespace(raw={"slmmux": r}), AbstainedError,
    lambda r: {"raw": SimpleNamespace(response_metadata={"slmmux": r}), "parsed": 4, "parsing_error": None},
])  # fmt: skip
def test_the_record_is_found_where_it_is(wrap):
    """The record itself, what holds it, a message, a response, an error, a structured output with its message."""
    assert explain(wrap(OLD)) == explain(OLD)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("4", "expected a result of a mux, received a value of type str without a record"),
        (None, "received a value of type NoneType without a record"),
        ({}, "received an empty dict without a record"),
        ({"a": 1}, "received a dict with the keys 'a' without a record"),
        ([OLD], "received a list (explain one result at a time) without a record"),
        (SimpleNamespace(response_metadata={}), "received a value of type SimpleNamespace without a record"),
        ({"votes": []}, "this record cannot be read: votes is []"),
        ({"votes": "x" * 500}, "this record cannot be read: votes is 'xxx"),
        ({"votes": [{}]}, "this record cannot be read: model is None"),
        (altered(votes=["a"]), "votes[0] is 'a'"),
        (altered(votes=[{}]), "votes[0]['model'] is None"),
        (altered(votes=[{**OLD["votes"][0], "of": 0}]), "votes[0]['of'] is 0"),
        (altered(votes=[{**OLD["votes"][0], "count": True}]), "votes[0]['count'] is True"),
        (altered(votes=[{**OLD["votes"][0], "answers": "abc"}]), "answers is 'abc'"),
        (altered(votes=[{**OLD["votes"][0], "answers": ["abc"]}]), "answers is 'abc'"),
        (altered(withheld={"model": "phi", "answer": "4"}, model=None), "model is None"),
        (altered(confidence="high"), "confidence is 'high'"),
    ],
)
def test_bad_input_is_a_sentence(given, sentence):
    """What was found, and what to pass instead."""
    with pytest.raises(ArgumentError) as refusal:
        explain(given)
    assert sentence in str(refusal.value)
    assert re.search(r"; pass (the message or response|a record as the mux wrote it)", str(refusal.value))
    assert len(str(refusal.value)) < 400


def test_a_record_that_counts_more_than_k_shows_k():
    """A record whose figures do not add up still has k chips a member."""
    row = {"model": "a", "answer": "4", "count": 2, "of": 3, "abstained": 2, "failed": 2, "unused": 0}
    for answers in ([["4", 2], ["5", 9]], [["4", 9]], []):
        explanation = explain(altered(votes=[{**row, "answers": answers}], model="a"))
        assert len(explanation.members[0].chips) == 3


def test_a_decision_shows_itself():
    """A notebook shows a decision as its explanation."""
    decision = decided({"a": ["4", "5", "4"]})
    assert decision._repr_html_() == explain(decision)._repr_html_()
    assert isinstance(explain(decision), Explanation)
    built = {name: getattr(decision, name) for name in Decision.__slots__ if name != "winner"}
    second = Decision(winner=Vote("a", "5", 1, 3, 0, 0, 0), **built)
    assert explain(second).sentences[0].startswith('a speaks for "5": confidence 0.33, ')


def render(renderable, **options):
    console = Console(file=io.StringIO(), legacy_windows=False, **options)
    console.print(renderable)
    return console.file.getvalue()


@few
@given(pools, st.integers(30, 120))
def test_a_terminal_shows_what_the_text_says(replies, width):
    """On a terminal the words are the text's, in lines no longer than it is wide, and nothing else reaches it."""
    explanation = explain(decided(replies))
    plain = render(explanation, width=200, color_system=None)
    fragment = [c for c in plain if not c.isspace()]
    assert Counter(fragment) == Counter(c for c in str(explanation) if not c.isspace())
    assert "\x1b" not in plain
    assert all(cell_len(line) <= width for line in render(explanation, width=width, color_system=None).splitlines())
    in_colour = render(explanation, width=width, color_system="truecolor", force_terminal=True)
    without = re.sub(r"\x1b\[[\d;]*m", "", in_colour)
    assert all(c.isprintable() or c == "\n" for c in without)


@pytest.mark.parametrize(
    ("system", "has_grounds"), [("truecolor", True), ("256", True), ("standard", False), (None, False)]
)
def test_chips_have_a_ground_where_the_terminal_has_the_colours(system, has_grounds):
    """With grounds chips need no bar between them; without, or where no colour is wanted, they have one."""
    explanation = explain(decided({"a": ["Oslo", "Bergen"]}))
    text = render(explanation, width=80, color_system=system, force_terminal=system is not None)
    assert ("48;" in text) == has_grounds
    assert ("|" in text) == (not has_grounds)
    unwanted = render(explanation, width=80, color_system="truecolor", force_terminal=True, no_color=True)
    assert "48;" not in unwanted
    assert "Oslo | Bergen" in re.sub(r"\x1b\[[\d;]*m", "", unwanted)


def test_columns_of_the_text_are_straight():
    """East Asian characters take two columns, those that combine none: each row's vote stands below the other's."""
    lines = str(
        explain(decided({"日本語": ["京都", "x"], "a\u0301b": ["e\u0301", "xyz"], "long": ["4", "5"]}))
    ).splitlines()
    assert len({cell_len(line[: re.search(r"vote|\d/2", line).start()]) for line in lines[:4]}) == 1


def test_a_chip_is_not_broken_where_a_line_holds_it():
    """Chips go on in the next line as wholes."""
    explanation = explain(decided({"a": ["New York City", "Los Angeles", "Rio de Janeiro"] * 3}))
    lines = render(explanation, width=50, color_system=None).splitlines()
    chips = [chip for line in lines[1:] for chip in re.findall(r"New York City|Los Angeles|Rio de Janeiro", line[:36])]
    assert len(lines) > 6
    assert Counter(chips) == {"New York City": 3, "Los Angeles": 3, "Rio de Janeiro": 3}


def test_the_board_ends_as_the_explanation():
    """`slmmux ask` ends with the table that `explain` shows, its samples as they were written and in their order."""
    replies = {"a": ["Oslo", "Bergen", "oslo", FAILED], "b": ["Oslo", SILENT]}
    decision = decided(replies)
    board = Board({"a": 4, "b": 2})
    waiting = render(board, width=100, color_system=None)
    assert waiting.count("·") == 6
    assert "asking ..." in waiting
    for sample in decision.samples:
        board.add_sample(sample)
    entry = {**entry_of(decision, input_tokens=4, output_tokens=2), "seconds": 1.5}
    board.finish(entry)
    table, fragment = (render(what, width=100, color_system=None).splitlines() for what in (board, explain(decision)))
    assert table[:3] == fragment[:3]
    assert " ".join(line.strip() for line in table[3:]) == explain(entry).sentences[0]
    # "oslo" was counted as "Oslo" was, and has its ground.
    in_colour = render(board, width=100, color_system="truecolor", force_terminal=True)
    grounds = {text: ground for ground, text in re.findall(r"48;2;([\d;]+)m (\w+) \x1b", in_colour)}
    assert grounds["oslo"] == grounds["Oslo"] != grounds["Bergen"]


def test_explaining_needs_neither_rich_nor_a_framework():
    """As HTML and as text nothing is loaded but the standard library; rich comes with a terminal."""
    code = (
        "import sys; from slmmux import explain; from slmmux._display.explain import Explanation;"
        "explanation = Explanation((), ('a',)); str(explanation); explanation._repr_html_();"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(modules) & {"rich", "numpy", "pydantic", "langchain_core", "llama_index"}
