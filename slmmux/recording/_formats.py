"""The forms that a recording has on disk: JSON lines, Parquet, or a folder of parts, told apart by their names."""

from pathlib import Path

from pydantic_core import from_json

from slmmux._errors import RecordingError
from slmmux._files.read import lines
from slmmux.recording._row import REQUIRED, is_first_line

__all__ = ["ENDINGS", "files_of", "is_folder", "is_parquet", "is_recording"]

ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, by its name."""
    return path.name.endswith(".parquet")


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder of parts: one that is there, or a name without an ending."""
    return path.is_dir() or not path.suffix


def files_of(path: Path) -> list[Path]:
    """Return the file itself, or the parts in a folder by name; parts that are still being written do not count.

    Raises:
        RecordingError: The folder has no part of a recording.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.name.endswith(ENDINGS) and not file.name.startswith("."))
    if not files:
        raise RecordingError(f"{path}: the folder has no .parquet, .jsonl or .jsonl.gz file; name a recording")
    return files


def is_recording(path: Path) -> bool:
    """Return whether a file, or each file of a folder, is a recording of this package, by its first row.

    Raises:
        OSError: A file cannot be opened.
    """
    if path.is_dir():
        files = [*path.iterdir()]
        return bool(files) and all(file.is_file() and is_recording(file) for file in files)
    if is_parquet(path):
        from slmmux.recording._parquet import column_names  # noqa: PLC0415 - an extra

        return column_names(path) >= {*REQUIRED}
    if not path.name.endswith(ENDINGS):
        return False
    for _, line in lines(path):
        try:
            row = from_json(line)
        except ValueError:
            return False
        return is_first_line(line) or (isinstance(row, dict) and row.keys() >= {*REQUIRED})
    return False
