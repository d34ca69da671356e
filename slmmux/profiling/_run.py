"""One profile: it joins the campaign that plans requests, the journal that writes samples, and the observer."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from slmmux._decision.race import check_samples
from slmmux._decision.types import Draw
from slmmux._errors import ProfilingError, RecordingError, SampleError, SampleTimeoutError
from slmmux.profiling._asker import Completion, MemberPool
from slmmux.profiling._campaign import Bounds, Campaign, PlannedRequest
from slmmux.profiling._journal import Journal
from slmmux.profiling._pressing import Pressing, bounds_of
from slmmux.profiling._questions import Question, Questions, questions_of
from slmmux.profiling._samples import Samples
from slmmux.recording import Recording
from slmmux.recording._row import Row

__all__ = ["Effort", "Run", "Watch", "check_questions"]

TRIAL = 3  # The requests of each member before the rest is estimated.
_LONGEST_WAIT_S = 3600.0  # Clocks and locks refuse longer waits, so the loop wakes up at least this often.


@dataclass(frozen=True, slots=True)
class Effort:
    """The remaining work for one member.

    Attributes:
        model: The member's label.
        requests: Requests still to make.
        samples: Samples still to come.
        there: Samples that are already in the file.
        tokens: Estimated input and output tokens of the rest, from the first few requests; `None` without token counts.
        seconds: Estimated seconds for the rest if the member ran alone, from the first few requests; `None` before
            the first.
    """

    model: str
    requests: int
    samples: int
    there: int
    tokens: int | None = None
    seconds: float | None = None


class Watch(Protocol):
    """An observer of a running profile."""

    def begins(self, efforts: Sequence[Effort]) -> None:
        """Receive the work ahead, before the first request."""
        ...

    def estimated(self, efforts: Sequence[Effort]) -> None:
        """Receive the estimate for the rest, made from the first few requests."""
        ...

    def came(self, model: str, samples: int, failed: int, tokens: int) -> None:
        """Receive the counts of samples that arrived."""
        ...

    def waits(self, model: str, error: BaseException) -> None:
        """Receive the fault after which a request will be tried again."""
        ...


class Run:
    """One profile, driven by a loop on threads or on tasks.

    In the trial, failures are not written at once: if a member fails in each of its first requests, the profile ends
    with an error, and a later run must find nothing of that member in the file.
    """

    def __init__(
        self,
        pool: MemberPool,
        questions: Questions,
        path: Path,
        watch: Watch | None,
        pressing: Pressing,
        *,
        trial_only: bool,
        retry_failed: bool = False,
    ) -> None:
        check_samples(pool.samples)
        self.most = pressing.get("max_concurrency", 64)
        self._pool = pool
        self._questions = questions_of(questions)
        self._watch = watch or _NoWatch()
        self._trial_only = trial_only
        self._retry_failed = retry_failed
        self._bounds = bounds_of(pool.samples, pressing)
        self._journal = Journal(path, pool.settings)
        try:
            self._resume(path)
            self._watch.begins(self._efforts())
        except BaseException:
            self._journal.__exit__(None, None, None)
            raise

    def _resume(self, path: Path) -> None:
        """Plan the samples that the file does not hold yet."""
        recording = self._journal.recording
        check_questions(path, recording, self._questions)
        pool = self._pool
        place_of = {question.question_id: i for i, question in enumerate(self._questions)}
        # A failed sample that is requested again is recorded again, as a later attempt; its earlier row stays.
        retried = [row for row in recording.rows if self._retry_failed and row.error is not None]
        self._attempts = {
            (row.question_id, Draw(row.model, row.sample_index)): (row.attempt or 1) + 1
            for row in retried
            if row.question_id in place_of and row.sample_index < pool.samples.get(row.model, 0)
        }
        done = {
            (place_of[row.question_id], draw)
            for row in recording.rows
            if row.question_id in place_of
            and (row.question_id, draw := Draw(row.model, row.sample_index)) not in self._attempts
        }
        self._campaign = Campaign(
            pool.samples, len(self._questions), done, pool.group, self._bounds, most=self.most, trial=TRIAL
        )
        self._counts_recorded = {model: sum(draw.model == model for _, draw in done) for model in pool.samples}
        self._alive = {row.model for row in recording.rows if row.error is None}
        self._trial_failures: list[tuple[Row, BaseException]] | None = []  # `None` once the trial is over
        self._samples = Samples(pool, self._questions, self._attempts)
        for row in recording.rows:
            self._samples.remember(row)
        self._start_times: dict[PlannedRequest, float] = {}
        self._spent: dict[str, _Spent] = {model: _Spent() for model in pool.samples}

    def __enter__(self) -> Self:
        self._journal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.__exit__(kind, error, trace)

    @property
    def recording(self) -> Recording:
        """All samples of the file; those written are not read a second time."""
        return self._journal.recording.continued(self._journal.rows)

    def text(self, request: PlannedRequest) -> str:
        """Return the question's text for a request."""
        return self._questions[request.question].question

    def goes_on(self) -> bool:
        """Return whether there are more requests; after the trial, report the estimate or raise."""
        if self._campaign.finished and self._trial_failures is not None:
            self._end_trial()
        return not self._campaign.finished

    def start(self) -> list[PlannedRequest]:
        """Return the requests to begin now."""
        now = time.monotonic()
        requests = self._campaign.start(now)
        self._start_times.update(dict.fromkeys(requests, now))
        return requests

    def wait(self) -> float | None:
        """Return the longest time to wait for a reply, in seconds; `None` for no limit."""
        wait = self._campaign.wait(time.monotonic())
        return None if wait is None else min(wait, _LONGEST_WAIT_S)

    def overdue(self, running: Iterable[PlannedRequest]) -> list[PlannedRequest]:
        """Return the running requests that are past their time-out, after recording each as failed."""
        pending = set(running)
        late = [request for request in self._campaign.overdue(time.monotonic()) if request in pending]
        for request in late:
            limit = self._bounds[request.model].timeout
            self.take(request, SampleTimeoutError(f"no reply within {limit:g} s"))
        return late

    def take(self, request: PlannedRequest, outcome: Sequence[Completion] | BaseException) -> None:
        """Record the samples of a request, or its failure if it is not tried again."""
        now = time.monotonic()
        latency = round(now - self._start_times.pop(request), 4)
        if not isinstance(outcome, BaseException) and not outcome and len(request.draws) == 1:
            outcome = RuntimeError("the member returned no completion")
        if isinstance(outcome, BaseException):
            if self._campaign.failed(request, outcome, now):
                self._watch.waits(request.model, outcome)
            else:
                self._keep([(self._samples.failed(request, draw, outcome, latency), outcome) for draw in request.draws])
            return
        completions = list(zip(request.draws, outcome, strict=False))
        self._campaign.came(request, len(completions))
        self._spent[request.model].add(latency, [completion for _, completion in completions])
        self._keep([self._samples.row(request, draw, completion, latency) for draw, completion in completions])

    def _keep(self, results: Sequence[tuple[Row, BaseException | None]]) -> None:
        rows: list[Row] = []
        for row, error in results:
            if error is None:
                self._alive.add(row.model)
            if error is not None and self._trial_failures is not None and row.model not in self._alive:
                self._trial_failures.append((row, error))
            else:
                rows.append(row)
        self._journal.write(rows)
        for row, error in results:
            tokens = (row.input_tokens or 0) + (row.output_tokens or 0)
            self._watch.came(row.model, 1, failed=int(error is not None), tokens=tokens)

    def _end_trial(self) -> None:
        failures, self._trial_failures = self._trial_failures or [], None
        dead = [SampleError(row.model, row.sample_index, e) for row, e in failures if row.model not in self._alive]
        self._journal.write(row for row, _ in failures if row.model in self._alive)
        if dead:
            raise ProfilingError(dead)
        self._watch.estimated(self._efforts())
        if not self._trial_only:
            self._campaign.go_on()

    def _efforts(self) -> list[Effort]:
        return [
            self._spent[model].effort(model, requests, samples, self._counts_recorded[model], self._bounds[model])
            for model, (requests, samples) in self._campaign.planned.items()
        ]


@dataclass(slots=True)
class _Spent:
    """The time and tokens that a member's requests took so far."""

    requests: int = 0
    seconds: float = 0.0
    samples: int = 0
    tokens: int = 0

    def add(self, latency: float, completions: Sequence[Completion]) -> None:
        self.requests += 1
        self.seconds += latency
        self.samples += len(completions)
        self.tokens += sum((each.input_tokens or 0) + (each.output_tokens or 0) for each in completions)

    def effort(self, model: str, requests: int, samples: int, recorded_before: int, bounds: Bounds) -> Effort:
        """Return the rest of the work, extrapolated from the average of the requests so far."""
        tokens = seconds = None
        if self.samples and self.tokens:
            tokens = round(self.tokens / self.samples * samples)
        if self.requests:
            each = max(self.seconds / self.requests / bounds.concurrency, bounds.interval)
            seconds = each * requests
        return Effort(model, requests, samples, recorded_before + self.samples, tokens, seconds)


class _NoWatch:
    """An observer that ignores everything."""

    def begins(self, efforts: Sequence[Effort]) -> None:
        pass

    def estimated(self, efforts: Sequence[Effort]) -> None:
        pass

    def came(self, model: str, samples: int, failed: int, tokens: int) -> None:
        pass

    def waits(self, model: str, error: BaseException) -> None:
        pass


def check_questions(path: Path, recording: Recording, questions: Sequence[Question]) -> None:
    by_id = {question.question_id: question for question in questions}
    for row in recording.rows:
        question = by_id.get(row.question_id)
        if question is None:
            continue
        for name, earlier, current in (
            ("text", row.question, question.question),
            ("gold answer", row.gold, question.gold),
        ):
            if earlier != current:
                raise RecordingError(
                    f"{path}: the {name} of question {row.question_id!r} was {earlier!r} and is {current!r}; "
                    "give the new question an id of its own, or write to a new file"
                )
