"""JSON lines as columns: each line is parsed once, and what is checked is a whole column of many lines.

A piece in which anything is unusual is read again line by line by the strict form of a row, which names the fault.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from slmmux._files import read
from slmmux._files.values import is_json
from slmmux.recording._columns import Builder
from slmmux.recording._row import REQUIRED, fields_of_rows, first_settings, is_first_line, is_packed, row_of

__all__ = ["read_lines"]

_PIECE = 16_384  # lines that are parsed together
_TEXTS = ("question_id", "model", "dataset", "question", "text", "error", "kind", "key")
_WHOLE = {  # name -> the least
    "sample_index": 0,
    "input_tokens": None,
    "output_tokens": None,
    "attempt": 2,
    "judge_input_tokens": None,
    "judge_output_tokens": None,
}
_FRACTIONS = ("temperature", "latency_s", "score")
_FLAGS = ("cut_off",)
_SCALARS = {str, int, bool, type(None)}
_TEXT = {str, type(None)}
_INT = {int, type(None)}
_FLOAT = {float, int, type(None)}
_FLAG = {bool, type(None)}


def read_lines(path: Path, builder: Builder) -> tuple[dict[str, Any], Callable[[int], int]]:
    """Add the rows of a `.jsonl` or `.jsonl.gz` file to a builder.

    Returns:
        The settings of its first line, and a function: a row's place among the file's rows -> the number of its line.

    Raises:
        RecordingError: A line is no row; the sentence says which.
        OSError: The file cannot be opened.
    """
    is_packed(path)
    settings: dict[str, Any] = {}
    skips: list[tuple[int, int]] = []  # (rows before, the lines that are no rows up to there)
    rows = 0
    last = 0
    numbered = read.lines(path)
    while piece := [*islice(numbered, _PIECE)]:
        lines: list[bytes] = []
        numbers: list[int] = []
        for number, line in piece:
            if number == 1 and is_first_line(line):
                settings = first_settings(line, f"{path} line 1")
            elif line.isspace():
                continue
            elif line.endswith(b"\n") or is_json(line):
                lines.append(line)
                numbers.append(number)
            else:  # Only the last line can lack its line feed, so the program that wrote it was cut off.
                warnings.warn(f"{path} line {number}: cut off while it was written, dropped", stacklevel=4)
        columns = _columns(lines)
        if columns is None:
            columns = fields_of_rows(
                [row_of(line, f"{path} line {number}") for number, line in zip(numbers, lines, strict=True)]
            )
        builder.add(columns, len(lines))
        for number in numbers:
            if number != last + 1:
                skips.append((rows, number - last - 1))
            last = number
            rows += 1

    def line_of(row: int) -> int:
        return row + 1 + sum(count for before, count in skips if before <= row)

    return settings, line_of


def _columns(lines: Sequence[bytes]) -> Mapping[str, Sequence[Any] | None] | None:
    """Return the columns of some lines; `None` if a value is not plainly right, or needs more than a look at its type.

    The types are exact, as the strict form of a row has them: `True` is no number.
    """
    try:
        rows = [*map(from_json, lines)]
        if {*map(type, rows)} - {dict}:
            return None
        names = set().union(*rows)
        columns = {name: [row[name] for row in rows] for name in REQUIRED}
    except (ValueError, KeyError, RecursionError):
        return None
    others = (*_TEXTS, *_WHOLE, *_FRACTIONS, *_FLAGS, "gold")
    columns |= {name: [row.get(name) for row in rows] for name in others if name in names and name not in columns}
    types = {name: {*map(type, column)} for name, column in columns.items()}
    plain = (
        types["question_id"] <= {str}
        and types["model"] <= {str}
        and types["sample_index"] <= {int}
        and not names & {"alike", "confidences"}
        and types["answer"] <= {*_SCALARS, list, dict}
        and types.get("gold", _SCALARS) <= _SCALARS
        and all(types.get(name, _TEXT) <= _TEXT for name in _TEXTS)
        and all(types.get(name, _INT) <= _INT for name in _WHOLE)
        and all(types.get(name, _FLOAT) <= _FLOAT for name in _FRACTIONS)
        and all(types.get(name, _FLAG) <= _FLAG for name in _FLAGS)
    )
    if not plain:
        return None
    for name, least in _WHOLE.items():
        if least is not None and any(v is not None and v < least for v in columns.get(name, ())):
            return None
    if not all(v is None or 0 <= v <= 1 for v in columns.get("score", ())):
        return None
    return columns
