"""What a message says as the items of `/v1/responses`: whole, or opened, filled and closed as its parts come."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseOutputText,
)

from slmmux.serve._chunks import call_deltas, pieces
from slmmux.serve._completion import arguments_text, new_id

__all__ = ["Event", "Items"]

Event: TypeAlias = tuple[str, dict[str, Any]]  # its type and its fields

_TEXT, _REFUSAL = "text", "refusal"


class Items:
    """The items of one response, and the events that build them.

    Items are opened in the order in which they begin and all closed at the end: only then is it sure that nothing of
    them follows.
    """

    def __init__(self) -> None:
        self._open: dict[Any, dict[str, Any]] = {}  # the items by what they are: "message", or the index of a call
        self._field = _TEXT

    def of(self, chunk: Any) -> Iterator[Event]:
        """Yield the events of one chunk of the mux."""
        refusal = chunk.additional_kwargs.get("refusal")
        if refusal and "message" not in self._open:
            self._field = _REFUSAL
        for piece in pieces(str((refusal if self._field == _REFUSAL else chunk.text) or "")):
            yield from self._begun_message()
            self._part[self._field] += piece
            yield f"{self._kind}.delta", {**self._at_part, "delta": piece, **self._own}
        for place, call in enumerate(_calls(chunk)):
            for delta in call_deltas(place, call):
                yield from self._filled_call(delta)

    def end(self, message: Any) -> Iterator[Event]:
        """Yield the events that close the items of a whole message, all of whose chunks have come."""
        if not self._open:
            yield from self._begun_message()
        for place, item in enumerate(self.whole):
            where = {"output_index": place, "item_id": item["id"]}
            if item["type"] == "message":
                yield f"{self._kind}.done", {**self._at_part, self._field: self._part[self._field], **self._own}
                yield "response.content_part.done", {**self._at_part, "part": self._part}
            else:
                if not item["arguments"] and not message.invalid_tool_calls:  # some models leave an empty object out
                    item["arguments"] = "{}"
                fields = {"arguments": item["arguments"], "name": item["name"]}
                yield "response.function_call_arguments.done", {**where, **fields}
            item["status"] = "completed"
            yield "response.output_item.done", {"output_index": place, "item": item}

    def fill(self, message: Any) -> list[dict[str, Any]]:
        """Return the items of a whole message, no part of which has come before."""
        for _ in (*self.of(message), *self.end(message)):
            pass
        return self.whole

    @property
    def whole(self) -> list[dict[str, Any]]:
        """The items so far."""
        return list(self._open.values())

    @property
    def _message(self) -> dict[str, Any]:
        return self._open["message"]

    @property
    def _part(self) -> dict[str, Any]:
        part: dict[str, Any] = self._message["content"][0]
        return part

    @property
    def _at_part(self) -> dict[str, Any]:
        return {"output_index": list(self._open).index("message"), "item_id": self._message["id"], "content_index": 0}

    @property
    def _kind(self) -> str:
        return "response.refusal" if self._field == _REFUSAL else "response.output_text"

    @property
    def _own(self) -> dict[str, Any]:
        return {} if self._field == _REFUSAL else {"logprobs": []}

    def _begun_message(self) -> Iterator[Event]:
        if "message" in self._open:
            return
        part: ResponseOutputRefusal | ResponseOutputText = (
            ResponseOutputRefusal(type="refusal", refusal="")
            if self._field == _REFUSAL
            else ResponseOutputText(type="output_text", text="", annotations=[])
        )
        message = ResponseOutputMessage(
            id=new_id("msg"), type="message", role="assistant", status="in_progress", content=[part]
        ).model_dump(mode="json", exclude_unset=True)
        self._open["message"] = message
        opened = {"output_index": len(self._open) - 1, "item": {**message, "content": []}}
        yield "response.output_item.added", opened
        yield "response.content_part.added", {**self._at_part, "part": dict(self._part)}

    def _filled_call(self, delta: Any) -> Iterator[Event]:
        function = delta.function
        if delta.index not in self._open:
            item = ResponseFunctionToolCall(
                id=new_id("fc"),
                type="function_call",
                call_id=delta.id or new_id("call"),
                name=function.name or "",
                arguments="",
                status="in_progress",
            ).model_dump(mode="json", exclude_unset=True)
            self._open[delta.index] = item
            yield "response.output_item.added", {"output_index": len(self._open) - 1, "item": dict(item)}
        item = self._open[delta.index]
        if function.arguments:
            item["arguments"] += function.arguments
            where = {"output_index": list(self._open).index(delta.index), "item_id": item["id"]}
            yield "response.function_call_arguments.delta", {**where, "delta": function.arguments}


def _calls(message: Any) -> list[dict[str, Any]]:
    """Return the calls of a chunk, or of a whole message in the same form."""
    if (chunks := getattr(message, "tool_call_chunks", None)) is not None:
        return list(chunks)
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    return [{**call, "args": arguments_text(call["args"]), "index": i} for i, call in enumerate(calls)]
