"""A sample from another tool's file, checked, with its place in the file; nothing here reads an answer."""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from slmmux._errors import RecordingError
from slmmux.recording._row import Row, fault_in_line

__all__ = ["Foreign", "Request", "at_limit", "checked", "share"]

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Foreign:
    """One sample from another tool's file.

    Attributes:
        file: The file.
        place: The place in the file, for error sentences.
        row: The sample. Its index only orders the samples of a question in this file; its answer is the other tool's,
            if that is requested, else `None`.
        settings: The generation settings of the sample: temperature and the like.
        note: A sentence about something that was left out.
        cut_off: Whether the reply was cut off at its limit of tokens.
    """

    file: Path
    place: str
    row: Row
    settings: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for beside the files.

    Attributes:
        model: The label of the samples whose file names no model, or of all.
        with_answers: Whether to copy the other tool's answers.
        filter: The harness's filter whose answers and verdicts count.
        fields: The fields of a table that the user named.
        folder: Whether the files were found in a folder, so that one without texts is left out and not refused.
    """

    model: str | None = None
    with_answers: bool = False
    filter: str | None = None
    fields: Mapping[str, Sequence[str]] | None = None
    folder: bool = False


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
        fault = fault_in_line(error, "the JSON")
        raise RecordingError(f"{place}: {fault}, received {reprlib.repr(received)}; {instead}") from None


def at_limit(reason: Any) -> bool:
    """Return whether the reason why a reply ended is its limit of tokens; a table may say just that it is.

    Example:
        >>> at_limit("length"), at_limit({"reason": "max_output_tokens"}), at_limit("stop"), at_limit(None)
        (True, True, False, False)
    """
    reason = reason.get("reason") if isinstance(reason, Mapping) else reason
    return reason is True or (isinstance(reason, str) and reason.lower() in _LIMITS)


def share(value: Any) -> float | None:
    """Return another tool's verdict as a number from 0 to 1; `None` for any other value.

    Example:
        >>> share(True), share("C"), share(0.5), share("1.0"), share(7), share(None)
        (1.0, 1.0, 0.5, 1.0, None, None)
    """
    if isinstance(value, str):
        value = _VERDICTS.get(value.strip().lower(), value)
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    return None  # NaN too: Inspect's sign for a sample that was not scored


_LIMITS = {"length", "max_tokens", "max_output_tokens", "model_length", "token_limit", "true"}
# Inspect's letters, and the words that tables use.
_VERDICTS = {"c": 1.0, "i": 0.0, "p": 0.5, "n": 0.0, "true": 1.0, "false": 0.0, "correct": 1.0, "incorrect": 0.0,
             "pass": 1.0, "fail": 0.0, "yes": 1.0, "no": 0.0}  # fmt: skip
