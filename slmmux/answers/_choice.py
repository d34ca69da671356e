r"""The letter a reply chooses."""

import re
from itertools import product

from slmmux.answers._announced import announced
from slmmux.answers._latex import undress, untext
from slmmux.answers._pattern import pattern
from slmmux.answers._reply import reply_of
from slmmux.answers._text import text_key

__all__ = ["announced_letter", "choice", "plain_letter"]

_LETTER = pattern(
    r"""
    [\s*_`"'“‘$:>✅✔\ufe0f-]*+ (?: (?i: that|therefore|probably|most|likely|clearly|definitely|the|correct|option
        |choice|letter|answer|is )\b [\s*_`:]*+ )*+
    (?: [(\[{<] [\s*_]*+ (?P<bracketed> [A-Za-z] ) [\s*_]*+ [)\]}>]
      | (?P<bare> [A-Za-z] ) (?! [A-Za-z0-9_] | ['’][A-Za-z] ) )
    """,
    re.VERBOSE,
)
_NOTHING = pattern(r"""(?: [\s*_`"'”’$.)\]}>,:;。] | \#\#++ | </[a-z]{1,9}> )*+ $""", re.VERBOSE)
_SEVERAL = pattern(r"[\s*_)\]]*+(?:,|/|&|\band\b|\bor\b)[\s*_(\[]*+[A-Z]\b(?!['’])")
_INITIALS = pattern(r"\.\s?[A-Z]\.")
# B. Paris, B) Paris, **B**: Paris, B - Paris, B, as ...; not B.C., B-12, B+
_OPTION = pattern(r"[*_`]*+(?:[.):,;](?![\w.])|\s[-–—]\s|\s*+(?:because|since|as|due|is(?!\snot|\s\w*wrong))\b)[*_`]*+")
_VERDICT = pattern(
    r"""
    (?<![\w'’]) [(\[*_]{0,4}+ (?P<subject> [A-Z] ) [)\]*_]{0,4}+ \ (?i: (?:is|seems|must\ be|would\ be)
        (?:\ (?:the|most|clearly|therefore|thus|indeed|likely|only|also|option|our|my)){0,4}+
        \ (?:correct|right|best|true|answer|choice)\b )
  | \b(?i: choose|chose|pick|select|say|go\ with|going\ with|opt\ for ) (?:\ (?i:the|option|choice|answer|letter)){0,3}+
        \ [(\[*_"]*+ (?P<object> [A-Z] ) \b (?! ['’]\w | (?<=[AI])\ [a-z] )
  | \b(?: (?i: is|be|it's|es|est|ist|option|choice|letter|hence|thus|therefore|so),?\  | [:：]\ ? )
        (?P<last> [A-HJ-Z] ) [.!*_`]*+ \Z
    """,
    re.VERBOSE,
)
_MARKED = pattern(r"""(?<![\w)\]])[(\[][*_]*+([A-Z])[*_]*+[)\]](?!\w)|\*\*\(?([A-Z])[.)]?\*\*|\"([A-Z])\"""")
_DISCUSSED = pattern(r"\W*+[A-Z][^\w\s]*+\s(?:is|was|are|has|does|would|can|cannot|could|seems|looks)\b")
_LISTED = pattern(r"^[ \t*_>-]{0,8}[(\[]?([A-Za-z])[)\].:][*_]{0,3}[ \t]++\S", re.MULTILINE)
# An option that the reply lists, wherever in a line: (A) Paris, B) Rome, C: Oslo; "D. Bern" only at the start of one.
_LABEL = pattern(
    r"""
    (?: (?<! [\w()\[\].'’] ) (?:
            [(\[] [*_]{0,3} (?P<bracketed> [A-Za-z] ) [*_]{0,3} [)\]] [:.]?
          | (?P<closed> [A-Za-z] ) [*_]{0,3} \)
          | (?P<colon> [A-Z] ) [*_]{0,3} :
        )
      | ^ [ \t*_>-]{0,8} (?P<dotted> [A-Za-z] ) [*_]{0,3} \.
    ) [*_]{0,3} [ \t]++ (?=\S)
    """,
    re.VERBOSE | re.MULTILINE,
)
# Where an option's text may end before its line does: Rome. It ..., Rome: it ..., Rome, because ...
_GOES_ON = pattern(r"[.:;](?=\s)|\s(?:\.\.|…)|</|\s[-–—]\s(?=[A-Za-z])|,?\s(?:because|since|as|which)\b")
_MOST_CHARACTERS = 200  # of an option's text that are compared
_MOST_OPTIONS = 100  # the last ones: all letters, each listed several times
_AROUND = " \t*_#$\"'“”’,;/|})]"

_Letters = dict[str, set[str]]


def choice(text: str) -> str | None:
    r"""Return the letter a reply chooses, upper-case; any of A to Z, no list of options needed.

    The last announced one ("Answer: B", "the answer is (c)", `##Answer: B##`, a box); else the last verdict ("B is
    correct", "I choose B", a final "so it must be B."); else the letter that the reply or its last line starts with
    ("B. Paris"); else the last in brackets or bold. Options listed again are no choice, but where they are, an
    announced option's own text is its letter.

    | reply | read | because |
    |---|---|---|
    | `B`, `b`, `(B)`, `**B**`, `B.`, `B) Paris`, `(B) Paris` | B | the whole reply |
    | `Answer: B`, `**Answer:** (B)`, `##Answer: B##`, `\boxed{\text{B}}` | B | announced |
    | `(A) is too small, so (B).` | B | the last in brackets |
    | `The answer depends ...` | None | no letter stands alone |
    | `A good question`, `I think so` | None | words, not letters |
    | `A) Oslo B) Rome. Answer: Rome` | B | the text of one option listed, compared as by `text` |
    | `Answer: Rome` | None | no list to look it up in |
    | `Answer: A or B`, `Answer: J. R. R. Tolkien`, `Answer: C++` | None | not one letter |

    Example:
        >>> choice("The answer is (c)."), choice("The answer depends on B.")
        ('C', None)
    """
    text = reply_of(text)
    listed: tuple[_Letters, _Letters] | None = None
    for stretch in announced(text):
        letter = announced_letter(stretch, sure=False)
        if letter or _says_several(stretch):
            return letter
        listed = _options(text) if listed is None else listed
        letter = _named(stretch, listed)
        if letter:
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


def _options(text: str) -> tuple[_Letters, _Letters]:
    """Return the letters of the options that a reply lists, by their text, and by its beginning.

    A letter counts where its neighbour in the alphabet is listed too: of `Q:` and `A:`, and of `J. Doe`, none does.
    """
    labels = list(_LABEL.finditer(text))[-_MOST_OPTIONS:]
    letters = {label[label.lastgroup or 0].upper() for label in labels}
    whole: _Letters = {}
    begun: _Letters = {}
    ends = [label.start() for label in labels[1:]] + [len(text)]
    for label, following in zip(labels, ends, strict=False):
        letter = label[label.lastgroup or 0].upper()
        if chr(ord(letter) - 1) in letters or chr(ord(letter) + 1) in letters:
            end = min(following, label.end() + _MOST_CHARACTERS)
            for by_text, key in zip((whole, begun), _keys(text[label.end() : end].split("\n", 1)[0]), strict=True):
                by_text.setdefault(key, set()).add(letter)
    return whole, begun


def _named(stretch: str, options: tuple[_Letters, _Letters]) -> str | None:
    """Return the letter of the one option whose text an announcement is followed by."""
    if any(options):
        for key, letters in product(filter(None, _keys(stretch[:_MOST_CHARACTERS])), options):
            if key in letters:
                return min(letters[key]) if len(letters[key]) == 1 else None
    return None


def _keys(written: str) -> tuple[str, str]:
    """Return what an option's text is compared by: all of it, and what stands before it is explained."""
    parts = written, _GOES_ON.split(written, maxsplit=1)[0]
    whole, begun = (text_key(untext(undress(part)).strip(_AROUND).rstrip(_AROUND + ".!")) for part in parts)
    return whole, begun


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
