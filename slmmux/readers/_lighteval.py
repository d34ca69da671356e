"""Samples in lighteval's details: a Parquet file for each task, with a row for each document.

`details/<model>/<date>/details_<task>_<date>.parquet` has the columns `doc`, `model_response` and `metric` in versions
from 0.10 on (its pages write them with underscores around), and before that `full_prompt`, `predictions`, `gold` and
more, whose lists are texts as Python prints them. lighteval itself is never imported.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from slmmux._errors import RecordingError
from slmmux._files.fields import key_of, message_text
from slmmux._files.table import rows_of, stem
from slmmux._files.values import python_value
from slmmux.readers._foreign import Foreign, Request, share
from slmmux.recording._gold import TESTS, accepted, are_tests, gold_of, options_of
from slmmux.recording._row import Row

__all__ = ["samples"]

_INSTEAD = "give the details_<task>_<date>.parquet files of `lighteval --save-details`"
_DATED = re.compile(r"details_(?P<task>.+?)(?:_\d{4}-\d{2}-\d{2}T[\d.:+-]*)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T[\d.:+-]*")


def samples(files: Sequence[Path], request: Request) -> Iterator[Foreign]:
    """Yield the samples of files, file by file.

    Raises:
        RecordingError: A file has another form, or no texts.
    """
    for path in files:
        task, model = _task(path), request.model or _model(path)
        for number, (place, row) in enumerate(rows_of(path)):
            document = _part(row, "doc")
            new = document is not None
            texts = _texts(_part(row, "model_response") or {} if new else row, place)
            question = _question(row if document is None else document)
            gold = _gold(document, row, question, place)
            tests = are_tests(gold)
            verdict = _verdict((_part(row, "metric") if new else row.get("metrics")) or {}) if len(texts) == 1 else None
            for index, text in enumerate(texts):
                yield Foreign(
                    path,
                    place,
                    Row(
                        question_id=f"{task}/{_document_id(document, question)}",
                        model=model,
                        sample_index=number * 10**4 + index,
                        answer=None,
                        dataset=task,
                        question=question,
                        gold=None if tests else gold,
                        text=text,
                        score=verdict,
                    ),
                    {},
                    TESTS if tests else None,
                )


def _task(path: Path) -> str:
    name = _DATED.fullmatch(stem(path))
    return name["task"] if name else stem(path)


def _model(path: Path) -> str:
    """Return the model that the folders name: what stands between `details` and the date."""
    folders = list(path.absolute().parent.parts)
    if folders and _DATE.fullmatch(folders[-1]):
        folders.pop()
    if "details" in folders:
        below = folders[len(folders) - folders[::-1].index("details") :]
        if below:
            return "/".join(below)
    name = folders[-1] if folders else stem(path)
    return name.removeprefix("details_").replace("__", "/")


def _part(row: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    part = python_value(row.get(name, row.get(f"__{name}__")))
    return part if isinstance(part, dict) else None


def _texts(response: Mapping[str, Any], place: str) -> list[str | None]:
    """Return the replies; without the reasoning, if lighteval took it out."""
    texts: Any = None
    for name in ("text_post_processed", "text", "predictions"):
        texts = python_value(response.get(name))
        texts = [texts] if isinstance(texts, str) else texts
        if isinstance(texts, list) and texts:
            break
    flat = [text for item in texts or () for text in (item if isinstance(item, list) else [item])]
    if not flat or not all(text is None or isinstance(text, str) for text in flat):
        raise RecordingError(
            f"{place}: the task was scored by log-likelihood, so there are no texts; give a generative task"
        )
    return flat


def _question(document: Mapping[str, Any]) -> str | None:
    prompt = next((document[name] for name in ("query", "full_prompt", "example") if document.get(name)), None)
    return message_text(python_value(prompt)) or (prompt if isinstance(prompt, str) else None)


def _document_id(document: Mapping[str, Any] | None, question: str | None) -> str:
    number = (document or {}).get("id")
    return str(number) if number not in (None, "") else key_of(question)


def _gold(document: Mapping[str, Any] | None, row: Mapping[str, Any], question: str | None, place: str) -> Any:
    of = row if document is None else document
    choices = python_value(of.get("choices")) or []
    if document is None and (golds := accepted(python_value(row.get("gold")))) is not None:
        return golds if are_tests(golds) else gold_of(_stripped(golds), question, place)
    indices = python_value(of.get("gold_index"))
    indices = indices if isinstance(indices, list) else [indices]
    golds = accepted([str(choices[i]).strip() for i in indices if type(i) is int and 0 <= i < len(choices)])
    if golds is None or are_tests(golds):
        return golds
    # Options that the prompt shows with letters are answered with a letter, and these choices are their texts.
    letters = {text: letter for letter, text in options_of(question).items()}
    return accepted([letters.get(gold, gold) for gold in (golds if isinstance(golds, list) else [golds])])


def _stripped(golds: Any) -> Any:
    if isinstance(golds, list):
        return [_stripped(gold) for gold in golds]
    return golds.strip() if isinstance(golds, str) else golds


def _verdict(metrics: Any) -> float | None:
    metrics = python_value(metrics)
    if not isinstance(metrics, dict):
        return None
    return next((verdict for value in metrics.values() if (verdict := share(value)) is not None), None)
