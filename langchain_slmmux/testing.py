"""A scripted member, for our tests and for those of users: replies by rule, so that every run is the same.

It is a real chat model: it takes tools, schemas, a temperature, a `n`-less request and a stop sequence like others do,
and knows neither network nor chance.
"""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr

from slmmux.testing import Turns

__all__ = ["ScriptedChatModel"]

Script = Callable[[list[BaseMessage], int, dict[str, Any]], "AIMessage | str"]


class ScriptedChatModel(BaseChatModel):
    """A chat model that replies by script.

    Args:
        script: The replies in turn (the last repeats; an exception among them is raised), or a function of
            (messages, number of this call, call arguments) that returns the reply.
        model_name: The name it goes by.
        tokens: Input and output tokens it reports for each reply; `None` reports none.
        temperature: Taken and kept, changes nothing.

    Example:
        >>> ScriptedChatModel(script=["4", "5"]).invoke("2 + 2?").text
        '4'
    """

    script: Any = Field(exclude=True, repr=False)
    model_name: str = "scripted"
    tokens: tuple[int, int] | None = (10, 2)
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None

    # Shared by all copies, so that the calls of a wrapped copy are counted where the test can see them.
    _turns: Turns[BaseMessage] = PrivateAttr(default_factory=Turns)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def calls(self) -> list[list[BaseMessage]]:
        """Return the messages of every call so far, in order."""
        return self._turns.calls

    def _reply(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> ChatResult:
        reply = self._turns.reply(self.script, messages, kwargs)
        message = reply.model_copy() if isinstance(reply, AIMessage) else AIMessage(str(reply))
        if self.tokens is not None and message.usage_metadata is None:
            prompt_tokens, completion_tokens = self.tokens
            message.usage_metadata = {
                "input_tokens": prompt_tokens,
                "output_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            }
        message.response_metadata = {
            "model_name": self.model_name,
            "finish_reason": "stop",
            **message.response_metadata,
        }
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        return self._reply(messages, {"stop": stop, **kwargs})

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        return self._reply(messages, {"stop": stop, **kwargs})

    def bind_tools(
        self,
        tools: Sequence[Any],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools in OpenAI's format."""
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **choice, **kwargs)
