"""A regular expression that is compiled when it is first used, and searches a long text in pieces.

Importing the package compiles none. And a search is one piece of work to Python: over a million characters it takes a
second, in which every other thread and every event loop of the process stands still. Beyond `_LONG` characters a text
is therefore searched in windows that overlap by `_REACH`: what is found is the same, but for a match of more than
`_REACH` characters, which may be overlooked. A pattern whose matches may be that long is searched `whole`.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, cast

__all__ = ["pattern"]

_LONG = 16_000  # characters; hardly any reply has more, and those that have not are searched at once
_WINDOW = 4_000  # characters that the slowest pattern searches in a few milliseconds
_REACH = 1_000  # more than any announcement, letter or number takes up, with what is looked at behind it


def pattern(source: str, flags: int = 0, *, whole: bool = False) -> re.Pattern[str]:
    r"""Return what stands for a compiled pattern and compiles it at the first use.

    Args:
        source: The pattern's text.
        flags: Flags of `re`.
        whole: Whether a long text is searched at once, because a match may be longer than a thousand characters.

    Example:
        >>> number = pattern(r"[0-9]+")
        >>> number.findall("4 of 12")
        ['4', '12']
    """
    return cast("re.Pattern[str]", _Pattern(source, flags, whole=whole))


class _Pattern:
    def __init__(self, source: str, flags: int, *, whole: bool) -> None:
        self._made_of = source, flags
        self._is_whole = whole

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # a copy is made before it has any attribute, and compiled patterns have none such
            raise AttributeError(name)
        # Asked once for each method that is used: kept on the instance, it is found there from then on. Two threads
        # that come at once both compile, which `re` itself settles; the outcome is the same.
        compiled = re.compile(*self._made_of)
        method = getattr(compiled, name)
        if name in _IN_PIECES and not self._is_whole:
            method = _either(method, _IN_PIECES[name], compiled, text_at=name == "sub")
        setattr(self, name, method)
        return method


def _either(
    at_once: Callable[..., Any], in_pieces: Callable[..., Any], compiled: re.Pattern[str], *, text_at: bool
) -> Callable[..., Any]:
    """Return the method for texts of any length; the text is its first argument, or its second (`text_at`)."""

    def method(*arguments: Any, **named: Any) -> Any:
        if len(arguments[text_at]) <= _LONG:
            return at_once(*arguments, **named)
        return in_pieces(compiled, *arguments, **named)

    return method


def _finditer(compiled: re.Pattern[str], text: str, pos: int = 0, endpos: int | None = None) -> Iterator[re.Match[str]]:
    end = len(text) if endpos is None else min(endpos, len(text))
    size = _WINDOW
    while True:
        start, cut = pos, min(pos + size, end)
        # What begins or ends behind the limit may go on behind the cut, or look there: the next window has it whole.
        limit = end + 1 if cut == end else cut - _REACH
        for match in compiled.finditer(text, pos, cut):
            pos = match.start()
            if pos >= limit or match.end() > limit:
                break
            yield match
            pos = match.end()
        else:
            pos = max(pos, min(limit, end))
            if cut == end:
                return
        # A match longer than a window: look at all the rest, once, so that the time still grows with the length.
        size = _WINDOW if pos > start else end - pos


def _search(compiled: re.Pattern[str], text: str, pos: int = 0, endpos: int | None = None) -> re.Match[str] | None:
    return next(_finditer(compiled, text, pos, endpos), None)


def _findall(compiled: re.Pattern[str], text: str) -> list[Any]:
    return [match[0] if not compiled.groups else _groups(match) for match in _finditer(compiled, text)]


def _groups(match: re.Match[str]) -> Any:
    groups = match.groups("")
    return groups[0] if len(groups) == 1 else groups


def _sub(compiled: re.Pattern[str], by: Any, text: str, count: int = 0) -> str:
    parts, end = [], 0
    for match in islice(_finditer(compiled, text), count or None):
        parts += [text[end : match.start()], by(match) if callable(by) else match.expand(by)]
        end = match.end()
    return "".join([*parts, text[end:]])


def _split(compiled: re.Pattern[str], text: str, maxsplit: int = 0) -> list[Any]:
    parts, end = [], 0
    for match in islice(_finditer(compiled, text), maxsplit or None):
        parts += [text[end : match.start()], *match.groups()]
        end = match.end()
    return [*parts, text[end:]]


_IN_PIECES: dict[str, Callable[..., Any]] = {
    "findall": _findall,
    "finditer": _finditer,
    "search": _search,
    "split": _split,
    "sub": _sub,
}
