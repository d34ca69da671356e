"""One profile between its loop and its file: what is asked next, what is kept, and who looks on."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from slmmux._decision.race import check_samples
from slmmux._decision.types import Answer, Draw
from slmmux._errors import ProfilingError, RecordingError, SampleError, SampleTimeoutError, quote
from slmmux.profiling._asker import Asker, Came
from slmmux.profiling._campaign import Bounds, Campaign, Request
from slmmux.profiling._journal import Journal
from slmmux.profiling._pressing import Pressing, bounds_of
from slmmux.profiling._questions import Question, Questions, asked
from slmmux.recording import Recording
from slmmux.recording._row import Row, answer_of

__all__ = ["Effort", "Run", "Watch"]

_TRIAL = 3  # requests of each member before the rest is estimated
_LONGEST_WAIT_S = 3600.0  # a loop wakes up for nothing then: what clocks and locks take has an end


@dataclass(frozen=True, slots=True)
class Effort:
    """What is still to be done for one member.

    Attributes:
        model: Its label.
        requests: Requests still to make.
        samples: Samples still to come.
        there: Samples that the file holds already.
        tokens: About how many the rest will take, input and output, by the first few; `None` where none were counted.
        seconds: About how long the rest will take by itself, by the first few; `None` before any.
    """

    model: str
    requests: int
    samples: int
    there: int
    tokens: int | None = None
    seconds: float | None = None


class Watch(Protocol):
    """Who looks on while a profile runs."""

    def begins(self, efforts: Sequence[Effort]) -> None:
        """See what will be done, before it is."""
        ...

    def estimated(self, efforts: Sequence[Effort]) -> None:
        """See what the first few requests say of the rest."""
        ...

    def came(self, model: str, samples: int, failed: int, tokens: int) -> None:
        """See samples come in."""
        ...

    def waits(self, model: str, error: BaseException) -> None:
        """See that a request will be made again."""
        ...


class Run:
    """One profile between its loop and its file."""

    def __init__(
        self,
        asker: Asker,
        questions: Questions,
        path: Path,
        watch: Watch | None,
        pressing: Pressing,
        *,
        trial_only: bool,
    ) -> None:
        check_samples(asker.samples)
        self.most = pressing.get("max_concurrency", 64)
        self._asker = asker
        self._questions = asked(questions)
        self._watch = watch or _Nobody()
        self._trial_only = trial_only
        self._bounds = bounds_of(asker.samples, pressing)
        self._journal = Journal(path, asker.settings)
        try:
            self._resume(path)
            self._watch.begins(self._efforts())
        except BaseException:
            self._journal.__exit__(None, None, None)
            raise

    def _resume(self, path: Path) -> None:
        """Begin with what the file holds."""
        there = self._journal.recording
        _check_questions(path, there, self._questions)
        asker = self._asker
        place = {question.question_id: i for i, question in enumerate(self._questions)}
        done = {
            (place[row.question_id], Draw(row.model, row.sample_index))
            for row in there.rows
            if row.question_id in place
        }
        self._campaign = Campaign(
            asker.samples, len(self._questions), done, asker.group, self._bounds, most=self.most, trial=_TRIAL
        )
        self._there = {model: sum(draw.model == model for _, draw in done) for model in asker.samples}
        self._alive = {row.model for row in there.rows if row.error is None}
        self._held: list[tuple[Row, BaseException]] | None = []  # failures of the trial, until it is known what of
        self._answers: dict[tuple[str, str], dict[int, Answer]] = {}
        if asker.compare is not None:
            for row in there.rows:
                self._answered(row)
        self._begun: dict[Request, float] = {}
        self._seen: dict[str, _Seen] = {model: _Seen() for model in asker.samples}

    def __enter__(self) -> Self:
        self._journal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.__exit__(kind, error, trace)

    def text(self, request: Request) -> str:
        """Return what a request asks."""
        return self._questions[request.question].question

    def goes_on(self) -> bool:
        """Return whether there is more to do; between the trial and the rest, look at what the trial says."""
        if self._campaign.finished and self._held is not None:
            self._end_trial()
        return not self._campaign.finished

    def start(self) -> list[Request]:
        """Return the requests to begin now."""
        now = time.monotonic()
        requests = self._campaign.start(now)
        self._begun.update(dict.fromkeys(requests, now))
        return requests

    def wait(self) -> float | None:
        """Return the seconds to wait at most."""
        wait = self._campaign.wait(time.monotonic())
        return None if wait is None else min(wait, _LONGEST_WAIT_S)

    def overdue(self, waited_for: Iterable[Request]) -> list[Request]:
        """Return the requests to give up, of those that nothing came of yet."""
        pending = set(waited_for)
        late = [request for request in self._campaign.overdue(time.monotonic()) if request in pending]
        for request in late:
            limit = self._bounds[request.model].timeout
            self.take(request, SampleTimeoutError(f"no reply within {limit:g} s"))
        return late

    def take(self, request: Request, outcome: Sequence[Came] | BaseException) -> None:
        """Keep what a request brought, or its failure where it is not tried again."""
        now = time.monotonic()
        latency = round(now - self._begun.pop(request), 4)
        if not isinstance(outcome, BaseException) and not outcome and len(request.draws) == 1:
            outcome = RuntimeError("the member returned no completion")
        if isinstance(outcome, BaseException):
            if self._campaign.failed(request, outcome, now):
                self._watch.waits(request.model, outcome)
            else:
                self._keep([(self._row(request, draw, None, latency, outcome), outcome) for draw in request.draws])
            return
        brought = list(zip(request.draws, outcome, strict=False))
        self._campaign.came(request, len(brought))
        self._seen[request.model].add(latency, len(brought), brought)
        self._keep([self._read(request, draw, came, latency) for draw, came in brought])

    def _read(self, request: Request, draw: Draw, came: Came, latency: float) -> tuple[Row, BaseException | None]:
        try:
            answer = came.read()
            row = self._row(request, draw, came, latency, None, answer)
            if answer is not None and self._asker.compare is not None:
                others = self._answers.get((row.model, row.question_id), {})
                row = replace(row, alike=dict(self._asker.compare(answer, others)))
                self._answered(row)
        except Exception as error:  # noqa: BLE001 - an extractor's fault costs the sample, never the profile
            return self._row(request, draw, came, latency, error), error
        return row, None

    def _row(  # noqa: PLR0917 - a row's parts
        self,
        request: Request,
        draw: Draw,
        came: Came | None,
        latency: float,
        error: BaseException | None,
        answer: Answer | None = None,
    ) -> Row:
        question = self._questions[request.question]
        return Row(
            dataset=question.dataset,
            question_id=question.question_id,
            question=question.question,
            gold=question.gold,
            model=draw.model,
            sample_index=draw.index,
            answer=answer.value if answer else None,
            kind=answer.kind if answer else None,
            key=answer.key if answer else None,
            text=came.text if came else None,
            temperature=self._asker.settings["models"].get(draw.model, {}).get("temperature"),
            input_tokens=came.input_tokens if came else None,
            output_tokens=came.output_tokens if came else None,
            latency_s=latency,
            error=None if error is None else quote(error),
        )

    def _answered(self, row: Row) -> None:
        if (answer := answer_of(row)) is not None:
            self._answers.setdefault((row.model, row.question_id), {})[row.sample_index] = answer

    def _keep(self, read: Sequence[tuple[Row, BaseException | None]]) -> None:
        rows: list[Row] = []
        for row, error in read:
            if error is None:
                self._alive.add(row.model)
            if error is not None and self._held is not None and row.model not in self._alive:
                self._held.append((row, error))
            else:
                rows.append(row)
        self._journal.write(rows)
        for row, error in read:
            tokens = (row.input_tokens or 0) + (row.output_tokens or 0)
            self._watch.came(row.model, 1, failed=int(error is not None), tokens=tokens)

    def _end_trial(self) -> None:
        held, self._held = self._held or [], None
        dead = [SampleError(row.model, row.sample_index, e) for row, e in held if row.model not in self._alive]
        self._journal.write(row for row, _ in held if row.model in self._alive)
        if dead:
            raise ProfilingError(dead)
        self._watch.estimated(self._efforts())
        if not self._trial_only:
            self._campaign.go_on()

    def _efforts(self) -> list[Effort]:
        return [
            self._seen[model].effort(model, requests, samples, self._there[model], self._bounds[model])
            for model, (requests, samples) in self._campaign.planned.items()
        ]


@dataclass(slots=True)
class _Seen:
    """What a member's requests took so far."""

    requests: int = 0
    seconds: float = 0.0
    samples: int = 0
    tokens: int = 0

    def add(self, latency: float, samples: int, brought: Sequence[tuple[Draw, Came]]) -> None:
        self.requests += 1
        self.seconds += latency
        self.samples += samples
        self.tokens += sum((came.input_tokens or 0) + (came.output_tokens or 0) for _, came in brought)

    def effort(self, model: str, requests: int, samples: int, there: int, bounds: Bounds) -> Effort:
        tokens = seconds = None
        if self.samples and self.tokens:
            tokens = round(self.tokens / self.samples * samples)
        if self.requests:
            each = max(self.seconds / self.requests / bounds.concurrency, bounds.interval)
            seconds = each * requests
        return Effort(model, requests, samples, there + self.samples, tokens, seconds)


class _Nobody:
    """Looks away."""

    def begins(self, efforts: Sequence[Effort]) -> None:
        pass

    def estimated(self, efforts: Sequence[Effort]) -> None:
        pass

    def came(self, model: str, samples: int, failed: int, tokens: int) -> None:
        pass

    def waits(self, model: str, error: BaseException) -> None:
        pass


def _check_questions(path: Path, there: Recording, questions: Sequence[Question]) -> None:
    by_id = {question.question_id: question for question in questions}
    for row in there.rows:
        question = by_id.get(row.question_id)
        if question is None:
            continue
        for name, found, wanted in (
            ("text", row.question, question.question),
            ("gold answer", row.gold, question.gold),
        ):
            if found != wanted:
                raise RecordingError(
                    f"{path}: the {name} of question {row.question_id!r} was {found!r} and is {wanted!r}; "
                    "give the new question an id of its own, or write to a new file"
                )
