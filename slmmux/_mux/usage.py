"""Tokens, as the record counts them: totals, and the details (cache, reasoning) that a provider gives beside them."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from slmmux._decision.price import Price
from slmmux._decision.record import USAGE

__all__ = ["COST", "DETAILS", "USAGE", "Account", "add_usage", "no_usage", "priced", "total"]

_log = logging.getLogger("slmmux")

DETAILS = ("input_token_details", "output_token_details")
COST = "cost"  # beside the tokens, if the price of each of them is known


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
    if (cost := usage.get(COST)) is not None:
        counts[COST] = counts.get(COST, 0.0) + cost


def priced(usage: Mapping[str, Any], price: Price | None) -> dict[str, Any]:
    """Return a count with its cost; one without a price keeps the cost that it has, as that of a mux in a mux does.

    Example:
        >>> priced({"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}, Price(0.1, 0.4))["cost"]
        0.00014
    """
    return dict(usage) if price is None else {**usage, COST: price.cost(usage)}


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
    """The calls and tokens of one question: those of its record, and those that arrive later.

    Args:
        on_abandoned: Called with (label, usage) of each reply that no record counts: it arrives after the record was
            written, or the question ends without one. What it raises is logged.
        prices: The members' prices by label; without them the cost is not counted.

    Attributes:
        usage: The tokens of every reply that arrived in time, needed for the decision or not.
        calls: The requests that were sent, of every race of the question.
    """

    def __init__(
        self,
        on_abandoned: Callable[[str, dict[str, Any]], object] | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._on_abandoned = on_abandoned
        self._abandoned: dict[str, Any] | None = None
        self._by_label: dict[str, dict[str, Any]] = {}  # all that arrived, for a question that ends without a record
        self._is_closed = False
        self._prices = prices or {}
        self.usage = no_usage()
        self.calls = 0

    def count_call(self) -> None:
        """Count a request that is sent."""
        with self._lock:
            self.calls += 1

    def add(self, label: str, usage: Mapping[str, Any]) -> None:
        """Add the tokens of a member's reply that arrived in time."""
        usage = priced(usage, self._prices.get(label))
        with self._lock:
            if not self._is_closed:
                add_usage(self.usage, usage)
                add_usage(self._by_label.setdefault(label, no_usage()), usage)
                return
        self._report(label, usage)

    def add_abandoned(self, label: str, usage: Mapping[str, Any]) -> None:
        """Add the tokens of a reply that arrived after the decision."""
        usage = priced(usage, self._prices.get(label))
        with self._lock:
            if not self._is_closed:
                if self._abandoned is None:
                    self._abandoned = no_usage()
                add_usage(self._abandoned, usage)
                add_usage(self._by_label.setdefault(label, no_usage()), usage)
                return
        self._report(label, usage)

    def close(self) -> dict[str, Any] | None:
        """Return the tokens of abandoned calls that have ended, `None` if none has; later ones go to the callback."""
        with self._lock:
            self._is_closed = True
            return self._abandoned

    def drop(self) -> None:
        """End a question that gets no record: what it took so far goes to the callback, too."""
        self.close()
        for label, usage in self._by_label.items():
            self._report(label, usage)

    def _report(self, label: str, usage: Mapping[str, Any]) -> None:
        if self._on_abandoned is None:
            return
        try:
            self._on_abandoned(label, total([usage]))
        except Exception as error:  # noqa: BLE001 - who only counts must not take an answer or a member's thread down
            _log.warning("on_abandoned= raised %s; the answer does not depend on it", type(error).__name__)
