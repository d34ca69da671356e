"""A reader: what a member's reply text says, as an `Answer` that can be counted."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

from slmmux._decision.types import Answer
from slmmux._errors import ExtractorError
from slmmux.answers._auto import auto, auto_in
from slmmux.answers._boxed import boxed, boxed_in, boxed_key
from slmmux.answers._canonical import canonical
from slmmux.answers._choice import choice, choice_in
from slmmux.answers._code import code, code_in
from slmmux.answers._extractor import Extractor
from slmmux.answers._json import json, json_in
from slmmux.answers._number import number, number_in
from slmmux.answers._replies.cut_off import complete
from slmmux.answers._replies.reply import reply_of
from slmmux.answers._text import text, text_key
from slmmux.answers._words.frames import framed

__all__ = ["Reader", "extractor_name", "reader"]

Reading = Callable[[str, str], Answer | None]


class Reader(Protocol):
    """What reads a reply: text -> answer, or None."""

    def __call__(self, text: str, /, *, cut_off: bool = False) -> Answer | None:
        """Return a reply's answer.

        Args:
            text: The reply.
            cut_off: Whether it was cut off at its limit: then it has an answer only where that was complete before.
        """
        ...


def reader(spec: str | Callable[[str], Any], *, question: str = "") -> Reader:
    """Return the reader that an extractor's name or a callable stands for.

    Args:
        spec: "auto", "boxed", "choice", "code", "json", "number" or "text"; `regex(...)` or `first_of(...)`; or a
            callable that takes a reply's text, without reasoning and trimmed, and returns an answer (str, int, float,
            bool, list or dict) or None. An extractor of this package passed as a function is the same as its name.
        question: What was asked, where that is known: its options bound a choice, a sentence that repeats it says only
            what it adds, and a unit that it names says nothing more.

    Returns:
        A function of a reply's text: the answer with its kind (the extractor's name, for "auto" what it says: a
        number, a choice, math, json or text; "callable" for a callable), or None. A callable's answers are compared as
        JSON values, texts as they are; where it returns something else its reader raises TypeError, or ExtractorError
        (see `canonical`). It takes `cut_off=True` for a reply that was cut off at its limit.

    Raises:
        ExtractorError: No extractor has this name.
        TypeError: Neither a name nor a callable.

    Example:
        >>> reader("number")("The answer is 1,234.")
        Answer(value='1234', kind='number', key='1234')
        >>> reader(str.split)("to be").value
        ['to', 'be']
        >>> reader("auto", question="What is the capital of Ghana?")("The capital of Ghana is Accra.").value
        'Accra'
        >>> reader("auto")("The answer is 12", cut_off=True)
    """
    if isinstance(spec, Extractor):
        return _Reader(spec.read, question)
    if callable(spec):
        # answers.boxed itself is the extractor "boxed", compared by its key, and not just any function
        name = next((name for name, extract in _EXTRACTORS.items() if extract is spec), None)
        return _reader_of(name, question) if name else _Reader(_callable(spec), question)
    if not isinstance(spec, str):
        raise TypeError(
            f"extract is a {type(spec).__name__}; it takes an extractor's name or a callable: text -> answer"
        )
    if spec not in _READINGS:
        near = get_close_matches(spec.lower(), _READINGS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ExtractorError(f"there is no extractor {spec!r}{hint} There are {', '.join(_READINGS)}, or any callable.")
    return _reader_of(spec, question)


@dataclass(frozen=True, slots=True)
class _Reader:
    reading: Reading
    question: str
    announced: bool = False  # whether only what is announced was complete before a cut

    def __call__(self, text: str, /, *, cut_off: bool = False) -> Answer | None:
        reply = reply_of(text, self.question)
        answer = self.reading(reply, self.question)
        if answer is None or not cut_off:
            return answer
        before = complete(reply, announced=self.announced, line_ended=text.rstrip(" \t").endswith("\n"))
        return answer if before and self.reading(before, self.question) == answer else None


def _reader_of(name: str, question: str) -> Reader:
    return _Reader(_READINGS[name], question, name in _ANNOUNCED) if question else _READERS[name]


def _keyed(kind: str, extract: Callable[[str], str | None], key: Callable[[str], str]) -> Reading:
    def reading(reply: str, _question: str) -> Answer | None:
        value = extract(reply)
        return None if value is None else Answer(value, kind, key(value))

    return reading


def _callable(extract: Callable[[str], Any]) -> Reading:
    def reading(reply: str, _question: str) -> Answer | None:
        value = extract(reply)
        if value is None:
            return None
        return Answer(value, "callable", value if isinstance(value, str) else canonical(value))

    return reading


def _choice(reply: str, question: str) -> Answer | None:
    letter = choice_in(reply, question)
    return None if letter is None else Answer(letter, "choice", letter)


def _text(reply: str, question: str) -> Answer | None:
    return Answer(reply, "text", text_key(framed(reply, question) or reply)) if reply else None


_EXTRACTORS: dict[str, Callable[[str], str | None]] = {
    "auto": auto,
    "boxed": boxed,
    "choice": choice,
    "code": code,
    "json": json,
    "number": number,
    "text": text,
}
_READINGS: dict[str, Reading] = {
    "auto": auto_in,
    "boxed": _keyed("boxed", boxed_in, boxed_key),
    "choice": _choice,
    "code": lambda reply, _: code_in(reply),
    "json": _keyed("json", json_in, str),
    "number": _keyed("number", number_in, str),
    "text": _text,
}
_ANNOUNCED = {"choice", "number"}
_READERS: dict[str, Reader] = {name: _Reader(read, "", name in _ANNOUNCED) for name, read in _READINGS.items()}


def extractor_name(extract: str | Callable[[str], Any]) -> str:
    """Return what a recording calls an extractor.

    Example:
        >>> extractor_name("number"), extractor_name(str.strip)
        ('number', 'str.strip')
    """
    if isinstance(extract, str):
        return extract
    if isinstance(extract, Extractor):
        return extract.name
    return str(getattr(extract, "__qualname__", type(extract).__qualname__))
