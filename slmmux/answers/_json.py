r"""The last complete JSON object or array of a reply, strictly read."""

from collections.abc import Iterator
from json import loads
from typing import Any

from slmmux._errors import ExtractorError
from slmmux.answers._canonical import canonical
from slmmux.answers._mathematics.latex import undress
from slmmux.answers._replies.fences import fenced, has_fence
from slmmux.answers._replies.json_extent import extents
from slmmux.answers._replies.reply import reply_of

__all__ = ["answer_field", "json", "json_in", "plain_json", "undressed_json"]

_MOST_DIGITS = 1000
_ANSWER_FIELDS = (
    "finalanswer", "answer", "correctanswer", "correctoption", "choice", "option", "letter", "result", "solution", "value",
)  # fmt: skip
_AROUND = " \t\r\n$*`."


def json(text: str) -> str | None:
    r"""Return the last complete JSON object or array of a reply as canonical JSON text.

    A fenced block that is JSON goes before anything embedded: what follows it explains it. Bare scalars are no
    answer. Strict: trailing commas, comments, single quotes, NaN, numbers that overflow, duplicate keys and
    nesting deeper than 100 are refused, and no part of what was refused or cut off is taken for the answer.

    | reply | answer |
    |---|---|
    | `{"b": 1.0, "a": "é"}` | `{"a":"é","b":1}` |
    | `First [1], then {"a": [2]}.` | `{"a":[2]}` |
    | `{"a": [1, 2],}` | None |
    | `{"a": 1, "a": 2}` | None |
    | `{"items": [1, 2], "no` (cut off) | None |
    | `42` | None |

    Returns:
        Keys sorted, no spaces, 1.0 written 1, non-ASCII kept; None when there is none.

    Example:
        >>> json('Here it is:\n```json\n{"n": 2.0}\n```\nI hope it helps [1].')
        '{"n":2}'
    """
    return json_in(reply_of(text))


def json_in(reply: str) -> str | None:
    """Return the JSON of a reply that is already one turn without reasoning; see `json`."""
    return _fenced(reply) or _last(reply[start:end] for start, end in reversed(list(extents(reply))))


def plain_json(text: str) -> str | None:
    """Return the JSON that a reply plainly gives: the whole of it, a fenced block, or an object at its end.

    For replies that nobody said would be JSON: a citation like [1] is none, nor is a dict in a program.

    Example:
        >>> plain_json("Canberra [1]"), plain_json('Sure: {"city": "Canberra"}')
        (None, '{"city":"Canberra"}')
    """
    if has_fence(text):
        return _fenced(text)
    for start, end in list(extents(text))[-1:]:
        if not text[end:].strip(" .") and (start == 0 or (text[start] == "{" and not text[start - 1].isalpha())):
            return _strict(text[start:end])
    return None


def answer_field(text: str) -> str | None:
    """Return what the field of a JSON object says that is named as its answer; None for any other reply.

    Example:
        >>> answer_field('{"answer": "7", "confidence": 0.9}'), answer_field('{"city": "Lima"}')
        ('7', None)
    """
    structure = plain_json(text) if "{" in text else None
    value = loads(structure) if structure else None
    if not isinstance(value, dict):
        return None
    by_name = {name.lower().replace("_", "").replace(" ", ""): item for name, item in value.items()}
    named = (by_name.get(name) for name in _ANSWER_FIELDS)
    field = next((item for item in named if isinstance(item, str | int | float) and not isinstance(item, bool)), None)
    return None if field is None else str(field)


def undressed_json(text: str) -> str | None:
    r"""Return the JSON that an announced or boxed answer is, as mathematics may dress it; None for anything else.

    Example:
        >>> undressed_json(r"$\left[0, 1\right]$."), undressed_json("[0, 1)"), undressed_json("see [1]")
        ('[0,1]', None, None)
    """
    bare = undress(text).strip(_AROUND)
    if bare[:1] not in {"[", "{"} or list(extents(bare)) != [(0, len(bare))]:
        return None
    return _strict(bare)


def _fenced(text: str) -> str | None:
    """Return the last fenced block that is nothing but JSON."""
    blocks = [content.strip() for _, content in fenced(text)]
    return _last(block for block in reversed(blocks) if list(extents(block)) == [(0, len(block))])


def _last(candidates: Iterator[str]) -> str | None:
    return next(filter(None, map(_strict, candidates)), None)


def _strict(source: str) -> str | None:
    """Return complete JSON in canonical form, None where two readers could read it differently."""
    try:
        return canonical(loads(source, object_pairs_hook=_unique, parse_int=_int))
    except ExtractorError:
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ExtractorError("duplicate keys")
    return mapping


def _int(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ExtractorError("an int that Python itself refuses to read")
    return int(digits)
