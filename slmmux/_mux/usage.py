"""Tokens, as the record counts them: totals, and the details (cache, reasoning) that a provider gives beside them."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from slmmux._decision.record import USAGE

__all__ = ["DETAILS", "USAGE", "Account", "add_usage", "no_usage", "total"]

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


class Account:
    """The tokens of one question, by the time at which they arrive: with the decision, after it, or after the record.

    Args:
        on_abandoned: Called with (label, usage) of a reply that arrives after the record was written.

    Attributes:
        usage: The tokens of every reply that arrived in time, needed for the decision or not.
    """

    def __init__(self, on_abandoned: Callable[[str, dict[str, Any]], object] | None = None) -> None:
        self._lock = threading.Lock()
        self._on_abandoned = on_abandoned
        self._abandoned: dict[str, Any] | None = None
        self._is_closed = False
        self.usage = no_usage()

    def add(self, usage: Mapping[str, Any]) -> None:
        """Add the tokens of a reply that arrived in time."""
        with self._lock:
            add_usage(self.usage, usage)

    def add_abandoned(self, label: str, usage: Mapping[str, Any]) -> None:
        """Add the tokens of a reply that arrived after the decision."""
        with self._lock:
            if not self._is_closed:
                if self._abandoned is None:
                    self._abandoned = no_usage()
                add_usage(self._abandoned, usage)
                return
        if self._on_abandoned is not None:
            self._on_abandoned(label, total([usage]))

    def close(self) -> dict[str, Any] | None:
        """Return the tokens of abandoned calls that have ended, `None` if none has; later ones go to the callback."""
        with self._lock:
            self._is_closed = True
            return self._abandoned
