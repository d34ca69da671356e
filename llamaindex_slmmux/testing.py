"""A scripted member, for our tests and for those of users: replies by rule, so that every run is the same.

It is a real LLM: it takes tools, schemas, a temperature and a stop sequence like others do, reports its calls like
others do, and knows neither network nor chance.
"""

import json
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool
from pydantic import Field, PrivateAttr
from typing_extensions import override

from slmmux.testing import Turns

__all__ = ["ScriptedLLM"]

Script = Callable[[list[ChatMessage], int, dict[str, Any]], "ChatMessage | str"]


class ScriptedLLM(FunctionCallingLLM):
    """An LLM that replies by script.

    Args:
        script: The replies in turn (the last repeats; an exception among them is raised), or a function of
            (messages, number of this call, call arguments) that returns the reply. A reply is a text or a message.
        model: The name it goes by.
        tokens: Input and output tokens it reports for each reply; `None` reports none.
        temperature: Taken and kept, changes nothing.
        context_window: What its metadata say.
        calls_functions: Whether it says that it calls functions.

    Example:
        >>> ScriptedLLM(script=["4", "5"]).complete("2 + 2?").text
        '4'
    """

    script: Any = Field(exclude=True, repr=False)
    model: str = "scripted"
    tokens: tuple[int, int] | None = (10, 2)
    temperature: float | None = None
    max_tokens: int | None = None
    context_window: int = 4096
    calls_functions: bool = True

    # Shared by all copies, so that the calls of a wrapped copy are counted where the test can see them.
    _turns: Turns[ChatMessage] = PrivateAttr(default_factory=Turns)

    @classmethod
    @override
    def class_name(cls) -> str:
        return "ScriptedLLM"

    @property
    @override
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            context_window=self.context_window,
            num_output=self.max_tokens or -1,
            is_chat_model=True,
            is_function_calling_model=self.calls_functions,
            model_name=self.model,
        )

    @property
    def calls(self) -> list[list[ChatMessage]]:
        """Return the messages of every call so far, in order."""
        return self._turns.calls

    def _reply(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatResponse:
        reply = self._turns.reply(self.script, messages, kwargs)
        message = reply if isinstance(reply, ChatMessage) else ChatMessage(role="assistant", content=str(reply))
        raw: dict[str, Any] = {"model": self.model}
        if self.tokens is not None:
            prompt_tokens, completion_tokens = self.tokens
            raw["usage"] = {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            }
        return ChatResponse(message=message, raw=raw)

    def _completed(self, prompt: str, kwargs: dict[str, Any]) -> CompletionResponse:
        response = self._reply([ChatMessage(role=MessageRole.USER, content=prompt)], kwargs)
        return CompletionResponse(text=response.message.content or "", raw=response.raw)

    @llm_chat_callback()
    @override
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self._reply(messages, kwargs)

    @llm_chat_callback()
    @override
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self._reply(messages, kwargs)

    @llm_chat_callback()
    @override
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        return _in_one_piece(_with_delta(self._reply(messages, kwargs)))

    @llm_chat_callback()
    @override
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        return _ain_one_piece(_with_delta(self._reply(messages, kwargs)))

    @llm_completion_callback()
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return self._completed(prompt, kwargs)

    @llm_completion_callback()
    @override
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return self._completed(prompt, kwargs)

    @llm_completion_callback()
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        return _in_one_piece(self._completed(prompt, kwargs))

    @llm_completion_callback()
    @override
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        return _ain_one_piece(self._completed(prompt, kwargs))

    @override
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        # Like OpenAI's LLM it appends to the very list it is given, which a wrapper must survive.
        messages = chat_history if chat_history is not None else []
        if user_msg:
            messages.append(
                ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg
            )
        specs = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        return {"messages": messages, "tools": specs, "tool_required": tool_required, **kwargs}

    @override
    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        if not blocks and error_on_no_tool_call:
            raise ValueError("the script made no tool call")
        return [
            ToolSelection(
                tool_id=block.tool_call_id or "",
                tool_name=block.tool_name,
                tool_kwargs=json.loads(block.tool_kwargs) if isinstance(block.tool_kwargs, str) else block.tool_kwargs,
            )
            for block in blocks
        ]


def _with_delta(response: ChatResponse) -> ChatResponse:
    return response.model_copy(update={"delta": response.message.content or ""})


def _in_one_piece(response: Any) -> Generator[Any, None, None]:
    yield response


async def _ain_one_piece(response: Any) -> AsyncGenerator[Any, None]:
    yield response
