r"""The letter a reply chooses."""

import re

from slmmux.answers._announced import announced
from slmmux.answers._latex import undress, untext
from slmmux.answers._reasoning import strip_reasoning

__all__ = ["announced_letter", "choice", "plain_letter"]

_LETTER = re.compile(
    r"""
    [\s*_`"'“‘$:>✅✔\ufe0f-]*+ (?: (?i: that|therefore|probably|most|likely|clearly|definitely|the|correct|option
        |choice|letter|answer|is )\b [\s*_`:]*+ )*+
    (?: [(\[{<] [\s*_]*+ (?P<bracketed> [A-Za-z] ) [\s*_]*+ [)\]}>]
      | (?P<bare> [A-Za-z] ) (?! [A-Za-z0-9_] | ['’][A-Za-z] ) )
    """,  # noqa: RUF001
    re.VERBOSE,
)
_NOTHING = re.compile(r"""(?: [\s*_`"'”’$.)\]}>,:;。] | \#\#++ | </[a-z]{1,9}> )*+ $""", re.VERBOSE)  # noqa: RUF001
_SEVERAL = re.compile(r"[\s*_)\]]*+(?:,|/|&|\band\b|\bor\b)[\s*_(\[]*+[A-Z]\b(?!['’])")  # noqa: RUF001
_INITIALS = re.compile(r"\.\s?[A-Z]\.")
# B. Paris, B) Paris, **B**: Paris, B - Paris, B, as ...; not B.C., B-12, B+
_OPTION = re.compile(
    r"[*_`]*+(?:[.):,;](?![\w.])|\s[-–—]\s|\s*+(?:because|since|as|due|is(?!\snot|\s\w*wrong))\b)[*_`]*+"  # noqa: RUF001
)
_VERDICT = re.compile(
    r"""
    (?<![\w'’]) [(\[*_]{0,4}+ (?P<subject> [A-Z] ) [)\]*_]{0,4}+ \ (?i: (?:is|seems|must\ be|would\ be)
        (?:\ (?:the|most|clearly|therefore|thus|indeed|likely|only|also|option|our|my)){0,4}+
        \ (?:correct|right|best|true|answer|choice)\b )
  | \b(?i: choose|chose|pick|select|say|go\ with|going\ with|opt\ for ) (?:\ (?i:the|option|choice|answer|letter)){0,3}+
        \ [(\[*_"]*+ (?P<object> [A-Z] ) \b (?! ['’]\w | (?<=[AI])\ [a-z] )
  | \b(?: (?i: is|be|it's|es|est|ist|option|choice|letter|hence|thus|therefore|so),?\  | [:：]\ ? )
        (?P<last> [A-HJ-Z] ) [.!*_`]*+ \Z
    """,  # noqa: RUF001
    re.VERBOSE,
)
_MARKED = re.compile(r"""(?<![\w)\]])[(\[][*_]*+([A-Z])[*_]*+[)\]](?!\w)|\*\*\(?([A-Z])[.)]?\*\*|\"([A-Z])\"""")
_DISCUSSED = re.compile(r"\W*+[A-Z][^\w\s]*+\s(?:is|was|are|has|does|would|can|cannot|could|seems|looks)\b")
_LISTED = re.compile(r"^[ \t*_>-]{0,8}[(\[]?([A-Z])[)\].:][*_]{0,3}[ \t]++\S", re.MULTILINE)


def choice(text: str) -> str | None:
    r"""Return the letter a reply chooses, upper-case; any of A to Z, no list of options needed.

    The last announced one ("Answer: B", "the answer is (c)", `##Answer: B##`, a box); else the last verdict ("B is
    correct", "I choose B", a final "so it must be B."); else the letter that the reply or its last line starts with
    ("B. Paris"); else the last in brackets or bold. Options listed again are no choice.

    | reply | read | because |
    |---|---|---|
    | `B`, `b`, `(B)`, `**B**`, `B.`, `B) Paris`, `(B) Paris` | B | the whole reply |
    | `Answer: B`, `**Answer:** (B)`, `##Answer: B##`, `\boxed{\text{B}}` | B | announced |
    | `(A) is too small, so (B).` | B | the last in brackets |
    | `The answer depends ...` | None | no letter stands alone |
    | `A good question`, `I think so` | None | words, not letters |
    | `Answer: A or B`, `Answer: J. R. R. Tolkien`, `Answer: C++` | None | not one letter |

    Example:
        >>> choice("The answer is (c)."), choice("The answer depends on B.")
        ('C', None)
    """
    text = strip_reasoning(text)
    for stretch in announced(text):
        letter = announced_letter(stretch, sure=False)
        if letter or _says_several(stretch):
            return letter
    verdicts = [verdict[verdict.lastgroup or 0] for verdict in _VERDICT.finditer(text)]
    if verdicts:
        return verdicts[-1]
    if len(set(_LISTED.findall(text))) > 1:
        text = _LISTED.sub("", text)
    lines = text.strip().split("\n")
    for start in (text, lines[0], lines[-1]):
        letter = None if _DISCUSSED.match(start) else announced_letter(start, sure=len(start.split()) > 1)
        if letter:
            return letter
    marked = [mark[mark.lastindex or 0] for mark in _MARKED.finditer(text)]
    return marked[-1] if marked else None


def _says_several(stretch: str) -> bool:
    """Return whether an announcement is followed by two letters: nothing else in the reply undoes that."""
    text = untext(undress(stretch))
    found = _LETTER.match(text)
    return bool(found and _SEVERAL.match(text, found.end()))


def announced_letter(stretch: str, *, sure: bool) -> str | None:
    """Return the one letter that an announcement is followed by.

    Args:
        stretch: What follows the announcement.
        sure: Nobody said that it is a letter: "B Paris" and a bare "b" do not count.

    Example:
        >>> announced_letter("B. Paris", sure=True), announced_letter("A dog", sure=False)
        ('B', None)
    """
    text = untext(undress(stretch))
    found = _LETTER.match(text)
    if found is None or _SEVERAL.match(text, found.end()) or _INITIALS.match(text, found.end()):
        return None
    letter, end = found["bracketed"] or found["bare"], found.end()
    if found["bare"]:
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
    bare = untext(undress(text))
    found = _LETTER.match(bare)
    letter = announced_letter(text, sure=True)
    if found is None or "\n" in bare.strip():
        return None
    closed = found["bracketed"] or bare.startswith(")", found.end())
    return letter if closed or _NOTHING.match(bare, found.end()) else None
