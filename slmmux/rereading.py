"""A recording's answers read again from its texts with another extractor, without a call."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from slmmux import answers
from slmmux._decision.drive import Compare
from slmmux._decision.types import Answer
from slmmux._errors import RecordingError, quote
from slmmux.answers._reader import Reader, extractor_name
from slmmux.recording import Recording
from slmmux.recording._row import Row

__all__ = ["reread"]


def reread(
    recording: Recording,
    extract: str | Callable[[str], Any] = "auto",
    *,
    compare: tuple[str, Compare] | None = None,
) -> Recording:
    r"""Return a recording with the same samples, whose answers another extractor reads.

    Args:
        recording: A recording with its texts.
        extract: An extractor's name, or a callable: text -> answer or None.
        compare: Only to compare answers in pairs: the agreement's name ("math" or "embedding") and a function that
            returns which of a member's earlier answers agree with a new one.

    Returns:
        The same samples with new answers. A reply that was cut off has one only if that was complete. A reply that the
        extractor fails on becomes a failed sample, and a sample that another extractor had failed on may become a reply
        again.

    Raises:
        RecordingError: A reply was recorded without its text.

    Example:
        >>> row = Row(question_id="q", model="m", sample_index=0, answer=None, text="It is 4, or \\boxed{5}.")
        >>> reread(Recording.of([row]), "boxed").rows[0].answer
        '5'
    """
    reader_of = partial(answers.reader, extract)
    reader_of()  # An extractor that does not exist is reported before a text is read.
    name, alike = compare or ("canonical", None)
    earlier: dict[tuple[str, str], dict[int, Answer]] = {}
    rows = [
        _reread_row(
            row, reader_of(question=row.question or ""), alike, earlier.setdefault((row.question_id, row.model), {})
        )
        for row in recording.rows
    ]
    return Recording.of(rows, {**recording.settings, "extract": extractor_name(extract), "agreement": name})


def _reread_row(row: Row, reader: Reader, compare: Compare | None, earlier: dict[int, Answer]) -> Row:
    if row.text is None:
        if row.error is not None:
            return row
        raise RecordingError(
            f"sample {row.sample_index} of {row.model!r} for question {row.question_id!r} was recorded without its "
            "text, so its answer cannot be read again; record it with its text"
        )
    unread = replace(row, answer=None, kind=None, key=None, alike=None, error=None)
    try:
        answer = reader(row.text, cut_off=bool(row.cut_off))
        alike = None if answer is None or compare is None else dict(compare(answer, earlier))
    except Exception as error:  # noqa: BLE001 - as in a profile, an extractor that raises loses only this sample
        return replace(unread, error=quote(error))
    if answer is None:
        return unread
    earlier[row.sample_index] = answer
    return replace(unread, answer=answer.value, kind=answer.kind, key=answer.key, alike=alike)
