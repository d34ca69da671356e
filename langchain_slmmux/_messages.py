"""The message that leaves the mux: the winner's own text and tool calls, and nothing only its provider understands."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk

__all__ = ["as_chunk", "final_message", "question_of", "with_usage"]

_KEPT = ("model_provider", "finish_reason", "stop_reason", "done_reason", "system_fingerprint", "logprobs")


def final_message(
    winner: AIMessage,
    record: Mapping[str, Any],
    *,
    model_name: str,
    message_id: str | None,
    additional: Mapping[str, Any],
) -> AIMessage:
    """Return a fresh message with the winner's text and tool calls.

    Another provider's reasoning blocks in the history break the next turn, and the winner's own id would make
    LangGraph drop the message as already streamed.
    """
    metadata = {k: winner.response_metadata[k] for k in _KEPT if k in winner.response_metadata}
    return AIMessage(
        content=str(winner.text),
        additional_kwargs=dict(additional),
        tool_calls=winner.tool_calls,
        invalid_tool_calls=winner.invalid_tool_calls,
        response_metadata={**metadata, "model_name": model_name, "slmmux": dict(record)},
        id=message_id,
    )


def question_of(messages: Sequence[BaseMessage]) -> str:
    """Return what was asked last by a person; where nobody did, what was said last."""
    asked = [m for m in messages if isinstance(m, HumanMessage)] or messages
    return str(asked[-1].text) if asked else ""


def with_usage(message: AIMessage) -> AIMessage:
    """Return a copy that carries the whole question's tokens, where the record has any."""
    usage = (message.response_metadata.get("slmmux") or {}).get("usage")
    if not usage or not usage["total_tokens"]:
        return message
    return message.model_copy(update={"usage_metadata": cast("UsageMetadata", dict(usage))})


def as_chunk(message: AIMessage) -> AIMessageChunk:
    """Return a message as the one chunk of its stream."""
    calls = [(c["name"], json.dumps(c["args"]), c["id"]) for c in message.tool_calls]
    calls += [(c["name"] or "", c["args"] or "", c["id"]) for c in message.invalid_tool_calls]
    return AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        tool_call_chunks=[
            tool_call_chunk(name=name, args=args, id=call_id, index=i) for i, (name, args, call_id) in enumerate(calls)
        ],
        usage_metadata=message.usage_metadata,
        id=message.id,
        chunk_position="last",
    )
