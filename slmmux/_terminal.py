"""What models write, made safe to show: no markup, no escape codes, no text that runs backwards."""

from typing import Any

from rich.text import Text

__all__ = ["shown"]


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
    safe = "".join(c if c.isprintable() else "\ufffd" for c in line)
    if limit is not None and len(safe) > limit:
        safe = safe[: limit - 1] + "…"
    return Text(safe, style=style)
