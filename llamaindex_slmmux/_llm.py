"""SLMMuxLLM: a LlamaIndex LLM whose members are LLMs."""

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, cast

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.callbacks import CallbackManager
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection, default_completion_to_prompt
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools.types import BaseTool
from llama_index_instrumentation import get_dispatcher
from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    SkipValidation,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import override

from llamaindex_slmmux._members import Member, check_llm, make_members, own_name
from llamaindex_slmmux._messages import as_completion, chat_response
from llamaindex_slmmux._metadata import metadata_of, refuse_tools
from llamaindex_slmmux._question import Question
from llamaindex_slmmux._request import Chat, Completion, Reply, Request
from llamaindex_slmmux._structured import Structured
from llamaindex_slmmux._tools import Tools, selections
from slmmux import AbstainedError, ArgumentError, Pool, Race, answers
from slmmux._decision.labels import by_label
from slmmux._decision.pool import Slots
from slmmux._decision.race import Plan, Wait
from slmmux._decision.record import USAGE, record
from slmmux._decision.rules import RuleLike, WeightedRule
from slmmux._mux.agreement import Agreement, AgreementName, agreement_of
from slmmux._mux.engine import Flow, Limits, Spoken, arun, asking, recorded, run
from slmmux._mux.generation import longest_reply
from slmmux._mux.options import argument_error, label_models, member_options, no_bool, warn_if_unbounded, warn_unknown
from slmmux._mux.rule import ESCALATION, Ruled, own_embedding, plain_rule, rule_of_plain, ruled
from slmmux.config import Config

if TYPE_CHECKING:
    from slmmux import Selection

__all__ = ["SLMMuxLLM"]

S = TypeVar("S", bound=BaseModel)
T = TypeVar("T")

dispatcher = get_dispatcher(__name__)


class SLMMuxLLM(FunctionCallingLLM):
    """A LlamaIndex LLM that is really several small ones: the one that agrees most with itself answers.

    Each member is sampled k times in parallel, an answer is read out of every sample, and the reply of the member whose
    most frequent answer has the highest share of its k samples is returned (SLM-MUX, arXiv 2510.05077, Algorithm 1).

    Args:
        models: LLMs by label; or a list, labelled by the models' own names.
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
        escalate_to: With a fitted rule: a bigger LLM that is asked once...
        escalate_below: ...where the probability is below this, or where no member replied. Where it fails too, the mux
            answers itself. Before `abstain_below`.
        max_concurrency: Calls at once over the whole mux.
        timeout: Seconds a call may take before its votes are lost.
        deadline: Seconds until the best answer from what is in.
        budget: What one answer may cost: {"calls": 10}, never exceeded, or {"tokens": 2000}; of those each call in
            flight has its max_tokens set aside, so that it can overrun them by its prompt alone.
        trace_samples: Always true: a LlamaIndex LLM reports its own calls. Their events carry the tags `slmmux_member`
            and `slmmux_sample`, by which a handler can leave them out.
        system_prompt: Put in front of every request that has no system message.
        max_tokens: Set on copies of the members that have it.
        max_retries: Set on copies of the members that have it.
        stop: Stop sequences where the call gives none.

    Raises:
        ArgumentError: No members, k < 1, an unknown label, an accuracy outside 0..1, an unknown option.
        MemberError: A member that is not an LLM, or a temperature it does not take.
        NoAnswerError: At call time, when no member replied; carries every cause.

    A response's `raw` is a dict: `raw["slmmux"]` the record of the decision, `raw["usage"]` the whole cost.

    Example:
        >>> from llamaindex_slmmux.testing import ScriptedLLM
        >>> mux = SLMMuxLLM(
        ...     models={"sure": ScriptedLLM(script=["4"]), "unsure": ScriptedLLM(script=["4", "5"])}, samples=2
        ... )
        >>> response = mux.complete("2 + 2?")
        >>> response.text, response.raw["slmmux"]["model"]
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
    max_tokens: int | None = None
    max_retries: int | None = None
    stop: list[str] | None = None

    _members: dict[str, Member] = PrivateAttr(default_factory=dict)
    _bigger: dict[str, Member] = PrivateAttr(default_factory=dict)  # who is escalated to: one or none
    _agreement: Agreement = PrivateAttr()
    _ruled: Ruled = PrivateAttr()
    _pool: Pool = PrivateAttr()
    _slots: Slots = PrivateAttr()

    # --- construction -------------------------------------------------------------------------------------------

    if not TYPE_CHECKING:  # type checkers make the signature of the fields

        def __init__(self, **given: Any) -> None:
            warn_unknown("SLMMuxLLM", given, type(self).model_fields)
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
        labelled = label_models(models, own_name, what="LLM", example="OpenAILike(...)")
        for label, model in labelled.items():
            check_llm(label, model)
        return labelled

    _no_bool = field_validator("samples", mode="before")(no_bool)

    @field_validator("extract")
    @classmethod
    def _check_extract(cls, extract: str | Callable[[str], Any]) -> str | Callable[[str], Any]:
        answers.reader(extract)
        return extract

    _of_dump = field_validator("rule", mode="before")(rule_of_plain)

    @field_validator("trace_samples")
    @classmethod
    def _check_trace_samples(cls, trace_samples: bool) -> bool:
        if not trace_samples:
            raise ArgumentError(
                "trace_samples=False cannot be had here: a LlamaIndex LLM reports its own calls; leave it out, and let "
                "your handler pass over events whose tags have 'slmmux_member'"
            )
        return trace_samples

    @model_validator(mode="after")
    def _prepare(self) -> Self:
        self._make_members()
        self._agreement = agreement_of(self.agreement, own_embedding(self), self.tau)
        self._pool = Pool(self.max_concurrency)
        self._slots = Slots(self.max_concurrency)
        return self

    def _make_members(self) -> None:
        options = member_options(self, self._given)
        members = make_members(
            self._given, samples=options.samples, temperature=options.temperature, settings=options.settings
        )
        self._members = {label: members[label] for label in options.rank}
        bigger = {} if self.escalate_to is None else {ESCALATION: self.escalate_to}
        self._bigger = make_members(bigger, samples={ESCALATION: 1}, temperature={}, settings={})
        self._ruled = ruled(self, options.rank, explicit="wait" in self.model_fields_set)
        warn_if_unbounded(self.budget, {label: longest_reply(member.llm) for label, member in members.items()})

    @property
    def _given(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.models)  # labelled when it was validated

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an option, as LlamaIndex's users do; what depends on it follows, and what cannot be is refused."""
        if name in _OPTIONS:
            self._take({name: value})
        else:
            super().__setattr__(name, value)

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        options = {name: value for name, value in (update or {}).items() if name in _OPTIONS}
        others = {name: value for name, value in (update or {}).items() if name not in _OPTIONS}
        copied = super().model_copy(update=others, deep=deep)
        if options:
            copied._take(options)
        return copied

    def _take(self, options: dict[str, Any]) -> None:
        """Take options from a mux made with them, so that they are checked as if they had been given at first."""
        if "models" not in options:
            self._ready()
        elif not self._members and isinstance(given := options["models"], dict) and set(given) == set(self._given):
            options = {**options, "models": {label: given[label] for label in self._given}}  # the rank it had
        kept = {name: getattr(self, name) for name in type(self).model_fields}
        if "wait" not in self.model_fields_set:
            del kept["wait"]  # a default stays one
        made = type(self)(**{**kept, **options})
        for name in options:
            super().__setattr__(name, getattr(made, name))
        self._members, self._agreement = made._members, made._agreement
        self._bigger, self._ruled = made._bigger, made._ruled
        if "max_concurrency" in options:  # calls under way hold places in the pool, which other options leave as it is
            self._pool, self._slots = made._pool, made._slots

    @classmethod
    def from_config(cls, source: str | Path | Config, **options: Any) -> Self:
        """Return the mux a `mux.toml` describes; `options` are this class's own arguments and come first.

        Raises:
            ConfigError: The file cannot be read; names the line.
        """
        # Imported here: they bring the provider's package and the local models with them.
        from llamaindex_slmmux._from_config import member  # noqa: PLC0415
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
            models: LLMs by the labels they were profiled under; those of the whole pool will do.
            size: Serve the best subset of this size; `None`: the best of all.
            options: This class's own arguments, which come first.

        Raises:
            ArgumentError: A model that was chosen is not among `models`, or a size that was not looked at.

        What is served otherwise than it was profiled is warned of.
        """
        # Imported here: the offline half brings numpy with it.
        from slmmux._mux.from_selection import selected_arguments  # noqa: PLC0415

        return cls(**selected_arguments(selection, models, size, options))

    # --- what leaves: never a member, since its key would leave with it -------------------------------------------

    @model_serializer(mode="wrap")
    @override
    def custom_model_dump(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        """Return the options and the members' labels; `from_dict(data, llms=...)` makes a mux of them again."""
        data: dict[str, Any] = handler(self)
        return {
            **data,
            "extract": self.extract if isinstance(self.extract, str) else None,
            "rule": plain_rule(self.rule),
            "wait": self._ruled.wait,
            "members": list(self._given),
            "class_name": self.class_name(),
        }

    @classmethod
    @override
    def from_dict(cls, data: dict[str, Any], llms: Any = None, **kwargs: Any) -> Self:
        """Return the mux of a dump, with its LLMs given anew.

        Args:
            data: What `to_dict` returned.
            llms: The LLMs, by the labels they had; or a list, labelled by their own names.
            kwargs: Options that come before the dump's.

        Raises:
            ArgumentError: The LLMs do not fit the dump, or it had a callable extractor and none is given.
        """
        options = {**data, **kwargs}
        options.pop("class_name", None)
        if "members" not in options:
            raise ArgumentError("this is no dump of a SLMMuxLLM: it names no members; pass what to_dict() returned")
        labels = options.pop("members")
        if llms is None:
            raise ArgumentError(f"a dump holds no LLMs, nor their keys; pass llms={{label: LLM}} for {_listed(labels)}")
        models = label_models(llms, own_name, what="LLM", example="OpenAILike(...)")
        if set(models) != set(labels):
            raise ArgumentError(f"the dump is of a mux of {_listed(labels)}, found llms for {_listed(models)}")
        if options.get("extract") is None:
            raise ArgumentError("the dump is of a mux with a callable extractor, which it cannot hold; pass extract=")
        return cls(**{**options, "models": {label: models[label] for label in labels}})

    def __getstate__(self) -> dict[str, Any]:
        """Return the dump: a pickle holds no members either, nor anything bound to this process."""
        return {"options": self.to_dict(), "extract": self.extract}

    def __setstate__(self, state: dict[str, Any]) -> None:
        options = {name: value for name, value in state["options"].items() if name in type(self).model_fields}
        options |= {"extract": state["extract"], "models": dict.fromkeys(state["options"]["members"])}
        blank = type(self).model_construct(**options)
        for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
            object.__setattr__(self, name, getattr(blank, name))
        self._pool, self._slots = Pool(self.max_concurrency), Slots(self.max_concurrency)

    def __repr__(self) -> str:
        k = self.k
        return f"SLMMuxLLM({', '.join(f'{label} x {k[label]}' for label in self._members or self._given)})"

    __str__ = __repr__

    # --- what LlamaIndex asks an LLM about itself -----------------------------------------------------------------

    @classmethod
    @override
    def class_name(cls) -> str:
        return "SLMMuxLLM"

    @property
    @override
    def metadata(self) -> LLMMetadata:
        return metadata_of(self._ready())

    @property
    def k(self) -> dict[str, int]:
        """The samples of each member, by label in rank order."""
        return by_label("samples", self.samples, self._members or self._given)

    # --- asking ---------------------------------------------------------------------------------------------------
    # Streams are decided before they begin: who speaks is known only then, and the samples' spans belong to the call.
    # Completions go the way of chats below the callbacks: a decorated chat would report a second event.

    @llm_chat_callback()
    @override
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self._responded(self._chat(messages, kwargs))

    @llm_chat_callback()
    @override
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return await self._aresponded(self._chat(messages, kwargs))

    @llm_chat_callback()
    @override
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        return _one(self._responded(self._chat(messages, kwargs)))

    @llm_chat_callback()
    @override
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        return _aone(await self._aresponded(self._chat(messages, kwargs)))

    @llm_completion_callback()
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return as_completion(self._responded(self._completion(prompt, formatted, kwargs)))

    @llm_completion_callback()
    @override
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return as_completion(await self._aresponded(self._completion(prompt, formatted, kwargs)))

    @llm_completion_callback()
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        return _one(as_completion(self._responded(self._completion(prompt, formatted, kwargs))))

    @llm_completion_callback()
    @override
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        return _aone(as_completion(await self._aresponded(self._completion(prompt, formatted, kwargs))))

    def _chat(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> Chat:
        return Chat(messages, self._passed(kwargs), self.extract, self.system_prompt)

    def _completion(self, prompt: str, formatted: bool, kwargs: dict[str, Any]) -> Completion:
        put = self.completion_to_prompt
        if put is not None and put is not default_completion_to_prompt and not formatted:
            prompt, formatted = put(prompt), True  # in the mux's form, so not in the member's as well
        return Completion.of(prompt, self._passed(kwargs), self.extract, self.system_prompt, formatted=formatted)

    @override
    def _extend_messages(self, messages: list[ChatMessage]) -> list[ChatMessage]:
        """Leave the messages as they are: a chat puts the system prompt in front, and only where there is none."""
        return messages

    def _passed(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return {"stop": self.stop, **kwargs} if self.stop else kwargs

    def _responded(self, request: Request) -> ChatResponse:
        return self._decide(request)[0]

    async def _aresponded(self, request: Request) -> ChatResponse:
        return (await self._adecide(request))[0]

    def _decide(self, request: Request) -> tuple[ChatResponse, Reply | None]:
        """Return the response, and the reply it is made of; none where the mux abstains."""
        question = self._question(request)
        rule = self._ruled.at(self.k, question.text)
        spoken = run(self._flow(question, rule), question.sampling, self._limits(question), self._pool)
        return self._response(spoken, question)

    async def _adecide(self, request: Request) -> tuple[ChatResponse, Reply | None]:
        question = self._question(request)
        flow = self._flow(question, await self._ruled.aat(self.k, question.text))
        spoken = await arun(flow, question.sampling, self._limits(question), self._slots.here())
        return self._response(spoken, question)

    def _question(self, request: Request) -> Question:
        manager = self.callback_manager if isinstance(self.callback_manager, CallbackManager) else CallbackManager([])
        return Question(request, {**self._ready(), **self._bigger}, manager, self._pool)

    def _flow(self, question: Question, rule: WeightedRule | None) -> Flow[Reply]:
        read = question.request.read
        race = Race(self.k, read, plan=self.plan, wait=self._ruled.wait, group=self._agreement.group, rule=rule)
        return asking(race, self._ruled, Race({ESCALATION: 1}, read) if self._bigger else None)

    def _limits(self, question: Question) -> Limits:
        return Limits(self._agreement.compare, self.timeout, self.deadline, question.budget(self.budget))

    def _response(self, spoken: Spoken[Reply], question: Question) -> tuple[ChatResponse, Reply | None]:
        made = record(
            spoken.decision,
            plan=self.plan,
            extractor=question.request.extractor,
            usage=question.usage,
            equality=self._agreement.name,
            rule=self._ruled.name,
        )
        bigger = own_name(ESCALATION, self.escalate_to) if self._bigger else None
        cost: Mapping[str, int] = spoken.bigger.reply.usage if spoken.bigger else dict.fromkeys(USAGE, 0)
        said, calls = (spoken.reply.response, spoken.reply.calls) if spoken.reply else (self._abstention(), ())
        return chat_response(said, calls, recorded(spoken, made, bigger, cost)), spoken.reply

    def _abstention(self) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=self.abstain_with))

    def _ready(self) -> dict[str, Member]:
        if not self._members:
            self._refuse_without_members()
        return self._members

    def _refuse_without_members(self) -> NoReturn:
        raise ArgumentError(
            "this mux comes out of a pickle, which holds no LLMs, nor their keys; make it whole with "
            f"mux.models = {{label: LLM}} for {_listed(self._given)}"
        )

    # --- tools ----------------------------------------------------------------------------------------------------

    @override
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return the arguments of a chat whose members bind the tools each in its own way.

        Raises:
            MemberError: A member calls no functions; names it.
        """
        refuse_tools({**self._ready(), **self._bigger}, "tools cannot be bound to this mux")
        messages = list(chat_history or [])
        if user_msg:
            messages.append(
                ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg
            )
        return {
            "messages": messages,
            "tools": Tools(tools),
            "allow_parallel_tool_calls": allow_parallel_tool_calls,
            "tool_required": tool_required,
            "verbose": verbose,
            **kwargs,
        }

    @override
    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Return the winner's tool calls.

        Raises:
            ValueError: There are none, unless `error_on_no_tool_call` is false.
        """
        calls = selections(response)
        if not calls and error_on_no_tool_call:
            raise ValueError("expected at least one tool call, but the winner made none")
        return calls

    # --- schemas --------------------------------------------------------------------------------------------------

    @override
    def structured_predict(
        self,
        output_cls: type[S],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> S:
        """Return the schema's value, voted on as canonical JSON.

        Each member asks in its own way and parses its own reply; a sample whose reply does not parse abstains.

        Raises:
            NoAnswerError: No member replied.
            AbstainedError: The answer's probability is below `abstain_below`.
            Exception: Replies came and none could be parsed: what the best-ranked member's own parser raised.
        """
        request = self._structured(output_cls, prompt, llm_kwargs, prompt_args)
        spoken: list[Reply | None] = []

        @llm_chat_callback()
        def chat(_self: Self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:  # noqa: ARG001
            response, reply = self._decide(request)
            spoken.append(reply)
            return response

        return _value(chat(self, request.messages), spoken[0], output_cls)

    @override
    async def astructured_predict(
        self,
        output_cls: type[S],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> S:
        request = self._structured(output_cls, prompt, llm_kwargs, prompt_args)
        spoken: list[Reply | None] = []

        @llm_chat_callback()
        async def achat(_self: Self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:  # noqa: ARG001
            response, reply = await self._adecide(request)
            spoken.append(reply)
            return response

        return _value(await achat(self, request.messages), spoken[0], output_cls)

    @override
    def stream_structured_predict(
        self,
        output_cls: type[S],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        """Stream the schema's value: whole, since it is known only when it is decided."""
        value = self.structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        dispatcher.event(LLMStructuredPredictInProgressEvent(output=value))
        return _one(value)

    @override
    async def astream_structured_predict(
        self,
        output_cls: type[S],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        value = await self.astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        dispatcher.event(LLMStructuredPredictInProgressEvent(output=value))
        return _aone(value)

    def _structured(
        self,
        output_cls: type[BaseModel],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None,
        prompt_args: dict[str, Any],
    ) -> Structured:
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        return Structured(output_cls, prompt, self._passed(llm_kwargs or {}), prompt_args, self.system_prompt)


def _value(response: ChatResponse, reply: Reply | None, output_cls: type[S]) -> S:
    if reply is None:
        raise AbstainedError(cast("dict[str, Any]", response.raw)["slmmux"])
    if reply.value is None:
        raise reply.fault or ValueError(f"no reply could be read as a {output_cls.__name__}")
    dispatcher.event(LLMStructuredPredictEndEvent(output=reply.value))
    return cast("S", reply.value)


def _one(item: T) -> Generator[T, None, None]:
    yield item


async def _aone(item: T) -> AsyncGenerator[T, None]:
    yield item


def _listed(labels: Any) -> str:
    return ", ".join(map(repr, labels))


_OPTIONS = set(SLMMuxLLM.model_fields) - set(FunctionCallingLLM.model_fields)
