"""Tokens, as the record counts them: totals, and the details (cache, reasoning) that a provider gives beside them."""

from collections.abc import Iterable, Mapping
from typing import Any

from slmmux._decision.record import USAGE

__all__ = ["DETAILS", "USAGE", "add_usage", "no_usage", "total"]

DETAILS = ("input_token_details", "output_token_details")


def no_usage() -> dict[str, Any]:
    """Return a count of no tokens, to add to."""
    return dict.fromkeys(USAGE, 0)


def add_usage(counts: dict[str, Any], usage: Mapping[str, Any]) -> None:
    """Add one count to another, details included.

    Example:
        >>> counts = no_usage()
        >>> add_usage(counts, {"input_tokens": 3, "total_tokens": 3, "input_token_details": {"cache_read": 2}})
        >>> counts["input_tokens"], counts["input_token_details"]
        (3, {'cache_read': 2})
    """
    for name in USAGE:
        counts[name] += max(0, int(usage.get(name) or 0))
    for name in DETAILS:
        if details := usage.get(name):
            mine = counts.setdefault(name, {})
            for kind, tokens in details.items():
                if isinstance(tokens, int):
                    mine[kind] = mine.get(kind, 0) + max(0, tokens)


def total(usages: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of some counts.

    Example:
        >>> total([{"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}] * 2)
        {'input_tokens': 6, 'output_tokens': 2, 'total_tokens': 8}
    """
    counts = no_usage()
    for usage in usages:
        add_usage(counts, usage)
    return counts
