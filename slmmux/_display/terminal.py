"""What models write, made safe to show: no markup, no escape codes, no text that runs backwards."""

from typing import Any

from rich.text import Text

from slmmux._display import text as _line

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
    safe = _line.line(value)
    return Text(safe if limit is None else _line.cut(safe, limit), style=style)


def whole(text: str, style: str = "") -> Text:
    """Return untrusted text with its lines and indentation, every other character that does not print replaced.

    Example:
        >>> whole("if x:" + chr(10) + "    y" + chr(27)).plain.splitlines()
        ['if x:', '    y�']
    """
    return Text(_line.whole(text), style=style)
