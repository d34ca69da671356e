"""What replies and files seldom hold: each has its own answer, none, or a sentence."""

import json
from fractions import Fraction

import pytest

from slmmux import Row, answers, readers
from slmmux._errors import RecordingError
from slmmux._mux.replies.reading import reading, structured_answer
from slmmux._mux.replies.written_calls import written_calls
from slmmux.answers._mathematics.units import quantity
from slmmux.answers._words.moments import moment_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("32 March 2024", None),
        ("3:75", None),
        ("13:00 pm", None),
        ("quarter to 12 am", "11:45"),
        ("at half past 3", "03:30"),
    ],
)
def test_moments(text, key):
    """A day or a time that cannot be is none."""
    assert moment_key(text) == key


@pytest.mark.parametrize(
    ("text", "value"), [("3 m per hour", 3), ("3 km/h", 3), ("3 m/xyz", None), ("3,4 m", None), ("3 hours 5 min", 185)]
)
def test_quantities(text, value):
    """A unit that nobody knows, or a list that ends in a letter, makes no quantity."""
    sized = quantity(text)
    assert (sized and sized.value) == (None if value is None else Fraction(value))


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("add\n{'a': 1, 'b': true}", [{"name": "add", "args": {"a": 1, "b": True}}]),
        ("Action: add\nAction Input: {a}", []),
        ("Action: add\nAction Input: {1, 2}", []),
        ("import x\nadd(a=1)", []),
        ("x = [add(a=1), add(a=2)]", [{"name": "add", "args": {"a": 1}}, {"name": "add", "args": {"a": 2}}]),
        ("print(add(a=1))", [{"name": "add", "args": {"a": 1}}]),
        ("{add: 1", []),
        ("<function=add><parameter=a>[1</parameter></function>", [{"name": "add", "args": {"a": "[1"}}]),
        ('["add", {"name": 3}]', []),
    ],
)
def test_written_calls(text, calls):
    """A call is read in Python's form too, and what is none in any form makes none."""
    assert written_calls(text, {"add"}) == calls


def test_numbers_that_withhold():
    """Of an option's text the letter is said, and of fifty places of a name the first decide."""
    question = "Which?\nA) red\nB) green"
    assert answers.includes("I choose B.", "green", question)
    assert not answers.includes("I choose A.", "green", question)
    assert answers.includes("Lima " * 60, "Lima", "Which city?")
    assert not answers.right(answers.reader("boxed")(r"\boxed{x\%}"), "x+1")
    assert answers.number("Answer: 5 = 2 + 3") == "5"
    assert answers.reader("auto", question="How much?")("How much? It is -5.").value


def test_json_dressed_as_mathematics():
    """A reply that is a list in dollars is that list."""
    assert answers.reader("auto")("$[0, 1]$").value == "[0,1]"


def test_readings_that_a_request_sets():
    """With a response format the answer is JSON, whatever is extracted; a callable reads a schema's reply itself."""
    read, name = reading("number", tools=None, formatted=True)
    assert (name, read('{"a": 1}', []).value) == ("json", '{"a":1}')
    assert structured_answer({"a": 1}, "two words", extract=lambda text: len(text)).value == 9


def test_a_batch_without_choices(tmp_path):
    """A response without any choice is one sample without an answer."""
    body = {"model": "m", "choices": []}
    file = tmp_path / "out.jsonl"
    file.write_text(json.dumps({"custom_id": "1", "response": {"status_code": 200, "body": body}}), encoding="utf-8")
    (row,) = readers.read(file).rows
    assert isinstance(row, Row)
    assert (row.text, row.answer, row.error) == (None, None, None)


HELM = {"instance": {"id": "id0", "input": {"text": "?"}, "references": []}, "request": {"model": "m"}}


@pytest.mark.parametrize(
    ("result", "error"),
    [({}, "the request was not made"), ({"result": {"success": True, "completions": []}}, None),
     ({"result": {"success": False}}, "the request failed")],
)  # fmt: skip
def test_helm_without_a_reply(result, error, tmp_path):
    """A request that was not made, failed, or brought nothing is one sample without an answer."""
    file = tmp_path / "scenario_state.json"
    file.write_text(json.dumps({"adapter_spec": {}, "request_states": [{**HELM, **result}]}), encoding="utf-8")
    (row,) = readers.read(file).rows
    assert (row.answer, row.error) == (None, error)


@pytest.mark.parametrize(
    ("content", "source", "sentence"),
    [
        ({"adapter_spec": {}, "request_states": []}, "helm", "the run has no requests"),
        ({"results": {"version": 3, "results": []}}, "promptfoo", "the file has no results"),
        ({"results": {"version": 3}}, "promptfoo", "there is no list of results"),
        ({"results": [{"score": 1}]}, "promptfoo", "a result has a provider and a prompt"),
    ],
)
def test_files_without_samples(content, source, sentence, tmp_path):
    """A file without samples is refused in a sentence with its name."""
    file = tmp_path / "file.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RecordingError, match=sentence) as error:
        readers.read(file, source=source)
    assert str(file) in str(error.value)
