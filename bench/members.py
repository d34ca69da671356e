"""Chat models that reply by a rule and after the rule's delay, without a network and without chance."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.llms.callbacks import llm_chat_callback
from pydantic import ConfigDict, Field, PrivateAttr
from typing_extensions import override

from llamaindex_slmmux.testing import ScriptedLLM

__all__ = ["AsyncLLM", "AsyncMember", "Instant", "Meeting", "SyncMember", "Turns"]


class Turns:
    """The number of times that a member was asked each question, over all copies of the member."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def __deepcopy__(self, memo: object) -> "Turns":
        return self

    def take(self, question: str) -> int:
        """Count one more time, and return the number of earlier times."""
        with self._lock:
            self.counts[question] += 1
            return self.counts[question] - 1


class Meeting:
    """A rule that replies once all expected calls are running, which shows without a clock that they run side by side.

    Args:
        expected: The number of calls to wait for.
    """

    def __init__(self, expected: int) -> None:
        self._barrier = threading.Barrier(expected, timeout=60)
        self._expected = expected
        self._arrived = 0
        self._all = asyncio.Event()

    async def reply(self, question: str, turn: int) -> str:  # noqa: ARG002 - a member's rule
        """Reply when all calls are running."""
        self._arrived += 1
        if self._arrived == self._expected:
            self._all.set()
        await self._all.wait()
        return "4"

    def sync_reply(self, question: str, turn: int) -> str:  # noqa: ARG002 - a member's rule
        """Reply when all calls are running, in a thread."""
        self._barrier.wait()
        return "4"


class Instant(BaseChatModel):
    """A chat model that replies "4" at once, async and sync."""

    @property
    @override
    def _llm_type(self) -> str:
        return "instant"

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result("4")

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result("4")


class SyncMember(BaseChatModel):
    """A chat model with a sync call only.

    Args:
        reply: A function of a question and the number of earlier times it was asked; it may sleep.
    """

    reply: Callable[[str, int], Any] = Field(exclude=True, repr=False)
    turns: Turns = Field(default_factory=Turns, exclude=True, repr=False)

    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    @override
    def _llm_type(self) -> str:
        return "timed"

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        question = str(messages[-1].content)
        return _result(self.reply(question, self.turns.take(question)))


class AsyncMember(SyncMember):
    """A chat model with an async call; its rule is a coroutine function."""

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        question = str(messages[-1].content)
        return _result(await self.reply(question, self.turns.take(question)))


class AsyncLLM(ScriptedLLM):
    """A LlamaIndex LLM with an async call.

    Args:
        reply: As for `AsyncMember`.
    """

    script: Any = None
    reply: Callable[[str, int], Awaitable[str]] = Field(exclude=True, repr=False)

    _turns: Turns = PrivateAttr(default_factory=Turns)

    @property
    def turns(self) -> Turns:
        """The number of times it was asked each question."""
        return self._turns

    @llm_chat_callback()
    @override
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        question = str(messages[-1].content)
        text = await self.reply(question, self.turns.take(question))
        return ChatResponse(message=ChatMessage(role="assistant", content=text), raw={})


def _result(text: str) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])
