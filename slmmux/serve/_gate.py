"""How many questions run at once and how many may wait; the next one is turned away, with the seconds to wait."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from slmmux.serve._refusal import RefusalError

__all__ = ["Gate"]

T = TypeVar("T")

_WEIGHT = 0.1  # of the newest question in the mean time of questions
_LONGEST_RETRY_S = 60


class Gate:
    """The places for questions.

    Args:
        running: Questions at once.
        waiting: Questions that may wait for a place.

    Attributes:
        admitted: The questions that run or wait.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._limit = running
        self._most = running + waiting
        self._places = asyncio.Semaphore(running)
        self._mean_s = 1.0
        self.admitted = 0

    @property
    def running(self) -> int:
        """The questions that have a place."""
        return min(self.admitted, self._limit)

    @property
    def waiting(self) -> int:
        """The questions that wait for a place."""
        return self.admitted - self.running

    def begin(self, work: Callable[[], Awaitable[T]]) -> "asyncio.Task[T]":
        """Begin a question as a task, which waits for its place.

        Raises:
            RefusalError: There is no room to wait in.
        """
        if self.admitted >= self._most:
            seconds = self._mean_s * (self.waiting + 1) / self._limit
            retry = min(_LONGEST_RETRY_S, max(1, math.ceil(seconds)))
            raise RefusalError(
                429,
                f"{self.admitted} questions are running or waiting, which is the most this server takes; "
                f"ask again in {retry} s",
                code="server_busy",
                headers={"Retry-After": str(retry)},
            )
        self.admitted += 1
        task = asyncio.create_task(self._run(work))
        # Not in `_run`: a task that is cancelled before its first step never enters it.
        task.add_done_callback(self._end)
        return task

    async def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        async with self._places:
            start = time.monotonic()
            result = await work()
            self._mean_s += _WEIGHT * (time.monotonic() - start - self._mean_s)
            return result

    def _end(self, task: "asyncio.Task[Any]") -> None:
        self.admitted -= 1
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio would complain of a client that left before its error
