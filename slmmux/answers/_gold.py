r"""Whether an answer is the gold one: gold is read as the answer was."""

import json
from collections.abc import Callable
from typing import Any

from slmmux._decision.types import Answer
from slmmux._errors import ArgumentError
from slmmux.answers._boxed import boxed_key
from slmmux.answers._canonical import canonical
from slmmux.answers._code import program_keys
from slmmux.answers._reader import reader
from slmmux.answers._tool_calls import tool_calls, written

__all__ = ["right"]


def right(answer: Answer, gold: Any) -> bool:
    r"""Return whether an answer is the gold one.

    Gold is turned into the key that an answer of the same kind would have, and the keys are compared: no more is equal
    here than is when samples vote. For equality as mathematics use `same`.

    | kind of the answer | gold that is right for it |
    |---|---|
    | number 1234 | `"1,234"`, `1234.0`, `"... so 1,234 in all.\n#### 1234"` |
    | boxed `\frac{1}{2}` | `"1/2"`, `0.5`, `r"\dfrac12"`, `r"We get $\boxed{0.5}$."` |
    | choice B | `"B"`, `"b"`, `"(B)"`, `"B) Rome"` |
    | text `Canberra.` | `"canberra"` |
    | json, structured | the value, or its JSON text |
    | tool_calls | a list of {"name", "args"}, ids aside, or its JSON text |
    | code | the program, fenced or not |
    | regex, callable | the text as it is, trimmed; a value as a value |
    | recorded | the same JSON value, text apart from number |

    Args:
        answer: What a reader returned, or a recorded row holds.
        gold: The gold answer: a text, or any JSON value.

    Returns:
        False also where gold cannot be read as this kind: "Rome" is no number.

    Raises:
        ArgumentError: There is no gold answer: None.
        TypeError: Gold is not JSON; see `canonical`.
        ExtractorError: Gold cannot be compared; see `canonical`.

    Example:
        >>> from slmmux.answers import reader
        >>> read = reader("number")
        >>> right(read("She pays $1,234.00."), "1234"), right(read("About 1,234."), "#### 1,235")
        (True, False)
    """
    if gold is None:
        raise ArgumentError(
            "there is no gold answer to compare with, received None; give a text or a JSON value, or leave the "
            "question out"
        )
    kind = answer.kind.partition(" ")[0]  # "regex 2" is the second pattern of a first_of
    return answer.key in _KEYS.get(kind, _as_it_is)(gold)


def _read(kind: str) -> Callable[[Any], set[str]]:
    read = reader(kind)

    def keys(gold: Any) -> set[str]:
        found = None if isinstance(gold, (dict, list)) else read(_text(gold))
        return set() if found is None else {found.key}

    return keys


def _boxed(gold: Any) -> set[str]:
    return {boxed_key(_text(gold).strip())} | _read("boxed")(gold)


def _code(gold: Any) -> set[str]:
    return program_keys(_text(gold)) | _read("code")(gold)


def _json(gold: Any) -> set[str]:
    return _read("json")(gold) if isinstance(gold, str) else {canonical(gold)}


def _value(gold: Any) -> set[str]:
    """Return the keys of a value, and of the one that a text is the JSON of."""
    return {canonical(gold), *_written(gold)}


def _calls(gold: Any) -> set[str]:
    calls = json.loads(next(iter(_written(gold)), "null")) if isinstance(gold, str) else gold
    if isinstance(calls, list) and all(isinstance(call, dict) and {"name", "args"} <= call.keys() for call in calls):
        return {*filter(None, [tool_calls(calls)])}
    return _value(gold)


def _as_it_is(gold: Any) -> set[str]:
    return {gold, gold.strip(), *_written(gold)} if isinstance(gold, str) else {canonical(gold)}


def _written(gold: Any) -> set[str]:
    return {*filter(None, [written(gold)])} if isinstance(gold, str) else set()


def _recorded(gold: Any) -> set[str]:
    return {json.dumps(gold, sort_keys=True)}


def _text(gold: Any) -> str:
    return gold if isinstance(gold, str) else canonical(gold)


_KEYS = {kind: _read(kind) for kind in ("choice", "number", "text")} | {
    "boxed": _boxed,
    "code": _code,
    "json": _json,
    "recorded": _recorded,
    "structured": _value,
    "tool_calls": _calls,
}
