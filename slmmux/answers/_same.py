"""Whether two answers, given as texts, are one answer."""

from fractions import Fraction

from slmmux.answers._content import Content, content_of
from slmmux.answers._mathematics.comparison import available, mathematically_equal
from slmmux.answers._mathematics.exact import exact_value
from slmmux.answers._mathematics.units import agree
from slmmux.answers._pattern import pattern
from slmmux.answers._words.number_words import words_at

__all__ = ["same"]

_MATHEMATICS = pattern(r"[\\^_={}]")
# What may be mathematics that has no canonical form here: signs or digits, and no word that is not LaTeX's own.
_SIGNS = pattern(r"[0-9\\^_=+*/()\[\]{}<>|-]")
_WORD = pattern(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_VARIABLE = pattern(r"[$\s]*([A-Za-z](?:_\{?[0-9A-Za-z]\}?)?)\s*=[^=]*\Z")
_BASED = pattern(r"[0-9A-F]+_(?:[0-9]|\{[0-9]+\})")
_WORDS_OF_TEX = pattern(r"\\(?:begin|end|text|mathrm|operatorname)\{[^{}]*+\}")


def same(a: str, b: str) -> bool:
    r"""Return whether two answers are one: by their canonical form, else as mathematics.

    Numbers by their exact value, with or without `$`, separators, or a unit, but 3 m is not 3 cm and $5 is not €5;
    mathematics by its tidied LaTeX or Unicode, in which R and r differ; dates and times as such; anything else without
    case, accents, articles, blanks, emphasis and final punctuation. Where the extra
    `math` is installed, mathematics that differs in form is compared by math-verify in a process of its own, for at
    most five seconds: sets, intervals, matrices, expressions, `x=5` and `5`.

    Args:
        a: An answer, as an extractor returns it; no whole reply.
        b: The other one, or the gold answer.

    Returns:
        Reflexive and symmetric. Not transitive: 3 m and 3 cm both are 3.

    Example:
        >>> same("1/2", "0.5"), same("50%", r"$\frac{1}{2}$"), same("50%", "50"), same("**Canberra.**", "canberra")
        (True, True, False, True)
    """
    one, other = content_of(_bare(a)), content_of(_bare(b))
    if _of_others(a, b):
        return False
    if one.key == other.key:
        return True
    if one.key.lower() == other.key.lower():
        return not _MATHEMATICS.search(one.key)  # x^R is not x^r; math-verify reads all letters as small ones
    spelled = _value(one, a), _value(other, b)
    if None not in spelled and "text" in {one.kind, other.kind}:
        return spelled[0] == spelled[1]
    if one.quantity and other.quantity:
        return agree(one.quantity, other.quantity)
    if _other_brackets(one.key, other.key) or _other_bases(one.key, other.key):
        return False
    if any(content.kind in {"moment", "text"} or _sized(content) for content in (one, other)):
        return False
    values = exact_value(one.key), exact_value(other.key)
    if None not in values:
        return values[0] == values[1]
    return _is_mathematics(one.key) and _is_mathematics(other.key) and _equal(a, b)


def _value(content: Content, answer: str) -> Fraction | None:
    """Return the value of an answer that is a bare number, in digits or in words."""
    if content.kind == "number" and content.quantity and not content.quantity.unit:
        return content.quantity.value
    bare = _bare(answer).rstrip(".").casefold()
    words = words_at(bare, 0) if content.kind == "text" and bare != "null" else None  # zero to Germans only
    return words[0] if words and words[1] == len(bare) else None


def _of_others(a: str, b: str) -> bool:
    """Return whether both give a variable its value, and not the same one: x = 5, y = 5."""
    one, other = _VARIABLE.match(_bare(a)), _VARIABLE.match(_bare(b))
    return bool(one and other and one[1] != other[1])


def _other_brackets(one: str, other: str) -> bool:
    """Return whether one is a set, and the other a pair or an interval: {1, 2}, (1, 2)."""
    return {one[:1], other[:1]} == {"\\", "("} and (one.startswith("\\{") or other.startswith("\\{"))


def _other_bases(one: str, other: str) -> bool:
    """Return whether one is a number in a base that the other does not name: 101_2, 101."""
    based = [_BASED.fullmatch(key) is not None for key in (one, other)]
    return any(based) and not all(based)


def _bare(answer: str) -> str:
    return answer.strip().strip("*`").strip()


def _sized(content: Content) -> bool:
    return bool(content.quantity and content.quantity.unit)


def _is_mathematics(form: str) -> bool:
    return bool(_SIGNS.search(form)) and not _WORD.search(_WORDS_OF_TEX.sub("", form))


def _equal(a: str, b: str) -> bool:
    return available() and mathematically_equal(_bare(a), _bare(b))
