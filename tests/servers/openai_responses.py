"""OpenAI's Responses API: a reply is a list of items, and a stream tells of each as it grows."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from .loopback import Request, Response, sse
from .openai_chat import failure
from .replies import Fault, Reply

__all__ = ["openai_responses"]


def openai_responses(request: Request, take: Callable[[], Reply | Fault]) -> Response:
    """Answer a request for a response."""
    if not request.path.endswith("/responses"):
        return Response.of({"error": {"message": f"no {request.path}", "type": "invalid_request_error"}}, 404)
    reply = take()
    if isinstance(reply, Fault):
        return failure(reply)
    if request.body.get("stream"):
        numbered = [{**event, "sequence_number": i} for i, event in enumerate(_events(request.body["model"], reply))]
        return sse(numbered, named=True)
    return Response.of(_response(request.body["model"], reply))


def _response(model: str, reply: Reply, *, begun: bool = False) -> dict[str, Any]:
    thoughts = 3 if reply.reasoning else 0
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": thoughts},
        "total_tokens": 15,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "in_progress" if begun else "incomplete" if reply.cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if reply.cut and not begun else None,
        "instructions": None,
        "model": model,
        "output": [] if begun else _items(reply),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "usage": None if begun else usage,
    }


def _items(reply: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if reply.reasoning:
        summary = [{"type": "summary_text", "text": reply.reasoning}]
        items.append({"id": "rs_1", "type": "reasoning", "summary": summary})
    if reply.searched:
        action = {"type": "search", "query": "capital of Norway"}
        items.append({"id": "ws_1", "type": "web_search_call", "status": "completed", "action": action})
    if reply.image:
        picture = {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": reply.image}
        items.append(picture)
    if reply.text or reply.refusal or not reply.calls:
        content = [_refusal(reply) if reply.refusal else _text(reply)]
        status = "incomplete" if reply.cut else "completed"
        message = {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content}
        items.append(message)
    for i, call in enumerate(reply.calls, 1):
        args = call.args if isinstance(call.args, str) else json.dumps(call.args)
        fixed = {"id": f"fc_{i}", "type": "function_call", "call_id": call.id, "name": call.name}
        items.append({**fixed, "arguments": args, "status": "incomplete" if reply.cut else "completed"})
    return items


def _text(reply: Reply) -> dict[str, Any]:
    place = {
        "type": "url_citation",
        "start_index": 0,
        "end_index": 4,
        "url": "http://example.test/oslo",
        "title": "Oslo",
    }
    return {"type": "output_text", "text": reply.text, "annotations": [place] if reply.searched else []}


def _refusal(reply: Reply) -> dict[str, Any]:
    return {"type": "refusal", "refusal": reply.refusal}


def _events(model: str, reply: Reply) -> Iterator[dict[str, Any]]:
    for name in ("created", "in_progress"):
        yield {"type": f"response.{name}", "response": _response(model, reply, begun=True)}
    for index, item in enumerate(_items(reply)):
        yield from _growing(item, index, reply)
    end = "incomplete" if reply.cut else "completed"
    yield {"type": f"response.{end}", "response": _response(model, reply)}


def _growing(item: dict[str, Any], index: int, reply: Reply) -> Iterator[dict[str, Any]]:
    """Yield the events of one item: it is added empty, grows, and is done."""
    place = {"output_index": index, "item_id": item["id"]}
    empty = {"reasoning": {"summary": []}, "message": {"content": []}, "function_call": {"arguments": ""}}
    begun = {**item, **empty.get(item["type"], {}), **({"status": "in_progress"} if "status" in item else {})}
    if item["type"] == "image_generation_call":
        begun["result"] = None
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if item["type"] == "reasoning":
        part = {"summary_index": 0, **place}
        yield {"type": "response.reasoning_summary_part.added", **part, "part": {"type": "summary_text", "text": ""}}
        for word in reply.reasoning.split(" "):
            yield {"type": "response.reasoning_summary_text.delta", **part, "delta": f"{word} "}
        yield {"type": "response.reasoning_summary_text.done", **part, "text": reply.reasoning}
        yield {"type": "response.reasoning_summary_part.done", **part, "part": item["summary"][0]}
    elif item["type"] == "message":
        part, (content,) = {"content_index": 0, **place}, item["content"]
        form = content["type"]
        name = "text" if form == "output_text" else "refusal"
        yield {"type": "response.content_part.added", **part, "part": {**content, name: ""}}
        for piece in reply.pieces() if form == "output_text" else [reply.refusal]:
            yield {"type": f"response.{form}.delta", **part, "delta": piece, "logprobs": []}
        for i, annotation in enumerate(content.get("annotations", ())):
            added = {"annotation_index": i, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **part, **added}
        yield {"type": f"response.{form}.done", **part, name: content[name], "logprobs": []}
        yield {"type": "response.content_part.done", **part, "part": content}
    elif item["type"] == "function_call":
        args = item["arguments"]
        for piece in (args[: len(args) // 2], args[len(args) // 2 :]):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        yield {"type": "response.function_call_arguments.done", **place, "arguments": args}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}
