"""One value in a file: as JSON, as JSON in a text, or as Python prints it in a text."""

import ast
from typing import Any

from pydantic_core import from_json

from slmmux._errors import RecordingError

__all__ = ["accepted_texts", "is_json", "json_list", "json_value", "python_value"]


def json_value(data: bytes, place: str, instead: str = "write one JSON object a line") -> Any:
    """Return the value of a piece of JSON.

    Raises:
        RecordingError: It is not JSON; the sentence begins with `place` and ends with `instead`.
    """
    try:
        return from_json(data)
    except ValueError as error:
        raise RecordingError(f"{place}: not JSON ({error}); {instead}") from None


def is_json(data: bytes) -> bool:
    """Return whether a piece of a file is complete JSON."""
    try:
        from_json(data)
    except ValueError:
        return False
    return True


def json_list(value: Any) -> Any:
    """Return the list or object that a text holds as JSON; any other value is returned unchanged.

    Example:
        >>> json_list('["5", "five"]'), json_list("[5, five]")
        (['5', 'five'], '[5, five]')
    """
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
        try:
            return from_json(value)
        except ValueError:
            return value
    return value


def accepted_texts(value: Any) -> Any:
    """Return the accepted answers that a text lists, as JSON or as Python has them; any other value unchanged.

    Only a list of texts is one: `[2, 5]` is an interval, or a pair.

    Example:
        >>> accepted_texts("['Nile', 'River Nile']"), accepted_texts("[2, 5]")
        (['Nile', 'River Nile'], '[2, 5]')
    """
    if not isinstance(value, str):
        return value
    listed = json_list(value)
    listed = python_value(value) if isinstance(listed, str) else listed
    return listed if isinstance(listed, list) and listed and all(isinstance(each, str) for each in listed) else value


def python_value(value: Any) -> Any:
    """Return the list or object that a text holds as Python prints it; any other value is returned unchanged.

    Example:
        >>> python_value("['5', 'five']"), python_value("[5, five]")
        (['5', 'five'], '[5, five]')
    """
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    return value
