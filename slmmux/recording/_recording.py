"""Samples kept on disk: a recording is JSON lines, one sample a line, or Parquet, one sample a row.

Nothing here calls a model, decides, or reads `gold`.
"""

import gzip
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from slmmux._errors import RecordingError
from slmmux._files.write import write_whole
from slmmux.answers._no_answer import NoAnswers
from slmmux.recording._formats import files_of, is_folder, is_parquet
from slmmux.recording._prices import PRICES
from slmmux.recording._row import Row, answer_from, head_line, holds_nan, is_packed, is_retry, row_line

if TYPE_CHECKING:
    from slmmux.recording._columns import Columns, Duplicate

__all__ = ["Recording", "Row"]


class Recording:  # noqa: PLW1641 - settings are no key
    """Recorded samples; `Recording.load(path)` and `Recording.of(rows)` make one.

    The samples are held column by column. Counts (a selection, a report) come from the columns, and rows are made when
    they are looked at.

    Args:
        rows: Every sample, each once.
        by_question: The same samples by question and model, in the order of `sample_index`.
        models: The labels, in order of first appearance.
        settings: The settings that the samples were made with.
        history: The failed samples that were requested again.

    Example:
        >>> recording = Recording.of(
        ...     Row(question_id="q1", model=model, sample_index=i, answer=answer)
        ...     for model, answers in {"qwen": ["4", "4"], "phi": ["5", "4"]}.items()
        ...     for i, answer in enumerate(answers)
        ... )
        >>> recording.models, recording.questions
        (('qwen', 'phi'), ('q1',))
    """

    __slots__ = ("_by_question", "_columns", "_history", "_models", "_rows", "_settings")

    def __init__(
        self,
        rows: Iterable[Row],
        by_question: Mapping[str, Mapping[str, Sequence[Row]]],
        models: Sequence[str],
        settings: Mapping[str, Any],
        history: Iterable[Row] = (),
    ) -> None:
        self._rows: tuple[Row, ...] | None = tuple(rows)
        self._by_question: Mapping[str, Mapping[str, Sequence[Row]]] | None = by_question
        self._models: tuple[str, ...] | None = tuple(models)
        self._settings = settings
        self._history: tuple[Row, ...] | Columns = tuple(history)
        self._columns: Columns | None = None

    @classmethod
    def _of_columns(
        cls, columns: "Columns", settings: Mapping[str, Any], history: "tuple[Row, ...] | Columns" = ()
    ) -> "Recording":
        recording = cls.__new__(cls)
        recording._rows = recording._by_question = recording._models = None
        recording._columns, recording._settings, recording._history = columns, settings, history
        return recording

    @classmethod
    def load(cls, path: str | PathLike[str], *more: str | PathLike[str]) -> "Recording":
        """Read a `.jsonl`, `.jsonl.gz` or `.parquet` file, a folder of such files, or several as one recording.

        If the last line of a file was cut off while it was written, it is dropped with a warning. Of a Parquet file,
        only the columns are read that are asked for; Parquet needs the extra `parquet`.

        Raises:
            RecordingError: A line cannot be read as a sample, a sample occurs twice, a file has another format, or the
                files' samples were made with different settings.
            ArgumentError: A file is Parquet, and pyarrow is not installed.
            OSError: A file cannot be opened.
        """
        from slmmux.recording._columns import Duplicate  # noqa: PLC0415 - numpy is slow to import
        from slmmux.recording._parts import read_parts  # noqa: PLC0415

        settings: dict[str, Any] = {}
        files = [file for each in (path, *more) for file in files_of(Path(each))]
        columns, places = read_parts(files, lambda added, file: _join(settings, added, file))
        try:
            latest, history = columns.resolved()
        except Duplicate as twice:
            _refuse(twice, columns, places)
        return cls._of_columns(latest, settings, () if history is None else history)

    @classmethod
    def of(cls, rows: Iterable[Row], settings: Mapping[str, Any] | None = None) -> "Recording":
        """Make a recording from rows in memory.

        Raises:
            RecordingError: A sample occurs twice, or an answer or a gold answer is NaN.
        """
        latest: dict[tuple[str, str, int], tuple[str, Row]] = {}
        history: list[Row] = []
        for place, row in ((f"row {i}", row) for i, row in enumerate(rows)):
            if holds_nan(row.gold) or holds_nan(row.answer):
                # Read from a file it would be refused; unequal to itself, it would count every answer as wrong.
                raise RecordingError(f"{place}: the answer or the gold answer is NaN; write None if there is none")
            sample = row.question_id, row.model, row.sample_index
            first_place, earlier = latest.get(sample, (place, row))
            if first_place != place:
                if not is_retry(row, earlier):
                    raise RecordingError(
                        f"{place}: sample {row.sample_index} of {row.model!r} for question {row.question_id!r} "
                        f"is already in {first_place}; give each sample of a model its own sample_index"
                    )
                history.append(earlier)
                del latest[sample]  # so that the later attempt stands where it was recorded
            latest[sample] = place, row
        rows = tuple(row for _, row in latest.values())
        index: dict[str, dict[str, dict[int, Row]]] = {}
        for row in rows:
            index.setdefault(row.question_id, {}).setdefault(row.model, {})[row.sample_index] = row
        ordered = {
            question: {model: tuple(samples[i] for i in sorted(samples)) for model, samples in by_model.items()}
            for question, by_model in index.items()
        }
        return cls(rows, ordered, tuple(dict.fromkeys(row.model for row in rows)), settings or {}, tuple(history))

    def continued(self, rows: Iterable[Row]) -> "Recording":
        """Return the recording with further rows, as if they had been appended to its file.

        Raises:
            RecordingError: A sample occurs twice.
        """
        longer = self.of((*self.rows, *rows), self.settings)
        longer._history = (*self.history, *longer.history)
        return longer

    def abstaining(self, no_answer: Collection[str]) -> "Recording":
        """Return the recording with some answers read as no answer, as a mux with `no_answer=` reads them.

        Args:
            no_answer: Whole answers, in any case, such as ["unknown", "I don't know"].

        Raises:
            ArgumentError: One of them is empty or no text.

        Example:
            >>> from slmmux import Row
            >>> recording = Recording.of([Row(question_id="q", model="qwen", sample_index=0, answer="Unknown.")])
            >>> recording.abstaining(["unknown"]).rows[0].answer is None
            True
        """
        no_answers = NoAnswers(no_answer)
        if not no_answer:
            return self
        columns = self.columns
        readings = columns.coded("reading")
        values, silent = list(readings.values), []
        for code, (answer, kind, key) in enumerate(readings.values):
            if no_answers.holds(answer_from(answer, kind, key)):
                silent.append(len(values))
                values.append((None, kind, key))
            else:
                silent.append(code)
        codes = columns.abstaining(silent)
        return self._of_columns(
            columns.replaced("reading", type(readings)(codes, values)), self.settings, self._history
        )

    def priced(self, prices: Mapping[str, Any]) -> "Recording":
        """Return the recording with other prices in its settings."""
        return self._of_columns(self.columns, {**self.settings, PRICES: dict(prices)}, self._history)

    def without_texts(self) -> "Recording":
        """Return the same samples without the replies' texts, which a file then need not give."""
        return self._of_columns(self.columns.without_texts(), self.settings, self._history)

    def most_samples(self, models: Sequence[str]) -> dict[str, int]:
        """Return the largest number of samples that each of some models has for a question."""
        if self._columns is None:  # a recording in memory may only be replayed, which needs no columns
            return {m: max(len(by_model.get(m, ())) for by_model in self.by_question.values()) for m in models}
        from slmmux.recording._counted import counts_of  # noqa: PLC0415

        most = counts_of(self._columns).max(axis=0)
        return {model: int(most[self.models.index(model)]) for model in models}

    def in_bulk(self, planned: Mapping[str, int]) -> Iterator[tuple[str, Mapping[str, Sequence[Row]]]]:
        """Yield each question with the first k rows of each model, in the order of k by label."""
        if self._rows is None:
            from slmmux.recording._index import in_bulk  # noqa: PLC0415

            yield from in_bulk(self.columns, planned)
            return
        for question, by_model in self.by_question.items():
            yield question, {model: by_model.get(model, ())[:k] for model, k in planned.items()}

    def of_questions(self, questions: Collection[str]) -> "Recording":
        """Return the samples of some questions."""
        import numpy as np  # noqa: PLC0415

        of = self.columns.coded("question_id")
        chosen = set(questions)
        wanted = np.array([question in chosen for question in of.values])
        return self.samples_at(np.flatnonzero(wanted[of.codes]))

    def samples_at(self, positions: Any) -> "Recording":
        """Return the samples at some places of `rows`, an array of numbers; the settings stay."""
        return self._of_columns(self.columns.take(positions), self.settings)

    @property
    def columns(self) -> "Columns":
        """The samples column by column, which counts start from; outside this package use `arrays_of`."""
        if self._columns is None:
            from slmmux.recording._columns import Builder  # noqa: PLC0415 - numpy is slow to import

            self._columns = Builder.of_rows(self.rows)
        return self._columns

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every sample, in the order it was recorded."""
        if self._rows is None:
            self._rows = tuple(self.columns.rows())
        return self._rows

    @property
    def by_question(self) -> Mapping[str, Mapping[str, Sequence[Row]]]:
        """The samples by question and model, in the order of `sample_index`."""
        if self._by_question is None:
            from slmmux.recording._index import ByQuestion  # noqa: PLC0415

            self._by_question = ByQuestion(self.columns)
        return self._by_question

    @property
    def models(self) -> tuple[str, ...]:
        """The labels, in order of first appearance."""
        if self._models is None:
            self._models = tuple(self.columns.coded("model").values)
        return self._models

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that the samples were made with, as far as the file states them."""
        return self._settings

    @property
    def history(self) -> tuple[Row, ...]:
        """The failed samples that were requested again; they are in the file too, and count nowhere."""
        if not isinstance(self._history, tuple):
            self._history = tuple(self._history.rows())
        return self._history

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.columns.count if self._rows is None else len(self._rows)

    def __bool__(self) -> bool:
        return True  # also without samples, as a recording was before it had a length

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recording):
            return NotImplemented
        return (self.rows, self.settings, self.history) == (other.rows, other.settings, other.history)

    def __repr__(self) -> str:
        return f"<Recording of {len(self):,} samples: {len(self.questions):,} questions, {len(self.models)} models>"

    @property
    def questions(self) -> tuple[str, ...]:
        """The question ids, in order of first appearance."""
        return tuple(self.by_question)

    @property
    def fingerprint(self) -> str:
        """A hash of the samples' contents, the same for any order, any latency and any format: 16 hex digits."""
        content = hashlib.sha256()
        end = ""  # no line end after the last one
        for piece in self.columns.contents():
            content.update(f"{end}{piece[:-1]}".encode("utf-8", "backslashreplace"))
            end = "\n"
        return content.hexdigest()[:16]

    def save(self, path: str | PathLike[str]) -> None:
        """Write a `.jsonl`, `.jsonl.gz` or `.parquet` file: the settings and every sample. A file there is replaced.

        A name without an ending is a folder: the samples go into parts in it, `part-00000.parquet` and so on.

        Raises:
            RecordingError: The name has another ending.
            ArgumentError: The file is Parquet, and pyarrow is not installed.
            OSError: The file cannot be written; an existing file stays as it was.
        """
        path = Path(path)
        if is_parquet(path) or is_folder(path):
            from slmmux.recording._columns import Builder  # noqa: PLC0415 - numpy is slow to import
            from slmmux.recording._parts import write_parts  # noqa: PLC0415

            history = Builder.of_rows(self.history) if self.history else None
            write_parts(self.columns, history, self.settings, path)
            return
        is_gzip = is_packed(path)
        content = b"".join([head_line(self.settings), *map(row_line, (*self.history, *self.rows))])
        # Without mtime=0 the gzip header holds the time, and saving one recording twice gives two different files.
        write_whole(path, gzip.compress(content, mtime=0) if is_gzip else content)


def _refuse(twice: "Duplicate", columns: "Columns", place: Callable[[int], str]) -> NoReturn:
    import numpy as np  # noqa: PLC0415

    row = columns.rows(np.array([twice.second]), texts=False)[0]
    raise RecordingError(
        f"{place(twice.second)}: sample {row.sample_index} of {row.model!r} for question {row.question_id!r} "
        f"is already in {place(twice.first)}; give each sample of a model its own sample_index"
    ) from None


def _join(settings: dict[str, Any], more: Mapping[str, Any], file: Path) -> None:
    """Add a file's settings to the settings of earlier files; each model has its own entry under "models"."""
    earlier, added = _models(settings), _models(more)
    names = [name for name in {**settings, **more} if name not in {"models", PRICES}]
    pairs = [(name, settings.get(name), more.get(name)) for name in names]
    for label in [label for label in added if label in earlier]:
        names = [
            name for name in {**earlier[label], **added[label]} if not _is_of_task(name, earlier[label], added[label])
        ]
        pairs += [(f"models.{label}.{name}", earlier[label].get(name), added[label].get(name)) for name in names]
    for name, earlier_value, value in pairs if settings and more else ():
        if earlier_value != value:
            raise RecordingError(
                f"{file} was made with {name} {value!r}, the files before it with {earlier_value!r}; "
                "load together only files with the same settings, or read the answers again with `slmmux reread`"
            )
    prices = {**(settings.get(PRICES) or {}), **(more.get(PRICES) or {})}
    settings.update(more, **({PRICES: prices} if prices else {}))
    if earlier or added:
        settings["models"] = {
            label: {**earlier.get(label, {}), **added.get(label, {})} for label in {**earlier, **added}
        }


def _models(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    models = settings.get("models")
    if not isinstance(models, dict):
        return {}  # The settings of a file that another program wrote may be anything.
    return {label: entry for label, entry in models.items() if isinstance(entry, dict)}


def _is_of_task(name: str, earlier: Mapping[str, Any], added: Mapping[str, Any]) -> bool:
    """Return whether a setting belongs to a task that only one of the files has.

    The readers of other tools' logs keep a model's settings by task, and two logs may hold different tasks.
    """
    return (name in earlier) != (name in added) and isinstance(earlier.get(name, added.get(name)), dict)
