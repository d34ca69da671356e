"""The whole reply as the answer, compared without what carries no meaning."""

import re
import unicodedata

from slmmux.answers._pattern import pattern
from slmmux.answers._reply import reply_of

__all__ = ["text", "text_key"]

_EMPHASIS = pattern(r"[*_`]++|~~")
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»"}  # no single quotes: 5' is five feet
# Normalization sorts combining marks in a time quadratic in their number, so no more than these go in at once.
_PIECE = pattern(r"\s++|\S{1,200}")
_FINAL = ".!?,;:…。！？ "  # Chinese and Japanese replies end so


def text(text: str) -> str | None:
    """Return the whole reply, without reasoning and trimmed; None when nothing is left.

    Example:
        >>> text(" **Canberra.** ")
        '**Canberra.**'
    """
    return reply_of(text) or None


def text_key(text: str) -> str:
    """Return what a text is compared by.

    Unicode NFKC, case-folded, white space collapsed; markdown emphasis, a heading's #, a pair of quotes around
    it all and the final punctuation dropped. A text made of nothing else stays.

    Example:
        >>> text_key("**Canberra.**") == text_key("canberra")
        True
        >>> text_key("2*3"), text_key("snake_case")
        ('2*3', 'snake_case')
    """
    folded = _normal(_normal(text).casefold())
    whole = " ".join(folded.split())
    bare = _EMPHASIS.sub(_unless_text, whole).lstrip("# ").rstrip(_FINAL)
    if len(bare) > 1 and _QUOTES.get(bare[0]) == bare[-1]:
        bare = bare[1:-1].strip().rstrip(_FINAL)
    return bare or whole


def _normal(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", piece) for piece in _PIECE.findall(text))


def _unless_text(mark: re.Match[str]) -> str:
    """Emphasis stands between a word and its outside; between two letters or two blanks the mark is text."""
    before = mark.string[mark.start() - 1 : mark.start()] if mark.start() else " "
    after = mark.string[mark.end() : mark.end() + 1] or " "
    means_itself = (before.isalnum() and after.isalnum()) or (before.isspace() and after.isspace())
    return mark[0] if means_itself else ""
