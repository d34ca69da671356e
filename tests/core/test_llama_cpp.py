"""The stop sequences of a template: they end an answer of one line, and never the first line of a longer one."""

import pytest

from slmmux._mux.llama_cpp import stop_of

OWN, IN_LINES = ["\n", "Question:"], ["Question:"]


@pytest.mark.parametrize(
    "kind",
    [
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"response_format": {"type": "json_object"}},
        {"response_format": int},
        {"tools": [{"type": "function"}]},
        {"grammar": "root ::= x"},
        {"extra_body": {"json_schema": {"type": "object"}}},
        {"messages": [{"content": "Here's a JSON schema to follow:"}]},
        {"messages": [{"content": "Write it in ```python"}]},
        {"messages": [{"content": "Doc: 1, Relevance: 7"}, {"content": None}]},
        {"messages": [{"content": "Use:\nAction: a tool\nAction Input: its input"}]},
    ],
)
def test_a_reply_of_several_lines_goes_on(kind):
    """A schema, tools, a grammar, or a prompt that asks for lines takes the line break out of the stop sequences."""
    assert stop_of({"stop": list(OWN), **kind}, OWN, IN_LINES) == IN_LINES
    assert stop_of({"stop": ["END"], **kind}, OWN, IN_LINES) == ["END"]  # the call's own stay
    assert stop_of({"stop": list(OWN), **kind}, OWN, []) is None


@pytest.mark.parametrize(
    "kind", [{}, {"messages": [{"content": "What is the capital of Ghana?"}]}, {"response_format": {"type": "text"}}]
)
def test_an_answer_of_one_line_ends_with_it(kind):
    """Any other request keeps the template's stop sequences."""
    assert stop_of({"stop": list(OWN), **kind}, OWN, IN_LINES) == OWN


def test_a_request_without_stop_sequences_gets_none():
    """Nothing is added to a request that has none."""
    assert stop_of({"tools": [{}]}, OWN, IN_LINES) is None
    assert stop_of({"tools": [{}], "stop": ["a"]}, [], IN_LINES) == ["a"]
