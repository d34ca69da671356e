"""Questions and gold answers from a file of questions, for samples whose own file does not have them."""

import warnings
from dataclasses import replace
from os import PathLike
from pathlib import Path

from slmmux._errors import RecordingError
from slmmux._files.fields import Fields, fields_of
from slmmux._files.table import kind_of, rows_of
from slmmux.recording import Recording, Row
from slmmux.recording._questions import QuestionRow, question_row

__all__ = ["with_questions"]


def with_questions(recording: Recording, path: str | PathLike[str]) -> Recording:
    """Return a recording whose samples have the question and the gold answer of a file, where they had none.

    Args:
        recording: The samples.
        path: A table of questions; its ids are the samples' question_id.

    Raises:
        RecordingError: The file has no questions, or none of the samples'.
        OSError: The file cannot be opened.
    """
    questions: dict[str, QuestionRow] = {}
    fields: Fields | None = None
    is_csv = kind_of(Path(path)) == "csv"
    for place, row in rows_of(Path(path)):
        fields = fields or fields_of(row, None, replies=False)
        question = question_row(row, fields, place, lists_as_texts=is_csv)
        if question.question_id is not None:
            questions[question.question_id] = question
    absent = sum(row.question_id not in questions for row in recording.rows)
    if absent == len(recording.rows):
        raise RecordingError(
            f"{path}: none of the {len(questions):,} questions is one of the samples' "
            f"({', '.join(map(repr, recording.questions[:3]))} and so on); give the file that has these ids"
        )
    if absent:
        warnings.warn(f"{absent:,} samples: their question is not in {path}", stacklevel=3)
    return Recording.of(
        (_with_question(row, questions.get(row.question_id)) for row in recording.rows), recording.settings
    )


def _with_question(row: Row, question: QuestionRow | None) -> Row:
    if question is None:
        return row
    return replace(
        row, question=row.question or question.question, gold=question.gold if row.gold is None else row.gold
    )
