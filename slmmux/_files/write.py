"""A file written whole: after a kill or on a full disk there is the old content or the new, never a part.

The content goes into a new file beside the target, is handed to the disk, and takes the target's name in one step.
"""

import contextlib
import os
import stat
import tempfile
from os import PathLike
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: str | PathLike[str], content: bytes) -> None:
    """Write a file, or replace one.

    A symbolic link stays and its target is replaced. A file keeps its permissions. What is no regular file (a pipe, a
    terminal) has no old content to protect and is written to directly.

    Args:
        path: The file.
        content: All of its content.

    Raises:
        OSError: The file cannot be written; an existing file stays as it was, and nothing is left beside it.

    Example:
        >>> path = Path(tempfile.mkdtemp(), "a.json")
        >>> write_whole(path, b"{}")
        >>> path.read_bytes(), [file.name for file in path.parent.iterdir()]
        (b'{}', ['a.json'])
    """
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except OSError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        with Path(path).open("wb") as file:
            file.write(content)
        return
    try:
        _replace(target, content, None if mode is None else stat.S_IMODE(mode))
    except OSError as error:  # The system names the file beside the target, which says nothing to the user.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    # A name of its own for each writer, so that two at once do not write into one file.
    number, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            # Without it the new name may reach the disk before the content, and a power cut leaves an empty file.
            os.fsync(file.fileno())
        part.chmod(_usual_mode() if mode is None else mode)  # mkstemp lets only the owner read.
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    _sync_folder(target.parent)


def _usual_mode() -> int:
    """Return the permissions that the process gives to new files."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Hand the new name to the disk too, where the system can (Windows and some network folders cannot)."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
