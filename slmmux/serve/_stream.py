"""A response that begins at once and stays alive: events as they come, and a comment whenever nothing did for a while.

The work runs as a task of its own, which puts its events into a queue. When the client leaves, the server cancels the
response, and the response cancels the task.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from slmmux.serve._faults import Strike, refusal_for
from slmmux.serve._json import json_bytes

__all__ = ["Events", "event", "streaming"]

KEEP_ALIVE = b": waiting for members\n\n"  # a comment, which clients skip; it keeps proxies from hanging up


class Events:
    """The events of one response, from the task that makes them to the response that sends them."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(self, *events: bytes) -> None:
        """Send some events."""
        for each in events:
            self._queue.put_nowait(each)

    def end(self) -> None:
        """Say that nothing follows."""
        self._queue.put_nowait(None)

    async def next(self, seconds: float) -> bytes | None:
        """Return the next event; a comment if none comes in time; `None` at the end."""
        try:
            return await asyncio.wait_for(self._queue.get(), seconds)
        except TimeoutError:
            return KEEP_ALIVE


def streaming(
    events: Events,
    task: "asyncio.Task[Any]",
    first: Iterable[bytes],
    *,
    strike: Strike,
    keep_alive: float,
    fault: Callable[[dict[str, Any]], bytes],
) -> StreamingResponse:
    """Return the response that sends a task's events.

    Args:
        events: The events.
        task: The task that makes them.
        first: Events that are sent at once.
        strike: Strikes addresses and keys out of errors.
        keep_alive: Seconds without an event after which a comment is sent.
        fault: Makes an event of an error in OpenAI's shape: the status is sent already.
    """

    def end(task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            events.put(fault(refusal_for(error, strike).body))
        events.end()

    task.add_done_callback(end)

    async def body() -> AsyncIterator[bytes]:
        for opening in first:
            yield opening
        while (each := await events.next(keep_alive)) is not None:
            yield each

    # Proxies that buffer would hold the answer back until it is whole.
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return _TaskResponse(task, body(), media_type="text/event-stream", headers=headers)


class _TaskResponse(StreamingResponse):
    """A response that ends its task with itself, even if the client left before the first byte."""

    def __init__(self, task: "asyncio.Task[Any]", content: AsyncIterator[bytes], **options: Any) -> None:
        super().__init__(content, **options)
        self._task = task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not in the generator of the content: it never begins if the client has left already.
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._task.cancel()
            await asyncio.wait({self._task})


def event(value: Any, name: str | None = None) -> bytes:
    r"""Return a value as one server-sent event.

    Example:
        >>> event({"a": 1})
        b'data: {"a":1}\n\n'
    """
    head = f"event: {name}\n" if name else ""
    return b"%sdata: %s\n\n" % (head.encode(), json_bytes(value))
