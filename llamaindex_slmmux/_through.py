"""A mux of one member and one sample streams its member through: its tokens are the answer, as they come.

Each response leaves at once. The record needs the whole reply, so the last one gets it when the stream has ended: it is
there for whoever keeps the response, as LlamaIndex's own events do.
A stream of the member begins before ours is returned, so that its span stands within ours. From then on it has a place
in the window of the mux, until it has ended or nobody holds it any more.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, closing, contextmanager
from contextvars import copy_context
from typing import Any, TypeAlias, TypeVar

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
from llama_index.core.callbacks import CallbackManager
from llama_index_instrumentation.dispatcher import instrument_tags

from llamaindex_slmmux._members import Member, count_once
from llamaindex_slmmux._messages import as_chat
from llamaindex_slmmux._opentelemetry import traced_once
from llamaindex_slmmux._request import Call, Reply, Request
from llamaindex_slmmux._sampling import new_to_handlers, tags_of
from llamaindex_slmmux._structured import Structured
from llamaindex_slmmux._tools import calls_of
from llamaindex_slmmux._usage import usage_of
from slmmux import Answer, Draw, Pool, Race
from slmmux._mux.engine import Result
from slmmux._mux.limiter import await_for, wait_for
from slmmux._mux.rest import note_stream
from slmmux._mux.secrets import clean_error, secrets_of

__all__ = ["Response", "aconverted", "athrough", "avalues_through", "converted", "through", "values_through"]

Response: TypeAlias = ChatResponse | CompletionResponse
R = TypeVar("R", ChatResponse, CompletionResponse)

# Returns the answer in a reply.
Read = Callable[[Reply], Answer | None]
# Makes the response that leaves the mux of the reply that was streamed.
Respond = Callable[[Result[Reply]], ChatResponse]

_END: Any = object()


def _no_responses() -> Generator[Any]:
    yield from ()


async def _ano_responses() -> AsyncGenerator[Any]:
    nothing: tuple[Any, ...] = ()
    for response in nothing:
        yield response


def through(
    request: Request,
    member: Member,
    wrapper: CallbackManager,
    *,
    pool: Pool,
    read: Read,
    respond: Respond,
    answer_whole: Callable[[], ChatResponse],
) -> Generator[Response]:
    """Return the responses of the only member, the record on the last one; the whole answer if it cannot stream."""
    step = _Step(member)
    call = step.begun(lambda: _call(request, member, wrapper))
    step.outcome(lambda: wait_for(member.pace))
    place = pool.hold(member.label)
    stream = place.begun(lambda: step.outcome(lambda: _stream(call), otherwise=_no_responses()))

    def responses() -> Generator[Response]:
        last = None
        with place, closing(stream):
            while True:
                response = step.outcome(lambda: next(stream, _END), otherwise=_END if last is None else None)
                if response is _END:
                    break
                last = response.model_copy()
                yield last
        if last is None:
            yield answer_whole()
        else:
            note_stream(member.memory.rest)
            last.raw = _raw(member, call, response=last, read=read, respond=respond)

    return place.of(responses())


async def athrough(
    request: Request,
    member: Member,
    wrapper: CallbackManager,
    *,
    pool: Pool,
    read: Read,
    respond: Respond,
    answer_whole: Callable[[], Awaitable[ChatResponse]],
) -> AsyncGenerator[Response]:
    """Return the responses of the only member on the event loop."""
    step = _Step(member)
    call = step.begun(lambda: _call(request, member, wrapper))
    await step.aoutcome(lambda: await_for(member.pace))
    place = await pool.ahold(member.label)
    stream = await place.abegun(lambda: step.aoutcome(lambda: _astream(call), otherwise=_ano_responses()))

    async def responses() -> AsyncGenerator[Response]:
        last = None
        with place:
            async with aclosing(stream):
                while True:
                    response = await step.aoutcome(
                        lambda: anext(stream, _END), otherwise=_END if last is None else None
                    )
                    if response is _END:
                        break
                    last = response.model_copy()
                    yield last
        if last is None:
            yield await answer_whole()
        else:
            note_stream(member.memory.rest)
            last.raw = _raw(member, call, response=last, read=read, respond=respond)

    return place.of(responses())


def values_through(request: Structured, member: Member, wrapper: CallbackManager, pool: Pool) -> Generator[Any]:
    """Return the values that the only member streams of a schema, whole or in part."""
    step = _Step(member)
    call = step.begun(lambda: _reporting_call(request, member, wrapper))
    step.outcome(lambda: wait_for(member.pace))
    place = pool.hold(member.label)
    stream = place.begun(lambda: step.outcome(lambda: _stream(call)))

    def values() -> Generator[Any]:
        with place, closing(stream):
            while (value := step.outcome(lambda: next(stream, _END))) is not _END:
                yield value
        note_stream(member.memory.rest)

    return place.of(values())


async def avalues_through(
    request: Structured, member: Member, wrapper: CallbackManager, pool: Pool
) -> AsyncGenerator[Any]:
    """Return the values that the only member streams of a schema on the event loop."""
    step = _Step(member)
    call = step.begun(lambda: _reporting_call(request, member, wrapper))
    await step.aoutcome(lambda: await_for(member.pace))
    place = await pool.ahold(member.label)
    stream = await place.abegun(lambda: step.aoutcome(lambda: _astream(call)))

    async def values() -> AsyncGenerator[Any]:
        with place:
            async with aclosing(stream):
                while (value := await step.aoutcome(lambda: anext(stream, _END))) is not _END:
                    yield value
        note_stream(member.memory.rest)

    return place.of(values())


def converted(stream: Iterator[Response], form: Callable[[Response], R]) -> Generator[R]:
    """Yield responses in another form; the last one gets its record when the stream has ended, as they do."""
    response = result = None
    for response in stream:
        result = form(response)
        yield result
    if response is not None and result is not None:
        result.raw = response.raw


async def aconverted(stream: AsyncIterator[Response], form: Callable[[Response], R]) -> AsyncGenerator[R]:
    """Yield responses in another form on the event loop."""
    response = result = None
    async for response in stream:
        result = form(response)
        yield result
    if response is not None and result is not None:
        result.raw = response.raw


class _Step:
    """What the member does between two responses of ours: tagged as its own, its errors cleaned of secrets.

    Tags are set for each step alone, as between two of them the caller's own events are heard.
    """

    def __init__(self, member: Member) -> None:
        self._secrets = member.secrets
        self._model = member.model
        self._rest = member.memory.rest
        self._tags = tags_of(Draw(member.label, 0))

    def begun(self, make: Callable[[], Call]) -> Call:
        """Return the member's call, whose own secrets are struck out of errors from here on."""
        call: Call = self.outcome(make)
        self._secrets = (*self._secrets, *secrets_of(call.kwargs))
        return call

    def outcome(self, act: Callable[[], Any], *, otherwise: Any = None) -> Any:
        """Return what a step returns; `otherwise`, if there is one, where the class has no such method."""
        try:
            with self._as_member():
                return act()
        except Exception as error:  # noqa: BLE001 - raised again, cleaned
            fault = self._cleaned(error)
        if isinstance(fault, NotImplementedError) and otherwise is not None:
            return otherwise
        raise fault  # out here, or a cleaned one would carry the error that quotes the secret

    async def aoutcome(self, act: Callable[[], Awaitable[Any]], *, otherwise: Any = None) -> Any:
        """Return what a step on the event loop returns."""
        try:
            with self._as_member():
                return await act()
        except Exception as error:  # noqa: BLE001 - raised again, cleaned
            fault = self._cleaned(error)
        if isinstance(fault, NotImplementedError) and otherwise is not None:
            return otherwise
        raise fault

    @contextmanager
    def _as_member(self) -> Iterator[None]:
        with instrument_tags(self._tags), traced_once():
            yield

    def _cleaned(self, error: Exception) -> BaseException:
        fault = clean_error(error, self._secrets, self._model)
        note_stream(self._rest, fault)
        return new_to_handlers(fault)


def _stream(call: Call) -> Any:
    return getattr(call.llm, f"stream_{call.method}")(*call.args, **call.kwargs)


async def _astream(call: Call) -> Any:
    return await getattr(call.llm, f"astream_{call.method}")(*call.args, **call.kwargs)


def _call(request: Request, member: Member, wrapper: CallbackManager) -> Call:
    """Return the member's call, made where no token counter of the mux is told twice."""

    def make() -> Call:
        count_once(wrapper)
        return request.calls(member)(1)

    return copy_context().run(make)


def _reporting_call(request: Structured, member: Member, wrapper: CallbackManager) -> Call:
    """Return the member's call of a schema, which reports to the mux's handlers: no chat of the mux does."""
    own = member.llm.callback_manager
    known = own.handlers if isinstance(own, CallbackManager) else []
    return request.reporting(member, *(handler for handler in wrapper.handlers if handler not in known))


def _raw(member: Member, call: Call, *, response: Response, read: Read, respond: Respond) -> Any:
    """Return the raw reply of the last response with the record beside it."""
    response = as_chat(response)
    reply = Reply(member.label, response, usage_of(response), calls_of(call.llm, response))
    race: Race[Reply] = Race({member.label: 1}, read)
    (draw,) = race.ask()
    race.tell(draw, reply)
    decision = race.decision
    assert decision is not None  # noqa: S101 - its only sample is in
    return respond(Result(decision, "answered", decision.reply)).raw  # type: ignore[arg-type]
