"""Calls on daemon threads, and places for calls on event loops: never more than `limit` of both together.

`concurrent.futures.ThreadPoolExecutor` is the road not taken: it joins its threads when the interpreter exits, so that
one hanging call would keep the process alive. Nor is `asyncio.Semaphore`: each belongs to one event loop, counts no
threads, and keeps its loop alive once a task has waited in it.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Generic, TypeVar

from slmmux._decision.held_place import HeldPlace
from slmmux._decision.window import Place, Window

__all__ = ["Pool", "report_late"]

T = TypeVar("T")

# The place in which this task makes its call: the thread of a member without async methods runs in the same place.
_current: ContextVar[Place | None] = ContextVar("slmmux_place", default=None)


_MOST_READERS = 32  # at once over a mux: an extractor that never returns keeps its thread for good


class _Call(Future[T], Generic[T]):
    """The future of a queued call, and its place."""

    place: Place


class Pool:
    """Runs calls on daemon threads, `limit` at a time, the rest queued in order.

    A call holds its place until it has ended, also if nobody waits for it any more. Members that hang cannot take the
    places of others: each member has a share of the places, and may borrow more while no other member waits.

    Args:
        limit: Calls at once, from 1 to 10,000.

    Raises:
        ArgumentError: The limit is out of range.

    Example:
        >>> Pool(2).submit(lambda: 6 * 7).result()
        42
    """

    def __init__(self, limit: int) -> None:
        self.window: Window = Window(limit)
        self._readers: Pool | None = None

    @property
    def readers(self) -> "Pool":
        """Threads on which replies are read: they take no places from calls, nor calls from them."""
        if self._readers is None:
            self._readers = Pool(_MOST_READERS)
        return self._readers

    def __deepcopy__(self, memo: object) -> "Pool":
        return Pool(self.window.limit)  # the copy of a mux has places of its own

    def __reduce__(self) -> tuple[Any, ...]:
        return Pool, (self.window.limit,)  # and so has a mux in another process

    def submit(self, call: Callable[[], T], *, label: str | None = None) -> Future[T]:
        """Queue a call and return its future; `cancel()` withdraws the call while it is queued.

        Args:
            call: The call; it runs in a copy of the caller's context.
            label: The member that is called.
        """
        return self.submit_with_place(partial(_make, call), label)

    def submit_with_place(self, call: Callable[[Place], T], label: str | None) -> Future[T]:
        """Queue a call that receives its place, in which it notes when it is overdue."""
        future, place = self._prepare(call, label)
        self.window.queue(place)
        return future

    async def run(self, call: Callable[[], T], *, late: Callable[[T], None] | None = None) -> T:
        """Return the result of a call on a thread, without blocking the event loop.

        A task that holds a place of this pool makes the call in this place: one call, one place. If the task is
        cancelled, the call goes on and holds the place until it ends.

        Args:
            call: The call.
            late: Called with the result of a call that ends after its task was cancelled.
        """
        place = _current.get()
        if place is not None and self.window.hold(place):
            future: Future[T] = self._start_in(place, call)
        else:
            future = self.submit(call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if late is not None:
                future.add_done_callback(lambda ended: report_late(ended, late))
            raise
        finally:
            self.abandon(future)

    async def place(self, label: str | None) -> Place:
        """Wait for a place for a call of the running task; `give_back` it when the call has ended."""
        loop = asyncio.get_running_loop()
        granted: asyncio.Future[None] = loop.create_future()

        def wake(_: Place) -> None:
            # On the loop's own thread nothing has to be woken up, which saves a system call for each sample.
            if _running_loop() is loop:
                _set(granted)
            else:
                loop.call_soon_threadsafe(_set, granted)

        place = Place(label, wake)
        self.window.queue(place)
        try:
            if not granted.done():
                await granted
        except BaseException:
            self.window.withdraw(place)
            self.give_back(place)  # it may have been granted in the meantime
            raise
        _current.set(place)
        return place

    def hold(self, label: str | None) -> HeldPlace:
        """Wait on this thread for a place for a call that no driver makes, such as a stream."""
        granted = threading.Event()
        place = Place(label, lambda _: granted.set())
        self.window.queue(place)
        try:
            granted.wait()
        except BaseException:  # an interrupt
            self.window.withdraw(place)
            self.give_back(place)
            raise
        return HeldPlace(place, self.give_back)

    async def ahold(self, label: str | None) -> HeldPlace:
        """Wait on the event loop for such a place."""
        return HeldPlace(await self.place(label), self.give_back)

    def give_back(self, place: Place) -> None:
        """Give a place back; a second time changes nothing."""
        self.window.wake_all(self.window.end(place))

    def abandon(self, *futures: Future[Any]) -> None:
        """Withdraw queued calls. Running ones go on, and hold their places until they end."""
        queued = [future for future in futures if future.cancel()]
        self.window.withdraw(*(future.place for future in queued if isinstance(future, _Call)))

    def _start_in(self, shared: Place, call: Callable[[], T]) -> Future[T]:
        """Start a call in a place that is held already."""
        future, place = self._prepare(lambda _: _make(call, shared), shared.label)
        place.job = (*place.job[:2], shared)
        self._start_thread(place)
        return future

    def _prepare(self, call: Callable[[Place], T], label: str | None) -> tuple[_Call[T], Place]:
        future: _Call[T] = _Call()
        context = copy_context()
        # The third value is the place to give back in the end, if it is not this one.
        future.place = Place(label, self._start_thread, (future, lambda place: context.run(call, place), None))
        return future, future.place

    def _start_thread(self, place: Place) -> None:
        try:
            threading.Thread(target=self._work, args=(place,), name="slmmux-sample", daemon=True).start()
        except RuntimeError as error:  # the system has no thread left: that costs this call, not its place
            future, _, shared = place.job
            future.set_exception(error)
            if shared is None:
                raise  # the window gives the place to the next call
            self.give_back(shared)

    def _work(self, place: Place | None) -> None:
        """Run calls on this thread, one after another, as long as their places fall to threads."""
        while place is not None:
            future, call, shared = place.job
            result = error = None
            is_wanted = future.set_running_or_notify_cancel()
            if is_wanted:
                try:
                    result = call(place)
                except BaseException as fault:  # noqa: BLE001 - whatever a member raises belongs to its caller
                    error = fault
            # The place first: who sees the result may count on it.
            granted = self.window.end(shared or place)
            if error is not None:
                future.set_exception(error)
            elif is_wanted:
                future.set_result(result)
            place = next((each for each in granted if each.job is not None), None)
            self.window.wake_all([each for each in granted if each is not place])
            del future, call, result, error  # an idle thread must not keep a reply alive


def report_late(ended: "Future[T] | asyncio.Future[T]", late: Callable[[T], None]) -> None:
    """Report the result of a call that ended after the decision; its errors concern nobody any more."""
    if ended.cancelled() or ended.exception() is not None:
        return
    with suppress(Exception):  # a fault in somebody's count must not end the thread of a member
        late(ended.result())


def _make(call: Callable[[], T], place: Place) -> T:
    try:
        result = call()
    except BaseException as error:
        place.note(error)
        raise
    place.note()
    return result


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _set(granted: "asyncio.Future[None]") -> None:
    if not granted.done():
        granted.set_result(None)
