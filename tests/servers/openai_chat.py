"""OpenAI's chat completions, as OpenAI, DeepSeek, vLLM and llama.cpp serve them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from .loopback import Request, Response, sse
from .replies import Call, Fault, Reply

__all__ = ["failure", "openai_chat"]

_FAULTS: dict[str, dict[str, Any]] = {
    "bad_request": {"message": "Invalid value for 'x'.", "type": "invalid_request_error", "code": "invalid_value"},
    "authentication": {"message": "Incorrect API key.", "type": "invalid_request_error", "code": "invalid_api_key"},
    "rate_limit": {"message": "Rate limit reached.", "type": "requests", "code": "rate_limit_exceeded"},
    "server": {"message": "The server had an error.", "type": "server_error", "code": None},
    "overflow": {
        "message": "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 "
        "tokens. Please reduce the length of the messages.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "context_length_exceeded",
    },
}


def openai_chat(request: Request, take: Callable[[], Reply | Fault]) -> Response:
    """Answer a request for a chat completion."""
    if not request.path.endswith("/chat/completions"):
        return Response.of({"error": {"message": f"no {request.path}", "type": "invalid_request_error"}}, 404)
    reply = take()
    if isinstance(reply, Fault):
        return failure(reply)
    head = {"id": "chatcmpl-1", "created": 1700000000, "model": request.body["model"], "system_fingerprint": "fp_1"}
    if request.body.get("stream"):
        options = request.body.get("stream_options") or {}
        chunks = list(_chunks(head, reply, _usage(reply) if options.get("include_usage") else None))
        return sse(chunks, end="data: [DONE]\n\n")
    choice = {"index": 0, "message": _message(reply), "logprobs": None, "finish_reason": _finish(reply)}
    return Response.of({**head, "object": "chat.completion", "choices": [choice], "usage": _usage(reply)})


def failure(fault: Fault) -> Response:
    """Return a fault as OpenAI words it."""
    return Response.of({"error": {"param": None, **_FAULTS[fault.kind]}}, fault.status)


def _message(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal or None}
    if not (reply.calls or reply.refusal or reply.audio):
        message["content"] = reply.text
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.calls:
        message["tool_calls"] = [_call(call) for call in reply.calls]
    if reply.searched:
        place = {"start_index": 0, "end_index": 4, "url": "http://example.test/oslo", "title": "Oslo"}
        message["annotations"] = [{"type": "url_citation", "url_citation": place}]
    if reply.audio:
        message["audio"] = {"id": "audio_1", "data": "UklGRg==", "expires_at": 1700000001, "transcript": "Oslo"}
    return message


def _call(call: Call) -> dict[str, Any]:
    args = call.args if isinstance(call.args, str) else json.dumps(call.args)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": args}}


def _finish(reply: Reply) -> str:
    if reply.cut:
        return "length"
    return "tool_calls" if reply.calls else "stop"


def _usage(reply: Reply) -> dict[str, Any]:
    thoughts = 3 if reply.reasoning else 0
    return {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thoughts, "audio_tokens": 0},
    }


def _chunks(head: dict[str, Any], reply: Reply, usage: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    head = {**head, "object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**head, "choices": [choice], **({} if usage is None else {"usage": None})}

    yield chunk({"role": "assistant", "content": "" if not reply.calls else None, "refusal": None})
    for word in reply.reasoning.split(" ") if reply.reasoning else []:
        yield chunk({"reasoning_content": word + " "})
    for piece in reply.pieces():
        yield chunk({"content": piece})
    if reply.refusal:
        yield chunk({"refusal": reply.refusal})
    for index, call in enumerate(map(_call, reply.calls)):
        args = call["function"]["arguments"]
        yield chunk({"tool_calls": [{"index": index, **call, "function": {**call["function"], "arguments": ""}}]})
        for part in (args[: len(args) // 2], args[len(args) // 2 :]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield chunk({}, _finish(reply))
    if usage is not None:
        yield {**head, "choices": [], "usage": usage}
