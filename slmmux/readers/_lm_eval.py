"""Samples that lm-evaluation-harness logged with `--log_samples`: a folder a model, a file a task, a line a document.

As written from its version 0.4.3 on; the list form of `arguments` is older. The harness itself is never imported.
"""

import json
import reprlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from slmmux._errors import RecordingError
from slmmux.readers._foreign import Foreign, checked
from slmmux.recording._row import Row

__all__ = ["files", "samples"]

_INSTEAD = "give a samples_<task>_<date>.jsonl file as `lm_eval --log_samples` writes it"
_NO_ANSWER = ("[invalid]", "")  # the first is what the harness's regex filters put where nothing matched


@dataclass(frozen=True, slots=True)
class _Line:
    """What is read of a line."""

    __pydantic_config__ = ConfigDict(strict=True)

    doc_id: int
    target: Any
    arguments: dict[str, dict[str, Any]] | list[list[Any]]
    resps: list[list[Any]]
    filter: str = "none"
    filtered_resps: list[Any] = field(default_factory=list)

    @property
    def requests(self) -> list[list[Any]]:
        """What was asked for the document: each request's prompt and what it was generated with."""
        if isinstance(self.arguments, dict):
            return [list(request.values()) for request in self.arguments.values()]
        return self.arguments


def files(path: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those below it, or the file itself."""
    if path.is_dir():
        yield from sorted(path.rglob("samples_*.jsonl"))
    else:
        yield path


def samples(path: Path, model: str | None, *, answered: bool, chosen: str | None) -> Iterator[Foreign]:
    """Yield the samples of a file.

    Args:
        path: The file.
        model: The member's label; `None`: the folder's name.
        answered: Whether `filtered_resps` are wanted as the answers.
        chosen: The filter whose they are; `None`: the only one.

    Raises:
        RecordingError: Another file, or one without texts.
    """
    task = _task(path)
    label = model or path.absolute().parent.name
    for number, line, filtered in _documents(path):
        place = f"{path} line {number}"
        prompt, drawn_with, replies = _generated(line, place, task)
        own = _answers(_filtered(filtered, chosen, place), len(replies), place) if answered else [None] * len(replies)
        for index, (text, answer) in enumerate(zip(replies, own, strict=True)):
            row = Row(
                question_id=f"{task}/{line.doc_id}",
                model=label,
                sample_index=index,
                answer=answer,
                dataset=task,
                question=_question(prompt),
                gold=line.target,
                text=text,
            )
            yield Foreign(place, row, drawn_with)


def _task(path: Path) -> str:
    """Return the task in a file's name; it may have underscores, the date has none."""
    head, _, rest = path.name.removesuffix(".jsonl").partition("_")
    task, _, date = rest.rpartition("_")
    if not (path.name.endswith(".jsonl") and head == "samples" and task and date):
        raise RecordingError(f"{path}: the name says no task; {_INSTEAD}")
    return task


def _documents(path: Path) -> Iterator[tuple[int, _Line, dict[str, list[Any]]]]:
    """Yield each document once, with the line it is first on and what each filter made of its replies."""
    documents: dict[int, tuple[int, _Line, dict[str, list[Any]]]] = {}
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            text = raw.removeprefix(BOM_UTF8)
            if text.isspace():
                continue
            line = checked(_LINE, text, f"{path} line {number}", _INSTEAD)
            first, same, filtered = documents.setdefault(line.doc_id, (number, line, {}))
            if line.filter in filtered or line.resps != same.resps:
                raise RecordingError(
                    f"{path} line {number}: document {line.doc_id} with filter {line.filter!r} is already in {path} "
                    f"line {first}, and only another filter of the same replies may follow; keep one of the two runs"
                )
            filtered[line.filter] = line.filtered_resps
    if not documents:
        raise RecordingError(f"{path}: holds no samples; {_INSTEAD}")
    yield from documents.values()


def _generated(line: _Line, place: str, task: str) -> tuple[Any, Mapping[str, Any], list[str]]:
    """Return a document's prompt, what its replies were generated with, and the replies."""
    requests = line.requests
    # The log-likelihood of a whole text is logged as a lone text too; only a generation has keywords beside its prompt.
    asked = all(len(request) > 1 and isinstance(request[1], dict) for request in requests)
    if not (asked and all(isinstance(reply, str) for replies in line.resps for reply in replies)):
        raise RecordingError(
            f"{place}: task {task!r} was scored by log-likelihood, so no model wrote a text; "
            "give a task whose output_type is generate_until"
        )
    if len(requests) != 1 or len(line.resps) != 1 or not line.resps[0]:
        raise RecordingError(
            f"{place}: document {line.doc_id} has {len(requests)} requests with "
            f"{[len(replies) for replies in line.resps]} replies; give a task that asks once a document"
        )
    return requests[0][0], requests[0][1], line.resps[0]


def _question(prompt: Any) -> str:
    match prompt:
        case str():
            return prompt
        case [str(chat)]:  # what goes to a server as a chat is a list around its JSON
            return chat
        case _:
            return json.dumps(prompt, ensure_ascii=False)


def _filtered(filtered: Mapping[str, list[Any]], chosen: str | None, place: str) -> list[Any]:
    there = ", ".join(map(repr, filtered))
    if chosen is None and len(filtered) > 1:
        raise RecordingError(
            f"{place}: extract=None takes the answers of one filter, and there are {there}; name one with filter="
        )
    if chosen is not None and chosen not in filtered:
        raise RecordingError(f"{place}: there is no filter {chosen!r}; there are {there}")
    return filtered[chosen or next(iter(filtered))]


def _answers(filtered: list[Any], replies: int, place: str) -> list[Any]:
    """Return what a filter read in each reply; `filtered` has one item a request, and a document one request."""
    found = filtered[0] if len(filtered) == 1 else None
    answers = found if isinstance(found, list) and len(found) == replies else [found]
    if len(filtered) != 1 or len(answers) != replies:
        raise RecordingError(
            f"{place}: filtered_resps {reprlib.repr(filtered)} is not one answer for each of {replies} replies; "
            "read the replies with extract='auto'"
        )
    return [None if answer in _NO_ANSWER else answer for answer in answers]


_LINE = TypeAdapter(_Line)
