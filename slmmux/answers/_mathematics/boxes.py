r"""Where the LaTeX boxes of a text are, and what they hold."""

import re
from collections.abc import Iterator

from slmmux.answers._pattern import pattern

__all__ = ["boxes"]

# One of: a box with its brace, a box around what follows up to the next blank, an escaped brace, a brace.
_PIECE = pattern(
    r"\\(?:boxed|fbox)(?![A-Za-z])[ \t]*+(?:(?P<box>\{)|(?P<bare>[^\s${}\\]++)|)|\\[{}]|(?P<open>\{)|(?P<close>\})"
)


def boxes(text: str) -> Iterator[tuple[int, str]]:
    r"""Yield (start, content) of every box that is closed, not empty, and holds no other box, in order.

    One pass with a stack, and no text is copied twice: a thousand boxes in each other cost no more than one.
    To TeX only the 4 of `\boxed 42` is boxed; models mean all of it.
    """
    opened: list[re.Match[str]] = []
    last = -1
    for piece in _PIECE.finditer(text):
        if piece["bare"]:
            content = piece["bare"].rstrip(".,;:!?")
            if content:
                last = piece.start()
                yield last, content
        elif piece["box"] or piece["open"]:
            opened.append(piece)
        elif piece["close"] and opened:
            opener = opened.pop()
            if opener["box"] and opener.start() > last:
                content = text[opener.end() : piece.start()].strip()
                if content:
                    last = opener.start()
                    yield last, content
