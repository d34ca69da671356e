"""A reply that its file calls cut off at its limit is read as a live one is: it abstains unless it was complete before."""

import json

import pytest

from slmmux import Recording, readers
from slmmux.rereading import reread

CUT, WHOLE = "The answer is 12", "The answer is 12. We can check th"


def batch(text, reason):
    choices = [{"index": 0, "finish_reason": reason, "message": {"content": text}}]
    return {"custom_id": "q1", "response": {"status_code": 200, "body": {"model": "m", "choices": choices}}}


def response(text, reason):
    body = {"model": "m", "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}]}
    body["incomplete_details"] = {"reason": "max_output_tokens"} if reason == "length" else None
    return {"custom_id": "q1", "response": {"status_code": 200, "body": body}}


def inspect(text, reason):
    reason = "max_tokens" if reason == "length" else reason
    output = {"choices": [{"message": {"role": "assistant", "content": text}, "stop_reason": reason}]}
    sample = {"id": 1, "epoch": 1, "input": "?", "target": "12", "output": output}
    return {"eval": {"task": "sums", "model": "m"}, "samples": [sample]}


def helm(text, reason):
    instance = {"id": "id0", "input": {"text": "?"}, "references": [{"output": {"text": "12"}, "tags": ["correct"]}]}
    result = {"success": True, "completions": [{"text": text, "finish_reason": {"reason": reason}}]}
    return {"adapter_spec": {}, "request_states": [{"instance": instance, "request": {"model": "m"}, "result": result}]}


def promptfoo(text, reason):
    result = {"provider": "m", "vars": {}, "prompt": {"raw": "?"}, "response": {"output": text, "finishReason": reason}}
    test = {"assert": [{"type": "equals", "value": "12"}]}
    return {"results": {"version": 3, "results": [{**result, "testCase": test}]}}


def table(text, reason):
    return {"question": "?", "gold": "12", "output": text, "finish_reason": reason}


def table_of_samples(text, reason):
    return {"question": "?", "gold": "12", "outputs": [text], "truncated": [reason == "length"]}


FORMS = {
    "table.jsonl": table,
    "samples.jsonl": table_of_samples,
    "out.jsonl": batch,
    "responses.jsonl": response,
    "log.json": inspect,
    "scenario_state.json": helm,
    "promptfoo.json": promptfoo,
}


@pytest.mark.filterwarnings("ignore:.*name other fields with --map:UserWarning")
@pytest.mark.parametrize("name", FORMS)
def test_cut_off(name, tmp_path):
    """In each form that says why a reply ended, one cut off at its limit has only an answer that was complete before."""

    def answer(text, reason):
        (tmp_path / name).write_text(json.dumps(FORMS[name](text, reason)) + "\n", encoding="utf-8")
        (row,) = readers.read(tmp_path / name).rows
        assert (row.text, row.cut_off) == (text, True if reason == "length" else None)
        assert reread(Recording.of([row])).rows == (row,)
        return row.answer

    assert answer(CUT, "stop") == "12"
    assert answer(CUT, "length") is None
    assert answer(WHOLE, "length") == "12"


@pytest.mark.parametrize(
    ("gold", "accepted"),
    [
        ({"value": "Nile", "aliases": ["River Nile", "Nile"]}, ["Nile", "River Nile"]),
        ({"aliases": ["Nile"]}, "Nile"),
        ({"text": ["Nile", "the Nile"], "answer_start": [3, 9]}, ["Nile", "the Nile"]),
        ({"value": "Nile", "unit": "m"}, {"value": "Nile", "unit": "m"}),
    ],
)
def test_golds_by_name(gold, accepted, tmp_path):
    """The accepted answers that TriviaQA and SQuAD keep by name are accepted; another object is a gold answer itself."""
    file = tmp_path / "replies.jsonl"
    file.write_text(json.dumps({"question": "Which river?", "output": "Nile", "gold": gold}) + "\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="name other fields with --map"):
        (row,) = readers.read(file).rows
    assert row.gold == accepted
