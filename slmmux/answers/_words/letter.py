r"""The letter that stands at the beginning of a text: after an announcement, or as the whole reply."""

import re

from slmmux.answers._mathematics.latex import undress, untext
from slmmux.answers._pattern import pattern
from slmmux.answers._words.languages import COPULA
from slmmux.answers._words.scripts import plain

__all__ = ["announced_letter", "plain_letter", "rejects", "says_several"]

_LETTER = pattern(
    r"""
    [\s*_`"'“‘$:>✅✔\ufe0f-]*+ (?: (?i: that|therefore|probably|most|likely|clearly|definitely|the|correct|option
        |choice|letter|answer|is|indeed|simply|just|statement|alternative|letra|lettre|lettera|buchstabe|opción|opção|opzione
        |alternativa|буква|вариант )\b [\s*_`:]*+ )*+
    (?: [(\[{<「『]{1,2} [\s*_]*+ (?P<bracketed> [A-Za-z] ) [\s*_]*+ [)\]}>」』]{1,2}
      | (?P<bare> [A-Za-z] ) (?! [A-Za-z0-9] | _{1,3}[A-Za-z0-9{] | ['’][A-Za-z] ) )
    """,
    re.VERBOSE,
)
_NOTHING = pattern(
    rf"""(?: \s*{COPULA} )?+ (?: [\s*_`"'”’$.)\]}}>,:;!。、」』] | \#\#++ | </[a-z]{{1,9}}> )*+ $""",
    re.VERBOSE,
)
_BETWEEN = r"(?:,|/|&|;|、|\b(?:and|or|und|oder|et|ou|y|o|e|или|и)\b|和|或|と|及び|및|또는)"
_SEVERAL = pattern(
    rf"[\s*_)\]\"']*+{_BETWEEN}[\s*_(\[\"']*+[A-Z](?![\w'’]|\.[A-Z]|(?<=[AI])\ [a-z])|[\s*_]*+[(\[][A-Z][)\]](?!\s?[a-z])"
)
_INITIALS = pattern(r"\.\s?[A-Z]\.")
# B. Paris, B) Paris, **B**: Paris, B - Paris, B, as ...; not B.C., B-12, B+
_OPTION = pattern(
    r"[*_`]*+(?:[.):,;](?:(?![\w.])|(?=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]))|\s[-–—]\s|\s*+(?:because|since|as|due|rather|instead|over|and\snot|is(?!\s(?:also\s|clearly\s|definitely\s)?(?:not|wrong|\w*correct\b(?<!\scorrect)|false)))\b|\s*+[，。、])[*_`]*+"
)
_LIST = pattern(
    rf"[\s*_`\"'$]*+(?:(?i:both|either|neither)\s)?[(\[{{][\s*_\"']*+[A-Z][\s*_)\]\"']*+{_BETWEEN}[\s*_(\[\"']*+[A-Z]\b"
)
# Not B but C; B is incorrect.
_NOT = pattern(
    r"[\s*_`\"'“‘]*+(?:definitely|certainly|clearly)?\s*+(?:(?:not|n['’]t|nicht|pas|não|non|не)\s++)"
    r"(?:(?:option|choice|letter)\s++)?[(\[*_]*+[A-Z][)\]*_]*+(?!\w)"
    r"(?:,?\s++(?:but|sondern|mais|mas|ma|bensì|а)(?:\s++(?:rather|instead))?\s++(?P<but>[^\n]++))?"
)
_WRONG = pattern(
    r"[\s)\]*_\"'”’.,]*+(?:is|was|would\s+be|seems|looks|cannot\s+be|can['’]t\s+be|isn['’]t|are)\s++"
    r"(?:also\s++|clearly\s++|definitely\s++|therefore\s++)?"
    r"(?:(?:not|wrong|incorrect|false|invalid|out|too|impossible|ruled|eliminated)\b|n['’]t\b)",
    re.IGNORECASE,
)


_LONGEST = 4_000  # characters of a line that are looked at: the letter is its first


def _head(stretch: str) -> str:
    return untext(undress(plain(stretch[:_LONGEST])))


def rejects(stretch: str) -> tuple[bool, str]:
    """Return whether an announcement only says what the answer is not, and what it says instead: not B but C.

    Example:
        >>> rejects("not B but C."), rejects("(D) is incorrect"), rejects("B")
        ((True, 'C.'), (True, ''), (False, ''))
    """
    text = _head(stretch)
    negated = _NOT.match(text)
    if negated:
        return True, negated["but"] or ""
    match = _LETTER.match(text)
    return bool(match and _WRONG.match(text, match.end())), ""


def says_several(stretch: str) -> bool:
    """Return whether an announcement is followed by two letters: nothing else in the reply undoes that."""
    text = _head(stretch)
    match = _LETTER.match(text)
    return bool(match and _SEVERAL.match(text, match.end())) or _LIST.match(text) is not None


def announced_letter(stretch: str, *, sure: bool) -> str | None:
    """Return the one letter that an announcement is followed by.

    Args:
        stretch: What follows the announcement.
        sure: Nobody said that it is a letter: "B Paris" and a bare "b" do not count.

    Example:
        >>> announced_letter("B. Paris", sure=True), announced_letter("A dog", sure=False)
        ('B', None)
    """
    text = _head(stretch)
    match = _LETTER.match(text)
    if match is None or _SEVERAL.match(text, match.end()) or _INITIALS.match(text, match.end()):
        return None
    letter, end = match["bracketed"] or match["bare"], match.end()
    if match["bare"]:
        alone = _NOTHING.match(text, end)
        option = _OPTION.match(text, end)
        word = not sure and letter not in "AI" and text[end : end + 1].isspace()
        closed = text.startswith(")", end)
        if not (alone or option or word) or (letter.islower() and not (closed or (alone and not sure))):
            return None
    return letter.upper()


def plain_letter(text: str) -> str | None:
    """Return the letter that a reply is: bare and upper-case, or closed by a bracket with or without its option.

    Example:
        >>> plain_letter("**B.**"), plain_letter("B) Paris"), plain_letter("B. Traven")
        ('B', 'B', None)
    """
    bare = _head(text)
    match = _LETTER.match(bare)
    letter = announced_letter(text, sure=True)
    if match is None or "\n" in bare.strip() or "\n" in text[_LONGEST:].strip():
        return None
    closed = match["bracketed"] or bare.startswith(")", match.end())
    return letter if closed or _NOTHING.match(bare, match.end()) else None
