"""Samples kept on disk, and the same race fed from them.

A recording is JSON lines, one sample a line; nothing here writes one, calls a model or reads `gold`.
"""

import gzip
import json
import reprlib
import warnings
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TypeVar, cast

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from slmmux._errors import ArgumentError, NoAnswerError, RecordingError
from slmmux._race import Plan, Race, Wait, check_samples
from slmmux._types import Answer, Decision, Draw, Sample
from slmmux._vote import vote

__all__ = ["Recording", "Row", "replay"]

F = TypeVar("F")

_FORM = 'one JSON object a line, such as {"question_id": "q1", "model": "qwen", "sample_index": 0, "answer": "4"}'
_HEAD_FORM = 'as first line {"slmmux_recording": 1, "settings": {...}}; a higher version needs a newer slmmux'


def _no_nan(answer: Any) -> Any:
    if answer != answer:  # noqa: PLR0124 - only NaN differs from itself, and it would differ from every vote for it
        raise ValueError("no answer is null, never NaN")
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recorded sample.

    Attributes:
        question_id: Which question.
        model: The member's label.
        sample_index: Which of the member's samples, from 0.
        answer: What was read in the reply, text or any JSON value; `None` when nothing was.
        dataset: Where the question comes from.
        question: The question itself.
        gold: The right answer; read by whatever scores, never by what decides.
        text: The whole reply.
        temperature: What the sample was drawn at.
        input_tokens: Tokens of the request.
        output_tokens: Tokens of the reply.
        latency_s: Seconds the call took.
        error: Why the call failed. With one, even an empty one, the sample failed; without, it is a reply.

    Example:
        >>> Row(question_id="q1", model="qwen", sample_index=0, answer="4").answer
        '4'
    """

    # Strict: "0" is no index. Fields of others' making are passed over, so that a recording may carry more.
    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")

    question_id: str
    model: str
    sample_index: Annotated[int, Field(ge=0)]
    answer: Annotated[Any, AfterValidator(_no_nan)]
    dataset: str | None = None
    question: str | None = None
    gold: Any = None
    text: str | None = None
    temperature: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_s: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Head:
    """The optional first line: the format's version, and what the samples were made with."""

    __pydantic_config__ = ConfigDict(strict=True)

    slmmux_recording: Literal[1]
    settings: dict[str, Any] = field(default_factory=dict)


_ROW = TypeAdapter(
    Row
)  # validates straight from the line's bytes: 33 models x 10 samples x 479 questions in two seconds
_HEAD = TypeAdapter(_Head)


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded samples, made by `Recording.load(path)` or `Recording.of(rows)`.

    Attributes:
        rows: Every sample, in the order recorded.
        by_question: Samples by question and model, in sample_index order.
        models: The labels, in order of first appearance.
        settings: What the samples were made with, as far as the file says.

    Example:
        >>> recording = Recording.of(
        ...     Row(question_id="q1", model=model, sample_index=i, answer=answer)
        ...     for model, answers in {"qwen": ["4", "4"], "phi": ["5", "4"]}.items()
        ...     for i, answer in enumerate(answers)
        ... )
        >>> recording.models, recording.questions
        (('qwen', 'phi'), ('q1',))
    """

    rows: tuple[Row, ...]
    by_question: Mapping[str, Mapping[str, Sequence[Row]]]
    models: tuple[str, ...]
    settings: Mapping[str, Any]

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Recording":
        """Read a `.jsonl` or `.jsonl.gz` file.

        A last line that was cut off while it was written is dropped with a warning.

        Raises:
            RecordingError: A line that is no sample, a sample recorded twice, or a file that is no recording.
            OSError: The file cannot be opened.
        """
        path = Path(path)
        settings: dict[str, Any] = {}
        return cls._build(_lines(path, settings), settings, f"{path} line")

    @classmethod
    def of(cls, rows: Iterable[Row], settings: Mapping[str, Any] | None = None) -> "Recording":
        """Make a recording of rows already in memory.

        Raises:
            RecordingError: A sample occurs twice.
        """
        return cls._build(enumerate(rows), settings or {}, "row")

    @classmethod
    def _build(cls, placed: Iterable[tuple[int, Row]], settings: Mapping[str, Any], where: str) -> "Recording":
        rows: list[Row] = []
        models: dict[str, None] = {}
        index: dict[str, dict[str, dict[int, tuple[int, Row]]]] = {}
        for place, row in placed:
            samples = index.setdefault(row.question_id, {}).setdefault(row.model, {})
            before = samples.setdefault(row.sample_index, (place, row))
            if before[0] != place:
                raise RecordingError(
                    f"{where} {place}: sample {row.sample_index} of {row.model!r} for question {row.question_id!r} "
                    f"is already in {where} {before[0]}; give each sample of a model its own sample_index"
                )
            rows.append(row)
            models[row.model] = None
        ordered = {
            question: {model: tuple(samples[i][1] for i in sorted(samples)) for model, samples in by_model.items()}
            for question, by_model in index.items()
        }
        return cls(tuple(rows), ordered, tuple(models), settings)

    @property
    def questions(self) -> tuple[str, ...]:
        """The question ids, in order of first appearance."""
        return tuple(self.by_question)


def replay(
    recording: Recording,
    models: Sequence[str],
    samples: int | Mapping[str, int] | None = None,
    *,
    plan: Plan = "parallel",
    wait: Wait = "settled",
    same: Callable[[Any, Any], bool] | None = None,
) -> dict[str, Decision[Row | None]]:
    """Decide every recorded question as the live mux would have, without a call.

    Args:
        recording: Where the samples are.
        models: The members by rank, best first.
        samples: k, or k by label: the first k by `sample_index`, those missing counting as failed. `None`: as many
            as were recorded of the member for any question.
        plan: As for `Race`.
        wait: As for `Race`; "exhausted" gives the exact confidence.
        same: Whether two answers are equal. Without it they are compared as recorded. Where it is not transitive an
            answer joins the first class, in index order, whose first answer it equals.

    Returns:
        The decision by question id. Where every sample failed its answer and reply are `None` and its confidence is 0.

    Raises:
        ArgumentError: No or unknown or repeated models, or a k that was not recorded.

    Example:
        >>> rows = [Row(question_id="q1", model=m, sample_index=0, answer=a) for m, a in (("qwen", "4"), ("phi", None))]
        >>> replay(Recording.of(rows), models=["phi", "qwen"])["q1"].winner.model
        'qwen'
    """
    planned = _planned(recording, models, samples)
    return {
        question: _replay_one(by_model, planned, plan, wait, same)
        for question, by_model in recording.by_question.items()
    }


def _replay_one(
    by_model: Mapping[str, Sequence[Row]],
    planned: Mapping[str, int],
    plan: Plan,
    wait: Wait,
    same: Callable[[Any, Any], bool] | None,
) -> Decision[Row | None]:
    taken = {model: by_model.get(model, ())[:k] for model, k in planned.items()}
    answers = {(row.model, row.sample_index): answer for rows in taken.values() for row, answer in _read(rows, same)}
    rows = {Draw(model, i): row for model, recorded in taken.items() for i, row in enumerate(recorded)}
    race = Race[Row | None](
        planned, lambda row: answers.get((row.model, row.sample_index)) if row else None, plan=plan, wait=wait
    )
    try:
        while (decision := race.decision) is None:
            for draw in race.ask():
                if (row := rows.get(draw)) is None:
                    race.fail(draw, LookupError("not recorded"))
                elif row.error is not None:
                    race.fail(draw, RuntimeError(row.error))
                else:
                    race.tell(draw, row)
    except NoAnswerError as nothing:
        return _no_reply(planned, nothing)
    return decision


def _no_reply(planned: Mapping[str, int], nothing: NoAnswerError) -> Decision[Row | None]:
    """A table of questions must not end at the one that every call failed on: the rank decides there too."""
    samples: tuple[Sample[Row | None], ...] = tuple(
        Sample(Draw(error.model, error.index), error=error.cause) for error in nothing.errors
    )
    votes = tuple(vote(model, (s for s in samples if s.draw.model == model), k) for model, k in planned.items())
    return Decision(
        winner=votes[0],
        votes=votes,
        reply=None,
        sample=samples[0].draw,
        decided_by="rank",
        reason="exhausted",
        samples=samples,
        unused=(),
    )


def _read(rows: Sequence[Row], same: Callable[[Any, Any], bool] | None) -> Iterator[tuple[Row, Answer]]:
    """Give each answer of one member, in index order, the key of its class."""
    classes: dict[str, str] = {}  # an answer as recorded: its class, named by the class's first answer
    firsts: dict[str, Any] = {}
    for row in rows:
        if row.error is None and row.answer is not None:
            key = json.dumps(row.answer, sort_keys=True)  # text "4" and number 4 differ, as they do in the file
            if key not in classes:
                classes[key] = next((c for c, first in firsts.items() if same and same(first, row.answer)), key)
                firsts.setdefault(classes[key], row.answer)
            yield row, Answer(row.answer, "recorded", classes[key])


def _planned(recording: Recording, models: Sequence[str], samples: int | Mapping[str, int] | None) -> dict[str, int]:
    labels = [models] if isinstance(models, str) else list(models)
    if not labels:
        raise ArgumentError("no models: name at least one model of the recording, best first")
    for i, label in enumerate(labels):
        if label not in recording.models:
            near = get_close_matches(str(label), recording.models, n=1, cutoff=0.5)
            there = f"did you mean {near[0]!r}?" if near else f"recorded are {', '.join(map(repr, recording.models))}"
            raise ArgumentError(f"no model {label!r} in this recording; {there}")
        if label in labels[:i]:
            raise ArgumentError(f"model {label!r} is listed twice; name each member once, best first")
    recorded = {m: max(len(by_model.get(m, ())) for by_model in recording.by_question.values()) for m in labels}
    if isinstance(samples, Mapping):
        if strange := [m for m in samples if m not in recorded]:
            raise ArgumentError(
                f"samples names {strange[0]!r}, which is not among models; leave it out or add it there"
            )
        if silent := [m for m in recorded if m not in samples]:
            raise ArgumentError(f"samples names no k for {silent[0]!r}; give one for each of models")
        planned = {m: samples[m] for m in recorded}
    else:
        planned = recorded if samples is None else dict.fromkeys(recorded, samples)
    check_samples(planned)
    for label, k in planned.items():
        if k > recorded[label]:
            raise ArgumentError(
                f"samples={k} for {label!r}, but only {recorded[label]} were recorded of it; take at most that many"
            )
    return planned


def _lines(path: Path, settings: dict[str, Any]) -> Iterator[tuple[int, Row]]:
    """Yield each row with its line number; the first line's settings go into `settings`."""
    number = 0
    with _open(path) as lines:
        try:
            for number, raw in enumerate(lines, 1):
                line = raw.removeprefix(BOM_UTF8)
                if number == 1 and _is_json(line, key="slmmux_recording"):
                    settings.update(_validated(_HEAD, line, f"{path} line 1", _HEAD_FORM).settings)
                elif line.isspace():
                    continue
                elif line.endswith(b"\n") or _is_json(line):
                    yield number, _validated(_ROW, line, f"{path} line {number}", _FORM)
                else:  # cut off while it was written; only the last line can be without its end
                    warnings.warn(f"{path} line {number}: cut off while it was written, dropped", stacklevel=4)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RecordingError(
                f"{path} after line {number}: not gzip, or cut short ({error}); copy it again"
            ) from error


def _open(path: Path) -> BinaryIO:
    if path.name.endswith(".jsonl"):
        return path.open("rb")
    if path.name.endswith(".jsonl.gz"):
        return cast(BinaryIO, gzip.open(path))
    raise RecordingError(f"{path}: a recording is a .jsonl or .jsonl.gz file; rename or convert it")


def _is_json(line: bytes, *, key: str = "") -> bool:
    """Return whether a line is whole, and has `key` where one is asked for."""
    try:
        value = from_json(line)
    except ValueError:
        return False
    return not key or (isinstance(value, dict) and key in value)


def _validated(form: TypeAdapter[F], line: bytes, where: str, write: str) -> F:
    try:
        return form.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(map(str, first["loc"]))
        found = first["input"] if at else line.decode(errors="replace").strip()
        what = first["msg"].replace("at line 1 column", "at column")  # the file's line is another
        raise RecordingError(
            f"{where}: {at or 'the line'}: {what}, found {reprlib.repr(found)}; write {write}"
        ) from None
