r"""Whether an answer is the gold one: gold is read as the answer was."""

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from slmmux._decision.types import Answer
from slmmux._errors import ArgumentError
from slmmux.answers._boxed import boxed_key
from slmmux.answers._canonical import canonical
from slmmux.answers._code import program_keys
from slmmux.answers._content import content_of
from slmmux.answers._json import undressed_json
from slmmux.answers._mathematics.numeral import Percentage, decimal
from slmmux.answers._pattern import pattern
from slmmux.answers._reader import reader
from slmmux.answers._tool_calls import canonical_json, tool_calls
from slmmux.answers._words.options import Options
from slmmux.answers._words.scripts import plain

__all__ = ["right"]

_PERCENT = pattern(r"[%％٪]|\bper ?cent|\bProzent|\bpour ?cent|\bpor ?cien", 2)
_MOST_OPTIONS = 26


def right(answer: Answer, gold: Any, *, question: str = "") -> bool:
    r"""Return whether an answer is the gold one.

    Gold is turned into the key that an answer of the same kind would have, and the keys are compared. Little more is
    equal here than is when samples vote: a unit or a percent sign that gold leaves out. For equality as mathematics
    use `same`.

    | kind of the answer | gold that is right for it |
    |---|---|
    | number 1234 | `"1,234"`, `1234.0`, `"... so 1,234 in all.\n#### 1234"` |
    | number 0.2, written `20%` | `"20%"`, `0.2`, `20` |
    | number with a unit, `3 cm` | `"3 cm"`, `"0.03 m"`, `3` |
    | boxed `\frac{1}{2}` | `"1/2"`, `0.5`, `r"\dfrac12"`, `r"We get $\boxed{0.5}$."` |
    | math `x+1` | `"x + 1"`, `"$x+1$"` |
    | choice B | `"B"`, `"b"`, `"(B)"`, `"B) Rome"`, the index 1 |
    | text `Canberra.` | `"canberra"` |
    | text `Yes` | `"yes"`, `True` |
    | json, structured | the value, or its JSON text |
    | tool_calls | a list of {"name", "args"}, ids aside, or its JSON text |
    | code | the program, fenced or not |
    | regex, callable | the text as it is, trimmed; a value as a value |
    | recorded | the same JSON value, text apart from number |
    | any but json, structured, tool_calls and lists | a list: any of its accepted answers |

    Args:
        answer: What a reader returned, or a recorded row holds.
        gold: The gold answer: a text, any JSON value, or a list of accepted answers.
        question: What was asked, if that is known: a whole number is the index of an option, from 0, only if the
            question shows options, and the text of an option is its letter.

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
        >>> right(read("It is 12."), ["11", "12"])
        True
    """
    if gold is None:
        raise ArgumentError(
            "there is no gold answer to compare with, received None; give a text or a JSON value, or leave the "
            "question out"
        )
    kind = answer.kind.partition(" ")[0]  # "regex 2" is the second pattern of a first_of
    if isinstance(gold, list) and kind not in _LIST_KINDS and not isinstance(answer.value, (list, dict)):
        return any(right(answer, accepted, question=question) for accepted in gold if accepted is not None)
    if kind == "choice" and isinstance(gold, int) and not isinstance(gold, bool):
        return answer.key == _letter(gold, question)
    if kind == "choice" and question:
        choice = reader("choice", question=question)(_text(gold))
        return choice is not None and choice.key == answer.key
    keys = _KEYS.get(kind, _as_it_is)(gold)
    return answer.key in keys or (kind in {"number", "boxed"} and _loosely(answer, gold, keys))


def _letter(index: int, question: str) -> str | None:
    """Return the letter of an option by its index from 0; None where the question shows no options."""
    letters = sorted(Options(plain(question)).letters) if question else [chr(65 + i) for i in range(_MOST_OPTIONS)]
    return letters[index] if 0 <= index < len(letters) else None


def _loosely(answer: Answer, gold: Any, keys: set[str]) -> bool:
    """Return whether an answer is gold but for the percent sign or the unit that gold leaves out."""
    shown_value = str(answer.value)
    if (isinstance(answer.value, Percentage) or _PERCENT.search(shown_value)) and not _PERCENT.search(_text(gold)):
        try:
            return decimal(Fraction(answer.key) * 100) in keys
        except ValueError:
            return False
    one, gold_quantity = content_of(shown_value).quantity, content_of(_text(gold)).quantity
    both = " " in answer.key and bool(gold_quantity and gold_quantity.unit)  # a number is shown without its unit
    return bool(one and gold_quantity and one.value == gold_quantity.value and not both)


def _keys_by(kind: str) -> Callable[[Any], set[str]]:
    read_gold = reader(kind)

    def keys(gold: Any) -> set[str]:
        answer = None if isinstance(gold, (dict, list)) else read_gold(_text(gold))
        return set() if answer is None else {answer.key}

    return keys


_automatic = reader("auto")


def _content(kind: str) -> Callable[[Any], set[str]]:
    """Return the keys that `auto` would compare a gold answer of this kind by."""

    def keys(gold: Any) -> set[str]:
        if isinstance(gold, (dict, list)):
            return set()
        text = _text(gold).strip()
        answer, content = _automatic(text), content_of(text)
        return ({answer.key} if answer and answer.kind == kind else set()) | (
            {content.key} if content.kind == kind else set()
        )

    return keys


def _number(gold: Any) -> set[str]:
    sized = _content("number")(gold)
    # 3 m are not 3: gold's unit counts if it has one, and is left out only where the answer has none.
    return sized | _keys_by("number")(gold)


def _words(gold: Any) -> set[str]:
    if isinstance(gold, bool):
        return {"true", "yes"} if gold else {"false", "no"}
    return _keys_by("text")(gold) | _content("text")(gold)


def _boxed(gold: Any) -> set[str]:
    return {boxed_key(_text(gold).strip())} | _keys_by("boxed")(gold)


def _code(gold: Any) -> set[str]:
    return program_keys(_text(gold)) | _keys_by("code")(gold)


def _json(gold: Any) -> set[str]:
    if not isinstance(gold, str):
        return {canonical(gold)}
    return _keys_by("json")(gold) | {*filter(None, [undressed_json(gold)])}


def _value(gold: Any) -> set[str]:
    """Return the keys of a value, and of the one that a text is the JSON of."""
    return {canonical(gold), *_json_key(gold)}


def _calls(gold: Any) -> set[str]:
    calls = json.loads(next(iter(_json_key(gold)), "null")) if isinstance(gold, str) else gold
    if isinstance(calls, list) and all(isinstance(call, dict) and {"name", "args"} <= call.keys() for call in calls):
        return {*filter(None, [tool_calls(calls)])}
    return _value(gold)


def _as_it_is(gold: Any) -> set[str]:
    return {gold, gold.strip(), *_json_key(gold)} if isinstance(gold, str) else {canonical(gold)}


def _json_key(gold: Any) -> set[str]:
    return {*filter(None, [canonical_json(gold)])} if isinstance(gold, str) else set()


def _json_value(gold: Any) -> set[str]:
    return {json.dumps(gold, sort_keys=True)}


def _text(gold: Any) -> str:
    return gold if isinstance(gold, str) else canonical(gold)


_LIST_KINDS = {"json", "structured", "tool_calls"}  # a list is their own value
_KEYS = {
    "boxed": _boxed,
    "choice": _keys_by("choice"),
    "code": _code,
    "json": _json,
    "math": _content("math"),
    "number": _number,
    "recorded": _json_value,
    "structured": _value,
    "text": _words,
    "tool_calls": _calls,
}
