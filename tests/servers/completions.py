"""Completions of a text, as servers of one model without a chat template serve them."""

from collections.abc import Callable
from typing import Any

from .loopback import Request, Response, sse
from .openai_chat import failure
from .replies import Fault, Reply

__all__ = ["completions"]

_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def completions(request: Request, take: Callable[[], Reply | Fault]) -> Response:
    """Answer a request for a completion."""
    reply = take()
    if isinstance(reply, Fault):
        return failure(reply)
    finish = "length" if reply.cut else "stop"
    if request.body.get("stream"):
        chunks: list[dict[str, Any]] = [{"choices": [{"text": piece}]} for piece in reply.pieces()]
        return sse([*chunks, {"choices": [{"text": "", "finish_reason": finish}], "usage": _USAGE}])
    return Response.of({"choices": [{"text": reply.text, "finish_reason": finish}], "usage": _USAGE})
