"""The fields of an object that a vote is about: what a program will act on, and not how a model explains it.

Frameworks ask for a free-text reason beside the choice: selectors, routers, handoffs and evaluators all do. Two objects
that differ in nothing else are one answer.
"""

import re
from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any

from pydantic import BaseModel

__all__ = ["decisive", "fields_of", "is_explanation", "marked_fields", "plain_value", "without_filled"]

# The names under which frameworks and prompts ask for free text that explains the rest.
_EXPLANATIONS = {
    "analysis", "chain_of_thought", "comment", "comments", "cot", "explain", "explanation", "explanations", "feedback",
    "inner_monologue", "justification", "justifications", "next_input", "next_inputs", "rationale", "reason",
    "reasoning", "reasons",
    "reflection", "reflections", "scratchpad", "step_by_step", "thinking", "thought", "thoughts", "why",
}  # fmt: skip
# In a longer name one of these words says it all: selection_reason, thoughtProcess, explanation_text.
_EXPLAINING = {"explanation", "justification", "rationale", "reason", "reasoning", "thinking", "thought"}
_EXPLAINING_AT_THE_END = {"analysis", "comment", "comments", "critique", "feedback"}  # statement_analysis
# Names of fields that explain if they hold prose: a single word as evidence is a finding.
_PROSE = {
    "critique", "details", "evidence", "note", "notes", "observation", "observations", "remark", "remarks", "steps",
    "summary",
}  # fmt: skip
_FEWEST_WORDS = 4  # of prose
_MOST_FIELDS = 30  # that are named
# How sure a model says it is: a guess that never agrees, and nothing a program acts on alone.
_SURENESS = {"certainty", "confidence", "confidence_level", "confidence_score"}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def decisive(value: Any, vote_on: Collection[str] | None = None, marked: Collection[str] = ()) -> Any:
    """Return the part of a JSON value that is voted on.

    Args:
        value: Plain JSON values.
        vote_on: The fields that count, wherever they stand; `None`: all but free-text explanations.
        marked: The fields that the schema marks as not decisive; see `marked_fields`.

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
    return _telling(value, marked)


def _telling(value: Any, marked: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        telling = {
            name: _telling(item, marked) for name, item in value.items() if item is not None and item not in ([], {})
        }
        rest = {name: item for name, item in telling.items() if name not in marked and not is_explanation(name, item)}
        return rest or telling
    if isinstance(value, list | tuple):
        return [_telling(item, marked) for item in value]
    return value


def marked_fields(schema: Any) -> frozenset[str]:
    """Return the names of the fields that a JSON schema marks with `"decisive": false`, wherever they stand.

    In pydantic that is `Field(json_schema_extra={"decisive": False})`.

    Example:
        >>> sorted(marked_fields({"properties": {"a": {}, "b": {"decisive": False}}}))
        ['b']
    """
    marked: set[str] = set()
    todo = [schema]
    while todo:
        each = todo.pop()
        if isinstance(each, Mapping):
            properties = each.get("properties")
            if isinstance(properties, Mapping):
                marked |= {n for n, p in properties.items() if isinstance(p, Mapping) and p.get("decisive") is False}
            todo.extend(each.values())
        elif isinstance(each, list):
            todo.extend(each)
    return frozenset(marked)


def fields_of(value: Any) -> tuple[str, ...]:
    """Return the paths of a value's fields, in the order in which they stand; those of a list's items once.

    Example:
        >>> fields_of({"choice": {"index": 1}, "scores": [{"id": 1}, {"id": 2}]}), fields_of("Lima")
        (('choice.index', 'scores.id'), ())
    """
    paths: dict[str, None] = {}
    todo = [("", value)]
    while todo:
        path, each = todo.pop()
        if isinstance(each, Mapping):
            todo.extend((f"{path}.{name}" if path else str(name), item) for name, item in reversed([*each.items()]))
        elif isinstance(each, list) and any(isinstance(item, Mapping) for item in each):
            todo.extend((path, item) for item in reversed(each))
        elif path:
            paths[path] = None
    return tuple(paths)[:_MOST_FIELDS]


def is_explanation(name: Any, item: Any) -> bool:
    """Return whether a field is a free text, or holds nothing but such, that explains the others.

    Example:
        >>> is_explanation("selectionReason", "It is about birds."), is_explanation("reason", 3)
        (True, False)
    """
    plain_name = _CAMEL.sub("_", str(name)).lower().replace("-", "_").replace(" ", "_")
    if plain_name in _SURENESS:
        return isinstance(item, int | float | str)
    words = plain_name.split("_")
    named = plain_name in _EXPLANATIONS or bool(_EXPLAINING & {*words}) or words[-1] in _EXPLAINING_AT_THE_END
    texts = _texts(item)
    if texts is None:
        return False
    return named or (plain_name in _PROSE and sum(len(text.split()) for text in texts) >= _FEWEST_WORDS)


def _texts(item: Any) -> list[str] | None:
    """Return the texts of a value that holds nothing else; None for any other value."""
    texts: list[str] = []
    todo = [item]
    while todo:
        each = todo.pop()
        if isinstance(each, str):
            texts.append(each)
        elif isinstance(each, list | Mapping) and each:
            todo.extend(each.values() if isinstance(each, Mapping) else each)
        else:
            return None
    return texts


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
