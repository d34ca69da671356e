"""Messages: the winner's as it leaves the mux, whole, and a history as each member gets it back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call, tool_call_chunk

from slmmux._mux.in_words import call_in_words, result_in_words
from slmmux._mux.rule import ESCALATION
from slmmux._mux.usage import COST

__all__ = ["as_chunk", "final_message", "has_content", "history_of", "question_of", "with_instruction", "with_usage"]

# The usage of one request: beside the whole question's it would be counted again.
_USAGE_OF_ONE = {"token_usage", "usage", "usage_metadata"}


def final_message(
    winner: AIMessage,
    record: Mapping[str, Any],
    *,
    model_name: str | None,
    message_id: str | None,
    additional: Mapping[str, Any],
    alone: bool = False,
    written: Sequence[Mapping[str, Any]] = (),
) -> AIMessage:
    """Return the winner's message as a fresh one, with the record beside it.

    Its content blocks, reasoning, refusal, calls and provider fields stay: the member needs them back on the next turn.
    `model_name` is the name that its tokens are counted under, if they are under any. The winner's own id would make
    LangGraph drop the message as already streamed. `alone` says that no other sample was drawn, so that the usage of
    its request is the usage of the question. `written` are calls that the model wrote into its text: they were voted on
    as calls, and are made as such.
    """
    left_out = {"slmmux"} if alone else {"slmmux", *_USAGE_OF_ONE}
    metadata = {k: v for k, v in winner.response_metadata.items() if k not in left_out}
    return AIMessage(
        content=winner.content,
        additional_kwargs={**winner.additional_kwargs, **additional},
        tool_calls=winner.tool_calls
        or [tool_call(name=call["name"], args=call["args"], id=f"call_{uuid4().hex}") for call in written],
        invalid_tool_calls=winner.invalid_tool_calls,
        response_metadata={**metadata, **({"model_name": model_name} if model_name else {}), "slmmux": dict(record)},
        name=winner.name,
        id=message_id,
    )


def has_content(message: AIMessage) -> bool:
    """Return whether a message says anything: a text or another block, a call, or a refusal."""
    if message.tool_calls or message.invalid_tool_calls:
        return True
    if any(message.additional_kwargs.get(name) for name in ("refusal", "function_call", "tool_calls", "audio")):
        return True
    if isinstance(message.content, str):
        return bool(message.content.strip())
    blocks = [block for block in message.content if isinstance(block, str) or block.get("type") not in _REASONING]
    return any(block.strip() if isinstance(block, str) else block.get("text", "block") for block in blocks)


def with_instruction(messages: Sequence[BaseMessage], instruction: str) -> list[BaseMessage]:
    """Return messages with one more instruction at the end of their system message, or in one of their own."""
    place = next((i for i, message in enumerate(messages) if isinstance(message, SystemMessage)), None)
    if place is None:
        return [SystemMessage(instruction), *messages]
    own = messages[place].content
    longer = f"{own}\n\n{instruction}" if isinstance(own, str) else [*own, {"type": "text", "text": instruction}]
    changed = messages[place].model_copy(update={"content": longer})
    return [*messages[:place], changed, *messages[place + 1 :]]


_REASONING = {"reasoning", "reasoning_content", "redacted_thinking", "thinking"}


def history_of(messages: Sequence[BaseMessage], label: str, *, signed_calls_only: bool = False) -> list[BaseMessage]:
    """Return a history as a member gets it: its own earlier messages whole, others' as text and tool calls.

    One provider's reasoning blocks break another, while their own provider asks for them back. A message that no mux
    made is the user's, and stays as it is.

    Args:
        messages: The history.
        label: The member's label.
        signed_calls_only: Whether its provider refuses others' tool calls, so that they are told in words.
    """
    history: list[BaseMessage] = []
    in_words: dict[str | None, str] = {}  # the calls that were told so, whose replies are told so as well
    for message in messages:
        if isinstance(message, ToolMessage) and message.tool_call_id in in_words:
            history.append(_result_in_words(message, in_words[message.tool_call_id]))
            continue
        if not isinstance(message, AIMessage) or not isinstance(message.response_metadata.get("slmmux"), Mapping):
            history.append(message)
        elif _speaker(message) == label:
            metadata = {k: v for k, v in message.response_metadata.items() if k != "slmmux"}
            history.append(message.model_copy(update={"response_metadata": metadata}))
        elif signed_calls_only and (calls := [*message.tool_calls, *message.invalid_tool_calls]):
            in_words |= {call["id"]: call["name"] or "" for call in calls}
            told = [call_in_words(call["name"] or "", call["args"]) for call in calls]
            history.append(AIMessage("\n\n".join([*filter(None, [str(message.text)]), *told]), id=message.id))
        else:
            history.append(_portable(message))
    return history


def _speaker(message: AIMessage) -> Any:
    record = message.response_metadata["slmmux"]
    return ESCALATION if record.get("outcome") == "escalated" else record.get("model")


def _portable(message: AIMessage) -> AIMessage:
    return AIMessage(
        content=str(message.text),
        tool_calls=message.tool_calls,
        invalid_tool_calls=message.invalid_tool_calls,
        name=message.name,
        id=message.id,
    )


def _result_in_words(message: ToolMessage, name: str) -> HumanMessage:
    line = result_in_words(name)
    if isinstance(message.content, str):
        return HumanMessage(f"{line}\n{message.content}", id=message.id)
    return HumanMessage([{"type": "text", "text": line}, *message.content], id=message.id)


def question_of(messages: Sequence[BaseMessage]) -> str:
    """Return the user's last message as text; without one, the last message."""
    of_users = [m for m in messages if isinstance(m, HumanMessage)] or messages
    return str(of_users[-1].text) if of_users else ""


def with_usage(message: AIMessage) -> AIMessage:
    """Return a copy that carries the whole question's tokens, if the record has any."""
    usage = (message.response_metadata.get("slmmux") or {}).get("usage")
    # Out of a cache a message without tokens has a cost of 0 there, and nothing else.
    has_tokens = "total_tokens" in (message.usage_metadata or {})
    if has_tokens or not usage or not usage["total_tokens"]:
        return message
    tokens = {name: count for name, count in usage.items() if name != COST}  # callbacks add the counts up as tokens
    return message.model_copy(update={"usage_metadata": cast("UsageMetadata", tokens)})


def as_chunk(message: AIMessage) -> AIMessageChunk:
    """Return a message as the one chunk of its stream."""
    calls = [(c["name"], json.dumps(c["args"]), c["id"]) for c in message.tool_calls]
    calls += [(c["name"] or "", c["args"] or "", c["id"]) for c in message.invalid_tool_calls]
    chunk = AIMessageChunk(
        content=message.content,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        tool_call_chunks=[
            tool_call_chunk(name=name, args=args, id=call_id, index=i) for i, (name, args, call_id) in enumerate(calls)
        ],
        usage_metadata=message.usage_metadata,
        name=message.name,
        id=message.id,
        chunk_position="last",
    )
    # A chunk reads its calls anew and closes what was cut off: a call that is invalid would become one that runs.
    return chunk.model_copy(update={"tool_calls": message.tool_calls, "invalid_tool_calls": message.invalid_tool_calls})
