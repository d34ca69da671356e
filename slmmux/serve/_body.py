"""The body of a request: JSON of a bounded size, checked against a form.

A large body is read beside the event loop, so that nobody else's stream stops meanwhile. A thread alone would not do:
the C parser of `json` keeps the interpreter to itself until the end. Large bodies are read by the parser in Python,
which lets others go on; in a true one (pictures, long texts) nearly all is strings, which C reads for both.
"""

import asyncio
import json
import re
from collections.abc import Callable
from itertools import count
from json.scanner import py_make_scanner  # type: ignore[attr-defined]  # not among the types of `json`
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from slmmux.serve._fields import refusal_of
from slmmux.serve._presence import ClientLeftError
from slmmux.serve._refusal import RefusalError

__all__ = ["body_of"]

F = TypeVar("F", bound=BaseModel)

_LARGE = 256 * 1024  # bytes that C parses in a few milliseconds at the most
_LONGEST_S = 60  # that a body may take to arrive: a client that stops in the middle keeps its connection else
_MOST_CONTAINERS = 200_000  # lists and objects of a large body; the longest history of an agent has some thousands
_DEEPEST = 100  # lists and objects inside of each other; what stands below is walked through by functions that recurse
_HALF = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")  # what a half of a character begins with, or a whole one
_reading = asyncio.Semaphore(2)  # large bodies at once: each takes a thread, and many times its size in memory


async def body_of(request: Request, form: type[F], *, most_bytes: int) -> F:
    """Return the form that a client filled in.

    Raises:
        RefusalError: The body is too large, no JSON, or does not fit the form.
        ClientLeftError: The client left while it sent its body.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # a web page elsewhere can send any other kind without asking the browser first
        received = repr(kind[:100]) if kind else "no content type"
        raise RefusalError(415, f"the body must be application/json, received {received}")
    if (encoding := request.headers.get("content-encoding", "identity").lower()) != "identity":
        raise RefusalError(415, f"the body must not be compressed, received content-encoding {encoding[:100]!r}")
    try:
        async with asyncio.timeout(_LONGEST_S):
            content = await _content(request, most_bytes)
    except TimeoutError:
        raise RefusalError(408, f"the body did not arrive within {_LONGEST_S} s", code="timeout") from None
    if len(content) <= _LARGE:
        return _form_of(content, form, _loads)
    async with _reading:
        return await asyncio.to_thread(_form_of, content, form, _yielding_loads)


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, each of whose keys must be there once: one of two values would be ignored otherwise."""
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:100]!r} is there twice in one object")
    return values


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON's")


_HOOKS: dict[str, Any] = {"object_pairs_hook": _object_of, "parse_constant": _constant}


def _loads(content: bytes) -> Any:
    return json.loads(content, **_HOOKS)


def _yielding_loads(content: bytes) -> Any:
    """Return the value of JSON, as `_loads` does, and let other threads run meanwhile."""
    decoder: Any = json.JSONDecoder(**_HOOKS)  # what it calls is not among its types
    containers = count(1)

    def counted(parse: Callable[..., Any]) -> Callable[..., Any]:
        def parse_counted(*args: Any) -> Any:
            if next(containers) > _MOST_CONTAINERS:
                raise ValueError(f"a large body may have {_MOST_CONTAINERS:,} lists and objects at the most")
            return parse(*args)

        return parse_counted

    decoder.parse_array, decoder.parse_object = counted(decoder.parse_array), counted(decoder.parse_object)
    decoder.scan_once = py_make_scanner(decoder)
    return decoder.decode(content.decode(json.detect_encoding(content), "surrogatepass"))


def _form_of(content: bytes, form: type[F], loads: Callable[[bytes], Any]) -> F:
    try:
        values = loads(content)
        if content.count(b"{") + content.count(b"[") > _DEEPEST:
            _check_depth(values)
        if _HALF.search(content):
            json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        sentence = "the body has half of a character (a lone surrogate, \\ud800 to \\udfff), which cannot be sent on"
        raise RefusalError(400, sentence, code="invalid_json") from None
    except RecursionError:
        sentence = f"the body's lists and objects stand more than {_DEEPEST} deep inside of each other"
        raise RefusalError(400, sentence, code="invalid_json") from None
    except UnicodeDecodeError as error:
        sentence = f"the body is no UTF-8: byte {error.start} cannot be read"
        raise RefusalError(400, sentence, code="invalid_json") from None
    except ValueError as error:
        # Python's sentence about a number of thousands of digits speaks of Python's own settings.
        why = "a number has too many digits" if "digits" in str(error) else str(error)[:150]
        raise RefusalError(400, f"the body cannot be read as JSON: {why}", code="invalid_json") from None
    if not isinstance(values, dict):
        raise RefusalError(
            400, f"the body must be a JSON object, received {type(values).__name__}", code="invalid_json"
        )
    try:
        return form.model_validate(values)
    except ValidationError as error:
        raise refusal_of(error) from None


def _check_depth(values: Any) -> None:
    """Refuse lists and objects that stand too deep inside of each other; this function does not recurse itself."""
    level = [values]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for each in level:
            inner += each.values() if isinstance(each, dict) else each
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return
    raise RecursionError


async def _content(request: Request, most_bytes: int) -> bytes:
    size = request.headers.get("content-length", "")
    content = bytearray()
    if not (size.isdecimal() and int(size) > most_bytes):
        try:
            async for part in request.stream():
                content += part
                if len(content) > most_bytes:
                    break
            else:
                return bytes(content)
        except ClientDisconnect:
            raise ClientLeftError from None
    raise RefusalError(
        413, f"the body is larger than {most_bytes:,} bytes, the most this server reads", code="too_large"
    )
