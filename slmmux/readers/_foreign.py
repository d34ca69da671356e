"""A sample from another tool's log, checked, with its place in the file; nothing here reads an answer."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from slmmux._errors import RecordingError, first_fault
from slmmux.recording._row import Row

__all__ = ["Foreign", "checked"]

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Foreign:
    """One sample from another tool's log.

    Attributes:
        place: The file and the place in it, for error sentences.
        row: The sample; its answer is the other tool's, if that is requested, else `None`.
        settings: The generation settings of the sample: temperature and the like.
    """

    place: str
    row: Row
    settings: Mapping[str, Any]


def checked(form: TypeAdapter[F], data: bytes, place: str, instead: str) -> F:
    """Return JSON as an object of the expected form.

    Raises:
        RecordingError: The JSON has another form; the sentence ends with `instead`.

    Example:
        >>> checked(TypeAdapter(int), b"[4]", "a.json", "give a number")
        Traceback (most recent call last):
        slmmux.RecordingError: a.json: the JSON: Input should be a valid integer, received [4]; give a number
    """
    try:
        return form.validate_json(data)
    except ValidationError as error:
        received = error.errors(include_url=False)[0]["input"]
        if isinstance(received, bytes):
            received = received[:80].decode(errors="replace").strip()
        # pydantic counts lines within this one piece of JSON; `place` has the line of the file.
        fault = first_fault(error, "the JSON").replace("at line 1 column", "at column")
        raise RecordingError(f"{place}: {fault}, received {reprlib.repr(received)}; {instead}") from None
