"""Daemon threads, at most `limit` calls at once, that never hold anyone up.

`concurrent.futures.ThreadPoolExecutor` is the road not taken: it joins its threads at interpreter exit, so one hanging
call would keep the process alive, and a hung call would hold its place for ever.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["Pool", "Slots"]

T = TypeVar("T")


class Pool:
    """Runs calls on daemon threads, `limit` at a time, the rest queued in order.

    Args:
        limit: Calls at once, at least 1.

    Example:
        >>> Pool(2).submit(lambda: 6 * 7).result()
        42
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._queue: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._busy: set[Future[Any]] = set()

    def __deepcopy__(self, memo: object) -> "Pool":
        return Pool(self._limit)  # the copy of a mux has threads of its own

    def __reduce__(self) -> tuple[Any, ...]:
        return Pool, (self._limit,)  # and so has a mux in another process

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Queue a call; it runs in a copy of the caller's context, and `cancel()` withdraws it while queued."""
        future: Future[T] = Future()
        context = copy_context()
        with self._lock:
            self._queue.append((future, lambda: context.run(call)))
        self._start()
        return future

    async def run(self, call: Callable[[], T]) -> T:
        """Return what a call returns, waited for on the event loop; who stops waiting gives its place to the next."""
        future = self.submit(call)
        try:
            return await asyncio.wrap_future(future)
        finally:
            self.abandon(future)

    def abandon(self, *futures: Future[Any]) -> None:
        """Withdraw queued calls, and give the places of running ones to the next: a thread cannot be stopped."""
        # All that are queued are withdrawn before a place is given up, which would start one of them.
        for future in [future for future in futures if not future.cancel()]:
            self._leave(future)

    def _start(self) -> None:
        while (job := self._next()) is not None:
            try:
                threading.Thread(target=self._work, args=job, name="slmmux-sample", daemon=True).start()
            except RuntimeError as error:  # the system has no thread left: that costs this call, not its place
                job[0].set_exception(error)
                with self._lock:
                    self._busy.discard(job[0])
            else:
                return

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            while self._queue and len(self._busy) < self._limit:
                future, call = self._queue.popleft()
                if future.set_running_or_notify_cancel():
                    self._busy.add(future)
                    return future, call
            return None

    def _leave(self, future: Future[Any]) -> None:
        with self._lock:
            held = future in self._busy
            self._busy.discard(future)
        if held:
            self._start()

    def _work(self, future: Future[Any], call: Callable[[], Any]) -> None:
        job: tuple[Future[Any], Callable[[], Any]] | None = (future, call)
        while job is not None:
            future, call = job
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - whatever a member raises belongs to who waits for it
                future.set_exception(error)
            else:
                future.set_result(result)
            with self._lock:
                if future not in self._busy:
                    return  # abandoned: another thread has the place
                self._busy.remove(future)
            job = self._next()


class Slots:
    """One semaphore a loop.

    Args:
        limit: Calls at once.

    Example:
        >>> slots = Slots(2)
        >>> async def same(): return slots.here() is slots.here()
        >>> asyncio.run(same())
        True
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._of: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def __deepcopy__(self, memo: object) -> "Slots":
        return Slots(self._limit)

    def __reduce__(self) -> tuple[Any, ...]:
        return Slots, (self._limit,)

    def here(self) -> asyncio.Semaphore:
        """Return the running loop's semaphore."""
        with self._lock:
            return self._of.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._limit))
