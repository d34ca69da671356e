"""What one call of the mux asks of each member, as the member's own method and arguments, and how replies are read.

LlamaIndex names an async method like its sync one with an "a" in front, so that one description serves both.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias
from uuid import uuid4

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    MessageRole,
    TextBlock,
)
from llama_index.core.llms import LLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool
from pydantic import BaseModel

from llamaindex_slmmux._members import Member, reporting_to, with_settings
from llamaindex_slmmux._messages import (
    as_chat,
    history_of,
    own_history,
    under_instruction,
    with_instruction,
)
from llamaindex_slmmux._predicted import Predicted
from llamaindex_slmmux._react import react_step
from llamaindex_slmmux._several import choices_of, logprobs_of, split
from llamaindex_slmmux._tools import LiveTools, calls_of
from llamaindex_slmmux._usage import usage_of
from slmmux import Answer
from slmmux._mux.replies.cut_off import is_cut_off
from slmmux._mux.replies.reading import Read, reading
from slmmux._mux.replies.tools import Tools
from slmmux._mux.scoring.confidence import INSTRUCTION, without_statement
from slmmux._mux.settings import client_timeout

__all__ = ["Call", "Calls", "Chat", "Completion", "Reply", "Request"]

_BINDING = ("allow_parallel_tool_calls", "tool_required", "verbose")


@dataclass(frozen=True)
class Reply:
    """What came back for one sample.

    Attributes:
        model: The member's label.
        response: Its response.
        usage: Tokens, of all calls it took.
        calls: Its tool calls.
        value: The parsed value, where a schema was asked for.
        fault: Why there is no value.
        completion: What it completed, if a text was asked to be completed.
        stated: How sure the member says it is, if it was asked; the response is without that line.
        logprobs: The log-probabilities of the reply's tokens, if its server reported them.
        choice: The choice of the raw response that it is, if one request brought several.
    """

    model: str
    response: ChatResponse
    usage: Mapping[str, Any]
    calls: Sequence[ToolSelection] = ()
    value: BaseModel | None = None
    fault: Exception | None = None
    completion: CompletionResponse | None = None
    stated: float | None = None
    logprobs: Sequence[float] | None = None
    choice: Any = None

    @property
    def is_cut_off(self) -> bool:
        """Whether it was cut off at its limit of tokens."""
        return is_cut_off(self.choice or self.response.raw) or is_cut_off(self.response.additional_kwargs)


@dataclass(frozen=True)
class Call:
    """One call of a member.

    Attributes:
        llm: The LLM to call.
        method: The sync method's name.
        args: Its arguments.
        kwargs: Its keyword arguments.
        to_replies: Returns the replies in what the method returned: one, or as many as were asked for.
        failed: Returns the reply in what it raised; `None` if the LLM did not reply.
    """

    llm: LLM
    method: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    to_replies: Callable[[Any], list[Reply]]
    failed: Callable[[Exception], Reply | None] = lambda _: None

    @property
    def messages(self) -> Sequence[ChatMessage]:
        """What a chat asks."""
        messages: Sequence[ChatMessage] = self.kwargs.get("chat_history") or self.args[0]
        return messages


# Makes a member's call for n samples; each call has arguments of its own, which the member may change.
Calls: TypeAlias = Callable[[int], Call]


class Request(Protocol):
    """One question, whatever way it is put."""

    @property
    def messages(self) -> Sequence[ChatMessage]:
        """The question."""
        ...

    @property
    def extractor(self) -> str:
        """The reading's name in the record."""
        ...

    def takes_several(self, member: Member) -> bool:
        """Return whether one call of a member can bring several samples."""
        ...

    def calls(self, member: Member) -> Calls:
        """Return what makes a member's calls; what they have in common is made here, once."""
        ...

    def read(self, reply: Reply) -> Answer | None:
        """Return a reply's answer."""
        ...


@dataclass(frozen=True)
class Chat:
    """A chat, with tools or without.

    Args:
        messages: The question.
        kwargs: Call arguments, for the members.
        extract: The extractor the mux was given.
        instruction: The system prompt, unless the messages have one.
        vote_on: The fields of an object that are voted on.
        prompt_of: The prompt and its arguments, if `predict` was called: each member forms it as it would alone.
        states: Whether the members are asked to state how sure they are, which is no part of the answer.
    """

    messages: Sequence[ChatMessage]
    kwargs: Mapping[str, Any]
    extract: str | Callable[[str], Any]
    instruction: str | None
    vote_on: Sequence[str] | None = None
    prompt_of: Predicted | None = None
    states: bool = False
    _reading: tuple[Read, str] = field(init=False)

    def __post_init__(self) -> None:
        formatted = self.kwargs.get("response_format") is not None
        if formatted or self.kwargs.get("tools"):  # they leave no place for a line of text
            object.__setattr__(self, "states", False)
        prompts = [m for m in self.messages if m.role in (MessageRole.USER, MessageRole.SYSTEM)]
        of_users = [m for m in prompts if m.role is MessageRole.USER]
        reader = reading(
            self.extract,
            tools=self._tools(),
            formatted=formatted,
            vote_on=self.vote_on,
            question=(of_users[-1].content or "") if of_users else "",
            prompt="\n".join(m.content or "" for m in prompts),
        )
        object.__setattr__(self, "_reading", reader)

    def _tools(self) -> list[Any]:
        """Return the tools' schemas: of those that a program passes live, and of those in OpenAI's form."""
        tools = self.kwargs.get("tools") or ()
        return [t.metadata.to_openai_tool(skip_length_check=True) if isinstance(t, BaseTool) else t for t in tools]

    @property
    def extractor(self) -> str:
        """The reading's name in the record."""
        return self._reading[1]

    def calls_in(self, reply: Reply) -> list[ToolSelection]:
        """Return the calls that a model wrote into its text, where it made none in its protocol's own way."""
        if reply.calls:
            return []
        calls = Tools(self._tools()).calls_in(reply.response.message.content or "")
        return [
            ToolSelection(tool_id=f"call_{uuid4().hex}", tool_name=call["name"], tool_kwargs=call["args"])
            for call in calls
        ]

    def takes_several(self, member: Member) -> bool:
        """Return whether one call of a member can bring several samples."""
        return member.takes_several and "n" not in self.kwargs

    def calls(self, member: Member) -> Calls:
        """Return what makes a member's calls."""
        if self.prompt_of is not None and not member.llm.metadata.is_chat_model:
            return self._completions(member, self.prompt_of.completion_prompt(member.llm), formatted=True)
        messages = self.messages if self.prompt_of is None else self.prompt_of.messages(member.llm)
        if not member.alone:
            messages = history_of(messages, member.label, signed_calls_only=member.signed_calls_only)
        messages = under_instruction(messages, self.instruction)
        if self.states:
            messages = with_instruction(messages, INSTRUCTION)
        llm, shared = with_settings(reporting_to(member.llm), self.kwargs)
        if (tools := _live(shared.get("tools"))) is not None:
            del shared["tools"]
            for name in _BINDING:
                if not shared.get(name):
                    shared.pop(name, None)

        def to_replies(result: Any) -> list[Reply]:
            responses = [self._through_parser(member, r) for r in split(llm, _checked(result, ChatResponse))]
            count = len(responses)
            choices = choices_of(result, count) or [None] * count
            return [
                self._as_counted(Reply(member.label, r, usage_of(r), calls_of(llm, r), logprobs=report, choice=choice))
                for r, report, choice in zip(responses, logprobs_of(result, count), choices, strict=True)
            ]

        def call(n: int) -> Call:
            kwargs = {name: copy.copy(v) if isinstance(v, list | dict) else v for name, v in shared.items()}
            kwargs |= client_timeout(llm, kwargs)
            if n > 1:
                kwargs["n"] = n
            own = own_history(messages)
            if tools is None:
                return Call(llm, "chat", (own,), kwargs, to_replies)
            return Call(llm, "chat_with_tools", (list(tools),), {"chat_history": own, **kwargs}, to_replies)

        return call

    def read(self, reply: Reply) -> Answer | None:
        """Return a reply's answer."""
        text = reply.response.message.content or ""
        calls = [{"name": call.tool_name, "args": call.tool_kwargs} for call in reply.calls]
        if not calls:
            step, acts = react_step(text)
            if acts:  # an agent's turn is what the agent will do, whatever the extractor
                return reading("auto", tools=self._tools(), formatted=False)[0](step, acts)
            text = step
        return self._reading[0](text, calls, cut_off=reply.is_cut_off)

    def _as_counted(self, reply: Reply) -> Reply:
        """Return a reply as the mux counts it: without the line in which a member states how sure it is."""
        if not self.states:
            return reply
        blocks = reply.response.message.blocks
        place = next((i for i in reversed(range(len(blocks))) if isinstance(blocks[i], TextBlock)), None)
        if place is None:
            return reply
        text, stated = without_statement(blocks[place].text)  # type: ignore[union-attr]
        if stated is None:
            return reply
        shorter = [*blocks[:place], TextBlock(text=text), *blocks[place + 1 :]]
        message = reply.response.message.model_copy(update={"blocks": shorter})
        response = reply.response.model_copy(update={"message": message})
        completion = None if reply.completion is None else reply.completion.model_copy(update={"text": text})
        return replace(reply, response=response, completion=completion, stated=stated)

    def _through_parser(self, member: Member, response: ChatResponse) -> ChatResponse:
        """Return a response as `predict` of the member alone would give it, through the member's own parser."""
        if self.prompt_of is None or member.llm.output_parser is None:
            return response
        text = str(member.llm.output_parser.parse(response.message.content or ""))
        message = response.message.model_copy(update={"blocks": [TextBlock(text=text)]})
        return response.model_copy(update={"message": message})

    def _completions(self, member: Member, prompt: str, *, formatted: bool) -> Calls:
        """Return what makes the calls of a member that completes texts."""

        def to_replies(result: Any) -> list[Reply]:
            completion = _checked(result, CompletionResponse)
            response = self._through_parser(member, as_chat(completion))
            return [self._as_counted(Reply(member.label, response, usage_of(response), completion=completion))]

        if instruction := "\n\n".join(filter(None, (self.instruction, INSTRUCTION if self.states else None))):
            prompt = f"{instruction}\n\n{prompt}"
        llm, shared = with_settings(reporting_to(member.llm), self.kwargs)
        if formatted:
            shared["formatted"] = True

        def call(_: int) -> Call:
            return Call(llm, "complete", (prompt,), {**shared, **client_timeout(llm, shared)}, to_replies)

        return call


@dataclass(frozen=True)
class Completion(Chat):
    """A text to complete: to members that chat it is the user's message.

    Args:
        prompt: The text.
        formatted: Whether it already is in the form the model was trained on.
        through: Whether a mux of one puts it to its member, which completes it as it would alone.
    """

    prompt: str = ""
    formatted: bool = False
    through: bool = False

    @classmethod
    def of(
        cls,
        prompt: str,
        kwargs: Mapping[str, Any],
        extract: str | Callable[[str], Any],
        instruction: str | None,
        *,
        formatted: bool,
        through: bool,
        vote_on: Sequence[str] | None = None,
        prompt_of: Predicted | None = None,
        states: bool = False,
    ) -> "Completion":
        """Return the request for one prompt."""
        message = ChatMessage(role=MessageRole.USER, content=prompt)
        form: dict[str, Any] = {"prompt": prompt, "formatted": formatted, "through": through}
        return cls([message], kwargs, extract, instruction, vote_on, prompt_of, states, **form)

    def calls(self, member: Member) -> Calls:
        """Return what makes a member's calls."""
        chats = member.llm.metadata.is_chat_model and (self.instruction or not self.through)
        if chats or self.prompt_of is not None:
            return super().calls(member)
        return self._completions(member, self.prompt, formatted=self.formatted)


def _live(tools: Any) -> list[BaseTool] | None:
    """Return tools for a member to bind; `None` if there are none or they are bound already."""
    if isinstance(tools, LiveTools):
        return list(tools.live)
    if isinstance(tools, list | tuple) and tools and all(isinstance(tool, BaseTool) for tool in tools):
        return list(tools)
    return None


def _checked(result: Any, cls: type[Any]) -> Any:
    if not isinstance(result, cls):
        raise TypeError(f"the member returned {type(result).__name__}, not a {cls.__name__}")
    return result
