"""Limits on the requests of a profile: the options, checked and resolved for each member."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, cast

from slmmux._errors import ArgumentError
from slmmux.profiling._campaign import Bounds

__all__ = ["Pressing", "bounds_of", "split"]


class Pressing(TypedDict, total=False):
    """Limits on the requests of a profile; the default is in brackets.

    Attributes:
        concurrency: Requests at once for each member, or by label (4). 1 or 2 suit a local server, 32 a hosted one.
        requests_per_minute: Requests per minute for each member, or by label (no limit).
        max_concurrency: Requests at once over the whole pool (64).
        retries: Retries per request, after temporary faults (5).
        timeout: Seconds per request (the member's own limit).
    """

    concurrency: int | Mapping[str, int]
    requests_per_minute: float | Mapping[str, float] | None
    max_concurrency: int
    retries: int
    timeout: float | None


def split(options: Mapping[str, Any]) -> tuple[Pressing, dict[str, Any]]:
    """Split options into the limits of a profile and the others.

    Example:
        >>> split({"concurrency": 2, "temperature": 0.7})
        ({'concurrency': 2}, {'temperature': 0.7})
    """
    names = Pressing.__annotations__
    pressing = {name: value for name, value in options.items() if name in names}
    return cast("Pressing", pressing), {name: value for name, value in options.items() if name not in names}


def bounds_of(samples: Mapping[str, int], pressing: Pressing) -> dict[str, Bounds]:
    """Return the checked limits of each member."""
    names = Pressing.__annotations__
    if unknown := [name for name in pressing if name not in names]:
        raise ArgumentError(f"{unknown[0]!r} is not an option of a profile; the options are {_names(names)}")
    concurrency = _by_label("concurrency", pressing.get("concurrency", 4), samples, integer=True)
    rate = pressing.get("requests_per_minute")
    rates = _by_label("requests_per_minute", math.inf if rate is None else rate, samples)
    retries, timeout = pressing.get("retries", 5), pressing.get("timeout")
    _positive("max_concurrency", pressing.get("max_concurrency", 64), integer=True)
    if timeout is not None:
        _positive("timeout", timeout)
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise ArgumentError(f"retries must be a whole number of at least 0, received {retries!r}")
    return {label: Bounds(int(concurrency[label]), 60 / rates[label], retries, timeout) for label in samples}


def _by_label(
    name: str, limit: float | Mapping[str, float], labels: Iterable[str], *, integer: bool = False
) -> dict[str, float]:
    default = {"concurrency": 4}.get(name, math.inf)
    if isinstance(limit, Mapping) and (unknown := [label for label in limit if label not in labels]):
        raise ArgumentError(f"{name} names {unknown[0]!r}, which is not a member; the members are {_names(labels)}")
    values = {label: limit.get(label, default) if isinstance(limit, Mapping) else limit for label in labels}
    for value in values.values():
        _positive(name, value, integer=integer)
    return values


def _positive(name: str, value: Any, *, integer: bool = False) -> None:
    kinds = int if integer else int | float
    if not isinstance(value, kinds) or isinstance(value, bool) or not value > 0:
        raise ArgumentError(f"{name} must be a {'whole ' if integer else ''}number above 0, received {value!r}")


def _names(labels: Iterable[str]) -> str:
    return ", ".join(map(repr, labels))
