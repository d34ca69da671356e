"""An event handler that reports samples as they arrive, for whoever shows them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base import BaseEvent
from llama_index_instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation.events.span import SpanDropEvent
from pydantic import PrivateAttr

from llamaindex_slmmux._sampling import MEMBER_TAG, SAMPLE_TAG
from slmmux import Answer

__all__ = ["watching"]


@contextmanager
def watching(
    read: Callable[[str], Answer | None],
    answered: Callable[[str, int, Any], None],
    failed: Callable[[str, int, BaseException], None],
) -> Iterator[None]:
    """Report each sample of the muxes asked meanwhile: its member's label, its index, and what came of it.

    Args:
        read: Reads a sample's text.
        answered: Called with (label, index, answer or `None`).
        failed: Called with (label, index, error).
    """
    root = get_dispatcher()
    watch = _Watch(read, answered, failed)
    root.event_handlers = [*root.event_handlers, watch]
    try:
        yield
    finally:
        root.event_handlers = [handler for handler in root.event_handlers if handler is not watch]


class _Watch(BaseEventHandler):
    _read: Callable[[str], Answer | None] = PrivateAttr()
    _answered: Callable[[str, int, Any], None] = PrivateAttr()
    _failed: Callable[[str, int, BaseException], None] = PrivateAttr()

    def __init__(
        self,
        read: Callable[[str], Answer | None],
        answered: Callable[[str, int, Any], None],
        failed: Callable[[str, int, BaseException], None],
    ) -> None:
        super().__init__()
        self._read, self._answered, self._failed = read, answered, failed

    @classmethod
    def class_name(cls) -> str:
        """Return the name LlamaIndex knows it by."""
        return "SLMMuxWatch"

    def handle(self, event: BaseEvent, **_: Any) -> None:
        """Report a sample's answer or failure; events that belong to no sample are not ours."""
        if MEMBER_TAG not in event.tags:
            return
        sample: tuple[str, int] = (event.tags[MEMBER_TAG], event.tags[SAMPLE_TAG])
        if isinstance(event, SpanDropEvent):
            self._failed(*sample, RuntimeError(event.err_str))
        elif isinstance(event, ExceptionEvent):
            self._failed(*sample, event.exception)
        elif isinstance(event, LLMChatEndEvent) and event.response is not None:
            self._tell(sample, event.response.message.content)
        elif isinstance(event, LLMCompletionEndEvent):
            self._tell(sample, event.response.text)

    def _tell(self, sample: tuple[str, int], text: str | None) -> None:
        answer = self._read(text or "")
        self._answered(*sample, answer.value if answer else None)
