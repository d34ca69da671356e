"""Handlers that hear of a sample's run and never of its tokens: the user reads the winner, once.

Some models report tokens from inside a call that is not streamed, so no tag and no setting stops them; and what a
member runs inside itself may stream too.
"""

import inspect
from collections.abc import Iterable
from typing import Any

from langchain_core.callbacks.base import BaseCallbackHandler

__all__ = ["silent"]

_TOKENS = ("on_llm_new_token", "on_stream_event")


def silent(handlers: Iterable[BaseCallbackHandler]) -> list[BaseCallbackHandler]:
    """Return handlers that are told everything but tokens, and share the state of the ones given."""
    return [_silenced(handler) for handler in handlers]


def _silenced(handler: BaseCallbackHandler) -> BaseCallbackHandler:
    cls = type(handler)
    if cls in _TWINS.values() or not hasattr(handler, "__dict__"):
        return handler
    twin = object.__new__(_silent_class(cls))
    # One dictionary for both: whatever either counts, the other has counted.
    object.__setattr__(twin, "__dict__", handler.__dict__)
    return twin


def _silent_class(cls: type[BaseCallbackHandler]) -> type[BaseCallbackHandler]:
    if cls in _TWINS:
        return _TWINS[cls]
    methods = {
        name: _nothing_async if inspect.iscoroutinefunction(method) else _nothing
        for name in _TOKENS
        if (method := getattr(cls, name, None)) is not None
    }
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    _TWINS[cls] = type(cls.__name__, (cls,), {**names, **methods})
    return _TWINS[cls]


_TWINS: dict[type[BaseCallbackHandler], type[BaseCallbackHandler]] = {}


def _nothing(*_: Any, **__: Any) -> None:
    return None


async def _nothing_async(*_: Any, **__: Any) -> None:
    return None
