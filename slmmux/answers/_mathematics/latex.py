r"""LaTeX as models write it, without what only sets it."""

import re
import unicodedata
from collections.abc import Callable

from slmmux.answers._pattern import pattern

__all__ = ["undress", "untext"]

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_TIDY: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (pattern("[¼½¾⅐-⅞]"), lambda one: " " + unicodedata.normalize("NFKC", one[0]).replace("\u2044", "/")),
    (
        pattern("(?<=[0-9A-Za-z)}\\]π₀-₉])(?:[⁺⁻]?[⁰¹²³⁴-⁹]+[⁺⁻]?|[⁺⁻])"),
        lambda one: f"^{_braced(one[0].translate(_RAISED))}",
    ),
    (pattern("(?<=[A-Za-z)}\\]])[₀-₉]+"), lambda one: f"_{_braced(one[0].translate(_LOWERED))}"),
    (pattern(r",\\! ?"), ","),  # 11,\! 111
    (
        pattern(r"\\(?:displaystyle|left|right|[bB]igg?[lrm]?)(?![A-Za-z])|(?<!\\)\\[,;:!>()\[\]]"),
        "",
    ),  # sizes, thin spaces, delimiters
    (pattern(r"\\(?=[$%&#])"), ""),
    (pattern(r"\{,\}"), ","),
    (pattern(r"(?<!\\)\\ |~|\\q?quad(?![A-Za-z])"), " "),
    (pattern(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (
        pattern(r"\\frac(?: ?([0-9])| ([A-Za-z])) ?([0-9A-Za-z])"),
        lambda frac: rf"\frac{{{frac[1] or frac[2]}}}{{{frac[3]}}}",
    ),
    (pattern(r"\\frac(?: ?([0-9])| ([A-Za-z])) ?\{"), lambda frac: rf"\frac{{{frac[1] or frac[2]}}}{{"),
    (pattern(r"\\frac ?(\{[^{}]*+\}) ?([0-9A-Za-z])"), r"\\frac\1{\2}"),
    (pattern(r"\^ ?\{? ?\\circ ?\}?|\\degree(?![A-Za-z])"), "°"),
]
_TEXT = r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt)|boldsymbol|bm|mbox|operatorname)\*? ?\{"
_WORDS = pattern(_TEXT + r"([^{}]*+)\}")


def _braced(text: str) -> str:
    return text if len(text) == 1 else f"{{{text}}}"


def undress(text: str) -> str:
    r"""Return LaTeX without what only spaces or sizes it; fractions as `\frac{}{}`.

    Example:
        >>> undress(r"\left(1{,}234,\, \dfrac12\right)")
        '(1,234, \\frac{1}{2})'
    """
    if text.isascii() and "\\" not in text and "~" not in text and "{,}" not in text:
        return text
    for spelling, instead in _TIDY:
        text = spelling.sub(instead, text)
    return text


def untext(text: str) -> str:
    r"""Return LaTeX with its words bare; one inside another, `\textbf{\text{B}}`, is as deep as it looks.

    Example:
        >>> untext(r"\textbf{(B)}\ \text{ten}")
        '(B)\\ ten'
    """
    return _WORDS.sub(r"\1", _WORDS.sub(r"\1", text)) if "\\" in text else text
