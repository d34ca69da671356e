"""Messages: the winner's response as it leaves the mux, whole, and a history as each member gets it back."""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.llms.llm import ToolSelection
from pydantic import PrivateAttr

from llamaindex_slmmux._tools import in_openai_form, selections, with_calls

__all__ = ["MuxMessage", "as_chunk", "as_completion", "chat_response", "has_content", "history_of", "under_instruction"]


class MuxMessage(ChatMessage):
    """A message that a mux returned: it remembers which member spoke, so that this one gets it back whole."""

    _speaker: str = PrivateAttr(default="")

    @property
    def speaker(self) -> str:
        """The label of the member whose message it is; empty if a copy has lost it."""
        return self._speaker


def history_of(messages: Sequence[ChatMessage], label: str) -> list[ChatMessage]:
    """Return a member's own copy of a history: its earlier messages whole, others' as text and tool calls.

    Some members append to the list they are given, or rewrite what is in it. The copies are shallow: what users put
    into blocks and arguments is used, never copied.
    """
    return [_for_member(message, label) for message in messages]


def _for_member(message: ChatMessage, label: str) -> ChatMessage:
    blocks = [block.model_copy() for block in message.blocks]
    kwargs = dict(message.additional_kwargs)
    if isinstance(message, MuxMessage) and message.speaker and message.speaker != label:
        blocks = [block for block in blocks if isinstance(block, TextBlock | ToolCallBlock)]
        kwargs = {}
    if any(isinstance(block, ToolCallBlock) for block in blocks):
        kwargs.pop("tool_calls", None)  # each call once
    return ChatMessage(role=message.role, blocks=blocks, additional_kwargs=kwargs)


def under_instruction(messages: Sequence[ChatMessage], instruction: str | None) -> list[ChatMessage]:
    """Return messages with the instruction in front, where they bring none of their own."""
    roles = {MessageRole.SYSTEM, MessageRole.DEVELOPER}
    if not instruction or any(message.role in roles for message in messages):
        return list(messages)
    return [ChatMessage(role=MessageRole.SYSTEM, content=instruction), *messages]


def chat_response(
    winner: ChatResponse,
    calls: Sequence[ToolSelection],
    record: Mapping[str, Any],
    speaker: str,
) -> ChatResponse:
    """Return the winner's response as a fresh one, with the record and the whole cost.

    Args:
        winner: The winner's own response.
        calls: Its tool calls, read its own way.
        record: The record.
        speaker: The label of the member that speaks.
    """
    usage = dict(record["usage"])
    blocks = [block.model_copy() for block in winner.message.blocks]
    kwargs = dict(winner.message.additional_kwargs)
    if calls:
        if not any(isinstance(block, ToolCallBlock) for block in blocks):
            blocks += with_calls(calls)
        kwargs.pop("tool_calls", None)  # a second copy of a call would be a second call
    message = MuxMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=kwargs)
    message._speaker = speaker  # noqa: SLF001 - a field would be sent to providers
    return ChatResponse(
        message=message,
        delta=winner.delta,
        raw=raw_with(winner.raw, {"usage": usage, "slmmux": dict(record)}),
        logprobs=winner.logprobs,
        additional_kwargs={
            **winner.additional_kwargs,
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["total_tokens"],
        },
    )


class Raw(dict[str, Any]):
    """A response's `raw`: a dict with the record and the total usage, over the member's own raw reply.

    Keys and attributes of the member's own stay readable as they were.
    """

    def __init__(self, values: Mapping[str, Any], own: Any) -> None:
        super().__init__(values)
        self._own = own

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            if hasattr(self._own, name):  # its own first: there it was an attribute before
                return getattr(self._own, name)
            if name in self:
                return self[name]
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # the member's own object may not pickle


def raw_with(own: Any, values: Mapping[str, Any]) -> Raw:
    """Return a member's raw reply with more keys; a mapping's own keys stay."""
    mine = {k: v for k, v in own.items() if k not in {"usage", "slmmux"}} if isinstance(own, Mapping) else {}
    return Raw({**mine, **values}, None if isinstance(own, Mapping) else own)


def has_content(message: ChatMessage) -> bool:
    """Return whether a message says anything: a text, a call or any block that is not reasoning alone."""
    if message.additional_kwargs.get("refusal") or message.additional_kwargs.get("tool_calls"):
        return True
    texts = [block.text for block in message.blocks if isinstance(block, TextBlock)]
    others = [block for block in message.blocks if not isinstance(block, TextBlock | ThinkingBlock)]
    return bool(others) or any(text.strip() for text in texts)


def as_chunk(response: ChatResponse) -> ChatResponse:
    """Return a response as the one chunk of its stream.

    Its calls stand in `additional_kwargs` too: LlamaIndex streams structures out of them. A history drops them again.
    """
    chunk = response.model_copy(update={"delta": response.message.content or ""})
    if calls := selections(response):
        message = response.message.model_copy()
        message.additional_kwargs = {**message.additional_kwargs, "tool_calls": in_openai_form(calls)}
        chunk.message = message
    return chunk


def as_completion(response: ChatResponse) -> CompletionResponse:
    """Return a chat response as a completion."""
    return CompletionResponse(
        text=response.message.content or "",
        delta=response.delta,
        raw=response.raw,
        logprobs=response.logprobs,
        additional_kwargs=dict(response.additional_kwargs),
    )
