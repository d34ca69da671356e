"""The questions of a profile, and how they are read from a file, a data set or a list."""

import json
import random
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from os import PathLike, fspath
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json

from slmmux._errors import ArgumentError, first_fault
from slmmux._files.fields import Fields, checked_map, fields_of
from slmmux._files.table import json_items, kind_of, rows_of
from slmmux.profiling._hub import hub_rows, is_hub_name
from slmmux.profiling._presets import preset_of
from slmmux.recording._questions import QuestionRow, question_row
from slmmux.recording._row import gold_without_nan

__all__ = ["Question", "Questions", "questions_of", "read_questions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a profile.

    Attributes:
        question_id: The question's id in the recording.
        question: The text, sent as the user's message.
        gold: The right answer, or a list of accepted ones. It is never sent, but selecting models needs it.
        dataset: The dataset that the question comes from.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    question_id: str
    question: str
    gold: Annotated[Any, AfterValidator(gold_without_nan)] = None
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


def read_questions(
    path: str | PathLike[str] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
    limit: int | None = None,
    seed: int | None = None,
    preset: str | None = None,
) -> tuple[Question, ...]:
    r"""Read questions from a JSON Lines, JSON, CSV or Parquet file, or from a Hugging Face data set.

    A file of this package has `{"question_id": ..., "question": ..., "gold": ...}` on each line. In other files these
    parts are found by their usual names, or by `fields`; options in a field of their own are added to the question with
    letters, and a gold answer that is an option's place becomes its letter. A question without an id gets one that is
    made of its text.

    Args:
        path: The file, or a data set as "hf:OWNER/NAME", "hf:OWNER/NAME:CONFIG" or "hf:OWNER/NAME:CONFIG:SPLIT"; a
            local folder may stand for the name.
        fields: The field of each part: `{"question": "prompt", "gold": "target"}`.
        limit: The number of questions to use; `None` uses all.
        seed: With `limit`, a random seed for the choice; `None` takes the first ones. GPQA's options are shuffled by it
            too.
        preset: A benchmark of the paper: "math500", "gpqa" or "gsm8k", whose data set is used if there is no path.

    Raises:
        ArgumentError: A line is not a question, an id occurs twice, or there are no questions; or a package is not
            installed.
        OSError: The file cannot be read.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "questions.csv")
        >>> _ = file.write_text('prompt,choices,answer\nWhich is a fish?,"[""otter"", ""trout""]",1\n')
        >>> question, = read_questions(file)
        >>> question.question, question.gold
        ('Which is a fish?\nA. otter\nB. trout', 'B')
    """
    benchmark = None if preset is None else preset_of(preset)
    source = benchmark.questions if path is None and benchmark is not None else path
    if source is None:
        raise ArgumentError("there are no questions; name a file, a data set or a preset")
    by_id: dict[str, Question] = {}
    for place, question, is_own in _questions(source, fields, seed or 0):
        if not is_own and by_id.get(question.question_id) == question:
            warnings.warn(f"{place}: the same question as before, left out", stacklevel=2)
        else:
            _add(by_id, question, place)
    questions = _not_empty(by_id, str(source))
    return questions if limit is None else _some(questions, limit, seed)


def _some(questions: Sequence[Question], limit: int, seed: int | None) -> tuple[Question, ...]:
    """Return the first questions or, with a seed, some at random, in their order."""
    if limit < 1:
        raise ArgumentError(f"limit must be a whole number of at least 1, received {limit!r}")
    if seed is None or limit >= len(questions):
        return tuple(questions[:limit])
    return tuple(questions[i] for i in sorted(random.Random(seed).sample(range(len(questions)), limit)))  # noqa: S311


def _questions(
    source: str | PathLike[str], fields: Mapping[str, str] | None, seed: int
) -> Iterator[tuple[str, Question, bool]]:
    """Yield each question with its place, and whether its id is its own."""
    field_map = checked_map(fields or {})
    path = Path(source)
    if is_hub_name(fspath(source)):
        rows: Iterable[tuple[str, Mapping[str, Any]]] = hub_rows(fspath(source))
    elif not field_map and kind_of(path) in {"json", None}:
        yield from _own_or_table(path, seed)
        return
    else:
        rows = rows_of(path)
    yield from _of_table(rows, field_map, seed, lists_as_texts=kind_of(path) == "csv")


def _own_or_table(path: Path, seed: int) -> Iterator[tuple[str, Question, bool]]:
    """Yield the questions of a JSON file: in this package's form if the first row is, else as a table."""
    items = json_items(path)
    first = next(items, None)
    if first is None or not _is_own(first[1]):
        yield from _of_table(rows_of(path), {}, seed, lists_as_texts=False)
        return
    for place, data in chain([first], items):
        try:
            yield place, _QUESTION.validate_json(data), True
        except ValidationError as error:
            fault = first_fault(error, "the line")
            raise ArgumentError(
                f'{place}: {fault}; write {{"question_id": "q1", "question": "2 + 2?", "gold": "4"}}'
            ) from None


def _is_own(data: bytes) -> bool:
    """Return whether a line is meant in this package's form, so that its faults are told in its terms."""
    try:
        row = from_json(data)
    except ValueError:
        return True
    if not isinstance(row, dict):
        return True
    # Benchmarks number their questions so too; they have other fields beside, such as options.
    return "question_id" in row and ("gold" in row or not row.keys() - {"question_id", "question", "dataset"})


def _of_table(
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    field_map: Mapping[str, Sequence[str]],
    seed: int,
    *,
    lists_as_texts: bool,
) -> Iterator[tuple[str, Question, bool]]:
    fields: Fields | None = None
    for place, row in rows:
        lettered = _gpqa(row, seed) if _GPQA[0] in row else row
        if fields is None:
            fields = fields_of(lettered, field_map, replies=False)
            if "question" not in fields.names:
                raise ArgumentError(
                    f"{place}: which field is the question is not clear from {', '.join(map(str, row))}; "
                    "name it with --map question=FIELD,gold=FIELD"
                )
        item = question_row(lettered, fields, place, lists_as_texts=lists_as_texts)
        yield place, _question(item, place), item.has_id


def _question(row: QuestionRow, place: str) -> Question:
    if row.question_id is None or row.question is None:
        raise ArgumentError(f"{place}: the row has no question; give each row a question, or leave it out")
    return Question(question_id=row.question_id, question=row.question, gold=row.gold, dataset=row.dataset)


_GPQA = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def _gpqa(row: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return a row of GPQA with its options in a random order, which is the same for one seed, and the letter."""
    options = [str(row[name]).strip() for name in _GPQA if row.get(name)]
    order = list(range(len(options)))
    number = str(row.get("Record ID") or row.get("Question"))
    random.Random(f"{seed} {number}").shuffle(order)  # noqa: S311 - an order, not a secret
    return {
        "question_id": number,
        "question": str(row.get("Question", "")).strip(),
        "choices": [options[i] for i in order],
        "gold": "ABCD"[order.index(0)],
        "dataset": row.get("dataset"),
    }


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
