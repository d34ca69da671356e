"""The samples of a recording column by column: texts as numbers of a dictionary, so that counting touches no object.

A column is held, or read from its file when it is first asked for. Nothing here decides, or knows a file's format.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from slmmux._decision.types import Answer
from slmmux._errors import RecordingError
from slmmux.recording._row import Row, answer_from, fields_of_rows, is_retry

__all__ = ["CODED", "FRACTIONS", "NONE", "WHOLE", "Builder", "Coded", "Columns", "Duplicate", "Ints", "Source"]

Codes: TypeAlias = NDArray[np.int32]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

NONE = int(np.iinfo(np.int64).min)  # stands for `None` in a column of whole numbers; NaN does in one of fractions

CODED = ("question_id", "model", "dataset", "question", "gold", "temperature", "error", "alike", "confidences",
         "cut_off")  # fmt: skip
WHOLE = ("sample_index", "input_tokens", "output_tokens", "attempt", "judge_input_tokens", "judge_output_tokens")
FRACTIONS = ("latency_s", "score")
_JSON = ("gold", "alike", "confidences")  # coded by their JSON, as a list is no key of a dictionary
_CONTENTS = 262_144  # samples whose contents are one piece of text
_IN_ORDER = ("question_id", "model")  # numbered by first appearance: the recording's own order


@dataclass(frozen=True, slots=True)
class Coded:
    """A column with few different values.

    Attributes:
        codes: [n] the number of each sample's value; -1 is `None`.
        values: The values by their numbers.
    """

    codes: Codes
    values: Sequence[Any]

    def take(self, positions: Ints) -> "Coded":
        """Return the column of some samples, with the same numbers."""
        return Coded(self.codes[positions], self.values)

    def in_order(self) -> "Coded":
        """Return the column with the values that occur, numbered by first appearance."""
        count = self.codes.size
        first = np.full(len(self.values), count, dtype=np.int64)
        first[self.codes[::-1]] = np.arange(count - 1, -1, -1)  # of several writes to one place the last one stays
        order = np.argsort(first, kind="stable")[: np.count_nonzero(first < count)]
        if order.size == len(self.values) and bool((order == np.arange(order.size)).all()):
            return self
        number = np.full(len(self.values), -1, dtype=np.int32)
        number[order] = np.arange(order.size, dtype=np.int32)
        return Coded(number[self.codes], [self.values[i] for i in order.tolist()])

    def at(self, positions: Ints) -> list[Any]:
        """Return the values of some samples."""
        values = [*self.values, None]  # the code -1 is the last place
        return [values[code] for code in self.codes[positions].tolist()]


class Source(Protocol):
    """Columns that stay in their files until they are asked for."""

    def column(self, name: str) -> "Coded | NDArray[Any]":
        """Return a column of all samples of the files."""
        ...

    def texts(self, positions: Ints) -> list[str | None]:
        """Return the replies of some samples."""
        ...

    @property
    def has_texts(self) -> bool:
        """Whether some reply is not empty."""
        ...


class Duplicate(Exception):  # noqa: N818 - a fact that the recording turns into its error
    """Two rows hold one sample, and the later one is no later attempt.

    Attributes:
        first: The position of the earlier row.
        second: The position of the later row.
    """

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first, second)
        self.first = first
        self.second = second


class Columns:
    """The columns of some samples, in recorded order.

    Args:
        count: The number of samples.
        held: The columns in memory, by the names of `Row`; "reading" has (answer, kind, key).
        source: The files of all other columns.
        positions: The places of the samples among the source's; `None`: all, in their order.
    """

    def __init__(
        self,
        count: int,
        held: Mapping[str, Coded | NDArray[Any]],
        source: Source | None = None,
        positions: Ints | None = None,
    ) -> None:
        self.count = count
        self._held = dict(held)
        self._source = source
        self._positions = positions
        self._sorted: Ints | None = None

    def _column(self, name: str) -> Coded | NDArray[Any]:
        if name not in self._held:
            assert self._source is not None, name  # noqa: S101 - without a source all columns are held
            column = self._source.column(name)
            if self._positions is not None:
                column = column.take(self._positions) if isinstance(column, Coded) else column[self._positions]
            self._held[name] = column
        return self._held[name]

    def coded(self, name: str) -> Coded:
        """Return one of the columns in `CODED`, or "reading"."""
        return cast("Coded", self._column(name))

    def numbers(self, name: str) -> NDArray[Any]:
        """Return one of the columns in `WHOLE` or `FRACTIONS`."""
        return cast("NDArray[Any]", self._column(name))

    @property
    def failed(self) -> NDArray[np.bool_]:
        """[n] whether the call failed."""
        return self.coded("error").codes >= 0

    @property
    def has_texts(self) -> bool:
        """Whether some reply is not empty."""
        if "text" in self._held:
            return bool(self.numbers("text").astype(np.bool_).any())
        return self._source is not None and self._source.has_texts

    def texts(self, positions: Ints) -> list[str | None]:
        """Return the replies of some samples."""
        if "text" in self._held:
            return cast("list[str | None]", self.numbers("text")[positions].tolist())
        if self._source is None:
            return [None] * len(positions)
        return self._source.texts(positions if self._positions is None else self._positions[positions])

    def take(self, positions: Ints) -> "Columns":
        """Return the columns of some samples."""
        held = {
            name: column.take(positions) if isinstance(column, Coded) else column[positions]
            for name, column in self._held.items()
        }
        held |= {name: cast("Coded", held[name]).in_order() for name in _IN_ORDER}
        places = positions if self._positions is None else self._positions[positions]
        return Columns(len(positions), held, self._source, None if self._source is None else places)

    def at_most(self, most: int) -> "Iterator[Columns]":
        """Yield the samples in parts of some size."""
        for start in range(0, max(1, self.count), most):  # a recording without samples has a part, for its settings
            yield self.take(np.arange(start, min(start + most, self.count)))

    def replaced(self, name: str, column: Coded | NDArray[Any]) -> "Columns":
        """Return the same samples with another column."""
        same = Columns(self.count, {**self._held, name: column}, self._source, self._positions)
        same._sorted = self._sorted
        return same

    def abstaining(self, silent: Sequence[int]) -> Codes:
        """Return the codes of the readings, with another one for each reading of a call that did not fail."""
        codes = self.coded("reading").codes
        other = np.array(silent, dtype=np.int32)[codes] if silent else codes
        return np.where(self.failed, codes, other).astype(np.int32)

    def without_texts(self) -> "Columns":
        """Return the same samples without their replies."""
        return self.replaced("text", _joined([(self.count, None)], np.array(None, dtype=object)))

    @property
    def in_order(self) -> Ints:
        """The positions sorted by question, model and `sample_index`."""
        if self._sorted is None:
            self._sorted = np.argsort(self._keys(), kind="stable")
        return self._sorted

    def _keys(self) -> Ints:
        """Return a number for each sample that sorts by question, model and index, the same for the same sample."""
        question, model = self.coded("question_id"), self.coded("model")
        index = self.numbers("sample_index").astype(np.int64)
        highest = int(index.max(initial=0)) + 1
        cells = question.codes.astype(np.int64) * len(model.values) + model.codes
        if len(question.values) * len(model.values) * highest >= 2**63:  # indices may be any numbers
            index = np.unique(index, return_inverse=True)[1]
            highest = int(index.max(initial=0)) + 1
        return cells * highest + index

    def resolved(self) -> "tuple[Columns, Columns | None]":
        """Return the samples and, if there are any, the earlier attempts at samples that were requested again.

        Raises:
            Duplicate: A row holds a sample that an earlier one holds, and is no later attempt at it.
        """
        keys = self._keys()
        order = np.argsort(keys, kind="stable")
        again = keys[order][1:] == keys[order][:-1]
        if not again.any():
            self._sorted = order
            return self, None
        several = np.zeros(self.count, dtype=np.bool_)
        several[order[1:][again]] = True
        several[order[:-1][again]] = True
        latest: dict[int, int] = {}
        earlier: list[int] = []
        for position in np.flatnonzero(several).tolist():
            key = int(keys[position])
            if key in latest:
                one, other = self.rows(np.array([latest[key], position]), texts=False)
                if not is_retry(other, one):
                    raise Duplicate(latest[key], position)
                earlier.append(latest[key])
            latest[key] = position
        stays = np.ones(self.count, dtype=np.bool_)
        stays[earlier] = False
        return self.take(np.flatnonzero(stays)), self.take(np.array(earlier, dtype=np.int64))

    def answers(self) -> tuple[NDArray[np.int32], list[Answer]]:
        """Return [n] the number of each sample's answer, -1 without one, and the readings of each answer by number.

        Equal answers have one number, whatever their spelling.
        """
        reading = self.coded("reading")
        number: dict[tuple[str, str], int] = {}
        distinct: list[Answer] = []
        of_reading = np.full(len(reading.values) + 1, -1, dtype=np.int32)
        for code, parts in enumerate(reading.values):
            if (answer := answer_from(*parts)) is not None:
                at = number.setdefault((answer.kind, answer.key), len(distinct))
                if at == len(distinct):
                    distinct.append(answer)
                of_reading[code] = at
        numbers = of_reading[reading.codes]
        numbers[self.failed] = -1
        return numbers, distinct

    def rows(self, positions: Ints | None = None, *, texts: bool = True) -> list[Row]:
        """Return some samples as rows, or all; without texts, their replies are `None`."""
        at = np.arange(self.count) if positions is None else positions
        readings = self.coded("reading").at(at)
        parts: dict[str, Iterable[Any]] = {name: self.coded(name).at(at) for name in CODED}
        for name in WHOLE:
            parts[name] = [None if value == NONE else value for value in self.numbers(name)[at].tolist()]
        for name in FRACTIONS:
            parts[name] = [None if value != value else value for value in self.numbers(name)[at].tolist()]  # noqa: PLR0124
        replies = self.texts(at) if texts else repeat(None)
        return [
            Row(
                question_id=question_id, model=model, sample_index=index, answer=answer, dataset=dataset,
                question=question, gold=gold, text=text, temperature=temperature, input_tokens=input_tokens,
                output_tokens=output_tokens, latency_s=latency, error=error, kind=kind, key=key, alike=alike,
                score=score, attempt=attempt, confidences=confidences, judge_input_tokens=judge_input,
                judge_output_tokens=judge_output, cut_off=cut_off,
            )
            for (answer, kind, key), text, question_id, model, index, dataset, question, gold, temperature,
            input_tokens, output_tokens, latency, error, alike, score, attempt, confidences, judge_input, judge_output,
            cut_off in zip(
                readings, replies, *(parts[name] for name in (
                    "question_id", "model", "sample_index", "dataset", "question", "gold", "temperature",
                    "input_tokens", "output_tokens", "latency_s", "error", "alike", "score", "attempt",
                    "confidences", "judge_input_tokens", "judge_output_tokens", "cut_off",
                )), strict=False,
            )
        ]  # fmt: skip

    def contents(self) -> Iterator[str]:
        """Yield the contents of all samples as pieces of one text, a line a sample, the lines sorted.

        No text that Python prints is the beginning of another one, and no sample is there twice. So sorting by the
        question, then the model, then the index as a text sorts the lines, without making them first.
        """
        reading, gold, index = self.coded("reading"), self.coded("gold"), self.numbers("sample_index")
        indices, number = np.unique(index, return_inverse=True)
        questions = [f"({value!r}, " for value in self.coded("question_id").values]
        models = [f"{value!r}, " for value in self.coded("model").values]
        places = [f"{value}, " for value in indices.tolist()]
        answers = ["{!r}, {!r}, {!r}, ".format(*parts) for parts in reading.values]
        golds = [*(f"{value!r}, " for value in gold.values), f"{None!r}, "]
        ends = ["True)\n", "False)\n"]
        columns = (
            (questions, self.coded("question_id").codes),
            (models, self.coded("model").codes),
            (places, number.reshape(-1)),
        )
        order = np.lexsort([_ranks(texts)[codes] for texts, codes in reversed(columns)])
        every = (*columns, (answers, reading.codes), (golds, gold.codes), (ends, self.failed.view(np.int8)))
        for start in range(0, order.size, _CONTENTS):
            at = order[start : start + _CONTENTS]
            pieces = (map(texts.__getitem__, codes[at].tolist()) for texts, codes in every)
            yield "".join(chain.from_iterable(zip(*pieces, strict=True)))


def _ranks(texts: Sequence[str]) -> Codes:
    """Return the place of each text among the sorted ones."""
    ranks = np.empty(len(texts), dtype=np.int32)
    ranks[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts), dtype=np.int32)
    return ranks


def json_key(value: Any) -> Any:
    """Return a dictionary's key for a JSON value: the text itself, or the JSON in a tuple, so that "4" is not 4."""
    return value if value is None or type(value) is str else (json.dumps(value, ensure_ascii=False),)


class _Codebook(dict[Any, int]):
    """Numbers values in the order in which they come; `None` is -1."""

    def __init__(self) -> None:
        super().__init__({None: -1})
        self.values_by_code: list[Any] = []

    def __missing__(self, value: Any) -> int:
        code = self[value] = len(self.values_by_code)
        self.values_by_code.append(value)
        return code

    def codes(self, column: Iterable[Any], count: int) -> Codes:
        return np.fromiter(map(self.__getitem__, column), dtype=np.int32, count=count)


class Builder:
    """Joins pieces of columns, from rows or from files, into `Columns`."""

    def __init__(self) -> None:
        self.count = 0
        self._books = {name: _Codebook() for name in (*CODED, "reading")}
        self._json: dict[Any, Any] = {}  # a JSON key -> its value
        self._pieces: dict[str, list[tuple[int, NDArray[Any] | None]]] = {}

    def add(self, columns: Mapping[str, Sequence[Any] | None], count: int) -> None:
        """Add samples; a column that is `None` or absent holds nothing but `None`."""
        for name in CODED:
            column = columns.get(name)
            self.put(name, None if column is None else self._books[name].codes(self._keys(name, column), count), count)
        answers, kinds, keys = (columns.get(name) for name in ("answer", "kind", "key"))
        none = [None] * count
        triples = zip(self._keys("answer", answers or none), kinds or none, keys or none, strict=True)
        self.put("reading", self._books["reading"].codes(triples, count), count)
        for name in WHOLE:
            column = columns.get(name)
            self.put(name, None if column is None else _whole(name, column), count)
        for name in FRACTIONS:
            column = columns.get(name)
            self.put(name, None if column is None else np.array(column, dtype=np.float64), count)
        texts = columns.get("text")
        if texts is not None:
            held = np.empty(count, dtype=object)
            held[:] = texts
            self.put("text", held, count)
        else:
            self.put("text", None, count)
        self.count += count

    def put(self, name: str, piece: NDArray[Any] | None, count: int) -> None:
        """Add a piece of one column, with codes of this builder's own; `None`: nothing but `None`."""
        self._pieces.setdefault(name, []).append((count, piece))

    def codes_of(self, name: str, values: Sequence[Any]) -> Codes:
        """Return the codes of some values of a column; a reading is (answer, kind, key)."""
        keys: Iterable[Any]
        if name == "reading":
            answers = self._keys("answer", [answer for answer, _, _ in values])
            keys = [(answer, kind, key) for answer, (_, kind, key) in zip(answers, values, strict=True)]
        else:
            keys = self._keys(name, values)
        return self._books[name].codes(keys, len(values))

    def _keys(self, name: str, column: Sequence[Any]) -> Iterable[Any]:
        if name not in {"answer", *_JSON} or {*map(type, column)} <= {str, type(None)}:
            return column
        keys = [*map(json_key, column)]
        self._json.update(
            (key, value)
            for key, value in zip(keys, column, strict=True)
            if type(key) is tuple and key not in self._json
        )
        return keys

    def values_of(self, name: str) -> list[Any]:
        """Return the values of a coded column, by their codes."""
        values = self._books[name].values_by_code
        if name == "reading":
            return [(self._value(answer), kind, key) for answer, kind, key in values]
        return [*map(self._value, values)] if name in _JSON else values

    def _value(self, key: Any) -> Any:
        return self._json[key] if type(key) is tuple else key

    def column(self, name: str) -> Coded | NDArray[Any]:
        """Return a whole column."""
        pieces = self._pieces.pop(name, [])
        if name in {*CODED, "reading"}:
            codes = _joined(pieces, np.int32(-1))
            return Coded(codes, self.values_of(name))
        if name in WHOLE:
            return _joined(pieces, np.int64(NONE))
        return _joined(pieces, np.float64("nan") if name in FRACTIONS else np.array(None, dtype=object))

    def columns(self, names: Iterable[str] | None = None, source: Source | None = None) -> Columns:
        """Return the samples; the columns that are not among the names stay with the source."""
        held = (*CODED, "reading", *WHOLE, *FRACTIONS, "text") if names is None else names
        return Columns(self.count, {name: self.column(name) for name in held}, source)

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Columns:
        """Return rows as columns."""
        builder = cls()
        builder.add(fields_of_rows(rows), len(rows))
        return builder.columns()


def _whole(name: str, column: Sequence[int | None]) -> Ints:
    try:
        return np.array([NONE if value is None else value for value in column], dtype=np.int64)
    except OverflowError:
        raise RecordingError(
            f"{name} holds {max((v for v in column if v is not None), key=abs)}, which is beyond 64 bits; write the "
            "number of tokens or the place of a sample"
        ) from None


def _joined(pieces: Sequence[tuple[int, NDArray[Any] | None]], none: Any) -> NDArray[Any]:
    """Return the pieces of a column as one; a column without a single value takes no memory."""
    count = sum(size for size, _ in pieces)
    if all(piece is None for _, piece in pieces):
        return np.broadcast_to(none, (count,))
    if len(pieces) == 1:
        return cast("NDArray[Any]", pieces[0][1])
    # Files and their pieces may hold whole numbers in different widths; the widest one holds them all.
    joined = np.full(count, none, dtype=np.result_type(*(piece for _, piece in pieces if piece is not None)))
    start = 0
    for size, piece in pieces:
        if piece is not None:
            joined[start : start + size] = piece
        start += size
    return joined
