"""The last step before a request leaves: none is sent once its race is over, and each that is sent is counted.

A driver lists the requests that run at its decision, but a thread needs a moment from there to its client: it opens a
run, writes a prompt, or waits for its turn. One that comes too late for the server must not be counted as paid.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping

from slmmux._decision.types import Draws
from slmmux._mux.usage import Account

__all__ = ["Dispatch"]


class Dispatch:
    """The requests of one race, as they are handed to their members' clients.

    Args:
        account: Where they are counted.

    Example:
        >>> from slmmux import Draw
        >>> account = Account()
        >>> dispatch = Dispatch(account)
        >>> first, second = (Draw("qwen", 0),), (Draw("qwen", 1),)
        >>> dispatch.send(first); dispatch.close(); dispatch.sent({first: 1, second: 1})
        ((Draw(model='qwen', index=0),),)
        >>> account.calls
        1
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._sent: Counter[Draws] = Counter()
        self._is_closed = False

    def send(self, draws: Draws) -> None:
        """Count a request, immediately before its member's client gets it.

        Raises:
            CancelledError: The race is over, and the request must not be sent.
        """
        with self._lock:
            if self._is_closed:
                raise asyncio.CancelledError("decided before this call was sent")
            self._sent[draws] += 1
        self._account.count_call()

    def close(self) -> None:
        """Let no further request be sent."""
        with self._lock:
            self._is_closed = True

    def sent(self, begun: Mapping[Draws, int]) -> tuple[Draws, ...]:
        """Return those of some requests that were sent as often as they were begun."""
        with self._lock:
            return tuple(draws for draws, times in begun.items() if self._sent[draws] >= times)
