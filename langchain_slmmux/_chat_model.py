"""SLMMuxChatModel: a LangChain chat model whose members are chat models."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda, ensure_config
from langchain_core.runnables.config import get_config_list
from langchain_core.tools import BaseTool
from pydantic import Field, PrivateAttr, SecretStr, model_validator
from typing_extensions import override

from langchain_slmmux._handover import Handover
from langchain_slmmux._members import Member, MemberCall, code_identity, make_members, own_name, unwrap
from langchain_slmmux._messages import as_chunk, final_message, with_instruction, with_usage
from langchain_slmmux._private import can_stream, combined_output, events_of, ls_params, should_stream
from langchain_slmmux._progress import aprogress, progress
from langchain_slmmux._question import Question
from langchain_slmmux._request import Request, bind_tools, tool_form
from langchain_slmmux._sampling import Reply
from langchain_slmmux._shared_run import handlers_in, own_handlers, with_members_own
from langchain_slmmux._structured import Structured, ask_through, parser_fields
from langchain_slmmux._through import athrough, through
from slmmux._mux.base import Mux
from slmmux._mux.engine import Result
from slmmux._mux.live import Hear, hearer
from slmmux._mux.members import name_of_model
from slmmux._mux.rule import ESCALATION
from slmmux._mux.scoring.confidence import CONSISTENCY, INSTRUCTION
from slmmux._mux.secrets import secrets_of, strike, told_apart
from slmmux._mux.usage import Account

if TYPE_CHECKING:
    from slmmux._mux.from_config import Endpoint

__all__ = ["SLMMuxChatModel"]

_log = logging.getLogger("slmmux")

Configs: TypeAlias = RunnableConfig | list[RunnableConfig] | None

# Set while stream() or astream() waits for its one chunk: then every handler is owed a token, not only those that
# declare themselves streaming.
_streamed: ContextVar[bool] = ContextVar("slmmux_streamed", default=False)

# Where astream() takes the message over while the run is still open: an event stream drops what comes after its end.
_handover: ContextVar["Handover | None"] = ContextVar("slmmux_handover", default=None)


class SLMMuxChatModel(Mux, BaseChatModel, defer_build=False):
    """A chat model that is really several small ones: the one that agrees most with itself answers.

    Each member is sampled k times in parallel, an answer is read out of every sample, and the reply of the member whose
    most frequent answer has the highest share of its k samples is returned (SLM-MUX, arXiv 2510.05077, Algorithm 1).

    Args:
        models: Chat models, or bindings of them, by label; or a list, labelled by the models' own names.
        options: The other options are the fields of this class, each documented below it; the same for both frameworks.

    Raises:
        ArgumentError: No members, k < 1, an unknown label, an accuracy outside 0..1, an unknown option.
        MemberError: A member that is not a chat model, or a temperature it does not take.
        NoAnswerError: At call time, if no member replied; carries every cause.

    The message's `response_metadata["slmmux"]` is the record of the decision, its `usage_metadata` the whole cost.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> mux = SLMMuxChatModel(
        ...     models={"sure": FakeListChatModel(responses=["4"]), "unsure": FakeListChatModel(responses=["4", "5"])},
        ...     samples=2,
        ... )
        >>> message = mux.invoke("2 + 2?")
        >>> message.text, message.response_metadata["slmmux"]["model"]
        ('4', 'sure')
    """

    streaming: bool | None = None
    """Taken, as other chat models take it; the answer streams as one chunk either way."""

    api_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    """Taken, warned of and not used: each member carries its own."""

    _kind: ClassVar[str] = "chat model"
    _example: ClassVar[str] = "ChatOpenAI(...)"

    _structured: Structured | None = PrivateAttr(default=None)

    @override
    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        BaseChatModel.model_post_init(self, context)  # pydantic calls the first base's alone; it notes the versions

    @model_validator(mode="after")
    def _set_slmmux_versions(self) -> Self:
        """Note the versions of the members' packages, as LangChain does for the package of a model's own class."""
        own = [unwrap(label, model)[0].metadata or {} for label, model in self._labelled.items()]
        versions = [each["lc_versions"] for each in (*own, self.metadata or {}) if each.get("lc_versions")]
        if versions:
            merged = {name: version for each in versions for name, version in each.items()}
            super().__setattr__("metadata", {**(self.metadata or {}), "lc_versions": merged})
        return self

    @model_validator(mode="after")
    def _be_as_the_only_member(self) -> Self:
        """Take over how the only member writes and caches its messages, where no option of the mux says otherwise."""
        if not self._is_one:
            return self
        (member,) = self._members.values()
        if "output_version" not in self.model_fields_set:
            vars(self)["output_version"] = member.own.output_version
        if "cache" not in self.model_fields_set and member.own.cache is False:
            vars(self)["cache"] = False
        return self

    # --- what the mux has to know of a chat model -----------------------------------------------------------------

    @classmethod
    @override
    def _own_name(cls, label: str, model: Any) -> str:
        return own_name(label, model)

    @classmethod
    @override
    def _check_member(cls, label: str, model: Any) -> None:
        unwrap(label, model)

    @classmethod
    @override
    def _new_members(
        cls,
        models: Mapping[str, Any],
        *,
        samples: Mapping[str, int],
        temperature: Mapping[str, float],
        settings: Mapping[str, Any],
    ) -> dict[str, Member]:
        return make_members(models, samples=samples, temperature=temperature, settings=settings)

    @classmethod
    @override
    def _model_at(cls, endpoint: "Endpoint") -> Any:
        # Imported here because it brings the provider's package with it.
        from langchain_slmmux._from_config import member  # noqa: PLC0415

        return member(endpoint)

    @override
    def _plain_question(self, text: str) -> Question:
        return self._question([HumanMessage(text)], None, None, {})

    @override
    def _judge_question(self, prompt: str, account: Account) -> Question:
        messages: list[BaseMessage] = [HumanMessage(prompt)]
        # Plain, whatever schema or tools the question has: the judge is asked for a number.
        request = Request.build(self._callable_members, {}, "auto", None, messages=messages)
        return Question(request, messages, None, None, self._pool, account=account)

    # --- what LangChain asks a model about itself -----------------------------------------------------------------

    @property
    @override
    def _llm_type(self) -> str:
        return "slmmux"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        extract = self.extract if isinstance(self.extract, str) else code_identity(self.extract)
        return {
            "rank": list(self._members),
            "members": {label: member.identity for label, member in self._members.items()},
            "samples": self.k,
            "extract": extract,
            "agreement": [self._agreement.name, self._agreement.identity],
            "plan": self.plan,
            "wait": self._policy.wait,
            "rule": self._policy.identity,
            "abstain": [self.abstain_below, self.abstain_with],
            "escalate": [self.escalate_below, *(member.identity for member in self._bigger.values())],
            "deadline": self.deadline,
            "budget": self.budget,
            "prices": self.prices if self.budget and "cost" in self.budget else None,  # no others decide anything
            "vote_on": self.vote_on,
            "no_answer": self.no_answer,
            "record": self.record,
            "system_prompt": self.system_prompt,
            **({} if self.confidence == CONSISTENCY else {"confidence": self._confidence_identity}),
        }

    @property
    def _confidence_identity(self) -> list[Any]:
        name = self.confidence if isinstance(self.confidence, str) else code_identity(self.confidence)
        judges = [member.identity for member in self._judges.values()]
        return [name, self.judge if isinstance(self.judge, str) else None, *judges]

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        schema = self._structured.identity if self._structured else None
        key = {"slmmux": self._identifying_params, "stop": self.stop if stop is None else stop, "schema": schema}
        key["kwargs"] = told_apart(_as_json(kwargs), secrets_of(kwargs))
        return json.dumps(key, sort_keys=True, ensure_ascii=False, default=code_identity)

    @override
    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        params = super()._get_invocation_params(stop=stop, **_as_json(kwargs))
        return cast("dict[str, Any]", strike(params, secrets_of(kwargs)))

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        if self._streams_through:  # its one run may be a stream, which is the member's: prices go by these
            member = next(iter(self._members.values()))
            return ls_params(member.own, stop=stop, **{**member.kwargs, **kwargs})
        name = kwargs.get("model") or "+".join(self._labelled)  # a call that names a model is refused under that name
        params = LangSmithParams(ls_provider="slmmux", ls_model_type="chat", ls_model_name=name)
        if stop:
            params["ls_stop"] = stop
        return params

    @property
    def model_name(self) -> str | None:
        """The name of the members' model, if it is one; LangChain looks up by it what a model can do.

        Agents ask Gemini before version 3 for a schema by a tool, for example. Several models have no such name.
        """
        names = {name_of_model(unwrap(label, model)[0]) for label, model in self._labelled.items()}
        return names.pop() if len(names) == 1 else None

    @override
    def _resolve_model_profile(self) -> ModelProfile | None:
        """Return what every member can do: flags that all have, the least of the limits."""
        profiles = [unwrap(label, model)[0].profile for label, model in self._labelled.items()]
        if not all(profiles):
            return None
        first, *others = cast("list[dict[str, Any]]", profiles)
        shared: dict[str, Any] = {}
        for name, value in first.items():
            values = [value, *(other.get(name) for other in others)]
            if all(isinstance(v, bool) for v in values):
                shared[name] = all(values)
            elif all(isinstance(v, int) for v in values):
                shared[name] = min(values)
            elif all(v == value for v in values):
                shared[name] = value
        return cast("ModelProfile", shared)

    @override
    def get_num_tokens(self, text: str) -> int:
        """Return the most tokens any member counts in a text: what fits for all.

        A member that cannot count here, without a tokenizer or a way to fetch one, is estimated.
        """
        if self.custom_get_token_ids is not None:
            return super().get_num_tokens(text)
        return self._most(
            lambda model: model.get_num_tokens(text), lambda: count_tokens_approximately([HumanMessage(text)])
        )

    @override
    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Return the most tokens any member counts in messages."""
        if self.custom_get_token_ids is not None:
            return super().get_num_tokens_from_messages(messages, tools)
        return self._most(
            lambda model: model.get_num_tokens_from_messages(messages, tools),
            lambda: count_tokens_approximately(messages),
        )

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """Return the tokens of a text in the words of the member that makes the most of it."""
        if self.custom_get_token_ids is not None:
            return super().get_token_ids(text)
        return max((member.own.get_token_ids(text) for member in self._members.values()), key=len)

    def _most(self, count: Callable[[BaseChatModel], int], estimate: Callable[[], int]) -> int:
        counts: list[int] = []
        for label, member in self._members.items():
            try:
                counts.append(count(member.model))
            except Exception as error:  # noqa: BLE001 - a member without a tokenizer must not stop who trims a history
                if not member.memory.estimated:
                    member.memory.estimated = True
                    _log.warning("member %r cannot count tokens here, so they are estimated: %s", label, error)
                counts.append(estimate())
        return max(counts)

    # --- asking ---------------------------------------------------------------------------------------------------

    @override
    def invoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        config = self._config_of_run(config, async_api=False, kwargs=kwargs)
        return super().invoke(input, config, stop=stop, **kwargs)

    @override
    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        config = self._config_of_run(config, async_api=True, kwargs=kwargs)
        return await super().ainvoke(input, config, stop=stop, **kwargs)

    @override
    def generate(
        self, messages: list[list[BaseMessage]], stop: list[str] | None = None, callbacks: Any = None, **kwargs: Any
    ) -> LLMResult:
        """Return a result for each list of messages, with the tokens of each: listeners heard of them before."""
        return self._whole(super().generate(messages, stop, callbacks, **kwargs))

    @override
    async def agenerate(
        self, messages: list[list[BaseMessage]], stop: list[str] | None = None, callbacks: Any = None, **kwargs: Any
    ) -> LLMResult:
        return self._whole(await super().agenerate(messages, stop, callbacks, **kwargs))

    def _whole(self, result: LLMResult) -> LLMResult:
        """Return results with the tokens that their runs were not told of, as listeners would count them twice."""
        rows = [[_counted(each) for each in row if isinstance(each, ChatGeneration)] for row in result.generations]
        changes: dict[str, Any] = {"generations": rows}
        if self._is_one:
            (member,) = self._members.values()
            metadata = [row[0].message.response_metadata for row in rows if row]
            # A stream has no output beside its chunks; that of a whole reply stands on its message as well.
            outputs = [each if "token_usage" in each else None for each in metadata]
            changes["llm_output"] = combined_output(member.own, outputs)
        return result.model_copy(update=changes)

    @override
    def _convert_cached_generations(self, cache_val: list[Generation]) -> list[ChatGeneration]:
        """Return what a cache kept; of a mux of one with its tokens, which LangChain counts again at no cost."""
        if not self._is_one:
            return super()._convert_cached_generations(cache_val)
        counted = [_counted(each) if isinstance(each, ChatGeneration) else each for each in cache_val]
        return super()._convert_cached_generations(counted)

    def _config_of_run(
        self, config: RunnableConfig | None, *, async_api: bool, kwargs: Mapping[str, Any], streamed: bool = False
    ) -> RunnableConfig | None:
        """Return a call's config, with what its user put on the only member if its stream goes straight through."""
        if not self._streams_through:
            return config
        (member,) = self._members.values()
        if not (own_handlers(member) or member.own.tags or member.own.metadata or member.config):
            return config
        listeners = SimpleNamespace(handlers=handlers_in(ensure_config(config).get("callbacks")))
        asked = {**kwargs, "stream": True} if streamed else kwargs
        streams = self._should_stream(async_api=async_api, run_manager=listeners, **asked)
        return with_members_own(config, member) if streams else config

    @override
    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Stream the winner as one chunk, because who speaks is known only when it is decided.

        A mux of one member and one sample streams its member through.
        """
        if self._streams_through:
            config = self._config_of_run(config, async_api=False, kwargs=kwargs, streamed=True)
            yield from super().stream(input, config, stop=stop, **kwargs)
            return
        with _streaming():
            message = self.invoke(input, config, stop=stop, **kwargs)
        yield as_chunk(message)

    @override
    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        if self._streams_through:
            config = self._config_of_run(config, async_api=True, kwargs=kwargs, streamed=True)
            async for chunk in super().astream(input, config, stop=stop, **kwargs):
                yield chunk
            return
        handover = Handover()
        with _streaming():
            token = _handover.set(handover)
            invocation = asyncio.ensure_future(self.ainvoke(input, config, stop=stop, **kwargs))
            _handover.reset(token)
        try:
            message = await handover.message(invocation)
            # Nothing was handed over where a cache had it: no sample was drawn.
            yield as_chunk(with_usage(message) if message is not None else await invocation)
            handover.delivery.set()
            await invocation
        finally:
            if not handover.delivery.is_set():  # broken off: what is decided ends as decided, the rest is cancelled
                handover.delivery.set()
                if not handover.has_message:
                    invocation.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await invocation

    # --- many questions: one window over all their samples -------------------------------------------------------

    def _window(self, config: Configs, inputs: Sequence[Any]) -> tuple[Self, list[RunnableConfig]]:
        """Return what answers a batch: with a window of `max_concurrency` calls, the config's where it is narrower.

        As many questions are begun as can have a call in the window, not as many as the machine has threads.
        """
        configs = get_config_list(config, len(inputs))
        limit = min(self.max_concurrency, configs[0].get("max_concurrency") or self.max_concurrency)
        mux = self
        if limit < self.max_concurrency:
            mux = self.model_copy()
            mux._pool = self._labelled.window(limit)
        return mux, [{**own, "max_concurrency": min(limit, len(inputs))} for own in configs]

    @override
    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: Configs = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        if not inputs:
            return []
        mux, configs = self._window(config, inputs)
        return super(SLMMuxChatModel, mux).batch(inputs, configs, return_exceptions=return_exceptions, **kwargs)

    @override
    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: Configs = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        if not inputs:
            return []
        mux, configs = self._window(config, inputs)
        return await super(SLMMuxChatModel, mux).abatch(inputs, configs, return_exceptions=return_exceptions, **kwargs)

    @override
    def batch_as_completed(
        self, inputs: Sequence[LanguageModelInput], config: Any = None, **kwargs: Any
    ) -> Iterator[tuple[int, Any]]:
        if inputs:
            mux, configs = self._window(config, inputs)
            yield from super(SLMMuxChatModel, mux).batch_as_completed(inputs, configs, **kwargs)

    @override
    async def abatch_as_completed(
        self, inputs: Sequence[LanguageModelInput], config: Any = None, **kwargs: Any
    ) -> AsyncIterator[tuple[int, Any]]:
        if inputs:
            mux, configs = self._window(config, inputs)
            async for indexed_reply in super(SLMMuxChatModel, mux).abatch_as_completed(inputs, configs, **kwargs):
                yield indexed_reply

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        question = self._question(messages, stop, run_manager, kwargs)
        with progress(run_manager, sum(self.k.values())):
            result = self._answer(question)
        message = self._message(result, question, run_manager)
        if run_manager is not None and self._wants_tokens(run_manager):
            run_manager.on_llm_new_token(str(message.text), chunk=ChatGenerationChunk(message=as_chunk(message)))
        return self._result(message, result)

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        question = self._question(messages, stop, run_manager, kwargs)
        try:
            async with aprogress(run_manager, sum(self.k.values())):
                result = await self._aanswer(question)
        except asyncio.CancelledError as error:
            if run_manager is not None:
                await run_manager.on_llm_error(error)  # agenerate() leaves a cancelled run open
            raise
        message = self._message(result, question, run_manager)
        if run_manager is not None and self._wants_tokens(run_manager):
            await run_manager.on_llm_new_token(str(message.text), chunk=ChatGenerationChunk(message=as_chunk(message)))
        if (handover := _handover.get()) is not None:
            await handover.give(message)
        return self._result(message, result)

    @property
    def _streams_through(self) -> bool:
        """Whether there is nothing to decide: one member, one sample, and no limit that would have to cut a stream."""
        limits = (self.timeout, self.deadline, self.budget)
        if not self._is_one or self._policy.has_threshold or any(each is not None for each in limits):
            return False
        return all(can_stream(m.model) for m in self._members.values())

    @override
    def _should_stream(self, *, async_api: bool, run_manager: Any = None, **kwargs: Any) -> bool:
        if not self._streams_through:
            return False
        own = next(iter(self._members.values())).own
        both = (super()._should_stream, partial(should_stream, own))
        # Either may ask for a stream, as its own setting; and either may refuse one.
        if not any(should(async_api=async_api, run_manager=run_manager, **kwargs) for should in both):
            return False
        return all(
            should(async_api=async_api, run_manager=run_manager, **{"stream": True, **kwargs}) for should in both
        )

    def _wants_tokens(self, run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun) -> bool:
        """Return whether handlers are owed the answer as a token: those of a mux of one hear its member's own."""
        if self._streams_through:
            return False
        # LangChain's own mark of a streaming handler is a private protocol with this method.
        return _streamed.get() or any(hasattr(h, "tap_output_iter") for h in run_manager.handlers)

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        question = self._question(messages, stop, None, kwargs)
        yield from through(question, self._reading(question), self._record, run_manager)

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        question = self._question(messages, stop, None, kwargs)
        async for chunk in athrough(question, self._reading(question), self._record, run_manager):
            yield chunk

    # LangChain asks for these two by name. Without them it makes events of the chunks of `_stream`, which is what a
    # mux of one wants: they are its member's.

    @property
    def _stream_chat_model_events(self) -> Callable[..., Iterator[Any]] | None:
        return None if self._streams_through else self._decided_events

    @property
    def _astream_chat_model_events(self) -> Callable[..., AsyncIterator[Any]] | None:
        return None if self._streams_through else self._adecided_events

    def _decided_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """Give the v3 event stream its source: the decided message as one lifecycle."""
        message = self._generate(messages, stop, run_manager, **kwargs).generations[0].message
        yield from events_of(message)

    async def _adecided_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        result = await self._agenerate(messages, stop, run_manager, **kwargs)
        for event in events_of(result.generations[0].message):
            yield event

    def _question(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
        kwargs: dict[str, Any],
    ) -> Question:
        self._warn_of_equal_samples(kwargs)
        members, structured = self._callable_members, self._structured
        request = Request.build(
            members,
            kwargs,
            self.extract,
            structured,
            vote_on=self.vote_on,
            messages=messages,
            alone=self._streams_through,
        )
        if self.system_prompt and not any(isinstance(m, SystemMessage) for m in messages):
            messages = [SystemMessage(self.system_prompt), *messages]
        # A schema, tools or a response format leave no place for a line of text.
        states = (
            self.confidence == "verbalised"
            and structured is None
            and not kwargs.get("tools")
            and kwargs.get("response_format") is None
        )
        if states:
            messages = with_instruction(messages, INSTRUCTION)
        parent = run_manager if self.trace_samples else None
        listener = run_manager if self._streams_through else None
        return Question(
            request,
            messages,
            self.stop if stop is None else stop,  # an empty list asks for none, whatever is set
            parent,
            self._pool,
            account=self._account(),
            states=states,
            listener=listener,
            live=self._live,
        )

    @property
    def _live(self) -> dict[str, Hear]:
        """Who hears the tokens of the replies that are the answer whatever they say, by label."""
        if (hear := hearer()) is None:
            return {}
        is_sure = self._is_one and not self._policy.has_threshold
        return dict.fromkeys([*self._bigger, *(self._members if is_sure else ())], hear)

    def _result(self, message: AIMessage, result: Result[Reply]) -> ChatResult:
        info = result.reply.generation_info if result.reply else None
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])

    def _message(
        self,
        result: Result[Reply],
        question: Question,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
    ) -> AIMessage:
        winner = result.reply.message if result.reply else AIMessage(self.abstain_with)
        name = winner.response_metadata.get("model_name") or winner.response_metadata.get("model")
        speaker = self._bigger_name if result.bigger else result.decision.winner.model
        if not self.trace_samples and len({s.draw.model for s in result.decision.samples}) > 1:
            name = "+".join(self._members)  # the usage is that of several models, and booked under none of theirs
        alone = self._is_one  # of several, one sample may decide while another that was begun is paid for
        message = final_message(
            winner,
            self._record(result, question),
            # Alone as its member: a reply whose model has no name is counted under none.
            model_name=name if isinstance(name, str) and name else None if self._is_one else str(speaker),
            message_id=_id_of(winner, run_manager, alone=alone),
            additional={} if alone else parser_fields(winner),
            alone=alone,
            written=[] if alone or not result.reply else question.calls_in(result.reply),
        )
        # Traced samples carry their own usage: on the mux's run as well it would be counted twice.
        return message if self.trace_samples and run_manager else with_usage(message)

    # --- tools and schemas ----------------------------------------------------------------------------------------

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools to every member, each in its own way; the calls are voted on by name and arguments.

        Raises:
            MemberError: A member cannot bind them; names it.
        """
        bound = list(tools)
        member_calls = {label: MemberCall(m, m.model, m.kwargs) for label, m in self._callable_members.items()}
        bind_tools(member_calls, bound, tool_choice, kwargs)  # refuse now, not at the first call
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=bound, **choice, **kwargs)

    @override
    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["function_calling", "json_mode", "json_schema"] | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable that gives the schema's value, voted on as canonical JSON.

        Each member asks in its own way (`method=None`: its own default) and parses its own reply; a sample whose reply
        does not parse abstains. Where the mux abstains (`abstain_below`) the value is `None`. Without a schema
        `method="json_mode"` takes whatever JSON the members write, where their classes can ask for it.

        Raises:
            MemberError: A member cannot do it; names it and gives its reason.
        """
        choices = {"method": method, "strict": strict}
        options = {**{k: v for k, v in choices.items() if v is not None}, **kwargs}
        derived = self.model_copy()
        derived._structured = structured = Structured.bind(self._callable_members, schema, options)
        if self._streams_through:
            return ask_through(derived, structured, next(iter(self._members.values())), include_raw=include_raw)
        trace_form = {"kwargs": {"method": method or "function_calling", "strict": strict}, "schema": schema}

        def parse(message: AIMessage) -> Any:
            record = message.response_metadata["slmmux"]
            result: dict[str, Any] = {"parsed": None, "parsing_error": None}
            if record["outcome"] != "abstained":
                escalated = record["outcome"] == "escalated"
                result = structured.parse(ESCALATION if escalated else record["model"], message)
            if include_raw:
                return {**result, "raw": message}
            if result["parsing_error"] is not None:
                raise result["parsing_error"]
            return result["parsed"]

        return derived.bind(ls_structured_output_format=trace_form) | RunnableLambda(parse)


def _id_of(
    winner: AIMessage, run: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None, *, alone: bool
) -> str | None:
    """Return the id of the message that leaves: its provider's if there is no other sample, else that of our run."""
    if alone and winner.id and not winner.id.startswith("lc_run-"):
        return winner.id
    return f"lc_run--{run.run_id}-0" if run else None


def _counted(generation: ChatGeneration) -> ChatGeneration:
    """Return a generation whose message has the tokens of the whole question."""
    message = generation.message
    counted = with_usage(message) if isinstance(message, AIMessage) else message
    return generation if counted is message else generation.model_copy(update={"message": counted})


def _as_json(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return call arguments with their tools as JSON: members get the tools themselves, traces and keys a copy."""
    return {**kwargs, "tools": [tool_form(tool) for tool in kwargs["tools"]]} if kwargs.get("tools") else kwargs


@contextmanager
def _streaming() -> Iterator[None]:
    token = _streamed.set(True)
    try:
        yield
    finally:
        _streamed.reset(token)
