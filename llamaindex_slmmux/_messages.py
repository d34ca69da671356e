"""The response that leaves the mux: the winner's own text and tool calls, and nothing only its provider understands."""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    MessageRole,
    TextBlock,
)
from llama_index.core.llms.llm import ToolSelection

from llamaindex_slmmux._tools import in_openai_form, with_calls

__all__ = ["as_completion", "chat_response", "copies", "under_instruction"]


def copies(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Return a sample's own messages: some members append to the list they are given, or rewrite what is in it."""
    return [message.model_copy(deep=True) for message in messages]


def under_instruction(messages: Sequence[ChatMessage], instruction: str | None) -> list[ChatMessage]:
    """Return messages with the instruction in front, where they bring none of their own."""
    roles = {MessageRole.SYSTEM, MessageRole.DEVELOPER}
    if not instruction or any(message.role in roles for message in messages):
        return list(messages)
    return [ChatMessage(role=MessageRole.SYSTEM, content=instruction), *messages]


def chat_response(winner: ChatResponse, calls: Sequence[ToolSelection], record: Mapping[str, Any]) -> ChatResponse:
    """Return a fresh response with the winner's text and tool calls, the record and the whole cost.

    Another provider's reasoning in the history breaks the next turn, so it stays behind. The tool calls stand in
    blocks and in `additional_kwargs`: LlamaIndex reads the one for agents and the other for streamed structures.
    """
    usage = dict(record["usage"])
    text = [block.model_copy() for block in winner.message.blocks if isinstance(block, TextBlock)]
    message = ChatMessage(
        role=MessageRole.ASSISTANT,
        blocks=[*text, *with_calls(calls)],
        additional_kwargs={"tool_calls": in_openai_form(calls)} if calls else {},
    )
    return ChatResponse(
        message=message,
        delta=message.content or "",  # streamed, it is the one chunk
        raw={"usage": usage, "slmmux": dict(record)},
        logprobs=winner.logprobs,
        additional_kwargs={
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["total_tokens"],
        },
    )


def as_completion(response: ChatResponse) -> CompletionResponse:
    """Return a chat response as a completion."""
    text = response.message.content or ""
    return CompletionResponse(
        text=text,
        delta=text,
        raw=response.raw,
        logprobs=response.logprobs,
        additional_kwargs=dict(response.additional_kwargs),
    )
