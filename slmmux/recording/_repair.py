r"""A damaged recording made whole again: every whole row stays, and what goes is named.

A full disk, a copy that broke off, or an editor may leave a line that is no row, two rows on one line, or a row twice.
Nothing is guessed: a row is kept only if it is complete.
"""

import gzip
import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from slmmux._errors import RecordingError
from slmmux._files.read import GZIP_ERRORS, LINE_BYTES, open_unpacked
from slmmux._files.write import write_whole
from slmmux.recording._row import Row, fault_of, is_first_line, is_packed, is_retry, row_of

__all__ = ["Loss", "Repair", "repair"]

# Where a row may begin inside a line: with one of our fields.
_BEGINNING = re.compile(r'\{"(?:slmmux_recording|' + "|".join(f.name for f in fields(Row)) + r')"\s*:')
_MOST_FAILURES = 100  # beginnings in one line that are none; each may be read up to the end of the line
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Loss:
    """A part of a file that is no row.

    Attributes:
        line: The number of its line.
        reason: What is wrong with it.
        content: The bytes, of a line that is too long only its beginning.
    """

    line: int
    reason: str
    content: bytes

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair did.

    Attributes:
        rows: The number of rows that were kept.
        losses: What was removed.
        has_settings: Whether the first line, which states the settings, is there.
    """

    rows: int
    losses: tuple[Loss, ...]
    has_settings: bool


def repair(path: Path, out: Path | None = None) -> Repair:
    """Write a recording again with its whole rows only.

    The file is replaced in one step, and the removed parts go into a file beside it, FILE.removed. An intact file is
    not written.

    Args:
        path: The recording.
        out: Another file to write; `None` replaces the recording.

    Raises:
        RecordingError: The name has another ending, or no row is whole.
        OSError: A file cannot be read or written; an existing one stays as it was.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "samples.jsonl")
        >>> row = '{"question_id": "q1", "model": "qwen", "sample_index": 0, "answer": "4"}'
        >>> _ = file.write_text(row[:20] + row + chr(10) + "damage" + chr(10))
        >>> [str(loss) for loss in repair(file).losses]
        ['line 1: no row before a whole one', 'line 2: the line: Invalid JSON: expected value at column 1']
        >>> file.read_text() == row + chr(10)
        True
    """
    is_packed(path)  # refuses a name with another ending
    target = path if out is None else out
    is_gzip = is_packed(target)
    head: bytes | None = None
    rows: list[bytes] = []
    losses: list[Loss] = []
    latest: dict[tuple[str, str, int], Row] = {}
    for number, piece, fault in _pieces(path):
        if fault is not None:
            losses.append(Loss(number, fault, piece))
        elif is_first_line(piece):
            if head is None and not rows:
                head = piece
            elif piece != head:
                losses.append(Loss(number, "settings that are not in the first line", piece))
        elif (reason := _repeats(row_of(piece, f"{path} line {number}"), latest)) is not None:
            losses.append(Loss(number, reason, piece))
        else:
            rows.append(piece)
    if not rows:
        raise RecordingError(f"{path}: no row is whole, so there is nothing to keep; record the samples again")
    result = Repair(len(rows), tuple(losses), head is not None)
    if losses or out is not None:
        if losses:
            removed = b"".join(loss.content.rstrip(b"\n") + b"\n" for loss in losses)
            write_whole(target.with_name(f"{target.name}.removed"), removed)
        content = b"".join([*([] if head is None else [head]), *rows])
        write_whole(target, gzip.compress(content, mtime=0) if is_gzip else content)
    return result


def _repeats(row: Row, latest: dict[tuple[str, str, int], Row]) -> str | None:
    """Return why a row cannot be kept beside the earlier ones, which it repeats; `None` if it can."""
    sample = row.question_id, row.model, row.sample_index
    earlier = latest.get(sample)
    if earlier is not None and not is_retry(row, earlier):
        return f"sample {row.sample_index} of {row.model!r} for question {row.question_id!r} a second time"
    latest[sample] = row
    return None


def _pieces(path: Path) -> Iterator[tuple[int, bytes, str | None]]:
    """Yield the rows, first lines and other parts of a file, each with its line and what is wrong with it."""
    with open_unpacked(path) as file:
        number = 0
        while True:
            try:
                line = file.readline(LINE_BYTES + 1)
                rest = 0
                while len(line) > LINE_BYTES and line[-1:] != b"\n" and (next_piece := file.readline(LINE_BYTES)):
                    rest += len(next_piece)
                    if next_piece.endswith(b"\n"):
                        break
            except GZIP_ERRORS as error:
                yield number + 1, b"", f"the gzip file ends or is damaged here ({error})"
                return
            if not line:
                return
            number += 1
            if len(line) > LINE_BYTES:
                yield number, line[:1000], f"longer than {LINE_BYTES // 2**20} MiB ({len(line) + rest:,} bytes)"
            elif not line.isspace():
                yield from ((number, piece, fault) for piece, fault in _of_line(line))


def _of_line(line: bytes) -> Iterator[tuple[bytes, str | None]]:
    """Yield the parts of a line: one row if it is whole, else the whole rows in it and what stands between."""
    content = line.removeprefix(BOM_UTF8).rstrip(b"\r\n") + b"\n"
    fault = fault_of(content)
    if fault is None:
        yield content, None
        return
    text = content.decode("utf-8", "surrogateescape")  # so that bytes that are no text come out as they went in
    loose = failures = 0
    for beginning in _BEGINNING.finditer(text):
        if beginning.start() < loose or failures == _MOST_FAILURES:
            continue
        try:
            _, end = _DECODER.raw_decode(text, beginning.start())
        except (ValueError, RecursionError):
            failures += 1
            continue
        piece = _bytes(text[beginning.start() : end])
        if fault_of(piece) is None:
            if before := text[loose : beginning.start()].strip():
                yield _bytes(before), "no row before a whole one"
            yield piece, None
            loose = end
        else:
            failures += 1
    if not loose:
        yield content, fault
    elif after := text[loose:].strip():
        yield _bytes(after), "no row after a whole one"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\n"
