"""The fenced blocks of a reply, as Markdown has them."""

import re
from collections.abc import Iterator

from slmmux.answers._pattern import pattern

__all__ = ["Block", "blocks", "fenced", "has_fence", "left_open"]

_LINE = pattern(r"^[ \t]*+(?P<fence>`{3,}+|~{3,}+)[ \t]*+(?P<info>[^`\n]*+)$", re.MULTILINE)
_PROSE = pattern(r"\A[A-Z][a-z]+(?: [a-z'’]+){2,}|\A[A-Z][a-z' ]*[.!:]\Z")  # no language: Done. This prints it.

Block = tuple[str, str]


def fenced(text: str) -> Iterator[Block]:
    r"""Yield (info string, content) of every closed fenced block, in order.

    A block ends at a fence of its own sign, at least as long and bare; one that is never closed was cut off.

    Example:
        >>> list(fenced("So:\n```python\nx = 1\n```\nand\n~~~\ny"))
        [('python', 'x = 1\n')]
    """
    return ((info, content) for _, info, content in blocks(text))


def blocks(text: str) -> Iterator[tuple[int, str, str]]:
    r"""Yield (start, info string, content) of every closed fenced block, in order; see `fenced`.

    Example:
        >>> list(blocks("So:\n```\nx\n```"))
        [(4, '', 'x\n')]
    """
    opener: re.Match[str] | None = None
    for line in _LINE.finditer(text):
        if opener is None:
            opener = line
        elif _closes(line, opener):
            yield opener.start(), opener["info"].strip(), text[opener.end() + 1 : line.start()]
            opener = None


def left_open(text: str) -> Block | None:
    r"""Return (info string, content) of the block that a text ends in, as its closing fence is not there.

    Example:
        >>> left_open("So:\n```python\nx = 1"), left_open("```\nx\n```")
        (('python', 'x = 1'), None)
    """
    opener: re.Match[str] | None = None
    for line in _LINE.finditer(text):
        if opener is None:
            opener = line
        elif _closes(line, opener):
            opener = None
    return None if opener is None else (opener["info"].strip(), text[opener.end() + 1 :])


def _closes(line: re.Match[str], opener: re.Match[str]) -> bool:
    """Return whether a fence ends the block that another began; prose may go on right behind it."""
    info = line["info"].strip()
    return line["fence"].startswith(opener["fence"]) and (not info or _PROSE.search(info) is not None)


def has_fence(text: str) -> bool:
    """Return whether a fenced block begins anywhere, closed or cut off."""
    return _LINE.search(text) is not None
