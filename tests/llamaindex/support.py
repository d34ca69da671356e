"""What the tests of the LlamaIndex class share: what a tracer sees, members that wait, tools and calls of them."""

import asyncio
import inspect
import threading
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index_instrumentation.base import BaseEvent
from llama_index_instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation.span import SimpleSpan
from llama_index_instrumentation.span_handlers import BaseSpanHandler
from pydantic import Field, PrivateAttr

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM


def user(text: str) -> list[ChatMessage]:
    """Return a question as messages."""
    return [ChatMessage(role=MessageRole.USER, content=text)]


def calling(name: str, call_id: str = "call_1", **args: Any) -> ChatMessage:
    """Return a message that calls a tool."""
    return ChatMessage(
        role=MessageRole.ASSISTANT,
        blocks=[ToolCallBlock(tool_call_id=call_id, tool_name=name, tool_kwargs=args)],
    )


class Events(BaseEventHandler):
    """Every event, in order."""

    events: list[Any] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Events"

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self.events.append(event)

    def of(self, *names: str) -> list[Any]:
        """Return the events of these classes, by name."""
        return [event for event in self.events if type(event).__name__ in names]


class Spans(BaseSpanHandler[SimpleSpan]):
    """Every span, by its id: its parent, its tags, and whether it ended."""

    parents: dict[str, str | None] = Field(default_factory=dict)
    tags: dict[str, dict[str, Any]] = Field(default_factory=dict)
    ended: list[str] = Field(default_factory=list)
    dropped: dict[str, Any] = Field(default_factory=dict)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()

    @classmethod
    def class_name(cls) -> str:
        return "Spans"

    def new_span(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any = None,
        parent_span_id: str | None = None,
        tags: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> SimpleSpan:
        self.parents[id_] = parent_span_id
        self.tags[id_] = dict(tags or {})
        return SimpleSpan(id_=id_, parent_id=parent_span_id, tags=tags or {})

    def prepare_to_exit_span(self, id_: str, *args: Any, **kwargs: Any) -> SimpleSpan:
        self.ended.append(id_)
        return self.open_spans[id_]

    def prepare_to_drop_span(self, id_: str, *args: Any, err: Any = None, **kwargs: Any) -> SimpleSpan:
        self.dropped[id_] = err
        return self.open_spans[id_]

    @property
    def unclosed(self) -> list[str]:
        """The spans that were entered and neither left nor dropped."""
        return [id_ for id_ in self.parents if id_ not in self.ended and id_ not in self.dropped]

    def above(self, id_: str) -> list[str]:
        """Return a span's ancestors, nearest first."""
        found: list[str] = []
        while (parent := self.parents.get(id_)) is not None:
            found.append(parent)
            id_ = parent
        return found


class Waiting(ScriptedLLM):
    """A member whose sync calls wait until the test lets go."""

    _begun: threading.Event = PrivateAttr(default_factory=threading.Event)
    _go: threading.Event = PrivateAttr(default_factory=threading.Event)

    @property
    def begun(self) -> threading.Event:
        return self._begun

    @property
    def go(self) -> threading.Event:
        return self._go

    def _reply(self, messages: Any, kwargs: dict[str, Any]) -> ChatResponse:
        self._begun.set()
        self._go.wait(60)
        return super()._reply(messages, kwargs)


class CompletionOnly(CustomLLM):
    """A member that only completes texts, and whose async calls are its sync calls, as CustomLLM has them."""

    script: list[str] = Field(default_factory=lambda: ["4"])
    prompts: list[str] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=2048, num_output=64, model_name="completion-only")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        self.prompts.append(prompt)
        return CompletionResponse(text=self.script[min(len(self.prompts), len(self.script)) - 1])

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


def outvoting(script: Any, **options: Any) -> tuple[SLMMuxLLM, ScriptedLLM]:
    """Return a mux where one member wins by agreement and not by rank, and that member.

    Args:
        script: What "sure" says; it stands behind "wavers", whose every sample is another.
        options: The mux's own.
    """
    sure = ScriptedLLM(script=script)
    models = {"wavers": ScriptedLLM(script=lambda messages, turn, kwargs: f"Perhaps {turn}."), "sure": sure}
    # Every sample is waited for, so that calls can be counted.
    return SLMMuxLLM(models=models, **{"samples": 3, "wait": "exhausted", **options}), sure


class Hanging(ScriptedLLM):
    """A member whose async calls never end by themselves, and which says when they begin and are cancelled."""

    _begun: list[bool] = PrivateAttr(default_factory=list)
    _cancelled: list[bool] = PrivateAttr(default_factory=list)

    @property
    def begun(self) -> list[bool]:
        return self._begun

    @property
    def cancelled(self) -> list[bool]:
        return self._cancelled

    @llm_chat_callback()
    async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        self._begun.append(True)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._cancelled.append(True)
            raise
        raise AssertionError("nobody sets the event")


SYNC = ("chat", "complete", "stream_chat", "stream_complete")
ASYNC = tuple(f"a{way}" for way in SYNC)


def ask(llm: Any, way: str, text: str = "q", **kwargs: Any) -> list[Any]:
    """Ask in one of the eight ways; return what came: a response, or a stream's chunks."""
    if way in ASYNC:
        return asyncio.run(aask(llm, way, text, **kwargs))
    came = getattr(llm, way)(user(text) if way.endswith("chat") else text, **kwargs)
    return list(came) if "stream" in way else [came]


async def aask(llm: Any, way: str, text: str = "q", **kwargs: Any) -> list[Any]:
    """Ask in one of the eight ways on this event loop."""
    if way in SYNC:
        return ask(llm, way, text, **kwargs)
    came = await getattr(llm, way)(user(text) if way.endswith("chat") else text, **kwargs)
    return [chunk async for chunk in came] if "stream" in way else [came]


def text_of(response: ChatResponse | CompletionResponse) -> str | None:
    """Return the text of a response of either family."""
    return response.message.content if isinstance(response, ChatResponse) else response.text
