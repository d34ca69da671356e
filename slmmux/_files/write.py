"""A file written whole: after a kill or on a full disk there is the old content or the new, never a part.

The content goes into a new file beside the target, is handed to the disk, and takes the target's name in one step.
"""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

__all__ = ["replacement", "write_whole"]


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
    if _is_special(path):
        with Path(path).open("wb") as file:
            file.write(content)
        return
    with replacement(path) as part:
        part.write_bytes(content)


@contextlib.contextmanager
def replacement(path: str | PathLike[str]) -> Iterator[Path]:
    """Yield a new, empty file beside another one, whose name it takes in the end; after an error it is removed.

    Raises:
        OSError: As for `write_whole`.
    """
    target = Path(os.path.realpath(path))
    part: Path | None = None
    try:
        # A name of its own for each writer, so that two at once do not write into one file.
        number, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
        os.close(number)
        part = Path(name)
        yield part
        with part.open("rb+") as file:
            # Without it the new name may reach the disk before the content, and a power cut leaves an empty file.
            os.fsync(file.fileno())
        part.chmod(_mode(target))  # mkstemp lets only the owner read.
        part.replace(target)
    except BaseException as error:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()
        if isinstance(error, OSError) and error.errno is not None and (part is None or _concerns(error, part)):
            # The system names the file beside the target, which says nothing to the user.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    _sync_folder(target.parent)


def _concerns(error: OSError, part: Path) -> bool:
    """Return whether an error is about a file, and not about another one that is read meanwhile."""
    return error.filename is None or str(error.filename) == str(part)


def _is_special(path: str | PathLike[str]) -> bool:
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return False


def _mode(target: Path) -> int:
    """Return the permissions of a file; if it is not there, those that the process gives to new files."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(target.stat().st_mode)
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
