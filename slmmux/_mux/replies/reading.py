"""How a request's replies are read: fixed by the request where it can be, else by the extractor.

A reply has a length up to which it is read at all, and one up to which it is read on the event loop.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel

from slmmux import answers
from slmmux._decision.types import Answer, Sample
from slmmux._mux.engine import Question
from slmmux._mux.replies.decisive import decisive, fields_of, plain_value, without_filled
from slmmux._mux.replies.forms import form_of
from slmmux._mux.replies.tools import Tools
from slmmux.answers._extractor import Extractor
from slmmux.answers._reader import Reader
from slmmux.answers._replies.cut_off import complete
from slmmux.answers._replies.reply import reply_of

__all__ = [
    "LONGEST",
    "QUICK",
    "Calls",
    "Read",
    "is_longer",
    "number_too_long",
    "read_within",
    "reading",
    "structured_answer",
]

R = TypeVar("R")

LONGEST = 1_000_000  # characters of a reply that is read; a longer one abstains
QUICK = 4_000  # characters that are read in a few milliseconds, whatever they say

Calls: TypeAlias = Iterable[Mapping[str, Any]]


class Read(Protocol):
    """Return the answer of a reply's text and its tool calls."""

    def __call__(self, text: str, calls: Calls, /, *, cut_off: bool = False) -> Answer | None:
        """Return the answer; of a reply that was cut off at its limit, only what was complete before."""
        ...


def reading(
    extract: str | Callable[[str], Any],
    *,
    tools: Iterable[Any] | None,
    formatted: bool,
    vote_on: Collection[str] | None = None,
    question: str = "",
    prompt: str = "",
) -> tuple[Read, str]:
    """Return how replies are read, and the name of that reading.

    Args:
        extract: The extractor the mux was given.
        vote_on: The fields of an object that are voted on; `None`: all but free-text explanations.
        tools: The schemas of the tools that are bound: then the calls are the answer, also those that a model wrote
            into its text, and a reply without any is its text. `None` or empty: no tools are bound.
        formatted: Whether a response format is asked for: then the answer is JSON.
        question: What was asked; see `slmmux.answers.reader`.
        prompt: All that was asked, the system prompt included: a form that it sets goes before the extractor.

    Returns:
        A function of a reply's text and its tool calls ({"name", "args"} each): the answer, or None; and the name
        that the record gives as `extractor` where no answer was read.

    Raises:
        ExtractorError: No extractor has this name.

    Example:
        >>> read, name = reading("auto", tools=[{"name": "add", "parameters": {}}], formatted=False)
        >>> read("", [{"name": "add", "args": {"a": 1}}]).kind, name
        ('tool_calls', 'tool_calls')
        >>> read('<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>', []).kind
        'tool_calls'
    """

    def reader_of(spec: str | Callable[[str], Any]) -> Reader:
        reader = _on_decisive(answers.reader(spec, question=question), vote_on)
        # A function of the user's may read the same text differently the next time, or count its calls.
        return reader if callable(spec) else _once_a_text(reader)

    bound = Tools(tools or ())
    if tools:
        return _calls_or(reader_of("json" if formatted else "text"), bound), "tool_calls"
    if formatted:
        return _text(reader_of("json")), "json"
    form = form_of(prompt)
    if form is not None:
        return _in_form(form, reader_of(extract), bound), "form"
    name = extract if isinstance(extract, str) else extract.name if isinstance(extract, Extractor) else "callable"
    return (_calls_or(reader_of(extract), bound) if extract == "auto" else _text(reader_of(extract))), name


def structured_answer(
    value: Any,
    text: str = "",
    *,
    extract: str | Callable[[str], Any] = "auto",
    vote_on: Collection[str] | None = None,
    marked: Collection[str] = (),
) -> Answer | None:
    """Return a parsed value as an answer, voted on by its decisive fields.

    Args:
        value: The parsed object, or plain JSON values.
        text: The reply.
        extract: A callable of the user's reads the answer in the reply instead; a name says how texts are read, and a
            schema is no text.
        vote_on: The fields that are voted on; `None`: all but free-text explanations.
        marked: The fields that the schema marks as not decisive.

    Example:
        >>> structured_answer({"b": 1, "a": 2.0}) == structured_answer({"a": 2, "b": 1, "reason": "so"})
        True
    """
    if callable(extract) and vote_on is None:
        return answers.reader(extract)(text)
    plain = plain_value(without_filled(value))
    compared = decisive(plain, vote_on, marked)
    return Answer(plain, "structured", answers.canonical(compared), fields_of(compared))


def _on_decisive(reader: Reader, vote_on: Collection[str] | None) -> Reader:
    """Compare the JSON that a reader finds by its decisive fields; it is shown as it was read."""

    def read(text: str, *, cut_off: bool = False) -> Answer | None:
        answer = reader(text, cut_off=cut_off)
        if answer is None or answer.kind != "json" or not isinstance(answer.value, str):
            return answer
        compared = decisive(json.loads(answer.value), vote_on)
        return Answer(answer.value, answer.kind, answers.canonical(compared), fields_of(compared))

    return read


def _once_a_text(reader: Reader) -> Reader:
    """Read each text once: samples that say the same, word by word, are what a vote is made for."""
    answers_of: dict[tuple[str, bool], Answer | None] = {}

    def read(text: str, *, cut_off: bool = False) -> Answer | None:
        if len(text) > QUICK:  # a long reply hardly comes twice
            return reader(text, cut_off=cut_off)
        if (text, cut_off) not in answers_of:
            answers_of[text, cut_off] = reader(text, cut_off=cut_off)
        return answers_of[text, cut_off]

    return read


def _text(reader: Reader) -> Read:
    def read(text: str, calls: Calls, *, cut_off: bool = False) -> Answer | None:  # noqa: ARG001
        return reader(text, cut_off=cut_off)

    return read


def _in_form(form: Callable[[str], Answer | None], reader: Reader, tools: Tools) -> Read:
    otherwise = _calls_or(reader, tools)

    def read(text: str, calls: Calls, *, cut_off: bool = False) -> Answer | None:
        answer = form(text)
        if answer is not None and cut_off:
            before = complete(reply_of(text), announced=False, line_ended=text.rstrip(" \t").endswith("\n"))
            return answer if before and form(before) == answer else None
        return answer or otherwise(text, calls, cut_off=cut_off)

    return read


def _calls_or(reader: Reader, tools: Tools) -> Read:
    def read(text: str, calls: Calls, *, cut_off: bool = False) -> Answer | None:
        # A call is complete before the cut, or it would not have parsed.
        calls = list(calls) or tools.calls_in(text)
        return tools.answer(calls) if calls else reader(text, cut_off=cut_off)

    return read


def is_longer(value: Any, limit: int) -> bool:
    """Return whether a value has more than so many characters, its parts included; each part counts as one more.

    It looks no further than the limit, so that a huge value costs no more than one at the limit.

    Example:
        >>> is_longer({"a": ["four", "five"]}, 8), is_longer({"a": ["four"]}, 8)
        (True, False)
    """
    if isinstance(value, str):
        return len(value) > limit
    length = 0
    parts = [value]
    while parts:
        part = parts.pop()
        length += len(part) if isinstance(part, str) else 1
        if length > limit:
            return True
        if isinstance(part, str):
            continue
        if isinstance(part, BaseModel):
            part = part.__dict__
        if isinstance(part, Mapping):
            if len(part) > limit:
                return True
            parts += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple):
            if len(part) > limit:
                return True
            parts += part
    return False


def read_within(question: Question[R], reply: R) -> Answer | None:
    """Return the answer of a reply; one that is too long has none."""
    return None if is_longer(question.content_of(reply), LONGEST) else question.read(reply)


def number_too_long(question: Question[R], samples: Iterable[Sample[R | None]]) -> int:
    """Return how many samples abstain because their replies are too long."""
    replies = (sample.reply for sample in samples if sample.answer is None and not sample.is_unread)
    return sum(reply is not None and is_longer(question.content_of(reply), LONGEST) for reply in replies)
