"""SLMMuxLLM: a LlamaIndex LLM whose members are LLMs."""

import logging
import pickle
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

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
from llama_index.core.prompts import BasePromptTemplate, PromptTemplate
from llama_index.core.tools.types import BaseTool
from llama_index.core.types import TokenAsyncGen, TokenGen
from llama_index_instrumentation import get_dispatcher
from pydantic import (
    BaseModel,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)
from typing_extensions import override

from llamaindex_slmmux._hidden import hiding_secrets, revealed
from llamaindex_slmmux._members import Member, check_llm, check_settings, identity_of, make_members, own_name
from llamaindex_slmmux._messages import as_chat, as_chunk, as_completion, chat_response
from llamaindex_slmmux._metadata import metadata_of, refuse_tools
from llamaindex_slmmux._predicted import predicted, predicting
from llamaindex_slmmux._progress import progress
from llamaindex_slmmux._question import Question
from llamaindex_slmmux._request import Chat, Completion, Reply, Request
from llamaindex_slmmux._sampling import new_to_handlers
from llamaindex_slmmux._structured import Structured
from llamaindex_slmmux._through import (
    Response,
    aconverted,
    athrough,
    avalues_through,
    converted,
    through,
    values_through,
)
from llamaindex_slmmux._tools import LiveTools, selections
from slmmux import AbstainedError, ArgumentError, NoAnswerError
from slmmux._mux.base import Mux
from slmmux._mux.engine import Result
from slmmux._mux.options import label_models
from slmmux._mux.rule import ESCALATION, plain_rule, rule_of_plain
from slmmux._mux.scoring.confidence import CONSISTENCY
from slmmux._mux.settings import refuse_at_call_time
from slmmux._mux.usage import Account

if TYPE_CHECKING:
    from slmmux._mux.from_config import Endpoint

__all__ = ["SLMMuxLLM"]

S = TypeVar("S", bound=BaseModel)
T = TypeVar("T")

dispatcher = get_dispatcher(__name__)
_log = logging.getLogger("slmmux")


class SLMMuxLLM(Mux, FunctionCallingLLM, defer_build=False):
    """A LlamaIndex LLM that is really several small ones: the one that agrees most with itself answers.

    Each member is sampled k times in parallel, an answer is read out of every sample, and the reply of the member whose
    most frequent answer has the highest share of its k samples is returned (SLM-MUX, arXiv 2510.05077, Algorithm 1).

    Args:
        models: LLMs by label; or a list, labelled by the models' own names.
        options: The other options are the fields of this class, each documented below it; the same for both frameworks.

    Raises:
        ArgumentError: No members, k < 1, an unknown label, an accuracy outside 0..1, an unknown option.
        MemberError: A member that is not an LLM, or a temperature it does not take.
        NoAnswerError: At call time, if no member replied; carries every cause.

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

    trace_samples: bool = True
    """Always true: a LlamaIndex LLM reports its own calls. Their events carry the tags `slmmux_member` and
    `slmmux_sample`, by which a handler can leave them out."""

    _kind: ClassVar[str] = "LLM"
    _example: ClassVar[str] = "OpenAILike(...)"

    # --- what the mux has to know of an LLM -----------------------------------------------------------------------

    @classmethod
    @override
    def _own_name(cls, label: str, model: Any) -> str:
        return own_name(label, model)

    @classmethod
    @override
    def _check_member(cls, label: str, model: Any) -> None:
        check_llm(label, model)

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
        members = make_members(models, samples=samples, temperature=temperature, settings=settings)
        for member in members.values():
            member.alone = len(members) == 1
        return members

    @classmethod
    @override
    def _model_at(cls, endpoint: "Endpoint") -> Any:
        # Imported here because it brings the provider's package with it.
        from llamaindex_slmmux._from_config import member  # noqa: PLC0415

        return member(endpoint)

    @override
    def _plain_question(self, text: str) -> Question:
        request = self._completion(text, formatted=False, kwargs={})
        return Question(request, self._members, CallbackManager([]), self._pool, account=self._account())

    @override
    def _judge_question(self, prompt: str, account: Account) -> Question:
        request = Chat([ChatMessage(role=MessageRole.USER, content=prompt)], {}, "auto", None)
        return Question(request, self._callable_members, CallbackManager([]), self._pool, account=account)

    # --- construction ---------------------------------------------------------------------------------------------

    _rule_of_dump = field_validator("rule", mode="before")(rule_of_plain)

    @field_validator("trace_samples")
    @classmethod
    def _check_trace_samples(cls, trace_samples: bool) -> bool:
        if not trace_samples:
            raise ArgumentError(
                "trace_samples=False cannot be had here: a LlamaIndex LLM reports its own calls; leave it out, and let "
                "your handler pass over events whose tags have 'slmmux_member'"
            )
        return trace_samples

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
            **self._confidence_of_dump,
            "wait": self._policy.wait,
            "members": {label: identity_of(member) for label, member in self._members.items()},
            "class_name": self.class_name(),
        }

    @property
    def _confidence_of_dump(self) -> dict[str, Any]:
        """The confidence and the judge, if they are not the default; `None` stands for a function or a model."""
        if self.confidence == CONSISTENCY:
            return {}
        judge = {} if self.judge is None else {"judge": self.judge if isinstance(self.judge, str) else None}
        return {"confidence": self.confidence if isinstance(self.confidence, str) else None, **judge}

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
        labels = list(options.pop("members"))
        if llms is None:
            raise ArgumentError(
                f"a dump holds no LLMs, nor their keys; pass llms={{label: LLM}} for {_label_list(labels)}"
            )
        models = label_models(llms, own_name, what="LLM", example="OpenAILike(...)")
        if set(models) != set(labels):
            raise ArgumentError(
                f"the dump is of a mux of {_label_list(labels)}, received llms for {_label_list(models)}"
            )
        if options.get("extract") is None:
            raise ArgumentError("the dump is of a mux with a callable extractor, which it cannot hold; pass extract=")
        for name, what in (("confidence", "a function as its confidence"), ("judge", "a judge of its own")):
            if name in options and options[name] is None:
                raise ArgumentError(f"the dump is of a mux with {what}, which it cannot hold; pass {name}=")
        return cls(**{**options, "models": {label: models[label] for label in labels}})

    @override
    def _pickles(self, name: str) -> bool:
        """Leave out handlers that do not pickle, as LlamaIndex's own components do."""
        if name != "callback_manager":
            return True
        try:
            pickle.dumps(self.callback_manager)
        except Exception:  # noqa: BLE001 - whatever a handler of the user's raises
            _log.warning("the pickle of this mux leaves out its callback_manager, which cannot be pickled")
            return False
        return True

    # --- what LlamaIndex asks an LLM about itself -----------------------------------------------------------------

    @classmethod
    @override
    def class_name(cls) -> str:
        return "SLMMuxLLM"

    @property
    @override
    def metadata(self) -> LLMMetadata:
        return metadata_of(self._members)

    # --- prompts, formed by each member itself -------------------------------------------------------------------

    @override
    def predict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        """Return the answer to a prompt, which each member forms by its own settings."""
        with predicting(prompt, prompt_args):
            return super().predict(prompt, **prompt_args)

    @override
    async def apredict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        with predicting(prompt, prompt_args):
            return await super().apredict(prompt, **prompt_args)

    @override
    def stream(self, prompt: BasePromptTemplate, **prompt_args: Any) -> TokenGen:
        with predicting(prompt, prompt_args):
            return super().stream(prompt, **prompt_args)

    @override
    async def astream(self, prompt: BasePromptTemplate, **prompt_args: Any) -> TokenAsyncGen:
        with predicting(prompt, prompt_args):
            return await super().astream(prompt, **prompt_args)

    # --- asking ---------------------------------------------------------------------------------------------------
    # Streams are decided before they begin: who speaks is known only then, and the samples' spans belong to the call.
    # Completions go the way of chats below the callbacks: a decorated chat would report a second event.

    @hiding_secrets
    @llm_chat_callback()
    @override
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self._responded(self._chat(messages, kwargs))

    @hiding_secrets
    @llm_chat_callback()
    @override
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return await self._aresponded(self._chat(messages, kwargs))

    @hiding_secrets
    @llm_chat_callback()
    @override
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        return converted(self._streamed(self._chat(messages, kwargs)), as_chat)

    @hiding_secrets
    @llm_chat_callback()
    @override
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        return aconverted(await self._astreamed(self._chat(messages, kwargs)), as_chat)

    @hiding_secrets
    @llm_completion_callback()
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        response, reply = self._decide(self._completion(prompt, formatted, kwargs))
        return as_completion(response, reply.completion if reply else None)

    @hiding_secrets
    @llm_completion_callback()
    @override
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        response, reply = await self._adecide(self._completion(prompt, formatted, kwargs))
        return as_completion(response, reply.completion if reply else None)

    @hiding_secrets
    @llm_completion_callback()
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        return converted(self._streamed(self._completion(prompt, formatted, kwargs)), as_completion)

    @hiding_secrets
    @llm_completion_callback()
    @override
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        return aconverted(await self._astreamed(self._completion(prompt, formatted, kwargs)), as_completion)

    def _chat(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> Chat:
        arguments = self._call_arguments(kwargs)
        return Chat(
            messages, arguments, self.extract, self.system_prompt, self.vote_on, predicted(), states=self._states
        )

    def _completion(self, prompt: str, formatted: bool, kwargs: dict[str, Any]) -> Completion:
        form = self.completion_to_prompt
        if form is not None and form is not default_completion_to_prompt and not formatted:
            prompt, formatted = form(prompt), True  # in the mux's form, so not in the member's as well
        return Completion.of(
            prompt,
            self._call_arguments(kwargs),
            self.extract,
            self.system_prompt,
            formatted=formatted,
            through=self._is_one,
            vote_on=self.vote_on,
            prompt_of=predicted(),
            states=self._states,
        )

    @property
    def _states(self) -> bool:
        """Whether members are asked to state how sure they are."""
        return self.confidence == "verbalised"

    @override
    def _extend_messages(self, messages: list[ChatMessage]) -> list[ChatMessage]:
        """Return the messages unchanged: a chat puts the system prompt in front, unless they have one."""
        return messages

    def _call_arguments(self, arguments: Mapping[str, Any] | str) -> dict[str, Any]:
        kwargs = revealed(arguments)
        refuse_at_call_time(kwargs)
        check_settings(self._callable_members.values(), kwargs)
        self._warn_of_equal_samples(kwargs)
        return {"stop": self.stop, **kwargs} if self.stop else kwargs

    def _responded(self, request: Request) -> ChatResponse:
        return self._decide(request)[0]

    async def _aresponded(self, request: Request) -> ChatResponse:
        return (await self._adecide(request))[0]

    @property
    def _streams_through(self) -> bool:
        """Whether there is nothing to decide: one member, one sample, and no limit that would have to cut a stream."""
        limits = (self.timeout, self.deadline, self.budget)
        return self._is_one and not self._policy.has_threshold and all(each is None for each in limits)

    def _streamed(self, request: Request) -> Generator[Response]:
        if not self._streams_through:
            return _one(as_chunk(self._responded(request)))
        (member,) = self._members.values()
        question = self._question(request)

        def answer_whole() -> ChatResponse:
            return as_chunk(self._responded(request))

        return through(
            request,
            member,
            self._own_callbacks,
            pool=self._pool,
            read=self._reading(question),
            respond=self._respond_to(question),
            answer_whole=answer_whole,
        )

    async def _astreamed(self, request: Request) -> AsyncGenerator[Response]:
        if not self._streams_through:
            return _aone(as_chunk(await self._aresponded(request)))
        (member,) = self._members.values()
        question = self._question(request)

        async def answer_whole() -> ChatResponse:
            return as_chunk(await self._aresponded(request))

        return await athrough(
            request,
            member,
            self._own_callbacks,
            pool=self._pool,
            read=self._reading(question),
            respond=self._respond_to(question),
            answer_whole=answer_whole,
        )

    def _respond_to(self, question: Question) -> Callable[[Result[Reply]], ChatResponse]:
        """Return what makes the response of a reply that was streamed through."""

        def respond(result: Result[Reply]) -> ChatResponse:
            if result.reply is not None:
                question.account.count_call()
                question.account.add(result.reply.model, result.reply.usage)
            return self._response(result, question)[0]

        return respond

    @property
    def _own_callbacks(self) -> CallbackManager:
        return self.callback_manager if isinstance(self.callback_manager, CallbackManager) else CallbackManager([])

    def _decide(self, request: Request) -> tuple[ChatResponse, Reply | None]:
        """Return the response, and the reply it is made of; none where the mux abstains."""
        question = self._question(request)
        try:
            with progress(sum(self.k.values())):
                result = self._answer(question)
            return self._response(result, question)
        except NoAnswerError as error:
            raise new_to_handlers(error)  # noqa: B904 - the same error

    async def _adecide(self, request: Request) -> tuple[ChatResponse, Reply | None]:
        question = self._question(request)
        try:
            with progress(sum(self.k.values())):
                result = await self._aanswer(question)
            return self._response(result, question)
        except NoAnswerError as error:
            raise new_to_handlers(error)  # noqa: B904 - the same error

    def _question(self, request: Request) -> Question:
        return Question(request, self._callable_members, self._own_callbacks, self._pool, account=self._account())

    def _response(self, result: Result[Reply], question: Question) -> tuple[ChatResponse, Reply | None]:
        reply = result.reply
        response, calls = (reply.response, reply.calls) if reply else (self._abstention(), ())
        speaker = ESCALATION if result.bigger else reply.model if reply else ""
        several = len(self._callable_members) > 1
        total = not self._is_one  # of several, one sample may decide while another that was begun is paid for
        # What the only sample wrote stays as it is: a mux of one is its member.
        written = question.calls_in(reply) if reply and total else ()
        record = self._record(result, question)
        marked_as = speaker if several else None
        return chat_response(response, calls, record, marked_as, written=written, total=total), reply

    def _abstention(self) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=self.abstain_with))

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
        refuse_tools(self._callable_members, "tools cannot be bound to this mux")
        messages = list(chat_history or [])
        if user_msg:
            messages.append(
                ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg
            )
        return {
            "messages": messages,
            "tools": LiveTools(tools),
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
        if self._is_one:
            (member,) = self._members.values()
            if isinstance(member.llm, FunctionCallingLLM):
                return member.llm.get_tool_calls_from_response(
                    response, error_on_no_tool_call=error_on_no_tool_call, **kwargs
                )
        calls = selections(response)
        if not calls and error_on_no_tool_call:
            raise ValueError("expected at least one tool call, but the winner made none")
        return calls

    # --- schemas --------------------------------------------------------------------------------------------------

    @hiding_secrets
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
        replies: list[Reply | None] = []

        @llm_chat_callback()
        def chat(_self: Self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:  # noqa: ARG001
            response, reply = self._decide(request)
            replies.append(reply)
            return response

        return _value(chat(self, request.messages), replies[0], output_cls)

    @hiding_secrets
    @override
    async def astructured_predict(
        self,
        output_cls: type[S],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> S:
        request = self._structured(output_cls, prompt, llm_kwargs, prompt_args)
        replies: list[Reply | None] = []

        @llm_chat_callback()
        async def achat(_self: Self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:  # noqa: ARG001
            response, reply = await self._adecide(request)
            replies.append(reply)
            return response

        return _value(await achat(self, request.messages), replies[0], output_cls)

    @hiding_secrets
    @override
    def stream_structured_predict(
        self,
        output_cls: type[S],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        """Stream the schema's value: whole, since it is known only when it is decided."""
        if self._streams_through:
            (member,) = self._members.values()
            request = self._structured(output_cls, prompt, llm_kwargs, prompt_args)
            return _reported(values_through(request, member, self._own_callbacks, self._pool))
        value = self.structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        dispatcher.event(LLMStructuredPredictInProgressEvent(output=value))
        return _one(value)

    @hiding_secrets
    @override
    async def astream_structured_predict(
        self,
        output_cls: type[S],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        if self._streams_through:
            (member,) = self._members.values()
            request = self._structured(output_cls, prompt, llm_kwargs, prompt_args)
            return _areported(await avalues_through(request, member, self._own_callbacks, self._pool))
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
        arguments = self._call_arguments(llm_kwargs or {})
        return Structured(
            output_cls, prompt, arguments, prompt_args, self.system_prompt, extract=self.extract, vote_on=self.vote_on
        )


def _value(response: ChatResponse, reply: Reply | None, output_cls: type[S]) -> S:
    if reply is None:
        raise AbstainedError(cast("dict[str, Any]", response.raw)["slmmux"])
    if reply.value is None:
        raise reply.fault or ValueError(f"no reply could be read as a {output_cls.__name__}")
    dispatcher.event(LLMStructuredPredictEndEvent(output=reply.value))
    return cast("S", reply.value)


def _reported(values: Generator[Any]) -> Generator[Any]:
    """Yield values of a schema and report each, as LlamaIndex's own programs do."""
    value = None
    for value in values:
        dispatcher.event(LLMStructuredPredictInProgressEvent(output=value))
        yield value
    dispatcher.event(LLMStructuredPredictEndEvent(output=value))


async def _areported(values: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    value = None
    async for value in values:
        dispatcher.event(LLMStructuredPredictInProgressEvent(output=value))
        yield value
    dispatcher.event(LLMStructuredPredictEndEvent(output=value))


def _one(item: T) -> Generator[T, None, None]:
    yield item


async def _aone(item: T) -> AsyncGenerator[T, None]:
    yield item


def _label_list(labels: Any) -> str:
    return ", ".join(map(repr, labels))
