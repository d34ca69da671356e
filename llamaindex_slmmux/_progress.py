"""Samples as they arrive, for users who wait: an event of its own on LlamaIndex's instrumentation.

Where no event handler listens, nothing is done.
"""

from contextlib import AbstractContextManager
from typing import Any

from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base.event import BaseEvent
from llama_index_instrumentation.dispatcher import Dispatcher
from llama_index_instrumentation.event_handlers import NullEventHandler

from slmmux._mux.observe import progress_events

__all__ = ["SLMMuxSampleEvent", "progress"]

dispatcher = get_dispatcher(__name__)


class SLMMuxSampleEvent(BaseEvent):
    """A sample of a mux arrived; no answer is decided yet.

    Attributes:
        model: The member's label.
        index: The sample's index, 0 to k - 1.
        answer: The answer that was read in it; `None` if it has none, or the call failed.
        error: The class of the error if the call failed.
    """

    model: str
    index: int
    answer: Any = None
    error: str | None = None

    @classmethod
    def class_name(cls) -> str:
        """Return the name of this kind of event."""
        return "SLMMuxSampleEvent"


def progress(planned: int) -> AbstractContextManager[None]:
    """Tell the samples of the question asked meanwhile to whoever listens.

    Args:
        planned: Its samples.
    """
    return progress_events(_send if _is_heard(dispatcher) else None, planned)


def _send(facts: dict[str, Any]) -> None:
    dispatcher.event(SLMMuxSampleEvent(**facts))


def _is_heard(each: Dispatcher) -> bool:
    """Return whether a dispatcher, or one above it, has an event handler beside the null one that LlamaIndex sets."""
    while all(isinstance(handler, NullEventHandler) for handler in each.event_handlers):
        if not each.propagate:
            return False
        each = each.parent
    return True
