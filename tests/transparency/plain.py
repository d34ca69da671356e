"""Values as plain data: what two runs of one thing must share, without what differs from run to run anyway."""

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from .raw import Raw

__all__ = ["plain", "plain_error", "without_ids"]

_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")

_LEAVES = {str, int, float, bool, type(None)}

# What an error says of itself beside its text: the fields that the frameworks' middleware and users look at.
_OF_ERRORS = (
    "status_code",
    "code",
    "type",
    "param",
    "body",
    "error",
    "details",
    "message",
    "is_retryable",
    "request_id",
)


def plain(value: Any) -> Any:
    """Return a value as plain data: models by their class and fields, the rest by its parts."""
    if type(value) in _LEAVES:  # most values, and asked first for that reason
        return value
    if type(value) is dict:
        return {str(name): plain(item) for name, item in value.items()}
    if type(value) is list:
        return [plain(item) for item in value]
    if isinstance(value, BaseException):
        return plain_error(value)
    if isinstance(value, BaseModel):
        # LiteLLM deletes fields of its own models that have no value.
        fields = {name: plain(getattr(value, name)) for name in type(value).model_fields if hasattr(value, name)}
        if {"raw", "logprobs", "delta"} <= fields.keys():  # a response of LlamaIndex
            fields["raw"] = Raw(value.raw)  # type: ignore[attr-defined]
        return {"<class>": type(value).__name__, **fields, **plain(value.model_extra or {})}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"<class>": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, bytes):
        return f"<bytes {value!r}>"
    return _ADDRESS.sub("<address>", f"<{type(value).__name__} {value!r}>")


def plain_error(error: BaseException) -> dict[str, Any]:
    """Return what a caller can tell of an error: the classes that `except` catches it by, its text, its fields."""
    classes = ", ".join(f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__ if cls is not object)
    fields = {name: plain(getattr(error, name)) for name in _OF_ERRORS if hasattr(error, name)}
    fields = {name: value for name, value in fields.items() if not str(value).startswith("<method")}
    return {"classes": classes, "text": str(error), "fields": fields}


def without_ids(value: Any, names: Mapping[str, str], addresses: Mapping[str, str]) -> Any:
    """Return plain data whose random ids are numbered in the order of their appearance.

    Args:
        value: Plain data.
        names: What to write in place of ids that are known.
        addresses: What to write in place of other texts that differ from run to run, such as a port.
    """
    numbered = dict(names)
    texts: dict[str, str] = {}  # names of fields stand in the data thousands of times

    def named(match: re.Match[str]) -> str:
        return numbered.setdefault(match[0], f"<id {len(numbered) - len(names) + 1}>")

    def written(item: str) -> str:
        for text, other in addresses.items():
            item = item.replace(text, other)
        return _ADDRESS.sub("<address>", _UUID.sub(named, item))

    def walk(item: Any) -> Any:
        if isinstance(item, str):
            if item not in texts:
                texts[item] = written(item)
            return texts[item]
        if isinstance(item, dict):
            return {walk(name): walk(part) for name, part in item.items()}
        return [walk(part) for part in item] if isinstance(item, list) else item

    return walk(value)
