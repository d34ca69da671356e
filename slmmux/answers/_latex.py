r"""LaTeX as models write it, tidied until two spellings of one thing are the same text."""

import re
import unicodedata
from collections.abc import Callable

from slmmux.answers._numeral import decimal, numeral_at
from slmmux.answers._pattern import pattern

__all__ = ["math_key", "undress", "untext"]

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_TIDY: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (pattern("[¼½¾⅐-⅞]"), lambda one: " " + unicodedata.normalize("NFKC", one[0]).replace("\u2044", "/")),
    (pattern("(?<=[0-9A-Za-z)}\\]π])[⁺⁻]?[⁰¹²³⁴-⁹]+"), lambda one: f"^{_braced(one[0].translate(_RAISED))}"),
    (pattern("(?<=[A-Za-z)}\\]])[₀-₉]+"), lambda one: f"_{_braced(one[0].translate(_LOWERED))}"),
    (pattern(r"\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])|\\[,;:!>()\[\]]"), ""),  # sizes, thin spaces, delimiters
    (pattern(r"\\(?=[$%&#])"), ""),
    (pattern(r"\{,\}"), ","),
    (pattern(r"\\ |~|\\q?quad(?![A-Za-z])"), " "),
    (pattern(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (pattern(r"\\frac ?([0-9]) ?([0-9])"), r"\\frac{\1}{\2}"),
    (pattern(r"\^ ?\{? ?\\circ ?\}?|\\degree(?![A-Za-z])"), "°"),
]
_TEXT = r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt)|mbox|operatorname)\*? ?\{"
_WORDS = pattern(_TEXT + r"([^{}]*+)\}")
_UNIT = pattern(r"\s*+°?\s*+(?:" + _TEXT + r"(?!\s*[ap]\.?m\b)[^{}]*+\}(?:\^\{?[0-9]\}?)?)?[\s.]*+", re.IGNORECASE)
_LETTER = pattern(r"\(([A-Za-z])\)")


def _braced(written: str) -> str:
    return written if len(written) == 1 else f"{{{written}}}"


def undress(text: str) -> str:
    r"""Return LaTeX without what only spaces or sizes it; fractions as `\frac{}{}`.

    Example:
        >>> undress(r"\left(1{,}234,\, \dfrac12\right)")
        '(1,234, \\frac{1}{2})'
    """
    for spelling, instead in _TIDY:
        text = spelling.sub(instead, text)
    return text


def untext(text: str) -> str:
    r"""Return LaTeX with its words bare; one inside another, `\textbf{\text{B}}`, is as deep as it looks.

    Example:
        >>> untext(r"\textbf{(B)}\ \text{ten}")
        '(B)\\ ten'
    """
    return _WORDS.sub(r"\1", _WORDS.sub(r"\1", text))


def math_key(written: str) -> str:
    r"""Return what a piece of mathematics is compared by.

    Its canonical number where it is one: a unit in `\text{}`, `$` and a degree sign do not count, percent does, and
    12,5 is a list. Else its tidied text: words bare, no blanks but between words, no final full stop, `(B)` as `B`.

    Example:
        >>> math_key(r"\dfrac{1}{2}"), math_key(r"1{,}200\text{ dollars}"), math_key(r"\textbf{(B)}")
        ('0.5', '1200', 'B')
        >>> math_key(r"\left( 3, \frac{\pi}{2} \right)")
        '(3,\\frac{\\pi}{2})'
    """
    tidy = undress(written).replace("$", "").strip()
    bare = untext(tidy).strip()
    for candidate in (tidy, bare):
        number = numeral_at(candidate, 0)
        if number and number.value is not None and not number.doubtful and _UNIT.fullmatch(candidate, number.end):
            return decimal(number.value)
    words = " ".join(bare.split())
    key = re.sub(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])", "", words).rstrip(".")
    letter = _LETTER.fullmatch(key)
    return letter[1] if letter else key or words or written
