"""Text of models made safe to display: every character that does not print is replaced.

Terminals and pages escape the result in their own ways.
"""

import json
from typing import Any

__all__ = ["LONGEST", "block", "line", "printable", "shorten", "text_of"]

LONGEST = 24  # characters of an answer in a row of answers


def text_of(value: Any) -> str:
    """Return a text unchanged, a dash for `None`, and any other value as JSON.

    Example:
        >>> text_of([{"name": "search", "args": {}}])
        '[{"name": "search", "args": {}}]'
    """
    if isinstance(value, str):
        return value
    if value is None:
        return "-"
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):  # keys that are not text, cycles, numbers of thousands of digits
        return f"({type(value).__name__})"


def line(value: Any) -> str:
    """Return a value as one line.

    Example:
        >>> line("if x:" + chr(10) + "    y" + chr(27))
        'if x: y�'
    """
    return printable(" ".join(text_of(value).split()))


def block(value: Any) -> str:
    """Return a value with its lines and its indentation.

    Example:
        >>> block("if x:" + chr(10) + "    y" + chr(27)).splitlines()
        ['if x:', '    y�']
    """
    return "\n".join(printable(part) for part in text_of(value).expandtabs(4).splitlines())


def shorten(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters; a longer one ends in an ellipsis.

    Example:
        >>> shorten("Canberra", 5)
        'Canb…'
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def printable(text: str) -> str:
    """Return a text with every character that does not print replaced, line breaks included.

    These are escape codes, marks that change the direction of writing, and characters without a glyph.

    Example:
        >>> printable("4" + chr(27) + "[31m")
        '4�[31m'
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
