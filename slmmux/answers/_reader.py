"""A reader: what a member's reply text says, as an `Answer` that can be counted."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from slmmux._decision.types import Answer
from slmmux._errors import ExtractorError
from slmmux.answers._auto import auto, read_auto
from slmmux.answers._boxed import boxed, boxed_key
from slmmux.answers._canonical import canonical
from slmmux.answers._choice import choice
from slmmux.answers._code import code, read_code
from slmmux.answers._extractor import Extractor
from slmmux.answers._json import json
from slmmux.answers._number import number
from slmmux.answers._reply import reply_of
from slmmux.answers._text import text, text_key

__all__ = ["extractor_name", "reader"]

Reader = Callable[[str], Answer | None]


def reader(spec: str | Callable[[str], Any]) -> Reader:
    """Return the reader that an extractor's name or a callable stands for.

    Args:
        spec: "auto", "boxed", "choice", "code", "json", "number" or "text"; `regex(...)` or `first_of(...)`; or a
            callable that takes a reply's text, without reasoning and trimmed, and returns an answer (str, int, float,
            bool, list or dict) or None. An extractor of this package passed as a function is the same as its name.

    Returns:
        A function of a reply's text: the answer with its kind (the extractor's name, for "auto" the one whose reading
        it was, "callable" for a callable), or None. A callable's answers are compared as JSON values, texts as they
        are; where it returns something else its reader raises TypeError, or ExtractorError (see `canonical`).

    Raises:
        ExtractorError: No extractor has this name.
        TypeError: Neither a name nor a callable.

    Example:
        >>> reader("number")("The answer is 1,234.")
        Answer(value='1234', kind='number', key='1234')
        >>> reader(str.split)("to be").value
        ['to', 'be']
    """
    if isinstance(spec, Extractor):
        return spec.read
    if callable(spec):
        # answers.boxed itself is the extractor "boxed", compared by its key, and not just any function
        own = next((name for name, extract in _EXTRACTORS.items() if extract is spec), None)
        return _READERS[own] if own else _callable(spec)
    if not isinstance(spec, str):
        raise TypeError(
            f"extract is a {type(spec).__name__}; it takes an extractor's name or a callable: text -> answer"
        )
    if spec not in _READERS:
        near = get_close_matches(spec.lower(), _READERS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ExtractorError(f"there is no extractor {spec!r}{hint} There are {', '.join(_READERS)}, or any callable.")
    return _READERS[spec]


def _keyed(kind: str, extract: Callable[[str], str | None], key: Callable[[str], str]) -> Reader:
    def read(text: str) -> Answer | None:
        found = extract(text)
        return None if found is None else Answer(found, kind, key(found))

    return read


def _callable(extract: Callable[[str], Any]) -> Reader:
    def read(text: str) -> Answer | None:
        found = extract(reply_of(text))
        if found is None:
            return None
        return Answer(found, "callable", found if isinstance(found, str) else canonical(found))

    return read


_EXTRACTORS: dict[str, Callable[[str], str | None]] = {
    "auto": auto,
    "boxed": boxed,
    "choice": choice,
    "code": code,
    "json": json,
    "number": number,
    "text": text,
}
_KEYS = {"boxed": boxed_key, "text": text_key}  # the others are read in canonical form
_READERS = {name: _keyed(name, extract, _KEYS.get(name, str)) for name, extract in _EXTRACTORS.items()}
_READERS |= {"auto": read_auto, "code": read_code}


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
