"""Structured prediction: each member's own way of asking for a schema, voted on as canonical JSON.

A member gives a parsed value and keeps its responses to itself, so a handler on a copy of it keeps them: they hold the
cost, and they tell a reply that could not be parsed (it abstains) from a call that failed.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate
from pydantic import BaseModel

from llamaindex_slmmux._members import Member, reporting_to
from llamaindex_slmmux._messages import as_chat, under_instruction
from llamaindex_slmmux._request import Call, Calls, Reply
from llamaindex_slmmux._usage import Recorder, usage_of
from slmmux import Answer
from slmmux._mux.replies.decisive import marked_fields
from slmmux._mux.replies.reading import structured_answer
from slmmux._mux.usage import total

__all__ = ["Structured"]


@dataclass(frozen=True)
class Structured:
    """A schema to fill.

    Args:
        output_cls: The schema, a pydantic class.
        prompt: The question.
        llm_kwargs: Call arguments, for the members.
        prompt_args: What the prompt is filled with.
        instruction: The system prompt, unless the messages have one.
        extract: The extractor the mux was given; a callable reads the answer in the reply.
        vote_on: The fields that are voted on.
    """

    output_cls: type[BaseModel]
    prompt: BasePromptTemplate
    llm_kwargs: Mapping[str, Any]
    prompt_args: Mapping[str, Any]
    instruction: str | None
    extract: str | Callable[[str], Any] = "auto"
    vote_on: Sequence[str] | None = None
    extractor: str = "structured"

    @property
    def messages(self) -> list[ChatMessage]:
        """The prompt as messages."""
        return under_instruction(self.prompt.format_messages(**self.prompt_args), self.instruction)

    def takes_several(self, member: Member) -> bool:  # noqa: ARG002
        """Return whether one call can bring several samples: a member returns one value."""
        return False

    def calls(self, member: Member) -> Calls:
        """Return what makes a member's calls, each with a handler of its own that keeps its responses."""
        return lambda _: self.reporting(member)

    def reporting(self, member: Member, *handlers: BaseCallbackHandler) -> Call:
        """Return a member's call that also reports to some handlers."""
        recorder = Recorder()
        prompt, arguments = self._prompt()
        return Call(
            reporting_to(member.llm, recorder, *handlers),
            "structured_predict",
            (self.output_cls, prompt),
            {"llm_kwargs": dict(self.llm_kwargs), **arguments},
            to_replies=lambda value: [_reply(member, value, recorder)],
            failed=lambda error: _unread(member.label, error, recorder) if recorder.responses else None,
        )

    def read(self, reply: Reply) -> Answer | None:
        """Return a reply's value as an answer."""
        if reply.value is None:
            return None
        text = reply.response.message.content or reply.value.model_dump_json()
        return structured_answer(reply.value, text, extract=self.extract, vote_on=self.vote_on, marked=self._marked)

    @cached_property
    def _marked(self) -> frozenset[str]:
        """The fields that the schema marks as not decisive."""
        return marked_fields(self.output_cls.model_json_schema())

    def _prompt(self) -> tuple[BasePromptTemplate, Mapping[str, Any]]:
        """Return a prompt of the member's own: some programs write their parser into the one they are given."""
        if self.instruction:
            return ChatPromptTemplate(message_templates=self.messages), {}
        # A copy, but not of what it refers to: a store behind one of its functions is the user's.
        return copy.copy(self.prompt), self.prompt_args


def _reply(member: Member, value: Any, recorder: Recorder) -> Reply:
    if not isinstance(value, BaseModel):
        fault = TypeError(f"the member returned {type(value).__name__}, not the schema")
        return _unread(member.label, fault, recorder)
    text = value.model_dump_json()
    written = ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=text))
    # Of several members each writes a value in its own way, as a text or a call; that of a mux of one stays its own.
    response = _response(recorder, text) if member.alone else written
    return Reply(member.label, response, _cost(recorder), value=value)


def _unread(label: str, error: Exception, recorder: Recorder) -> Reply:
    return Reply(label, _response(recorder, ""), _cost(recorder), fault=error)


def _response(recorder: Recorder, otherwise: str) -> ChatResponse:
    """Return the member's last response: whole, as its calls tell a reply that did not parse from an empty one."""
    if recorder.responses:
        return as_chat(recorder.responses[-1])
    return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=otherwise))


def _cost(recorder: Recorder) -> dict[str, Any]:
    return total(map(usage_of, recorder.responses))
