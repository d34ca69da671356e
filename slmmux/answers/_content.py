r"""What an answer says, however it is dressed: a number, a quantity, mathematics or words, each in one form."""

import re
from fractions import Fraction
from typing import Literal, NamedTuple

from slmmux.answers._mathematics.formula import formula_key
from slmmux.answers._mathematics.latex import undress, untext
from slmmux.answers._mathematics.numeral import decimal, numeral_at
from slmmux.answers._mathematics.units import Quantity, quantity
from slmmux.answers._pattern import pattern
from slmmux.answers._pieces import translated
from slmmux.answers._text import text_key
from slmmux.answers._words.moments import moment_key
from slmmux.answers._words.number_words import words_at
from slmmux.answers._words.scripts import plain

__all__ = ["Content", "content_of"]

Kind = Literal["number", "math", "moment", "text"]

_TEXT = r"\\(?:text|mathrm|mbox|textrm)\*? ?\{"
_UNIT = pattern(
    r"\s*+(?:°|degrees?\b)?\s*+(?:" + _TEXT + r"(?!\s*[ap]\.?m\b)[^{}]*+\}(?:\^\{?[0-9]\}?)?)?[\s.]*+", re.IGNORECASE
)
_MATHEMATICS = pattern(r"[\\^_=]")
# No word: the name of a function before what it is taken of, sqrt(2).
_WORD = pattern(
    r"(?<![\\A-Za-z])(?!(?:sqrt|sin|cos|tan|log|exp|gcd|lcm|max|min|mod)\b ?[(0-9a-z_])[^\W\d_]{3,}"
    r"|[^\W\d_\u0000-\u007f\u0370-\u03ffµℝℤℕℚℂ]|[A-Za-z](?:\+\+|#)"
)
# 2 and 3, x and y
_AND = pattern(
    r"(?:(?<=[0-9$)}])|(?<=(?<![A-Za-z])[A-Za-z])),? (?:and|&|und|et|y|e|и) (?=[-0-9$(\\]|[A-Za-z](?![A-Za-z]))"
)
_DECADE = pattern(r"(?:the )?[12][0-9]{2}0['’]?s", re.IGNORECASE)
_REPEATING = pattern(
    r"(?P<sign>[-−])?(?P<whole>[0-9]{0,15})\.(?P<fixed>[0-9]{0,15})"
    r"(?:\\(?:overline|bar|dot) ?\{(?P<over>[0-9]{1,15})\}|\((?P<within>[0-9]{1,15})\)|(?P<again>[0-9])(?P=again){2,15}(?:\.{3}|…|\\l?dots))"
)
_SAID_IN_WORDS = {
    "infinity": r"\infty", "positive infinity": r"\infty", "plus infinity": r"\infty", "negative infinity": r"-\infty",
    "minus infinity": r"-\infty", "the empty set": r"\emptyset", "empty set": r"\emptyset", "pi": r"\pi",
    "null set": r"\emptyset", "the null set": r"\emptyset", "infinite": r"\infty",
}  # fmt: skip
_COUNT = pattern(r" (?!(?:bc|bce|ad|ce|am|pm|and|or|to)\b)[a-z]{2,20}(?: [a-z]{2,20})?[\s.]*+")  # 5 apples
_NAME = pattern(r"(?:[A-Za-z]\.){2,}+|[^\w$]*+[^\W\d_]{2,}(?:[\s.'-]+[^\W\d_]+)*[^\w$)|]*+")
_SAYS_ANYTHING = pattern(r"[^\W_]|[∞∅]")
_CHEMICAL = pattern(r"(?:[A-Z][a-z]?(?:_?\{?[0-9₀-₉]{1,3}\}?)?){2,8}(?<=[0-9}₀-₉A-Za-z])")  # H2O
_FLAT = str.maketrans("", "", "_{}")
_LETTER = pattern(r"\(([A-Za-z])\)")


class Content(NamedTuple):
    """What an answer says.

    Attributes:
        kind: "number", with or without a unit; "math"; "moment", a date or a time; "text".
        key: What it is compared by.
        quantity: The number with its unit, where it is one; a bare number has the unit "".
    """

    kind: Kind
    key: str
    quantity: Quantity | None = None


def content_of(text: str) -> Content:
    r"""Return what a piece of writing that is an answer says; no whole reply.

    Its canonical number where it is one: a unit that comes in one size, `$` and a degree sign do not count, percent
    does, and 12,5 is a list. A number with a unit that comes in several sizes is that many of the smallest in which
    all are whole: 3 cm is 0.03 m. Words are compared as a text is, anything else as mathematics.

    Example:
        >>> [content_of(text).key for text in (r"\dfrac{1}{2}", r"1{,}200\text{ dollars}", r"\textbf{(B)}", "3 cm")]
        ['0.5', '1200', 'B', '0.03 m']
        >>> content_of(r"\left( 3, \frac{\pi}{2} \right)").key, content_of(r"\text{No solution}").key
        ('(3,\\pi/2)', 'no solution')
    """
    dressed = plain(text)
    tidy = undress(dressed).strip()
    bare = " ".join(untext(tidy).split())
    sized = quantity(bare)
    if sized:
        return Content("number", sized.key, sized)
    if _DECADE.fullmatch(bare):  # the 1990s are not the year 1990
        return Content("text", text_key(bare))
    tidy, bare = tidy.replace("$", "").strip(), bare.replace("$", "").strip()
    repeating = _REPEATING.fullmatch(tidy)
    if repeating:
        value = _repeating(repeating)
        return Content("number", decimal(value), Quantity(value, "", Fraction(1)))
    for candidate in (tidy, bare):
        number = numeral_at(candidate, 0)
        if number and number.value is not None and not number.doubtful and _UNIT.fullmatch(candidate, number.end):
            return Content("number", decimal(number.value), Quantity(number.value, "", Fraction(1)))
    if _CHEMICAL.fullmatch(bare):
        return Content("text", text_key(translated(bare, _FLAT)))
    moment = moment_key(bare)
    if moment:
        return Content("moment", moment)
    bare = _SAID_IN_WORDS.get(bare.casefold().rstrip("."), bare)
    as_list = _AND.sub(",", bare)
    if _says_words(as_list):
        return Content("text", text_key(bare), _count(bare))
    bare = as_list
    key = formula_key(bare)
    number = numeral_at(key, 0)  # x = 5
    if number and number.value is not None and not number.doubtful and number.end == len(key):
        return Content("number", decimal(number.value), Quantity(number.value, "", Fraction(1)))
    letter = _LETTER.fullmatch(key)
    return Content("math", letter[1] if letter else key or bare or text)


def _count(bare: str) -> Quantity | None:
    """Return how many things words count, in digits or in words: they differ where the things do."""
    number = numeral_at(bare, 0)
    value, end = (None, 0) if number is None or number.doubtful else (number.value, number.end)
    if value is None:
        value, end = words_at(bare, 0) or (None, 0)
    if value is None or not _COUNT.fullmatch(bare, end):
        return None
    return Quantity(value, text_key(bare[end:]), Fraction(1))


def _repeating(match: re.Match[str]) -> Fraction:
    """Return the value of a decimal whose last digits come again and again: 0.1(6)."""
    fixed, again = match["whole"] + match["fixed"], match["over"] or match["within"] or match["again"]
    nines = 10 ** len(again) - 1
    value = Fraction(int(fixed + again) - int(fixed or "0"), 10 ** len(match["fixed"]) * nines)
    return -value if match["sign"] else value


def _says_words(bare: str) -> bool:
    """Return whether a writing is words: letters enough for one and nothing that only mathematics has, or another script."""
    if _MATHEMATICS.search(bare):
        return False
    return bool(_WORD.search(bare) or _NAME.fullmatch(bare) or not _SAYS_ANYTHING.search(bare))
