"""Samples that lm-evaluation-harness logged with `--log_samples`.

It writes a folder for each model, in it a file for each task, in it a line for each document: from version 0.4.3 on in
this form; the list form of `arguments` is older. The harness itself is never imported.
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
_NO_ANSWER = ("[invalid]", "")  # The harness's regex filters write the first if nothing matches.


@dataclass(frozen=True, slots=True)
class _Line:
    """The fields of a line that are used here."""

    __pydantic_config__ = ConfigDict(strict=True)

    doc_id: int
    target: Any
    arguments: dict[str, dict[str, Any]] | list[list[Any]]
    resps: list[list[Any]]
    filter: str = "none"
    filtered_resps: list[Any] = field(default_factory=list)

    @property
    def requests(self) -> list[list[Any]]:
        """The document's requests: the prompt and the generation settings of each."""
        if isinstance(self.arguments, dict):
            return [list(request.values()) for request in self.arguments.values()]
        return self.arguments


def files(path: Path) -> Iterator[Path]:
    """Yield the files in a folder and its subfolders, or the file itself."""
    if path.is_dir():
        yield from sorted(path.rglob("samples_*.jsonl"))
    else:
        yield path


def samples(path: Path, model: str | None, *, with_answers: bool, filter_name: str | None) -> Iterator[Foreign]:
    """Yield the samples of a file.

    Args:
        path: The file.
        model: The member's label; `None`: the folder's name.
        with_answers: Whether to copy `filtered_resps` as the answers.
        filter_name: The filter that made those answers; `None`: the only one.

    Raises:
        RecordingError: The file has another format, or no texts.
    """
    task = _task(path)
    label = model or path.absolute().parent.name
    for number, line, filtered in _documents(path):
        place = f"{path} line {number}"
        prompt, settings, replies = _generation(line, place, task)
        answers: list[Any] = [None] * len(replies)
        if with_answers:
            answers = _answers(_of_filter(filtered, filter_name, place), len(replies), place)
        for index, (text, answer) in enumerate(zip(replies, answers, strict=True)):
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
            yield Foreign(place, row, settings)


def _task(path: Path) -> str:
    """Return the task in a file's name. The task may have underscores, the date never has."""
    head, _, rest = path.name.removesuffix(".jsonl").partition("_")
    task, _, date = rest.rpartition("_")
    if not (path.name.endswith(".jsonl") and head == "samples" and task and date):
        raise RecordingError(f"{path}: the file name has no task; {_INSTEAD}")
    return task


def _documents(path: Path) -> Iterator[tuple[int, _Line, dict[str, list[Any]]]]:
    """Yield each document once, with the number of its first line and the answers of each filter."""
    documents: dict[int, tuple[int, _Line, dict[str, list[Any]]]] = {}
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            text = raw.removeprefix(BOM_UTF8)
            if text.isspace():
                continue
            line = checked(_LINE, text, f"{path} line {number}", _INSTEAD)
            first_number, first_line, answers = documents.setdefault(line.doc_id, (number, line, {}))
            if line.filter in answers or line.resps != first_line.resps:
                raise RecordingError(
                    f"{path} line {number}: document {line.doc_id} with filter {line.filter!r} is already in {path} "
                    f"line {first_number}, and only another filter of the same replies may follow; keep one of the runs"
                )
            answers[line.filter] = line.filtered_resps
    if not documents:
        raise RecordingError(f"{path}: the file has no samples; {_INSTEAD}")
    yield from documents.values()


def _generation(line: _Line, place: str, task: str) -> tuple[Any, Mapping[str, Any], list[str]]:
    """Return a document's prompt, its generation settings and its replies."""
    requests = line.requests
    # The log-likelihood of a whole text is logged as a single text too; only a generation has keywords with its prompt.
    is_generation = all(len(request) > 1 and isinstance(request[1], dict) for request in requests)
    if not (is_generation and all(isinstance(reply, str) for replies in line.resps for reply in replies)):
        raise RecordingError(
            f"{place}: task {task!r} was scored by log-likelihood, so there are no texts; "
            "give a task whose output_type is generate_until"
        )
    if len(requests) != 1 or len(line.resps) != 1 or not line.resps[0]:
        raise RecordingError(
            f"{place}: document {line.doc_id} has {len(requests)} requests with "
            f"{[len(replies) for replies in line.resps]} replies; give a task with one request for each document"
        )
    return requests[0][0], requests[0][1], line.resps[0]


def _question(prompt: Any) -> str:
    match prompt:
        case str():
            return prompt
        case [str(chat)]:  # The harness logs a chat as a list with its JSON as the only item.
            return chat
        case _:
            return json.dumps(prompt, ensure_ascii=False)


def _of_filter(filtered: Mapping[str, list[Any]], filter_name: str | None, place: str) -> list[Any]:
    names = ", ".join(map(repr, filtered))
    if filter_name is None and len(filtered) > 1:
        raise RecordingError(
            f"{place}: extract=None uses the answers of one filter, and the log has {names}; name one with filter="
        )
    if filter_name is not None and filter_name not in filtered:
        raise RecordingError(f"{place}: the log has no filter {filter_name!r}; it has {names}")
    return filtered[filter_name or next(iter(filtered))]


def _answers(filtered: list[Any], replies: int, place: str) -> list[Any]:
    """Return a filter's answer for each reply; `filtered` has one item for each request, and there is one request."""
    item = filtered[0] if len(filtered) == 1 else None
    answers = item if isinstance(item, list) and len(item) == replies else [item]
    if len(filtered) != 1 or len(answers) != replies:
        raise RecordingError(
            f"{place}: filtered_resps {reprlib.repr(filtered)} is not one answer for each of {replies} replies; "
            "read the replies with extract='auto'"
        )
    return [None if answer in _NO_ANSWER else answer for answer in answers]


_LINE = TypeAdapter(_Line)
