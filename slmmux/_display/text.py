"""What a model wrote as text that is safe to show: every character that does not print is replaced.

Knows no terminal and no page; those escape it in their own way.
"""

import json
from typing import Any

__all__ = ["LONGEST", "cut", "line", "text_of", "whole"]

LONGEST = 24  # characters of an answer where it stands among others


def text_of(value: Any) -> str:
    """Return a text as it is, `None` as a dash, and any other value as JSON.

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
    except (TypeError, ValueError, RecursionError):  # keys that are no text, circles, numbers of thousands of digits
        return f"({type(value).__name__})"


def line(value: Any) -> str:
    """Return a value as one line.

    Example:
        >>> line("if x:" + chr(10) + "    y" + chr(27))
        'if x: y�'
    """
    return _safe(" ".join(text_of(value).split()))


def whole(value: Any) -> str:
    """Return a value with its lines and indentation.

    Example:
        >>> whole("if x:" + chr(10) + "    y" + chr(27)).splitlines()
        ['if x:', '    y�']
    """
    return "\n".join(_safe(part) for part in text_of(value).expandtabs(4).splitlines())


def cut(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters; a longer one ends in an ellipsis.

    Example:
        >>> cut("Canberra", 5)
        'Canb…'
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _safe(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
