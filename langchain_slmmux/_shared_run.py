"""The run of a mux of one that streams: the only run there is, so what hangs on its member hangs on it too.

A sample that is not streamed has a run of its own below the mux's, with the handlers, tags and metadata that its user
put on the member. A streamed one has none, so that its tokens are counted once.
"""

from collections.abc import Sequence
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables import RunnableConfig, ensure_config

from langchain_slmmux._members import Member

__all__ = ["handlers_in", "own_handlers", "with_members_own"]


def handlers_in(callbacks: Any) -> Sequence[BaseCallbackHandler]:
    """Return the handlers of a config's callbacks, which are a list, a manager or absent."""
    return list(callbacks.handlers) if isinstance(callbacks, BaseCallbackManager) else list(callbacks or [])


def own_handlers(member: Member) -> list[BaseCallbackHandler]:
    """Return the handlers that a user put on a member, or on the binding of it."""
    return [*handlers_in(member.own.callbacks), *handlers_in(member.config.get("callbacks"))]


def with_members_own(config: RunnableConfig | None, member: Member) -> RunnableConfig:
    """Return a config with the member's handlers, tags and metadata, as the member alone would add them to it."""
    whole = ensure_config(config)
    known = handlers_in(whole.get("callbacks"))
    more = [handler for handler in own_handlers(member) if handler not in known]
    callbacks = whole.get("callbacks")
    if more and isinstance(callbacks, BaseCallbackManager):
        callbacks = callbacks.copy()
        for handler in more:
            callbacks.add_handler(handler, inherit=False)
    elif more:
        callbacks = [*known, *more]
    tags = [*(member.own.tags or []), *(member.config.get("tags") or [])]
    metadata = {**(member.config.get("metadata") or {}), **(member.own.metadata or {})}
    merged: dict[str, Any] = {**whole, "callbacks": callbacks}
    merged["tags"] = [*(whole.get("tags") or []), *(tag for tag in tags if tag not in (whole.get("tags") or []))]
    merged["metadata"] = {**(whole.get("metadata") or {}), **metadata}
    return cast("RunnableConfig", merged)
