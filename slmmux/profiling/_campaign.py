"""The order of requests while a pool is sampled on many questions: a state machine without IO, as `Race` is for one.

It never calls, sleeps or reads a clock. A driver tells it the time, starts the requests that `start` returns, and
reports each outcome with `came` or `failed`. A request is in one of three places: in `todo`, in `running`, or gone.
A failure that is worth another attempt puts it back at the front of `todo` and pauses its member. Each member has its
own limits and its own pauses, so that a slow or rate-limited member never holds up the others.
"""

from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field

from slmmux._decision.drive import Draws
from slmmux._decision.passing import passes, retry_after
from slmmux._decision.types import Draw

__all__ = ["Bounds", "Campaign", "PlannedRequest"]


_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one member.

    Attributes:
        concurrency: Requests at once.
        interval: Seconds between the starts of two requests; 0 for no limit.
        retries: Retries per request, after temporary faults.
        timeout: Seconds per request; `None` for the member's own limit.
    """

    concurrency: int
    interval: float = 0.0
    retries: int = 5
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One request to make.

    Attributes:
        question: The question's place in the list of questions.
        draws: The samples to request, all of one member.
        attempt: The number of earlier attempts.
    """

    question: int
    draws: Draws
    attempt: int = 0

    @property
    def model(self) -> str:
        """The member's label."""
        return self.draws[0].model


@dataclass(slots=True)
class _Queue:
    """One member's requests."""

    bounds: Bounds
    todo: deque[PlannedRequest]
    running: dict[PlannedRequest, float] = field(default_factory=dict)  # each request -> the time it began
    not_before: float = 0.0
    first_attempts: int = 0


class Campaign:
    """The requests that sample a pool on a list of questions.

    Args:
        samples: k by label.
        questions: The number of questions.
        done: The samples that are already recorded, as (question, draw).
        group: Groups draws of one member into requests.
        bounds: The limits of each member.
        most: Requests at once over the whole pool.
        trial: The number of requests of each member that are made first, one at a time, until `go_on` is called; 0
            for no trial.

    Example:
        >>> campaign = Campaign({"qwen": 2}, 1, set(), lambda draws: [tuple(draws)], {"qwen": Bounds(1)}, most=8)
        >>> request, = campaign.start(now=0.0)
        >>> campaign.came(request, samples=1)  # one of two came: the other is requested by itself
        >>> campaign.start(now=1.0)
        [PlannedRequest(question=0, draws=(Draw(model='qwen', index=1),), attempt=0)]
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
        self._queues = {model: _Queue(bounds[model], deque()) for model in samples}
        for model, k in samples.items():
            for question in range(questions):
                draws = tuple(d for i in range(k) if (question, d := Draw(model, i)) not in done)
                if draws:
                    self._queues[model].todo.append(PlannedRequest(question, draws))

    @property
    def planned(self) -> dict[str, tuple[int, int]]:
        """The number of requests and of samples still to come, by label; a running request counts as one."""
        return {
            model: (
                sum(len(self._group(request.draws)) for request in queue.todo) + len(queue.running),
                sum(len(request.draws) for request in (*queue.todo, *queue.running)),
            )
            for model, queue in self._queues.items()
        }

    @property
    def finished(self) -> bool:
        """Whether every request is done or, during the trial, whether the trial is over."""
        return not any(queue.running or self._may_start(queue) for queue in self._queues.values())

    def go_on(self) -> None:
        """End the trial: all other requests may start."""
        self._trial = 0

    def start(self, now: float) -> list[PlannedRequest]:
        """Return the requests to begin at this time, in seconds on the driver's clock; each once."""
        requests: list[PlannedRequest] = []
        running = sum(len(queue.running) for queue in self._queues.values())
        ready = [queue for queue in self._queues.values() if self._ready(queue, now)]
        while ready and running + len(requests) < self._most:  # in turns, so that one member cannot take all places
            requests += [self._next(queue, now) for queue in ready[: self._most - running - len(requests)]]
            ready = [queue for queue in ready if self._ready(queue, now)]
        return requests

    def wait(self, now: float) -> float | None:
        """Return the seconds until `start` or `overdue` may return more; `None` if a reply must come first."""
        full = sum(len(queue.running) for queue in self._queues.values()) >= self._most
        times = [
            start_time + queue.bounds.timeout
            for queue in self._queues.values()
            if queue.bounds.timeout is not None
            for start_time in queue.running.values()
        ]
        times += [queue.not_before for queue in self._queues.values() if not full and self._has_room(queue)]
        return max(0.0, min(times) - now) if times else None

    def overdue(self, now: float) -> list[PlannedRequest]:
        """Return the requests that have run longer than their limit; the driver reports each as failed."""
        return [
            request
            for queue in self._queues.values()
            if queue.bounds.timeout is not None
            for request, start_time in queue.running.items()
            if now - start_time >= queue.bounds.timeout
        ]

    def came(self, request: PlannedRequest, samples: int) -> None:
        """Report the samples of a request: the first draws have one, and the others are requested one by one."""
        queue = self._queues[request.model]
        del queue.running[request]
        for draw in reversed(request.draws[samples:]):  # the last one first, since each goes to the front
            queue.todo.appendleft(PlannedRequest(request.question, (draw,)))

    def failed(self, request: PlannedRequest, error: BaseException, now: float) -> bool:
        """Report the failure of a request; return whether it will be tried again."""
        queue = self._queues[request.model]
        del queue.running[request]
        if not passes(error) or request.attempt >= queue.bounds.retries:
            return False
        queue.todo.appendleft(PlannedRequest(request.question, request.draws, request.attempt + 1))
        # The whole member pauses, not only this request: a server in trouble needs fewer requests of any kind.
        seconds = retry_after(error)
        queue.not_before = max(queue.not_before, now + (_pause(request.attempt) if seconds is None else seconds))
        return True

    def _next(self, queue: _Queue, now: float) -> PlannedRequest:
        request = queue.todo.popleft()
        # Grouped only now: after a server has returned one completion for several draws, `group` gives single draws.
        first, *others = self._group(request.draws)
        for draws in reversed(others):
            queue.todo.appendleft(PlannedRequest(request.question, draws, request.attempt))
        request = PlannedRequest(request.question, first, request.attempt)
        queue.running[request] = now
        queue.not_before = max(queue.not_before, now + queue.bounds.interval)
        queue.first_attempts += request.attempt == 0
        return request

    def _ready(self, queue: _Queue, now: float) -> bool:
        return now >= queue.not_before and self._has_room(queue)

    def _has_room(self, queue: _Queue) -> bool:
        return self._may_start(queue) and len(queue.running) < (1 if self._trial else queue.bounds.concurrency)

    def _may_start(self, queue: _Queue) -> bool:
        # Retries belong to the trial too: it must find out about a server that is down.
        return bool(queue.todo) and (not self._trial or queue.first_attempts < self._trial or queue.todo[0].attempt > 0)


def _pause(attempt: int) -> float:
    return float(min(2.0**attempt, _LONGEST_PAUSE_S))
