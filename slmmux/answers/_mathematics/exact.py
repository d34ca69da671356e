r"""The exact value of a numeric expression: two that differ by less than a float can tell are still two."""

import math
from fractions import Fraction

from slmmux.answers._pattern import pattern

__all__ = ["exact_value"]

_TOKEN = pattern(r"\s*+(?:(?P<number>[0-9]++(?:\.[0-9]++)?)|(?P<sign>[-+*/^!(){}]))")
_LONGEST = 200  # characters of an expression
_MOST_BITS = 200_000  # of a value
_LARGEST_FACTORIAL = 5000
_MOST_LEVELS = 50  # of brackets in each other


def exact_value(key: str) -> Fraction | None:
    r"""Return the value of digits, + - * / ^ ! and brackets; None for anything else, or what is too large.

    Args:
        key: An expression in one line, as `formula_key` returns it.

    Example:
        >>> exact_value("1/(2^3)"), exact_value("3!/2"), exact_value("x+1")
        (Fraction(1, 8), Fraction(3, 1), None)
    """
    if len(key) > _LONGEST:
        return None
    tokens: list[str] = []
    at = 0
    while at < len(key):
        token = _TOKEN.match(key, at)
        if token is None:
            return None
        tokens.append(token["number"] or token["sign"])
        at = token.end()
    try:
        return _Expression(tokens).value()
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


class _Expression:
    """Sums of products of powers, read from the left; ValueError where it is none."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens[::-1]
        self._level = 0

    def value(self) -> Fraction:
        total = self._sum()
        if self._tokens:
            raise ValueError
        return total

    def _sum(self) -> Fraction:
        self._level += 1
        if self._level > _MOST_LEVELS:
            raise OverflowError
        total = self._product()
        while self._next("+-"):
            total = total + self._product() if self._tokens.pop() == "+" else total - self._product()
        self._level -= 1
        return total

    def _product(self) -> Fraction:
        negative = False
        while self._next("+-"):
            negative ^= self._tokens.pop() == "-"
        total = self._power()
        while self._next("*/"):
            total = _small(total * self._power() if self._tokens.pop() == "*" else total / self._power())
        return -total if negative else total

    def _power(self) -> Fraction:
        base = self._operand()
        while self._next("!"):
            self._tokens.pop()
            if base.denominator > 1 or not 0 <= base <= _LARGEST_FACTORIAL:
                raise OverflowError
            base = Fraction(math.factorial(int(base)))
        if not self._next("^"):
            return base
        self._tokens.pop()
        negative = self._next("-") and bool(self._tokens.pop())
        power = self._power() * (-1 if negative else 1)
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if power.denominator > 1 or bits * abs(power) > _MOST_BITS:
            raise OverflowError
        return base ** int(power)

    def _operand(self) -> Fraction:
        if not self._tokens:
            raise ValueError
        token = self._tokens.pop()
        if token in "({":  # noqa: S105 - of an expression
            inner = self._sum()
            if not self._tokens or self._tokens.pop() != ")}"["({".index(token)]:
                raise ValueError
            return inner
        return Fraction(token)

    def _next(self, signs: str) -> bool:
        return bool(self._tokens) and self._tokens[-1] in signs


def _small(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
        raise OverflowError
    return value
