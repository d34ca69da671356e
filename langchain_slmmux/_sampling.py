"""One question put to the members: each request made, its replies counted, its faults cleaned of secrets.

A driver calls `call` or `acall` with the draws of one request.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, LLMResult

from langchain_slmmux import _private
from langchain_slmmux._members import Member, MemberCall
from langchain_slmmux._messages import history_of
from langchain_slmmux._overflow import overflow_or_same
from langchain_slmmux._tracing import Traces, inner_config, is_heard
from slmmux import Draw, Pool, Race
from slmmux._mux.dispatch import Dispatch
from slmmux._mux.live import Hear
from slmmux._mux.replies.cut_off import is_cut_off
from slmmux._mux.sampling import OnceMoreError, group_draws, remedy_for, remember_single
from slmmux._mux.scoring.confidence import without_statement
from slmmux._mux.secrets import clean_error
from slmmux._mux.settings import client_timeout
from slmmux._mux.usage import COST, total

__all__ = ["Reply", "Sampling", "usage_of"]


_UNHEARD = LLMResult(generations=[[]])


@dataclass(frozen=True)
class Reply:
    """One completion of a member.

    Attributes:
        model: The member's label.
        message: Its message.
        usage: Tokens; those of a request with several completions stand on the first.
        generation_info: What the member's class says beside the message.
        stated: How sure the member says it is, if it was asked; the message is without that line.
    """

    model: str
    message: AIMessage
    usage: Mapping[str, int]
    generation_info: dict[str, Any] | None = None
    stated: float | None = None

    @property
    def is_cut_off(self) -> bool:
        """Whether it was cut off at its limit of tokens."""
        return is_cut_off(self.message.response_metadata) or is_cut_off(self.generation_info)


class Sampling:
    """The requests of one question.

    Args:
        member_calls: What each member is asked, by label.
        messages: The question.
        stop: Stop sequences; without them a binding keeps its own.
        traces: The samples' runs.
        pool: Threads for members that only have a sync call.
        dispatch: Lets requests go, as long as the race is not over.
        race: Whose calls they are; it knows better than a cancelled task why one failed.
        states: Whether the members were asked to state how sure they are.
        live: Who hears the tokens of a member whose reply is the answer whatever it says, by label.
    """

    def __init__(
        self,
        member_calls: Mapping[str, MemberCall],
        messages: list[BaseMessage],
        stop: list[str] | None,
        traces: Traces,
        pool: Pool,
        *,
        dispatch: Dispatch,
        race: Race[Reply] | None = None,
        states: bool = False,
        live: Mapping[str, Hear] | None = None,
    ) -> None:
        self._member_calls = {
            label: replace(a, kwargs={**a.kwargs, "stop": a.kwargs.get("stop") if stop is None else stop})
            for label, a in member_calls.items()
        }
        self._histories = {
            label: history_of(messages, label, signed_calls_only=a.signed_calls_only)
            for label, a in self._member_calls.items()
        }
        self.traces = traces
        self._dispatch = dispatch
        self._pool = pool
        self._race = race
        self._states = states
        self._doubted: set[tuple[Draw, ...]] = set()  # requests of which nobody knows what their server refused
        self._live = live or {}

    def group(self, draws: Sequence[Draw]) -> list[tuple[Draw, ...]]:
        """Put the draws of a member that takes `n` in one request; all others are requests of their own."""
        return group_draws(draws, lambda label: self._member_calls[label].member.takes_several)

    def pace(self, draws: tuple[Draw, ...]) -> float:
        """Ask the member's rate limiter: return 0, or the seconds after which to ask again."""
        return self._member_calls[draws[0].model].member.pace()

    def call(self, draws: tuple[Draw, ...]) -> list[Reply]:
        """Make one request in this thread."""
        member_call = self._member_calls[draws[0].model]
        try:
            messages = self._histories[draws[0].model]
            runs = [self.traces.open(draw, member_call, messages) for draw in draws]
            inner_config(runs[0])
            wanted = self._wanted(draws)
            kwargs = self._kwargs(wanted)
            self._dispatch.send(draws)
            result = _generate(member_call, list(messages), runs[0], kwargs)
            replies, results = _replies_of(member_call, wanted, result, heard=any(map(is_heard, runs)))
        except BaseException as error:  # noqa: BLE001 - raised again, cleaned
            fault = clean_error(overflow_or_same(error), *member_call.secrets)
            remedy = remedy_for(error, self._wanted(draws))
            if remedy == "singly":
                _remember_class(member_call, error)
                return []
            if remedy == "none":
                for draw in draws:
                    self.traces.fail(draw, fault)
        else:
            for draw, reply, ended in zip(draws, replies, results, strict=False):
                self.traces.end(draw, ended, reply.usage)
            return self._as_counted(member_call.member, draws, replies)
        if remedy == "probe":
            self._doubted.add(draws)
            raise OnceMoreError(fault)
        raise fault  # out here, or a cleaned one would carry the error that quotes the secret

    async def acall(self, draws: tuple[Draw, ...]) -> list[Reply]:
        """Make one request in this task."""
        member_call = self._member_calls[draws[0].model]
        try:
            messages = self._histories[draws[0].model]
            runs = [await self.traces.aopen(draw, member_call, messages) for draw in draws]
            inner_config(runs[0])
            wanted = self._wanted(draws)
            kwargs = self._kwargs(wanted)
            if member_call.member.sync_only:
                run = self.traces.sync_run(runs[0]) if runs[0] else None

                def send() -> ChatResult:
                    self._dispatch.send(draws)
                    return _generate(member_call, list(messages), run, kwargs)

                result = await self._pool.run(
                    send, late=lambda result: self.traces.abandon(draws[0], _usage_of_result(result))
                )
            else:
                hear = self._live.get(draws[0].model)
                self._dispatch.send(draws)
                result = await _agenerate(member_call, list(messages), runs[0], kwargs, hear)
            replies, results = _replies_of(member_call, wanted, result, heard=any(map(is_heard, runs)))
        except BaseException as error:  # noqa: BLE001 - raised again, cleaned
            fault = clean_error(overflow_or_same(error), *member_call.secrets)
            remedy = remedy_for(error, self._wanted(draws))
            if remedy == "singly":
                _remember_class(member_call, error)
                return []
            if remedy == "none":
                for draw in draws:
                    await self.traces.afail(draw, self._why(draw) or fault)
        else:
            for draw, reply, ended in zip(draws, replies, results, strict=False):
                await self.traces.aend(draw, ended, reply.usage)
            return self._as_counted(member_call.member, draws, replies)
        if remedy == "probe":
            self._doubted.add(draws)
            raise OnceMoreError(fault)
        raise fault

    def _wanted(self, draws: tuple[Draw, ...]) -> tuple[Draw, ...]:
        """Return the draws that one request asks for: the first alone, if its server may have refused several."""
        return draws[:1] if draws in self._doubted else draws

    def _as_counted(self, member: Member, draws: tuple[Draw, ...], replies: list[Reply]) -> list[Reply]:
        """Return replies as the mux counts them: without the line in which a member states how sure it is."""
        if draws in self._doubted:
            remember_single(member, "refuses n")
        return [_without_statement(reply) for reply in replies] if self._states else replies

    def close(self) -> None:
        """Close the runs of the calls that nobody waits for any more."""
        self._dispatch.close()
        for draw in self.traces.close():
            self.traces.fail(draw, self._why(draw) or _unneeded())

    async def aclose(self) -> None:
        """Close the runs of the tasks that would not end when they were cancelled."""
        self._dispatch.close()
        for draw in await self.traces.aclose():
            await self.traces.afail(draw, self._why(draw) or _unneeded())

    def sent(self, begun: Mapping[tuple[Draw, ...], int]) -> tuple[tuple[Draw, ...], ...]:
        """Return those of some requests that were sent as often as they were begun."""
        return self._dispatch.sent(begun)

    def _why(self, draw: Draw) -> BaseException | None:
        """Return the error the race knows for a draw: its time-out, say, rather than the cancellation it led to."""
        sample = self._race.sample(draw) if self._race else None
        return sample.error if sample else None

    def _kwargs(self, draws: Sequence[Draw]) -> dict[str, Any]:
        call = self._member_calls[draws[0].model]
        several = {"n": len(draws)} if len(draws) > 1 else {}
        return {**call.kwargs, **client_timeout(call.model, call.kwargs), **several}


def _remember_class(member_call: MemberCall, error: BaseException) -> None:
    """Remember a class that takes no `n`; a server that failed once may well take it the next time."""
    if isinstance(error, TypeError | NotImplementedError):
        remember_single(member_call.member, "refuses n")


def _generate(
    member_call: MemberCall, messages: list[BaseMessage], run: CallbackManagerForLLMRun | None, kwargs: dict[str, Any]
) -> ChatResult:
    # generate() would open a run of its own
    try:
        return _private.generate(member_call.model, messages, run_manager=run, **kwargs)
    except Exception as error:
        if (carried := _carried(member_call, error)) is None:
            raise
        return carried


async def _agenerate(
    member_call: MemberCall,
    messages: list[BaseMessage],
    run: AsyncCallbackManagerForLLMRun | None,
    kwargs: dict[str, Any],
    hear: Hear | None = None,
) -> ChatResult:
    try:
        if hear is not None and _private.can_stream(member_call.model) and not member_call.model.cache:
            return await agenerate_from_stream(_heard(member_call.model, messages, run, kwargs, hear))
        return await _private.agenerate(member_call.model, messages, run_manager=run, **kwargs)
    except Exception as error:
        if (carried := _carried(member_call, error)) is None:
            raise
        return carried


async def _heard(
    model: BaseChatModel,
    messages: list[BaseMessage],
    run: AsyncCallbackManagerForLLMRun | None,
    kwargs: dict[str, Any],
    hear: Hear,
) -> AsyncIterator[ChatGenerationChunk]:
    """Yield a model's chunks, each of which somebody hears."""
    # A whole reply tells its tokens, and OpenAI's class asks for those of a stream only at OpenAI's own address.
    more = {"stream_usage": True} if getattr(model, "stream_usage", False) is None else {}
    async for chunk in _private.astream(model, messages, run_manager=run, **kwargs, **more):
        # Where a chunk ends is said beside the message, as LangChain's own `astream` knows too.
        chunk.message.response_metadata = {**(chunk.generation_info or {}), **chunk.message.response_metadata}
        hear(chunk.message.model_copy())
        yield chunk


def _carried(member_call: MemberCall, error: Exception) -> ChatResult | None:
    """Return the reply an error carries.

    OpenAI's SDK raises where a schema is asked for and a completion was cut short, with the whole reply in hand: the
    other completions of the request are good, and all of them were paid for.
    """
    completion = getattr(error, "completion", None)
    read = _private.result_of_completion(member_call.model)
    return None if completion is None or read is None else read(completion)


def _unneeded() -> asyncio.CancelledError:
    return asyncio.CancelledError("decided without this sample")


def _replies_of(
    member_call: MemberCall, draws: tuple[Draw, ...], result: Any, *, heard: bool
) -> tuple[list[Reply], list[LLMResult]]:
    """Return a reply and a run's result for each completion that came back; the request's usage is the first one's.

    Runs that nobody hears have no result of their own: to build one validates the message once more.
    """
    if not isinstance(result, ChatResult):
        raise TypeError(f"the model returned {type(result).__name__}, not a ChatResult")
    if len(result.generations) < len(draws) and len(draws) > 1:
        remember_single(member_call.member, f"brought {len(result.generations)} of {len(draws)} completions")
    replies: list[Reply] = []
    results: list[LLMResult] = []
    for i, generation in enumerate(result.generations[: len(draws)]):
        message = generation.message
        if not isinstance(message, AIMessage):
            raise TypeError(f"the model returned a {type(message).__name__}, not an AIMessage")
        if len(draws) > 1:
            # LangChain says the model's name on a lone generation only, and handlers count usage under that name.
            metadata = {**(result.llm_output or {}), **message.response_metadata}
            usage = None if i else message.usage_metadata
            if i:
                metadata.pop("token_usage", None)
            message = message.model_copy(update={"usage_metadata": usage, "response_metadata": metadata})
            generation = ChatGeneration(message=message, generation_info=generation.generation_info)  # noqa: PLW2901
        replies.append(Reply(member_call.member.label, message, usage_of(message), generation.generation_info))
        results.append(
            LLMResult(generations=[[generation]], llm_output=None if i else result.llm_output) if heard else _UNHEARD
        )
    return replies, results


def _without_statement(reply: Reply) -> Reply:
    """Return a reply without its last line on how sure the member is."""
    message = reply.message
    if isinstance(message.content, str):
        text, stated = without_statement(message.content)
        content: Any = text
    else:
        place = next(
            (i for i in reversed(range(len(message.content))) if _text_in(message.content[i]) is not None), None
        )
        if place is None:
            return reply
        block = message.content[place]
        text, stated = without_statement(str(_text_in(block)))
        changed = text if isinstance(block, str) else {**block, "text": text}
        content = [*message.content[:place], changed, *message.content[place + 1 :]]
    if stated is None:
        return reply
    return replace(reply, message=message.model_copy(update={"content": content}), stated=stated)


def _text_in(block: Any) -> str | None:
    """Return the text of a message's block; `None` if it holds another thing."""
    text = block.get("text") if isinstance(block, Mapping) and block.get("type") == "text" else block
    return text if isinstance(text, str) else None


def _usage_of_result(result: ChatResult) -> dict[str, Any]:
    messages = (generation.message for generation in result.generations)
    return total(usage_of(message) for message in messages if isinstance(message, AIMessage))


def usage_of(message: AIMessage) -> dict[str, Any]:
    """Return a message's tokens, with their details; those of a mux inside a mux, and its cost, stand in its record."""
    of_record: Mapping[str, Any] = (message.response_metadata.get("slmmux") or {}).get("usage") or {}
    usage: Mapping[str, Any] = message.usage_metadata or of_record
    return total([{**usage, COST: of_record.get(COST)}])
