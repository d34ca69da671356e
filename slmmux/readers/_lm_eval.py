"""Samples that lm-evaluation-harness logged with `--log_samples`.

It writes a folder for each model, in it a file for each task, in it a line for each document and filter. The names and
the form have changed over its versions, and all of these are read:

| version | file | form |
|---|---|---|
| 0.3, `--write_out` | `<task>_write_out_info.json` | a list, with `prompt_0` and `logit_0` |
| 0.4.0 to 0.4.2 | `<model arguments>_<task>.jsonl` | a list, though the name ends in .jsonl |
| from 0.4.3 on | `samples_<task>_<date>.jsonl` | lines; `arguments` is an object |

A file that was packed or renamed is read too, and so is what `simple_evaluate(..., log_samples=True)` returns, as JSON.
The harness itself is never imported.
"""

import json
import re
import reprlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import from_json, to_json

from slmmux._errors import RecordingError
from slmmux._files.read import document as content_of
from slmmux._files.table import json_items, stem
from slmmux._files.values import json_value
from slmmux.readers._foreign import Foreign, Request, checked, share
from slmmux.recording._gold import TESTS, are_tests, gold_of
from slmmux.recording._row import Row

__all__ = ["samples"]

_INSTEAD = "give a samples_<task>_<date>.jsonl file as `lm_eval --log_samples` writes it"
_NO_ANSWER = ("[invalid]", "")  # The harness's regex filters write the first if nothing matches.
_DATE = re.compile(r"[_-]\d{4}-\d{2}-\d{2}(?:T[\d.:+-]*)?$")
_MODEL_ARGUMENTS = re.compile(r"(?:pretrained|model|path|peft|delta|engine)__([^,]+)")
# Versions that do not list a line's metrics name them like this; the first is the one that most tasks report.
_METRICS = ("exact_match", "acc", "acc_norm", "em", "exact", "pass@1", "pass_at_1", "prompt_level_strict_acc", "f1")
_PLACES = ("answer", "label", "gold", "target", "answer_index", "gold_index", "answer_idx")


@dataclass(frozen=True, slots=True)
class _Line:
    """The fields of a line that are used here."""

    __pydantic_config__ = ConfigDict(strict=True)

    doc_id: int | str
    resps: list[list[Any]]
    target: Any = None
    arguments: dict[str, dict[str, Any]] | list[list[Any]] | None = None
    doc: Any = None
    filter: str = "none"
    filtered_resps: list[Any] = field(default_factory=list)

    @property
    def requests(self) -> list[list[Any]]:
        """The document's requests: the prompt and the generation settings of each, if they were logged."""
        if self.arguments is None:
            return [[None, {}]]
        if isinstance(self.arguments, dict):
            return [list(request.values()) for request in self.arguments.values()]
        return self.arguments


@dataclass(slots=True)
class _Document:
    """A document in one run: its first line, and what each filter made of its replies."""

    place: str
    line: _Line
    filtered: dict[str, list[Any]]
    scores: dict[str, float | None]


class _NoTextsError(RecordingError):
    """A task that was scored by log-likelihood."""


def samples(files: Sequence[Path], request: Request) -> Iterator[Foreign]:
    """Yield the samples of files, file by file.

    Raises:
        RecordingError: A file has another form, or no texts.
    """
    without_texts: list[_NoTextsError] = []
    some = False
    for path in files:
        try:
            of_file = list(_of_file(path, request))
        except _NoTextsError as error:
            if not request.folder:
                raise
            without_texts.append(error)  # In a folder with the logs of several tasks, only these are left out.
        else:
            yield from of_file
            some = True
    if without_texts and not some:
        raise without_texts[0]
    for left_out in without_texts:
        warnings.warn(f"left out: {left_out}", stacklevel=4)


def _of_file(path: Path, request: Request) -> Iterator[Foreign]:
    own_model, own_task = _names(path)
    if not own_task:
        raise RecordingError(f"{path}: the file name has no task; {_INSTEAD}")
    for task, run, document in _documents(path, own_task):
        line, place = document.line, document.place
        prompt, settings, replies = _generation(line, place, task)
        answers: list[Any] = [None] * len(replies)
        if request.with_answers:
            answers = _answers(_of_filter(document.filtered, request.filter, place), len(replies), place)
        elif request.filter is not None:
            _of_filter(document.filtered, request.filter, place)
        question = _question(prompt, line.doc)
        gold = _gold(line, question, place)
        lost = _LOST if _has_lost_replies(line) else None
        if lost:
            replies = [None if text == "None" else text for text in replies]
        score = _score(document.scores, request.filter) if len(replies) == 1 else None
        for index, (text, answer) in enumerate(zip(replies, answers, strict=True)):
            row = Row(
                question_id=f"{task}/{line.doc_id}",
                model=request.model or own_model,
                sample_index=run * _MOST_REPEATS + index,
                answer=answer,
                dataset=task,
                question=question,
                gold=gold,
                text=text,
                score=score,
            )
            note = TESTS if are_tests(line.target) else lost if text is None else None
            yield Foreign(path, place, row, settings, note)


def _has_lost_replies(line: _Line) -> bool:
    """Return whether replies are missing that are logged as the text None.

    From version 0.4.3 on the harness turns every reply into a text before it logs it, and so what an API client that
    gave up returned. As answers these would agree with each other.
    """
    return isinstance(line.arguments, dict) and "None" in line.resps[0] and str(line.target).strip() != "None"


def _names(path: Path) -> tuple[str, str]:
    """Return the model and the task that a file's name and folder tell."""
    folder = path.absolute().parent.name
    name = _DATE.sub("", stem(path))
    if name.startswith("samples_"):
        return folder, name.removeprefix("samples_")
    if name.endswith("_write_out_info"):
        return folder, name.removesuffix("_write_out_info")
    if (arguments := _MODEL_ARGUMENTS.match(name)) is None:
        return folder, name
    # Nothing parts the arguments from the task but an underscore, which both may have; the results know the tasks.
    tasks = [task for task in _tasks_beside(path) if name.endswith(f"_{task}")]
    task = max(tasks, key=len) if tasks else name.rpartition("_")[2]
    model = arguments[1].removesuffix(f"_{task}").removeprefix("__").replace("__", "/")
    return model, task


def _tasks_beside(path: Path) -> list[str]:
    for results in sorted(path.parent.glob("results*.json")):
        try:
            value = json_value(content_of(results), str(results))
        except (OSError, RecordingError):
            continue
        if isinstance(value, dict) and isinstance(value.get("results"), dict):
            return list(value["results"])
    return []


def _items(path: Path, task: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield the task, the place and the JSON of each line, in the form of today's versions."""
    for place, data in json_items(path):
        # Nearly every line is in today's form already, and need not be parsed to see that.
        item = json_value(data, place, _INSTEAD) if any(name in data for name in _OTHER_FORMS) else None
        if not isinstance(item, dict):
            yield task, place, data
        elif {"prompt_0", "logit_0"} <= item.keys():
            yield task, place, _today(item, place)
        elif isinstance(item.get("samples"), dict):
            for name, lines in item["samples"].items():
                for number, line in enumerate(lines):
                    yield name, f"{place} samples.{name}.{number}", to_json(line, inf_nan_mode="constants")
        else:
            yield task, place, data


def _today(item: Mapping[str, Any], place: str) -> bytes:
    """Return a document of `--write_out` in the form of today's versions."""
    logits = [value for name, value in item.items() if name.startswith("logit_")]
    if len(logits) != 1 or not isinstance(logits[0], str):
        raise _NoTextsError(f"{place}: the task was scored by log-likelihood, so there are no texts; {_TEXTS}")
    same = {name: value for name, value in item.items() if not name.startswith(("logit_", "prompt_"))}
    line = {"target": item.get("truth"), "arguments": [[item["prompt_0"], {}]], "resps": [[logits[0]]]}
    return json.dumps(same | line).encode()


def _documents(path: Path, own_task: str) -> Iterator[tuple[str, int, _Document]]:
    """Yield the task, the run and the content of each document, once for all its filters.

    A file that several runs were appended to has a document and filter more than once.
    """
    documents: dict[tuple[str, int | str], list[_Document]] = {}
    repeated: str | None = None
    for task, place, data in _items(path, own_task):
        line = checked(_LINE, data, place, _INSTEAD)
        runs = documents.setdefault((task, line.doc_id), [])
        run = next((r for r in runs if r.line.resps == line.resps and line.filter not in r.filtered), None)
        if run is None:
            if runs and repeated is None:
                repeated = (
                    f"{place}: document {line.doc_id} with filter {line.filter!r} is already in {runs[0].place}, with "
                    "the same replies as every other, so the file holds one run twice; keep one of the two"
                )
            run = _Document(place, line, {}, {})
            runs.append(run)
        run.filtered[line.filter] = line.filtered_resps
        run.scores[line.filter] = _verdict(from_json(data))
    if not documents:
        raise RecordingError(f"{path}: the file has no samples; {_INSTEAD}")
    # One run written twice, and not two: by chance some replies of two runs are equal, but not all.
    if repeated and all(run.line.resps == runs[0].line.resps for runs in documents.values() for run in runs):
        raise RecordingError(repeated)
    for (task, _), runs in documents.items():
        for number, document in enumerate(runs):
            yield task, number, document


def _generation(line: _Line, place: str, task: str) -> tuple[Any, Mapping[str, Any], list[str | None]]:
    """Return a document's prompt, its generation settings and its replies."""
    requests = line.requests
    # The log-likelihood of a whole text is logged as a single text too; only a generation has keywords with its prompt.
    is_generation = all(len(request) > 1 and isinstance(request[1], dict) for request in requests)
    if not (is_generation and all(reply is None or isinstance(reply, str) for r in line.resps for reply in r)):
        raise _NoTextsError(f"{place}: task {task!r} was scored by log-likelihood, so there are no texts; {_TEXTS}")
    if len(requests) != 1 or len(line.resps) != 1 or not line.resps[0]:
        raise RecordingError(
            f"{place}: document {line.doc_id} has {len(requests)} requests with "
            f"{[len(replies) for replies in line.resps]} replies; give a task with one request for each document"
        )
    return requests[0][0], requests[0][1], line.resps[0]


def _question(prompt: Any, doc: Any) -> str | None:
    match prompt:
        case str():
            return prompt
        case [str(chat)]:  # The harness logs a chat as a list with its JSON as the only item.
            return chat
        case None:  # A log whose arguments were left out.
            names = ("question", "problem", "query", "input", "prompt")
            texts = [doc[name] for name in names if isinstance(doc, dict) and isinstance(doc.get(name), str)]
            return texts[0] if texts else None
        case _:
            return json.dumps(prompt, ensure_ascii=False)


def _gold(line: _Line, question: str | None, place: str) -> Any:
    doc = line.doc if isinstance(line.doc, dict) else {}
    choices = doc.get("choices") or doc.get("options") or ()
    if isinstance(choices, dict):  # ARC's form
        choices = choices.get("text", ())
    places = [doc.get(name) for name in _PLACES]
    is_place = type(line.target) is int or any(type(p) is int and str(p) == line.target for p in places)
    return gold_of(
        line.target,
        question,
        place,
        choices=choices if isinstance(choices, list) else (),
        is_place=is_place,
        texts=True,
    )


def _verdict(line: dict[str, Any]) -> float | None:
    """Return the verdict of a line's first metric that is right or wrong, or something between."""
    names = line.get("metrics")
    values = [line.get(name) for name in (names if isinstance(names, list) else _METRICS) if isinstance(name, str)]
    return next((verdict for value in values if (verdict := share(value)) is not None), None)


def _score(scores: Mapping[str, float | None], filter_name: str | None) -> float | None:
    """Return the verdict under a filter or, if none is named, the one that all filters share."""
    if filter_name is not None:
        return scores[filter_name]
    first, *rest = scores.values()
    return first if all(score == first for score in rest) else None


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


_LOST = 'replies that the harness logged as "None", because its client gave none: samples without an answer'
_TEXTS = "give a task whose output_type is generate_until"
_MOST_REPEATS = 10**6  # of a document in one run; a later run's replies come after
_OTHER_FORMS = (b'"prompt_0"', b'"samples"')
_LINE = TypeAdapter(_Line)
