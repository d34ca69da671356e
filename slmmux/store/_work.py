"""A worker: takes tasks of its members from the store, makes their requests, and writes each with its samples.

Each member has a thread of its own, which plans requests with the state machine of a profile. Leases are renewed beside
it. A worker may be killed, frozen or cut off at any moment: its tasks fall to others when their leases run out.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

from slmmux._decision.passing import retry_after
from slmmux._decision.pool import Pool
from slmmux._decision.types import Draw
from slmmux._errors import ArgumentError, ProfilingError, SampleError, SampleTimeoutError
from slmmux.profiling import Completion, MemberPool
from slmmux.profiling._campaign import Bounds, Campaign, PlannedRequest
from slmmux.profiling._journal import changes_of
from slmmux.profiling._run import TRIAL
from slmmux.profiling._samples import Samples
from slmmux.recording._prices import PRICES
from slmmux.recording._row import Row
from slmmux.store._store import Request, Store, Task

__all__ = ["work"]

_AHEAD = 2  # tasks that are taken for each place of a member
_POLL_S = 1.0
_TICK_S = 0.5
_SHORTEST_PAUSE_S = 1.0


def work(
    store: Store,
    pool: MemberPool,
    members: Iterable[str] | None = None,
    *,
    concurrency: int | Mapping[str, int] = 4,
    retries: int = 5,
    timeout: float | None = None,
    worker: str | None = None,
    came: Callable[[str, int, int], None] | None = None,
) -> int:
    """Do tasks of some members until none of theirs is left; return the number of samples that this worker wrote.

    Args:
        store: The campaign.
        pool: The members that can be asked here, with the campaign's settings.
        members: The labels to work on; `None` means all of the pool.
        concurrency: Requests at once for each member, or by label, in this worker.
        retries: Retries per request, after temporary faults.
        timeout: Seconds per request; `None` for the member's own limit.
        worker: The worker's name in `status`; by default the machine and the process.
        came: Called with the label, the samples written and the failed ones, after each request.

    Raises:
        ArgumentError: The store holds no plan, a label is unknown, or the settings are not those of the plan.
        ProfilingError: A member failed in each of its first requests here, and in those of all other workers; the
            worker's other members were worked on all the same.
    """
    store.check()
    labels = _labels(store, pool, members)
    name = worker or f"{socket.gethostname()}-{os.getpid()}"
    run = _Worker(store, pool, f"{name} {uuid.uuid4().hex[:8]}", came)
    bounds = {
        label: Bounds(concurrency if isinstance(concurrency, int) else concurrency[label], 0.0, retries, timeout)
        for label in labels
    }
    threads = [
        threading.Thread(target=run.member, args=(label, bounds[label]), daemon=True, name=f"member {label}")
        for label in labels
    ]
    renewal = threading.Thread(target=run.renewal, daemon=True, name="renewal")
    for thread in (*threads, renewal):
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(_TICK_S)  # in short waits, which an interrupt ends
    finally:
        run.stop.set()
        for thread in threads:
            thread.join(_POLL_S)
        with suppress(ArgumentError):  # Without the database, which is not waited for, the leases end by themselves.
            store.release(run.name, patience=0.0)
    if run.errors:
        raise run.errors[0]
    if run.dead:
        raise ProfilingError(run.dead)
    return run.written


def _labels(store: Store, pool: MemberPool, members: Iterable[str] | None) -> list[str]:
    planned = store.samples
    labels = [*pool.samples] if members is None else [*members]
    for label in labels:
        if label not in planned:
            raise ArgumentError(f"the plan has no member {label!r}; its members are {', '.join(map(repr, planned))}")
        if label not in pool.samples:
            raise ArgumentError(f"no member {label!r} can be asked here; the members are {', '.join(pool.samples)}")
    earlier, here = store.settings, _plain(pool.settings)
    for settings in (earlier, here):
        settings.pop(PRICES, None)  # they change no sample, and a worker has those of its own members alone
    mine = {**earlier, "models": {label: earlier["models"][label] for label in labels}}
    own = {**here, "models": {label: here.get("models", {}).get(label, {}) for label in labels}}
    changes = [*changes_of(mine, own)]
    changes += [
        f"samples of {label} was {planned[label]} and is {pool.samples[label]}"
        for label in labels
        if pool.samples[label] != planned[label]
    ]
    if changes:
        raise ArgumentError(f"the plan was made with other settings: {'; '.join(changes[:5])}; set them back")
    return labels


def _plain(settings: Mapping[str, object]) -> dict[str, dict[str, object]]:
    plain: dict[str, dict[str, object]] = json.loads(json.dumps(settings))  # as read back from the store
    return plain


class _StoppedError(Exception):
    """A request that was waiting for its turn when the worker stopped: it was never made."""


class _Worker:
    """The threads of one worker, which share its counts."""

    def __init__(self, store: Store, pool: MemberPool, name: str, came: Callable[[str, int, int], None] | None) -> None:
        self.name = name
        self.stop = threading.Event()
        self.written = 0
        self.errors: list[BaseException] = []
        self.dead: list[SampleError] = []
        self.store = store
        self.pool = pool
        self._came = came
        self.samples = store.samples
        self._keeps_texts = store.keeps_texts
        self._lease = store.lease
        self._lock = threading.Lock()

    def renewal(self) -> None:
        """Renew the leases until the worker ends."""
        while not self.stop.wait(self._lease / 3):
            try:
                self.store.renew(self.name, self._lease)
            except ArgumentError:
                return  # The members' threads meet the same fault, and report it.

    def member(self, label: str, bounds: Bounds) -> None:
        """Do the tasks of one member."""
        threads = Pool(bounds.concurrency)
        try:
            trial = None if self.store.is_alive(label) else _Trial()
            while not self.stop.is_set():
                most = _AHEAD * bounds.concurrency if trial is None else 1
                is_lost = trial is not None and trial.is_lost
                tasks = [] if is_lost else self.store.take(self.name, label, most, self._lease)
                if tasks:
                    trial = _Round(self, label, bounds, tasks, threads, trial).run()
                elif trial is not None and trial.failures:
                    if not self._succeeds_elsewhere(label):
                        self._give_up(label, trial)
                        return
                    self.write_trial(trial)
                    trial = None
                elif self.store.left([label]):
                    self.stop.wait(_POLL_S)  # others work on the rest, and may not live to finish it
                else:
                    return
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self.errors.append(error)
            self.stop.set()

    def _succeeds_elsewhere(self, label: str) -> bool:
        """Return whether a member that only failed here succeeds in another worker, after those that ask it now."""
        self.store.release(self.name, label)  # first: two workers must not wait for each other's leases
        while not self.stop.is_set():
            is_leased = self.store.is_leased(label)  # before the look at the replies, which may be the last
            if self.store.is_alive(label):
                return True
            if not is_leased:
                return False
            self.stop.wait(_POLL_S)
        return False

    def _give_up(self, label: str, trial: "_Trial") -> None:
        with self._lock:
            self.dead += [
                SampleError(label, row.sample_index, error) for _, _, rows, error in trial.failures for row in rows[:1]
            ]

    def wait_for_turn(self, label: str) -> None:
        """Reserve a place in the row of all workers' requests of a member, and wait for it."""
        wait = self.store.reserve(label)
        if wait and self.stop.wait(wait):
            raise _StoppedError

    def write_trial(self, trial: "_Trial") -> None:
        """Write the failures of a member that turned out to be alive."""
        for task, seconds, rows, _ in trial.failures:
            self.write(task, seconds, rows)

    def write(self, task: Task, seconds: float, rows: Sequence[Row]) -> None:
        kept = rows if self._keeps_texts else [replace(row, text=None) for row in rows]
        twice = self.store.write(self.name, task, Request(uuid.uuid4().hex, seconds), kept, self.samples[task.model])
        with self._lock:
            self.written += len(rows) - twice
        if self._came is not None:
            self._came(task.model, len(rows), sum(row.error is not None for row in rows))


class _Trial:
    """The failures of a member of which no request has succeeded yet; they are written only once one has."""

    def __init__(self) -> None:
        self.failures: list[tuple[Task, float, list[Row], BaseException]] = []

    @property
    def is_lost(self) -> bool:
        """Whether the member failed in each of its first requests."""
        return len(self.failures) >= TRIAL


class _Round:
    """The requests of some leased tasks of one member."""

    def __init__(  # noqa: PLR0917
        self, worker: _Worker, label: str, bounds: Bounds, tasks: Sequence[Task], threads: Pool, trial: _Trial | None
    ) -> None:
        self.trial = trial
        self._worker = worker
        self._label = label
        self._timeout = bounds.timeout
        self._tasks = tasks
        self._threads = threads
        self._samples = Samples(worker.pool, [task.question for task in tasks])
        for task in tasks:
            for row in task.rows:
                self._samples.remember(row)
        done = {(i, Draw(label, row.sample_index)) for i, task in enumerate(tasks) for row in task.rows}
        self._campaign = Campaign(
            {label: worker.samples[label]},
            len(tasks),
            done,
            worker.pool.group,
            {label: replace(bounds, timeout=None)},  # a call's time begins with its turn, which is not planned
            most=bounds.concurrency,
        )
        self._arrivals: SimpleQueue[PlannedRequest] = SimpleQueue()
        self._running: dict[PlannedRequest, Future[Sequence[Completion]]] = {}
        self._begins: dict[PlannedRequest, float] = {}  # of the calls whose turn has come

    def run(self) -> _Trial | None:
        """Make the requests; return the trial if the member is still in it."""
        try:
            while not self._campaign.finished and not self._worker.stop.is_set():
                if self.trial is not None and self.trial.is_lost:
                    break
                for request in self._campaign.start(time.monotonic()):
                    self._start(request)
                wait = self._campaign.wait(time.monotonic())
                with suppress(Empty):
                    request = self._arrivals.get(timeout=_TICK_S if wait is None else min(wait, _TICK_S))
                    if request in self._running:
                        future = self._running.pop(request)
                        error = future.exception()
                        if isinstance(error, _StoppedError):
                            break
                        self._take(request, future.result() if error is None else error)
                self._end_late()
        finally:
            self._threads.abandon(*self._running.values())
        return self.trial

    def _start(self, request: PlannedRequest) -> None:
        self._running[request] = future = self._threads.submit(lambda: self._call(request))
        future.add_done_callback(lambda _: self._arrivals.put(request))

    def _call(self, request: PlannedRequest) -> Sequence[Completion]:
        self._worker.wait_for_turn(self._label)
        self._begins[request] = time.monotonic()
        return self._worker.pool.call(self._tasks[request.question].question.question, request.draws)

    def _end_late(self) -> None:
        if self._timeout is None:
            return
        now = time.monotonic()
        for late, future in [*self._running.items()]:
            if now - self._begins.get(late, now) >= self._timeout and not future.done():
                self._threads.abandon(self._running.pop(late))
                self._take(late, SampleTimeoutError(f"no reply within {self._timeout:g} s"))

    def _take(self, request: PlannedRequest, outcome: Sequence[Completion] | BaseException) -> None:
        now = time.monotonic()
        seconds = round(now - self._begins.get(request, now), 4)
        task = self._tasks[request.question]
        if not isinstance(outcome, BaseException) and not outcome and len(request.draws) == 1:
            outcome = RuntimeError("the member returned no completion")
        error: BaseException | None
        if isinstance(outcome, BaseException):
            if self._campaign.failed(request, outcome, now):
                self._worker.store.pause(self._label, retry_after(outcome) or _SHORTEST_PAUSE_S)
                return
            error = outcome
            rows = [self._samples.failed(request, draw, outcome, seconds) for draw in request.draws]
        else:
            pairs = list(zip(request.draws, outcome, strict=False))
            self._campaign.came(request, len(pairs))
            results = [self._samples.row(request, draw, completion, seconds) for draw, completion in pairs]
            rows = [row for row, _ in results]
            # Replies of which not one can be read are failures, too.
            errors = [fault for _, fault in results if fault is not None]
            error = errors[0] if len(errors) == len(results) > 0 else None
        if self.trial is not None:
            if error is not None and not self._worker.store.is_alive(self._label):
                self.trial.failures.append((task, seconds, rows, error))
                return
            self._worker.write_trial(self.trial)
            self.trial = None
        self._worker.write(task, seconds, rows)
