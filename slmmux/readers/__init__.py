"""The samples that others' tools recorded, as a recording: their files in, answers read as ours are."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from slmmux import answers
from slmmux._decision.types import Answer
from slmmux._errors import ArgumentError, RecordingError
from slmmux.answers._extractor import Extractor
from slmmux.readers import _inspect_ai, _lm_eval
from slmmux.readers._foreign import Foreign
from slmmux.recording import Recording
from slmmux.recording._row import Row

__all__ = ["read_inspect", "read_lm_eval"]

Extract: TypeAlias = str | Callable[[str], Any] | None


def read_lm_eval(
    *paths: str | PathLike[str],
    model: str | None = None,
    extract: Extract = "auto",
    filter: str | None = None,  # noqa: A002 - the harness's own word
) -> Recording:
    r"""Read the samples that lm-evaluation-harness logged with `--log_samples`.

    It writes `<model>/samples_<task>_<date>.jsonl`, a line for each document and filter. The sample index is that of a
    document's repeats, `question_id` is "<task>/<doc_id>", `gold` the target as logged, and the question the whole
    prompt. Tasks scored by log-likelihood hold no text and are refused.

    Args:
        paths: Such files, or folders: all of a folder and of those below it.
        model: The members' label. Without it, the name of the folder that a file is in.
        extract: How answers are read in the texts, as for the mux. `None`: `filtered_resps` are the answers, as they
            are; where the harness's filters put "[invalid]" there is none.
        filter: With `extract=None`, the filter whose answers they are; needed where there are several.

    Returns:
        One recording of all files. `settings["models"][model][task]` is what its texts were generated with.

    Raises:
        RecordingError: A file that is something else, without texts or without samples; a sample in two files.
        ExtractorError: No extractor has this name.
        ArgumentError: No paths, or a filter without `extract=None`.
        OSError: A file cannot be opened.

    Example:
        >>> import json, tempfile
        >>> asked = {"gen_args_0": {"arg_0": "2 + 2 = ?", "arg_1": {"temperature": 0.5}}}
        >>> line = {"doc_id": 0, "target": "4", "arguments": asked, "resps": [["It is \\boxed{4}.", "\\boxed{5}"]]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "qwen", "samples_sums_2026-01-01T00-00-00.jsonl")
        ...     path.parent.mkdir()
        ...     _ = path.write_text(json.dumps(line))
        ...     recording = read_lm_eval(folder)
        >>> [(row.model, row.question_id, row.sample_index, row.answer) for row in recording.rows]
        [('qwen', 'sums/0', 0, '4'), ('qwen', 'sums/0', 1, '5')]
    """
    if filter is not None and extract is not None:
        raise ArgumentError(f"filter={filter!r} says which of the harness's own answers to take; add extract=None")
    found = (
        sample
        for file in _files(paths, _lm_eval.files, "samples_*.jsonl files")
        for sample in _lm_eval.samples(file, model, answered=extract is None, chosen=filter)
    )
    return _recording(found, "lm-evaluation-harness", extract, {} if filter is None else {"filter": filter})


def read_inspect(*paths: str | PathLike[str], extract: Extract = "auto") -> Recording:
    r"""Read the samples in logs of Inspect (inspect_ai), `.eval` or `.json`.

    The sample index is the epoch, from 0; `question_id` is "<task>/<id>", `gold` the target, alone where there is one,
    and the question the input. The text is what the first choice's message says, without its reasoning. A sample with
    an error, or refused without a text, is recorded as failed. Tokens and time are those of the call that gave the
    text; where they are not logged, those of the whole sample.

    New versions of Inspect pack `.eval` files with zstd, which Python unpacks from 3.14 on; before that, convert them
    with `inspect log convert`.

    Args:
        paths: Logs, or folders: all of a folder and of those below it.
        extract: How answers are read in the texts, as for the mux. `None`: the first scorer's answers, as they are.

    Returns:
        One recording of all logs. `settings["models"][model][task]` is what its texts were generated with.

    Raises:
        RecordingError: A file that is something else, or without samples; a sample in two files.
        ExtractorError: No extractor has this name.
        ArgumentError: No paths.
        OSError: A file cannot be opened.

    Example:
        >>> import json, tempfile
        >>> output = {"choices": [{"message": {"role": "assistant", "content": "It is \\boxed{4}."}}]}
        >>> sample = {"id": 1, "epoch": 1, "input": "2 + 2 = ?", "target": "4", "output": output}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "2026-01-01T00-00-00_sums.json")
        ...     _ = path.write_text(json.dumps({"eval": {"task": "sums", "model": "qwen"}, "samples": [sample]}))
        ...     recording = read_inspect(folder)
        >>> [(row.model, row.question_id, row.sample_index, row.answer) for row in recording.rows]
        [('qwen', 'sums/1', 0, '4')]
    """
    found = (
        sample
        for file in _files(paths, _inspect_ai.files, ".eval or dated .json files")
        for sample in _inspect_ai.samples(file, answered=extract is None)
    )
    return _recording(found, "inspect_ai", extract, {})


def _files(
    paths: Sequence[str | PathLike[str]], files: Callable[[Path], Iterable[Path]], wanted: str
) -> Iterator[Path]:
    if not paths:
        raise ArgumentError("no paths; name at least one file or folder")
    for path in map(Path, paths):
        there = list(files(path))
        if not there:
            raise RecordingError(f"{path}: a folder without {wanted}; name the folder that has them, or the files")
        yield from there


def _recording(found: Iterable[Foreign], source: str, extract: Extract, more: Mapping[str, Any]) -> Recording:
    read = None if extract is None else answers.reader(extract)
    rows: list[Row] = []
    places: dict[tuple[str, str, int], str] = {}
    models: dict[str, dict[str | None, Any]] = {}
    for sample in found:
        row = sample.row
        key = row.question_id, row.model, row.sample_index
        if key in places:
            raise RecordingError(
                f"{sample.place}: sample {row.sample_index} of {row.model!r} for question {row.question_id!r} is "
                f"already in {places[key]}; give one of the two files"
            )
        places[key] = sample.place
        row = replace(row, temperature=_number(sample.drawn_with.get("temperature")))
        rows.append(row if read is None else _answered(row, read))
        models.setdefault(row.model, {}).setdefault(row.dataset, dict(sample.drawn_with))
    return Recording.of(rows, {"source": source, "extract": _name(extract), **more, "models": models})


def _answered(row: Row, read: Callable[[str], Answer | None]) -> Row:
    answer = None if row.error is not None or row.text is None else read(row.text)
    return row if answer is None else replace(row, answer=answer.value, kind=answer.kind, key=answer.key)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _name(extract: Extract) -> str | None:
    if extract is None or isinstance(extract, str):
        return extract
    return extract.name if isinstance(extract, Extractor) else "callable"
