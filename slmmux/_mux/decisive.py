"""The fields of an object that a vote is about: what a program will act on, and not how a model explains it.

Frameworks ask for a free-text reason beside the choice: selectors, routers, handoffs and evaluators all do. Two objects
that differ in nothing else are one answer.
"""

from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any

from pydantic import BaseModel

__all__ = ["decisive", "is_explanation", "plain_value", "without_filled"]

# The names under which frameworks and prompts ask for free text that explains the rest.
_EXPLANATIONS = {
    "analysis", "chain_of_thought", "comment", "comments", "cot", "explanation", "explanations", "feedback",
    "justification", "rationale", "reason", "reasoning", "reasons", "reflection", "scratchpad", "thinking", "thought",
    "thoughts",
}  # fmt: skip


def decisive(value: Any, vote_on: Collection[str] | None = None) -> Any:
    """Return the part of a JSON value that is voted on.

    Args:
        value: Plain JSON values.
        vote_on: The fields that count, wherever they stand; `None`: all but free-text explanations.

    Explanations are left out only where something else remains. Nulls and empty containers say nothing, so an explicit
    one equals one that was left out.

    Example:
        >>> decisive({"choice": 2, "reason": "It is about animals.", "note": None})
        {'choice': 2}
        >>> decisive({"reason": "because"}), decisive({"a": 1, "b": 2}, ["b"])
        ({'reason': 'because'}, {'b': 2})
    """
    if vote_on is not None:
        selected = _selected_fields(value, set(vote_on))
        return value if selected is None else selected
    return _telling(value)


def _telling(value: Any) -> Any:
    if isinstance(value, Mapping):
        telling = {name: _telling(item) for name, item in value.items() if item is not None and item not in ([], {})}
        rest = {name: item for name, item in telling.items() if not is_explanation(name, item)}
        return rest or telling
    if isinstance(value, list | tuple):
        return [_telling(item) for item in value]
    return value


def is_explanation(name: Any, item: Any) -> bool:
    """Return whether a field is a free text, or a list of such, that explains the others."""
    texts = item if isinstance(item, list) else [item]
    return str(name).lower() in _EXPLANATIONS and all(isinstance(text, str) for text in texts)


def _selected_fields(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        selected = {
            name: item if name in names else _selected_fields(item, names)
            for name, item in value.items()
            if name in names or _selected_fields(item, names) is not None
        }
        return selected or None
    if isinstance(value, list | tuple):
        return [item for item in (_selected_fields(each, names) for each in value) if item is not None] or None
    return None


def plain_value(value: Any) -> Any:
    """Return a JSON-like value with numbers that JSON cannot hold as texts: infinity equals infinity.

    Example:
        >>> plain_value({"x": float("inf")})
        {'x': 'Infinity'}
    """
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - NaN alone differs
    if isinstance(value, Mapping):
        return {str(name): plain_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    return value


def without_filled(value: Any) -> Any:
    """Return a parsed object as plain values, without the fields that its class filled from a factory.

    A factory makes a new value for each object (an id, a time), which no model wrote.
    """
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        dumped = value.model_dump(mode="json")
        names = [
            n for n in dumped if n in value.model_fields_set or n not in fields or fields[n].default_factory is None
        ]
        return {name: _field(getattr(value, name, None), dumped[name]) for name in names}
    return value


def _field(item: Any, dumped: Any) -> Any:
    if isinstance(item, BaseModel):
        return without_filled(item)
    if isinstance(item, list | tuple) and isinstance(dumped, list) and len(item) == len(dumped):
        return [_field(each, plain) for each, plain in zip(item, dumped, strict=True)]
    return dumped
