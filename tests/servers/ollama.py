"""Ollama's chat, generate and show."""

import json
from collections.abc import Callable
from typing import Any

from .loopback import Request, Response
from .replies import Fault, Reply

__all__ = ["ollama"]

_FAULTS = {
    "bad_request": "invalid options: x",
    "authentication": "unauthorized",
    "rate_limit": "too many requests",
    "server": "llama runner process has terminated",
    "overflow": "the request exceeds the available context size (4096 tokens), try increasing it",
}
_SHOW = {
    "details": {"family": "qwen2", "parameter_size": "3B"},
    "model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32768},
    "capabilities": ["completion", "tools", "thinking", "vision"],
}


def ollama(request: Request, take: Callable[[], Reply | Fault]) -> Response:
    """Answer a request to /api/chat, /api/generate or /api/show."""
    if request.path == "/api/show":
        return Response.of(_SHOW)
    if request.path not in {"/api/chat", "/api/generate"}:
        return Response.of({"error": f"no {request.path}"}, 404)
    reply = take()
    if isinstance(reply, Fault):
        return Response.of({"error": _FAULTS[reply.kind]}, reply.status)
    put = _message if request.path == "/api/chat" else _response
    head = {"model": request.body["model"], "created_at": "2025-01-01T00:00:00Z"}
    end = {
        "done": True,
        "done_reason": "length" if reply.cut else "stop",
        "total_duration": 30,
        "load_duration": 1,
        "prompt_eval_count": 10,
        "prompt_eval_duration": 9,
        "eval_count": 5,
        "eval_duration": 20,
    }
    if not request.body.get("stream", True):
        return Response.of({**head, **put(reply.text, reply.reasoning, reply), **end})
    parts = [put("", word + " ", None) for word in reply.reasoning.split(" ") if word]
    parts += [put(piece, "", None) for piece in reply.pieces()]
    if reply.calls:
        parts.append(put("", "", reply))
    lines = [{**head, **part, "done": False} for part in parts] + [{**head, **put("", "", None), **end}]
    return Response([json.dumps(line) + "\n" for line in lines], kind="application/x-ndjson")


def _message(text: str, reasoning: str, reply: Reply | None) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning:
        message["thinking"] = reasoning
    if reply and reply.calls:
        message["tool_calls"] = [{"function": {"name": c.name, "arguments": c.args}} for c in reply.calls]
    return {"message": message}


def _response(text: str, reasoning: str, reply: Reply | None) -> dict[str, Any]:
    return {"response": text, **({"thinking": reasoning} if reasoning else {})}
