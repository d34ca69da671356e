"""Which tool's form a file has, found in its name and its first megabyte; and the files of a form in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from slmmux._errors import ArgumentError, RecordingError
from slmmux._files.read import first_bytes, unpacked_name
from slmmux._files.table import kind_of

__all__ = ["FORMS", "Logs", "files_of"]

FORMS = ("lm-eval", "inspect", "batch", "helm", "promptfoo", "lighteval", "slm-mux", "table")


@dataclass(frozen=True, slots=True)
class Logs:
    """The files to read.

    Attributes:
        form: One of `FORMS`.
        files: The files, each once.
        folder: Whether some were found in a folder.
    """

    form: str
    files: Sequence[Path]
    folder: bool


def files_of(paths: Sequence[str | PathLike[str]], form: str | None) -> Logs:
    """Return the files of one form among paths.

    Args:
        paths: Files, or folders, which are searched with their subfolders.
        form: The form; `None` finds it out.

    Raises:
        ArgumentError: There are no paths, or the form does not exist.
        RecordingError: A folder has no such files, the files have several forms, or a file is given twice.
        OSError: A file cannot be opened.
    """
    if not paths:
        raise ArgumentError("paths is empty; name at least one file or folder")
    if form is not None and form not in FORMS:
        raise ArgumentError(f"source {form!r} does not exist; choose one of {', '.join(map(repr, FORMS))}")
    by_form: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        if path.is_dir():
            for name, files in _in_folder(path, form).items():
                by_form.setdefault(name, []).extend(files)
        else:
            by_form.setdefault(form or _form_of(path) or "table", []).append(path)
    if len(by_form) > 1:
        examples = "; ".join(f"{name}, such as {files[0]}" for name, files in by_form.items())
        raise RecordingError(f"the files have several forms ({examples}); convert each form by itself, with its name")
    ((name, files),) = by_form.items()
    earlier: set[Path] = set()
    for file in files:
        if file.resolve() in earlier:
            raise RecordingError(f"{file}: the file is given twice; give it once")
        earlier.add(file.resolve())
    return Logs(name, files, any(Path(path).is_dir() for path in paths))


def _in_folder(folder: Path, form: str | None) -> dict[str, list[Path]]:
    by_form: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        name = _form_of(path) if path.is_file() else None
        if name is not None and (form is None or name == form):
            by_form.setdefault(name, []).append(path)
    # A table has no signs of its own: beside the files of a tool it is something else, such as a list of results.
    if len(by_form) > 1:
        by_form.pop("table", None)
    if not by_form:
        raise RecordingError(
            f"{folder}: the folder has no files of {form or 'the forms that are read: ' + ', '.join(FORMS)}; "
            "name the folder that has them, or the files"
        )
    return by_form


def _form_of(path: Path) -> str | None:
    """Return the form of a file; "table" if it may be one, `None` if it is in no form that is read."""
    if path.suffix == ".eval":
        return "inspect"
    match kind_of(path):
        case "csv":
            return "table"
        case "parquet":
            return "lighteval" if _is_lighteval(path) else "table"
        case "json":
            return _json_form(_first_value(path), path)
        case _:
            return None


def _first_value(path: Path) -> Any:
    """Return the part of a file's first value that is in the first megabyte; if it is a list, its first item."""
    data = first_bytes(path)
    first = data.lstrip().split(b"\n", 1)[0]
    for piece in (first, data):  # the first line may be all of a value, or the beginning of one
        try:
            value = from_json(piece, allow_partial=piece is data)
        except ValueError:
            continue
        return value[0] if isinstance(value, list) and value else value
    return None


def _json_form(value: Any, path: Path) -> str | None:
    if not isinstance(value, dict):
        return None
    form: str | None = None
    names = value.keys()
    if {"doc_id", "resps"} <= names or {"prompt_0", "logit_0"} <= names or isinstance(value.get("samples"), dict):
        form = "lm-eval"
    elif "request_states" in names or ("adapter_spec" in names and path.name.startswith("scenario_state")):
        form = "helm"
    elif isinstance(value.get("eval"), dict) and {"task", "model"} <= value["eval"].keys():
        form = "inspect"
    elif "custom_id" in names and names & {"response", "error", "body", "result"}:
        form = "batch"
    elif {"promptIdx", "testIdx"} & names or _is_promptfoo(value):
        form = "promptfoo"
    elif any(_has_samples(value.get(name)) for name in ("responses", "results")):
        form = "slm-mux"
    elif not _is_something_else(value, path):
        form = "table"
    return form


def _is_promptfoo(value: dict[str, Any]) -> bool:
    if "evalId" in value:
        return True
    evals = value.get("evals")
    if isinstance(evals, list) and evals and isinstance(evals[0], dict):
        return _is_promptfoo(evals[0])
    results = value.get("results")
    if isinstance(results, dict):
        return "version" in results or isinstance(results.get("results"), list)
    return (
        isinstance(results, list)
        and bool(results)
        and isinstance(results[0], dict)
        and {"provider", "vars"} <= results[0].keys()
    )


def _has_samples(responses: Any) -> bool:
    return (
        isinstance(responses, list)
        and bool(responses)
        and isinstance(responses[0], dict)
        and ("samples" in responses[0] or {"question", "problem", "prompt"} & responses[0].keys() != set())
    )


def _is_something_else(value: dict[str, Any], path: Path) -> bool:
    """Return whether a file is one that tools write beside their samples: means, lists of logs, settings."""
    tables = [v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    scalars = [v for v in value.values() if isinstance(v, str | int | float)]
    is_document = unpacked_name(path).lower().endswith(".json")
    return is_document and not tables and (path.name.startswith(("results_", "results.")) or not scalars)


def _is_lighteval(path: Path) -> bool:
    if path.name.startswith("details_"):
        return True
    try:
        from pyarrow.parquet import read_schema  # noqa: PLC0415 - an extra
    except ImportError:
        return False  # The reader of tables names the extra.
    try:
        names = set(read_schema(path).names)
    except Exception:  # noqa: BLE001 - whatever is wrong with the file is the reader's to say
        return False
    return (
        {"doc", "model_response"} <= names
        or {"__doc__", "__model_response__"} <= names
        or ({"full_prompt", "predictions"} <= names)
    )
