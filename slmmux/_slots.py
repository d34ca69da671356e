"""At most `limit` calls at once on each event loop: a semaphore belongs to the loop it was first waited on."""

import asyncio
import threading
from weakref import WeakKeyDictionary

__all__ = ["Slots"]


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

    def here(self) -> asyncio.Semaphore:
        """Return the running loop's semaphore."""
        with self._lock:
            return self._of.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._limit))
