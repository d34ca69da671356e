"""A response's `raw`: read the way the member's own is read, by keys or by attributes."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

__all__ = ["Raw"]

_UNREADABLE = "(not readable)"


class Raw:
    """A `raw` that is compared by what can be read of it.

    A mux adds its record and the total cost; what the member alone has must be there, and be read as before.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<raw>"

    def views(self, other: "Raw") -> tuple[Any, Any]:
        """Return what is read of this one, and what the same reading gives of another."""
        return _read(self.value, other.value)


def _read(value: Any, other: Any) -> tuple[Any, Any]:
    from .plain import plain

    if value is None:
        return None, None
    if isinstance(value, Mapping):
        names: list[Any] = list(value)
        get = _key
    elif isinstance(value, BaseModel):
        names = [*type(value).model_fields, *(value.model_extra or {})]
        get = getattr
    else:
        return plain(value), plain(other)
    mine: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name in names:
        try:
            there = get(other, name)
        except (AttributeError, KeyError, TypeError, IndexError):
            mine[str(name)], others[str(name)] = plain(get(value, name)), _UNREADABLE
            continue
        pair = _read(get(value, name), there) if name == "usage" else (plain(get(value, name)), plain(there))
        mine[str(name)], others[str(name)] = pair
    if names and all(there == _UNREADABLE for there in others.values()):
        return f"read by {'keys' if get is _key else 'attributes'}", f"cannot be read so: a {type(other).__name__}"
    return mine, others


def _key(value: Any, name: Any) -> Any:
    return value[name]
