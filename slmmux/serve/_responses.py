"""`POST /v1/responses`: the same answers in OpenAI's newer form, whole or as a stream of its events."""

import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from openai.types.responses import (
    Response as OpenAIResponse,
)
from openai.types.responses import (
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from slmmux._decision.types import Sample
from slmmux._mux.observe import sample_facts
from slmmux.serve._chat import confidence_header, records_of
from slmmux.serve._chat_request import ChatRequest
from slmmux.serve._completion import finish_reason_of, new_id, usage_of
from slmmux.serve._gate import Gate
from slmmux.serve._json import JSON
from slmmux.serve._presence import while_present
from slmmux.serve._response_items import Items
from slmmux.serve._responses_request import ResponsesRequest
from slmmux.serve._served import Served
from slmmux.serve._stream import Events, event, streaming

__all__ = ["responses"]

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}  # by chat completions' words for it


async def responses(
    http: Request, request: ResponsesRequest, served: Served, gate: Gate, *, keep_alive: float
) -> Response:
    """Return the response to a request.

    Raises:
        RefusalError: The request would widen something, or there is no room for it.
        ClientLeftError: The client left before the answer.
    """
    chat = request.chat()
    served.mux_for(chat)  # refuses before a stream begins
    form = _Form(request)
    if request.stream:
        return _streamed(chat, form, served, gate, keep_alive)
    message = await while_present(http, gate.begin(lambda: served.answer(chat)))
    (record,) = records_of(chat, served, [message])
    body = form.whole(message, Items().fill(message), record)
    return JSON(body, headers=confidence_header(record))


def _streamed(chat: ChatRequest, form: "_Form", served: Served, gate: Gate, keep_alive: float) -> Response:
    events = Events()

    def send(kind: str, **fields: Any) -> None:
        events.put(form.event(kind, **fields))

    def observe(sample: Sample[Any]) -> None:
        send("slmmux.sample", sample=sample_facts(sample))

    async def work() -> None:
        items = Items()

        def add(part: Any) -> None:
            for kind, fields in items.of(part):
                send(kind, **fields)

        whole = await served.stream(chat, add, observe if chat.wants_progress else None)
        (record,) = records_of(chat, served, [whole])
        for kind, fields in items.end(whole):
            send(kind, **fields)
        body = form.whole(whole, items.whole, record)
        send(f"response.{body['status']}", response=body)

    begun = form.begun
    first = [form.event(f"response.{kind}", response=begun) for kind in ("created", "in_progress")]
    return streaming(
        events, gate.begin(work), first, strike=served.strike, keep_alive=keep_alive,
        fault=form.failure,
    )  # fmt: skip


class _Form:
    """The response to one request, from its beginning to its end."""

    def __init__(self, request: ResponsesRequest) -> None:
        self._request = request
        self._id = new_id("resp")
        self._created = time.time()
        self._numbers = count()

    @property
    def begun(self) -> dict[str, Any]:
        """The response before there is an answer."""
        return self._body([], "in_progress")

    def whole(self, message: Any, items: list[dict[str, Any]], record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the response with the mux's message, as items."""
        reason = _INCOMPLETE.get(finish_reason_of(message))
        body = self._body(items, "incomplete" if reason else "completed")
        if reason:
            body["incomplete_details"] = {"reason": reason}
        tokens = usage_of([record])
        prompt = tokens.prompt_tokens_details.model_dump() if tokens.prompt_tokens_details else {}
        details = tokens.completion_tokens_details
        body["usage"] = ResponseUsage(
            input_tokens=tokens.prompt_tokens,
            output_tokens=tokens.completion_tokens,
            total_tokens=tokens.total_tokens,
            input_tokens_details=InputTokensDetails.model_construct(
                **{name: prompt.get(name) or 0 for name in ("cached_tokens", "cache_write_tokens")}
            ),
            output_tokens_details=OutputTokensDetails(reasoning_tokens=(details and details.reasoning_tokens) or 0),
        ).model_dump(mode="json", exclude_unset=True)
        return {**body, "slmmux": dict(record)}

    def failure(self, body: Mapping[str, Any]) -> bytes:
        """Return the events that end a stream whose answer failed.

        Args:
            body: The error in OpenAI's shape. Its type is not that of the event, which clients choose by.
        """
        error = body["error"]
        code = "rate_limit_exceeded" if error["type"] == "rate_limit_error" else "server_error"
        failed = {**self._body([], "failed"), "error": {"code": code, "message": error["message"]}}
        told = self.event("error", **{name: error[name] for name in ("code", "message", "param")})
        return told + self.event("response.failed", response=failed)

    def event(self, kind: str, **fields: Any) -> bytes:
        """Return an event of the stream; events are numbered."""
        return event({"type": kind, "sequence_number": next(self._numbers), **fields}, kind)

    def _body(self, output: list[Any], status: str) -> dict[str, Any]:
        request = self._request
        choice = request.tool_choice
        return OpenAIResponse.model_construct(
            id=self._id,
            created_at=self._created,
            object="response",
            model=request.model,
            status=status,
            error=None,
            incomplete_details=None,
            instructions=request.instructions,
            max_output_tokens=request.max_output_tokens,
            metadata={},
            output=output,
            parallel_tool_calls=request.parallel_tool_calls is not False,
            temperature=request.temperature,
            top_p=request.top_p,
            tool_choice=choice.model_dump() if isinstance(choice, BaseModel) else choice or "auto",
            tools=[tool.model_dump(exclude_none=True) for tool in request.tools or ()],
            text=_text_of(request),
            truncation="disabled",
            user=request.user,
            store=False,
        ).model_dump(mode="json", exclude_unset=True, warnings=False)


def _text_of(request: ResponsesRequest) -> dict[str, Any]:
    """Return the form of the text; clients read in it whether there is an object to parse."""
    form = request.text.format if request.text else None
    return {"format": {"type": "text"} if form is None else form.model_dump(by_alias=True, exclude_none=True)}
