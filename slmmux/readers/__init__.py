"""Logs of other evaluation tools, read as a recording; answers are read in the texts by this package's extractors."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from slmmux import answers
from slmmux._decision.types import Answer
from slmmux._errors import ArgumentError, RecordingError
from slmmux.answers._reader import extractor_name
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

    The harness writes `<model>/samples_<task>_<date>.jsonl`, with a line for each document and filter. The sample index
    counts the repeats of a document, `question_id` is "<task>/<doc_id>", `gold` is the target as logged, and the
    question is the whole prompt. Tasks scored by log-likelihood have no texts and are refused.

    Args:
        paths: Such files, or folders, which are searched with their subfolders.
        model: The member's label. Without it, the name of the folder that holds the file.
        extract: The extractor that reads the answers in the texts, as for the mux. `None`: the answers are
            `filtered_resps` as logged, and "[invalid]" from one of the harness's filters means no answer.
        filter: With `extract=None`, the filter whose answers to use; needed if the log has several.

    Returns:
        One recording of all files. `settings["models"][model][task]` holds the generation settings of its texts.

    Raises:
        RecordingError: A file has another format, or no texts or samples; or a sample occurs in two files.
        ExtractorError: The extractor does not exist.
        ArgumentError: There are no paths, or a filter is given without `extract=None`.
        OSError: A file cannot be opened.

    Example:
        >>> import json, tempfile
        >>> request = {"gen_args_0": {"arg_0": "2 + 2 = ?", "arg_1": {"temperature": 0.5}}}
        >>> line = {"doc_id": 0, "target": "4", "arguments": request, "resps": [["It is \\boxed{4}.", "\\boxed{5}"]]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "qwen", "samples_sums_2026-01-01T00-00-00.jsonl")
        ...     path.parent.mkdir()
        ...     _ = path.write_text(json.dumps(line))
        ...     recording = read_lm_eval(folder)
        >>> [(row.model, row.question_id, row.sample_index, row.answer) for row in recording.rows]
        [('qwen', 'sums/0', 0, '4'), ('qwen', 'sums/0', 1, '5')]
    """
    if filter is not None and extract is not None:
        raise ArgumentError(f"filter={filter!r} chooses among the harness's own answers; write extract=None with it")
    foreign = (
        sample
        for file in _files(paths, _lm_eval.files, "samples_*.jsonl files")
        for sample in _lm_eval.samples(file, model, with_answers=extract is None, filter_name=filter)
    )
    return _recording(foreign, "lm-evaluation-harness", extract, {} if filter is None else {"filter": filter})


def read_inspect(*paths: str | PathLike[str], extract: Extract = "auto") -> Recording:
    r"""Read the samples in logs of Inspect (inspect_ai), `.eval` or `.json`.

    The sample index is the epoch, counted from 0; `question_id` is "<task>/<id>", `gold` is the target (a text, if
    there is only one), and the question is the input. The text is the message of the first choice, without its
    reasoning. A sample with an error, or refused without a text, is recorded as failed. Tokens and seconds belong to
    the call that gave the text or, if that is not logged, to the whole sample.

    New versions of Inspect pack `.eval` files with zstd, which Python can unpack from 3.14 on; for older Pythons,
    convert the files with `inspect log convert`.

    Args:
        paths: Logs, or folders, which are searched with their subfolders.
        extract: The extractor that reads the answers in the texts, as for the mux. `None`: the answers of the first
            scorer, as logged.

    Returns:
        One recording of all logs. `settings["models"][model][task]` holds the generation settings of its texts.

    Raises:
        RecordingError: A file has another format or no samples, or a sample occurs in two files.
        ExtractorError: The extractor does not exist.
        ArgumentError: There are no paths.
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
    foreign = (
        sample
        for file in _files(paths, _inspect_ai.files, ".eval or dated .json files")
        for sample in _inspect_ai.samples(file, with_answers=extract is None)
    )
    return _recording(foreign, "inspect_ai", extract, {})


def _files(paths: Sequence[str | PathLike[str]], files: Callable[[Path], Iterable[Path]], kind: str) -> Iterator[Path]:
    if not paths:
        raise ArgumentError("paths is empty; name at least one file or folder")
    for path in map(Path, paths):
        logs = list(files(path))
        if not logs:
            raise RecordingError(f"{path}: the folder has no {kind}; name the folder that has them, or the files")
        yield from logs


def _recording(samples: Iterable[Foreign], source: str, extract: Extract, settings: Mapping[str, Any]) -> Recording:
    reader = None if extract is None else answers.reader(extract)
    rows: list[Row] = []
    places: dict[tuple[str, str, int], str] = {}
    models: dict[str, dict[str | None, Any]] = {}
    for sample in samples:
        row = sample.row
        key = row.question_id, row.model, row.sample_index
        if key in places:
            raise RecordingError(
                f"{sample.place}: sample {row.sample_index} of {row.model!r} for question {row.question_id!r} is "
                f"already in {places[key]}; give one of the two files"
            )
        places[key] = sample.place
        row = replace(row, temperature=_number(sample.settings.get("temperature")))
        rows.append(row if reader is None else _with_answer(row, reader))
        models.setdefault(row.model, {}).setdefault(row.dataset, dict(sample.settings))
    name = None if extract is None else extractor_name(extract)
    return Recording.of(rows, {"source": source, "extract": name, **settings, "models": models})


def _with_answer(row: Row, reader: Callable[[str], Answer | None]) -> Row:
    answer = None if row.error is not None or row.text is None else reader(row.text)
    return row if answer is None else replace(row, answer=answer.value, kind=answer.kind, key=answer.key)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
