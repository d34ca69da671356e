"""What the table must know of LlamaIndex: how a mux is made, and how its users listen to a call."""

import contextlib
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base import BaseEvent
from llama_index_instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation.span import SimpleSpan
from llama_index_instrumentation.span_handlers import BaseSpanHandler
from pydantic import Field

from llamaindex_slmmux import SLMMuxLLM

from ..plain import plain

__all__ = ["LlamaIndex"]

_OWN = {"id_", "timestamp", "span_id", "tags"}
_OF_ONE_RUN = {"llamaindex.run_id"}  # a tag that a workflow draws for each run


class _Events(BaseEventHandler):
    events: list[Any] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "_Events"

    def handle(self, event: BaseEvent, **_: Any) -> None:
        self.events.append(event)


class _Spans(BaseSpanHandler[SimpleSpan]):
    entered: dict[str, Any] = Field(default_factory=dict)
    parents: dict[str, Any] = Field(default_factory=dict)
    left: list[str] = Field(default_factory=list)

    def __init__(self, **_: Any) -> None:
        super().__init__()

    @classmethod
    def class_name(cls) -> str:
        return "_Spans"

    def new_span(
        self, id_: str, bound_args: inspect.BoundArguments, instance: Any = None, parent_span_id: Any = None, **_: Any
    ) -> SimpleSpan:
        self.entered[id_] = type(instance).__name__
        self.parents[id_] = parent_span_id
        return SimpleSpan(id_=id_, parent_id=parent_span_id)

    def prepare_to_exit_span(self, id_: str, *_: Any, **__: Any) -> SimpleSpan:
        self.left.append(id_)
        return self.open_spans[id_]

    def prepare_to_drop_span(self, id_: str, *_: Any, **__: Any) -> SimpleSpan:
        self.left.append(id_)
        return self.open_spans[id_]


class _Callbacks(BaseCallbackHandler):
    """The events of the older callbacks."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.heard: list[Any] = []
        self.exceptions: list[Any] = []
        self._depth = 0

    def on_event_start(self, event_type: Any, payload: Any = None, event_id: str = "", **_: Any) -> str:
        kept = {k: plain(v) for k, v in (payload or {}).items() if k.value != "serialized"}
        if event_type.value == "exception":  # it never ends, and comes before or after the end of what it broke
            self.exceptions.append(kept)
            return event_id
        self._depth += 1
        if self._depth > 1:
            return event_id
        self.heard.append({"start": event_type.value, **kept})
        return event_id

    def on_event_end(self, event_type: Any, payload: Any = None, event_id: str = "", **_: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.heard.append({"end": event_type.value, **{k: plain(v) for k, v in (payload or {}).items()}})

    def start_trace(self, trace_id: str | None = None) -> None:
        pass

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None:
        pass


def _is_call(event: BaseEvent) -> bool:
    return type(event).__name__.startswith(("LLMChat", "LLMCompletion"))


def _is_structured(event: BaseEvent) -> bool:
    return type(event).__name__.startswith("LLMStructuredPredict")


def _is_beside(event: BaseEvent) -> bool:
    return _is_structured(event) or type(event).__name__ == "SpanDropEvent"


def _outermost(events: Iterable[BaseEvent]) -> Iterator[BaseEvent]:
    """Yield events without the chats and completions that began within another."""
    opened: list[str] = []  # what each began as, a chat or a completion, the outermost first
    for event in events:
        name = type(event).__name__
        form = name.removesuffix("Event").removesuffix("Start").removesuffix("End").removesuffix("InProgress")
        if _is_call(event) and name.endswith("EndEvent") and opened:
            opened.pop()
        if not opened or not _is_call(event) or ("InProgress" in name and form == opened[0]):
            yield event
        if _is_call(event) and name.endswith("StartEvent"):
            opened.append(form)


class LlamaIndexWatch:
    """Handlers of events and spans, older callbacks and the counter of tokens.

    The mux's own span and events stand around the member's, which carry a tag: they are compared by themselves, chats
    and completions only, as a member is asked below the methods that every LLM inherits. Of those one within another
    the outer is kept: an LLM may answer a completion by a chat of its own.
    """

    def __init__(self) -> None:
        self.seen, self.spans, self.callbacks = _Events(), _Spans(), _Callbacks()
        self.counter = TokenCountingHandler(tokenizer=lambda text: text.split(), verbose=False)

    def config(self) -> dict[str, Any]:
        return {}

    def events(self) -> dict[str, Any]:
        ours = any(name == "SLMMuxLLM" for name in self.spans.entered.values())
        tagged = [event for event in self.seen.events if "slmmux_member" in event.tags]
        spans = [id_ for id_ in self.spans.entered if self.spans.parents[id_] not in self.spans.entered]
        own = [event for event in self.seen.events if event not in tagged]
        if not any(_is_call(event) for event in own):  # a mux of one has no chat of its own where it streams a schema
            own = self.seen.events
        return {
            "heard": [self._plain(event) for event in _outermost(own) if not _is_beside(event)],
            "drops": self._drops(),
            "structured": [self._plain(event) for event in own if _is_structured(event)],
            "member": [
                {**self._plain(event), "tags": {n: plain(v) for n, v in event.tags.items() if n not in _OF_ONE_RUN}}
                for event in _outermost(tagged if ours else self._of_models())
                if _is_call(event)
            ],
            "spans": [id_.rpartition(".")[2].partition("-")[0] for id_ in spans],
            "spans left open": [id_ for id_ in self.spans.entered if id_ not in self.spans.left],
            "callbacks": self.callbacks.heard,
            "exceptions": self.callbacks.exceptions,
            "tokens": {
                "prompt": self.counter.prompt_llm_token_count,
                "completion": self.counter.completion_llm_token_count,
                "events": len(self.counter.llm_token_counts),
            },
        }

    def _drops(self) -> list[str]:
        """Return what broke spans that stand within no other."""
        within = {id_ for id_, parent in self.spans.parents.items() if parent in self.spans.entered}
        drops = [e for e in self.seen.events if type(e).__name__ == "SpanDropEvent" and e.span_id not in within]
        return [event.err_str for event in drops]

    def _of_models(self) -> list[BaseEvent]:
        """Return the events without those of LlamaIndex's wrapper that asks an LLM for a schema."""
        return [event for event in self.seen.events if self.spans.entered.get(event.span_id) != "StructuredLLM"]

    def _plain(self, event: BaseEvent) -> dict[str, Any]:
        fields = {n: plain(getattr(event, n)) for n in type(event).model_fields if n not in _OWN}
        return {"event": type(event).__name__, **fields}

    def names(self) -> dict[str, str]:
        return {}


class LlamaIndex:
    """LlamaIndex's part of the table."""

    def mux(self, member: Any) -> SLMMuxLLM:
        return SLMMuxLLM(models={"member": member}, samples=1)

    @contextlib.contextmanager
    def watch(self, model: Any) -> Iterator[LlamaIndexWatch]:
        watch = LlamaIndexWatch()
        root = get_dispatcher()
        before = getattr(model, "callback_manager", None)  # some lose it in their own pickle
        root.add_event_handler(watch.seen)
        root.add_span_handler(watch.spans)
        model.callback_manager = CallbackManager([watch.callbacks, watch.counter])
        try:
            yield watch
        finally:
            model.callback_manager = before
            root.event_handlers = [h for h in root.event_handlers if h is not watch.seen]
            root.span_handlers = [h for h in root.span_handlers if h is not watch.spans]
