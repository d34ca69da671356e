"""The window: which call may begin next, so that never more than `limit` calls run at once.

A call holds its place from before it begins until it has ended, whether or not anybody still waits for it. A thread
cannot be stopped, and the server behind it feels an abandoned request as much as any other.

Abandoned calls that hang would soon hold every place. So the window is shared out: with m members present, each has a
share of max(1, limit // m) places. The rules, for a free place:

    1. a call of a member below its share begins, the longest waiting first. Places that the division leaves over are
       added to the shares of those that come first;
    2. if no such call waits, a member may borrow a place beyond its share, on three conditions. Its last call returned
       in time (a member that never replied may hang), none of its calls is overdue, and one place stays free for each
       member that holds none, so that none of them can be shut out;
    3. a member rests while its overdue calls fill its share: none of its calls begins, and those that wait are refused.

A call is overdue once it has run longer than its time-out. Without time-outs nothing is overdue, and a hanging call
holds its place until the member's own client ends it.

An overdue task is cancelled and gives its place back at once, and so does a thread whose client gives up by a time-out
of its own. Such a call was silent: it counts as overdue for as long again as it ran, or until the member returns
something. Otherwise one call after another would wait for a member that hangs, each for its whole time-out.

A call that is cancelled before it is overdue says nothing of its member: quicker ones may have settled the question
without it. Only beside a silent call of the same member it is silent, too, once half of its time-out has passed: the
first time-out of several calls that began together often settles their question.

This file starts no threads and awaits nothing; the caller wakes the places that are granted (`wake`). Everything is
guarded by one lock, because calls end on threads and on event loops alike.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from math import inf
from typing import Any

from slmmux._decision.forks import renew_in_fork
from slmmux._decision.passing import is_timeout
from slmmux._errors import ArgumentError

__all__ = ["MOST_CALLS", "Place", "Window", "check_window"]

MOST_CALLS = 10_000  # more threads or sockets than any machine has for one process


class Place:
    """One call's place in a window.

    Args:
        label: The member's label; `None` for a call without a member.
        wake: Called with this place once it is granted, on any thread. It raises RuntimeError if the call cannot begin.
        job: Anything the caller wants to find in the place.

    Attributes:
        begun: The time at which the place was granted.
        due: The time at which the call is overdue.
        patience: The call's time-out in seconds.
        has_returned: Whether the member returned or raised something by itself, and not only gave up waiting.
    """

    __slots__ = ("begun", "due", "has_returned", "holders", "job", "label", "patience", "serial", "wake")

    def __init__(self, label: str | None, wake: "Callable[[Place], None]", job: Any = None) -> None:
        self.label: str | None = label
        self.wake: Callable[[Place], None] = wake
        self.job: Any = job
        self.begun: float = inf
        self.due: float = inf
        self.patience: float = inf
        self.has_returned: bool = False
        self.serial: int = 0  # its number in the order of arrival
        self.holders: int = 1  # a task, and the threads that it started

    def note(self, error: BaseException | None = None) -> None:
        """Note how the call ended by itself: with a reply, or with an error. A cancelled call did not."""
        if error is None or (isinstance(error, Exception) and not is_timeout(error)):
            self.has_returned = True
        elif is_timeout(error):
            self.note_silence()

    def note_silence(self) -> None:
        """Note that nothing came for so long that the call is overdue, whatever its time-out."""
        now = time.monotonic()
        if self.due > now:
            self.due, self.patience = now, now - self.begun


class Window:
    """The places for calls that run at once.

    Args:
        limit: The most calls at once.

    Raises:
        ArgumentError: The limit is not a whole number from 1 to 10,000.
    """

    def __init__(self, limit: int) -> None:
        check_window(limit)
        self._limit = limit
        self._renew()
        renew_in_fork(self)

    def __deepcopy__(self, memo: object) -> "Window":
        return Window(self._limit)  # the copy of a mux has places of its own

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._serials = count()
        self._queued: dict[str | None, dict[Place, None]] = {}  # by label, in the order of arrival
        self._by_label: dict[str | None, set[Place]] = {}
        self._total = 0  # places held
        self._present: Counter[str | None] = Counter()  # questions and calls of each member
        self._reliable: set[str | None] = set()  # members whose last call returned in time
        self._silent: dict[str | None, list[float]] = {}  # the times until which silent calls count, by label

    @property
    def limit(self) -> int:
        """The most calls at once."""
        return self._limit

    def enter(self, labels: Iterable[str]) -> None:
        """Count the members of a question: each of them has a share until `leave`."""
        with self._lock:
            self._present.update(labels)

    def leave(self, labels: Iterable[str]) -> None:
        """End a question; the shares of the remaining members may grow."""
        with self._lock:
            for label in labels:
                self._forget(label)
            granted = self._grant()
        self.wake_all(granted)

    def queue(self, place: Place) -> None:
        """Queue a call; its place may be granted before this method returns."""
        with self._lock:
            place.serial = next(self._serials)
            self._present[place.label] += 1
            has_right = self._total < self._limit and self._has_right(place.label, self._share(), is_left=False)
            if has_right and not self._queued:
                self._hold(place)  # rule 1, where nobody else waits
                granted = [place]
            else:
                self._queued.setdefault(place.label, {})[place] = None
                granted = self._grant()
        self.wake_all(granted)

    def withdraw(self, *places: Place) -> None:
        """Take calls out of the queue, if they are still in it."""
        with self._lock:
            for place in places:
                if place in self._queued.get(place.label, ()):
                    self._dequeue(place)
                    self._forget(place.label)
            granted = self._grant()  # only now, or one of the places withdrawn could be granted to another
        self.wake_all(granted)

    def hold(self, place: Place) -> bool:
        """Let one more call run in a place, and return whether the place is held here; `end` it once for each."""
        with self._lock:
            is_held = place in self._by_label.get(place.label, ())
            place.holders += is_held
            return is_held

    def end(self, place: Place) -> list[Place]:
        """Give a place back and return the places granted in its stead: the caller must wake them."""
        with self._lock:
            of_label = self._by_label.get(place.label, set())
            if place not in of_label:  # of the parent process, or given back already
                return []
            place.holders -= 1
            if place.holders:
                return []
            of_label.discard(place)
            if not of_label:
                del self._by_label[place.label]
            self._total -= 1
            self._learn(place)
            self._forget(place.label)
            return self._grant()

    def wake_all(self, places: list[Place]) -> None:
        """Wake places that were granted."""
        while places:
            place = places.pop()
            try:
                place.wake(place)
            except RuntimeError:  # the system has no thread left, or the event loop is closed
                places += self.end(place)

    def refusal(self, label: str | None) -> str | None:
        """Return the reason why a queued call of a member will not begin; `None` if it only has to wait."""
        with self._lock:
            now = time.monotonic()
            if (overdue := self._overdue(label, now)) >= self._share():
                remedy = "" if label in self._silent else "; give its client a timeout of its own"
                return (
                    f"calls past their timeout hold this member's whole share of max_concurrency={self._limit} "
                    f"({overdue} of them){remedy}"
                )
            if self._total >= self._limit and all(
                place.due + place.patience <= now for of_label in self._by_label.values() for place in of_label
            ):
                return (
                    f"calls past twice their timeout hold all places of max_concurrency={self._limit}; give the "
                    "members' clients a timeout of their own"
                )
            return None

    def next_refusal(self) -> float:
        """Return the next time at which `refusal` may change its answer by itself."""
        with self._lock:
            now = time.monotonic()
            times = (
                at
                for of_label in self._by_label.values()
                for p in of_label
                for at in (p.due, p.due + p.patience)
                if at > now
            )
            return min(times, default=inf)

    def _grant(self) -> list[Place]:
        """Grant as many places as the rules allow."""
        granted: list[Place] = []
        while self._queued and self._total < self._limit and (place := self._next()) is not None:
            self._dequeue(place)
            self._hold(place)
            granted.append(place)
        return granted

    def _hold(self, place: Place) -> None:
        self._by_label.setdefault(place.label, set()).add(place)
        self._total += 1
        place.begun = time.monotonic()

    def _next(self) -> Place | None:
        """Return the queued call that begins next, if one may."""
        share = self._share()
        # What the division leaves over goes to whoever comes first: it is nobody's share, so nobody is kept from one.
        rest = self._limit - share * max(1, len(self._present))
        is_left = rest > 0 and sum(len(held) - share for held in self._by_label.values() if len(held) > share) < rest
        first = [next(iter(places)) for places in self._queued.values()]
        eligible = [place for place in first if self._has_right(place.label, share, is_left=is_left)] or [
            place for place in first if self._may_borrow(place.label)
        ]
        return min(eligible, key=_serial, default=None)

    def _has_right(self, label: str | None, share: int, *, is_left: bool) -> bool:
        held = len(self._by_label.get(label, ()))
        if label not in self._silent and held < share:  # as nearly always
            return True
        now = time.monotonic()
        taken = held + self._silences(label, now)
        return taken < share or (is_left and taken == share and self._overdue(label, now) < share)

    def _may_borrow(self, label: str | None) -> bool:
        if label not in self._reliable or self._overdue(label, time.monotonic()):
            return False
        without_place = sum(member not in self._by_label for member in self._present)
        return self._limit - self._total > without_place

    def _share(self) -> int:
        return max(1, self._limit // max(1, len(self._present)))

    def _overdue(self, label: str | None, now: float) -> int:
        return sum(place.due <= now for place in self._by_label.get(label, ())) + self._silences(label, now)

    def _silences(self, label: str | None, now: float) -> int:
        """Return the number of a member's silent calls that still count."""
        if label not in self._silent:
            return 0
        if counting := [until for until in self._silent[label] if until > now]:
            self._silent[label] = counting
        else:
            del self._silent[label]
        return len(counting)

    def _learn(self, place: Place) -> None:
        """Learn from a call that has ended whether its member hangs."""
        label, now = place.label, time.monotonic()
        if label is None:
            return
        is_overdue = place.due <= now
        if is_overdue:
            self._reliable.discard(label)
        elif place.has_returned:
            self._reliable.add(label)
        if place.has_returned:
            self._silent.pop(label, None)
        elif is_overdue or (now - place.begun >= place.patience / 2 and self._overdue(label, now)):
            self._silent.setdefault(label, []).append(place.due + place.patience)

    def _dequeue(self, place: Place) -> None:
        del self._queued[place.label][place]
        if not self._queued[place.label]:
            del self._queued[place.label]

    def _forget(self, label: str | None) -> None:
        self._present[label] -= 1
        if self._present[label] <= 0:  # below 0 after a fork, which forgot the questions of the parent
            del self._present[label]


def _serial(place: Place) -> int:
    return place.serial


def check_window(limit: Any) -> None:
    """Check the size of a window.

    Raises:
        ArgumentError: It is not a whole number from 1 to 10,000.
    """
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_CALLS:
        raise ArgumentError(
            f"max_concurrency must be a whole number from 1 to {MOST_CALLS:,}, received {limit!r}; 64 is the default"
        )
