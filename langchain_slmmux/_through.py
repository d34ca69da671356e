"""A mux of one member and one sample streams its member through: its tokens are the answer, as they come.

The record needs the whole reply, so it travels with the last chunk; for that each chunk waits for the next.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.utils import message_chunk_to_message
from langchain_core.outputs import ChatGenerationChunk

from langchain_slmmux._members import MemberCall
from langchain_slmmux._messages import history_of
from langchain_slmmux._overflow import overflow_or_same
from langchain_slmmux._question import Question
from langchain_slmmux._sampling import Reply, usage_of
from slmmux import Answer, Draw, Race
from slmmux._mux.engine import Result
from slmmux._mux.limiter import await_for, wait_for
from slmmux._mux.secrets import clean_error

__all__ = ["athrough", "can_stream", "through"]

# Returns the answer in a reply; makes the record of the question that was answered.
Read = Callable[[Reply], Answer | None]
Record = Callable[[Result[Reply], Question], dict[str, Any]]


def can_stream(model: BaseChatModel) -> bool:
    """Return whether a chat model can stream at all."""
    cls = type(model)
    return cls._stream is not BaseChatModel._stream or cls._astream is not BaseChatModel._astream  # noqa: SLF001


def through(
    question: Question, read: Read, record: Record, run: CallbackManagerForLLMRun | None
) -> Iterator[ChatGenerationChunk]:
    """Yield the chunks of the only member, the record on the last one; it tells a run of them itself."""
    call = question.only_call
    fault: BaseException | None = None
    held: ChatGenerationChunk | None = None
    whole: AIMessageChunk | None = None
    try:
        wait_for(call.member.pace)
        stream = call.model._stream(_history(question, call), run_manager=run, **_arguments(question, call))  # noqa: SLF001
        for chunk in stream:
            if held is not None:
                yield held
            held, whole = chunk, _joined(whole, chunk)
    except Exception as error:  # noqa: BLE001 - raised again, cleaned
        fault = clean_error(overflow_or_same(error), call.member.secrets)
    if fault is not None:
        raise fault  # out here, or a cleaned one would carry the error that quotes the secret
    if held is not None and whole is not None:
        yield _last(held, record(_result_of(question, call, whole, read), question))


async def athrough(
    question: Question, read: Read, record: Record, run: AsyncCallbackManagerForLLMRun | None
) -> AsyncIterator[ChatGenerationChunk]:
    """Yield the chunks of the only member on the event loop."""
    call = question.only_call
    fault: BaseException | None = None
    held: ChatGenerationChunk | None = None
    whole: AIMessageChunk | None = None
    try:
        await await_for(call.member.pace)
        stream = call.model._astream(_history(question, call), run_manager=run, **_arguments(question, call))  # noqa: SLF001
        async for chunk in stream:
            if held is not None:
                yield held
            held, whole = chunk, _joined(whole, chunk)
    except Exception as error:  # noqa: BLE001 - raised again, cleaned
        fault = clean_error(overflow_or_same(error), call.member.secrets)
    if fault is not None:
        raise fault
    if held is not None and whole is not None:
        yield _last(held, record(_result_of(question, call, whole, read), question))


def _history(question: Question, call: MemberCall) -> list[BaseMessage]:
    return history_of(question.messages, call.member.label)


def _arguments(question: Question, call: MemberCall) -> dict[str, Any]:
    kwargs = dict(call.kwargs)
    if question.stop is not None:
        kwargs["stop"] = question.stop
    return kwargs


def _joined(whole: AIMessageChunk | None, chunk: ChatGenerationChunk) -> AIMessageChunk:
    message = cast("AIMessageChunk", chunk.message)
    return message if whole is None else whole + message


def _result_of(question: Question, call: MemberCall, whole: AIMessageChunk, read: Read) -> Result[Reply]:
    """Return the question as answered by its one sample."""
    label = call.member.label
    message = cast("AIMessage", message_chunk_to_message(whole))
    usage = usage_of(message)
    question.account.add(label, usage)
    race = Race({label: 1}, read)
    (draw,) = race.ask()
    race.tell(Draw(draw.model, draw.index), Reply(label, message, usage))
    decision = race.decision
    assert decision is not None  # noqa: S101 - its only sample is in
    return Result(decision, "answered", decision.reply)  # type: ignore[arg-type]


def _last(chunk: ChatGenerationChunk, record: dict[str, Any]) -> ChatGenerationChunk:
    message = chunk.message
    metadata = {**message.response_metadata, "slmmux": record}
    return ChatGenerationChunk(
        message=message.model_copy(update={"response_metadata": metadata}), generation_info=chunk.generation_info
    )
