"""The whole reply as the answer, compared without what carries no meaning."""

import re
import unicodedata

from slmmux.answers._pattern import pattern
from slmmux.answers._pieces import pieces, translated
from slmmux.answers._replies.reply import reply_of
from slmmux.answers._words.courtesy import without_closing, without_opening
from slmmux.answers._words.moments import moment_key

__all__ = ["text", "text_key"]

_EMPHASIS = pattern(r"[*_`]++|~~")
_QUOTES = {"'": "'", "‘": "’", '"': '"', "“": "”", "„": "“", "«": "»"}
# Normalization sorts combining marks in a time quadratic in their number, so no more than these go in at once.
_PIECE = pattern(r"\s++|\S{1,200}")
_FINAL = ".!?,;:…。！？ "  # Chinese and Japanese replies end so
_ARTICLE = pattern(r"(?:the|an?) (?=\S)")
_ABBREVIATION = pattern(r"(?<!\w)[^\W\d_](?:\. ?[^\W\d_](?![^\W_])){1,99}\.?")  # U.S.A., J. K.
_STOP = pattern(r"(?<=[^\W\d_])\.(?=[ ,])")  # Dr. Who
_HYPHEN = pattern(r"(?<=[^\W\d_]{2})-(?=[^\W\d_]{2})")
# What joins the parts of a list says no more than a blank does.
_AND = pattern(r",? (?:and|&|und|et|y|e|и) |, ?(?=[^\W\d])")
_APOSTROPHES = str.maketrans("’ʼ‘`´", "'''''")
_PLAIN_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
_SAID_SO = {"dne": "does not exist", "infinitely many": "infinitely many solutions"}
_MOUNT, _SAINT = pattern(r"\bmt (?=[^\W\d_])"), pattern(r"\A(?:st|ste) (?=[^\W\d_])")
_FRAME = pattern(
    r"(?:it|this|(?:the )?(?:limit|integral|derivative|value|expression|series|sequence)|there (?:is|are))(?: (?:simply|just))? (?=(?:does|do|is|no|not|diverges|converges)\b)|there (?:is|are) (?=no\b)"
)
_NO_SOLUTION = pattern(r"no (?P<real>real )?solutions?(?: (?:exists?|is possible|are possible))?")


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
    it all, polite words around it, an article in front, accents, the full stops of U.S.A. and the final punctuation
    dropped; "and" and a comma are blanks, and a date or a time of day has one form. A text made of nothing else stays.

    Example:
        >>> text_key("**Canberra.**") == text_key("canberra"), text_key("the São Francisco") == text_key("Sao Francisco.")
        (True, True)
        >>> text_key("2*3"), text_key("snake_case"), text_key("March 5, 2024")
        ('2*3', 'snake_case', '2024-03-05')
    """
    folded = _normal(_normal(text).casefold())
    line = " ".join(folded.split())
    bare = _stripped(line)
    if not bare:
        return line
    bare = _stripped(without_opening(without_closing(bare))) or bare
    bare = _ARTICLE.sub("", bare, count=1) if _ARTICLE.match(bare) else bare
    bare = _without_accents(_ABBREVIATION.sub(lambda short: short[0].replace(".", "").replace(" ", ""), bare))
    moment = moment_key(bare)
    if moment:
        return moment
    bare = _MOUNT.sub("mount ", _SAINT.sub("saint ", _HYPHEN.sub(" ", _STOP.sub("", bare))))
    frame = _FRAME.match(bare)
    bare = bare[frame.end() :] if frame else bare
    none = _NO_SOLUTION.fullmatch(bare)
    bare = f"no {none['real'] or ''}solution" if none else _SAID_SO.get(bare, bare)
    return _AND.sub(" ", bare)


def _stripped(text: str) -> str:
    bare = _EMPHASIS.sub(_unless_text, text).lstrip("# ").rstrip(_FINAL)
    if len(bare) > 1 and _QUOTES.get(bare[0]) == bare[-1]:
        bare = bare[1:-1].strip().rstrip(_FINAL)
    return bare


def _normal(text: str) -> str:
    # One after another: to find all at once would keep every other thread waiting, for long texts.
    return "".join(unicodedata.normalize("NFKC", piece[0]) for piece in _PIECE.finditer(text))


def _without_accents(text: str) -> str:
    """Return a text with the letters of Latin script bare; an й is no и."""
    if text.isascii():
        return text
    bare = ("".join(map(_bare, piece)) for piece in pieces(translated(translated(text, _PLAIN_LETTERS), _APOSTROPHES)))
    return "".join(bare)


def _bare(letter: str) -> str:
    base = unicodedata.normalize("NFD", letter)[0]
    return base if base.isascii() and base.isalpha() else letter


def _unless_text(mark: re.Match[str]) -> str:
    """Emphasis stands between a word and its outside; between two letters or two blanks the mark is text."""
    before = mark.string[mark.start() - 1 : mark.start()] if mark.start() else " "
    after = mark.string[mark.end() : mark.end() + 1] or " "
    means_itself = (before.isalnum() and after.isalnum()) or (before.isspace() and after.isspace())
    return mark[0] if means_itself else ""
