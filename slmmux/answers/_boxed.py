r"""The answer in a LaTeX box, as written."""

import re
from collections.abc import Iterator

from slmmux.answers._latex import math_key
from slmmux.answers._pattern import pattern
from slmmux.answers._reasoning import strip_reasoning

__all__ = ["boxed", "boxed_key", "boxes"]

# One of: a box with its brace, a box around what follows up to the next blank, an escaped brace, a brace.
_PIECE = pattern(
    r"\\(?:boxed|fbox)(?![A-Za-z])[ \t]*+(?:(?P<box>\{)|(?P<bare>[^\s${}\\]++)|)|\\[{}]|(?P<open>\{)|(?P<close>\})"
)


def boxed(text: str) -> str | None:
    r"""Return what the last well-formed box of a reply holds, as written and trimmed.

    | reply | answer |
    |---|---|
    | `\boxed{\frac{1}{2}}` | `\frac{1}{2}` |
    | `\boxed{4} ... no, \boxed{5}` | `5` |
    | `$\boxed 5$.` | `5` |
    | `\fbox{B}` | `B` |
    | `\boxed{\boxed{7}}` | `7` |
    | `\boxed{4}, so \boxed{\frac{1` (cut off) | `4` |
    | `\boxed{\frac{1` (cut off) | None |
    | `\boxed{}` | None |

    Example:
        >>> boxed(r"So $x = \boxed{ \frac{1}{2} }$.")
        '\\frac{1}{2}'
    """
    contents = [content for _, content in boxes(strip_reasoning(text))]
    return contents[-1] if contents else None


def boxed_key(content: str) -> str:
    r"""Return what a box's content is compared by: its number where it is one, else its tidied LaTeX.

    Example:
        >>> boxed_key("0.50") == boxed_key(r"\frac{1}{2}") == boxed_key(r"50\%")
        True
    """
    return math_key(content)


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
