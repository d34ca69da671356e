"""A rate limiter that can be asked instead of waited for: a request that waits is no call yet, and can be withdrawn."""

import asyncio
import threading
import time
from collections.abc import Callable

from slmmux._decision.forks import renew_in_fork

__all__ = ["POLL_S", "BlockingLimiter", "await_for", "no_limit", "wait_for"]

POLL_S = 0.02
# A limiter that has a place grants it at once; this wait, once for each place, spares such a request the poll.
_AT_ONCE_S = 0.001


def no_limit() -> float:
    """Return the seconds that a request waits without a rate limiter: 0."""
    return 0.0


def wait_for(pace: Callable[[], float]) -> None:
    """Wait on this thread until a request may begin, where no driver waits for it."""
    while (seconds := pace()) > 0:
        time.sleep(seconds)


async def await_for(pace: Callable[[], float]) -> None:
    """Wait on the event loop until a request may begin."""
    while (seconds := pace()) > 0:  # noqa: ASYNC110 - a limiter tells nobody when it has a place
        await asyncio.sleep(seconds)


class BlockingLimiter:
    """Asks a limiter that can only be waited for: one thread waits for the next place, and keeps it for who asks next.

    A place that nobody takes any more, because the question is decided, is taken by the next question's request.

    Args:
        acquire: Blocks until a request may begin.

    Example:
        >>> import time
        >>> asked = BlockingLimiter(lambda: None)
        >>> while asked() > 0:
        ...     time.sleep(POLL_S)
    """

    def __init__(self, acquire: Callable[[], object]) -> None:
        self._acquire = acquire
        self._renew()
        renew_in_fork(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._places = 0
        self._fault: BaseException | None = None
        self._ended: threading.Event | None = None  # of the thread that waits, if one does

    def __call__(self) -> float:
        """Return 0 if a request may begin now, or the seconds after which to ask again.

        Raises:
            Exception: Whatever the limiter raised.
        """
        with self._lock:
            if self._take():
                return 0.0
            if self._ended is not None:
                return POLL_S
            self._ended = ended = threading.Event()
        threading.Thread(target=self._wait, args=(ended,), name="slmmux-limiter", daemon=True).start()
        ended.wait(_AT_ONCE_S)
        with self._lock:
            return 0.0 if self._take() else POLL_S

    def _take(self) -> bool:
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault
        if not self._places:
            return False
        self._places -= 1
        return True

    def _wait(self, ended: threading.Event) -> None:
        fault: BaseException | None = None
        try:
            self._acquire()
        except Exception as error:  # noqa: BLE001 - raised where a request asks
            fault = error
        with self._lock:
            self._places += fault is None
            self._fault = fault
            self._ended = None
        ended.set()
