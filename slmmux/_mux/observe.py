"""Who watches a question's samples as they arrive: a callback that reaches the next question asked in its context."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from slmmux._decision.types import Sample

__all__ = ["Observe", "observe_samples", "taken_observer"]

Observe: TypeAlias = Callable[[Sample[Any]], None]

_observer: ContextVar[Observe | None] = ContextVar("slmmux_observer", default=None)


@contextmanager
def observe_samples(observe: Observe) -> Iterator[None]:
    """Call `observe` with each sample of the questions asked meanwhile, when it is counted.

    Args:
        observe: Called on the thread or the event loop that asked. Its exceptions are logged, not raised.
    """
    token = _observer.set(observe)
    try:
        yield
    finally:
        _observer.reset(token)


@contextmanager
def taken_observer() -> Iterator[Observe | None]:
    """Yield the observer of a question that begins; a mux among its members is not observed a second time."""
    observe = _observer.get()
    token = _observer.set(None)
    try:
        yield observe
    finally:
        _observer.reset(token)
