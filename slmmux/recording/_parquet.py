"""Recordings in Parquet: a row a sample, texts with few different values as dictionaries, read column by column.

An answer or a gold answer that is a text is in `answer` or `gold`; any other value is in `answer_json` or `gold_json`,
as JSON. The metadata has the settings. A file of another program with the same columns is read too.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from slmmux._errors import ArgumentError, RecordingError
from slmmux._files.write import replacement
from slmmux.recording._columns import FRACTIONS, NONE, WHOLE, Builder, Coded, Columns, Ints
from slmmux.recording._row import REQUIRED, confidences_of, first_settings, gold_without_nan, head_line

__all__ = ["HELD", "ParquetFile", "ParquetFiles", "PartWriter", "column_names", "part_writer"]

_GROUP_ROWS = 262_144  # are read at once; a text's neighbours are read with it
HELD = ("question_id", "model", "sample_index", "reading", "error", "attempt")  # what every use needs
_DICTIONARIES = ("question_id", "model", "dataset", "question", "answer", "answer_json", "kind", "key", "gold",
                 "gold_json", "error", "alike", "confidences")  # fmt: skip
_MOST_TEXTS = 8  # groups whose texts stay in memory
_METADATA = b"slmmux_recording"


@contextmanager
def _arrow(path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield pyarrow and its module for Parquet, and turn their errors into sentences."""
    try:
        import pyarrow  # noqa: ICN001, PLC0415 - an extra, and slow to import
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError:
        raise ArgumentError(f'{path}: Parquet needs pyarrow: pip install "slmmux[parquet]"') from None
    try:
        yield pyarrow, pyarrow.parquet
    except pyarrow.ArrowException as error:
        raise RecordingError(
            f"{path}: not a Parquet file, or an incomplete one ({error}); copy the file again"
        ) from None


def column_names(path: Path) -> set[str]:
    """Return the names of a Parquet file's columns."""
    with _arrow(path) as (_, parquet):
        return set(parquet.read_schema(path).names)


class ParquetFiles:
    """The files of a recording, from which columns are read when they are asked for."""

    def __init__(self) -> None:
        self.files: list[ParquetFile] = []

    def column(self, name: str) -> Coded | NDArray[Any]:
        builder = Builder()
        for file in self.files:
            file.read(builder, (name,))
        return builder.column(name)

    @property
    def has_texts(self) -> bool:
        return any(file.has_texts for file in self.files)

    def texts(self, positions: Ints) -> list[str | None]:
        starts = np.cumsum([0, *(file.count for file in self.files)])
        of_file = np.searchsorted(starts, positions, side="right") - 1
        texts = np.full(len(positions), None, dtype=object)
        for number in np.unique(of_file).tolist():
            at = np.flatnonzero(of_file == number)
            texts[at] = self.files[number].texts(positions[at] - starts[number])
        return list(texts.tolist())


class ParquetFile:
    """One Parquet file.

    Args:
        path: The file.

    Attributes:
        count: The number of its rows.
        settings: The settings that it states.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _arrow(path) as (_, parquet), parquet.ParquetFile(path) as file:
            self._groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
            self._columns = set(file.schema_arrow.names)
            metadata = file.schema_arrow.metadata or {}
            self._silent = "text" not in self._columns or _is_empty(file.metadata, "text")
        self.count = sum(self._groups)
        self.settings = first_settings(metadata[_METADATA], f"{path} metadata") if _METADATA in metadata else {}
        self._texts: dict[int, Any] = {}
        if absent := [name for name in REQUIRED if name not in self._columns]:
            raise RecordingError(
                f"{path}: the columns of a recording are question_id, model, sample_index, answer and more; "
                f"{absent[0]!r} is not there; convert the file with `slmmux convert`"
            )

    @property
    def has_texts(self) -> bool:
        return not self._silent and any(
            text for start in range(0, self.count, _GROUP_ROWS)
            for text in self.texts(np.arange(start, min(start + _GROUP_ROWS, self.count)))
        )  # fmt: skip

    def texts(self, positions: Ints) -> list[str | None]:
        if self._silent:
            return [None] * len(positions)
        starts = np.cumsum([0, *self._groups])
        of_group = np.searchsorted(starts, positions, side="right") - 1
        texts = np.full(len(positions), None, dtype=object)
        with _arrow(self._path) as (arrow, parquet):
            for group in np.unique(of_group).tolist():
                if group not in self._texts:
                    with parquet.ParquetFile(self._path) as file:
                        column = file.read_row_group(group, columns=["text"]).column(0).combine_chunks()
                    while len(self._texts) >= _MOST_TEXTS:
                        del self._texts[next(iter(self._texts))]
                    self._texts[group] = column
                at = np.flatnonzero(of_group == group)
                texts[at] = self._texts[group].take(arrow.array(positions[at] - starts[group])).to_pylist()
        return list(texts.tolist())

    def read(self, builder: Builder, names: Sequence[str]) -> None:
        """Add some columns of all rows to a builder."""
        fields = {field for name in names for field in _FIELDS.get(name, (name,)) if field in self._columns}
        with (
            _arrow(self._path) as (_, parquet),
            parquet.ParquetFile(self._path, read_dictionary=[name for name in _DICTIONARIES if name in fields]) as file,
        ):
            row = 0
            for batch in file.iter_batches(batch_size=_GROUP_ROWS, columns=sorted(fields) or ["question_id"]):
                arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
                for name in names:
                    try:
                        builder.put(name, self._piece(builder, name, arrays), batch.num_rows)
                    except (ValueError, TypeError) as error:
                        raise RecordingError(
                            f"{self._path} after row {row}: {name}: {error}; write {_FORMS.get(name, 'a text or null')}"
                        ) from None
                row += batch.num_rows

    def _piece(self, builder: Builder, name: str, arrays: Mapping[str, Any]) -> NDArray[Any] | None:
        if name == "text":
            texts = np.empty(len(arrays["text"]), dtype=object) if "text" in arrays else None
            if texts is not None:
                texts[:] = arrays["text"].to_pylist()
            return texts
        if name in WHOLE or name in FRACTIONS:
            return _numbers(name, arrays.get(name))
        if name == "reading":
            parts = [_coded(arrays.get(field)) for field in _FIELDS["reading"]]
            return _readings(builder, parts, len(next(iter(arrays.values()))))
        pieces = [_coded(arrays.get(field)) for field in _FIELDS.get(name, (name,))]
        codes: NDArray[Any] | None = None
        for piece, is_json in zip(pieces, (False, True), strict=False):
            if piece is None:
                continue
            values = _values(name, piece[1], is_json=is_json)
            number = np.append(builder.codes_of(name, values), np.int32(-1))
            codes = number[piece[0]] if codes is None else np.where(codes < 0, number[piece[0]], codes)
        if name in REQUIRED and (codes is None or bool((codes < 0).any())):
            raise ValueError("received null")
        return codes


def _values(name: str, stored: Sequence[Any], *, is_json: bool) -> list[Any]:
    """Return the values of a column as a row has them, checked."""
    if name == "alike":
        return [{int(index): close for index, close in from_json(value).items()} for value in stored]
    if name == "confidences":
        return [confidences_of(value) for value in stored]
    values: list[Any] = [from_json(value) for value in stored] if is_json else list(stored)
    if name == "gold":
        return [*map(gold_without_nan, values)]
    if name == "temperature":
        return [*map(float, values)]
    form, meant = (bool, "not true or false") if name == "cut_off" else (str, "no text")
    if any(type(value) is not form for value in values):
        raise TypeError(f"received a value that is {meant}")
    return values


_FIELDS = {
    "reading": ("answer", "answer_json", "kind", "key"),
    "gold": ("gold", "gold_json"),
}
_FORMS = {
    "sample_index": "whole numbers from 0 on",
    "attempt": "whole numbers from 2 on, or null",
    "input_tokens": "whole numbers or null",
    "output_tokens": "whole numbers or null",
    "judge_input_tokens": "whole numbers or null",
    "judge_output_tokens": "whole numbers or null",
    "score": "numbers from 0 to 1, or null",
    "temperature": "numbers or null",
    "latency_s": "numbers or null",
    "confidences": "an object of numbers from 0 to 1 as JSON, or null",
    "cut_off": "true, false or null",
    "reading": "null if there is no answer",
    "gold": "null if there is no gold answer",
    "question_id": "a text",
    "model": "a text",
}


def _is_empty(metadata: Any, name: str) -> bool:
    """Return whether a column is known to hold nothing but null."""
    for group in range(metadata.num_row_groups):
        chunks = metadata.row_group(group)
        for number in range(chunks.num_columns):
            chunk = chunks.column(number)
            if chunk.path_in_schema == name and (
                chunk.statistics is None
                or not chunk.statistics.has_null_count
                or chunk.statistics.null_count < chunks.num_rows
            ):
                return False
    return True


def _coded(array: Any) -> tuple[NDArray[Any], list[Any]] | None:
    """Return [n] codes into a list of values, -1 for null; `None` if all is null."""
    if array is None or array.null_count == len(array):
        return None
    if not hasattr(array, "dictionary"):
        if str(array.type).startswith(("list", "struct", "large_list", "map")):
            values = array.to_pylist()
            return np.array([-1 if v is None else i for i, v in enumerate(values)], dtype=np.int32), values
        array = array.dictionary_encode()
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return codes, array.dictionary.to_pylist()


def _numbers(name: str, array: Any) -> NDArray[Any] | None:
    if array is None or array.null_count == len(array):
        if name == "sample_index" and (array is None or len(array)):
            raise ValueError("received null")
        return None
    kind = str(array.type)
    if name in FRACTIONS:
        if not kind.startswith(("float", "double", "halffloat", "int", "uint")):
            raise TypeError(f"received {kind}")
        fractions = array.fill_null(float("nan")) if kind in {"float", "double"} else array.cast("float64")
        numbers: NDArray[Any] = fractions.to_numpy(zero_copy_only=False).astype(np.float64)
        if name == "score" and bool(((numbers < 0) | (numbers > 1)).any()):
            raise ValueError("received a number beyond")
        return numbers
    if not kind.startswith(("int", "uint")):
        raise TypeError(f"received {kind}")
    numbers = array.cast("int64").fill_null(NONE).to_numpy(zero_copy_only=False)
    least = {"sample_index": 0, "attempt": 2}.get(name)
    if least is not None and bool(((numbers < least) & ((numbers != NONE) | (name == "sample_index"))).any()):
        raise ValueError("received a number below")
    return numbers.astype(np.int32) if name == "sample_index" and numbers.max(initial=0) < 2**31 else numbers


def _readings(builder: Builder, parts: Sequence[tuple[NDArray[Any], list[Any]] | None], count: int) -> NDArray[Any]:
    """Return the codes of the triples (answer, kind, key), each looked up once for all its samples."""
    at = np.zeros(count, dtype=np.int64)
    for part in parts:  # one number for each combination
        if part is not None:
            if int(at.max(initial=0) + 1) * (len(part[1]) + 1) >= 2**62:
                at = np.unique(at, return_inverse=True)[1]
            at = at * (len(part[1]) + 1) + part[0] + 1
    _, first, number = np.unique(at, return_index=True, return_inverse=True)
    # In the order in which they come: the order of a file's dictionary must not show.
    order = np.argsort(first, kind="stable")
    answers, jsons, kinds, keys = (
        [None] * len(first) if part is None else [[*part[1], None][code] for code in part[0][first].tolist()]
        for part in parts
    )
    answers = [answer if value is None else from_json(value) for answer, value in zip(answers, jsons, strict=True)]
    if any(answer != answer for answer in answers):  # noqa: PLR0124 - only NaN differs from itself
        raise ValueError("NaN is not an answer")
    triples = [(answers[i], kinds[i], keys[i]) for i in order.tolist()]
    codes = np.empty(len(first), dtype=np.int32)
    codes[order] = builder.codes_of("reading", triples)
    return codes[number.reshape(-1)]


@contextmanager
def part_writer(path: Path, settings: Mapping[str, Any]) -> "Iterator[PartWriter]":
    """Yield a writer of one Parquet file; the file has its name only once it is whole.

    Args:
        path: The file.
        settings: The settings of the samples.
    """
    with replacement(path) as part:
        writer = PartWriter(path, part, settings)
        try:
            yield writer
        except BaseException:
            with suppress(Exception):
                writer.close()
            raise
        if not writer.count:
            writer.write(Builder.of_rows(()))
        writer.close()


class PartWriter:
    """Writes samples into one Parquet file, piece by piece.

    Attributes:
        count: The number of samples so far.
    """

    def __init__(self, path: Path, part: Path, settings: Mapping[str, Any]) -> None:
        self._path = path  # of which error sentences speak
        self._part = part
        self._settings = settings
        self._writer: Any = None
        self.count = 0

    def write(self, columns: Columns) -> None:
        """Add samples."""
        with _arrow(self._path) as (arrow, parquet):
            for start in range(0, max(columns.count, 1 if self._writer is None else 0), _GROUP_ROWS):
                at = np.arange(start, min(start + _GROUP_ROWS, columns.count))
                table = _table(arrow, columns, at, head_line(self._settings))
                if self._writer is None:
                    self._writer = parquet.ParquetWriter(
                        self._part,
                        table.schema,
                        compression="zstd",
                        use_dictionary=[*_DICTIONARIES, "sample_index", "input_tokens", "output_tokens", "temperature"],
                        dictionary_pagesize_limit=2**26,  # beyond it a page holds the texts themselves
                        write_statistics=["text"],
                    )
                self._writer.write_table(table, row_group_size=_GROUP_ROWS)
        self.count += columns.count

    def close(self) -> None:
        """Write the end of the file."""
        if self._writer is not None:
            self._writer.close()


def _table(arrow: Any, columns: Columns, at: Ints, metadata: bytes) -> Any:
    arrays: dict[str, Any] = {}
    reading, gold = columns.coded("reading").take(at), columns.coded("gold").take(at)

    def dictionary(codes: NDArray[Any], values: Sequence[Any]) -> Any:
        used, number = np.unique(codes, return_inverse=True)
        texts = [values[code] for code in used.tolist() if code >= 0]
        indices = number.reshape(-1).astype(np.int32) - int(bool(used.size) and int(used[0]) < 0)
        return arrow.DictionaryArray.from_arrays(
            arrow.array(indices, mask=indices < 0), arrow.array([_utf8(text) for text in texts], arrow.string())
        )

    for name in ("dataset", "question_id", "question"):
        column = columns.coded(name).take(at)
        arrays[name] = dictionary(column.codes, column.values)
    for name, column, values in (
        ("gold", gold, gold.values), ("answer", reading, [answer for answer, _, _ in reading.values]),
    ):  # fmt: skip
        is_text = np.array([*(isinstance(value, str) for value in values), False])
        is_null = np.array([*(value is None for value in values), True])
        arrays[name] = dictionary(np.where(is_text[column.codes], column.codes, -1), values)
        jsons = [None if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
        arrays[f"{name}_json"] = dictionary(np.where((is_text | is_null)[column.codes], -1, column.codes), jsons)
    column = columns.coded("model").take(at)
    arrays["model"] = dictionary(column.codes, column.values)
    for name in WHOLE:
        numbers = columns.numbers(name)[at].astype(np.int64)
        arrays[name] = arrow.array(numbers, mask=numbers == NONE)
    texts = columns.texts(at)
    arrays["text"] = arrow.array([None if text is None else _utf8(text) for text in texts], arrow.large_string())
    temperature = columns.coded("temperature").at(at)
    arrays["temperature"] = arrow.array(temperature, arrow.float64())
    arrays["cut_off"] = arrow.array(columns.coded("cut_off").at(at), arrow.bool_())
    for name in FRACTIONS:
        fractions = columns.numbers(name)[at]
        arrays[name] = arrow.array(fractions, mask=np.isnan(fractions))
    error, alike = columns.coded("error").take(at), columns.coded("alike").take(at)
    arrays["error"] = dictionary(error.codes, error.values)
    for place, name in ((1, "kind"), (2, "key")):
        values = [parts[place] for parts in reading.values]
        none = np.array([*(value is None for value in values), True])
        arrays[name] = dictionary(np.where(none[reading.codes], -1, reading.codes), values)
    arrays["alike"] = dictionary(alike.codes, [json.dumps(value) for value in alike.values])
    confidences = columns.coded("confidences").take(at)
    arrays["confidences"] = dictionary(confidences.codes, [json.dumps(value) for value in confidences.values])
    return arrow.table(arrays).replace_schema_metadata({_METADATA: metadata.strip()})


def _utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which no file can hold
        return text.encode("utf-8", "replace").decode()
    return text
