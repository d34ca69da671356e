"""Secrets among the arguments of a call, hidden from whoever watches the call.

LlamaIndex tells its spans, events and callbacks the arguments of each call before the call begins. A header that holds
a key shows a mask to them, and its value to the call alone.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from llama_index_instrumentation import get_dispatcher

from slmmux._mux.secrets import MASK, secrets_of

__all__ = ["hiding_secrets", "revealed"]

F = TypeVar("F", bound=Callable[..., Any])


class _Hidden(str):
    """A mask, and what is behind it; copies and pickles are the mask alone."""

    __slots__ = ("value",)

    value: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (MASK,)

    def __deepcopy__(self, memo: object) -> str:
        return MASK


def hiding_secrets(method: F) -> F:
    """Return a method whose span and events see masks in the place of arguments that hold secrets."""
    # The class would make the span outermost, where it hears of everything; a span that is there already stays.
    watched = get_dispatcher(method.__module__).span(method)

    # Bound, since the span tells its handlers whose method it is.
    @wraps(watched)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return watched.__get__(self)(*map(_hidden, args), **_each_hidden(kwargs))

    @wraps(watched)
    async def acall(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await watched.__get__(self)(*map(_hidden, args), **_each_hidden(kwargs))

    return acall if asyncio.iscoroutinefunction(method) else call  # type: ignore[return-value]


def revealed(arguments: Any) -> dict[str, Any]:
    """Return the arguments of a call as they are."""
    whole: Mapping[str, Any] = arguments.value if isinstance(arguments, _Hidden) else arguments
    return {name: value.value if isinstance(value, _Hidden) else value for name, value in whole.items()}


def _each_hidden(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _hidden(value, name) for name, value in arguments.items()}


def _hidden(argument: Any, name: str = "") -> Any:
    """Return a mapping that holds secrets as a mask, and a text whose name says it is one.

    Messages and other texts are what a trace is read for, whatever addresses stand in them.
    """
    looked_at = "a secret's" if isinstance(argument, str) else argument
    is_secret = isinstance(argument, Mapping | str) and secrets_of({name: looked_at})
    return _masked(argument) if is_secret else argument


def _masked(value: Any) -> _Hidden:
    hidden = _Hidden(MASK)
    hidden.value = value
    return hidden
