"""Whether weights are still what their hash said: they are hashed again once they were touched.

Hashing half a gigabyte takes half a second, so the size and the times of the last check are kept, in a folder beside
that of the weights. Where it cannot be written to they are kept as long as this process lives.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

__all__ = ["is_unchanged", "note"]

_noted: dict[Path, list[int | str]] = {}


def is_unchanged(path: Path, sha256: str) -> bool:
    """Return whether a file has a hash, by the last check if it was not touched since."""
    if _state(path, sha256) == _last_check(path):
        return True
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            return False
    note(path, sha256)
    return True


def note(path: Path, sha256: str) -> None:
    """Note that a file has a hash now."""
    _noted[path] = _state(path, sha256)
    place = _place(path)
    with suppress(OSError):  # a folder that cannot be written to
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps(_noted[path]), "utf-8")


def _state(path: Path, sha256: str) -> list[int | str]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, sha256]


def _last_check(path: Path) -> list[int | str] | None:
    if path in _noted:
        return _noted[path]
    try:
        last: list[int | str] = json.loads(_place(path).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return last


def _place(path: Path) -> Path:
    return path.parent.parent / "checked" / f"{path.name}.json"
