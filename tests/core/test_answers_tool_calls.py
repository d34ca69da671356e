"""How `answers.tool_calls` takes arguments that are still text, as they come from the wire, and what it refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import answers
from slmmux._errors import ExtractorError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def calls(args):
    return [{"name": "add", "args": args}]


@given(st.dictionaries(st.text(), VALUES, max_size=3), st.sampled_from(["", " ", "\n"]), st.sampled_from([None, 1]))
def test_arguments_as_json_text_are_the_arguments(args, blank, indent):
    """Arguments and their JSON text, however it is set, are one call."""
    assert answers.tool_calls(calls(blank + json.dumps(args, indent=indent) + blank)) == answers.tool_calls(calls(args))


def test_no_arguments():
    """None, an empty text and an empty object are a call without arguments."""
    assert {answers.tool_calls(calls(args)) for args in (None, "", " \n", {}, "{}")} == {'[{"args":{},"name":"add"}]'}


def test_reasoning_in_an_argument_is_the_argument():
    """A text among the arguments is kept as it is: it is no reply."""
    args = {"q": "<think>4</think> 5"}
    assert answers.tool_calls(calls(json.dumps(args))) == answers.tool_calls(calls(args))


REFUSED = ["a = 1", '{"a": 1', "[1]", '["a"]', "1", '"a"', '{"a": 1}.', '{"a": NaN}', '{"a": 1e999}', [1], 5, "see {}",
    '{"a": "\\ud800"}', f'{{"a": {"9" * 5000}}}', "[" * 200 + "]" * 200]  # fmt: skip


@pytest.mark.parametrize("args", REFUSED, ids=lambda args: str(args)[:20])
def test_other_arguments_are_refused(args):
    """Whatever is no JSON object is refused with a sentence that names the tool, the arguments and what to write."""
    with pytest.raises(
        ExtractorError, match=r"the arguments of the tool call 'add' are no JSON object, received .*; write"
    ):
        answers.tool_calls(calls(args))
