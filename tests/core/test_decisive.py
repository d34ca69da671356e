"""The fields of an object that are voted on, which a schema can mark, and that the record names."""

import json

import pytest
from pydantic import BaseModel, Field

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux._mux.replies.decisive import fields_of, marked_fields
from slmmux._mux.replies.reading import structured_answer


class Ticket(BaseModel):
    queue: str
    words: str = Field(default="", json_schema_extra={"decisive": False})


def test_a_schema_marks_fields_that_are_not_voted_on():
    """A marked field counts for nothing beside others, wherever the schema nests it, unless `vote_on` names it."""
    marked = marked_fields(Ticket.model_json_schema())
    assert marked == {"words"}
    nested = {"$defs": {"T": Ticket.model_json_schema()}, "properties": {"t": {"$ref": "#/$defs/T"}}}
    assert marked_fields(nested) == {"words"}
    one, other = ({"t": {"queue": "bills", "words": words}} for words in ("red", "blue"))
    assert structured_answer(one, marked=marked) == structured_answer(other, marked=marked)
    assert structured_answer(one, marked=marked, vote_on=["words"]) != structured_answer(
        other, marked=marked, vote_on=["words"]
    )
    assert structured_answer({"words": "red"}, marked=marked) != structured_answer({"words": "blue"}, marked=marked)


def replies(*values):
    return ScriptedChatModel(script=[json.dumps(value) for value in values])


def test_the_record_names_the_fields():
    """The record says which fields were compared: all but explanations, or those of `vote_on`; none for a text."""
    model = replies({"choice": 2, "reason": "birds"}, {"choice": 2, "reason": "wings"})
    record = SLMMuxChatModel(models={"m": model}, samples=2, wait="exhausted").invoke("?").response_metadata["slmmux"]
    assert (record["voted_on"], record["votes"][0]["count"]) == (["choice"], 2)
    model = replies({"a": 1, "b": 2}, {"a": 1, "b": 3})
    mux = SLMMuxChatModel(models={"m": model}, samples=2, wait="exhausted", vote_on=["a"])
    assert mux.invoke("?").response_metadata["slmmux"]["voted_on"] == ["a"]
    text = SLMMuxChatModel(models={"m": ScriptedChatModel(script=["Lima"])}, samples=2).invoke("?")
    assert text.response_metadata["slmmux"]["voted_on"] is None


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ([{"choice": 1}, {"choice": 2}], ("choice",)),
        ({"a": {"b": 1, "c": [2, 3]}, "d": 4}, ("a.b", "a.c", "d")),
        ({}, ()),
        ("text", ()),
        ([1, 2], ()),
        ({str(i): i for i in range(100)}, tuple(map(str, range(30)))),
    ],
)
def test_paths(value, fields):
    """Each field is named once, by its path, and no more than thirty of them."""
    assert fields_of(value) == fields
