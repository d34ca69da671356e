"""Tokens, as the record counts them."""

from collections.abc import Iterable, Mapping

from slmmux._decision.record import USAGE

__all__ = ["USAGE", "no_usage", "total"]


def no_usage() -> dict[str, int]:
    """Return a count of no tokens, to add to."""
    return dict.fromkeys(USAGE, 0)


def total(usages: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of some counts.

    Example:
        >>> total([{"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}] * 2)
        {'input_tokens': 6, 'output_tokens': 2, 'total_tokens': 8}
    """
    usages = list(usages)
    return {name: sum(usage[name] for usage in usages) for name in USAGE}
