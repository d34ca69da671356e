"""The questions a pool is put to: what one is, and how they are read."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError

from slmmux._errors import ArgumentError

__all__ = ["Question", "Questions", "asked", "read_questions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a profile.

    Attributes:
        question_id: Its name in the recording.
        question: Its text, the user's message.
        gold: The right answer; asked of nobody, needed to select.
        dataset: Where it comes from.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    question_id: str
    question: str
    gold: Any = None
    dataset: str | None = None


Questions: TypeAlias = str | PathLike[str] | Iterable[Question | Mapping[str, Any]]

_QUESTION = TypeAdapter(Question)


def asked(questions: Questions) -> tuple[Question, ...]:
    if isinstance(questions, str | PathLike):
        return read_questions(questions)
    if isinstance(questions, Mapping) or not isinstance(questions, Iterable):
        raise ArgumentError(f"questions are a .jsonl file or a list of questions, found {type(questions).__name__}")
    found: dict[str, Question] = {}
    for number, given in enumerate(questions):
        if not isinstance(given, Question | Mapping):
            raise ArgumentError(
                f"question {number} is a {type(given).__name__}; give question_id, question and, to select with, gold"
            )
        try:  # as the recording will have it: a tuple is a list there
            question = _QUESTION.validate_json(json.dumps(asdict(given) if isinstance(given, Question) else {**given}))
        except (ValidationError, TypeError, ValueError) as error:
            what = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else {"msg": str(error)}
            where = ".".join(map(str, what.get("loc", ()))) or "it"
            raise ArgumentError(
                f"question {number}: {where}: {what['msg']}; give question_id, question and, to select with, gold"
            ) from None
        _add(found, question, f"question {number}")
    return _some(found, "the list")


def read_questions(path: str | PathLike[str]) -> tuple[Question, ...]:
    """Read questions from a JSON lines file: `{"question_id": ..., "question": ..., "gold": ...}` a line.

    Raises:
        ArgumentError: A line that is no question, an id twice, or no question at all; names the line.
        OSError: The file cannot be read.
    """
    found: dict[str, Question] = {}
    for number, line in enumerate(Path(path).read_bytes().removeprefix(BOM_UTF8).splitlines(), 1):
        if line.strip():
            try:
                question = _QUESTION.validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                what = f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}"
                raise ArgumentError(
                    f'{path} line {number}: {what}; write {{"question_id": "q1", "question": "2 + 2?", "gold": "4"}}'
                ) from None
            _add(found, question, f"{path} line {number}")
    return _some(found, str(path))


def _add(found: dict[str, Question], question: Question, where: str) -> None:
    if question.question_id in found:
        raise ArgumentError(
            f"{where}: there is a question {question.question_id!r} already; give each an id of its own"
        )
    found[question.question_id] = question


def _some(found: Mapping[str, Question], where: str) -> tuple[Question, ...]:
    if not found:
        raise ArgumentError(f"{where} holds no question; write one a line, or pass at least one")
    return tuple(found.values())
