"""Anthropic's messages: thinking with signatures, tools, citations of a web search, and the counting of tokens."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from .loopback import Request, Response, sse
from .replies import Fault, Reply

__all__ = ["anthropic"]

_FAULTS = {
    "bad_request": ("invalid_request_error", "max_tokens: must be greater than thinking.budget_tokens"),
    "authentication": ("authentication_error", "invalid x-api-key"),
    "rate_limit": ("rate_limit_error", "This request would exceed your rate limit."),
    "server": ("api_error", "Internal server error"),
    "overflow": ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
}
_SIGNATURE = "c2lnbmF0dXJl"


def anthropic(request: Request, take: Callable[[], Reply | Fault]) -> Response:
    """Answer a request to /v1/messages or /v1/messages/count_tokens."""
    path = request.path.partition("?")[0]
    if path == "/v1/messages/count_tokens":
        return Response.of({"input_tokens": 42})
    if path != "/v1/messages":
        return _failure(404, "not_found_error", f"no {request.path}")
    if unsigned := _without_thoughts(request.body):
        return _failure(400, "invalid_request_error", unsigned)
    reply = take()
    if isinstance(reply, Fault):
        return _failure(reply.status, *_FAULTS[reply.kind])
    blocks = list(_blocks(reply))
    head = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request.body["model"],
        "stop_sequence": None,
    }
    if request.body.get("stream"):
        return sse(list(_events(head, blocks, reply)), named=True)
    return Response.of({**head, "content": blocks, "stop_reason": _stop(reply), "usage": _usage(5)})


def _without_thoughts(body: dict[str, Any]) -> str | None:
    """Return the refusal of a tool turn whose assistant message has lost its thinking block."""
    if (body.get("thinking") or {}).get("type") not in {"enabled", "adaptive"}:
        return None
    for index, message in enumerate(body["messages"]):
        blocks = message["content"] if isinstance(message["content"], list) else []
        kinds = [block["type"] for block in blocks]
        if message["role"] != "assistant" or "tool_use" not in kinds:
            continue
        place = f"messages.{index}.content.0"
        if kinds[0] != "thinking":
            return f"{place}: Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`."
        if blocks[0].get("signature") != _SIGNATURE:
            return f"{place}: Invalid `signature` in `thinking` block"
    return None


def _failure(status: int, kind: str, message: str) -> Response:
    error = {"type": kind, "message": message}
    return Response.of({"type": "error", "error": error, "request_id": "req_1"}, status)


def _stop(reply: Reply) -> str:
    if reply.refusal:
        return "refusal"
    if reply.cut:
        return "max_tokens"
    return "tool_use" if reply.calls else "end_turn"


def _usage(tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": 10,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4,
        "output_tokens": tokens,
    }


def _blocks(reply: Reply) -> Iterator[dict[str, Any]]:
    if reply.reasoning:
        yield {"type": "thinking", "thinking": reply.reasoning, "signature": _SIGNATURE}
    if reply.searched:
        yield {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Oslo"}}
        page = {"type": "web_search_result", "url": "http://example.test/oslo", "title": "Oslo", "page_age": None}
        page["encrypted_content"] = "ZW5j"
        yield {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [page]}
    if reply.text or reply.refusal:
        block: dict[str, Any] = {"type": "text", "text": reply.text or reply.refusal}
        if reply.searched:
            block["citations"] = [
                {
                    "type": "web_search_result_location",
                    "url": "http://example.test/oslo",
                    "title": "Oslo",
                    "encrypted_index": "aWR4",
                    "cited_text": "Oslo is the capital.",
                }
            ]
        yield block
    for call in reply.calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": call.args}


def _events(head: dict[str, Any], blocks: list[dict[str, Any]], reply: Reply) -> Iterator[dict[str, Any]]:
    start = {**head, "content": [], "stop_reason": None, "usage": _usage(1)}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(blocks):
        empty, deltas = _parts(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    end = {"stop_reason": _stop(reply), "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": 5}}
    yield {"type": "message_stop"}


def _parts(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block as its stream begins it, and the deltas that fill it."""
    if block["type"] == "text":
        words = [{"type": "text_delta", "text": piece} for piece in Reply(block["text"]).pieces()]
        cited = [{"type": "citations_delta", "citation": citation} for citation in block.get("citations", [])]
        return {"type": "text", "text": ""}, cited + words
    if block["type"] == "thinking":
        thought = {"type": "thinking_delta", "thinking": block["thinking"]}
        signature = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [thought, signature]
    if block["type"] in {"tool_use", "server_tool_use"}:
        args = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])
        halves = (args[: len(args) // 2], args[len(args) // 2 :])
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": half} for half in halves]
    return block, []
