"""One writer a file: the system's lock, and a lock file with an owner and a heartbeat where the system has none.

The system releases its lock when the process ends, however it ends. A network folder may not know such locks. There a
file beside the target names its owner, and a thread renews its time as long as the owner lives; a lock file that was
not renewed for a minute belongs to nobody any more, and is taken over.
"""

import errno
import json
import logging
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

__all__ = ["FileInUseError", "FileLock"]

_log = logging.getLogger("slmmux")

_HEARTBEAT_S = 10.0
_STALE_S = 60.0
_JUST_TAKEN = "another process, which took the lock a moment ago"
_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}


class FileInUseError(Exception):
    """Another process writes the file; the text says which, if it is known."""


class FileLock:
    """The lock of a file that is being written, held until `release`.

    Args:
        file: The file, open for writing.
        path: Its path.

    Raises:
        FileInUseError: Another process has the lock.
        OSError: No lock file can be written either.
    """

    def __init__(self, file: IO[Any], path: Path) -> None:
        self._beside: Path | None = None
        self._released = threading.Event()
        try:
            import fcntl  # noqa: PLC0415
        except ImportError:  # On Windows a second writer is only noticed later, when loading finds samples twice.
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                raise FileInUseError("another process") from error
            beside = path.with_name(f"{path.name}.lock")
            _log.warning(
                "%s is on a file system without file locks (%s); %s keeps other writers away instead",
                path,
                error.strerror,
                beside.name,
            )
            _take(beside)
            self._beside = beside
            threading.Thread(target=self._beat, name="slmmux-lock", daemon=True).start()

    def release(self) -> None:
        """Give the lock back; the system's own is given back when the file is closed."""
        self._released.set()
        if self._beside is not None:
            with suppress(OSError):
                if _owner_of(self._beside) == _this_process():  # it is another's if this process was frozen for long
                    self._beside.unlink()

    def _beat(self) -> None:
        assert self._beside is not None  # noqa: S101 - the thread is started after it was set
        while not self._released.wait(_HEARTBEAT_S):
            with suppress(OSError):  # the folder may be away for a moment
                if _owner_of(self._beside) == _this_process():
                    os.utime(self._beside)


def _take(beside: Path) -> None:
    """Create a lock file, over one that nobody renews.

    Raises:
        FileInUseError: Somebody renews it.
    """
    for _ in range(2):
        try:
            number = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            _clear_stale(beside)
            continue
        with os.fdopen(number, "w") as file:
            json.dump(_this_process(), file)
        return
    raise FileInUseError(_JUST_TAKEN)


def _this_process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "process": os.getpid()}


def _owner_of(beside: Path) -> dict[str, Any]:
    """Return the process that a lock file names; an empty dict if it is being written, or damaged."""
    try:
        owner = json.loads(beside.read_text("utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _clear_stale(beside: Path) -> None:
    try:
        owner, renewed = _owner_of(beside), beside.stat().st_mtime
    except FileNotFoundError:  # given back in this moment
        return
    age = time.time() - renewed
    is_dead = owner.get("host") == socket.gethostname() and not _lives(owner.get("process"))
    if age < _STALE_S and not is_dead:
        who = f"process {owner.get('process')} on {owner.get('host')}" if owner else "another process"
        raise FileInUseError(f"{who}, whose lock {beside} was renewed {age:.0f} s ago")
    # Of two processes that come at once, the second one may find the lock of the first here, and gives it back.
    stale = beside.with_name(f"{beside.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        beside.rename(stale)
        if stale.stat().st_mtime != renewed:
            stale.rename(beside)
            raise FileInUseError(_JUST_TAKEN)
        stale.unlink()


def _lives(process: Any) -> bool:
    if not isinstance(process, int):
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True
