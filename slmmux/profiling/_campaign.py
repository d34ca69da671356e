"""What to ask next while a pool is put to many questions: a state machine without IO, as `Race` is for one.

It never calls, sleeps or reads a clock: a driver tells it the time, starts what it hands out, and tells it what came
back. Each member keeps to its own bounds, and no member waits for another.
"""

from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field

from slmmux._decision.types import Draw
from slmmux.profiling._passing import asked_to_wait, passes

__all__ = ["Bounds", "Campaign", "Request"]

Draws = tuple[Draw, ...]

_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How hard a member may be pressed.

    Attributes:
        concurrency: Requests at once.
        interval: Seconds between the starts of two requests; 0 sets no rate.
        retries: How often a request is made again when its fault is one that passes.
        timeout: Seconds a request may take; `None`: as long as the member itself allows.
    """

    concurrency: int
    interval: float = 0.0
    retries: int = 5
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request to make.

    Attributes:
        question: Its place among the questions.
        draws: The samples it is to bring, all of one member.
        attempt: How often it was made before.
    """

    question: int
    draws: Draws
    attempt: int = 0

    @property
    def model(self) -> str:
        """The member's label."""
        return self.draws[0].model


@dataclass(slots=True)
class _Line:
    """One member's requests."""

    bounds: Bounds
    todo: deque[Request]
    running: dict[Request, float] = field(default_factory=dict)  # when each began
    not_before: float = 0.0
    tried: int = 0


class Campaign:
    """A pool's way through a list of questions.

    Args:
        samples: k by label.
        questions: How many questions there are.
        done: Samples that are there already, as (question, draw).
        group: Which draws of a member go in one request.
        bounds: How hard each member may be pressed.
        most: Requests at once over the whole pool.
        trial: Requests of each member that are made first, one at a time, until `go_on` is called; 0: none.

    Example:
        >>> campaign = Campaign({"qwen": 2}, 1, set(), lambda draws: [tuple(draws)], {"qwen": Bounds(1)}, most=8)
        >>> request, = campaign.start(now=0.0)
        >>> campaign.came(request, brought=1)  # one of two: the other is asked for by itself
        >>> campaign.start(now=1.0)
        [Request(question=0, draws=(Draw(model='qwen', index=1),), attempt=0)]
    """

    def __init__(
        self,
        samples: Mapping[str, int],
        questions: int,
        done: Container[tuple[int, Draw]],
        group: Callable[[Sequence[Draw]], list[Draws]],
        bounds: Mapping[str, Bounds],
        *,
        most: int,
        trial: int = 0,
    ) -> None:
        self._group = group
        self._most = most
        self._trial = trial
        self._lines = {model: _Line(bounds[model], deque()) for model in samples}
        for model, k in samples.items():
            for question in range(questions):
                missing = tuple(d for i in range(k) if (question, d := Draw(model, i)) not in done)
                if missing:
                    self._lines[model].todo.append(Request(question, missing))

    @property
    def planned(self) -> dict[str, tuple[int, int]]:
        """Requests and samples still to come, by label; a request that is running counts as one."""
        return {
            model: (
                sum(len(self._group(request.draws)) for request in line.todo) + len(line.running),
                sum(len(request.draws) for request in (*line.todo, *line.running)),
            )
            for model, line in self._lines.items()
        }

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do; during the trial, whether the trial is over."""
        return not any(line.running or self._may(line) for line in self._lines.values())

    def go_on(self) -> None:
        """End the trial: everything else may be asked."""
        self._trial = 0

    def start(self, now: float) -> list[Request]:
        """Return the requests to begin at this time, in seconds on the driver's clock; each once."""
        begun: list[Request] = []
        running = sum(len(line.running) for line in self._lines.values())
        ready = [line for line in self._lines.values() if self._ready(line, now)]
        while ready and running + len(begun) < self._most:  # in turns, so that no member takes all the places
            begun += [self._next(line, now) for line in ready[: self._most - running - len(begun)]]
            ready = [line for line in ready if self._ready(line, now)]
        return begun

    def wait(self, now: float) -> float | None:
        """Return the seconds until `start` or `overdue` has something new; `None`: only what comes back can."""
        full = sum(len(line.running) for line in self._lines.values()) >= self._most
        due = [
            began + line.bounds.timeout
            for line in self._lines.values()
            if line.bounds.timeout is not None
            for began in line.running.values()
        ]
        due += [line.not_before for line in self._lines.values() if not full and self._has_room(line)]
        return max(0.0, min(due) - now) if due else None

    def overdue(self, now: float) -> list[Request]:
        """Return the requests that have run longer than they may; they are to be failed with a time-out."""
        return [
            request
            for line in self._lines.values()
            if line.bounds.timeout is not None
            for request, began in line.running.items()
            if now - began >= line.bounds.timeout
        ]

    def came(self, request: Request, brought: int) -> None:
        """Take that a request brought samples, the first `brought` of its draws: the others are asked one by one."""
        line = self._lines[request.model]
        del line.running[request]
        for draw in reversed(request.draws[brought:]):  # the last first: each goes in front of the others
            line.todo.appendleft(Request(request.question, (draw,)))

    def failed(self, request: Request, error: BaseException, now: float) -> bool:
        """Take a request's failure; returns whether it will be made again."""
        line = self._lines[request.model]
        del line.running[request]
        if not passes(error) or request.attempt >= line.bounds.retries:
            return False
        line.todo.appendleft(Request(request.question, request.draws, request.attempt + 1))
        # The whole member pauses: a server that is in trouble, or wants fewer requests, wants fewer of all of them.
        asked = asked_to_wait(error)
        line.not_before = max(line.not_before, now + (_pause(request.attempt) if asked is None else asked))
        return True

    def _next(self, line: _Line, now: float) -> Request:
        request = line.todo.popleft()
        # Asked here and not before: a server that was found to bring one completion a request gets single ones.
        first, *others = self._group(request.draws)
        for draws in reversed(others):
            line.todo.appendleft(Request(request.question, draws, request.attempt))
        request = Request(request.question, first, request.attempt)
        line.running[request] = now
        line.not_before = max(line.not_before, now + line.bounds.interval)
        line.tried += request.attempt == 0
        return request

    def _ready(self, line: _Line, now: float) -> bool:
        return now >= line.not_before and self._has_room(line)

    def _has_room(self, line: _Line) -> bool:
        return self._may(line) and len(line.running) < (1 if self._trial else line.bounds.concurrency)

    def _may(self, line: _Line) -> bool:
        # What is made again belongs to the trial: a server that is away must be found out there.
        return bool(line.todo) and (not self._trial or line.tried < self._trial or line.todo[0].attempt > 0)


def _pause(attempt: int) -> float:
    return float(min(2.0**attempt, _LONGEST_PAUSE_S))
