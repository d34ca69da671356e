"""Rows of a table in a JSON Lines, JSON, CSV or Parquet file, each as a dict with its place in the file.

Nothing here knows what the fields mean.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from pydantic_core import to_json

from slmmux._errors import ArgumentError, RecordingError
from slmmux._files.read import DOCUMENT_BYTES, LINE_BYTES, lines, too_long, unpacked_name
from slmmux._files.values import is_json, json_value

__all__ = ["json_items", "kind_of", "rows_of", "stem"]

# What a file's name may end with, and how the file is read; ".gz" may follow, except after ".parquet".
_ENDINGS = {
    ".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
}  # fmt: skip


def kind_of(path: Path) -> str | None:
    """Return how a file is read, by its name's ending: json, csv or parquet."""
    return _ENDINGS.get(Path(unpacked_name(path)).suffix.lower())


def stem(path: Path) -> str:
    """Return a file's name without its endings.

    Example:
        >>> stem(Path("runs/qwen2.5-3b.jsonl.gz"))
        'qwen2.5-3b'
    """
    name = unpacked_name(path)
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in _ENDINGS else name


def rows_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a table, each with its place.

    A JSON file holds one object a line, a list of objects, an object with a single list of objects in it, or an object
    of objects, whose names are then the ids of the questions.

    Raises:
        RecordingError: The file is no table, or a part of it is too long.
        ArgumentError: The file is Parquet, and pyarrow is not installed.
        OSError: The file cannot be opened.
    """
    match kind_of(path):
        case "csv":
            yield from _csv_rows(path)
        case "parquet":
            yield from _parquet_rows(path)
        case _:
            for place, row in _json_rows(path):
                if not isinstance(row, dict):
                    raise RecordingError(f"{place}: a row of a table is a JSON object, received {type(row).__name__}")
                yield place, row


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    items = json_items(path)
    first = next(items, None)
    if first is None:
        return
    place, value = first[0], json_value(first[1], first[0])
    following = next(items, None)
    is_document = place in {str(path), f"{path} line 1"}  # and not the only item of a list
    if (
        following is None
        and is_document
        and isinstance(value, dict)
        and kind_of(path) == "json"
        and ".jsonl" not in path.name
    ):
        yield from ((f"{path} {name}", row) for name, row in _rows_in(value))
        return
    yield place, value
    if following is not None:
        yield following[0], json_value(following[1], following[0])
    for place, item in items:
        yield place, json_value(item, place)


def _rows_in(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a document: of the one list of objects in it, of an object for each id, or the one it is."""
    lists = {n: v for n, v in value.items() if isinstance(v, list) and v and all(isinstance(row, dict) for row in v)}
    if len(lists) == 1:
        ((name, rows),) = lists.items()
        yield from ((f"{name}.{number}", row) for number, row in enumerate(rows))
    elif value and all(isinstance(row, dict) for row in value.values()):
        yield from ((name, {"question_id": name, **row}) for name, row in value.items())
    else:
        yield "item 0", value


def json_items(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the values of a file of JSON lines, or the items of the list that a JSON file holds, each as JSON.

    Raises:
        RecordingError: The file is neither, or a part of it is too long.
        OSError: The file cannot be opened.
    """
    numbered = lines(path)
    for number, line in numbered:
        if line.isspace():
            continue
        start = line.lstrip()
        # A list, or an object over several lines, is one document; a broken first line of JSON lines is an error.
        if start[:1] == b"[" or (start[:1] == b"{" and line.rstrip()[-1:] in b"{[,:" and not is_json(line)):
            yield from _document_items(path, line, numbered)
            return
        yield f"{path} line {number}", line
        break
    for number, line in numbered:
        if not line.isspace():
            yield f"{path} line {number}", line


def _document_items(path: Path, first: bytes, rest: Iterable[tuple[int, bytes]]) -> Iterator[tuple[str, bytes]]:
    pieces, size = [first], len(first)
    for _, line in rest:
        size += len(line)
        if size > DOCUMENT_BYTES:
            raise too_long(str(path), DOCUMENT_BYTES, "document")
        pieces.append(line)
    value = json_value(b"".join(pieces), str(path))
    items = (
        [(f"{path} item {n}", item) for n, item in enumerate(value)]
        if isinstance(value, list)
        else [(str(path), value)]
    )
    yield from ((place, to_json(item, inf_nan_mode="constants")) for place, item in items)


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    def decoded() -> Iterator[str]:
        for number, line in lines(path):
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise RecordingError(f"{path} line {number}: not UTF-8 ({error}); save the file as UTF-8") from None

    texts = decoded()
    header = next(texts, "")
    separator = "\t" if ".tsv" in path.name.lower() else max(",;\t", key=header.count)

    def with_header() -> Iterator[str]:
        yield header
        yield from texts

    earlier = csv.field_size_limit(LINE_BYTES)  # A reply is often longer than csv's own limit of 131,072.
    try:
        reader = csv.DictReader(with_header(), delimiter=separator, strict=True)
        for row in reader:
            place = f"{path} line {reader.line_num}"
            if None in row:
                raise RecordingError(
                    f"{place}: {len(cast('list[str]', row[None]))} more cells than the header has; "
                    f"quote a cell that holds {separator!r}"
                )
            yield place, cast("dict[str, Any]", row)
    except csv.Error as error:
        raise RecordingError(f"{path}: not CSV ({error}); write it with csv or pandas") from None
    finally:
        csv.field_size_limit(earlier)


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        from pyarrow import ArrowException  # noqa: PLC0415 - an extra, and slow to import
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        raise ArgumentError(f'{path}: Parquet needs pyarrow: pip install "slmmux[parquet]"') from None
    try:
        number = 0
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                for row in batch.to_pylist():
                    yield f"{path} row {number}", {name: _plain(value) for name, value in row.items()}
                    number += 1
    except ArrowException as error:
        raise RecordingError(
            f"{path}: not a Parquet file, or an incomplete one ({error}); copy the file again"
        ) from None


def _plain(value: Any) -> Any:
    """Return a value as JSON has it. In a column of numbers a missing one is NaN, as pandas writes it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return None if math.isnan(value) else value
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case bytes():
            return value.decode(errors="replace")
        case _:
            return json.loads(json.dumps(value, default=str))
