"""The place in the window of a stream that goes straight through: a call like any other, that no driver makes.

Whoever streams may stop at any response, or never ask for the first: the place is left all the same.
"""

import weakref
from collections.abc import Awaitable, Callable
from typing import TypeVar

from slmmux._decision.window import Place

__all__ = ["HeldPlace"]

T = TypeVar("T")


class HeldPlace:
    """A place that is left at the end of a `with` block, and earlier if the stream fails to begin or is dropped.

    Args:
        place: The place.
        leave: Gives it back; a second time changes nothing.
    """

    def __init__(self, place: Place, leave: Callable[[Place], None]) -> None:
        self._place = place
        self._give_back = leave

    def _leave(self) -> None:
        self._give_back(self._place)

    def begun(self, begin: Callable[[], T]) -> T:
        """Return a stream that begins in this place."""
        try:
            return begin()
        except BaseException:
            self._leave()
            raise

    async def abegun(self, begin: Callable[[], Awaitable[T]]) -> T:
        """Return a stream that begins in this place on the event loop."""
        try:
            return await begin()
        except BaseException:
            self._leave()
            raise

    def of(self, stream: T) -> T:
        """Return a stream that leaves this place also if it is dropped before it was asked for anything."""
        weakref.finalize(stream, self._leave).atexit = False
        return stream

    def __enter__(self) -> None:
        """Hold the place until the end of the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Leave the place; a stream that was broken off says nothing about its member."""
        self._place.note(error)
        self._leave()
