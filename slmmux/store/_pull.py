"""The samples of a store as a recording, in memory or as a file."""

import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from slmmux._files.write import write_whole
from slmmux.profiling import Question
from slmmux.recording import Recording
from slmmux.recording._formats import is_parquet
from slmmux.recording._row import Row, head_line, row_line
from slmmux.store._store import Store, row_from

__all__ = ["pull"]

_ROWS = 50_000  # that are in memory at once, when the file is Parquet
_SAMPLES = (
    "SELECT q.number, q.content, s.content FROM sample s JOIN question q ON q.number = s.question "
    "JOIN member m ON m.label = s.model ORDER BY q.number, m.place, s.sample_index"
)


def pull(store: Store, path: str | PathLike[str] | None = None) -> Recording | int:
    """Return the samples that are in the store, or write them to a file.

    The campaign may still run: then these are the samples so far, of one moment.

    Args:
        store: The campaign.
        path: A `.jsonl`, `.jsonl.gz` or `.parquet` file to write; `None` returns a recording.

    Returns:
        The recording, or the number of samples that were written.

    Raises:
        ArgumentError: The store holds no plan, or cannot be reached.
        RecordingError: The name has another ending.
        OSError: The file cannot be written.
    """
    store.check()
    settings = store.settings
    if path is None:
        return Recording.of((row for rows in _pieces(store) for row in rows), settings)
    file = Path(path)
    if is_parquet(file):
        from slmmux.recording._columns import Builder  # noqa: PLC0415 - numpy is slow to import
        from slmmux.recording._parquet import part_writer  # noqa: PLC0415 - an extra

        with part_writer(file, settings) as writer:
            for rows in _pieces(store):
                writer.write(Builder.of_rows(rows))
        return writer.count
    if not file.name.endswith(".jsonl"):
        recording = Recording.of((row for rows in _pieces(store) for row in rows), settings)
        recording.save(file)
        return len(recording)
    lines = [head_line(settings)]
    lines += [row_line(row) for rows in _pieces(store) for row in rows]
    write_whole(file, b"".join(lines))
    return len(lines) - 1


def _pieces(store: Store) -> Iterator[list[Row]]:
    questions: dict[int, Question] = {}
    for piece in store.database.pieces(_SAMPLES, _ROWS):
        rows = []
        for number, content, sample in piece:
            if number not in questions:
                questions = {number: Question(**json.loads(content))}  # in their order, so one is enough
            rows.append(row_from(sample, questions[number]))
        yield rows
