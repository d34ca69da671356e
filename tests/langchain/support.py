"""A tracer that keeps what it saw, and members that wait for the test."""

import threading
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.tracers.base import AsyncBaseTracer, BaseTracer
from langchain_core.tracers.schemas import Run
from pydantic import PrivateAttr

from langchain_slmmux.testing import ScriptedChatModel


class Seen(BaseTracer):
    """Every run that began, in order, and every one that ended."""

    def __init__(self) -> None:
        super().__init__()
        self.roots: list[Run] = []
        self.begun: list[Run] = []

    def _persist_run(self, run: Run) -> None:
        self.roots.append(run)

    def _on_run_create(self, run: Run) -> None:
        self.begun.append(run)

    @property
    def samples(self) -> list[Run]:
        return [run for run in self.begun if "slmmux:sample" in (run.tags or [])]

    @property
    def unclosed(self) -> list[str]:
        return [run.name for run in self.begun if run.end_time is None]


class AsyncSeen(AsyncBaseTracer):
    """The same over LangChain's async handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[Run] = []

    async def _persist_run(self, run: Run) -> None:
        pass

    async def _on_run_create(self, run: Run) -> None:
        self.begun.append(run)

    @property
    def unclosed(self) -> list[str]:
        return [run.name for run in self.begun if run.end_time is None]


class Waiting(ScriptedChatModel):
    """A member whose sync calls wait until the test lets go."""

    _begun: threading.Event = PrivateAttr(default_factory=threading.Event)
    _go: threading.Event = PrivateAttr(default_factory=threading.Event)
    _ended: threading.Event = PrivateAttr(default_factory=threading.Event)

    @property
    def begun(self) -> threading.Event:
        return self._begun

    @property
    def go(self) -> threading.Event:
        return self._go

    @property
    def ended(self) -> threading.Event:
        return self._ended

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self._begun.set()
        self._go.wait(60)
        try:
            return self._reply(messages, kwargs)
        finally:
            self._ended.set()
