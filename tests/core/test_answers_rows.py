"""Rows of replies by kind: what each says, which two are one vote, and which are right, as a careful person judges them.

A row is a line of `answers/rows/*.jsonl`: `what` is an extractor, "same", "right" or "includes"; `want` is the answer, or
whether `text` and `other` are one vote, or whether `text` is right for `gold`.
"""

import json
from pathlib import Path

import pytest

from slmmux import answers
from slmmux._mux.replies.reading import structured_answer
from slmmux._mux.replies.tools import Tools
from slmmux.answers._mathematics.comparison import available
from tests.lengths import AT_LENGTH

FOLDER = Path(__file__).parent / "answers" / "rows"
TOOLS = [
    {"name": "weather", "parameters": {"type": "object", "properties": {
        "city": {"type": "string"}, "days": {"type": "integer", "default": 1},
        "units": {"type": ["string", "null"], "enum": ["c", "f", None], "default": None}}, "required": ["city"]}},
    {"name": "search", "parameters": {"type": "object", "properties": {
        "query": {"type": "string"}, "top_k": {"type": "integer", "default": 5}}, "required": ["query"]}},
    {"name": "send", "parameters": {"type": "object", "properties": {
        "to": {"type": "array", "items": {"type": "string"}}, "urgent": {"type": "boolean", "default": False},
        "amount": {"type": "number"}}, "required": ["to"]}},
]  # fmt: skip


def rows():
    return [
        json.loads(line) for file in sorted(FOLDER.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()
    ]


KINDS = sorted({row["kind"] for row in rows()})


def shown(value):
    """Return an answer as a row has it: one line of text, JSON without blanks, case and final full stop aside."""
    return None if value is None else value.strip().rstrip(".").casefold()


def outcome(row):
    """Return what the package says of a row, in the terms of its `want`."""
    what, text, question = row["what"], row["text"], row.get("question", "")
    if what == "same":
        there, back = answers.same(text, row["other"]), answers.same(row["other"], text)
        assert there == back, f"{text!r} and {row['other']!r} are the same in one direction only"
        return there
    if what == "includes":
        return answers.includes(text, row["gold"], question)
    if what == "right":
        answer = answers.reader("auto", question=question)(text)
        return answer is not None and answers.right(answer, row["gold"], question=question)
    read = answers.reader(what, question=question)
    answer = read(text, cut_off=row["kind"] == "cut-off")
    if "other" in row:
        other = read(row["other"])
        return answer is not None and other is not None and answer == other
    return shown(answer and answer.value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith(("calls", "fields"))])
def test_rows(kind):
    """Every row of the kind holds."""
    if not available():
        pytest.skip("without the extra math some of these rows are compared by their form alone")
    for row in rows():
        if row["kind"] == kind:
            want = row["want"] if isinstance(row["want"], bool) else shown(row["want"])
            assert outcome(row) == want, row


def test_rows_of_calls_in_a_text():
    """A call that a model wrote into its text is read in the form of its family, and prose makes none."""
    tools = Tools([{"type": "function", "function": tool} for tool in TOOLS])
    for row in rows():
        if row["kind"] == "calls-written":
            assert tools.calls_in(row["text"]) == row["want"], row


def test_rows_of_calls_that_are_alike():
    """Two replies with calls are one vote if a program would do the same on both, and none where one fits no tool."""
    tools = Tools([{"type": "function", "function": tool} for tool in TOOLS])
    for row in rows():
        if row["kind"] == "calls-alike":
            one, other = tools.answer(row["text"]), tools.answer(row["other"])
            assert (one is not None and other is not None and one == other) is row["want"], row


def test_rows_of_objects():
    """Two objects are one vote if they differ in nothing but explanations, or in what `vote_on` leaves out."""
    for row in rows():
        if row["kind"] == "fields-alike":
            one, other = (structured_answer(row[name], vote_on=row.get("vote_on")) for name in ("text", "other"))
            assert (one == other) is row["want"], row


def test_the_kinds_have_rows():
    """There are at least a thousand rows, and ten of each kind."""
    assert len(rows()) >= 1000
    for kind in KINDS:
        assert sum(row["kind"] == kind for row in rows()) >= 10, kind


@pytest.mark.parametrize("spec", ["auto", "boxed", "choice", "code", "json", "number", "text"])
def test_nothing_raises(spec):
    """No reader raises on any row's text, whole, cut off anywhere, or doubled."""
    read = answers.reader(spec)
    for row in rows()[:: 1 if AT_LENGTH else 8]:
        text = row["text"] if isinstance(row["text"], str) else json.dumps(row["text"])
        for piece in (text, text[: len(text) // 2], text[1:], text + text):
            read(piece)
            read(piece, cut_off=True)
