"""The tool calls of a reply as an answer: names and arguments, never ids."""

from collections.abc import Iterable, Mapping
from typing import Any

from slmmux.answers._canonical import canonical

__all__ = ["tool_calls"]


def tool_calls(calls: Iterable[Mapping[str, Any]], *, ordered: bool = True) -> str | None:
    """Return the canonical text of a reply's tool calls.

    Args:
        calls: Mappings with "name" and "args", as LangChain has them; whatever else they hold (ids) is ignored.
        ordered: Whether the order of the calls matters.

    Returns:
        A JSON list of {"args", "name"}: key order, 1 or 1.0 and ids make no difference. None when there are no calls.

    Raises:
        TypeError: Arguments that are not JSON; see `canonical`.
        ExtractorError: Arguments that cannot be compared; see `canonical`.

    Example:
        >>> tool_calls([{"name": "add", "args": {"b": 2.0, "a": 1}, "id": "call_7"}])
        '[{"args":{"a":1,"b":2},"name":"add"}]'
    """
    texts = [canonical({"name": call["name"], "args": dict(call["args"] or {})}) for call in calls]
    if not texts:
        return None
    return f"[{','.join(texts if ordered else sorted(texts))}]"
