"""One text for one JSON value, however it was written."""

import math
from io import StringIO
from json import JSONEncoder
from typing import Any

from slmmux._errors import ExtractorError

__all__ = ["MAX_DEPTH", "canonical"]

# Far deeper than any answer, far shallower than Python's stack: the outcome never depends on who calls.
MAX_DEPTH = 100
_MANY = 5_000  # parts of a value
_JSON = JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_MAX_BITS = 4096  # of an int; beyond some 4,300 digits Python refuses to print one


def canonical(value: Any) -> str:
    """Return the canonical JSON text of a value: keys sorted, no spaces, 1.0 written 1, non-ASCII kept.

    Args:
        value: str, int, float, bool, None, or lists and dicts of these; dict keys are str.

    Returns:
        A text that two values share exactly when they are the same JSON value. `True` is not 1; 1.0 is.

    Raises:
        TypeError: Something that is not JSON: bytes, a set, a tuple, an object.
        ExtractorError: NaN, infinity, an int of more than 1,200 digits, half a surrogate pair, or nesting deeper
            than 100: nothing that can be compared and written down.

    Example:
        >>> canonical({"b": 1.0, "a": [True, None]})
        '{"a":[true,null],"b":1}'
    """
    plain, count = _plain(value)
    # A value of many parts is written one by one: at once it would keep every other thread waiting.
    text = _written(plain) if count > _MANY else _JSON.encode(plain)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ExtractorError("an answer holds half a surrogate pair, which no file can store") from None
    return text


def _written(value: Any) -> str:
    text = StringIO()
    for part in _JSON.iterencode(value):
        text.write(part)
    return text.getvalue()


def _plain(value: Any) -> tuple[Any, int]:
    """Return the value with integral floats as ints and the number of its parts, or say why it cannot be compared.

    Without recursion, which would make the outcome depend on who calls.
    """
    root = [value]
    todo: list[tuple[Any, Any, int]] = [(root, 0, 0)]
    count = 0
    while todo:
        count += 1
        holder, key, depth = todo.pop()
        item = holder[key]
        if depth > MAX_DEPTH:
            raise ExtractorError(f"an answer is nested deeper than {MAX_DEPTH} levels")
        if isinstance(item, list):
            holder[key] = item = list(item)
            todo.extend((item, place, depth + 1) for place in range(len(item)))
        elif isinstance(item, dict):
            for name in item:
                if not isinstance(name, str):
                    raise TypeError(f"an answer's dict has the {type(name).__name__} key {name!r}; JSON keys are str")
            holder[key] = item = dict(item)
            todo.extend((item, name, depth + 1) for name in item)
        else:
            holder[key] = _scalar(item)
    return root[0], count


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise ExtractorError(f"an answer holds an int of {value.bit_length()} bits; {_MAX_BITS} are the most")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExtractorError(f"an answer is {value}, which equals nothing, not even itself in JSON")
        return int(value) if value.is_integer() else value
    raise TypeError(
        f"an answer is a {type(value).__name__}; an extractor may return str, int, float, bool, list, dict or None"
    )
