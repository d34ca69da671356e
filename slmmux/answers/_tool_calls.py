"""The tool calls of a reply as an answer: names and arguments, never ids."""

import reprlib
from collections.abc import Iterable, Mapping
from json import loads
from typing import Any

from slmmux._errors import ExtractorError
from slmmux.answers._canonical import canonical
from slmmux.answers._replies.json_extent import extents

__all__ = ["canonical_json", "tool_calls"]


def tool_calls(calls: Iterable[Mapping[str, Any]], *, ordered: bool = True) -> str | None:
    """Return the canonical text of a reply's tool calls.

    Args:
        calls: Mappings with "name" and "args", as LangChain has them; whatever else they hold (ids) is ignored. "args"
            is a mapping, None, or the JSON text of an object, as it comes from the wire and LlamaIndex may keep it.
        ordered: Whether the order of the calls matters.

    Returns:
        A JSON list of {"args", "name"}: key order, 1 or 1.0 and ids make no difference. None when there are no calls.

    Raises:
        TypeError: Arguments that are not JSON; see `canonical`.
        ExtractorError: Arguments that are no mapping, or cannot be compared; see `canonical`.

    Example:
        >>> tool_calls([{"name": "add", "args": {"b": 2.0, "a": 1}, "id": "call_7"}])
        '[{"args":{"a":1,"b":2},"name":"add"}]'
        >>> tool_calls([{"name": "add", "args": '{"b": 2.0, "a": 1}'}])
        '[{"args":{"a":1,"b":2},"name":"add"}]'
    """
    texts = [canonical({"name": call["name"], "args": _arguments(call["name"], call["args"])}) for call in calls]
    if not texts:
        return None
    return f"[{','.join(texts if ordered else sorted(texts))}]"


def _arguments(name: object, args: Any) -> dict[str, Any]:
    """Return a call's arguments, read where they are still text."""
    source = args.strip() if isinstance(args, str) else args
    arguments = loads(canonical_json(source) or "null") if source and isinstance(source, str) else source or {}
    if not isinstance(arguments, Mapping):
        raise ExtractorError(
            f'the arguments of the tool call {name!r} are no JSON object, received {reprlib.repr(args)}; write {{"a": 1}}'
        )
    return dict(arguments)


def canonical_json(text: str) -> str | None:
    """Return the canonical form of a text that is one JSON object or array and nothing else.

    Example:
        >>> canonical_json(' {"b": 1.0}'), canonical_json('{"b": 1.0}.'), canonical_json("1")
        ('{"b":1}', None, None)
    """
    text = text.strip()
    try:
        return canonical(loads(text)) if list(extents(text)) == [(0, len(text))] else None
    except ValueError:  # more digits than Python reads, or nothing that can be compared
        return None
