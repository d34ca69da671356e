"""Samples as they arrive, for users who wait: custom events, and LangGraph's `stream_mode="custom"`.

They are never message tokens. Where nobody listens, nothing is done.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.callbacks.base import AsyncCallbackHandler, RunManagerMixin

from slmmux import Sample
from slmmux._mux.observe import SAMPLE_EVENT, also_observed, sample_facts

__all__ = ["aprogress", "progress"]

_SILENT = {RunManagerMixin.on_custom_event, AsyncCallbackHandler.on_custom_event}  # what a handler without one has


@contextmanager
def progress(run: CallbackManagerForLLMRun | None, planned: int) -> Iterator[None]:
    """Tell the samples of the question asked meanwhile to whoever listens.

    Args:
        run: The run of the question.
        planned: Its samples. Of a single one there is no progress: its reply is the answer.
    """
    listeners, write = _listeners(run), _stream_writer()
    if planned == 1 or (write is None and not listeners):
        yield
        return
    manager = CallbackManager(handlers=listeners)

    def tell(sample: Sample[Any]) -> None:
        facts = sample_facts(sample)
        if write is not None:
            write({SAMPLE_EVENT: facts})
        if run is not None and listeners:
            manager.on_custom_event(SAMPLE_EVENT, facts, run_id=run.run_id)

    with also_observed(tell):
        yield


@asynccontextmanager
async def aprogress(run: AsyncCallbackManagerForLLMRun | None, planned: int) -> AsyncIterator[None]:
    """Tell the samples on the event loop; every event has been handled when the question has its answer."""
    listeners, write = _listeners(run), _stream_writer()
    if planned == 1 or (write is None and not listeners):
        yield
        return
    manager = AsyncCallbackManager(handlers=listeners)
    queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def hand_on() -> None:  # one after another, in the order in which they arrived
        while (facts := await queue.get()) is not None:
            if run is not None:
                await manager.on_custom_event(SAMPLE_EVENT, facts, run_id=run.run_id)

    def tell(sample: Sample[Any]) -> None:
        facts = sample_facts(sample)
        if write is not None:
            write({SAMPLE_EVENT: facts})
        if listeners:
            queue.put_nowait(facts)

    handing = asyncio.create_task(hand_on())
    try:
        with also_observed(tell):
            yield
        queue.put_nowait(None)
        await handing
    finally:
        handing.cancel()


def _listeners(run: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None) -> list[BaseCallbackHandler]:
    """Return the handlers that have something to do at a custom event."""
    handlers = run.handlers if run is not None else []
    return [h for h in handlers if type(h).on_custom_event not in _SILENT and not h.ignore_custom_event]


def _stream_writer() -> Callable[[Any], None] | None:
    """Return LangGraph's writer for the node that runs, if one does; without that mode it writes nowhere."""
    config = sys.modules.get("langgraph.config")  # who does not use LangGraph has not loaded it
    if config is None:
        return None
    try:
        writer: Callable[[Any], None] = config.get_stream_writer()
    except (RuntimeError, KeyError):  # outside of a node
        return None
    return writer
