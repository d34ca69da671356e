"""`POST /v1/chat/completions`: a request answered whole, or as a stream."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from slmmux._decision.types import Sample
from slmmux.serve._chat_request import ChatRequest
from slmmux.serve._chunks import Chunks
from slmmux.serve._completion import completion
from slmmux.serve._gate import Gate
from slmmux.serve._json import JSON
from slmmux.serve._presence import while_present
from slmmux.serve._served import Served
from slmmux.serve._stream import Events, event, streaming

__all__ = ["CONFIDENCE", "chat", "confidence_header", "records_of"]

CONFIDENCE = "X-SLMMux-Confidence"
_DONE = b"data: [DONE]\n\n"


async def chat(http: Request, request: ChatRequest, served: Served, gate: Gate, *, keep_alive: float) -> Response:
    """Return the response to a chat request.

    Raises:
        RefusalError: The request would widen something, or there is no room for it.
        ClientLeftError: The client left before the answer.
    """
    served.mux_for(request)  # refuses before a stream begins
    if request.stream:
        return _streamed(request, served, gate, keep_alive)
    task = gate.begin(lambda: served.answers(request))
    messages = await while_present(http, task)
    records = records_of(request, served, messages)
    return JSON(completion(request.model, messages, records), headers=confidence_header(records[0]))


def confidence_header(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the header with the confidence of a record."""
    confidence = record.get("confidence")
    return {} if confidence is None else {CONFIDENCE: f"{confidence:.4g}"}


def records_of(request: ChatRequest, served: Served, messages: list[Any]) -> list[dict[str, Any]]:
    """Return the records of some messages as a client may read them, with what it should know of its request."""
    records = [served.record_of(message) for message in messages]
    return [{**r, "notices": notices} if (notices := served.notices(request, r)) else r for r in records]


def _streamed(request: ChatRequest, served: Served, gate: Gate, keep_alive: float) -> Response:
    chunks = Chunks(request.model)
    events = Events()
    records: dict[int, dict[str, Any]] = {}

    def observe(sample: Sample[Any]) -> None:
        events.put(event(chunks.progress(sample)))

    async def choice(index: int) -> None:
        def send(part: Any) -> None:
            events.put(*(event(chunk) for chunk in chunks.of(index, part)))

        whole = await served.stream(request, send, observe if request.wants_progress else None)
        (records[index],) = records_of(request, served, [whole])
        events.put(event(chunks.last(index, whole, records[index])))

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            for index in range(request.n):
                group.create_task(choice(index))
        if request.wants_usage:
            events.put(event(chunks.usage([records[i] for i in range(request.n)])))
        events.put(_DONE)

    return streaming(
        events,
        gate.begin(work),
        [event(chunk) for chunk in chunks.first(request.n)],
        strike=served.strike,
        keep_alive=keep_alive,
        fault=event,
    )
