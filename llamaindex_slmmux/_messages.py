"""Messages: the winner's response as it leaves the mux, whole, and a history as each member gets it back."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
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

from llamaindex_slmmux._tools import arguments_of, in_openai_form, selections, with_calls
from slmmux._mux.in_words import call_in_words, result_in_words

__all__ = [
    "SPEAKER",
    "as_chat",
    "as_chunk",
    "as_completion",
    "chat_response",
    "has_content",
    "history_of",
    "own_history",
    "under_instruction",
]


# Under which of a message's `additional_kwargs` a mux of several says who spoke: they survive a dump to JSON.
SPEAKER = "slmmux_speaker"


def own_history(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Return the only member's own copy of a history, which is all its own.

    Some members append to the list they are given, or rewrite what is in it. The copies are shallow: what users put
    into blocks and arguments is used, never copied.
    """
    return [_copied(message) for message in messages]


def history_of(messages: Sequence[ChatMessage], label: str, *, signed_calls_only: bool) -> list[ChatMessage]:
    """Return a member's own copy of a history: its earlier messages whole, others' as text and tool calls.

    Args:
        messages: The history.
        label: The member's label.
        signed_calls_only: Whether its provider refuses others' tool calls, so that they are told in words.
    """
    history: list[ChatMessage] = []
    in_words: dict[Any, str] = {}  # the calls that were told so, whose replies are told so as well
    for original in _with_ids_apart(messages):
        message = _copied(original)
        call_id = message.additional_kwargs.get("tool_call_id")
        if message.role is MessageRole.TOOL and call_id in in_words:
            line = TextBlock(text=result_in_words(in_words[call_id]))
            history.append(ChatMessage(role=MessageRole.USER, blocks=[line, *message.blocks]))
            continue
        calls = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
        is_own = original.additional_kwargs.get(SPEAKER, label) == label
        if not is_own:
            message.blocks = [_portable(block) for block in message.blocks if isinstance(block, _PORTABLE)]
            message.additional_kwargs = {}
        if calls:
            message.additional_kwargs.pop("tool_calls", None)  # each call once
        if calls and signed_calls_only and not (is_own and SPEAKER in original.additional_kwargs):
            in_words |= {call.tool_call_id: call.tool_name for call in calls}
            message = _in_words(message)
        history.append(message)
    return history


def _copied(message: ChatMessage) -> ChatMessage:
    blocks = [block.model_copy() for block in message.blocks]
    kwargs = {name: value for name, value in message.additional_kwargs.items() if name != SPEAKER}
    return message.model_copy(update={"blocks": blocks, "additional_kwargs": kwargs})


def _in_words(message: ChatMessage) -> ChatMessage:
    texts = [block for block in message.blocks if isinstance(block, TextBlock)]
    calls = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    told = [TextBlock(text=call_in_words(call.tool_name, call.tool_kwargs)) for call in calls]
    return ChatMessage(role=message.role, blocks=[*texts, *told])


_PORTABLE = (TextBlock, ToolCallBlock)  # what every maker's model can be told of another's turn


def _portable(block: Any) -> Any:
    """Return a block as every class takes it: OpenAI's leaves a call's arguments as text, which others refuse."""
    if not isinstance(block, ToolCallBlock) or not isinstance(block.tool_kwargs, str):
        return block
    return block.model_copy(update={"tool_kwargs": arguments_of(block.tool_kwargs)})


def _with_ids_apart(messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    """Return a history in which each tool call has an id of its own.

    Ollama's protocol has no ids, so that its calls come without one or under the tool's name, which stands twice where
    the tool is called twice: other makers refuse both. A reply belongs to the first call of its id, or of none, that
    has no reply yet.
    """
    ids = [b.tool_call_id for m in messages for b in m.blocks if isinstance(b, ToolCallBlock)]
    if len(set(ids)) == len(ids) and all(ids):
        return messages
    apart: list[ChatMessage] = []
    waiting: dict[str, list[str]] = {}
    number = 0
    for message in messages:
        blocks: list[Any] = []
        for block in message.blocks:
            if isinstance(block, ToolCallBlock):
                number += 1
                own_id = f"call_{number}"
                waiting.setdefault(block.tool_call_id or "", []).append(own_id)
                block = block.model_copy(update={"tool_call_id": own_id})  # noqa: PLW2901
            blocks.append(block)
        kwargs = dict(message.additional_kwargs)
        if message.role is MessageRole.TOOL:
            unanswered = waiting.get(kwargs.get("tool_call_id") or "") or waiting.get("")
            if unanswered:
                kwargs["tool_call_id"] = unanswered.pop(0)
        apart.append(message.model_copy(update={"blocks": blocks, "additional_kwargs": kwargs}))
    return apart


def under_instruction(messages: Sequence[ChatMessage], instruction: str | None) -> list[ChatMessage]:
    """Return messages with the instruction in front, where they bring none of their own."""
    roles = {MessageRole.SYSTEM, MessageRole.DEVELOPER}
    if not instruction or any(message.role in roles for message in messages):
        return list(messages)
    return [ChatMessage(role=MessageRole.SYSTEM, content=instruction), *messages]


def with_instruction(messages: Sequence[ChatMessage], instruction: str) -> list[ChatMessage]:
    """Return messages with one more instruction at the end of their system message, or in one of their own."""
    roles = {MessageRole.SYSTEM, MessageRole.DEVELOPER}
    place = next((i for i, message in enumerate(messages) if message.role in roles), None)
    if place is None:
        return [ChatMessage(role=MessageRole.SYSTEM, content=instruction), *messages]
    own = messages[place]
    changed = own.model_copy(update={"blocks": [*own.blocks, TextBlock(text=f"\n\n{instruction}")]})
    return [*messages[:place], changed, *messages[place + 1 :]]


def chat_response(
    winner: ChatResponse,
    calls: Sequence[ToolSelection],
    record: Mapping[str, Any],
    speaker: str | None,
    *,
    written: Sequence[ToolSelection] = (),
    total: bool = True,
) -> ChatResponse:
    """Return the winner's response as a fresh one, with the record and the whole cost.

    Args:
        winner: The winner's own response.
        calls: Its tool calls, read its own way.
        written: Calls that it wrote into its text, to be made as such.
        record: The record.
        speaker: The label of the member that speaks; `None` if the mux has no other, and the message stays its own.
        total: Whether the cost is more than that of the winner's own request.
    """
    usage = dict(record["usage"])
    message = winner.message.model_copy(
        update={
            "blocks": [block.model_copy() for block in winner.message.blocks],
            "additional_kwargs": dict(winner.message.additional_kwargs),
        }
    )
    message.blocks += with_calls(written)
    if speaker is not None:
        _mark(message, calls, speaker)
    spent = {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }
    more = dict(winner.additional_kwargs) | (spent if total else {})
    raw = raw_with(winner.raw, {"usage": usage, "slmmux": dict(record)}, total=total)
    return winner.model_copy(update={"message": message, "raw": raw, "additional_kwargs": more})


def _mark(message: ChatMessage, calls: Sequence[ToolSelection], speaker: str) -> None:
    """Bring the message of one of several members into the form that the others can be told of, and say who spoke."""
    if calls:
        if not any(isinstance(block, ToolCallBlock) for block in message.blocks):
            message.blocks += with_calls(calls)
        message.additional_kwargs.pop("tool_calls", None)  # a second copy of a call would be a second call
    # A plain text needs no mark: it means the same to everybody, whoever spoke.
    if calls or message.additional_kwargs or not all(isinstance(block, _PORTABLE) for block in message.blocks):
        message.additional_kwargs[SPEAKER] = speaker


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

    def __deepcopy__(self, memo: dict[int, Any]) -> "Raw":
        return Raw(deepcopy(dict(self), memo), deepcopy(self._own, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # the member's own object may not pickle


def raw_with(own: Any, values: Mapping[str, Any], *, total: bool = True) -> Raw:
    """Return a member's raw reply with more keys; a mapping's own keys stay.

    The usage of one request would be counted beside the total of several. If there is but one, its own counts stay as
    its maker counts them: Anthropic leaves cached tokens out of the input, where the record has them.
    """
    usage = own.get("usage") if isinstance(own, Mapping) else getattr(own, "usage", None)
    if not total and isinstance(usage, Mapping):
        values = {**values, "usage": {**values["usage"], **usage}}
    elif not total and usage is not None:
        counts = {name: getattr(usage, name, None) for name in values["usage"]}
        counts = {name: count for name, count in counts.items() if count is not None}
        values = {**values, "usage": Raw({**values["usage"], **counts}, usage)}
    return Raw({**own, **values}, None) if isinstance(own, Mapping) else Raw(values, own)


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


def as_chat(response: ChatResponse | CompletionResponse) -> ChatResponse:
    """Return what a member replied as a chat response."""
    if isinstance(response, ChatResponse):
        return response
    return ChatResponse(
        message=ChatMessage(role=MessageRole.ASSISTANT, content=response.text),
        delta=response.delta,
        raw=response.raw,
        logprobs=response.logprobs,
        additional_kwargs=response.additional_kwargs,
    )


def as_completion(
    response: ChatResponse | CompletionResponse, own: CompletionResponse | None = None
) -> CompletionResponse:
    """Return a response as a completion: what its member completed, if it did, with what the mux put beside it."""
    if isinstance(response, CompletionResponse):
        return response
    values: dict[str, Any] = {
        "text": response.message.content or "",
        "delta": response.delta,
        "raw": response.raw,
        "logprobs": response.logprobs,
        "additional_kwargs": dict(response.additional_kwargs),
    }
    return CompletionResponse(**values) if own is None else own.model_copy(update=values)
