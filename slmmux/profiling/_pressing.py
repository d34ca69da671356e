"""How hard members are pressed while a pool is put to many questions: the options, checked and by member."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, cast

from slmmux._errors import ArgumentError
from slmmux.profiling._campaign import Bounds

__all__ = ["Pressing", "bounds_of", "split"]


class Pressing(TypedDict, total=False):
    """How hard members are pressed; what is not given has the default in brackets.

    Attributes:
        concurrency: Requests at once a member, or by label (4): a local server wants 1 or 2, a hosted one 32.
        requests_per_minute: The rate of a member, or by label (none).
        max_concurrency: Requests at once over the whole pool (64).
        retries: How often a request is made again when its fault is one that passes (5).
        timeout: Seconds a request may take (as long as the member itself allows).
    """

    concurrency: int | Mapping[str, int]
    requests_per_minute: float | Mapping[str, float] | None
    max_concurrency: int
    retries: int
    timeout: float | None


def split(options: Mapping[str, Any]) -> tuple[Pressing, dict[str, Any]]:
    """Return those of some options that say how hard to press, and the others.

    Example:
        >>> split({"concurrency": 2, "temperature": 0.7})
        ({'concurrency': 2}, {'temperature': 0.7})
    """
    known = Pressing.__annotations__
    pressing = {name: value for name, value in options.items() if name in known}
    return cast("Pressing", pressing), {name: value for name, value in options.items() if name not in known}


def bounds_of(samples: Mapping[str, int], pressing: Pressing) -> dict[str, Bounds]:
    known = Pressing.__annotations__
    if strange := [name for name in pressing if name not in known]:
        raise ArgumentError(f"{strange[0]!r} is no option of a profile; there are {_names(known)}")
    at_once = _by_label("concurrency", pressing.get("concurrency", 4), samples, whole=True)
    rate = pressing.get("requests_per_minute")
    rates = _by_label("requests_per_minute", math.inf if rate is None else rate, samples)
    retries, timeout = pressing.get("retries", 5), pressing.get("timeout")
    _positive("max_concurrency", pressing.get("max_concurrency", 64), whole=True)
    if timeout is not None:
        _positive("timeout", timeout)
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise ArgumentError(f"retries must be a whole number of at least 0, found {retries!r}")
    return {label: Bounds(int(at_once[label]), 60 / rates[label], retries, timeout) for label in samples}


def _by_label(
    name: str, given: float | Mapping[str, float], labels: Iterable[str], *, whole: bool = False
) -> dict[str, float]:
    default = {"concurrency": 4}.get(name, math.inf)
    if isinstance(given, Mapping) and (strange := [label for label in given if label not in labels]):
        raise ArgumentError(f"{name} names {strange[0]!r}, which is no member; the members are {_names(labels)}")
    values = {label: given.get(label, default) if isinstance(given, Mapping) else given for label in labels}
    for value in values.values():
        _positive(name, value, whole=whole)
    return values


def _positive(name: str, value: Any, *, whole: bool = False) -> None:
    kinds = int if whole else int | float
    if not isinstance(value, kinds) or isinstance(value, bool) or not value > 0:
        raise ArgumentError(f"{name} must be a {'whole ' if whole else ''}number above 0, found {value!r}")


def _names(labels: Iterable[str]) -> str:
    return ", ".join(map(repr, labels))
