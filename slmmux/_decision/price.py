"""What tokens cost: a price per million, and the cost of a count of tokens.

Knows no currency, members or price lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any

from slmmux._errors import ArgumentError

__all__ = ["Price"]

_MILLION = 1_000_000
_NAMES = ("input", "output", "cached_input", "cache_write")
# Under which names a server's tokens written into its cache are counted: all of them, or by how long they stay there.
_WRITTEN = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model's tokens, per million of them, in any currency.

    Attributes:
        input: Per million tokens of requests.
        output: Per million tokens of replies.
        cached_input: Per million tokens of requests that the server read from its cache; `None` means `input`.
        cache_write: Per million tokens of requests that the server wrote into its cache; `None` means `input`.

    Example:
        >>> Price(0.10, 0.40).cost({"input_tokens": 2000, "output_tokens": 500})
        0.0004
        >>> Price(0.10, 0.40, 0.02).cost({"input_tokens": 2000, "input_token_details": {"cache_read": 1500}})
        8e-05
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None

    @classmethod
    def of(cls, value: Any, name: str) -> "Price":
        """Return the price that a mapping such as {"input": 0.10, "output": 0.40} describes.

        Args:
            value: The mapping.
            name: What the error sentences call it.

        Raises:
            ArgumentError: It is not a mapping with numbers of at least 0 under these names.
        """
        if (
            not isinstance(value, Mapping)
            or not {"input", "output"} <= set(value) <= set(_NAMES)
            or not all(_is_amount(amount) for amount in value.values())
        ):
            raise ArgumentError(
                f"{name} must be a price per million tokens, received {value!r}; write "
                '{"input": 0.10, "output": 0.40}, and "cached_input" or "cache_write" if the server has one'
            )
        return cls(**value)

    def cost(self, usage: Mapping[str, Any]) -> float:
        """Return the cost of some tokens: plain, cached and written input, and output, each times its price."""
        return float(self.exact_cost(usage))

    def exact_cost(self, usage: Mapping[str, Any]) -> Fraction:
        """Return the same without rounding, each price being the decimal that it prints as: for sums and limits."""
        sent, details = _tokens(usage, "input_tokens"), usage.get("input_token_details") or {}
        cached = min(_tokens(details, "cache_read"), sent)
        written = min(sum(_tokens(details, name) for name in _WRITTEN), sent - cached)
        input_, output = Fraction(str(self.input)), Fraction(str(self.output))
        cached_input = input_ if self.cached_input is None else Fraction(str(self.cached_input))
        cache_write = input_ if self.cache_write is None else Fraction(str(self.cache_write))
        amount = (sent - cached - written) * input_ + cached * cached_input + written * cache_write
        amount += _tokens(usage, "output_tokens") * output
        return amount / _MILLION

    def plain(self) -> dict[str, float]:
        """Return the price as `of` reads it."""
        return {name: amount for name in _NAMES if (amount := getattr(self, name)) is not None}


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0


def _tokens(usage: Mapping[str, Any], name: str) -> int:
    # No server gives tokens back: a negative count would be a discount.
    return max(0, int(usage.get(name) or 0))
