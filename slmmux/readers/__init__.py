"""Files of other tools, read as a recording; answers are read in the texts by this package's extractors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path

from slmmux._errors import ArgumentError
from slmmux._files.fields import checked_map
from slmmux.answers import reader
from slmmux.readers import _batch, _collect, _helm, _inspect_ai, _lighteval, _lm_eval, _promptfoo, _table
from slmmux.readers._foreign import Foreign, Request
from slmmux.readers._forms import FORMS, files_of
from slmmux.readers._gather import Extract, gathered
from slmmux.readers._question_file import with_questions
from slmmux.recording import Recording

__all__ = ["FORMS", "read", "read_inspect", "read_lm_eval"]

_SAMPLES: Mapping[str, Callable[[Sequence[Path], Request], Iterator[Foreign]]] = {
    "lm-eval": _lm_eval.samples,
    "inspect": _inspect_ai.samples,
    "batch": _batch.samples,
    "helm": _helm.samples,
    "promptfoo": _promptfoo.samples,
    "lighteval": _lighteval.samples,
    "slm-mux": _collect.samples,
    "table": _table.samples,
}
_SOURCES = {"lm-eval": "lm-evaluation-harness", "inspect": "inspect_ai"}  # names in recordings, older than the forms'
_OWN_ANSWERS = ("lm-eval", "inspect", "slm-mux", "table")  # forms that hold the tool's own reading of a reply


def read(
    *paths: str | PathLike[str],
    source: str | None = None,
    model: str | None = None,
    map: Mapping[str, str | Sequence[str]] | None = None,  # noqa: A002 - the option's name
    filter: str | None = None,  # noqa: A002 - the harness's own word
    questions: str | PathLike[str] | None = None,
    extract: Extract = "auto",
) -> Recording:
    r"""Read samples that another tool wrote, in any of the forms below.

    | source | files |
    |---|---|
    | `lm-eval` | lm-evaluation-harness, of every version |
    | `inspect` | logs of Inspect, `.eval` or `.json` |
    | `batch` | results of OpenAI's batches and of vLLM's `run_batch`; with the requests, the questions |
    | `helm` | HELM's `scenario_state.json` |
    | `promptfoo` | promptfoo's output, JSON or JSON Lines |
    | `lighteval` | lighteval's details, Parquet |
    | `slm-mux` | what the paper's `slm-mux collect` wrote |
    | `table` | any JSON Lines, CSV or Parquet file with a question and a reply in each row |

    A gold answer that is a list holds accepted answers. A number where the question shows options is an option's place,
    and becomes its letter. The other tool's verdict on a sample is its `score`.

    Args:
        paths: Files, or folders, which are searched with their subfolders.
        source: The form of the files; `None` finds it out.
        model: The member's label. Without it, what the file says, else the name of its folder or of the file.
        map: For a table, the field of each part: `{"question": "prompt", "answer": "output", "gold": "target"}`. Dots
            lead into objects and lists. The reply may have several fields, one a sample. Fields not named are found by
            their usual names.
        filter: For lm-eval, the filter whose verdicts count and, with `extract=None`, whose answers.
        questions: A table of questions with their ids, for files without gold answers, such as the results of batches.
        extract: The extractor that reads the answers in the texts, as for the mux; `None` keeps the tool's own answers.

    Returns:
        One recording of all files.

    Raises:
        RecordingError: A file has another form, or no texts or samples; or two files hold the same samples.
        ExtractorError: The extractor does not exist.
        ArgumentError: There are no paths, an option does not fit the form, or a package is not installed.
        OSError: A file cannot be opened.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "qwen.csv")
        >>> _ = file.write_text("prompt,output,target\n2 + 2?,The answer is 4.,4\n2 + 2?,5,4\n")
        >>> recording = read(file, map={"question": "prompt", "answer": "output", "gold": "target"})
        >>> [(row.model, row.sample_index, row.answer, row.gold) for row in recording.rows]
        [('qwen', 0, '4', '4'), ('qwen', 1, '5', '4')]
    """
    if extract is not None:
        reader(extract)  # A name that does not exist is reported before a file is read.
    logs = files_of(paths, "table" if map is not None and source is None else source)
    if map is not None and logs.form != "table":
        raise ArgumentError(f"map names the fields of a table, and these files are {logs.form}; leave it out")
    if filter is not None and logs.form != "lm-eval":
        raise ArgumentError(f"filter names a filter of lm-eval, and these files are {logs.form}; leave it out")
    if extract is None and logs.form not in _OWN_ANSWERS:
        raise ArgumentError(f"{logs.form} files have no answers but the texts; write an extractor's name as extract")
    request = Request(
        model=model,
        with_answers=extract is None,
        filter=filter,
        fields=None if map is None else checked_map(map),
        folder=logs.folder,
    )
    settings = {} if filter is None else {"filter": filter}
    source = _SOURCES.get(logs.form, logs.form)
    recording = gathered(_SAMPLES[logs.form](logs.files, request), source, extract, settings)
    return recording if questions is None else with_questions(recording, questions)


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
        filter: The filter whose verdicts count and, with `extract=None`, whose answers; needed then if the log has
            several.

    Returns:
        One recording of all files. `settings["models"][model][task]` holds the generation settings of its texts.

    Raises:
        RecordingError: A file has another format, or no texts or samples; or two files hold the same samples.
        ExtractorError: The extractor does not exist.
        ArgumentError: There are no paths.
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
    return read(*paths, source="lm-eval", model=model, filter=filter, extract=extract)


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
        RecordingError: A file has another format or no samples, or two files hold the same samples.
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
    return read(*paths, source="inspect", extract=extract)
