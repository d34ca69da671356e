"""The only waiting: `drive` runs a race on threads, `adrive` on tasks.

Both are the same loop around `Race` and `_Requests`: begin the requests of the race's draws, tell the race the replies,
stop at the decision. They know neither plans nor rules nor models.

A request passes through these stages, and only the last one is a call:

    waiting for the budget, for a place in the window, for a rate limiter (`pace`): none of this is time of the call
    or a call at all. A request that is still here at the decision never begins;
    running: it has a place, its time-out is counted, and it can only be abandoned. Tasks are cancelled and awaited;
    threads cannot be stopped, and go on in their places. `Decision.abandoned` lists both.

A request that failed by a fault that passes may go back to the first stage (`retries`), and waits there like a paced
one.

Two threads meet in `_Requests.begin`: the request's own, which wants to begin, and the driver's, which has the
decision. A lock decides which of them is first, so that a request either never begins or is listed as abandoned.

A reply is read by the driver itself if that takes no time worth mentioning. If its equality is not a key, or if
`beside` says so, it is read on a thread (`Readings`): always for an event loop, and under a deadline for a driver on
threads. At the deadline the race is told the replies that arrived and were not read, as abstentions.

Members' errors are told to the race instead of being raised. What the drivers raise themselves (NoAnswerError, or a
KeyboardInterrupt of the user) is raised outside of any `except` clause, so that it does not carry a member's error,
which may quote a secret, as its context.
"""

import asyncio
import heapq
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

from slmmux._decision.budget import Budget
from slmmux._decision.clock import LONGEST_S, Clock, call_end
from slmmux._decision.pool import Pool, report_late
from slmmux._decision.race import Race, Verdict
from slmmux._decision.reading import Compare, Readings, verdict_on
from slmmux._decision.retries import OnceMoreError, retry_delay
from slmmux._decision.types import Decision, Draw, Draws, Sample
from slmmux._decision.window import Place, Window
from slmmux._errors import SampleTimeoutError

__all__ = ["Compare", "Draws", "GroupDraws", "adrive", "drive", "one_by_one"]

R = TypeVar("R")
F = TypeVar("F", Future[Any], "asyncio.Task[Any]")

# Requests that ended or began, or nothing at all: each of them wakes the driver.
_Arrivals: TypeAlias = "SimpleQueue[Draws] | asyncio.Queue[Draws]"
# Puts draws into requests.
GroupDraws: TypeAlias = Callable[[Sequence[Draw]], list[Draws]]

_log = logging.getLogger("slmmux")

# A task that is cancelled ends within milliseconds. One that swallows its cancellation must not hold the answer back.
_GRACE_S = 0.5
# Requests of one member that are begun or wait for a place; more of them wait here, where they cost next to nothing.
_MOST_OPEN = 256
# The longest single wait: the clocks of threads cannot count further than some weeks on some systems.
_LONGEST_WAIT_S = 86_400.0


def one_by_one(draws: Sequence[Draw]) -> list[Draws]:
    """Put each draw into a request of its own, for members that return one completion a request."""
    return [(draw,) for draw in draws]


def drive(
    race: Race[R],
    call: Callable[[Draws], Sequence[R]],
    *,
    pool: Pool,
    group: GroupDraws = one_by_one,
    compare: Compare | None = None,
    timeout: float | None = None,
    deadline: float | None = None,
    budget: Budget | None = None,
    pace: Callable[[Draws], float] | None = None,
    observe: Callable[[Sample[R]], None] | None = None,
    late: Callable[[Draws, Sequence[R]], None] | None = None,
    resting: Mapping[str, BaseException] | None = None,
    beside: Callable[[R], bool] | None = None,
    retries: Mapping[str, int] | None = None,
    left: Callable[[Mapping[Draws, int]], None] | None = None,
) -> Decision[R]:
    """Run a race on threads and return its decision.

    Requests that have not begun at the decision never begin. Running ones cannot be stopped: they end on daemon
    threads, hold their places in the pool until then, and are listed in `Decision.abandoned`.

    Args:
        race: A race that has not begun.
        call: Makes one request and returns a reply for each of its draws, all of one member. Draws without a reply are
            requested again, one by one. After an `OnceMoreError` it is called a second time with the same draws.
        pool: The threads; sharing a pool limits the calls of several races together.
        group: Puts draws into requests; the default makes one request for each draw.
        compare: For an equality that is not a key: receives an answer and {index: answer} of its member's earlier
            samples, and returns {index: similarity} of those that agree. If it raises, the sample fails.
        timeout: The seconds that a call may run; then its samples fail. Time in a queue does not count.
        deadline: The seconds until the decision falls with the samples that arrived.
        budget: The limit on calls or tokens; if no further request fits, the decision falls with the samples that
            arrived.
        pace: A rate limiter: returns the seconds that a request still has to wait, or 0 to begin it now. A waiting
            request is no call yet: it holds no place, and never begins after the decision.
        observe: Called with each `Sample` as it is counted; late samples are not. Its exceptions are logged.
        late: Called with the draws and the replies of a request that ends after its samples were given up (by the
            decision, or by `timeout`), to count their cost.
        resting: Members that are not asked, each with the error that its samples fail with.
        beside: Whether a reply may take long to read, so that under a deadline it is read on a thread.
        retries: How often a call of each member is made again if its fault passes; see `retry_delay`. The wait is
            neither a call nor time of one.
        left: Called with the requests that run when the race ends, by a decision or otherwise, and how often each was
            begun.

    Raises:
        NoAnswerError: There is not a single reply.

    Example:
        >>> from slmmux._decision.types import Answer
        >>> race = Race({"a": 3}, read=lambda text: Answer(text, "text", text))
        >>> drive(race, lambda draws: ["yes" for _ in draws], pool=Pool(3)).winner.answer
        'yes'
    """
    arrivals: SimpleQueue[Draws] = SimpleQueue()
    running: dict[Draws, Future[Sequence[R] | _Paced]] = {}
    clock = Clock(deadline)
    # Without a deadline nobody has to be free to look at the clock, and this thread reads everything itself.
    has_deadline = clock.left is not None
    readings = Readings(race, compare, pool.readers, clock.end, lambda: arrivals.put(())) if has_deadline else None
    requests = _Requests(
        race,
        group,
        budget,
        pace,
        observe,
        resting=resting,
        timeout=timeout,
        clock=clock,
        wake=arrivals.put,
        window=pool.window,
        compare=compare,
        readings=readings,
        beside=beside,
        retries=retries,
        is_cancellable=False,
    )

    def submit(draws: Draws) -> None:
        def run(place: Place) -> Sequence[R] | _Paced:
            if (paced := requests.begin(draws, place)) is not None:
                return paced
            try:
                replies = call(draws)
            except BaseException as error:
                place.note(error)
                raise
            place.note()
            return replies

        running[draws] = future = pool.submit_with_place(run, draws[0].model)
        future.add_done_callback(lambda _: arrivals.put(draws))

    pool.window.enter(requests.models)
    try:
        while True:
            for draws in requests.next():
                submit(draws)
            if (decision := race.decision) is not None:
                return requests.completed(decision)
            try:
                draws = arrivals.get(timeout=requests.longest_wait(running))
            except Empty:
                draws = ()
            requests.take(draws, arrivals, running)
            lost = [(draws, running.pop(draws)) for draws in requests.expire(running)]
            _report(lost, late)
            pool.abandon(*(future for _, future in lost))
    finally:
        # Close first: a place that comes free from here on must not start one of our own queued requests.
        begun = requests.close()
        if left is not None:
            left(begun)
        _report([(draws, future) for draws, future in running.items() if draws in begun], late)
        pool.abandon(*running.values())
        pool.window.leave(requests.models)


async def adrive(
    race: Race[R],
    call: Callable[[Draws], Awaitable[Sequence[R]]],
    *,
    slots: asyncio.Semaphore | Pool,
    group: GroupDraws = one_by_one,
    compare: Compare | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - a call's own limit, not this function's
    deadline: float | None = None,
    budget: Budget | None = None,
    pace: Callable[[Draws], float] | None = None,
    observe: Callable[[Sample[R]], None] | None = None,
    late: Callable[[Draws, Sequence[R]], None] | None = None,
    resting: Mapping[str, BaseException] | None = None,
    beside: Callable[[R], bool] | None = None,
    retries: Mapping[str, int] | None = None,
    left: Callable[[Mapping[Draws, int]], None] | None = None,
) -> Decision[R]:
    """Run a race on tasks and return its decision; the arguments and errors are the same as for `drive`.

    When it returns, raises or is cancelled, every task that it started has been cancelled and awaited.

    Args:
        race: A race that has not begun.
        call: Makes one request, as for `drive`.
        slots: Calls at once. A `Pool` limits the calls of all threads and event loops that share it, and shares the
            places out between members; a semaphore limits those of one event loop.
        group: Puts draws into requests.
        compare: As for `drive`; it is called on a thread.
        timeout: The seconds that a call may run.
        deadline: The seconds until the decision falls with the samples that arrived.
        budget: The limit on calls or tokens.
        pace: A rate limiter, as for `drive`.
        observe: Called on the event loop with each `Sample` as it is counted.
        late: Called with the draws and replies of a request that ends after its samples were given up.
        resting: Members that are not asked, each with the error that its samples fail with.
        beside: Whether a reply may take long to read, so that it is read on a thread.
        retries: How often a call of each member is made again if its fault passes.
        left: Called with the requests that run when the race ends, before they are cancelled, and how often each was
            begun.
    """
    arrivals: asyncio.Queue[Draws] = asyncio.Queue()
    running: dict[Draws, asyncio.Task[Sequence[R] | _Paced]] = {}
    cancelled: list[asyncio.Task[Sequence[R] | _Paced]] = []
    pool = slots if isinstance(slots, Pool) else None
    window = pool.window if pool is not None else None
    clock = Clock(deadline)
    loop = asyncio.get_running_loop()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed, and with it this race is over
            loop.call_soon_threadsafe(arrivals.put_nowait, ())

    requests = _Requests(
        race,
        group,
        budget,
        pace,
        observe,
        resting=resting,
        timeout=timeout,
        clock=clock,
        wake=arrivals.put_nowait,
        window=window,
        compare=compare,
        readings=Readings(race, compare, (pool or _spare).readers, clock.end, wake),
        beside=beside,
        retries=retries,
        is_cancellable=True,
    )

    def start(draws: Draws) -> None:
        running[draws] = task = asyncio.create_task(_call_in(slots, requests, call, draws))
        task.add_done_callback(lambda _: arrivals.put_nowait(draws))

    if window is not None:
        window.enter(requests.models)
    try:
        while True:
            for draws in requests.next():
                start(draws)
            if (decision := race.decision) is not None:
                return requests.completed(decision)
            try:
                draws = await asyncio.wait_for(arrivals.get(), requests.longest_wait(running))
            except TimeoutError:
                draws = ()
            requests.take(draws, arrivals, running)
            lost = [(draws, running.pop(draws)) for draws in requests.expire(running)]
            _report(lost, late)
            for _, task in lost:
                task.cancel()
                cancelled.append(task)
    finally:
        begun = requests.close()
        if left is not None:
            left(begun)
        _report([(draws, task) for draws, task in running.items() if draws in begun], late)
        if window is not None:
            window.leave(requests.models)
        await _end([*cancelled, *running.values()], clock)


async def _call_in(
    slots: asyncio.Semaphore | Pool,
    requests: "_Requests[R]",
    call: Callable[[Draws], Awaitable[Sequence[R]]],
    draws: Draws,
) -> "Sequence[R] | _Paced":
    """Wait for a place and make one request in it."""
    if isinstance(slots, Pool):
        place = await slots.place(draws[0].model)
        try:
            if (paced := requests.begin(draws, place)) is not None:
                return paced
            replies = await call(draws)
        except BaseException as error:
            place.note(error)
            raise
        else:
            place.note()
            return replies
        finally:
            slots.give_back(place)
    async with slots:
        return await call(draws) if (paced := requests.begin(draws)) is None else paced


async def _end(tasks: "Collection[asyncio.Task[Any]]", clock: Clock) -> None:
    """Cancel tasks and wait until they have ended, but no longer than a grace: a member may swallow its cancellation.

    Such a task goes on by itself until its member lets go of it.
    """
    for task in tasks:
        task.cancel()
    if tasks:
        # Even past the deadline a task has a moment to end in.
        grace = _GRACE_S if clock.left is None else min(_GRACE_S, max(clock.left, _GRACE_S / 5))
        ended, others = await asyncio.wait(tasks, timeout=grace)
        for task in ended:
            _forget(task)
        for task in others:
            _lingering.add(task)
            task.add_done_callback(_forget)


# A loop keeps only weak references to its tasks, and one that is collected while it runs would be reported as a fault.
_lingering: "set[asyncio.Task[Any]]" = set()


def _forget(task: "asyncio.Task[Any]") -> None:
    _lingering.discard(task)
    if not task.cancelled():
        task.exception()  # retrieved, or asyncio would complain: errors after the decision concern nobody


# For readings of a race whose calls a semaphore limits: it has no threads.
_spare = Pool(1)


@dataclass(frozen=True, slots=True)
class _Paced:
    """The outcome of a request that the rate limiter sent back.

    Attributes:
        seconds: The time after which it may try again.
    """

    seconds: float


class _Requests(Generic[R]):
    """The requests of one race, from the race's draws to its samples; the drivers only wait.

    All methods are called by the driver, except `begin`, which each request calls on its own thread or task.
    """

    def __init__(
        self,
        race: Race[R],
        group: GroupDraws,
        budget: Budget | None,
        pace: Callable[[Draws], float] | None,
        observe: Callable[[Sample[R]], None] | None,
        *,
        resting: Mapping[str, BaseException] | None,
        timeout: float | None,
        clock: Clock,
        wake: Callable[[Draws], None],
        window: Window | None,
        compare: Compare | None,
        readings: Readings[R] | None,
        beside: Callable[[R], bool] | None,
        retries: Mapping[str, int] | None,
        is_cancellable: bool,
    ) -> None:
        self._race = race
        self._retries = retries or {}
        self._is_cancellable = is_cancellable
        self._overdue: dict[Draws, Future[Any] | asyncio.Task[Any]] = {}  # given up, but they run on
        self._tries: dict[Draws, int] = {}  # second tries, by request
        self._retried: Counter[str] = Counter()  # of them those that began, by member
        self._compare = compare
        self._readings = readings
        self._beside = beside
        self._group = group
        self._budget = budget or Budget()
        self._pace = pace
        self._observe = observe
        self._resting = resting or {}
        self._timeout = None if timeout is None or timeout >= LONGEST_S else timeout
        self._start = time.monotonic()
        self._end = clock.end
        self._wake = wake
        self._window = window
        self._most_open = _MOST_OPEN if window is None else max(_MOST_OPEN, 2 * window.limit)
        self._open_of: Counter[str] = Counter()  # the requests that are open, by member
        self._held: dict[str, deque[Draws]] = {}  # those of members that have so many open already
        self._waiting: deque[Draws] = deque()  # for the budget
        self._paced: list[tuple[float, int, Draws]] = []  # for the rate limiter, as a heap by time
        self._serials = count()
        self._open = 0  # counted by the budget as begun, and not ended
        self._silent: set[str] = set()
        self._refusals: dict[str, str] = {}  # by member, as they stood before the last wait
        self._lock = threading.Lock()  # guards `_retried` and the next four, which `begin` changes on other threads
        self._times_begun: Counter[Draws] = Counter()
        self._begun: dict[Draws, Place | None] = {}  # running
        self._due: deque[tuple[float, Draws]] = deque()  # one time-out for all: the first to begin is the first due
        self._is_closed = False

    @property
    def models(self) -> tuple[str, ...]:
        """The members that are asked, in rank order."""
        return tuple(label for label in self._race.models if label not in self._resting)

    @property
    def elapsed(self) -> float:
        """Seconds since the race began."""
        return time.monotonic() - self._start

    def next(self) -> list[Draws]:
        """Return the requests to queue now; stop the race if none fits the budget and none is open."""
        if self._race.is_over:
            return []
        queued: list[Draws] = []
        while self._paced and self._paced[0][0] <= time.monotonic():
            queued.append(heapq.heappop(self._paced)[2])
        if not self._waiting and any(map(self._has_room, self._race.models)) and (draws_to_group := self._ask()):
            self._waiting += self._group(draws_to_group)
        while self._waiting:
            draws = self._waiting[0]
            model = draws[0].model
            if self._open_of[model] >= self._most_open:
                self._held.setdefault(model, deque()).append(self._waiting.popleft())
                continue
            if not (fitting := self._budget.fits(draws)):
                break
            self._waiting.popleft()
            if draws[fitting:]:
                self._waiting.appendleft(draws[fitting:])
            self._budget.begin(draws[:fitting])
            self._open += 1
            self._open_of[model] += 1
            queued.append(draws[:fitting])
        if self._waiting and not self._open:
            self._race.stop("budget")
        return queued

    def _ask(self) -> list[Draw]:
        """Return the next draws of members that do not rest; the others fail at once.

        A hundred thousand draws are asked for a part at a time, or a deadline would pass before the first request.
        """
        while draws := self._race.ask(self._most_open * len(self._race.models)):
            for draw in draws:
                if draw.model in self._resting:
                    self.fail(draw, self._resting[draw.model])
            if awake := [draw for draw in draws if draw.model not in self._resting]:
                return awake
        return []

    def _has_room(self, model: str) -> bool:
        return self._open_of[model] < self._most_open and not self._held.get(model)

    def begin(self, draws: Draws, place: Place | None = None) -> _Paced | None:
        """Begin a request that has a place: return `None`, or the time that its rate limiter asks for.

        Raises:
            CancelledError: The race is decided, and the request must not begin.
        """
        if not self._is_closed and self._pace is not None and (seconds := self._pace(draws)) > 0:
            return _Paced(seconds)
        with self._lock:
            if self._is_closed:
                raise asyncio.CancelledError("decided before this call began")
            self._begun[draws] = place
            self._times_begun[draws] += 1
            if self._tries and draws in self._tries:
                self._retried[draws[0].model] += 1
            # Each call runs in a context of its own, so that nobody has to set this back.
            if self._timeout is None:
                call_end.set(self._end)
                return None
            due = time.monotonic() + self._timeout
            call_end.set(min(self._end, due))
            self._due.append((due, draws))
            if place is not None:
                place.due, place.patience = due, self._timeout
        self._wake(draws)  # the driver waits without a limit until it knows that a call has begun
        return None

    def end(self, draws: Draws, ended: "Future[Any] | asyncio.Task[Any]") -> list[tuple[Draw, R]]:
        """Return the replies of a request that ended; tell the race if it failed.

        Draws without a reply are queued again, one by one.
        """
        self._begun.pop(draws, None)
        if ended.cancelled():
            error: BaseException | None = asyncio.CancelledError("the member cancelled its own call")
        else:
            error = ended.exception()
        replies = ended.result() if error is None else ()
        if isinstance(replies, _Paced):
            heapq.heappush(self._paced, (time.monotonic() + replies.seconds, next(self._serials), draws))
            return []
        if error is not None and self._is_tried_again(draws, error):
            return []
        if isinstance(error, OnceMoreError):
            error = error.fault
        self._close_account(draws, replies)
        unanswered = draws[len(replies) :]
        if error is None and unanswered and len(draws) == 1:
            error = LookupError("the call returned no reply")
        if error is not None:
            for draw in draws:
                self.fail(draw, error)
            return []
        self._waiting.extendleft((draw,) for draw in reversed(unanswered))
        return list(zip(draws, replies, strict=False))

    def _is_tried_again(self, draws: Draws, error: BaseException) -> bool:
        """Queue a failed request once more, if that may help and there is time, and return whether it is queued."""
        is_doubted = isinstance(error, OnceMoreError)
        tries = self._tries.get(draws, 0)
        if self._race.is_over or (not is_doubted and tries >= self._retries.get(draws[0].model, 0)):
            return False
        seconds = 0.0 if is_doubted else retry_delay(error, tries, draws[0].index)
        if seconds is None:
            return False
        at = time.monotonic() + seconds
        if at >= self._end or not self._budget.repeat():
            return False
        if not is_doubted:
            self._tries[draws] = tries + 1
        heapq.heappush(self._paced, (at, next(self._serials), draws))
        return True

    def completed(self, decision: Decision[R]) -> Decision[R]:
        """Close the requests, and return the decision with what became of them."""
        return replace(
            decision,
            seconds=self.elapsed,
            abandoned=tuple(self.close()),
            retried=dict(self._retried),
            silent=tuple(label for label in self._race.models if label in self._silent),
        )

    def take(self, draws: Draws, arrivals: _Arrivals, running: MutableMapping[Draws, F]) -> None:
        """Take in a request that ended, if it has, and those that ended meanwhile, until the race is over or due.

        To look for new requests and for overdue ones after each of them would cost more than to count it.
        """
        self._take(draws, running)
        while not (self._race.is_over or arrivals.empty() or time.monotonic() >= self._end):
            self._take(arrivals.get_nowait(), running)

    def _take(self, draws: Draws, running: MutableMapping[Draws, F]) -> None:
        """Take in a request that ended, if it has, and tell the race what was read since."""
        ended = running.get(draws)
        if ended is not None and ended.done():
            del running[draws]
            for draw, reply in self.end(draws, ended):
                self._read(draw, reply)
        elif draws in self._overdue and self._overdue[draws].done():
            overdue = self._overdue.pop(draws)
            self._budget.end(draws, () if overdue.cancelled() or overdue.exception() else overdue.result())
        if self._readings is None:
            return
        for draw, reply, verdict in self._readings.finished():
            if isinstance(verdict, Exception):
                self.fail(draw, verdict)
            else:
                self._tell(draw, reply, verdict)
            if not self._race.is_over:
                self._readings.go_on(draw.model)

    def _read(self, draw: Draw, reply: R) -> None:
        """Read a reply here, or on a thread where that may take long."""
        takes_long = self._compare is not None or (self._beside is not None and self._beside(reply))
        if takes_long and self._readings is not None:
            self._readings.begin(draw, reply)
            return
        try:
            earlier = {} if self._compare is None else self._race.answers(draw.model)
            verdict = verdict_on(self._race.read, reply, self._compare, earlier)
        except Exception as error:  # noqa: BLE001 - an extractor's or a comparison's fault costs the vote only
            self.fail(draw, error)
        else:
            self._tell(draw, reply, verdict)

    def _tell(self, draw: Draw, reply: R, verdict: Verdict) -> None:
        self._race.tell(draw, reply, verdict)
        self._show(draw)

    def fail(self, draw: Draw, error: BaseException) -> None:
        """Tell the race a failure."""
        self._race.fail(draw, error)
        self._show(draw)

    def longest_wait(self, running: Collection[Draws]) -> float | None:
        """Return the seconds until there is something to do without an arrival; `None` if there is not."""
        while self._due and self._due[0][1] not in running:
            self._due.popleft()
        first = self._end
        if self._due:
            first = min(first, self._due[0][0])
        if self._paced:
            first = min(first, self._paced[0][0])
        if self._window is not None and len(running) > len(self._begun):  # some wait for a place
            self._refusals = self._refused(running, self._window)
            if self._refusals:
                return 0.0
            first = min(first, self._window.next_refusal())
        return None if first == inf else min(max(0.0, first - time.monotonic()), _LONGEST_WAIT_S)

    def expire(self, running: MutableMapping[Draws, F]) -> list[Draws]:
        """Fail the requests that are overdue or refused, and return them; stop the race at its deadline."""
        now = time.monotonic()
        lost: list[Draws] = []
        while self._due and self._due[0][0] <= now:
            _, draws = self._due.popleft()
            # A call that has returned is not overdue, though the driver has not come to hear of it yet.
            if draws in running and not running[draws].done():
                lost.append(draws)
                if not self._is_cancellable:
                    self._overdue[draws] = running[draws]
                self._give_up(draws, f"no reply within {self._timeout:g} s")
        if now >= self._end:
            self._stop_at_deadline(running)
        elif self._refusals:
            for draws in list(running):
                reason = self._refusals.get(draws[0].model)
                if reason is not None and draws not in self._begun and draws not in lost:
                    lost.append(draws)
                    self._give_up(draws, f"not asked: {reason}")
        return lost

    def _refused(self, running: Collection[Draws], window: Window) -> dict[str, str]:
        """Return the members whose requests wait for a place and will not begin, each with the reason."""
        waiting = {draws[0].model for draws in running if draws not in self._begun}
        reasons = {label: window.refusal(label) for label in waiting}
        return {label: reason for label, reason in reasons.items() if reason is not None}

    def _stop_at_deadline(self, running: MutableMapping[Draws, F]) -> None:
        """Stop the race with what is in; replies of which the driver has not come to hear are in, too."""
        if self._race.is_over:
            return
        arrived = [draws for draws, future in running.items() if future.done()]
        unread = [each for draws in arrived for each in self.end(draws, running.pop(draws))]
        if self._readings is not None:
            unread += self._readings.give_up()
        self._race.stop("deadline", unread)
        self._note_silence(running)

    def _note_silence(self, running: Collection[Draws]) -> None:
        """Note the calls that ran for half of the deadline and more: its user waits no longer for any call.

        Only a member of which nothing else came is silent: one that replied or failed in this race does not hang.
        """
        begun_by = (self._start + self._end) / 2
        with self._lock:
            begun = list(self._begun.items())
        for draws, place in begun:
            label = draws[0].model
            if place is not None and place.begun <= begun_by and draws in running and not self._race.has_sample(label):
                place.note_silence()
                self._silent.add(label)

    def close(self) -> dict[Draws, int]:
        """Let no further request begin, and return those that are running, with how often each was begun."""
        if self._readings is not None:
            self._readings.give_up()
        with self._lock:
            self._is_closed = True
            return {draws: self._times_begun[draws] for draws in self._begun}

    def _give_up(self, draws: Draws, reason: str) -> None:
        self._begun.pop(draws, None)
        self._close_account(draws, ())
        for draw in draws:
            self.fail(draw, SampleTimeoutError(reason))

    def _close_account(self, draws: Draws, replies: Sequence[R]) -> None:
        model = draws[0].model
        self._open -= 1
        self._open_of[model] -= 1
        if held := self._held.get(model):
            self._waiting.append(held.popleft())
        if draws in self._overdue:
            self._budget.keep(draws)
        else:
            self._budget.end(draws, replies)

    def _show(self, draw: Draw) -> None:
        """Show a counted sample to the observer."""
        if self._observe is None or (sample := self._race.sample(draw)) is None:  # late samples are not counted
            return
        try:
            self._observe(sample)
        except Exception as error:  # noqa: BLE001 - who only watches must not take the answer down
            _log.warning("observe= raised %s; the answer does not depend on it", type(error).__name__)


def _report(
    requests: "Sequence[tuple[Draws, Future[Any] | asyncio.Task[Any]]]",
    late: Callable[[Draws, Sequence[R]], None] | None,
) -> None:
    """Have requests that were given up report their replies, if they still bring some."""
    if late is None:
        return
    for draws, future in requests:
        future.add_done_callback(partial(report_late, late=partial(late, draws)))
