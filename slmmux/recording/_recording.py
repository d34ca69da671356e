"""Samples kept on disk: a recording is JSON lines, one sample a line.

Nothing here calls a model, decides, or reads `gold`.
"""

import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from slmmux._errors import RecordingError
from slmmux.recording._row import Row, head_line, is_packed, lines, row_line

__all__ = ["Recording", "Row"]


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded samples, made by `Recording.load(path)` or `Recording.of(rows)`.

    Attributes:
        rows: Every sample, in the order recorded.
        by_question: Samples by question and model, in sample_index order.
        models: The labels, in order of first appearance.
        settings: What the samples were made with, as far as the file says.

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

    @classmethod
    def load(cls, path: str | PathLike[str], *more: str | PathLike[str]) -> "Recording":
        """Read a `.jsonl` or `.jsonl.gz` file, or several as one: a pool need not be recorded in one go.

        A last line that was cut off while it was written is dropped with a warning.

        Raises:
            RecordingError: A line that is no sample, a sample recorded twice, a file that is no recording, or files
                whose samples were not made alike.
            OSError: A file cannot be opened.
        """
        settings: dict[str, Any] = {}
        placed: list[tuple[str, Row]] = []
        for file in map(Path, (path, *more)):
            own: dict[str, Any] = {}
            placed += ((f"{file} line {number}", row) for number, row in lines(file, own))
            _join(settings, own, file)
        return cls._build(placed, settings)

    @classmethod
    def of(cls, rows: Iterable[Row], settings: Mapping[str, Any] | None = None) -> "Recording":
        """Make a recording of rows already in memory.

        Raises:
            RecordingError: A sample occurs twice.
        """
        return cls._build(((f"row {i}", row) for i, row in enumerate(rows)), settings or {})

    @classmethod
    def _build(cls, placed: Iterable[tuple[str, Row]], settings: Mapping[str, Any]) -> "Recording":
        rows: list[Row] = []
        models: dict[str, None] = {}
        index: dict[str, dict[str, dict[int, tuple[str, Row]]]] = {}
        for place, row in placed:
            samples = index.setdefault(row.question_id, {}).setdefault(row.model, {})
            before = samples.setdefault(row.sample_index, (place, row))
            if before[0] != place:
                raise RecordingError(
                    f"{place}: sample {row.sample_index} of {row.model!r} for question {row.question_id!r} "
                    f"is already in {before[0]}; give each sample of a model its own sample_index"
                )
            rows.append(row)
            models[row.model] = None
        ordered = {
            question: {model: tuple(samples[i][1] for i in sorted(samples)) for model, samples in by_model.items()}
            for question, by_model in index.items()
        }
        return cls(tuple(rows), ordered, tuple(models), settings)

    @property
    def questions(self) -> tuple[str, ...]:
        """The question ids, in order of first appearance."""
        return tuple(self.by_question)

    @property
    def fingerprint(self) -> str:
        """What tells these samples from others, whatever their order and however long they took: 16 hex digits."""
        told = sorted(
            repr((r.question_id, r.model, r.sample_index, r.answer, r.kind, r.key, r.gold, r.error is None))
            for r in self.rows
        )
        return hashlib.sha256("\n".join(told).encode("utf-8", "backslashreplace")).hexdigest()[:16]

    def save(self, path: str | PathLike[str]) -> None:
        """Write a `.jsonl` or `.jsonl.gz` file: the settings, then every sample; a file that is there is replaced.

        Raises:
            RecordingError: The name ends otherwise.
            OSError: The file cannot be written; what was there before is kept.
        """
        path = Path(path)
        packed = is_packed(path)
        whole = b"".join([head_line(self.settings), *map(row_line, self.rows)])
        beside = path.with_name(f".{path.name}.part")
        # The time in a gzip header would make two files of one recording.
        beside.write_bytes(gzip.compress(whole, mtime=0) if packed else whole)
        beside.replace(path)


def _join(settings: dict[str, Any], more: Mapping[str, Any], file: Path) -> None:
    """Add a file's settings to those of the files before it; each model has its own below "models"."""
    before, own = _models(settings), _models(more)
    pairs = [(name, settings.get(name), more.get(name)) for name in {**settings, **more} if name != "models"]
    for label in [label for label in own if label in before]:
        names = [name for name in {**before[label], **own[label]} if not _by_task(name, before[label], own[label])]
        pairs += [(f"models.{label}.{name}", before[label].get(name), own[label].get(name)) for name in names]
    for name, found, wanted in pairs if settings and more else ():
        if found != wanted:
            raise RecordingError(
                f"{file} was made with {name} {wanted!r}, the files before it with {found!r}; "
                "load together only what was made alike, or read it anew with `slmmux reread`"
            )
    settings.update(more)
    if before or own:
        settings["models"] = {label: {**before.get(label, {}), **own.get(label, {})} for label in {**before, **own}}


def _models(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    models = settings.get("models")
    if not isinstance(models, dict):
        return {}  # another writer's may be anything
    return {label: each for label, each in models.items() if isinstance(each, dict)}


def _by_task(name: str, before: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Return whether a setting is a task's own and only one file has the task, as others' tools keep them."""
    return (name in before) != (name in own) and isinstance(before.get(name, own.get(name)), dict)
