"""The file a profile writes: append-only, whole after a kill at any moment, and never of two minds.

Every line is one write. What a kill can leave is a last line without its end; it is cut away before more is written.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from pydantic_core import from_json

from slmmux._errors import RecordingError
from slmmux.recording import Recording
from slmmux.recording._row import Row, head_line, is_packed, row_line

__all__ = ["Journal"]

_MOST_NAMED = 5  # changed settings an error names


class Journal:
    """A recording that is being written.

    Args:
        path: A `.jsonl` file, there already or not.
        settings: What the samples are made with: written into the first line, or compared with it.

    Attributes:
        recording: What the file held when it was opened.

    Raises:
        RecordingError: It was made with other settings, or without any; it is being written by somebody else; it
            cannot be read.
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        if is_packed(path):
            raise RecordingError(f"{path}: a packed file cannot be appended to; write a .jsonl and pack it afterwards")
        path.parent.mkdir(parents=True, exist_ok=True)
        settings = from_json(head_line(settings))["settings"]  # as the file will say it: tuples are lists there
        self._file: BinaryIO = path.open("ab")
        try:
            _lock(self._file, path)
            self.recording = Recording.load(path)  # before anything is touched: it may be somebody else's file
            end, whole = _last_line(path)
            if end or whole:
                _check(path, self.recording.settings, settings)
            _mend(path, end, whole=whole)
            if path.stat().st_size == 0:
                self._put(head_line(settings))
                self.recording = Recording.of((), settings)
        except BaseException:
            self._file.close()
            raise

    def write(self, rows: Iterable[Row]) -> None:
        """Append samples; they are with the operating system when this returns, and outlive a kill of this process."""
        self._put(b"".join(map(row_line, rows)))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            os.fsync(self._file.fileno())  # once, for a power cut; a kill loses nothing that was written


def _lock(file: BinaryIO, path: Path) -> None:
    """Refuse a second writer; the lock goes with the process, however it ends."""
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:  # Windows: two writers there are told by the samples they record twice
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RecordingError(
            f"{path} is being written by another process; wait for it, or write to another file"
        ) from error


def _last_line(path: Path) -> tuple[int, bool]:
    """Return where a file's last line without an end begins, and whether that is whole all the same."""
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    try:
        from_json(data[end:])
    except ValueError:
        return end, False
    return end, True


def _mend(path: Path, end: int, *, whole: bool) -> None:
    """Give a last line its end where it is whole, and cut it away where it is not."""
    if whole:
        with path.open("ab") as file:
            file.write(b"\n")
    else:
        os.truncate(path, end)


def _check(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if not found:
        raise RecordingError(
            f"{path} does not say what its samples were made with, so more cannot be added; write to a new file"
        )
    if changed := list(_changes(found, wanted)):
        more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
        raise RecordingError(
            f"{path} was recorded with other settings: {'; '.join(changed[:_MOST_NAMED])}{more}; "
            "set them back, or write to a new file"
        )


def _changes(found: Any, wanted: Any, name: str = "") -> Iterable[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in {**found, **wanted}:
            yield from _changes(found.get(key), wanted.get(key), f"{name}.{key}" if name else str(key))
    elif found != wanted:
        yield f"{name} was {found!r} and is {wanted!r}"
