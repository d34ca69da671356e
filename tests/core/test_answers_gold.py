"""Whether an answer is the gold one: `answers.right` reads gold as the answer was read."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import answers
from slmmux._decision.types import Answer
from slmmux._errors import ArgumentError, ExtractorError
from slmmux.answers import first_of, reader, regex, right

NAMES = ["auto", "boxed", "choice", "code", "json", "number", "text"]


def table(name):
    return json.loads((Path(__file__).parent / "answers" / f"{name}.json").read_text(encoding="utf-8"))


def read_in(name, case):
    """A table's reply, read as the table reads it."""
    if name == "tool_calls":
        key = answers.tool_calls(case["reply"])
        return key and Answer(key, "tool_calls", key)
    if name not in {"regex", "first_of"}:
        return reader(name)(case["reply"])
    made = [  # the tables are ours
        eval(part, {"regex": regex, "re": re}) if part.startswith("regex(") else part
        for part in ([case["extractor"]] if name == "regex" else case["extractor"])
    ]
    return reader(first_of(*made))(case["reply"])


@pytest.mark.parametrize("name", [*NAMES, "tool_calls", "regex", "first_of"])
def test_every_table(name):
    """Whatever a table says is the answer of a reply is right as gold, also with blanks around it."""
    cases = [case for case in table(name) if case["answer"] is not None]
    assert len(cases) >= 12
    for case in cases:
        answer = read_in(name, case)
        assert right(answer, case["answer"]), case
        assert right(answer, f" {case['answer']}\n") or answer.kind == "code", case
        assert not right(answer, "Zermatt 90909"), case


@pytest.mark.parametrize("name", [name for name in NAMES if name != "auto"])
def test_a_worked_solution_as_gold(name):
    """Gold that is a whole reply, as data sets have it, is read like one."""
    for case in table(name):
        answer = reader(name)(case["reply"])
        assert answer is None or right(answer, case["reply"]), case


REPLIES = st.sampled_from([case["reply"] for name in NAMES for case in table(name)]) | st.text("AB12.,/%$ #")


@given(st.sampled_from(["choice", "number", "text"]), REPLIES, REPLIES)
def test_right_is_what_is_equal_in_a_vote(kind, reply, gold):
    """An answer is right wherever gold, had a model replied it, would be counted as the same answer."""
    answer = reader(kind)(reply)
    if answer is None or (kind == "number" and "%" in reply) or right(answer, gold) == (reader(kind)(gold) == answer):
        return
    assert kind != "choice"  # gold may be an announced text, or carry a unit that the answer leaves out
    assert right(answer, gold)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("a[]{} 1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=6,
)
WHOLE = st.dictionaries(st.text("ab"), VALUES, min_size=1, max_size=3) | st.lists(VALUES, max_size=3)


@given(WHOLE, WHOLE, st.sampled_from(["json", "structured", "callable"]))
def test_values_are_right_as_values(value, other, kind):
    """A JSON value is right against itself, given as a value or as JSON text, and against no other value."""
    key = answers.canonical(value)
    answer = Answer(value, kind, key)
    for gold in (value, other):
        equal = answers.canonical(gold) == key
        assert right(answer, gold) == right(answer, f" {json.dumps(gold, indent=1)}\n") == equal


NUMBERS = ["1234", "1,234", "1234.0", "$1,234.00", 1234, 1234.0, "#### 1,234", "4 * 300 + 34 = 1234 in all."]


@pytest.mark.parametrize("reply", [gold for gold in NUMBERS if isinstance(gold, str)])
@pytest.mark.parametrize("gold", NUMBERS)
def test_numbers(reply, gold):
    """A number is right however it or gold is written; another one, or what is none, is not."""
    answer = reader("number")(reply)
    assert right(answer, gold)
    assert not any(right(answer, other) for other in (1234.5, "-1234", "12345", "twelve", "", True, [12, 34], {}))


@pytest.mark.parametrize(
    ("kind", "reply", "yes", "no"),
    [
        ("number", "50%", ["0.5", "1/2", 0.5, "50 percent", "50", 50, ["49", "50"]], ["5", "0.5%", "50.5", ["49"]]),
        ("number", "0.5", ["50%"], ["50", 50]),
        ("number", "0.0000001", [1e-07, "1e-7"], [0]),
        (
            "boxed",
            r"\boxed{\frac{1}{2}}",
            ["1/2", 0.5, r"\dfrac12", r"So $\boxed{0.5}$.", r"50\%", ["x", "1/2"]],
            ["2", 50, True],
        ),
        ("boxed", r"\boxed{50\%}", ["50", "0.5", "50%"], ["5"]),
        ("boxed", r"\boxed{3\text{ cm}}", ["3 cm", "0.03 m", "3"], ["3 m", "0.03", "3 kg"]),
        ("auto", "Answer: 3 cm", ["3 cm", "0.03 m", 3], ["3 m", 0.03]),
        ("auto", "Answer: 3", ["3 cm", "3 m"], ["4 cm"]),
        ("auto", "Answer: $x+1$", ["x + 1", ["x", "x+1"]], ["x", "x+2"]),
        ("auto", "Yes.", [True, "yes"], [False]),
        ("auto", "Answer: no", ["No.", False], [True, "none"]),
        ("boxed", r"\boxed{x^R}", ["x^R", "$x^R$"], ["x^r"]),
        (
            "choice",
            "Answer: B",
            ["B", "b", "(b)", "B) Rome", "The answer is B.", 1, ["A", "B"]],
            ["C", "Rome", 0, 2, 27, -1, True, "1", [0, 2]],
        ),
        ("text", "**Canberra.**", ["canberra", " Canberra ", ["Sydney", "Canberra"]], ["Sydney", ["Sydney"], []]),
        ("text", "42", [42, "42.", 42.0], ["forty-two", 43]),
        ("json", '{"a": 1.0}', [{"a": 1}, '{"a":1}', '```json\n{"a": 1}\n```'], [{"a": "1"}, "a", 1, [{"a": 1}]]),
        ("json", '["x"]', [["x"]], ["x", [["x"]]]),
        ("code", "```python\nx = 1\n```", ["x=1  # one", "  x = 1\n", "```\nx = 1\n```"], ["x = 2", "x =", 1]),
        (
            "code",
            "```js\nlet x = 1\n```",
            ["let x = 1", "let x=1", "```js\n\nlet x = 1\n```"],
            ["let x=2", "```js\nx\n```"],
        ),
        (regex(r"is (\w+)"), "it is red", ["red", " red "], ["Red", "it is red", 4]),
        (regex(r"is (\w+)"), "it is 4", ["4", 4, 4.0], ["4.0", 5]),
        (first_of(regex(r"x(.)"), regex(r"is (\w+)")), "it is red", ["red"], ["x", "is"]),
        (lambda text: len(text), "four", [4, 4.0, "4"], [5, True]),
        (lambda text: [text], "four", [["four"], '["four"]'], ["four", "see [1]"]),
        (first_of(regex("x"), regex("y"), str.split), "four", [["four"]], ["four"]),
    ],
)
def test_each_kind(kind, reply, yes, no):
    """Gold is read as the answer was, whatever its kind."""
    answer = reader(kind)(reply)
    assert all(right(answer, gold) for gold in yes)
    assert not any(right(answer, gold) for gold in no)


def test_kinds_are_not_mixed():
    """The same text is right or not by how the answer was read: nothing is compared across kinds."""
    golds = {"number": "50%", "boxed": r"\frac12", "text": "0.5.", "choice": "0.5", "callable": "0.5"}
    right_for = {
        kind: {other for other, gold in golds.items() if right(Answer("0.5", kind, "0.5"), gold)} for kind in golds
    }
    assert right_for == {
        "number": set(golds),
        "boxed": set(golds),
        "text": {"text", "choice", "callable"},
        "choice": set(),
        "callable": {"choice", "callable"},
    }


CALLS = [{"name": "add", "args": {"b": 2.0, "a": 1}, "id": "call_7"}]


@pytest.mark.parametrize(
    ("gold", "expected"),
    [
        (CALLS, True),
        ([{"name": "add", "args": {"a": 1, "b": 2}}], True),
        ([{"name": "add", "args": '{"a": 1, "b": 2}'}], True),
        (json.dumps(CALLS), True),
        (answers.tool_calls(CALLS), True),
        ([*CALLS, *CALLS], False),
        ([{"name": "sub", "args": {"a": 1, "b": 2}}], False),
        ([], False),
        ("[]", False),
        ("add", False),
        ([1], False),
        ({"name": "add", "args": {}}, False),
        ([{"name": "add"}], False),
    ],
)
def test_tool_calls(gold, expected):
    """Gold calls are compared by name and arguments, ids aside, given as a list or as its JSON text."""
    key = answers.tool_calls(CALLS)
    assert right(Answer(key, "tool_calls", key), gold) == expected


@given(VALUES, VALUES)
def test_recorded_as_they_stand(value, gold):
    """A row whose reading nobody wrote down is right where gold is the same JSON: the text "4" is not 4."""
    answer = Answer(value, "recorded", json.dumps(value, sort_keys=True))
    if gold is not None:
        accepted = gold if isinstance(gold, list) and not isinstance(value, (list, dict)) else [gold]
        flat = [each for each in accepted if not isinstance(each, list)] if accepted is gold else accepted
        expected = any(json.dumps(each, sort_keys=True) == answer.key for each in flat if each is not None)
        assert right(answer, gold) == expected or any(isinstance(each, list) for each in accepted)
    assert not right(Answer("4", "recorded", '"4"'), 4)
    assert right(Answer({"a": 1, "b": 2}, "recorded", '{"a": 1, "b": 2}'), {"b": 2, "a": 1})


@pytest.mark.parametrize("kind", [*NAMES, "recorded", "structured", "tool_calls", "callable", "regex 2"])
def test_no_gold(kind):
    """Without a gold answer nothing is right or wrong: a sentence says so."""
    with pytest.raises(ArgumentError, match="no gold answer to compare with, received None; give a text"):
        right(Answer("4", kind, "4"), None)


def test_gold_that_is_no_json():
    """Gold that no file could hold is refused, never just wrong."""
    for gold, error in (({1}, TypeError), (float("nan"), ExtractorError), (b"4", TypeError)):
        with pytest.raises(error, match="an answer is"):
            right(Answer("4", "number", "4"), gold)


QUESTION = "Where does the Tiber end?\nA) Oslo\nB) Rome\nC) Bern"


@pytest.mark.parametrize(
    ("gold", "question", "expected"),
    [
        (1, QUESTION, True),
        (1, "Which letter comes first in Berlin?", False),
        (3, QUESTION, False),
        ("Rome", QUESTION, True),
        ("Bern", QUESTION, False),
        ("B", QUESTION, True),
        (["Oslo", "Rome"], QUESTION, True),
    ],
)
def test_the_question_tells_what_gold_means(gold, question, expected):
    """An index is one of an option where the question shows options, and an option's text is its letter."""
    assert right(reader("choice")("Answer: B"), gold, question=question) is expected
