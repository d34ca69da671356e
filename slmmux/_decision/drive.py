"""The only waiting: `drive` runs a race on threads, `adrive` on tasks.

Both are the same loop around `Race`: start what it asks for, tell it what came back, stop when it has decided.
They know no plan, no rule and no model.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

from slmmux._decision.budget import Budget
from slmmux._decision.pool import Pool
from slmmux._decision.race import Race, Verdict
from slmmux._decision.types import Answer, Decision, Draw
from slmmux._errors import SampleTimeoutError

__all__ = ["Compare", "Draws", "Group", "adrive", "drive", "one_by_one"]

R = TypeVar("R")

Draws: TypeAlias = tuple[Draw, ...]
Group: TypeAlias = Callable[[Sequence[Draw]], list[Draws]]
# Equality that is no key: an answer and others of its member, by index -> how alike it is to each that agrees.
Compare: TypeAlias = Callable[[Answer, Mapping[int, Answer]], Mapping[int, float]]

# A member that swallows its cancellation must not hold the answer back longer than this.
_GRACE_S = 5.0


def one_by_one(draws: Sequence[Draw]) -> list[Draws]:
    """Make one call of each draw: for members that return one completion a request."""
    return [(draw,) for draw in draws]


def drive(
    race: Race[R],
    call: Callable[[Draws], Sequence[R]],
    *,
    pool: Pool,
    group: Group = one_by_one,
    compare: Compare | None = None,
    timeout: float | None = None,
    deadline: float | None = None,
    budget: Budget | None = None,
) -> Decision[R]:
    """Run a race on threads and return its decision.

    When it returns or raises, queued calls never start; running ones cannot be stopped and end on daemon threads.

    Args:
        race: The race, not begun.
        call: Makes one request and returns a reply for each of its draws, all of one member. Draws it returns
            nothing for are asked again one by one.
        pool: The threads; sharing one bounds the calls of several races together.
        group: Which draws go in one request.
        compare: Which answers agree, where equality is no key (see `Race`); what it raises costs the vote.
        timeout: Seconds a call may run; after that its votes are lost.
        deadline: Seconds until the best decision from what is in.
        budget: What the answer may cost; when nothing more fits the best decision from what is in is made.

    Raises:
        NoAnswerError: Not one reply came.

    Example:
        >>> from slmmux._decision.types import Answer
        >>> race = Race({"a": 3}, read=lambda text: Answer(text, "text", text))
        >>> drive(race, lambda draws: ["yes" for _ in draws], pool=Pool(3)).winner.answer
        'yes'
    """
    arrivals: SimpleQueue[Draws] = SimpleQueue()
    running: dict[Draws, Future[Sequence[R]]] = {}
    watch = _Watch(timeout, deadline, wake=arrivals.put)
    queue = _Queue(race, group, budget or Budget())

    def start(draws: Draws) -> None:
        def run() -> Sequence[R]:
            watch.began(draws)
            return call(draws)

        running[draws] = future = pool.submit(run)
        future.add_done_callback(lambda _: arrivals.put(draws))

    try:
        while True:
            for draws in queue.start():
                start(draws)
            if (decision := race.decision) is not None:
                return replace(decision, seconds=watch.elapsed)
            try:
                draws = arrivals.get(timeout=watch.left(running))
            except Empty:
                draws = ()
            if draws in running and running[draws].done():
                for draw, reply in queue.end(draws, running.pop(draws)):
                    _tell(race, draw, reply, compare)
            overdue = queue.drop(watch.strike(race, running))
            if race.decision is None:  # else all go together below, and no place given up starts a queued one
                pool.abandon(*map(running.pop, overdue))
    finally:
        pool.abandon(*running.values())


async def adrive(
    race: Race[R],
    call: Callable[[Draws], Awaitable[Sequence[R]]],
    *,
    slots: asyncio.Semaphore,
    group: Group = one_by_one,
    compare: Compare | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - a call's own limit, not this function's
    deadline: float | None = None,
    budget: Budget | None = None,
) -> Decision[R]:
    """Run a race on tasks and return its decision; the arguments and errors are those of `drive`.

    When it returns, raises or is cancelled, every task it started has been cancelled and awaited.

    Args:
        race: The race, not begun.
        call: Makes one request, as for `drive`.
        slots: Calls at once; sharing one bounds the calls of several races together.
        group: Which draws go in one request.
        compare: As for `drive`; it is called in a thread.
        timeout: Seconds a call may run.
        deadline: Seconds until the best decision from what is in.
        budget: What the answer may cost.
    """
    arrivals: asyncio.Queue[Draws] = asyncio.Queue()
    running: dict[Draws, asyncio.Task[Sequence[R]]] = {}
    cancelled: list[asyncio.Task[Sequence[R]]] = []
    watch = _Watch(timeout, deadline, wake=arrivals.put_nowait)
    queue = _Queue(race, group, budget or Budget())

    async def run(draws: Draws) -> Sequence[R]:
        async with slots:
            watch.began(draws)
            return await call(draws)

    def start(draws: Draws) -> None:
        running[draws] = task = asyncio.create_task(run(draws))
        task.add_done_callback(lambda _: arrivals.put_nowait(draws))

    try:
        while True:
            for draws in queue.start():
                start(draws)
            if (decision := race.decision) is not None:
                return replace(decision, seconds=watch.elapsed)
            try:
                draws = await asyncio.wait_for(arrivals.get(), watch.left(running))
            except TimeoutError:
                draws = ()
            if draws in running and running[draws].done():
                await _atell(race, queue.end(draws, running.pop(draws)), compare)
            for draws in queue.drop(watch.strike(race, running)):
                cancelled.append(running.pop(draws))
                cancelled[-1].cancel()
    finally:
        cancelled += running.values()
        for task in cancelled:
            task.cancel()
        if cancelled:
            ended, _ = await asyncio.wait(cancelled, timeout=_GRACE_S)
            for task in ended:
                if not task.cancelled():
                    task.exception()  # seen: what a call raises after the decision concerns nobody


class _Watch:
    """When the next call is overdue, and when the whole answer is."""

    def __init__(self, timeout: float | None, deadline: float | None, wake: Callable[[Draws], None]) -> None:
        self._timeout = timeout
        self._start = time.monotonic()
        self._end = None if deadline is None else self._start + deadline
        self._wake = wake
        self._begun: deque[tuple[float, Draws]] = deque()  # one limit for all: first begun, first due

    @property
    def elapsed(self) -> float:
        """Seconds since the race began."""
        return time.monotonic() - self._start

    def began(self, draws: Draws) -> None:
        if self._timeout is not None:
            self._begun.append((time.monotonic() + self._timeout, draws))
            self._wake(draws)  # the loop waits without limit until it knows that a call has begun

    def left(self, running: Container[Draws]) -> float | None:
        """Return the seconds until something is overdue, or `None` when nothing can be."""
        while self._begun and self._begun[0][1] not in running:
            self._begun.popleft()
        ends = [at for at in (self._begun[0][0] if self._begun else None, self._end) if at is not None]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def strike(self, race: Race[Any], running: Container[Draws]) -> list[Draws]:
        """Fail the calls that are overdue and return them; stop the race at its deadline."""
        now = time.monotonic()
        overdue: list[Draws] = []
        while self._begun and self._begun[0][0] <= now:
            _, draws = self._begun.popleft()
            if draws in running:
                overdue.append(draws)
                for draw in draws:
                    race.fail(draw, SampleTimeoutError(f"no reply within {self._timeout:g} s"))
        if self._end is not None and now >= self._end:
            race.stop("deadline")
        return overdue


class _Queue(Generic[R]):
    """The requests a race asks for, begun as far as the budget goes."""

    def __init__(self, race: Race[R], group: Group, budget: Budget) -> None:
        self._race = race
        self._group = group
        self._budget = budget
        self._waiting: deque[Draws] = deque()
        self._running = 0

    def start(self) -> list[Draws]:
        """Return the requests to begin now; stop the race where none fits and none is running."""
        self._waiting += self._group(self._race.ask())
        begun: list[Draws] = []
        while self._waiting and (fitting := self._budget.fits(self._waiting[0])):
            draws = self._waiting.popleft()
            if draws[fitting:]:
                self._waiting.appendleft(draws[fitting:])
            self._budget.begin(draws[:fitting])
            begun.append(draws[:fitting])
        self._running += len(begun)
        if self._waiting and not self._running:
            self._race.stop("budget")
        return begun

    def end(self, draws: Draws, outcome: "Future[Sequence[R]] | asyncio.Task[Sequence[R]]") -> list[tuple[Draw, R]]:
        """Return the replies a request brought; what it brought nothing for is asked again one by one.

        Of a request that failed the race is told here.
        """
        if outcome.cancelled():
            error: BaseException | None = asyncio.CancelledError("the member cancelled its own call")
        else:
            error = outcome.exception()
        replies = outcome.result() if error is None else ()
        self._end(draws, replies)
        missing = draws[len(replies) :]
        if error is None and missing and len(draws) == 1:
            error = LookupError("the call returned no reply")
        if error is not None:
            for draw in draws:
                self._race.fail(draw, error)
            return []
        self._waiting.extendleft((draw,) for draw in reversed(missing))
        return list(zip(draws, replies, strict=False))

    def drop(self, overdue: list[Draws]) -> list[Draws]:
        """Return the requests that are given up, and count them as ended."""
        for draws in overdue:
            self._end(draws, ())
        return overdue

    def _end(self, draws: Draws, replies: Sequence[R]) -> None:
        self._running -= 1
        self._budget.end(draws, replies)


def _tell(race: Race[R], draw: Draw, reply: R, compare: Compare | None) -> None:
    """Tell the race of a reply, with what agrees with it; one that cannot be read or compared costs its vote."""
    try:
        verdict = _verdict(race, draw, reply, compare)
    except Exception as error:  # noqa: BLE001 - an extractor's fault costs the vote, never the answer
        race.fail(draw, error)
    else:
        race.tell(draw, reply, verdict)


async def _atell(race: Race[R], replies: Sequence[tuple[Draw, R]], compare: Compare | None) -> None:
    """Tell the race of replies; what takes time is compared in a thread, one after another."""
    for draw, reply in replies:
        if compare is None:
            _tell(race, draw, reply, None)
        else:
            await asyncio.to_thread(_tell, race, draw, reply, compare)


def _verdict(race: Race[R], draw: Draw, reply: R, compare: Compare | None) -> Verdict | None:
    """Return a reply's answer and what agrees with it; None where the race reads and compares by keys."""
    if compare is None:
        return None
    answer = race.read(reply)
    return answer, {} if answer is None else compare(answer, race.answers(draw.model))
