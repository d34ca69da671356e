"""Samples in the files of OpenAI's and Anthropic's batches and vLLM's `run_batch`: results, and requests beside them.

A result line has the `custom_id` of its request and a whole response, whose choices are samples of one question. What a
request asked for is only in the file of requests: the question, the temperature, and the model of a call that failed.
Nothing there knows a gold answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from slmmux._errors import RecordingError
from slmmux._files.fields import message_text
from slmmux._files.table import json_items, stem
from slmmux.readers._foreign import Foreign, Request, at_limit, checked
from slmmux.recording._row import Row

__all__ = ["samples"]

_INSTEAD = 'give the results of a batch, with {"custom_id": ..., "response": ..., "error": ...} on each line'
_SETTINGS = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens", "seed", "stop", "n",
             "frequency_penalty", "presence_penalty", "reasoning_effort")  # fmt: skip
_GOOD = range(200, 300)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of requests or of results."""

    __pydantic_config__ = ConfigDict(strict=True)

    custom_id: str | int
    body: dict[str, Any] | None = None  # of a request
    response: dict[str, Any] | None = None
    error: Any = None
    result: dict[str, Any] | None = None  # Anthropic's: a message, or how the request ended

    @property
    def reply(self) -> dict[str, Any]:
        """The body of the response; the first versions of vLLM had it in place of the response."""
        message = (self.result or {}).get("message")
        if isinstance(message, dict):
            return {**message, "choices": [{"message": {"content": message.get("content")}}]}
        response = self.response or {}
        body = response if "choices" in response else response.get("body")
        return body if isinstance(body, dict) else {}

    @property
    def failure(self) -> str | None:
        """The reason, if there is no reply."""
        if self.error is not None:
            return _reason(self.error)
        if self.result is not None:
            end, error = str(self.result.get("type")), self.result.get("error")
            return None if end == "succeeded" else end if error is None else f"{end}: {_reason(error)}"
        if self.response is None:
            return "the result has no response"
        status = self.response.get("status_code", 200)
        if status not in _GOOD:
            reason = self.reply.get("error") or self.reply.get("message")
            return f"HTTP {status}" + (f": {_reason(reason)}" if reason else "")
        return _reason(self.reply["error"]) if self.reply.get("error") else None


@dataclass(frozen=True, slots=True)
class _Reply:
    """One choice of a response."""

    text: str | None
    output_tokens: int | None = None
    cut_off: bool = False


@dataclass(slots=True)
class _Batch:
    """The lines of one file of results."""

    path: Path
    lines: list[tuple[str, _Line]] = field(default_factory=list)


def samples(files: Sequence[Path], request: Request) -> Iterator[Foreign]:
    """Yield the samples of files, file by file; files of requests among them name the questions.

    Raises:
        RecordingError: A file has another form, or holds no results.
    """
    requests: dict[str, dict[str, Any]] = {}
    batches: list[_Batch] = []
    for path in files:
        batch = _Batch(path)
        for place, data in json_items(path):
            line = checked(_LINE, data, place, _INSTEAD)
            if line.body is not None:
                requests[str(line.custom_id)] = line.body
            else:
                batch.lines.append((place, line))
        if batch.lines:
            batches.append(batch)
    if not batches:
        raise RecordingError(f"{', '.join(map(str, files))}: requests without results; {_INSTEAD}")
    # A line that failed names no model: it is the one that all others name, also those of another file.
    models = {line.reply.get("model") for batch in batches for _, line in batch.lines} - {None}
    only = str(models.pop()) if len(models) == 1 else None
    for batch in batches:
        yield from _of_batch(batch, requests, request.model, only or stem(batch.path))


def _of_batch(
    batch: _Batch, requests: Mapping[str, dict[str, Any]], label: str | None, otherwise: str
) -> Iterator[Foreign]:
    for number, (place, line) in enumerate(batch.lines):
        question_id = str(line.custom_id)
        body = requests.get(question_id, {})
        model = label or line.reply.get("model") or body.get("model") or otherwise
        failure = line.failure
        replies = [_Reply(None)] if failure is not None else _replies(line.reply, place)
        usage = line.reply.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        for index, reply in enumerate(replies):
            row = Row(
                question_id=question_id,
                model=str(model),
                sample_index=number * 10**4 + index,
                answer=None,
                question=_question(body),
                text=reply.text,
                # One request was paid for, however many replies came; so its tokens are those of the first.
                input_tokens=_count(usage, "prompt_tokens", "input_tokens") if index == 0 else 0 if usage else None,
                output_tokens=reply.output_tokens,
                error=failure,
            )
            settings = {name: body[name] for name in _SETTINGS if name in body}
            yield Foreign(batch.path, place, row, settings, cut_off=reply.cut_off)


def _replies(body: Mapping[str, Any], place: str) -> list[_Reply]:
    choices = body.get("choices")
    if not isinstance(choices, list):
        if "output" not in body:
            raise RecordingError(
                f"{place}: the response has no choices, so it holds no texts (embeddings or scores, say); "
                "give a batch of /v1/chat/completions, /v1/completions or /v1/responses"
            )
        texts = [_response_text(body["output"])]
        cut_off = [at_limit(body.get("incomplete_details"))]
    else:
        by_index = sorted(choices, key=lambda choice: choice.get("index", 0))
        texts = [_choice_text(choice) for choice in by_index]
        cut_off = [at_limit(choice.get("finish_reason")) for choice in by_index]
    tokens = _count(body.get("usage") or {}, "completion_tokens", "output_tokens")
    if not texts:
        return [_Reply(None)]
    # The usage counts all choices together; it is shared out, so that the sum stays what was paid.
    shares = [None if tokens is None else tokens // len(texts) + (i < tokens % len(texts)) for i in range(len(texts))]
    return [_Reply(*reply) for reply in zip(texts, shares, cut_off, strict=True)]


def _choice_text(choice: Mapping[str, Any]) -> str | None:
    message = choice.get("message")
    if not isinstance(message, dict):
        text = choice.get("text")
        return text if isinstance(text, str) else None
    text = message_text(message.get("content"))
    return message.get("refusal") if text is None else text


def _response_text(output: Any) -> str | None:
    """Return the text of a response of /v1/responses, without its reasoning."""
    items = output if isinstance(output, list) else []
    messages = [item for item in items if isinstance(item, dict) and item.get("type") == "message"]
    texts = [text for message in messages if (text := message_text(message.get("content"))) is not None]
    return "\n".join(texts) if texts else None


def _question(body: Mapping[str, Any]) -> str | None:
    return message_text(next((body[name] for name in ("messages", "prompt", "input") if name in body), None))


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    return next((usage[name] for name in names if isinstance(usage.get(name), int)), None)


def _reason(error: Any) -> str:
    match error:
        case {"code": str(code), "message": str(message)}:
            return f"{code}: {message}"
        case {"message": str(message)} | {"error": {"message": str(message)}}:
            return message
        case str():
            return error
        case _:
            return repr(error)


_LINE = TypeAdapter(_Line)
