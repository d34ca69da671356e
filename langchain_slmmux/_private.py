"""What is private in LangChain and used here all the same: each name once, with what happens without it.

A release may rename any of them. `tests/langchain/test_private.py` says which one, so that this file alone changes. The
methods that a chat model has to define itself (`_generate`, `_stream`, ...) stand in the class, as overrides.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from langchain_core.language_models import BaseChatModel, chat_models
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import SimpleChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

__all__ = [
    "agenerate", "astream", "can_stream", "combined_output", "described_as", "drop_description", "events_of",
    "generate", "identifying_params", "invocation_params", "is_sync_only", "is_traced", "ls_params",
    "ls_params_with_defaults", "result_of_completion", "should_stream", "stream", "traced_form",
]  # fmt: skip


def traced_form(messages: list[BaseMessage]) -> list[BaseMessage]:
    """Return messages in the form that LangChain's own runs show them; as they are if there is no such form."""
    formatted = getattr(chat_models, "_format_for_tracing", None)
    return messages if formatted is None else list(formatted(messages))


def events_of(message: BaseMessage) -> Iterator[Any]:
    """Yield a message that was never streamed as the events of the v3 protocol; there is no other way to make them."""
    from langchain_core.language_models._compat_bridge import message_to_events  # noqa: PLC0415 - in newer releases

    yield from message_to_events(message, message_id=message.id)


def is_traced() -> bool:
    """Return whether LangSmith's tracing is on, by the environment or a context."""
    from langchain_core.tracers.context import _tracing_v2_is_enabled  # noqa: PLC0415

    return bool(_tracing_v2_is_enabled())


# --- a member's call below the public methods, which would each open a run of their own ---------------------------


def generate(model: BaseChatModel, messages: list[BaseMessage], **arguments: Any) -> ChatResult:
    """Return a model's reply, out of its own cache where it has one."""
    return model._generate_with_cache(messages, **arguments)


async def agenerate(model: BaseChatModel, messages: list[BaseMessage], **arguments: Any) -> ChatResult:
    """Return a model's reply on the event loop."""
    return await model._agenerate_with_cache(messages, **arguments)


def stream(model: BaseChatModel, messages: list[BaseMessage], **arguments: Any) -> Iterator[ChatGenerationChunk]:
    """Return the chunks of a model's reply."""
    return model._stream(messages, **arguments)


def astream(model: BaseChatModel, messages: list[BaseMessage], **arguments: Any) -> AsyncIterator[ChatGenerationChunk]:
    """Return the chunks of a model's reply on the event loop."""
    return model._astream(messages, **arguments)


def can_stream(model: BaseChatModel) -> bool:
    """Return whether a chat model can stream at all."""
    cls = type(model)
    return cls._stream is not BaseChatModel._stream or cls._astream is not BaseChatModel._astream


def should_stream(model: BaseChatModel, **arguments: Any) -> bool:
    """Return whether a model alone would answer by a stream, as its settings and listeners have it."""
    return model._should_stream(**arguments)


def is_sync_only(model: BaseChatModel) -> bool:
    """Return whether a model's async call is LangChain's own, which makes the sync call on the loop's few threads."""
    return type(model)._agenerate in {BaseChatModel._agenerate, SimpleChatModel._agenerate}


def result_of_completion(model: BaseChatModel) -> Callable[[Any], ChatResult] | None:
    """Return what makes a result of a completion of OpenAI's; `None` for classes of other makers."""
    return cast("Callable[[Any], ChatResult] | None", getattr(model, "_create_chat_result", None))


def combined_output(model: BaseChatModel, outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Return what a model's class says of several results together, beside their messages."""
    return model._combine_llm_outputs(outputs)


# --- how a model is described in traces and cache keys ------------------------------------------------------------


def described_as(model: BaseChatModel) -> dict[str, Any]:
    """Return a model as traces show it."""
    return model._serialized


def drop_description(copy: BaseChatModel) -> None:
    """Let a copy describe itself anew: the description is kept, and stale in a copy with other settings."""
    vars(copy).pop("_serialized", None)


def identifying_params(model: BaseChatModel) -> Any:
    """Return the parameters that a model's class says tell it from another."""
    return model._identifying_params


def invocation_params(model: BaseChatModel, **arguments: Any) -> dict[str, Any]:
    """Return the parameters of a call, as a run shows them."""
    return model._get_invocation_params(**arguments)


def ls_params(model: BaseChatModel, **arguments: Any) -> LangSmithParams:
    """Return what LangSmith knows a call's model and prices by."""
    return model._get_ls_params(**arguments)


def ls_params_with_defaults(model: BaseChatModel, **arguments: Any) -> LangSmithParams:
    """Return the same with what LangChain adds to it for every class."""
    return model._get_ls_params_with_defaults(**arguments)
