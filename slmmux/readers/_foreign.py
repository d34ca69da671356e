"""A sample as another tool wrote it, checked and placed; how its answer is read is not said here."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from slmmux._errors import RecordingError
from slmmux.recording._row import Row

__all__ = ["Foreign", "checked"]

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Foreign:
    """One sample of another tool's.

    Attributes:
        place: The file and where in it, for whoever has to look.
        row: The sample; its answer is the one that the other tool read, where it was asked for.
        drawn_with: What the sample was drawn with: temperature and the like.
    """

    place: str
    row: Row
    drawn_with: Mapping[str, Any]


def checked(form: TypeAdapter[F], data: bytes, place: str, instead: str) -> F:
    """Return JSON as what it is to be.

    Raises:
        RecordingError: It is something else.

    Example:
        >>> checked(TypeAdapter(int), b"[4]", "a.json", "give a number")
        Traceback (most recent call last):
        slmmux.RecordingError: a.json: the JSON: Input should be a valid integer, found [4]; give a number
    """
    try:
        return form.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(map(str, first["loc"])) or "the JSON"
        found = first["input"]
        shown = found[:80].decode(errors="replace").strip() if isinstance(found, bytes) else found
        what = first["msg"].replace("at line 1 column", "at column")  # a line of the file's is another
        raise RecordingError(f"{place}: {at}: {what}, found {reprlib.repr(shown)}; {instead}") from None
