"""A prompt as each member forms it itself.

`predict` turns a prompt into messages or a text by the LLM's own settings (`system_prompt`, `query_wrapper_prompt`,
`completion_to_prompt`, `output_parser`). The mux's own settings would replace the members' there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate

from llamaindex_slmmux._private import completion_prompt, predicted_messages

__all__ = ["Predicted", "predicted", "predicting"]


@dataclass(frozen=True)
class Predicted:
    """A prompt and what it is filled with."""

    prompt: BasePromptTemplate
    arguments: Mapping[str, Any]

    def messages(self, llm: LLM) -> Sequence[ChatMessage]:
        """Return the messages that an LLM alone would send."""
        return predicted_messages(llm, self.prompt, self.arguments)

    def completion_prompt(self, llm: LLM) -> str:
        """Return the text that an LLM alone would complete."""
        return completion_prompt(llm, self.prompt, self.arguments)


_predicted: ContextVar[Predicted | None] = ContextVar("slmmux_predicted", default=None)


@contextmanager
def predicting(prompt: BasePromptTemplate, arguments: Mapping[str, Any]) -> Iterator[None]:
    """Let the chat that `predict` begins know the prompt it came from."""
    token = _predicted.set(Predicted(prompt, arguments))
    try:
        yield
    finally:
        _predicted.reset(token)


def predicted() -> Predicted | None:
    """Return the prompt of the `predict` that is under way, once: what it calls later has prompts of its own."""
    prompt = _predicted.get()
    _predicted.set(None)
    return prompt
