"""SLMMuxChatModel: a LangChain chat model whose members are chat models."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import get_config_list
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr, SecretStr, SkipValidation, ValidationError, field_validator, model_validator
from typing_extensions import override

from langchain_slmmux._handover import Handover
from langchain_slmmux._members import Member, code_identity, make_members, own_name, unwrap
from langchain_slmmux._messages import as_chunk, final_message, with_usage
from langchain_slmmux._question import Question
from langchain_slmmux._request import TOOL_OPTIONS, Request, bind_tools
from langchain_slmmux._sampling import Reply
from langchain_slmmux._structured import Structured, kept
from slmmux import Pool, Race, answers
from slmmux._decision.labels import by_label
from slmmux._decision.pool import Slots
from slmmux._decision.race import Plan, Wait
from slmmux._decision.record import USAGE, record
from slmmux._decision.rules import RuleLike, WeightedRule
from slmmux._mux.agreement import Agreement, AgreementName, agreement_of
from slmmux._mux.engine import Flow, Limits, Spoken, arun, asking, recorded, run
from slmmux._mux.generation import longest_reply
from slmmux._mux.options import argument_error, label_models, member_options, no_bool, warn_if_unbounded, warn_unknown
from slmmux._mux.rule import ESCALATION, Ruled, own_embedding, ruled
from slmmux._mux.secrets import secrets_of, strike
from slmmux.config import Config

if TYPE_CHECKING:
    from slmmux import Selection

__all__ = ["SLMMuxChatModel"]

Configs: TypeAlias = RunnableConfig | list[RunnableConfig] | None

# Set while stream() or astream() waits for its one chunk: then every handler is owed a token, not only those that
# declare themselves streaming.
_streamed: ContextVar[bool] = ContextVar("slmmux_streamed", default=False)

# Where astream() takes the message over while the run is still open: an event stream drops what comes after its end.
_handover: ContextVar["Handover | None"] = ContextVar("slmmux_handover", default=None)


class SLMMuxChatModel(BaseChatModel):
    """A chat model that is really several small ones: the one that agrees most with itself answers.

    Each member is sampled k times in parallel, an answer is read out of every sample, and the reply of the member whose
    most frequent answer has the highest share of its k samples is returned (SLM-MUX, arXiv 2510.05077, Algorithm 1).

    Args:
        models: Chat models, or bindings of them, by label; or a list, labelled by the models' own names.
        samples: k, the samples a member; one number or {label: k}.
        temperature: `None` leaves the members' own; a number or {label: number} is set on copies of them.
        extract: An extractor's name ("auto", "boxed", "number", "choice", "json", "code", "text"),
            `answers.regex(...)`, `answers.first_of(...)`, or a callable: text -> answer, or `None` where there is none.
        agreement: When two answers of a member agree: "canonical" by their canonical form; "math" also as mathematics
            (extra `math`); "embedding" where the replies' vectors are alike, for prose and code.
        embedding: For agreement="embedding", and for a rule by question fitted on embeddings: a LangChain
            `Embeddings`, a LlamaIndex `BaseEmbedding`, or a function: text -> vector.
        tau: For agreement="embedding": the least cosine similarity of answers that agree.
        accuracies: Validation accuracy by label, 0 to 1: the tie-break. Without it the given order is the rank.
        plan: "parallel" asks everything at once; "cascade" the best-ranked member first and the next only while the
            outcome is open; "adaptive" one sample after another, while the outcome is open. None of them changes
            (model, answer). "first_round", the paper's stop, can: where each member's first sample gives one answer,
            that is the answer.
        wait: "settled" answers once no outstanding sample can change (model, answer); "exhausted" waits for all, which
            gives the exact confidence. A fitted rule waits for all where nothing is said, and thresholds always do.
        rule: What decides among the answers: "self-consistency", Algorithm 1; "pooled", one vote of all samples (Agent
            Forest); or one fitted on a recording, which `from_selection` brings along.
        abstain_below: With a fitted rule: below this probability of being right no answer is given.
        abstain_with: The text that is returned instead.
        escalate_to: With a fitted rule: a bigger chat model, or a binding of one, that is asked once...
        escalate_below: ...where the probability is below this, or where no member replied. Where it fails too, the mux
            answers itself. Before `abstain_below`.
        max_concurrency: Calls at once over the whole mux, batches included.
        timeout: Seconds a call may take before its votes are lost.
        deadline: Seconds until the best answer from what is in.
        budget: What one answer may cost: {"calls": 10}, never exceeded, or {"tokens": 2000}; of those each call in
            flight has its max_tokens set aside, so that it can overrun them by its prompt alone.
        trace_samples: Whether each sample is a run of its own below the mux's.
        system_prompt: Put in front of every request that has no system message.
        max_tokens: Set on copies of the members that have it.
        max_retries: Set on copies of the members that have it.
        stop: Stop sequences where the call gives none.

    Raises:
        ArgumentError: No members, k < 1, an unknown label, an accuracy outside 0..1, an unknown option.
        MemberError: A member that is not a chat model, or a temperature it does not take.
        NoAnswerError: At call time, when no member replied; carries every cause.

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

    models: dict[str, Any] | list[Any] = Field(exclude=True, repr=False)
    samples: int | dict[str, int] = 3
    temperature: float | dict[str, float] | None = None
    extract: str | Callable[[str], Any] = Field(default="auto", exclude=True, repr=False)
    agreement: AgreementName = "canonical"
    embedding: Any = Field(default=None, exclude=True, repr=False)
    tau: float = 0.9
    accuracies: dict[str, float] | None = None
    plan: Plan = "parallel"
    wait: Wait = "settled"
    rule: SkipValidation[RuleLike] = Field(default="self-consistency", exclude=True, repr=False)
    abstain_below: float | None = None
    abstain_with: str = "I do not know."
    escalate_to: Any = Field(default=None, exclude=True, repr=False)
    escalate_below: float | None = None
    max_concurrency: int = 64
    timeout: float | None = None
    deadline: float | None = None
    budget: dict[str, int] | None = None
    trace_samples: bool = True
    system_prompt: str | None = None
    max_tokens: int | None = None
    max_retries: int | None = None
    stop: list[str] | None = None
    streaming: bool | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True, repr=False)

    _members: dict[str, Member] = PrivateAttr(default_factory=dict)
    _structured: Structured | None = PrivateAttr(default=None)
    _bigger: dict[str, Member] = PrivateAttr(default_factory=dict)  # who is escalated to: one or none
    _agreement: Agreement = PrivateAttr()
    _ruled: Ruled = PrivateAttr()
    _pool: Pool = PrivateAttr()
    _slots: Slots = PrivateAttr()

    # --- construction -------------------------------------------------------------------------------------------

    if not TYPE_CHECKING:  # type checkers make the signature of the fields

        def __init__(self, **given: Any) -> None:
            fields = type(self).model_fields
            warn_unknown(
                "SLMMuxChatModel", given, {*fields, *(field.alias for field in fields.values() if field.alias)}
            )
            fault = None
            try:
                super().__init__(**{"models": {}, **given})
            except ValidationError as error:
                fault = argument_error(error)
            if fault is not None:  # raised out here, or it would carry the error that quotes what was passed
                raise fault

    @field_validator("models", mode="before")
    @classmethod
    def _label(cls, models: Any) -> dict[str, Any]:
        labelled = label_models(models, own_name, what="chat model", example="ChatOpenAI(...)")
        for label, model in labelled.items():
            unwrap(label, model)
        return labelled

    _no_bool = field_validator("samples", mode="before")(no_bool)

    @field_validator("extract")
    @classmethod
    def _check_extract(cls, extract: str | Callable[[str], Any]) -> str | Callable[[str], Any]:
        answers.reader(extract)
        return extract

    @model_validator(mode="after")
    def _prepare(self) -> Self:
        self._make_members()
        return self

    def _make_members(self) -> None:
        options = member_options(self, self._given)
        members = make_members(
            self._given, samples=options.samples, temperature=options.temperature, settings=options.settings
        )
        self._members = {label: members[label] for label in options.rank}
        warn_if_unbounded(self.budget, {label: longest_reply(m.model, m.kwargs) for label, m in members.items()})
        bigger = {} if self.escalate_to is None else {ESCALATION: self.escalate_to}
        self._bigger = make_members(bigger, samples={ESCALATION: 1}, temperature={}, settings={})
        self._agreement = agreement_of(self.agreement, own_embedding(self), self.tau)
        self._ruled = ruled(self, options.rank, explicit="wait" in self.model_fields_set)
        self._pool = Pool(self.max_concurrency)
        self._slots = Slots(self.max_concurrency)

    @property
    def _asked_members(self) -> dict[str, Member]:
        """Everyone who may be called."""
        return {**self._members, **self._bigger}

    @property
    def _given(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.models)  # labelled when it was validated

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copied = super().model_copy(update=dict(update or {}), deep=deep)
        if update and not set(update) <= {"cache", "disable_streaming", "callbacks", "tags", "metadata", "verbose"}:
            copied._make_members()
        return copied

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
            "wait": self._ruled.wait,
            "rule": self._ruled.identity,
            "abstain": [self.abstain_below, self.abstain_with],
            "escalate": [self.escalate_below, *(member.identity for member in self._bigger.values())],
            "deadline": self.deadline,
            "budget": self.budget,
            "system_prompt": self.system_prompt,
        }

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        schema = self._structured.identity if self._structured else None
        key = {"slmmux": self._identifying_params, "stop": stop or self.stop, "schema": schema}
        key["kwargs"] = strike(kwargs, secrets_of(kwargs))
        return json.dumps(key, sort_keys=True, ensure_ascii=False, default=code_identity)

    @override
    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        params = super()._get_invocation_params(stop=stop, **kwargs)
        return cast("dict[str, Any]", strike(params, secrets_of(kwargs)))

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        name = kwargs.get("model") or "+".join(self._given)  # a call that names a model is refused under that name
        params = LangSmithParams(ls_provider="slmmux", ls_model_type="chat", ls_model_name=name)
        if stop:
            params["ls_stop"] = stop
        return params

    @override
    def _resolve_model_profile(self) -> ModelProfile | None:
        """Return what every member can do: flags that all have, the least of the limits."""
        profiles = [unwrap(label, model)[0].profile for label, model in self._given.items()]
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
        """Return the most tokens any member counts in a text: what fits for all."""
        return self._most(lambda model: model.get_num_tokens(text))

    @override
    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Return the most tokens any member counts in messages."""
        return self._most(lambda model: model.get_num_tokens_from_messages(messages, tools))

    def _most(self, count: Callable[[BaseChatModel], int]) -> int:
        counts: list[int] = []
        faults: list[Exception] = []
        for member in self._members.values():
            try:
                counts.append(count(member.model))
            except Exception as error:  # noqa: BLE001 - a member without a tokenizer does not silence the others
                faults.append(error)
        if not counts:
            raise faults[0]
        return max(counts)

    def __repr__(self) -> str:
        k = self.k
        return f"SLMMuxChatModel({', '.join(f'{label} x {k[label]}' for label in self._members)})"

    __str__ = __repr__

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
        return with_usage(super().invoke(input, config, stop=stop, **kwargs))

    @override
    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        return with_usage(await super().ainvoke(input, config, stop=stop, **kwargs))

    @override
    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Stream the winner as one chunk: who speaks is known only when it is decided.

        `_stream` is not implemented on purpose: it gets no run manager, so its samples could not be traced.
        """
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
        handover = Handover()
        with _streaming():
            token = _handover.set(handover)
            whole = asyncio.ensure_future(self.ainvoke(input, config, stop=stop, **kwargs))
            _handover.reset(token)
        try:
            message = await handover.message(whole)
            # Nothing was handed over where a cache had it: no sample was drawn.
            yield as_chunk(with_usage(message) if message is not None else await whole)
            handover.taken.set()
            await whole
        finally:
            if not handover.taken.is_set():  # broken off: what is decided ends as decided, the rest is cancelled
                handover.taken.set()
                if not handover.given:
                    whole.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await whole

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
            mux._pool, mux._slots = Pool(limit), Slots(limit)
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
            async for done in super(SLMMuxChatModel, mux).abatch_as_completed(inputs, configs, **kwargs):
                yield done

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        question = self._question(messages, stop, run_manager, kwargs)
        rule = self._ruled.at(self.k, question.text)
        spoken = run(self._flow(question, rule), question.sampling, self._limits(question), self._pool)
        message = self._message(spoken, question, run_manager)
        if run_manager is not None and _wants_tokens(run_manager):
            run_manager.on_llm_new_token(str(message.text), chunk=ChatGenerationChunk(message=as_chunk(message)))
        return ChatResult(generations=[ChatGeneration(message=message)])

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
            rule = await self._ruled.aat(self.k, question.text)
            flow = self._flow(question, rule)
            spoken = await arun(flow, question.sampling, self._limits(question), self._slots.here())
        except asyncio.CancelledError as error:
            if run_manager is not None:
                await run_manager.on_llm_error(error)  # agenerate() leaves a cancelled run open
            raise
        message = self._message(spoken, question, run_manager)
        if run_manager is not None and _wants_tokens(run_manager):
            await run_manager.on_llm_new_token(str(message.text), chunk=ChatGenerationChunk(message=as_chunk(message)))
        if (handover := _handover.get()) is not None:
            await handover.give(message)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream_chat_model_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """Give the v3 event stream its source: the decided message as one lifecycle."""
        message = self._generate(messages, stop, run_manager, **kwargs).generations[0].message
        yield from _to_events(message)

    async def _astream_chat_model_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        result = await self._agenerate(messages, stop, run_manager, **kwargs)
        for event in _to_events(result.generations[0].message):
            yield event

    def _question(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
        kwargs: dict[str, Any],
    ) -> Question:
        request = Request.build(self._asked_members, kwargs, self.extract, self._structured)
        if self.system_prompt and not any(isinstance(m, SystemMessage) for m in messages):
            messages = [SystemMessage(self.system_prompt), *messages]
        parent = run_manager if self.trace_samples else None
        return Question(request, messages, stop or self.stop, parent, self._pool)

    def _flow(self, question: Question, rule: WeightedRule | None) -> Flow[Reply]:
        read = question.request.read
        race = Race(self.k, read, plan=self.plan, wait=self._ruled.wait, group=self._agreement.group, rule=rule)
        return asking(race, self._ruled, Race({ESCALATION: 1}, read) if self._bigger else None)

    def _limits(self, question: Question) -> Limits:
        return Limits(self._agreement.compare, self.timeout, self.deadline, question.budget(self.budget))

    def _message(
        self,
        spoken: Spoken[Reply],
        question: Question,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
    ) -> AIMessage:
        made = record(
            spoken.decision,
            plan=self.plan,
            extractor=question.request.extractor,
            usage=question.usage,
            equality=self._agreement.name,
            rule=self._ruled.name,
        )
        bigger = own_name(ESCALATION, self.escalate_to) if self._bigger else None
        winner = spoken.reply.message if spoken.reply else AIMessage(self.abstain_with)
        name = winner.response_metadata.get("model_name") or winner.response_metadata.get("model")
        speaks = bigger if spoken.bigger else spoken.decision.winner.model
        message = final_message(
            winner,
            recorded(spoken, made, bigger, spoken.bigger.reply.usage if spoken.bigger else dict.fromkeys(USAGE, 0)),
            model_name=name if isinstance(name, str) and name else str(speaks),
            message_id=f"lc_run--{run_manager.run_id}" if run_manager else None,
            additional=kept(winner) if self._structured else {},
        )
        # Traced samples carry their own usage: on the mux's run as well it would be counted twice.
        return message if self.trace_samples and run_manager else with_usage(message)

    @property
    def k(self) -> dict[str, int]:
        """The samples of each member, by label in rank order."""
        return by_label("samples", self.samples, self._members)

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
        dicts = [convert_to_openai_tool(tool) for tool in tools]
        options: dict[str, Any] = {k: kwargs[k] for k in TOOL_OPTIONS if k in kwargs}
        bind_tools(self._asked_members, dicts, tool_choice, options)  # refuse now, not at the first call
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=dicts, **choice, **kwargs)

    @override
    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Literal["function_calling", "json_mode", "json_schema"] | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable that gives the schema's value, voted on as canonical JSON.

        Each member asks in its own way (`method=None`: its own default) and parses its own reply; a sample whose reply
        does not parse abstains. Where the mux abstains (`abstain_below`) the value is `None`.

        Raises:
            MemberError: A member cannot do it; names it and gives its reason.
        """
        given = {"method": method, "strict": strict}
        options = {**{k: v for k, v in given.items() if v is not None}, **kwargs}
        derived = self.model_copy()
        derived._structured = structured = Structured.bind(self._asked_members, schema, options)
        shown = {"kwargs": {"method": method or "function_calling", "strict": strict}, "schema": schema}

        def parse(message: AIMessage) -> Any:
            made = message.response_metadata["slmmux"]
            result: dict[str, Any] = {"parsed": None, "parsing_error": None}
            if made["outcome"] != "abstained":
                escalated = made["outcome"] == "escalated"
                result = structured.parse(ESCALATION if escalated else made["model"], message)
            if include_raw:
                return {**result, "raw": message}
            if result["parsing_error"] is not None:
                raise result["parsing_error"]
            return result["parsed"]

        return derived.bind(ls_structured_output_format=shown) | RunnableLambda(parse)

    @classmethod
    def from_config(cls, source: str | Path | Config, **options: Any) -> Self:
        """Return the mux a `mux.toml` describes; `options` are this class's own arguments and come first.

        Raises:
            ConfigError: The file cannot be read; names the line.
        """
        # Imported here: they bring the provider's package and the local models with them.
        from langchain_slmmux._from_config import member  # noqa: PLC0415
        from slmmux._mux.from_config import arguments  # noqa: PLC0415

        return cls(**{**arguments(source, member), **options})

    @classmethod
    def from_selection(
        cls,
        selection: "Selection | str | PathLike[str]",
        models: Mapping[str, Any],
        *,
        size: int | None = None,
        **options: Any,
    ) -> Self:
        """Return the mux that `select_complementary()` chose: its models, k, rank, rule, extractor and instruction.

        Args:
            selection: A selection, or the path of a saved one.
            models: Chat models by the labels they were profiled under; those of the whole pool will do.
            size: Serve the best subset of this size; `None`: the best of all.
            options: This class's own arguments, which come first.

        Raises:
            ArgumentError: A model that was chosen is not among `models`, or a size that was not looked at.

        What is served otherwise than it was profiled is warned of.
        """
        # Imported here: the offline half brings numpy with it.
        from slmmux._mux.from_selection import selected_arguments  # noqa: PLC0415

        return cls(**selected_arguments(selection, models, size, options))


@contextmanager
def _streaming() -> Iterator[None]:
    token = _streamed.set(True)
    try:
        yield
    finally:
        _streamed.reset(token)


def _wants_tokens(run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun) -> bool:
    # LangChain's own mark of a streaming handler is a private protocol with this method.
    return _streamed.get() or any(hasattr(h, "tap_output_iter") for h in run_manager.handlers)


def _to_events(message: BaseMessage) -> Iterator[Any]:
    # Private in langchain-core, and the only way to give the v3 protocol a message that was never streamed.
    from langchain_core.language_models._compat_bridge import message_to_events  # noqa: PLC0415

    yield from message_to_events(message, message_id=message.id)
