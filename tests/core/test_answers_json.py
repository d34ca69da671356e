"""What `answers.json`, `answers.tool_calls` and `answers.canonical` make of JSON."""

import enum
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import answers
from slmmux._errors import ExtractorError

# What models write, and what is read in it.
TABLE = json.loads((Path(__file__).parent / "answers" / "json.json").read_text(encoding="utf-8"))
CALLS = json.loads((Path(__file__).parent / "answers" / "tool_calls.json").read_text(encoding="utf-8"))
PAIRS = [(case["reply"], other, why) for case in CALLS for why in ("equals", "differs") for other in case.get(why, [])]
# Too long for a table.
LONG = [
    ("[" + "9" * 1001 + "]", None),
    ("[" * 100 + "]" * 100, "[" * 100 + "]" * 100),
    ("[" * 101 + "]" * 101, None),
    ("[" * 100_000 + "]" * 100_000, None),
    ("[" * 100_000, None),
    ('{"a":' * 100_000, None),
]
CASES = [(case["reply"], case["answer"]) for case in TABLE] + LONG


@pytest.mark.parametrize(("reply", "read"), CASES, ids=[reply[:40] for reply, _ in CASES])
def test_table(reply, read):
    """JSON is read as the table says: the last complete object or array, strictly, never a part of a broken one."""
    assert answers.json(reply) == read


@pytest.mark.parametrize("case", CALLS, ids=[case["why"] for case in CALLS])
def test_table_of_tool_calls(case):
    """Tool calls are written as the table says."""
    assert answers.tool_calls(case["reply"]) == case["answer"]


@pytest.mark.parametrize(("one", "other", "why"), PAIRS)
def test_what_counts_in_tool_calls(one, other, why):
    """Two replies of the table call for one thing exactly where it says so."""
    assert (answers.tool_calls(one) == answers.tool_calls(other)) == (why == "equals")


@pytest.mark.parametrize("table", [TABLE, CALLS], ids=["json", "tool_calls"])
def test_the_tables_are_tables(table):
    """Each holds at least 12 shapes, none twice, each with its reason and origin, and three for the docs page."""
    assert len({json.dumps(case["reply"]) for case in table}) == len(table) >= 12
    assert all({"reply", "answer", "why", "from"} <= case.keys() for case in table)
    assert sum(case.get("doc", False) for case in table) == 3


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('aé{}[]"\\ \n'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abé"', max_size=3), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value, random):
    """The same JSON value with its keys in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: shuffled(item, random) for key, item in items}
    return [shuffled(item, random) for item in value] if isinstance(value, list) else value


@given(VALUES, st.randoms(use_true_random=False))
def test_key_order_and_layout_do_not_count(value, random):
    """An object's canonical text does not depend on key order or white space."""
    wrapped = {"value": value}
    told = json.dumps(
        shuffled(wrapped, random), indent=random.choice([None, 1]), ensure_ascii=random.choice([True, False])
    )
    assert answers.json(told) == answers.canonical(wrapped) == answers.canonical(shuffled(wrapped, random))


@given(VALUES)
def test_canonical_is_idempotent_and_keeps_the_value(value):
    """Canonical text reads back as an equal value, whose canonical text it is."""
    text = answers.canonical(value)
    assert json.loads(text) == value
    assert answers.canonical(json.loads(text)) == text


@given(VALUES, VALUES)
def test_canonical_tells_values_apart(one, other):
    """Two values share a canonical text exactly when they are one JSON value; true is not 1."""

    def typed(value):
        if isinstance(value, list):
            return [typed(item) for item in value]
        if isinstance(value, dict):
            return {key: typed(item) for key, item in value.items()}
        return (isinstance(value, bool), value)

    assert (answers.canonical(one) == answers.canonical(other)) == (typed(one) == typed(other))


@pytest.mark.parametrize(("one", "other"), [(True, 1), (False, 0), ("1", 1), (None, "null"), ([], {})])
def test_canonical_keeps_types_apart(one, other):
    """Values that only look alike have different texts."""
    assert answers.canonical(one) != answers.canonical(other)


def test_canonical_numbers():
    """1 is 1.0, -0.0 is 0, and enough of a float is kept to give it back."""
    assert answers.canonical([1, 1.0, -0.0, 1e16, 0.1]) == "[1,1,0,10000000000000000,0.1]"
    assert answers.canonical(enum.IntEnum("E", "A").A) == "1"


@pytest.mark.parametrize("value", [b"x", {1, 2}, (1, 2), object(), [{"a": b"x"}], 1j])
def test_not_json_is_refused(value):
    """What is not JSON is a TypeError that says what an extractor may return."""
    with pytest.raises(TypeError, match="may return str, int, float, bool, list, dict or None"):
        answers.canonical(value)


def test_keys_that_are_not_text_are_refused():
    """A dict key that is no str is refused and named: as JSON it would silently become one."""
    with pytest.raises(TypeError, match="int key 1"):
        answers.canonical({1: "a"})


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "nan"),
        ([float("inf")], "inf"),
        (10**1300, "bits"),
        ("\ud800", "surrogate"),
        (json.loads("[" * 102 + "]" * 102), "deeper"),
    ],
    ids=["nan", "inf", "huge", "surrogate", "deep"],
)
def test_incomparable_values_are_refused(value, says):
    """What cannot be compared or written down is an ExtractorError that says why."""
    with pytest.raises(ExtractorError, match=says):
        answers.canonical(value)


def test_a_value_that_holds_itself_is_refused():
    """A cycle ends in a sentence, not in a full stack."""
    value = []
    value.append(value)
    with pytest.raises(ExtractorError, match="deeper"):
        answers.canonical(value)


def test_tool_calls_ignore_ids_and_key_order():
    """Names and arguments count; ids, key order and 1 against 1.0 do not."""
    one = [{"name": "add", "args": {"a": 1, "b": {"x": 1, "y": 2}}, "id": "1", "type": "tool_call"}]
    other = [{"id": "2", "args": {"b": {"y": 2.0, "x": 1}, "a": 1.0}, "name": "add"}]
    assert answers.tool_calls(one) == answers.tool_calls(other) == '[{"args":{"a":1,"b":{"x":1,"y":2}},"name":"add"}]'
    assert answers.tool_calls([{"name": "sub", "args": one[0]["args"]}]) != answers.tool_calls(one)
    assert answers.tool_calls([{"name": "add", "args": {"a": 1}}]) != answers.tool_calls(one)


def test_tool_calls_in_order():
    """The order of calls matters unless told otherwise."""
    a, b = {"name": "a", "args": {}}, {"name": "b", "args": None}
    assert answers.tool_calls([a, b]) != answers.tool_calls([b, a])
    assert answers.tool_calls([a, b], ordered=False) == answers.tool_calls([b, a], ordered=False)
    assert answers.tool_calls([a, b]) == '[{"args":{},"name":"a"},{"args":{},"name":"b"}]'


def test_no_tool_calls():
    """No calls are no answer."""
    assert answers.tool_calls([]) is None
