"""The file that a profile writes: append-only, intact after a kill at any moment, and with one set of settings.

Each batch of lines is one write, so a kill can only leave a last line without its line feed. Before more is written,
such a line is completed if it is whole JSON, and cut away if it is not.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from pydantic_core import from_json

from slmmux._errors import RecordingError
from slmmux._files.lock import FileInUseError, FileLock
from slmmux._files.values import is_json
from slmmux.recording import Recording
from slmmux.recording._prices import PRICES
from slmmux.recording._row import Row, head_line, is_packed, row_line, row_of

__all__ = ["Journal", "changes_of"]

_TAIL_BYTES = 2**16
_MOST_NAMED = 5  # An error names this many changed settings; the rest are only counted.


class Journal:
    """A recording that is being written.

    Args:
        path: A new or an existing `.jsonl` file.
        settings: The settings of the samples. A new file gets them as its first line; an existing one must have them.

    Attributes:
        recording: The samples that the file held when it was opened.
        rows: The samples written since, as they are read back from the file.

    Raises:
        RecordingError: The file has other settings or none, another process is writing it, or it cannot be read.
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        if is_packed(path):
            raise RecordingError(f"{path}: a .gz file cannot be continued; write a .jsonl file and pack it afterwards")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows: list[Row] = []
        settings = from_json(head_line(settings))["settings"]  # as read back from the file: tuples become lists
        self._file: BinaryIO = path.open("ab")
        self._lock: FileLock | None = None
        try:
            self._lock = _lock(self._file, path)
            self.recording = Recording.load(path)  # before any change: it may be a file of another kind
            end, complete = _last_line(path)
            if end or complete:
                _check(path, self.recording.settings, settings)
            _finish_last_line(path, end, complete=complete)
            if path.stat().st_size == 0:
                self._append(head_line(settings))
                self.recording = Recording.of((), settings)
        except BaseException:
            self._file.close()
            if self._lock is not None:
                self._lock.release()
            raise

    def write(self, rows: Iterable[Row]) -> None:
        """Append samples. When this returns the operating system has them, so they survive a kill of this process."""
        lines = list(map(row_line, rows))
        self._append(b"".join(lines))
        self.rows += [row_of(line, "a new row") for line in lines]

    def _append(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._file:
                os.fsync(self._file.fileno())  # Only a power cut needs this, so it is done once and not for each write.
        finally:
            if self._lock is not None:
                self._lock.release()


def _lock(file: BinaryIO, path: Path) -> FileLock:
    """Refuse a second writer."""
    try:
        return FileLock(file, path)
    except FileInUseError as error:
        raise RecordingError(f"{path} is being written by {error}; wait for it, or write to another file") from error


def _last_line(path: Path) -> tuple[int, bool]:
    """Return the offset of a file's last line, if it lacks its line feed, and whether it is complete JSON.

    Only the end of the file is read: the rows were read once already, and may be millions.
    """
    with path.open("rb") as file:
        size = end = file.seek(0, os.SEEK_END)
        tail = b""
        while end and b"\n" not in tail:
            start = max(0, end - _TAIL_BYTES)
            file.seek(start)
            tail, end = file.read(end - start), start
        line_start = end + tail.rfind(b"\n") + 1
        file.seek(line_start)
        last = file.read(size - line_start)
    return line_start, is_json(last)


def _finish_last_line(path: Path, end: int, *, complete: bool) -> None:
    """Append the missing line feed to a complete last line, and cut away an incomplete one."""
    if complete:
        with path.open("ab") as file:
            file.write(b"\n")
    else:
        os.truncate(path, end)


def _check(path: Path, earlier: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    if not earlier:
        raise RecordingError(
            f"{path} does not state the settings of its samples, so it cannot be continued; write to a new file"
        )
    if changes := list(changes_of({**earlier, PRICES: None}, {**settings, PRICES: None})):
        rest = f" and {len(changes) - _MOST_NAMED} more" if len(changes) > _MOST_NAMED else ""
        raise RecordingError(
            f"{path} was recorded with other settings: {'; '.join(changes[:_MOST_NAMED])}{rest}; "
            "set them back, or write to a new file"
        )


def changes_of(earlier: Any, current: Any, name: str = "") -> Iterable[str]:
    """Yield each setting that is another one, with its old and new value."""
    if isinstance(earlier, dict) and isinstance(current, dict):
        for key in {**earlier, **current}:
            yield from changes_of(earlier.get(key), current.get(key), f"{name}.{key}" if name else str(key))
    elif earlier != current:
        yield f"{name} was {earlier!r} and is {current!r}"
