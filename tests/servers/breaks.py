"""How a reply breaks off in the middle: after half of a stream's events, or in the midst of a reply that comes whole."""

import json
from collections.abc import Sequence
from typing import Any

from .replies import Break

__all__ = ["broken_off"]

# What a provider sends in the midst of a stream when its model fails, in the protocol's own form.
_OPENAI: dict[str, Any] = {
    "error": {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}
}
_EVENTS: dict[str, str] = {
    "anthropic": "event: error\ndata: "
    + json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    + "\n\n",
    "gemini": "data: "
    + json.dumps({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})
    + "\n\n",
    "ollama": json.dumps({"error": "llama runner process has terminated"}) + "\n",
    "openai_responses": "event: error\ndata: "
    + json.dumps(
        {"type": "error", "code": "server_error", "message": "The server had an error.", "param": None}
        | {"sequence_number": 9}
    )
    + "\n\n",
}


def broken_off(body: Sequence[str], how: Break, protocol: str) -> list[str]:
    """Return the parts of a response's body as far as they are sent.

    Args:
        body: The whole body; a reply that is not streamed is one part.
        how: How it breaks off.
        protocol: The protocol's name.
    """
    if how == "nothing":
        return []
    if len(body) == 1:
        return list(body) if how == "error" else [body[0][: len(body[0]) // 2]]
    half = list(body[: (len(body) + 1) // 2])
    return [*half, _EVENTS.get(protocol, f"data: {json.dumps(_OPENAI)}\n\n")] if how == "error" else half
