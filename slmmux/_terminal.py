"""What models write, made safe to show: no markup, no escape codes, no text that runs backwards."""

from typing import Any

from rich.text import Text

__all__ = ["shown", "whole"]


def shown(value: Any, style: str = "", *, limit: int | None = None) -> Text:
    """Return untrusted text for a terminal: one line, every character that does not print replaced.

    Args:
        value: What a model wrote; `None` is shown as a dash.
        style: A rich style.
        limit: Most characters; longer text ends in an ellipsis.

    Example:
        >>> shown("[bold]4[/bold]" + chr(27) + "[31m").plain
        '[bold]4[/bold]�[31m'
    """
    line = "-" if value is None else " ".join(str(value).split())
    safe = _safe(line)
    if limit is not None and len(safe) > limit:
        safe = safe[: limit - 1] + "…"
    return Text(safe, style=style)


def whole(text: str, style: str = "") -> Text:
    """Return untrusted text with its lines and indentation, every other character that does not print replaced.

    Example:
        >>> whole("if x:" + chr(10) + "    y" + chr(27)).plain.splitlines()
        ['if x:', '    y�']
    """
    return Text("\n".join(_safe(line) for line in text.expandtabs(4).splitlines()), style=style)


def _safe(line: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in line)
