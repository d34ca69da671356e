"""The files of a recording: read as one, each in its own form, and written as Parquet."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slmmux._errors import RecordingError
from slmmux.recording._columns import CODED, FRACTIONS, WHOLE, Builder, Columns
from slmmux.recording._formats import ENDINGS, is_parquet
from slmmux.recording._lines import read_lines
from slmmux.recording._parquet import HELD, ParquetFile, ParquetFiles, part_writer

__all__ = ["read_parts", "write_parts"]

_PART_ROWS = 1_000_000  # of one file in a folder
_ALL = (*dict.fromkeys((*HELD, *CODED, *WHOLE, *FRACTIONS)), "text")


def read_parts(
    files: Sequence[Path], join: Callable[[dict[str, Any], Path], None]
) -> tuple[Columns, Callable[[int], str]]:
    """Return the samples of several files, and a function: the position of a sample -> its place in its file.

    If all files are Parquet, the columns that not every use needs stay in them until they are asked for.

    Args:
        files: The files, in order.
        join: Called with the settings of each file.
    """
    builder = Builder()
    starts: list[tuple[int, Callable[[int], str]]] = []
    source = ParquetFiles()
    lazy = all(map(is_parquet, files))
    for file in files:
        start = builder.count
        if is_parquet(file):
            part = ParquetFile(file)
            source.files.append(part)
            part.read(builder, HELD if lazy else _ALL)
            builder.count += part.count
            settings = part.settings
            starts.append((start, lambda row, file=file: f"{file} row {row}"))  # type: ignore[misc]
        else:
            settings, line_of = read_lines(file, builder)
            starts.append((start, lambda row, file=file, line_of=line_of: f"{file} line {line_of(row)}"))  # type: ignore[misc]
        join(settings, file)

    def place(position: int) -> str:
        start, place_of = max((each for each in starts if each[0] <= position), key=lambda each: each[0])
        return place_of(position - start)

    return builder.columns(HELD, source) if lazy else builder.columns(), place


def write_parts(columns: Columns, history: Columns | None, settings: Mapping[str, Any], path: Path) -> None:
    """Write samples, and before them earlier attempts at them, as one Parquet file, or into a folder as parts."""
    pieces = [columns] if history is None else [history, columns]
    if is_parquet(path):
        _write(path, settings, pieces)
        return
    path.mkdir(parents=True, exist_ok=True)
    if there := sorted(file.name for file in path.iterdir() if file.name.endswith(ENDINGS)):
        raise RecordingError(f"{path} already has parts, such as {there[0]}; name a new folder")
    parts = [piece.at_most(_PART_ROWS) for piece in pieces]
    for number, part in enumerate(each for of_piece in parts for each in of_piece):
        _write(path / f"part-{number:05}.parquet", settings, [part])


def _write(path: Path, settings: Mapping[str, Any], pieces: Sequence[Columns]) -> None:
    with part_writer(path, settings) as writer:
        for piece in pieces:
            writer.write(piece)
