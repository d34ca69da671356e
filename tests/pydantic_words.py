"""pydantic's own words for a fault, asked of the pydantic that is installed: its releases may word them differently."""

import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticKnownError

# What JSON calls otherwise than Python does: pydantic says so too, but only where it reads JSON.
_IN_JSON = {"object": TypeAdapter(dict[str, object]), "array": TypeAdapter(list[object])}


def worded(sentence: str) -> str:
    """Return a sentence of ours with pydantic's words in it.

    The place of the words is marked by the kind of the fault, which is part of pydantic's interface, and by what the
    words name: `samples: <greater_than_equal ge=1>, found 0`. `<object>` and `<array>`: JSON of another type.
    """

    def words(mark: re.Match[str]) -> str:
        kind, name, value = mark.groups()
        if kind in _IN_JSON:
            return _fault(_IN_JSON[kind], "5")
        context = {name: int(value) if value.isdigit() and name != "expected" else value} if name else None
        known: Any = kind
        return PydanticKnownError(known, context).message()

    return re.sub(r"<([a-z_]+)(?: ([a-z]+)=([^>]*))?>", words, sentence)


def json_fault(text: str) -> str:
    """Return pydantic's words for a text that is not JSON, with the column alone, as our sentences have them."""
    return _fault(TypeAdapter(object), text).replace("at line 1 column", "at column")


def _fault(form: TypeAdapter[Any], text: str) -> str:
    with pytest.raises(ValidationError) as caught:
        form.validate_json(text)
    return str(caught.value.errors()[0]["msg"])
