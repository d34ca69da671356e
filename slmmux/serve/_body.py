"""The body of a request: JSON of a bounded size, checked against a form."""

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from slmmux.serve._fields import refusal_of
from slmmux.serve._presence import ClientLeftError
from slmmux.serve._refusal import RefusalError

__all__ = ["body_of"]

F = TypeVar("F", bound=BaseModel)


async def body_of(request: Request, form: type[F], *, most_bytes: int) -> F:
    """Return the form that a client filled in.

    Raises:
        RefusalError: The body is too large, no JSON, or does not fit the form.
        ClientLeftError: The client left while it sent its body.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # a web page elsewhere can send any other kind without asking the browser first
        raise RefusalError(415, f"the body must be application/json, received {kind or 'no content type'!r}")
    try:
        values = json.loads(await _content(request, most_bytes))
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, f"the body is not JSON: {str(error)[:100]}", code="invalid_json") from None
    if not isinstance(values, dict):
        raise RefusalError(
            400, f"the body must be a JSON object, received {type(values).__name__}", code="invalid_json"
        )
    try:
        return form.model_validate(values)
    except ValidationError as error:
        raise refusal_of(error) from None


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
