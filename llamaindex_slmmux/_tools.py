"""Tools on their way through the mux: JSON for whoever logs the request, and the tools themselves for the members."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.llms.utils import parse_partial_json
from llama_index.core.tools.types import BaseTool

__all__ = ["LiveTools", "arguments_of", "calls_of", "in_openai_form", "selections", "with_calls"]


class LiveTools(list[dict[str, Any]]):
    """Tools in OpenAI's form, with the live ones behind.

    LlamaIndex puts call arguments into events, which tracers write as JSON, so the arguments hold plain dicts; each
    member binds the live tools in its own way.

    Attributes:
        live: The tools.
    """

    def __init__(self, tools: Sequence[BaseTool]) -> None:
        super().__init__(tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools)
        self.live = tuple(tools)


def calls_of(llm: LLM, response: ChatResponse) -> list[ToolSelection]:
    """Return a member's tool calls, read the member's own way."""
    if isinstance(llm, FunctionCallingLLM) and _has_calls(response):
        try:
            return list(llm.get_tool_calls_from_response(response, error_on_no_tool_call=False))
        except ValueError:  # a call that was cut off: whoever asks for the calls is told, the reply itself stands
            return selections(response)
    return []


def _has_calls(response: ChatResponse) -> bool:
    message = response.message
    in_blocks = any(isinstance(block, ToolCallBlock) for block in message.blocks)
    return in_blocks or bool(message.additional_kwargs.get("tool_calls"))


def with_calls(calls: Sequence[ToolSelection]) -> list[ToolCallBlock]:
    """Return tool calls as the blocks of a message."""
    return [
        ToolCallBlock(tool_call_id=call.tool_id, tool_name=call.tool_name, tool_kwargs=dict(call.tool_kwargs))
        for call in calls
    ]


def in_openai_form(calls: Sequence[ToolSelection]) -> list[dict[str, Any]]:
    """Return tool calls as `additional_kwargs` has them: LlamaIndex looks there first when it streams structures."""
    return [
        {
            "id": call.tool_id,
            "type": "function",
            "function": {"name": call.tool_name, "arguments": json.dumps(call.tool_kwargs)},
        }
        for call in calls
    ]


def selections(response: ChatResponse) -> list[ToolSelection]:
    """Return the tool calls of a message, whole or still being streamed."""
    return [
        ToolSelection(
            tool_id=block.tool_call_id or "",
            tool_name=block.tool_name,
            tool_kwargs=arguments_of(block.tool_kwargs),
        )
        for block in response.message.blocks
        if isinstance(block, ToolCallBlock)
    ]


def arguments_of(written: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return a call's arguments, which some classes leave as text; of a text that was cut off, what can be read."""
    if not isinstance(written, str):
        return dict(written)
    try:
        arguments: dict[str, Any] = parse_partial_json(written)
    except ValueError:
        return {}
    return arguments
