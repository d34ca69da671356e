"""How a request's replies are read: fixed by the request where it can be, else by the extractor."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from slmmux import answers
from slmmux._decision.types import Answer
from slmmux.answers._extractor import Extractor

__all__ = ["Calls", "Read", "reading", "structured_answer"]

Calls: TypeAlias = Iterable[Mapping[str, Any]]
Read: TypeAlias = Callable[[str, Calls], Answer | None]


def reading(extract: str | Callable[[str], Any], *, tools: bool, formatted: bool) -> tuple[Read, str]:
    """Return how replies are read, and the name of that reading.

    Args:
        extract: The extractor the mux was given.
        tools: Whether tools are bound: then the calls are the answer, and a reply without any is its text.
        formatted: Whether a response format is asked for: then the answer is JSON.

    Returns:
        A function of a reply's text and its tool calls ({"name", "args"} each): the answer, or None; and the name
        that the record gives as `extractor` where no answer was read.

    Raises:
        ExtractorError: No extractor has this name.

    Example:
        >>> read, name = reading("auto", tools=True, formatted=False)
        >>> read("", [{"name": "add", "args": {"a": 1}}]).kind, name
        ('tool_calls', 'tool_calls')
    """
    if tools:
        return _calls_or(answers.reader("json" if formatted else "text")), "tool_calls"
    if formatted:
        return _text(answers.reader("json")), "json"
    reader = answers.reader(extract)
    name = extract if isinstance(extract, str) else extract.name if isinstance(extract, Extractor) else "callable"
    return (_calls_or(reader) if extract == "auto" else _text(reader)), name


def structured_answer(value: Any) -> Answer:
    """Return a parsed value, as plain JSON values, as an answer.

    Example:
        >>> structured_answer({"b": 1, "a": 2.0}) == structured_answer({"a": 2, "b": 1})
        True
    """
    return Answer(value, "structured", answers.canonical(value))


def _text(reader: Callable[[str], Answer | None]) -> Read:
    return lambda text, _: reader(text)


def _calls_or(reader: Callable[[str], Answer | None]) -> Read:
    def read(text: str, calls: Calls) -> Answer | None:
        key = answers.tool_calls(calls)
        return reader(text) if key is None else Answer(key, "tool_calls", key)

    return read
