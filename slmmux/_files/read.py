"""Bounded reading, packed with gzip or not: a file is read once, in pieces of bounded size.

A file that somebody sent may unpack to far more than there is memory, so each line and each whole document has a
largest size, which is checked while it is unpacked.
"""

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from slmmux._errors import RecordingError

__all__ = ["DOCUMENT_BYTES", "LINE_BYTES", "document", "first_bytes", "is_gzip", "lines", "opened", "too_long"]

LINE_BYTES = 64 * 2**20
DOCUMENT_BYTES = 512 * 2**20
_FIRST_BYTES = 2**20


def is_gzip(path: Path) -> bool:
    """Return whether a file's name says that it is packed with gzip."""
    return path.name.lower().endswith((".gz", ".gzip"))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacked.

    Raises:
        RecordingError: While the block reads: the file is not gzip, or an incomplete one.
        OSError: The file cannot be opened.
    """
    with cast(BinaryIO, gzip.open(path)) if is_gzip(path) else path.open("rb") as file:
        try:
            yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RecordingError(
                f"{path}: not a gzip file, or an incomplete one ({error}); copy the file again"
            ) from error


def lines(path: Path, limit: int = LINE_BYTES) -> Iterator[tuple[int, bytes]]:
    """Yield each line of a file with its number, without a byte-order mark.

    Args:
        path: The file.
        limit: The largest size of a line, in bytes.

    Raises:
        RecordingError: A line is longer, or the file is not gzip.
        OSError: The file cannot be opened.
    """
    number = 0
    with cast(BinaryIO, gzip.open(path)) if is_gzip(path) else path.open("rb") as file:
        while True:
            try:  # only around the reading: what goes wrong with a line where it is used is not the file's fault
                line = file.readline(limit + 1)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise RecordingError(
                    f"{path} after line {number}: not a gzip file, or an incomplete one ({error}); copy the file again"
                ) from error
            if not line:
                return
            number += 1
            if len(line) > limit:
                raise too_long(f"{path} line {number}", limit, "line")
            yield number, line.removeprefix(BOM_UTF8)


def document(path: Path, limit: int = DOCUMENT_BYTES) -> bytes:
    """Return the whole content of a file, without a byte-order mark.

    Raises:
        RecordingError: It is longer than `limit` bytes, or the file is not gzip.
        OSError: The file cannot be opened.
    """
    with opened(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise too_long(str(path), limit, "document")
    return content.removeprefix(BOM_UTF8)


def first_bytes(path: Path) -> bytes:
    """Return the first megabyte of a file, without a byte-order mark: enough to see what kind of file it is."""
    with opened(path) as file:
        return file.read(_FIRST_BYTES).removeprefix(BOM_UTF8)


def too_long(place: str, limit: int, what: str) -> RecordingError:
    """Return the error for a line or a document that is longer than its limit."""
    return RecordingError(
        f"{place}: the {what} is longer than {limit // 2**20} MiB, the most that is read at once; "
        f"{'split the file into one sample a line' if what == 'line' else 'write one JSON object a line instead'}"
    )
