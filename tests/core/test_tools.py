"""Calls of tools: checked against the tools' schemas, and read where a model wrote them into its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux._mux.replies.tools import Tools
from slmmux._mux.replies.written_calls import written_calls

BOOK = {
    "type": "function",
    "function": {
        "name": "book",
        "parameters": {
            "type": "object",
            "properties": {
                "seat": {"type": "string"},
                "nights": {"type": "integer", "default": 1, "minimum": 1},
                "class": {"type": "string", "enum": ["first", "second"]},
                "pets": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
                "window": {"type": "boolean"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "from": {"$ref": "#/$defs/Place"},
            },
            "required": ["seat"],
            "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
        },
    },
}
SEARCH = {
    "name": "search",
    "input_schema": {"type": "object", "properties": {"query": {"type": "string"}, "top": {"type": "integer"}}},
}
NOW = {"title": "now", "properties": {}}
TOOLS = Tools([BOOK, SEARCH, NOW])


def key(*calls):
    answer = TOOLS.answer([{"name": name, "args": args} for name, args in calls])
    return answer and answer.key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"seat": "4A", "nights": 1}, {"seat": "4A"}),
        ({"seat": "4A", "nights": "1"}, {"seat": "4A"}),
        ({"seat": "4A", "pets": None}, {"seat": "4A"}),
        ({"seat": "4A", "window": None}, {"seat": "4A"}),
        ({"seat": "4A", "nights": "3"}, {"seat": "4A", "nights": 3.0}),
        ({"seat": "4A", "window": "True"}, {"seat": "4A", "window": True}),
        ({"seat": 12}, {"seat": "12"}),
        ({"seat": "4A", "tags": '["quiet"]'}, {"seat": "4A", "tags": ["quiet"]}),
        ({"seat": "4A", "pets": "2"}, {"seat": "4A", "pets": 2}),
        ({"seat": "4A", "from": '{"city": "Bern"}'}, {"seat": "4A", "from": {"city": "Bern"}}),
    ],
)
def test_one_call_in_two_forms(one, other):
    """Defaults, nulls and texts where another type is wanted say what the plain form says."""
    assert key(("book", one)) == key(("book", other)) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"seat": "4A"}, {"seat": "4B"}),
        ({"seat": "4A"}, {"seat": "4a"}),
        ({"seat": "4A", "nights": 2}, {"seat": "4A"}),
        ({"seat": "4A", "pets": 0}, {"seat": "4A"}),
        ({"seat": "4A", "window": False}, {"seat": "4A"}),
        ({"seat": "4A", "tags": ["a", "b"]}, {"seat": "4A", "tags": ["b", "a"]}),
    ],
)
def test_two_calls(one, other):
    """Another value is another call, and so is one where only a default or a null may be left out."""
    assert None not in {key(("book", one)), key(("book", other))}
    assert key(("book", one)) != key(("book", other))


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"nights": 2},
        {"seat": "4A", "nights": "two"},
        {"seat": "4A", "nights": 2.5},
        {"seat": "4A", "nights": True},
        {"seat": "4A", "nights": 0},
        {"seat": None},
        {"seat": ["4A"]},
        {"seat": "4A", "class": "third"},
        {"seat": "4A", "window": "maybe"},
        {"seat": "4A", "pets": "none"},
        {"seat": "4A", "tags": "quiet"},
        {"seat": "4A", "tags": [None]},
        {"seat": "4A", "from": {}},
    ],
)
def test_what_does_not_fit(args):
    """A call that its tool's schema refuses is no answer, nor is one beside it."""
    assert key(("book", args)) is None
    assert key(("now", {}), ("book", args)) is None


def test_an_unknown_tool():
    """A call of a tool that is not bound is no answer; where a provider's own tool is bound, nobody knows."""
    assert key(("fly", {})) is None
    assert Tools([BOOK, {"type": "web_search"}]).answer([{"name": "fly", "args": {}}]) is not None
    assert Tools([]).answer([{"name": "fly", "args": {"to": "Bern"}}]) is not None


def test_calls_made_at_once_have_no_order():
    """Two calls of one reply are one answer in either order; how often each is made counts."""
    a, b = ("book", {"seat": "4A"}), ("book", {"seat": "4B"})
    assert key(a, b) == key(b, a)
    assert len({key(a, b), key(a, a), key(a)}) == 3


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"query": "height of the Eiger"}, {"query": "how high is the Eiger?"}, True),
        ({"query": "height of the Eiger", "top": 3}, {"query": "how high is the Eiger?", "top": 4}, False),
        ({"query": "Eiger"}, {"query": "Mönch"}, False),
        ({"query": "艾格峰有多高的海拔"}, {"query": "请问艾格峰的高度是多少"}, True),
        ({"query": "SELECT a FROM peaks"}, {"query": "SELECT b FROM peaks"}, False),
    ],
)
def test_free_text_does_not_split_a_vote(one, other, equal):
    """A search worded anew is voted on by its tool and its exact arguments; short texts and programs are exact."""
    assert (key(("search", one)) == key(("search", other))) is equal


WRITTEN = [
    '{"name": "book", "arguments": {"seat": "4A"}}',
    'Sure.\n```json\n{"name": "book", "parameters": {"seat": "4A"}}\n```',
    '<tool_call>\n{"name": "book", "arguments": {"seat": "4A"}}\n</tool_call>',
    "<tool_call>\n<function=book>\n<parameter=seat>\n4A\n</parameter>\n</function>\n</tool_call>",
    '<|python_tag|>{"type": "function", "name": "book", "parameters": {"seat": "4A"}}<|eom_id|>',
    '<function=book>{"seat": "4A"}</function>',
    '[book(seat="4A")]',
    '<|python_start|>[book(seat="4A")]<|python_end|>',
    '```tool_code\nprint(book(seat="4A"))\n```',
    '[TOOL_CALLS] [{"name": "book", "arguments": {"seat": "4A"}}]',
    '[TOOL_CALLS]book[ARGS]{"seat": "4A"}</s>',
    '<|tool_call|>[{"name": "book", "arguments": {"seat": "4A"}}]<|/tool_call|>',
    'functools[{"name": "book", "arguments": {"seat": "4A"}}]',
    '<｜tool▁call▁begin｜>function<｜tool▁sep｜>book\n```json\n{"seat": "4A"}\n```<｜tool▁call▁end｜>',  # noqa: RUF001
    '<|channel|>commentary to=functions.book <|constrain|>json<|message|>{"seat": "4A"}<|call|>',
    '<invoke name="book"><parameter name="seat">4A</parameter></invoke>',
    'Action:\n```json\n[{"tool_name": "book", "parameters": {"seat": "4A"}}]\n```',
    '{"action": "book", "action_input": {"seat": "4A"}}',
    '{"function": {"name": "book", "arguments": "{\\"seat\\": \\"4A\\"}"}}',
    '{"tool_calls": [{"type": "function", "function": {"name": "book", "arguments": {"seat": "4A"}}}]}',
    '{"book": {"seat": "4A"}}',
    "{'name': 'book', 'arguments': {'seat': '4A'}}",
    '<think>I should book.</think>{"name": "book", "arguments": {"seat": "4A"}}',
    '{"name": "book", "arguments": {"seat": "4A"}',  # the bracket that small models forget
]


@pytest.mark.parametrize("text", WRITTEN)
def test_written_calls(text):
    """A call is read in every form that models are trained to write one in."""
    assert written_calls(text, {"book", "now"}) == [{"name": "book", "args": {"seat": "4A"}}]
    assert written_calls(text, {"now"}) == []


@pytest.mark.parametrize(
    "text",
    [
        "", "I would book seat 4A.", "Use book(seat) to book.", '{"seat": "4A"}', '{"name": "Book", "arguments": {}}',
        'Shall I send {"name": "book"}?', '{"name": "book", "arguments": {"seat": "4', "book", "[book]", "def book(seat): pass",
        "<think>[book(seat='4A')]</think>No.", 'book(seat=open("x"))',
    ],
)  # fmt: skip
def test_texts_that_call_nothing(text):
    """A text that speaks of a tool, or was cut off in the midst of a call, makes none."""
    assert written_calls(text, {"book"}) == []


def test_several_written_calls():
    """Calls written one after another are all read, in order."""
    text = (
        '<tool_call>{"name": "now"}</tool_call>\n<tool_call>{"name": "book", "arguments": {"seat": "4A"}}</tool_call>'
    )
    assert written_calls('{"name": "now"}', {"now"}) == [{"name": "now", "args": {}}]
    assert [call["name"] for call in written_calls("[now(), book(seat='4A')]", {"now", "book"})] == ["now", "book"]
    assert [call["name"] for call in written_calls(text, {"now", "book"})] == ["now", "book"]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("a1[]{} ", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "enum",
                    "properties",
                    "required",
                    "items",
                    "$ref",
                    "anyOf",
                    "seat",
                    "default",
                    "additionalProperties",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(VALUES, st.dictionaries(st.sampled_from(["seat", "b"]), VALUES, max_size=2))
def test_no_schema_raises(schema, args):
    """Whatever a tool's schema holds, a call is an answer or none."""
    answer = Tools([{"name": "f", "parameters": schema}]).answer([{"name": "f", "args": args}])
    assert answer is None or answer.kind == "tool_calls"


@given(st.text('<tool_call>{}[]"name:book,arguments()=\n` ', max_size=60))
def test_no_text_raises(text):
    """Whatever a reply says, calls are read in it or not."""
    assert isinstance(written_calls(text + "book", {"book"}), list)
