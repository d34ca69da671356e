"""A mux of one member and one sample streams its member through: its tokens are the answer, as they come.

Each chunk leaves at once. The record needs the whole reply, so it travels with the chunk that says it is the last, or
where no chunk of the member says so, with an empty one behind: LangChain sends one there too.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.utils import message_chunk_to_message
from langchain_core.outputs import ChatGenerationChunk

from langchain_slmmux import _private
from langchain_slmmux._members import MemberCall
from langchain_slmmux._messages import history_of
from langchain_slmmux._overflow import overflow_or_same
from langchain_slmmux._question import Question
from langchain_slmmux._sampling import Reply, usage_of
from slmmux import Answer, Draw, Race
from slmmux._mux.engine import Result
from slmmux._mux.limiter import await_for, wait_for
from slmmux._mux.rest import note_stream
from slmmux._mux.secrets import clean_error

__all__ = ["athrough", "through"]

# Returns the answer in a reply; makes the record of the question that was answered.
Read = Callable[[Reply], Answer | None]
Record = Callable[[Result[Reply], Question], dict[str, Any]]


def through(
    question: Question, read: Read, record: Record, run: CallbackManagerForLLMRun | None
) -> Iterator[ChatGenerationChunk]:
    """Yield the chunks of the only member, the record on the last one; it tells a run of them itself."""
    call = question.only_call
    reply = _Streamed()
    fault: BaseException | None = None
    try:
        wait_for(call.member.pace)
        with question.pool.hold(call.member.label):
            chunks = _private.stream(
                call.model, _history(question, call), run_manager=run, **_arguments(question, call)
            )
            for chunk in chunks:
                yield from reply.add(chunk)
    except Exception as error:  # noqa: BLE001 - raised again, cleaned
        fault = clean_error(overflow_or_same(error), *call.secrets)
    note_stream(call.member.memory.rest, fault)
    if fault is not None:
        raise fault  # out here, or a cleaned one would carry the error that quotes the secret
    if reply.whole is not None:
        yield reply.last(record(_result_of(question, call, reply.whole, read), question))


async def athrough(
    question: Question, read: Read, record: Record, run: AsyncCallbackManagerForLLMRun | None
) -> AsyncIterator[ChatGenerationChunk]:
    """Yield the chunks of the only member on the event loop."""
    call = question.only_call
    reply = _Streamed()
    fault: BaseException | None = None
    try:
        await await_for(call.member.pace)
        with await question.pool.ahold(call.member.label):
            chunks = _private.astream(
                call.model, _history(question, call), run_manager=run, **_arguments(question, call)
            )
            async for chunk in chunks:
                for ready in reply.add(chunk):
                    yield ready
    except Exception as error:  # noqa: BLE001 - raised again, cleaned
        fault = clean_error(overflow_or_same(error), *call.secrets)
    note_stream(call.member.memory.rest, fault)
    if fault is not None:
        raise fault
    if reply.whole is not None:
        yield reply.last(record(_result_of(question, call, reply.whole, read), question))


class _Streamed:
    """A reply as it comes, chunk by chunk.

    Attributes:
        whole: All of it that has come; `None` before the first chunk.
    """

    def __init__(self) -> None:
        self.whole: ChatGenerationChunk | None = None
        self._held: ChatGenerationChunk | None = None
        self._is_text = True

    def add(self, chunk: ChatGenerationChunk) -> list[ChatGenerationChunk]:
        """Return the chunks that may leave: only one that says it is the last is kept, for the record."""
        # Whoever takes a chunk may change it.
        copy = ChatGenerationChunk(message=chunk.message.model_copy(), generation_info=chunk.generation_info)
        self.whole = copy if self.whole is None else self.whole + copy
        self._is_text = isinstance(chunk.message.content, str)
        ready = [self._held] if self._held is not None else []
        is_last = getattr(chunk.message, "chunk_position", None) == "last"
        self._held = chunk if is_last else None
        return ready if is_last else [*ready, chunk]

    def last(self, record: dict[str, Any]) -> ChatGenerationChunk:
        """Return the last chunk with the record on it."""
        if self._held is None:
            content: Any = "" if self._is_text else []
            message = AIMessageChunk(content=content, response_metadata={"slmmux": record}, chunk_position="last")
            return ChatGenerationChunk(message=message)
        metadata = {**self._held.message.response_metadata, "slmmux": record}
        held = self._held.message.model_copy(update={"response_metadata": metadata})
        return ChatGenerationChunk(message=held, generation_info=self._held.generation_info)


def _history(question: Question, call: MemberCall) -> list[BaseMessage]:
    return history_of(question.messages, call.member.label, signed_calls_only=call.signed_calls_only)


def _arguments(question: Question, call: MemberCall) -> dict[str, Any]:
    kwargs = dict(call.kwargs)
    if question.stop is not None:
        kwargs["stop"] = question.stop
    return kwargs


def _result_of(question: Question, call: MemberCall, whole: ChatGenerationChunk, read: Read) -> Result[Reply]:
    """Return the question as answered by its one sample."""
    label = call.member.label
    message = cast("AIMessage", message_chunk_to_message(cast("AIMessageChunk", whole.message)))
    usage = usage_of(message)
    question.account.count_call()
    question.account.add(label, usage)
    race = Race({label: 1}, read)
    (draw,) = race.ask()
    race.tell(Draw(draw.model, draw.index), Reply(label, message, usage, whole.generation_info))
    decision = race.decision
    assert decision is not None  # noqa: S101 - its only sample is in
    return Result(decision, "answered", decision.reply)  # type: ignore[arg-type]
