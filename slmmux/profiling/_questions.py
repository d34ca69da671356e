"""The questions of a profile, and how they are read from a file or a list."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError

from slmmux._errors import ArgumentError, first_fault

__all__ = ["Question", "Questions", "questions_of", "read_questions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a profile.

    Attributes:
        question_id: The question's id in the recording.
        question: The text, sent as the user's message.
        gold: The right answer. It is never sent, but selecting models needs it.
        dataset: The dataset that the question comes from.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    question_id: str
    question: str
    gold: Any = None
    dataset: str | None = None


Questions: TypeAlias = str | PathLike[str] | Iterable[Question | Mapping[str, Any]]

_QUESTION = TypeAdapter(Question)


def questions_of(questions: Questions) -> tuple[Question, ...]:
    """Return checked questions, each id once, from a file's path or from a list.

    Raises:
        ArgumentError: An item is not a question, an id occurs twice, or there are no questions.
    """
    if isinstance(questions, str | PathLike):
        return read_questions(questions)
    if isinstance(questions, Mapping) or not isinstance(questions, Iterable):
        raise ArgumentError(f"expected questions as a .jsonl file or a list, received {type(questions).__name__}")
    by_id: dict[str, Question] = {}
    for number, item in enumerate(questions):
        if not isinstance(item, Question | Mapping):
            raise ArgumentError(
                f"question {number} is a {type(item).__name__}; write question_id, question and, to select with, gold"
            )
        try:  # Through JSON, so that values are as the recording will have them: a tuple becomes a list.
            question = _QUESTION.validate_json(json.dumps(asdict(item) if isinstance(item, Question) else {**item}))
        except (ValidationError, TypeError, ValueError) as error:
            fault = first_fault(error) if isinstance(error, ValidationError) else str(error)
            raise ArgumentError(
                f"question {number}: {fault}; write question_id, question and, to select with, gold"
            ) from None
        _add(by_id, question, f"question {number}")
    return _not_empty(by_id, "the list")


def read_questions(path: str | PathLike[str]) -> tuple[Question, ...]:
    """Read questions from a JSON lines file, with `{"question_id": ..., "question": ..., "gold": ...}` on each line.

    Raises:
        ArgumentError: A line is not a question, an id occurs twice, or the file has no questions.
        OSError: The file cannot be read.
    """
    by_id: dict[str, Question] = {}
    for number, line in enumerate(Path(path).read_bytes().removeprefix(BOM_UTF8).splitlines(), 1):
        if line.strip():
            try:
                question = _QUESTION.validate_json(line)
            except ValidationError as error:
                fault = first_fault(error, "the line")
                raise ArgumentError(
                    f'{path} line {number}: {fault}; write {{"question_id": "q1", "question": "2 + 2?", "gold": "4"}}'
                ) from None
            _add(by_id, question, f"{path} line {number}")
    return _not_empty(by_id, str(path))


def _add(by_id: dict[str, Question], question: Question, where: str) -> None:
    if question.question_id in by_id:
        raise ArgumentError(
            f"{where}: the question_id {question.question_id!r} occurs twice; give each question its own"
        )
    by_id[question.question_id] = question


def _not_empty(by_id: Mapping[str, Question], where: str) -> tuple[Question, ...]:
    if not by_id:
        raise ArgumentError(f"{where} has no questions; write at least one")
    return tuple(by_id.values())
