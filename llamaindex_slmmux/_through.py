"""A mux of one member and one sample streams its member through: its tokens are the answer, as they come.

The record needs the whole reply, so it travels with the last response; for that each response waits for the next.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import copy_context
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.callbacks import CallbackManager

from llamaindex_slmmux._members import Member, count_once
from llamaindex_slmmux._request import Call, Reply, Request
from slmmux import Race
from slmmux._mux.engine import Answered
from slmmux._mux.secrets import clean_error

__all__ = ["athrough", "through"]

# Makes the response that leaves the mux of the reply that was streamed.
Respond = Callable[[Answered[Reply]], ChatResponse]


def through(
    request: Request,
    member: Member,
    wrapper: CallbackManager,
    respond: Respond,
    whole: Callable[[], ChatResponse],
) -> Generator[ChatResponse]:
    """Yield the responses of the only member, the record on the last one; the whole answer if it cannot stream."""
    call, fault, held = _call(request, member, wrapper), None, None
    try:
        for response in getattr(call.llm, f"stream_{call.method}")(*call.args, **call.kwargs):
            if held is not None:
                yield _as_chat(held)
            held = response
    except Exception as error:  # noqa: BLE001 - raised again, cleaned
        fault = clean_error(error, member.secrets)
    if isinstance(fault, NotImplementedError) and held is None:
        yield whole()
        return
    if fault is not None:
        raise fault  # out here, or a cleaned one would carry the error that quotes the secret
    if held is not None:
        yield _last(request, member, call, held, respond)


async def athrough(
    request: Request,
    member: Member,
    wrapper: CallbackManager,
    respond: Respond,
    whole: Callable[[], Awaitable[ChatResponse]],
) -> AsyncGenerator[ChatResponse]:
    """Yield the responses of the only member on the event loop."""
    call, fault, held = _call(request, member, wrapper), None, None
    try:
        async for response in await getattr(call.llm, f"astream_{call.method}")(*call.args, **call.kwargs):
            if held is not None:
                yield _as_chat(held)
            held = response
    except Exception as error:  # noqa: BLE001 - raised again, cleaned
        fault = clean_error(error, member.secrets)
    if isinstance(fault, NotImplementedError) and held is None:
        yield await whole()
        return
    if fault is not None:
        raise fault
    if held is not None:
        yield _last(request, member, call, held, respond)


def _call(request: Request, member: Member, wrapper: CallbackManager) -> Call:
    """Return the member's call, made where no token counter of the mux is told twice."""

    def make() -> Call:
        count_once(wrapper)
        return request.call(member, 1)

    return copy_context().run(make)


def _as_chat(response: ChatResponse | CompletionResponse) -> ChatResponse:
    if isinstance(response, ChatResponse):
        return response
    return ChatResponse(
        message=ChatMessage(role=MessageRole.ASSISTANT, content=response.text),
        delta=response.delta,
        raw=response.raw,
        logprobs=response.logprobs,
        additional_kwargs=response.additional_kwargs,
    )


def _last(request: Request, member: Member, call: Call, response: Any, respond: Respond) -> ChatResponse:
    (reply, *_) = call.replied(response)
    race: Race[Reply] = Race({member.label: 1}, request.read)
    (draw,) = race.ask()
    race.tell(draw, reply)
    decision = race.decision
    assert decision is not None  # noqa: S101 - its only sample is in
    whole = respond(Answered(decision, "answered", decision.reply))  # type: ignore[arg-type]
    return whole.model_copy(update={"delta": response.delta})
