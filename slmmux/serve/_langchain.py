"""A chat request put to a LangChain mux: messages and call arguments in, the mux's own message or its stream out."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCall, convert_to_messages
from langchain_core.output_parsers.openai_tools import make_invalid_tool_call, parse_tool_call

from slmmux.serve._chat_request import ChatRequest
from slmmux.serve._refusal import RefusalError

__all__ = ["ChatMux", "arguments_of", "ask", "ask_streamed", "messages_of", "rest_of"]

ChatMux: TypeAlias = Any  # an SLMMuxChatModel: this package imports no adapter, and is handed one

# Settings of generation that go to the members under the same name.
_SETTINGS = ("seed", "temperature", "top_p", "frequency_penalty", "presence_penalty", "user")
_CHOICES = {"any", "auto", "none", "required"}  # what a text as tool_choice means before it means a tool


async def ask(mux: ChatMux, request: ChatRequest) -> AIMessage:
    """Return the mux's message."""
    return cast("AIMessage", await mux.ainvoke(messages_of(request), **arguments_of(request)))


async def ask_streamed(mux: ChatMux, request: ChatRequest) -> AsyncIterator[AIMessageChunk]:
    """Yield the mux's chunks: the winner as one, or a single member's own as they come."""
    async for chunk in mux.astream(messages_of(request), **arguments_of(request)):
        yield chunk


def rest_of(message: AIMessageChunk, live: AIMessageChunk) -> AIMessageChunk:
    """Return what of a whole message was not heard before.

    Raises:
        RefusalError: What was heard is no part of it: the model broke off, and another answer stands in its place.
    """
    text, heard = str(message.text), str(live.text)
    if not text.startswith(heard) or (live.tool_call_chunks and not message.tool_call_chunks):
        raise RefusalError(502, "the bigger model broke off in the middle of its answer", code="no_answer")
    refusal = None if live.additional_kwargs.get("refusal") else message.additional_kwargs.get("refusal")
    return AIMessageChunk(
        content=text.removeprefix(heard),
        additional_kwargs={"refusal": refusal} if refusal else {},
        tool_call_chunks=[] if live.tool_call_chunks else message.tool_call_chunks,
    )


def messages_of(request: ChatRequest) -> list[BaseMessage]:
    """Return the messages of a request.

    A developer's message becomes a system message: many servers of small models know no other name for it.
    """
    return [_message(message.model_dump(exclude_none=True)) for message in request.messages]


def _message(plain: dict[str, Any]) -> BaseMessage:
    calls = plain.pop("tool_calls", [])
    role = "system" if plain["role"] == "developer" else plain["role"]
    # Without content are calls alone; LangChain wants the key all the same.
    (message,) = convert_to_messages([{"content": "", **plain, "role": role}])
    if isinstance(message, AIMessage):
        for call in calls:
            try:
                parsed = parse_tool_call(call, return_id=True)
            except OutputParserException:  # arguments that were cut off: the member made them and gets them back
                message.invalid_tool_calls.append(make_invalid_tool_call(call, None))
            else:
                message.tool_calls.extend([cast("ToolCall", parsed)] if parsed else [])
    return message


def arguments_of(request: ChatRequest) -> dict[str, Any]:
    """Return the call arguments of a request, under the names that LangChain's models take."""
    arguments = {name: value for name in _SETTINGS if (value := getattr(request, name)) is not None}
    if (longest := request.max_completion_tokens or request.max_tokens) is not None:
        arguments["max_tokens"] = longest
    if request.stop:
        arguments["stop"] = [request.stop] if isinstance(request.stop, str) else request.stop
    if request.response_format is not None and request.response_format.type != "text":
        arguments["response_format"] = request.response_format.model_dump(by_alias=True, exclude_none=True)
    if request.tools:
        arguments["tools"] = [_with_parameters(tool.model_dump(exclude_none=True)) for tool in request.tools]
        if (choice := request.tool_choice) is not None:
            # "any" is the word that every LangChain model takes for OpenAI's "required".
            if isinstance(choice, str):
                arguments["tool_choice"] = "any" if choice == "required" else choice
            else:  # by its name, which every LangChain model takes, unless the name is one of those words
                name = choice.function.name
                arguments["tool_choice"] = choice.model_dump() if name in _CHOICES else name
        if request.parallel_tool_calls is False:
            arguments["parallel_tool_calls"] = False
    return arguments


def _with_parameters(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a tool with a schema of its arguments, which OpenAI allows to leave out and some servers demand."""
    function = {"parameters": {"type": "object", "properties": {}}, **tool["function"]}
    return {**tool, "function": function}
