"""Bounded reading, packed with gzip or not: a file is read once, in pieces of bounded size.

A file that somebody sent may unpack to far more than there is memory, so each line and each whole document has a
largest size, which is checked while it is unpacked.
"""

import gzip
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

from slmmux._errors import RecordingError

__all__ = [
    "DOCUMENT_BYTES",
    "GZIP_ERRORS",
    "LINE_BYTES",
    "document",
    "first_bytes",
    "lines",
    "open_unpacked",
    "too_long",
    "unpacked_name",
]

LINE_BYTES = 64 * 2**20
DOCUMENT_BYTES = 512 * 2**20
GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)  # what reading a damaged gzip file raises
_FIRST_BYTES = 2**20
_GZIP_ENDINGS = (".gz", ".gzip")


def unpacked_name(path: Path) -> str:
    """Return a file's name without the ending that says that it is packed with gzip.

    Example:
        >>> unpacked_name(Path("runs/a.jsonl.gz")), unpacked_name(Path("runs/a.jsonl"))
        ('a.jsonl', 'a.jsonl')
    """
    return path.name[: path.name.rindex(".")] if path.name.lower().endswith(_GZIP_ENDINGS) else path.name


def open_unpacked(path: Path) -> BinaryIO:
    """Open a file for reading; if its name says that it is packed, it is unpacked while it is read.

    Raises:
        OSError: The file cannot be opened.
    """
    return path.open("rb") if unpacked_name(path) == path.name else cast(BinaryIO, gzip.open(path))


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
    source: BinaryIO | _Utf16 | None = None
    with open_unpacked(path) as file:
        while True:
            try:  # only around the reading: what goes wrong with a line where it is used is not the file's fault
                source = source or _as_utf8(file)
                line = source.readline(limit + 1)
            except GZIP_ERRORS as error:
                raise _bad_gzip(f"{path} after line {number}", error) from error
            except UnicodeError as error:
                raise _bad_utf16(f"{path} after line {number}", error) from error
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
    content = _beginning(path, limit + 1)
    if len(content) > limit:
        raise too_long(str(path), limit, "document")
    return content.removeprefix(BOM_UTF8)


def first_bytes(path: Path) -> bytes:
    """Return the first megabyte of a file, without a byte-order mark: enough to see what kind of file it is."""
    return _beginning(path, _FIRST_BYTES).removeprefix(BOM_UTF8)


def _beginning(path: Path, size: int) -> bytes:
    try:
        with open_unpacked(path) as file:
            return _as_utf8(file).read(size)
    except GZIP_ERRORS as error:
        raise _bad_gzip(str(path), error) from error
    except UnicodeError as error:
        raise _bad_utf16(str(path), error) from error


class _Utf16:
    """A file in UTF-16, as Excel saves "Unicode text", read as UTF-8."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = TextIOWrapper(file, encoding="utf-16", newline="\n")

    def readline(self, size: int) -> bytes:
        return self._text.readline(size).encode()

    def read(self, size: int) -> bytes:
        return self._text.read(size).encode()


def _as_utf8(file: BinaryIO) -> "BinaryIO | _Utf16":
    """Return what reads a file as UTF-8: a byte-order mark of UTF-16 says that it is in that."""
    peek = getattr(file, "peek", None)
    mark = bytes(peek(len(BOM_UTF16_LE)))[: len(BOM_UTF16_LE)] if peek else b""
    return _Utf16(file) if mark in {BOM_UTF16_LE, BOM_UTF16_BE} else file


def _bad_utf16(place: str, error: UnicodeError) -> RecordingError:
    return RecordingError(f"{place}: begins as UTF-16 and is not ({error}); save the file as UTF-8")


def _bad_gzip(place: str, error: Exception) -> RecordingError:
    return RecordingError(f"{place}: not a gzip file, or an incomplete one ({error}); copy the file again")


def too_long(place: str, limit: int, what: str) -> RecordingError:
    """Return the error for a line or a document that is longer than its limit."""
    return RecordingError(
        f"{place}: the {what} is longer than {limit // 2**20} MiB, the most that is read at once; "
        f"{'split the file into one sample a line' if what == 'line' else 'write one JSON object a line instead'}"
    )
