"""A callback handler that reports samples as they arrive, for whoever shows them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from slmmux import Answer

__all__ = ["Watch"]


class Watch(BaseCallbackHandler):
    """Reports each sample of a mux: its member's label, its index, and what came of it.

    Args:
        read: Reads a sample's text.
        answered: Called with (label, index, answer or `None`).
        failed: Called with (label, index, error).
    """

    def __init__(
        self,
        read: Callable[[str], Answer | None],
        answered: Callable[[str, int, Any], None],
        failed: Callable[[str, int, BaseException], None],
    ) -> None:
        self._read = read
        self._answered = answered
        self._failed = failed
        self._samples: dict[UUID, tuple[str, int]] = {}

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002
        messages: list[list[BaseMessage]],  # noqa: ARG002
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Remember which run is which sample."""
        if metadata and "slmmux_member" in metadata:
            self._samples[run_id] = (metadata["slmmux_member"], metadata["slmmux_sample"])

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002
        """Report a sample's answer."""
        if run_id in self._samples and isinstance(generation := response.generations[0][0], ChatGeneration):
            answer = self._read(str(generation.message.text))
            self._answered(*self._samples.pop(run_id), answer.value if answer else None)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002
        """Report a sample's failure."""
        if run_id in self._samples:
            self._failed(*self._samples.pop(run_id), error)
