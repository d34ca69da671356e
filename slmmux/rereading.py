"""A recording's answers read anew from its texts: another extractor, and not one call."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from slmmux import answers
from slmmux._decision.types import Answer
from slmmux._errors import RecordingError, quote
from slmmux.answers._reader import extractor_name
from slmmux.recording import Recording
from slmmux.recording._row import Row

__all__ = ["reread"]

Compare = Callable[[Answer, Mapping[int, Answer]], Mapping[int, float]]


def reread(
    recording: Recording,
    extract: str | Callable[[str], Any] = "auto",
    *,
    compare: tuple[str, Compare] | None = None,
) -> Recording:
    r"""Return a recording whose answers were read by another extractor.

    Args:
        recording: With its texts.
        extract: An extractor's name, or a callable: text -> answer or None.
        compare: Where equality is no key: the agreement's name ("math" or "embedding"), and what says which answers of
            a member agree.

    Returns:
        The same samples with other answers. A reply that the extractor fails on becomes a failed sample, and one that
        another extractor had failed on may become a good one.

    Raises:
        RecordingError: A reply without its text.

    Example:
        >>> said = Row(question_id="q", model="m", sample_index=0, answer=None, text="It is 4, or \\boxed{5}.")
        >>> reread(Recording.of([said]), "boxed").rows[0].answer
        '5'
    """
    read = answers.reader(extract)
    name, alike = compare or ("canonical", None)
    earlier: dict[tuple[str, str], dict[int, Answer]] = {}
    rows = [_anew(row, read, alike, earlier.setdefault((row.question_id, row.model), {})) for row in recording.rows]
    return Recording.of(rows, {**recording.settings, "extract": extractor_name(extract), "agreement": name})


def _anew(row: Row, read: Callable[[str], Answer | None], compare: Compare | None, earlier: dict[int, Answer]) -> Row:
    if row.text is None:
        if row.error is not None:
            return row
        raise RecordingError(
            f"sample {row.sample_index} of {row.model!r} for question {row.question_id!r} was recorded without its "
            "text, so nothing can be read in it anew; record it with its text"
        )
    bare = replace(row, answer=None, kind=None, key=None, alike=None, error=None)
    try:
        answer = read(row.text)
        alike = None if answer is None or compare is None else dict(compare(answer, earlier))
    except Exception as error:  # noqa: BLE001 - as in a profile: an extractor's fault costs the sample
        return replace(bare, error=quote(error))
    if answer is None:
        return bare
    earlier[row.sample_index] = answer
    return replace(bare, answer=answer.value, kind=answer.kind, key=answer.key, alike=alike)
