"""What differs between two pieces of plain data, place by place."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from .raw import Raw

__all__ = ["ABSENT", "Difference", "cause", "differences", "grouped"]

_WIDTH = 400


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()


@dataclass(frozen=True)
class Difference:
    """One place where two pieces of data part.

    Attributes:
        place: The path to it, such as `calls.invoke.value.content`.
        alone: What the member alone has there, or `ABSENT`.
        mux: What the mux has there, or `ABSENT`.
    """

    place: str
    alone: Any
    mux: Any

    def __str__(self) -> str:
        return f"{self.place}\n    alone: {_short(self.alone)}\n    mux:   {_short(self.mux)}"


def differences(alone: Any, mux: Any, place: str = "") -> Iterator[Difference]:
    """Yield each place where the two differ, in order; an item too many in a list is one difference."""
    if isinstance(alone, dict) and isinstance(mux, dict):
        for name in [*alone, *(name for name in mux if name not in alone)]:
            inner = f"{place}.{name}" if place else name
            yield from differences(alone.get(name, ABSENT), mux.get(name, ABSENT), inner)
    elif isinstance(alone, list) and isinstance(mux, list):
        yield from _of_lists(alone, mux, place)
    elif isinstance(alone, Raw) and isinstance(mux, Raw):
        yield from differences(*alone.views(mux), place)
    elif (isinstance(alone, bool) or isinstance(mux, bool) or alone != mux) and alone is not mux:
        yield Difference(place, alone, mux)


def grouped(found: Iterable[Difference]) -> str:
    """Return differences to read: a message that is seen in many places is one, with the number of the others."""
    groups: dict[tuple[str, str, str], list[Difference]] = {}
    for one in found:
        pattern = cause(one)
        groups.setdefault((pattern, _short(one.alone), _short(one.mux)), []).append(one)
    return "\n".join(
        str(first) if not more else f"{first}\n    (and {len(more)} more such)" for first, *more in groups.values()
    )


def cause(one: Difference) -> str:
    """Return a difference's place within the message, response or request that it is in."""
    inner = re.sub(
        r"^.*\b(value|message|response|completion|output|chunk|raw|error|exception|member|run)(\[.*?\])*\.",
        "",
        one.place,
    )
    return re.sub(r"\[\+?\d+\]", "[*]", re.sub(r"^calls\..*?\.(?=events|warnings|logs|value|error)", "", inner))


def _of_lists(alone: list[Any], mux: list[Any], place: str) -> Iterator[Difference]:
    if len(alone) == len(mux):
        for index, (one, other) in enumerate(zip(alone, mux, strict=True)):
            yield from differences(one, other, f"{place}[{index}]")
        return
    # By content: an event too many shifts those behind it, which are no differences.
    keys = [[json.dumps(item, sort_keys=True, default=repr) for item in items] for items in (alone, mux)]
    for kind, start, end, other_start, other_end in SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        shared = min(end - start, other_end - other_start)
        for step in range(shared):
            yield from differences(alone[start + step], mux[other_start + step], f"{place}[{start + step}]")
        for index in range(start + shared, end):
            yield Difference(f"{place}[{index}]", alone[index], ABSENT)
        for index in range(other_start + shared, other_end):
            yield Difference(f"{place}[+{index}]", ABSENT, mux[index])


def _short(value: Any) -> str:
    text = repr(value) if value is ABSENT else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}... ({len(text)} characters)"
