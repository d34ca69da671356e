"""Replies that are read beside the driver, so that a slow extractor or comparison holds up neither answer nor loop.

A driver hands a reply over (`begin`) and is woken when it was read; `finished` returns what was read since. Only the
driver touches the race: a thread receives the reply and, for an equality that is not a key, a snapshot of the earlier
answers of its member. Replies of one member are then compared one after another, or two of them would miss each other.
"""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeAlias, TypeVar

from slmmux._decision.clock import Work, current_work
from slmmux._decision.pool import Pool
from slmmux._decision.race import Race, Verdict
from slmmux._decision.types import Answer, Draw

__all__ = ["Compare", "Readings", "verdict_on"]

R = TypeVar("R")

# For an equality that is not a key. It receives an answer and others of its member, by index, and returns the
# similarity of each of these that agrees with it.
Compare: TypeAlias = Callable[[Answer, Mapping[int, Answer]], Mapping[int, float]]


def verdict_on(
    read: Callable[[R], Answer | None], reply: R, compare: Compare | None, earlier: Mapping[int, Answer]
) -> Verdict:
    """Return a reply's answer, and the earlier answers of its member that agree with it."""
    answer = read(reply)
    return answer, {} if answer is None or compare is None else compare(answer, earlier)


class Readings(Generic[R]):
    """The replies of one race that are being read on threads.

    Args:
        race: The race.
        compare: The comparison of answers, if equality is not a key.
        threads: The threads.
        end: The time after which nobody waits for a reading.
        wake: Called on any thread when a reply was read.
    """

    def __init__(
        self, race: Race[R], compare: Compare | None, threads: Pool, end: float, wake: Callable[[], None]
    ) -> None:
        self._race = race
        self._compare = compare
        self._threads = threads
        self._work = Work(self, end)
        self._wake = wake
        self._waiting: dict[str, deque[tuple[Draw, R]]] = {}  # behind an earlier reply of the same member
        self._busy: set[str] = set()  # members of which a reply is being compared
        self._begun: dict[Draw, tuple[R, Future[Verdict]]] = {}
        self._ended: SimpleQueue[Draw] = SimpleQueue()

    def __len__(self) -> int:
        return len(self._begun)

    def begin(self, draw: Draw, reply: R) -> None:
        """Read a reply on a thread."""
        if draw.model in self._busy:
            self._waiting.setdefault(draw.model, deque()).append((draw, reply))
            return
        if self._compare is not None:
            self._busy.add(draw.model)
        self._submit(draw, reply)

    def finished(self) -> list[tuple[Draw, R, Verdict | Exception]]:
        """Return each reply that was read, with its verdict or the error of its reading.

        With a comparison, call `go_on` for each member once the race was told.
        """
        finished: list[tuple[Draw, R, Verdict | Exception]] = []
        while not self._ended.empty():
            draw = self._ended.get_nowait()
            if draw not in self._begun:  # given up
                continue
            reply, future = self._begun.pop(draw)
            error = future.exception()
            if error is not None and not isinstance(error, Exception):
                raise error  # somebody's SystemExit is nobody's vote
            finished.append((draw, reply, future.result() if error is None else error))
        return finished

    def go_on(self, model: str) -> None:
        """Read the next reply of a member that waits behind an earlier one."""
        if queue := self._waiting.get(model):
            self._submit(*queue.popleft())
        else:
            self._busy.discard(model)

    def give_up(self) -> list[tuple[Draw, R]]:
        """Wait for nothing any more, and return the replies that were not read.

        A reading that has begun cannot be stopped. It ends on its thread, and nobody hears of it.
        """
        unread = [(draw, reply) for draw, (reply, _) in self._begun.items()]
        unread += [each for queue in self._waiting.values() for each in queue]
        self._threads.abandon(*(future for _, future in self._begun.values()))
        self._begun.clear()
        self._waiting.clear()
        return unread

    def _submit(self, draw: Draw, reply: R) -> None:
        earlier = {} if self._compare is None else self._race.answers(draw.model)
        work = partial(self._read, reply, earlier)
        # No label: readings of one member must not wait for each other while threads are free.
        future = self._threads.submit(work)
        self._begun[draw] = reply, future
        future.add_done_callback(lambda _: self._report(draw))

    def _read(self, reply: R, earlier: Mapping[int, Answer]) -> Verdict:
        current_work.set(self._work)  # in the copy of the context that this thread has
        return verdict_on(self._race.read, reply, self._compare, earlier)

    def _report(self, draw: Draw) -> None:
        self._ended.put(draw)
        self._wake()
