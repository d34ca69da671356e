"""Samples of several files as one recording: numbered, compared with the earlier ones, and read by an extractor."""

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from slmmux import answers
from slmmux._errors import RecordingError
from slmmux.answers._reader import Reader, extractor_name
from slmmux.readers._foreign import Foreign
from slmmux.recording import Recording
from slmmux.recording._gold import accepted
from slmmux.recording._row import Row

__all__ = ["Extract", "gathered"]

Extract: TypeAlias = str | Callable[[str], Any] | None


def gathered(samples: Iterable[Foreign], source: str, extract: Extract, settings: Mapping[str, Any]) -> Recording:
    """Return the recording of the samples of one tool's files.

    The samples of a question and model are numbered from 0 through all files, so that a second run adds samples.

    Args:
        samples: The samples, file by file.
        source: The tool.
        extract: The extractor that reads the answers; `None` keeps the tool's own.
        settings: Further settings for the recording.

    Raises:
        RecordingError: Two files hold the same samples, or a question has two texts or two gold answers.
    """
    reader_of = None if extract is None else partial(answers.reader, extract)
    rows: list[Row] = []
    models: dict[str, dict[str, Any]] = {}
    notes: Counter[str] = Counter()
    golds: dict[str, tuple[list[Any], str]] = {}
    for sample, index in _numbered(samples, source, golds):
        # One copy for both: copying is most of the time that a large file takes.
        row = replace(
            sample.row,
            sample_index=index,
            temperature=_number(sample.settings.get("temperature")),
            cut_off=True if sample.cut_off else None,
        )
        rows.append(row if reader_of is None else _with_answer(row, reader_of))
        of_model = models.setdefault(row.model, {})
        if row.dataset is None:
            of_model.update({name: of_model.get(name, value) for name, value in sample.settings.items()})
        else:
            of_model.setdefault(row.dataset, dict(sample.settings))
        if sample.note is not None:
            notes[sample.note] += 1
    for note, count in notes.items():
        warnings.warn(f"{count:,} samples: {note}", stacklevel=3)
    several = {question: accepted(spellings) for question, (spellings, _) in golds.items() if len(spellings) > 1}
    rows = [
        replace(row, gold=several[row.question_id]) if row.gold is not None and row.question_id in several else row
        for row in rows
    ]
    name = None if extract is None else extractor_name(extract)
    return Recording.of(rows, {"source": source, "extract": name, **settings, "models": models})


def _numbered(
    samples: Iterable[Foreign], source: str, golds: dict[str, tuple[list[Any], str]]
) -> Iterator[tuple[Foreign, int]]:
    """Yield the samples with their final indices, and put each question's gold answers into `golds`."""
    counts: Counter[tuple[str, str]] = Counter()
    contents: dict[tuple[str, str], Path] = {}
    texts: dict[tuple[str, str], Foreign] = {}
    for file, group in groupby(samples, lambda sample: sample.file):
        in_file = list(group)
        _refuse_copies(file, in_file, contents)
        for sample in in_file:
            _refuse_other_question(sample, texts, golds, in_one_file=source != "inspect_ai")
        yield from zip(in_file, _indices(in_file, counts), strict=True)


def _indices(in_file: Sequence[Foreign], counts: Counter[tuple[str, str]]) -> list[int]:
    """Return each sample's index, from the count of earlier files on; gaps in a file's own indices are closed."""
    order = sorted(range(len(in_file)), key=lambda i: in_file[i].row.sample_index)
    indices = [0] * len(in_file)
    for i in order:
        row = in_file[i].row
        indices[i] = counts[row.question_id, row.model]
        counts[row.question_id, row.model] += 1
    return indices


def _refuse_copies(file: Path, in_file: Sequence[Foreign], contents: dict[tuple[str, str], Path]) -> None:
    """Refuse a file whose samples another file holds: counted twice, a copy would look like steady agreement."""
    for model in dict.fromkeys(sample.row.model for sample in in_file):
        rows = [sample.row for sample in in_file if sample.row.model == model]
        parts = sorted(repr((row.question_id, row.sample_index, row.text, row.answer, row.error)) for row in rows)
        content = hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()
        earlier = contents.setdefault((model, content), file)
        if earlier is not file:
            raise RecordingError(
                f"{file}: the samples of {model!r} are those of {earlier} again, so it is a copy or a run without "
                "sampling; give one of the two files"
            )


def _refuse_other_question(
    sample: Foreign,
    texts: dict[tuple[str, str], Foreign],
    golds: dict[str, tuple[list[Any], str]],
    *,
    in_one_file: bool,
) -> None:
    """Refuse samples of two questions under one id.

    Args:
        sample: The next sample.
        texts: The first sample of each question and model.
        golds: The accepted answers of each question, and the place of the first.
        in_one_file: Whether the texts are compared within a file too; Inspect's solvers may change an epoch's input.
    """
    row = sample.row
    first = texts.setdefault((row.question_id, row.model), sample)
    if (
        row.question != first.row.question
        and None not in (row.question, first.row.question)
        and (in_one_file or first.file != sample.file)
    ):
        raise RecordingError(
            f"{sample.place}: question {row.question_id!r} of {row.model!r} has another text than in {first.place}; "
            "give runs of the same prompts, or name the field that tells the questions apart with question_id"
        )
    if row.gold is None:
        return
    spellings, place = golds.setdefault(row.question_id, (_items(row.gold), sample.place))
    if spellings in (row.gold, [row.gold]):
        return
    plain = {*map(_plain, spellings)}
    if not plain & {*map(_plain, _items(row.gold))}:
        raise RecordingError(
            f"{sample.place}: question {row.question_id!r} has the gold answer {row.gold!r}, and "
            f"{accepted(spellings)!r} in {place}; name the field that tells the questions apart with question_id"
        )
    # Files may accept more or fewer spellings of one answer; what one of them accepts, all do.
    spellings += [gold for gold in _items(row.gold) if _plain(gold) not in plain]


def _items(gold: Any) -> list[Any]:
    return list(gold) if isinstance(gold, list) else [gold]


def _plain(gold: Any) -> str:
    return json.dumps(gold, sort_keys=True) if isinstance(gold, list | dict) else str(gold).strip()


def _with_answer(row: Row, reader_of: Callable[..., Reader]) -> Row:
    # With the question, as in a live mux and in `reread`: its options bound a choice, and its words are no answer.
    if row.error is not None or row.text is None:
        return row
    answer = reader_of(question=row.question or "")(row.text, cut_off=bool(row.cut_off))
    return row if answer is None else replace(row, answer=answer.value, kind=answer.kind, key=answer.key)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
