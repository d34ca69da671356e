"""A mux's message as `chat.completion`, in OpenAI's own types, with the record in the extra field `slmmux`."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice
from openai.types.chat.chat_completion_message_function_tool_call import (
    ChatCompletionMessageFunctionToolCall,
    Function,
)
from openai.types.completion_usage import CompletionTokensDetails, PromptTokensDetails

from slmmux._mux.replies.cut_off import is_cut_off

__all__ = ["arguments_text", "completion", "finish_reason_of", "new_id", "usage_of"]


def completion(model: str, messages: Sequence[Any], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the body of a response.

    Args:
        model: The name that the client asked for.
        messages: The mux's message of each choice.
        records: The record of each choice. The first stands in the body; of several, each stands at its choice too.
    """
    choices = [_choice(i, message) for i, message in enumerate(messages)]
    body = ChatCompletion(
        id=new_id("chatcmpl"),
        choices=choices,
        created=int(time.time()),
        model=model,
        object="chat.completion",
        usage=usage_of(records),
    ).model_dump(mode="json", exclude_unset=True)
    if len(records) > 1:
        for choice, record in zip(body["choices"], records, strict=True):
            choice["slmmux"] = record
    return {**body, "slmmux": records[0]}


def new_id(kind: str) -> str:
    """Return an id as OpenAI writes it.

    Example:
        >>> new_id("chatcmpl")[:9], len(new_id("chatcmpl"))
        ('chatcmpl-', 41)
    """
    return f"{kind}-{uuid4().hex}"


def usage_of(records: Sequence[Mapping[str, Any]]) -> CompletionUsage:
    """Return the tokens of all samples of all choices."""
    usages = [record.get("usage") or {} for record in records]

    def total(name: str, *path: str) -> int:
        counts = [usage.get(name) for usage in usages]
        for step in path:
            counts = [(count or {}).get(step) for count in counts]
        return sum(count or 0 for count in counts)

    return CompletionUsage(
        prompt_tokens=total("input_tokens"),
        completion_tokens=total("output_tokens"),
        total_tokens=total("total_tokens"),
        # Written as well as read: newer clients want both, and older ones keep a field that they do not know.
        prompt_tokens_details=PromptTokensDetails.model_construct(
            cached_tokens=total("input_token_details", "cache_read"),
            cache_write_tokens=total("input_token_details", "cache_creation"),
        ),
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=total("output_token_details", "reasoning")),
    )


def finish_reason_of(message: Any) -> str:
    """Return why a message ended, in OpenAI's words."""
    metadata = message.response_metadata or {}
    if is_cut_off(metadata):  # before its calls: a client that runs them must know that more may have been coming
        return "length"
    if message.tool_calls or message.invalid_tool_calls:
        return "tool_calls"
    return "content_filter" if metadata.get("finish_reason") == "content_filter" else "stop"


def _choice(index: int, message: Any) -> Choice:
    calls = [
        ChatCompletionMessageFunctionToolCall(
            id=call["id"] or new_id("call"),
            type="function",
            function=Function(name=call["name"] or "", arguments=arguments_text(call["args"])),
        )
        for call in [*message.tool_calls, *message.invalid_tool_calls]
    ]
    text = str(message.text)
    own: dict[str, Any] = {"tool_calls": calls} if calls else {}
    if refusal := message.additional_kwargs.get("refusal"):
        own["refusal"] = refusal
    return Choice(
        finish_reason=finish_reason_of(message),  # type: ignore[arg-type]
        index=index,
        logprobs=None,
        message=ChatCompletionMessage(
            **{"refusal": None, **own}, role="assistant", content=None if not text and own else text
        ),
    )


def arguments_text(args: Any) -> str:
    """Return the arguments of a call as JSON; those that are no JSON are a text already."""
    return args if isinstance(args, str) else json.dumps(args, ensure_ascii=False)
