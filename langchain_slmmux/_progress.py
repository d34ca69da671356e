"""Samples as they arrive, for users who wait: custom events, and LangGraph's `stream_mode="custom"`.

They are never message tokens. Where nobody listens, nothing is done.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.callbacks.base import AsyncCallbackHandler, RunManagerMixin

from slmmux._mux.observe import SAMPLE_EVENT, SendEvent, progress_events

__all__ = ["aprogress", "progress"]

_SILENT = {RunManagerMixin.on_custom_event, AsyncCallbackHandler.on_custom_event}  # what a handler without one has


def progress(run: CallbackManagerForLLMRun | None, planned: int) -> AbstractContextManager[None]:
    """Tell the samples of the question asked meanwhile to whoever listens.

    Args:
        run: The run of the question.
        planned: Its samples.
    """
    listeners, write = _listeners(run), _stream_writer()
    if run is None or not listeners:
        return progress_events(write, planned)
    manager, run_id = CallbackManager(handlers=listeners), run.run_id
    return progress_events(
        _sender(write, lambda facts: manager.on_custom_event(SAMPLE_EVENT, facts, run_id=run_id)), planned
    )


@asynccontextmanager
async def aprogress(run: AsyncCallbackManagerForLLMRun | None, planned: int) -> AsyncIterator[None]:
    """Tell the samples on the event loop; every event has been handled when the question has its answer."""
    listeners, write = _listeners(run), _stream_writer()
    if run is None or not listeners:
        with progress_events(write, planned):
            yield
        return
    manager = AsyncCallbackManager(handlers=listeners)
    queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def hand_on() -> None:  # one after another, in the order in which they arrived
        while (facts := await queue.get()) is not None:
            await manager.on_custom_event(SAMPLE_EVENT, facts, run_id=run.run_id)

    handing = asyncio.create_task(hand_on())
    try:
        with progress_events(_sender(write, queue.put_nowait), planned):
            yield
        queue.put_nowait(None)
        await handing
    finally:
        handing.cancel()


def _sender(write: SendEvent | None, send: SendEvent) -> SendEvent:
    """Return what sends a sample to LangGraph's stream, if one is open, and to the handlers."""

    def both(facts: dict[str, Any]) -> None:
        if write is not None:
            write(facts)
        send(facts)

    return both


def _listeners(run: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None) -> list[BaseCallbackHandler]:
    """Return the handlers that have something to do at a custom event."""
    handlers = run.handlers if run is not None else []
    return [h for h in handlers if type(h).on_custom_event not in _SILENT and not h.ignore_custom_event]


def _stream_writer() -> SendEvent | None:
    """Return what writes to LangGraph's stream, if one of its nodes runs; without that mode it writes nowhere."""
    config = sys.modules.get("langgraph.config")  # who does not use LangGraph has not loaded it
    if config is None:
        return None
    try:
        writer: Callable[[Any], None] = config.get_stream_writer()
    except (RuntimeError, KeyError):  # outside of a node
        return None
    return lambda facts: writer({SAMPLE_EVENT: facts})
