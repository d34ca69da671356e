"""Samples kept on disk: a recording is JSON lines, one sample a line.

Nothing here calls a model, decides, or reads `gold`.
"""

import gzip
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from slmmux._errors import RecordingError
from slmmux._files.write import write_whole
from slmmux.answers._no_answer import NoAnswers
from slmmux.recording._prices import PRICES
from slmmux.recording._row import Row, answer_of, head_line, is_packed, is_retry, lines, row_line

__all__ = ["Recording", "Row"]


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded samples; `Recording.load(path)` and `Recording.of(rows)` make one.

    Attributes:
        rows: Every sample, in the order it was recorded.
        by_question: The samples by question and model, in the order of `sample_index`.
        models: The labels, in order of first appearance.
        settings: The settings that the samples were made with, as far as the file states them.
        history: The failed samples that were requested again; they are in the file too, and count nowhere.

    Example:
        >>> recording = Recording.of(
        ...     Row(question_id="q1", model=model, sample_index=i, answer=answer)
        ...     for model, answers in {"qwen": ["4", "4"], "phi": ["5", "4"]}.items()
        ...     for i, answer in enumerate(answers)
        ... )
        >>> recording.models, recording.questions
        (('qwen', 'phi'), ('q1',))
    """

    rows: tuple[Row, ...]
    by_question: Mapping[str, Mapping[str, Sequence[Row]]]
    models: tuple[str, ...]
    settings: Mapping[str, Any]
    history: tuple[Row, ...] = ()

    @classmethod
    def load(cls, path: str | PathLike[str], *more: str | PathLike[str]) -> "Recording":
        """Read a `.jsonl` or `.jsonl.gz` file, or several as one recording.

        If the last line was cut off while it was written, it is dropped with a warning.

        Raises:
            RecordingError: A line cannot be read as a sample, a sample occurs twice, a file has another format, or the
                files' samples were made with different settings.
            OSError: A file cannot be opened.
        """
        settings: dict[str, Any] = {}
        placed_rows: list[tuple[str, Row]] = []
        for file in map(Path, (path, *more)):
            file_settings: dict[str, Any] = {}
            placed_rows += ((f"{file} line {number}", row) for number, row in lines(file, file_settings))
            _join(settings, file_settings, file)
        return cls._build(placed_rows, settings)

    @classmethod
    def of(cls, rows: Iterable[Row], settings: Mapping[str, Any] | None = None) -> "Recording":
        """Make a recording from rows in memory.

        Raises:
            RecordingError: A sample occurs twice.
        """
        return cls._build(((f"row {i}", row) for i, row in enumerate(rows)), settings or {})

    @classmethod
    def _build(cls, placed_rows: Iterable[tuple[str, Row]], settings: Mapping[str, Any]) -> "Recording":
        latest: dict[tuple[str, str, int], tuple[str, Row]] = {}
        history: list[Row] = []
        for place, row in placed_rows:
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
        return cls(rows, ordered, tuple(dict.fromkeys(row.model for row in rows)), settings, tuple(history))

    def continued(self, rows: Iterable[Row]) -> "Recording":
        """Return the recording with further rows, as if they had been appended to its file.

        Raises:
            RecordingError: A sample occurs twice.
        """
        longer = self.of((*self.rows, *rows), self.settings)
        return replace(longer, history=(*self.history, *longer.history))

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
        rows = [replace(row, answer=None) if no_answers.holds(answer_of(row)) else row for row in self.rows]
        return replace(self.of(rows, self.settings), history=self.history)

    @property
    def questions(self) -> tuple[str, ...]:
        """The question ids, in order of first appearance."""
        return tuple(self.by_question)

    @property
    def fingerprint(self) -> str:
        """A hash of the samples' contents, the same for any order and any latency: 16 hex digits."""
        contents = sorted(
            repr((r.question_id, r.model, r.sample_index, r.answer, r.kind, r.key, r.gold, r.error is None))
            for r in self.rows
        )
        return hashlib.sha256("\n".join(contents).encode("utf-8", "backslashreplace")).hexdigest()[:16]

    def save(self, path: str | PathLike[str]) -> None:
        """Write a `.jsonl` or `.jsonl.gz` file: the settings, then every sample. An existing file is replaced.

        Raises:
            RecordingError: The name has another ending.
            OSError: The file cannot be written; an existing file stays as it was.
        """
        path = Path(path)
        is_gzip = is_packed(path)
        content = b"".join([head_line(self.settings), *map(row_line, (*self.history, *self.rows))])
        # Without mtime=0 the gzip header holds the time, and saving one recording twice gives two different files.
        write_whole(path, gzip.compress(content, mtime=0) if is_gzip else content)


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
