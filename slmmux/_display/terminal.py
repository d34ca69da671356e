"""Text of models on a terminal, made safe: no markup, no escape codes, no text that runs backwards."""

from typing import Any

from rich.text import Text

from slmmux._display.text import block, line, shorten

__all__ = ["text_block", "text_line"]


def text_line(value: Any, style: str = "", *, limit: int | None = None) -> Text:
    """Return untrusted text as one line, with every character that does not print replaced.

    Args:
        value: A value from a model; `None` becomes a dash.
        style: A rich style.
        limit: The most characters; a longer text ends in an ellipsis.

    Example:
        >>> text_line("[bold]4[/bold]" + chr(27) + "[31m").plain
        '[bold]4[/bold]�[31m'
    """
    safe = line(value)
    return Text(safe if limit is None else shorten(safe, limit), style=style)


def text_block(text: str, style: str = "") -> Text:
    """Return untrusted text with its lines and its indentation, every other character that does not print replaced.

    Example:
        >>> text_block("if x:" + chr(10) + "    y" + chr(27)).plain.splitlines()
        ['if x:', '    y�']
    """
    return Text(block(text), style=style)
