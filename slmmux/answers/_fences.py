"""The fenced blocks of a reply, as Markdown has them."""

import re
from collections.abc import Iterator

from slmmux.answers._pattern import pattern

__all__ = ["Block", "fenced", "has_fence"]

_LINE = pattern(r"^[ \t]*+(?P<fence>`{3,}+|~{3,}+)[ \t]*+(?P<info>[^`\n]*+)$", re.MULTILINE)

Block = tuple[str, str]


def fenced(text: str) -> Iterator[Block]:
    r"""Yield (info string, content) of every closed fenced block, in order.

    A block ends at a fence of its own sign, at least as long and bare; one that is never closed was cut off.

    Example:
        >>> list(fenced("So:\n```python\nx = 1\n```\nand\n~~~\ny"))
        [('python', 'x = 1\n')]
    """
    opener: re.Match[str] | None = None
    for line in _LINE.finditer(text):
        if opener is None:
            opener = line
        elif line["fence"].startswith(opener["fence"]) and not line["info"].strip():
            yield opener["info"].strip(), text[opener.end() + 1 : line.start()]
            opener = None


def has_fence(text: str) -> bool:
    """Return whether a fenced block begins anywhere, closed or cut off."""
    return _LINE.search(text) is not None
