"""Whether two answers, given as texts, are one answer."""

import re

from slmmux.answers._latex import math_key
from slmmux.answers._text import text_key

__all__ = ["same"]

_MATHEMATICS = re.compile(r"[\\^_={}]")


def same(a: str, b: str) -> bool:
    r"""Return whether two answers have one canonical form.

    Numbers by their exact value, with or without `$`, unit in `\text{}`, or separators; mathematics by its tidied
    LaTeX, in which R and r differ; anything else without case, blanks, emphasis and final punctuation.

    Args:
        a: An answer, as an extractor returns it; no whole reply.
        b: The other one, or the gold answer.

    Returns:
        An equivalence: reflexive, symmetric and transitive.

    Example:
        >>> same("1/2", "0.5"), same("50%", r"$\frac{1}{2}$"), same("50%", "50"), same("**Canberra.**", "canberra")
        (True, True, False, True)
    """
    return _form(a) == _form(b)


def _form(answer: str) -> str:
    key = math_key(answer.strip().strip("*`"))
    return key if _MATHEMATICS.search(key) else text_key(key)
