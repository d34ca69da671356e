"""Samples in any table: JSON Lines, CSV or Parquet, whose fields are named by a map or found by their usual names.

The samples of a question are a list in one row, several rows, or several fields of a row.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slmmux._errors import RecordingError
from slmmux._files.fields import Fields, field_value, fields_of, message_text
from slmmux._files.table import kind_of, rows_of, stem
from slmmux._files.values import json_list
from slmmux.readers._foreign import Foreign, Request, at_limit, share
from slmmux.readers._forms import FORMS
from slmmux.recording._gold import TESTS
from slmmux.recording._questions import question_row, question_text
from slmmux.recording._row import Row

__all__ = ["samples"]


def samples(files: Sequence[Path], request: Request) -> Iterator[Foreign]:
    """Yield the samples of files, file by file.

    Raises:
        RecordingError: A file is no table, or its fields are not clear.
    """
    tables = [(path, *_table(path, request)) for path in files]
    # "id" may number the questions or only the rows: it is a question's id if it goes with the texts one to one.
    has_ids = _ids_fit_texts(tables)
    for path, fields, rows in tables:
        by_id = fields if has_ids else replace(fields, guessed_id=None)
        name = stem(path)
        is_csv = kind_of(path) == "csv"  # A cell holds only a text, so a list in it is JSON.
        for number, (place, row) in enumerate(rows):
            yield from _of_row(path, place, number, row, by_id, request, otherwise=name, lists_as_texts=is_csv)


_KNOWN_FORMS = f"{', '.join(FORMS[:-1])}, and a table as JSONL, JSON, CSV or Parquet"
_MOST_NAMED = 12  # An error names this many fields.
_Table = tuple[Path, Fields, list[tuple[str, dict[str, Any]]]]


def _table(path: Path, request: Request) -> tuple[Fields, list[tuple[str, dict[str, Any]]]]:
    rows: list[tuple[str, dict[str, Any]]] = []
    try:
        rows.extend(rows_of(path))
    except RecordingError as error:
        if rows:
            raise
        raise RecordingError(f"{error}; the forms that are read are {_KNOWN_FORMS}") from None
    if not rows:
        raise RecordingError(f"{path}: the file has no rows; give one with a sample in each")
    first: dict[str, Any] = {}
    for _, row in rows[:100]:  # a row may leave out a field without a value
        first |= {name: value for name, value in row.items() if first.get(name) is None}
    fields = fields_of(first, request.fields, replies=True)
    for name, mapping in (request.fields or {}).items():
        for field in mapping:
            if all(field_value(row, field) is None for _, row in rows):
                raise RecordingError(
                    f"{path}: no row has a field {field!r} for {name}; the fields are {', '.join(map(str, first))}"
                )
    if "answer" not in fields.names or not ({"question", "question_id"} & fields.names.keys() or fields.guessed_id):
        raise _unclear(path, first)
    if request.fields is None or fields.names.keys() - request.fields.keys():
        warnings.warn(f"{path}: read as {fields}; name other fields with --map", stacklevel=6)
    return fields, rows


def _unclear(path: Path, names: Mapping[str, Any]) -> RecordingError:
    """Return the error for a table without a clear question and reply, which may be no table of samples at all."""
    examples = ", ".join(map(str, list(names)[:_MOST_NAMED])) + (" and more" if len(names) > _MOST_NAMED else "")
    return RecordingError(
        f"{path}: in none of the forms that are read ({_KNOWN_FORMS}), unless it is a table of samples: then name its "
        f"fields with --map question=FIELD,answer=FIELD,gold=FIELD; it has {examples or 'no fields'}"
    )


def _ids_fit_texts(tables: Sequence[_Table]) -> bool:
    """Return whether the guessed ids tell the questions apart, over all files, as their texts do."""
    texts: dict[str, str] = {}
    ids: dict[str, str] = {}
    for _, fields, rows in tables:
        if fields.guessed_id is None:
            continue
        for _, row in rows:
            number, text = str(row.get(fields.guessed_id)), question_text(row, fields)
            if text is None:
                continue
            if texts.setdefault(number, text) != text or ids.setdefault(text, number) != number:
                return False
    return True


def _of_row(  # noqa: PLR0917 - a row, where it is, and how it is read
    path: Path,
    place: str,
    number: int,
    row: Mapping[str, Any],
    fields: Fields,
    request: Request,
    *,
    otherwise: str,
    lists_as_texts: bool,
) -> Iterator[Foreign]:
    question = question_row(row, fields, place, lists_as_texts=lists_as_texts)
    if question.question_id is None:
        raise RecordingError(f"{place}: the row has no question and no question_id; give each row one of the two")
    replies = _replies(row, fields, lists_as_texts=lists_as_texts)
    scores = [share(score) for score in _each(fields.value(row, "score"), len(replies))]
    reasons = _each(fields.value(row, "finish_reason"), len(replies))
    error = fields.value(row, "error")
    model = request.model or fields.value(row, "model") or otherwise
    temperature = _float(fields.value(row, "temperature"))
    settings = {} if temperature is None else {"temperature": temperature}
    one = len(replies) == 1
    for index, (text, score, reason) in enumerate(zip(replies, scores, reasons, strict=True)):
        yield Foreign(
            path,
            place,
            Row(
                question_id=question.question_id,
                model=str(model),
                sample_index=number * 10**4 + index,
                answer=(text or None) if request.with_answers else None,
                dataset=question.dataset,
                question=question.question,
                gold=question.gold,
                text=text,
                input_tokens=_count(fields.value(row, "input_tokens")) if one else None,
                output_tokens=_count(fields.value(row, "output_tokens")) if one else None,
                latency_s=_float(fields.value(row, "latency_s")) if one else None,
                error=None if error in (None, "", False) else str(error),
                score=score,
            ),
            settings,
            TESTS if question.tests else None,
            at_limit(reason),
        )


def _replies(row: Mapping[str, Any], fields: Fields, *, lists_as_texts: bool) -> list[str | None]:
    """Return the texts of a row's samples; an empty or missing one is a sample without an answer."""
    names = fields.names["answer"]
    if len(names) > 1:
        return [_reply(field_value(row, name)) for name in names]
    value = field_value(row, names[0])
    if lists_as_texts and names[0].lower().rstrip("0123456789_").endswith("s"):
        value = json_list(value)
    # A chat or the parts of a message are one reply; a list of texts, or of messages, is samples.
    if isinstance(value, list) and not _is_one_reply(value):
        return [_reply(item) for item in value] or [None]
    return [_reply(value)]


def _is_one_reply(value: list[Any]) -> bool:
    if not value or not all(isinstance(item, dict) for item in value):
        return False
    roles = {item.get("role") for item in value} - {None}
    return bool(roles - {"assistant"}) or all(item.get("type") in _PARTS for item in value)


_PARTS = {"text", "output_text", "reasoning", "thinking", "image_url"}


def _reply(value: Any) -> str | None:
    match value:
        case None | str():
            return value
        case bool() | int() | float():
            return json.dumps(value)
        case [*_] if any(isinstance(item, dict) and item.get("role") == "assistant" for item in value):
            return message_text([item for item in value if item.get("role") == "assistant"][-1])
        case _:
            text = message_text(value)
            return json.dumps(value, ensure_ascii=False) if text is None and value else text


def _each(value: Any, count: int) -> list[Any]:
    """Return a field of a row for each of its samples; one value for several samples is nobody's."""
    values = value if isinstance(value, list) else [value]
    return values if len(values) == count else [None] * count


def _count(value: Any) -> int | None:
    number = _float(value)
    return int(number) if number is not None and number.is_integer() and number >= 0 else None


def _float(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
