"""Who watches a question's samples as they arrive: a callback that reaches the next question asked in its context."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from slmmux._decision.types import Draws, Sample

__all__ = [
    "SAMPLE_EVENT", "Observe", "SendEvent", "count_abandoned", "is_inside", "observe_abandoned", "observe_samples",
    "progress_events", "sample_facts", "taken_observer",
]  # fmt: skip

Observe: TypeAlias = Callable[[Sample[Any]], None]
SendEvent: TypeAlias = Callable[[dict[str, Any]], None]

SAMPLE_EVENT = "slmmux_sample"  # the name of a sample among a framework's own events

_observer: ContextVar[Observe | None] = ContextVar("slmmux_observer", default=None)
_abandoned: ContextVar[Callable[[str], None] | None] = ContextVar("slmmux_abandoned", default=None)
_is_inside: ContextVar[bool] = ContextVar("slmmux_is_inside", default=False)


@contextmanager
def observe_samples(observe: Observe) -> Iterator[None]:
    """Call `observe` with each sample of the questions asked meanwhile, when it is counted.

    Args:
        observe: Called with a `Sample`, on the thread or the event loop that asked. Its exceptions are logged, not
            raised. A mux among the members is not observed: its answer is a sample.

    Example:
        >>> from langchain_slmmux import SLMMuxChatModel
        >>> from langchain_slmmux.testing import ScriptedChatModel
        >>> mux = SLMMuxChatModel(models={"a": ScriptedChatModel(script=["4"])}, samples=2, wait="exhausted")
        >>> seen = []
        >>> with observe_samples(lambda sample: seen.append((sample.draw.model, sample.draw.index))):
        ...     _ = mux.invoke("2 + 2?")
        >>> sorted(seen)
        [('a', 0), ('a', 1)]
    """
    token = _observer.set(observe)
    try:
        yield
    finally:
        _observer.reset(token)


@contextmanager
def observe_abandoned(count: Callable[[str], None]) -> Iterator[None]:
    """Call `count` with the member of each call that runs at the decision of the questions asked meanwhile."""
    token = _abandoned.set(count)
    try:
        yield
    finally:
        _abandoned.reset(token)


def count_abandoned(requests: Iterable[Draws]) -> None:
    """Tell who counts of the requests that run at a decision; a mux inside of another tells nobody."""
    count = None if _is_inside.get() else _abandoned.get()
    if count is not None:
        for draws in requests:
            count(draws[0].model)


def is_inside() -> bool:
    """Return whether this code runs inside of a question, as the calls of a mux among the members do."""
    return _is_inside.get()


@contextmanager
def progress_events(send: SendEvent | None, planned: int) -> Iterator[None]:
    """Send the samples of the question asked meanwhile as a framework's events, beside the user's own observer.

    Args:
        send: Called with the facts of each sample; `None` if nobody listens.
        planned: The question's samples. Of a single one there is no progress: its reply is the answer. Nor is there any
            inside of another mux, whose sample the answer is.
    """
    users = _observer.get()
    if send is None or planned == 1 or _is_inside.get():
        yield
        return

    def both(sample: Sample[Any]) -> None:
        if users is not None:
            users(sample)
        send(sample_facts(sample))

    with observe_samples(both):
        yield


@contextmanager
def taken_observer() -> Iterator[Observe | None]:
    """Yield the observer of a question that begins; a mux among its members is not observed a second time."""
    observe = _observer.get()
    token, inside = _observer.set(None), _is_inside.set(True)
    try:
        yield observe
    finally:
        _is_inside.reset(inside)
        _observer.reset(token)


def sample_facts(sample: Sample[Any]) -> dict[str, Any]:
    """Return a sample as plain values for an event: of an error its class alone, since its words may name a place.

    Example:
        >>> from slmmux._decision.types import Answer, Draw
        >>> sample_facts(Sample(Draw("qwen", 0), "It is 4.", Answer("4", "number", "4")))
        {'model': 'qwen', 'index': 0, 'answer': '4', 'error': None}
    """
    return {
        "model": sample.draw.model,
        "index": sample.draw.index,
        "answer": None if sample.answer is None else sample.answer.value,
        "error": None if sample.error is None else type(sample.error).__name__,
    }
