"""A sample as a line of a file: its fields, and how a line is read and written.

Our own fields are checked strictly; fields that others added are ignored.
"""

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from slmmux._decision.types import Answer
from slmmux._errors import RecordingError, first_fault

__all__ = [
    "RECORDED",
    "REQUIRED",
    "Row",
    "answer_from",
    "answer_of",
    "as_recorded",
    "confidences_of",
    "fault_in_line",
    "fault_of",
    "fields_of_rows",
    "first_settings",
    "gold_without_nan",
    "head_line",
    "holds_nan",
    "is_first_line",
    "is_packed",
    "is_retry",
    "row_line",
    "row_of",
    "scored_right",
]

F = TypeVar("F")

REQUIRED = ("question_id", "model", "sample_index", "answer")
RECORDED = "recorded"  # The kind of an answer whose line does not say which reading it came from.

_FORM = 'one JSON object a line, such as {"question_id": "q1", "model": "qwen", "sample_index": 0, "answer": "4"}'
_VERSION_KEY = "slmmux_recording"
_HEAD_FORM = 'as first line {"slmmux_recording": 1, "settings": {...}}; a higher version needs a newer slmmux'


def _no_nan(answer: Any) -> Any:
    if answer != answer:  # noqa: PLR0124 - only NaN differs from itself, so no vote could ever count it
        raise ValueError("NaN is not an answer, write null if there is none")
    return answer


def gold_without_nan(gold: Any) -> Any:
    """Return a gold answer, for pydantic as a validator.

    Raises:
        ValueError: It is NaN, or holds NaN.
    """
    if holds_nan(gold):
        raise ValueError("NaN equals no answer, write null if there is no gold answer")
    return gold


def holds_nan(value: Any) -> bool:
    """Return whether a JSON value is NaN, or has it in a list or an object."""
    if isinstance(value, list):
        return any(map(holds_nan, value))
    if isinstance(value, dict):
        return any(map(holds_nan, value.values()))
    return bool(value != value)  # noqa: PLR0124 - only NaN differs from itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recorded sample.

    Attributes:
        question_id: The id of the question.
        model: The member's label.
        sample_index: The number of the sample among the member's samples for the question, from 0.
        answer: The answer that was read in the reply, text or any JSON value; `None` if there is none.
        dataset: The dataset that the question comes from.
        question: The text of the question.
        gold: The right answer, or a list of answers that are all accepted. Only scoring reads it, never the decision.
        text: The whole reply.
        temperature: The sampling temperature.
        input_tokens: Tokens of the request.
        output_tokens: Tokens of the reply.
        latency_s: Seconds the call took.
        error: The reason, if the call failed. A sample with an error, even an empty one, failed; one without replied.
        kind: The reading that the answer came from, if one of this package's extractors read it.
        key: The canonical form that answers are compared by; without it they are compared as written.
        alike: Only if answers were compared in pairs (mathematics, embeddings): the indices of the member's other
            samples for the question that agree with this one, and how closely (0 to 1).
        score: The verdict of another program's grader, if the sample comes from its files: 0 is wrong and 1 right.
        attempt: The number of the attempt, if a failed sample was requested again: 2, 3 and so on. The rows of earlier
            attempts stay in the file, and only the last one is a sample.
        confidences: How sure somebody is of this reply, each from 0 to 1, by name: "logprob", "verbalised", "judge" or
            "reward"; `None` if there is none but self-consistency, which the samples themselves have.
        judge_input_tokens: Tokens of the request for a judge's rating. If several samples have the same reply, it is
            rated once, and the first of them has these tokens.
        judge_output_tokens: Tokens of the judge's reply.
        cut_off: Whether the reply was cut off at its limit of tokens; `None` if it was not, or nobody said so. Such a
            reply has an answer only if that was complete before.

    Example:
        >>> Row(question_id="q1", model="qwen", sample_index=0, answer="4").answer
        '4'
    """

    # Strict, so that "0" is refused as an index. Unknown fields are ignored, so that others may add their own.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    question_id: str
    model: str
    sample_index: Annotated[int, Field(ge=0)]
    answer: Annotated[Any, AfterValidator(_no_nan)]
    dataset: str | None = None
    question: str | None = None
    gold: Annotated[Any, AfterValidator(gold_without_nan)] = None
    text: str | None = None
    temperature: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_s: float | None = None
    error: str | None = None
    kind: str | None = None
    key: str | None = None
    alike: dict[int, float] | None = None
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    attempt: Annotated[int, Field(ge=2)] | None = None
    confidences: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    judge_input_tokens: int | None = None
    judge_output_tokens: int | None = None
    cut_off: bool | None = None


@dataclass(frozen=True, slots=True)
class _Head:
    """The optional first line: the format's version, and the settings that the samples were made with."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True)

    slmmux_recording: Literal[1]
    settings: dict[str, Any] = field(default_factory=dict)


# Adapters validate the bytes of a line without a Python dict in between: 158,070 samples in two seconds.
_ROW = TypeAdapter(Row)
_HEAD = TypeAdapter(_Head)


def answer_of(row: Row) -> Answer | None:
    """Return a row's answer with the key it is compared by; without a recorded key, that is the answer as written.

    Example:
        >>> answer_of(Row(question_id="q1", model="qwen", sample_index=0, answer="1,234", kind="number", key="1234"))
        Answer(value='1,234', kind='number', key='1234')
    """
    return None if row.error is not None else answer_from(row.answer, row.kind, row.key)


def answer_from(value: Any, kind: str | None, key: str | None) -> Answer | None:
    """Return the answer of a reply, from the three fields that a row has of it."""
    if value is None:
        return None
    if kind is None or key is None:
        return Answer(value, RECORDED, as_recorded(value))
    return Answer(value, kind, key)


def as_recorded(answer: Any) -> str:
    return json.dumps(answer, sort_keys=True)  # JSON keeps the text "4" and the number 4 apart, as the file does


def confidences_of(text: str) -> dict[str, float]:
    """Return the confidences of a sample that are written as JSON.

    Raises:
        ValueError: They are no object of numbers from 0 to 1.
    """
    values = from_json(text)
    if not isinstance(values, dict) or not all(
        type(value) in {int, float} and 0 <= value <= 1 for value in values.values()
    ):
        raise ValueError(f"received {text}")
    return {name: float(value) for name, value in values.items()}


def scored_right(row: Row) -> bool | None:
    """Return whether another program's grader counted a sample as right; `None` if the row has no such verdict.

    Graders that give more than right and wrong (half a point, a mean of several judges) count from over a half.

    Example:
        >>> scored_right(Row(question_id="q1", model="qwen", sample_index=0, answer="4", score=1.0))
        True
    """
    return None if row.score is None else row.score > 0.5  # noqa: PLR2004 - half of right


def first_settings(line: bytes, place: str) -> dict[str, Any]:
    """Return the settings that a recording's first line states.

    Raises:
        RecordingError: The line has another form; the sentence begins with `place`.
    """
    return _validated(_HEAD, line, place, _HEAD_FORM).settings


def fields_of_rows(rows: Sequence[Row]) -> dict[str, list[Any] | None]:
    """Return the fields of rows as columns; a field that is `None` in all of them is `None`."""
    columns = {each.name: [getattr(row, each.name) for row in rows] for each in fields(Row)}
    return {name: column if any(value is not None for value in column) else None for name, column in columns.items()}


def row_of(line: bytes, place: str) -> Row:
    """Return the sample that a line holds.

    Raises:
        RecordingError: The line holds no sample; the sentence begins with `place`.
    """
    return _validated(_ROW, line, place, _FORM)


def fault_of(line: bytes) -> str | None:
    """Return what is wrong with a line that should be a sample or a first line; `None` if it is one."""
    try:
        if is_first_line(line):
            _HEAD.validate_json(line)
        else:
            _ROW.validate_json(line)
    except ValidationError as error:
        return fault_in_line(error, "the line")
    return None


def fault_in_line(error: ValidationError, root: str) -> str:
    """Return the first fault of one line of JSON; `first_fault` has the arguments.

    pydantic counts lines within the piece that it reads, so "line 1" would contradict the line of the file.
    """
    return first_fault(error, root).replace("at line 1 column", "at column")


def is_first_line(line: bytes) -> bool:
    """Return whether a line states the format's version, as the first line of a recording may."""
    if _VERSION_KEY.encode() not in line:  # Nearly every line of a recording is a row, and need not be parsed for this.
        return False
    try:
        value = from_json(line)
    except ValueError:
        return False
    return isinstance(value, dict) and _VERSION_KEY in value


def is_retry(row: Row, earlier: Row) -> bool:
    """Return whether a row is a later attempt at a sample that failed, and so may repeat it."""
    return earlier.error is not None and (row.attempt or 1) > (earlier.attempt or 1)


def is_packed(path: Path) -> bool:
    """Return whether a file of JSON lines is packed with gzip.

    Raises:
        RecordingError: It is no file of JSON lines.
    """
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return path.name.endswith(".gz")
    raise RecordingError(f"{path}: a recording is a .jsonl or .jsonl.gz file; rename or convert it")


def head_line(settings: Mapping[str, Any]) -> bytes:
    """Return a recording's first line."""
    return _line({_VERSION_KEY: 1, "settings": settings})


def row_line(row: Row) -> bytes:
    """Return a sample's line, without the fields that are `None`; only the answer is always written."""
    values = {each.name: getattr(row, each.name) for each in fields(Row)}
    return _line({name: value for name, value in values.items() if value is not None or name == "answer"})


def _line(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _validated(form: TypeAdapter[F], line: bytes, where: str, write: str) -> F:
    try:
        return form.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        received = first["input"] if first["loc"] else line.decode(errors="replace").strip()
        fault = fault_in_line(error, "the line")
        raise RecordingError(f"{where}: {fault}, received {reprlib.repr(received)}; write {write}") from None
