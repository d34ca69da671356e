"""Gemini's generateContent and streamGenerateContent, with thought signatures, models and the counting of tokens."""

from collections.abc import Callable, Iterator
from typing import Any

from .loopback import Request, Response, sse
from .replies import Fault, Reply

__all__ = ["gemini"]

_FAULTS = {
    "bad_request": ("INVALID_ARGUMENT", "Invalid value at 'generation_config.x'"),
    "authentication": ("UNAUTHENTICATED", "API key not valid. Please pass a valid API key."),
    "rate_limit": ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    "server": ("INTERNAL", "An internal error has occurred."),
    "overflow": (
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
}
_SIGNATURE = "c2lnbmF0dXJl"


def gemini(request: Request, take: Callable[[], Reply | Fault]) -> Response:
    """Answer a request about a model: what it is, a count of tokens, a reply whole or streamed."""
    path = request.path.partition("?")[0]
    if path.endswith(":countTokens"):
        return Response.of({"totalTokens": 42})
    if request.method == "GET":
        model = path.rpartition("/")[2]
        return Response.of({"name": f"models/{model}", "inputTokenLimit": 1048576, "outputTokenLimit": 65536})
    if not path.endswith((":generateContent", ":streamGenerateContent")):
        return _failure(404, "NOT_FOUND", f"no {request.path}")
    if unsigned := _without_signature(request.body):
        return _failure(400, "INVALID_ARGUMENT", unsigned)
    reply = take()
    if isinstance(reply, Fault):
        return _failure(reply.status, *_FAULTS[reply.kind])
    if path.endswith(":streamGenerateContent"):
        return sse(list(_chunks(reply)))
    return Response.of(_response(list(_parts(reply, [reply.text])), reply, finish=_finish(reply)))


def _without_signature(body: dict[str, Any]) -> str | None:
    """Return the refusal of a turn whose function calls have lost the signature of the thoughts before them."""
    for index, content in enumerate(body["contents"]):
        calls = [part for part in content["parts"] if "functionCall" in part]
        if content.get("role") == "model" and calls and calls[0].get("thoughtSignature") != _SIGNATURE:
            return f"Function call is missing a thought_signature in functionCall parts: contents[{index}]"
    return None


def _failure(status: int, kind: str, message: str) -> Response:
    return Response.of({"error": {"code": status, "message": message, "status": kind}}, status)


def _finish(reply: Reply) -> str:
    if reply.refusal:
        return "SAFETY"
    return "MAX_TOKENS" if reply.cut else "STOP"


def _parts(reply: Reply, texts: list[str]) -> Iterator[dict[str, Any]]:
    if reply.reasoning:
        yield {"text": reply.reasoning, "thought": True}
    for text in filter(None, texts):
        yield {"text": text}
    if reply.image:
        yield {"inlineData": {"mimeType": "image/png", "data": reply.image}}
    for index, call in enumerate(reply.calls):
        signed = {"thoughtSignature": _SIGNATURE} if index == 0 else {}
        yield {"functionCall": {"name": call.name, "args": call.args}, **signed}


def _response(parts: list[dict[str, Any]], reply: Reply, finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    if finish and reply.searched:
        chunk = {"web": {"uri": "http://example.test/oslo", "title": "Oslo"}}
        support = {"segment": {"startIndex": 0, "endIndex": 4, "text": "Oslo"}, "groundingChunkIndices": [0]}
        candidate["groundingMetadata"] = {
            "webSearchQueries": ["Oslo"],
            "groundingChunks": [chunk],
            "groundingSupports": [support],
        }
    thoughts = {"thoughtsTokenCount": 3} if reply.reasoning else {}
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": 10,
            "cachedContentTokenCount": 4,
            "candidatesTokenCount": 5,
            **thoughts,
            "totalTokenCount": 15 + 3 * bool(reply.reasoning),
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "resp-1",
    }


def _chunks(reply: Reply) -> Iterator[dict[str, Any]]:
    parts = list(_parts(reply, reply.pieces())) or [{"text": ""}]
    for part in parts[:-1]:
        yield _response([part], reply)
    yield _response(parts[-1:], reply, finish=_finish(reply))
