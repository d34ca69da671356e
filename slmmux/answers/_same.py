"""Whether two answers, given as texts, are one answer."""

from slmmux.answers._latex import math_key
from slmmux.answers._mathematics import available, mathematically_equal
from slmmux.answers._pattern import pattern
from slmmux.answers._text import text_key

__all__ = ["same"]

_MATHEMATICS = pattern(r"[\\^_={}]")
_NUMBER = pattern(r"-?[0-9]+(?:\.[0-9]+|/[0-9]+)?")
# What may be mathematics that has no canonical form here: signs or digits, and no word that is not LaTeX's own.
_SIGNS = pattern(r"[0-9\\^_=+*/()\[\]{}<>|-]")
_WORD = pattern(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_WORDS_OF_TEX = pattern(r"\\(?:begin|end|text|mathrm|operatorname)\{[^{}]*+\}")


def same(a: str, b: str) -> bool:
    r"""Return whether two answers are one: by their canonical form, else as mathematics.

    Numbers by their exact value, with or without `$`, unit in `\text{}`, or separators; mathematics by its tidied
    LaTeX, in which R and r differ; anything else without case, blanks, emphasis and final punctuation. Where the extra
    `math` is installed, mathematics that differs in form is compared by math-verify in a process of its own, for at
    most five seconds: sets, intervals, matrices, expressions, `x=5` and `5`.

    Args:
        a: An answer, as an extractor returns it; no whole reply.
        b: The other one, or the gold answer.

    Returns:
        Reflexive and symmetric; without the extra transitive as well.

    Example:
        >>> same("1/2", "0.5"), same("50%", r"$\frac{1}{2}$"), same("50%", "50"), same("**Canberra.**", "canberra")
        (True, True, False, True)
    """
    one, other = _form(a), _form(b)
    if one == other:
        return True
    if one.lower() == other.lower():
        return False  # x^R and x^r; math-verify reads all letters as small ones
    return _is_mathematics(one) and _is_mathematics(other) and _differ_in_form(one, other) and _equal(a, b)


def _form(answer: str) -> str:
    key = math_key(answer.strip().strip("*`"))
    return key if _MATHEMATICS.search(key) else text_key(key)


def _is_mathematics(form: str) -> bool:
    return bool(_SIGNS.search(form)) and not _WORD.search(_WORDS_OF_TEX.sub("", form))


def _differ_in_form(one: str, other: str) -> bool:
    """Two canonical numbers that differ are two numbers: 0.3333333 is not 1/3."""
    return not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other))


def _equal(a: str, b: str) -> bool:
    return available() and mathematically_equal(a.strip().strip("*`"), b.strip().strip("*`"))
