"""What is private in LlamaIndex, and in what stands on it, and used here all the same: each name once.

A release may rename any of them. `tests/llamaindex/test_private.py` says which one, so that this file alone changes.
The methods that an LLM has to define itself (`_prepare_chat_with_tools`, ...) stand in the classes, as overrides.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate

__all__ = [
    "OPENAI_CLIENTS",
    "client_builders",
    "completion_prompt",
    "predicted_messages",
    "suppression",
    "token_counts",
]

# Under which attributes OpenAI's class keeps its two clients.
OPENAI_CLIENTS = ("_client", "_aclient")


def predicted_messages(llm: LLM, prompt: BasePromptTemplate, arguments: Mapping[str, Any]) -> Sequence[ChatMessage]:
    """Return the messages that `predict` of an LLM alone would send."""
    messages: Sequence[ChatMessage] = llm._get_messages(prompt, **arguments)
    return messages


def completion_prompt(llm: LLM, prompt: BasePromptTemplate, arguments: Mapping[str, Any]) -> str:
    """Return the text that `predict` of an LLM alone would complete."""
    return llm._get_prompt(prompt, **arguments)


def client_builders(llm: LLM) -> list[Callable[[], Any]]:
    """Return what builds an LLM's clients, which most classes do at their first call; none if a class has no such."""
    builders = [getattr(llm, name, None) for name in ("_get_client", "_get_aclient")]
    return [builder for builder in builders if callable(builder)]


def token_counts(llm: Any, completion: Any) -> dict[str, Any]:
    """Return the tokens of a completion as OpenAI's class puts them into `additional_kwargs`."""
    counts: dict[str, Any] = llm._get_response_token_counts(completion)
    return counts


def suppression() -> tuple[Any, Any] | None:
    """Return OpenTelemetry's context module and the key in it that keeps tracers still; `None` without it.

    The public context manager would have to be left in the context it was entered in, and a sample's context ends
    unseen.
    """
    context: Any = sys.modules.get("opentelemetry.context")
    key = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", None)
    return None if context is None or key is None else (context, key)
