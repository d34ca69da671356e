"""How a request's replies are read: fixed by the request where it can be, else by the extractor."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias

from slmmux import answers
from slmmux._decision.types import Answer
from slmmux._mux.decisive import decisive, plain_value, without_filled
from slmmux.answers._extractor import Extractor

__all__ = ["Calls", "Read", "reading", "structured_answer"]

Calls: TypeAlias = Iterable[Mapping[str, Any]]
Read: TypeAlias = Callable[[str, Calls], Answer | None]


def reading(
    extract: str | Callable[[str], Any],
    *,
    tools: bool,
    formatted: bool,
    vote_on: Collection[str] | None = None,
) -> tuple[Read, str]:
    """Return how replies are read, and the name of that reading.

    Args:
        extract: The extractor the mux was given.
        vote_on: The fields of an object that are voted on; `None`: all but free-text explanations.
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
        return _calls_or(_on_decisive(answers.reader("json" if formatted else "text"), vote_on)), "tool_calls"
    if formatted:
        return _text(_on_decisive(answers.reader("json"), vote_on)), "json"
    reader = _on_decisive(answers.reader(extract), vote_on)
    name = extract if isinstance(extract, str) else extract.name if isinstance(extract, Extractor) else "callable"
    return (_calls_or(reader) if extract == "auto" else _text(reader)), name


def structured_answer(
    value: Any,
    text: str = "",
    *,
    extract: str | Callable[[str], Any] = "auto",
    vote_on: Collection[str] | None = None,
) -> Answer | None:
    """Return a parsed value as an answer, voted on by its decisive fields.

    Args:
        value: The parsed object, or plain JSON values.
        text: The reply.
        extract: A callable of the user's reads the answer in the reply instead; a name says how texts are read, and a
            schema is no text.
        vote_on: The fields that are voted on; `None`: all but free-text explanations.

    Example:
        >>> structured_answer({"b": 1, "a": 2.0}) == structured_answer({"a": 2, "b": 1, "reason": "so"})
        True
    """
    if callable(extract) and vote_on is None:
        return answers.reader(extract)(text)
    plain = plain_value(without_filled(value))
    return Answer(plain, "structured", answers.canonical(decisive(plain, vote_on)))


def _on_decisive(
    reader: Callable[[str], Answer | None], vote_on: Collection[str] | None
) -> Callable[[str], Answer | None]:
    """Compare the JSON that a reader finds by its decisive fields; it is shown as it was read."""

    def read(text: str) -> Answer | None:
        answer = reader(text)
        if answer is None or answer.kind != "json" or not isinstance(answer.value, str):
            return answer
        return Answer(answer.value, answer.kind, answers.canonical(decisive(json.loads(answer.value), vote_on)))

    return read


def _text(reader: Callable[[str], Answer | None]) -> Read:
    return lambda text, _: reader(text)


def _calls_or(reader: Callable[[str], Answer | None]) -> Read:
    def read(text: str, calls: Calls) -> Answer | None:
        key = answers.tool_calls(calls)
        return reader(text) if key is None else Answer(key, "tool_calls", key)

    return read
