"""A check of GGUF files: the header is read, and its tensors must lie within the file."""

import mmap
import struct
from pathlib import Path

from slmmux.local._errors import NotAGGUFError

__all__ = ["check_gguf"]

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_WIDTH = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a scalar, by its type
_MOST = 1 << 32  # more tensors or entries than any real file has


def check_gguf(path: Path) -> None:
    """Check that a file is a complete GGUF.

    Only the structure is checked: llama.cpp itself checks the extent of each tensor when it loads them.

    Args:
        path: The file.

    Raises:
        NotAGGUFError: The file is not a GGUF, or ends too early.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.gguf")
        ...     _ = file.write_bytes(b"<html>")
        ...     try:
        ...         check_gguf(file)
        ...     except NotAGGUFError as error:
        ...         print(str(error).replace(str(file), "a.gguf"))
        a.gguf is not a GGUF file: it begins with b'<html>', not with b'GGUF'
    """
    with path.open("rb") as file:
        start = file.read(24)
        if start[:4] != _MAGIC:
            fault = f"it begins with {start[:12]!r}, not with {_MAGIC!r}" if start else "it is empty"
            raise NotAGGUFError(f"{path} is not a GGUF file: {fault}")
        if len(start) < 24:  # noqa: PLR2004 - magic, version and two counts
            raise _truncated(path)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                _check_structure(path, data)
            except (struct.error, IndexError):
                raise _truncated(path) from None


def _truncated(path: Path) -> NotAGGUFError:
    return NotAGGUFError(f"{path} is incomplete: it has {path.stat().st_size:,} bytes, and its header describes more")


def _check_structure(path: Path, data: mmap.mmap) -> None:
    version, tensors, pairs = struct.unpack_from("<IQQ", data, 4)
    if version not in _VERSIONS:
        raise NotAGGUFError(f"{path} is a GGUF of version {version}; use a file of version 2 or 3")
    if max(tensors, pairs) > _MOST:
        raise NotAGGUFError(f"{path} is not a GGUF file: its header counts {tensors:,} tensors and {pairs:,} entries")
    at, alignment = 24, 32
    for _ in range(pairs):
        key, at = _string(data, at)
        (kind,) = struct.unpack_from("<I", data, at)
        if key == b"general.alignment" and kind == 4:  # noqa: PLR2004 - an unsigned integer
            (alignment,) = struct.unpack_from("<I", data, at + 4)
        at = _skip(path, data, at + 4, kind)
    last = 0
    for _ in range(tensors):
        _, at = _string(data, at)
        (dimensions,) = struct.unpack_from("<I", data, at)
        at += 4 + 8 * dimensions + 4
        (offset,) = struct.unpack_from("<Q", data, at)
        last, at = max(last, offset), at + 8
    begin = at + -at % max(alignment, 1)
    if tensors and begin + last >= len(data):
        raise _truncated(path)


def _string(data: mmap.mmap, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    end = at + 8 + length
    if end > len(data):
        raise IndexError
    return data[at + 8 : end], end


def _skip(path: Path, data: mmap.mmap, at: int, kind: int) -> int:
    if kind == _STRING:
        return _string(data, at)[1]
    if kind in _WIDTH:
        return at + _WIDTH[kind]
    if kind == _ARRAY:
        element, count = struct.unpack_from("<IQ", data, at)
        at += 12
        if element in _WIDTH:
            return int(at + _WIDTH[element] * count)
        if element == _STRING:
            for _ in range(count):  # a false count soon reaches the end of the file
                at = _string(data, at)[1]
            return at
    raise NotAGGUFError(f"{path} is not a GGUF file: an entry of its header has the unknown type {kind}")
