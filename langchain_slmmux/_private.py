"""What is private in LangChain and used here all the same: each name once, with what happens without it.

A release may rename any of them. `tests/langchain/test_private.py` says which one, so that this file alone changes.
"""

from collections.abc import Iterator
from typing import Any

from langchain_core.language_models import chat_models
from langchain_core.messages import BaseMessage

__all__ = ["events_of", "traced_form"]


def traced_form(messages: list[BaseMessage]) -> list[BaseMessage]:
    """Return messages in the form that LangChain's own runs show them; as they are if there is no such form."""
    formatted = getattr(chat_models, "_format_for_tracing", None)
    return messages if formatted is None else list(formatted(messages))


def events_of(message: BaseMessage) -> Iterator[Any]:
    """Yield a message that was never streamed as the events of the v3 protocol; there is no other way to make them."""
    from langchain_core.language_models._compat_bridge import message_to_events  # noqa: PLC0415 - in newer releases

    yield from message_to_events(message, message_id=message.id)
