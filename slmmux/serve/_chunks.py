"""A mux's chunks as `chat.completion.chunk`: text in pieces, tool calls as deltas, the record on the last one."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import (
    Choice,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)

from slmmux._decision.types import Sample
from slmmux._mux.observe import sample_facts
from slmmux.serve._completion import finish_reason_of, new_id, usage_of

__all__ = ["Chunks", "call_deltas", "pieces"]

_PIECE = 24  # characters of a piece, about; a winner's text would otherwise arrive as one


class Chunks:
    """The chunks of one response.

    Args:
        model: The name that the client asked for.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._id = new_id("chatcmpl")
        self._created = int(time.time())

    def first(self, choices: int) -> Iterator[dict[str, Any]]:
        """Yield the chunks that go out at once, before any member was asked: who speaks is known, what is not."""
        for i in range(choices):
            yield self._chunk(i, ChoiceDelta(role="assistant", content=""))

    def of(self, index: int, message: Any) -> Iterator[dict[str, Any]]:
        """Yield the chunks of one chunk of the mux."""
        if refusal := message.additional_kwargs.get("refusal"):
            yield self._chunk(index, ChoiceDelta(refusal=refusal))
        for piece in pieces(str(message.text)):
            yield self._chunk(index, ChoiceDelta(content=piece))
        for place, call in enumerate(message.tool_call_chunks):
            for delta in call_deltas(place, call):
                yield self._chunk(index, ChoiceDelta(tool_calls=[delta]))

    def last(self, index: int, message: Any, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the chunk that ends a choice.

        Args:
            index: The choice.
            message: The whole message.
            record: Its record.
        """
        chunk = self._chunk(index, ChoiceDelta(), finish_reason_of(message))
        return {**chunk, "slmmux": dict(record)}

    def usage(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the chunk with the tokens of all samples."""
        return {**self._plain([]), "usage": usage_of(records).model_dump(mode="json", exclude_unset=True)}

    def progress(self, sample: Sample[Any]) -> dict[str, Any]:
        """Return a chunk that tells one sample; it has no choices, so that it adds nothing to the answer."""
        return {**self._plain([]), "slmmux": {"sample": sample_facts(sample)}}

    def _chunk(self, index: int, delta: ChoiceDelta, reason: str | None = None) -> dict[str, Any]:
        return self._plain([Choice(index=index, delta=delta, finish_reason=reason, logprobs=None)])  # type: ignore[arg-type]

    def _plain(self, choices: list[Choice]) -> dict[str, Any]:
        return ChatCompletionChunk(
            id=self._id, choices=choices, created=self._created, model=self._model, object="chat.completion.chunk"
        ).model_dump(mode="json", exclude_unset=True)


def pieces(text: str) -> Iterable[str]:
    """Return a text in pieces that end between words.

    Example:
        >>> list(pieces("The capital of Norway is Oslo, of course."))
        ['The capital of Norway is ', 'Oslo, of course.']
    """
    if len(text) <= _PIECE:
        return [text] if text else []
    parts: list[str] = [""]
    for word in re.findall(r"\s*\S+\s*|\s+", text):
        if len(parts[-1]) >= _PIECE:
            parts.append("")
        parts[-1] += word
    return parts


def call_deltas(place: int, call: Mapping[str, Any]) -> Iterator[ChoiceDeltaToolCall]:
    """Yield a call as its name first and then its arguments in pieces; a member's own deltas are whole in that way."""
    index = place if call.get("index") is None else call["index"]
    index = index if isinstance(index, int) else place
    arguments = call.get("args") or ""
    if call.get("name") or call.get("id"):
        yield ChoiceDeltaToolCall(
            index=index,
            id=call.get("id") or new_id("call"),
            type="function",
            function=ChoiceDeltaToolCallFunction(name=call.get("name") or "", arguments=""),
        )
    for start in range(0, len(arguments), _PIECE):
        part = arguments[start : start + _PIECE]
        yield ChoiceDeltaToolCall(index=index, function=ChoiceDeltaToolCallFunction(arguments=part))
