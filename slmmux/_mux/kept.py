"""A local server that is kept alive for its member: started again if it ended, replaced if it no longer answers."""

import sys
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from slmmux._decision.pool import Pool
from slmmux._mux.limiter import POLL_S
from slmmux._mux.rest import Rest

__all__ = ["kept_alive"]

_ADDRESSES = ("openai_api_base", "api_base", "base_url")  # where classes of either framework keep the address


def kept_alive(model: Any, rest: Rest, pace: Callable[[], float], threads: Pool) -> Callable[[], float]:
    """Return the pace of a member whose local server is looked after before each of its calls; its own for any other.

    Args:
        model: The member's model.
        rest: What is known of its failures: after a question on which it failed, the server is asked for its health.
        pace: Returns 0 if a request may begin now, or the seconds after which to ask again.
        threads: Where the server is started: that takes seconds.
    """
    module = sys.modules.get("slmmux.local.server")  # who has no server does not import llama.cpp
    urls = (getattr(model, name, None) for name in _ADDRESSES)
    url = next((url for url in urls if isinstance(url, str)), None)
    server = module.server_at(url) if module is not None and url is not None else None
    return pace if server is None else _Kept(server, rest, pace, threads)


class _Kept:
    def __init__(self, server: Any, rest: Rest, pace: Callable[[], float], threads: Pool) -> None:
        self._server = server
        self._rest = rest
        self._pace = pace
        self._threads = threads
        self._failures = 0  # those after which the server was looked after already
        self._revival: Future[None] | None = None

    def __call__(self) -> float:
        """Return the seconds to wait.

        Raises:
            ServerError: The server could not be started again.
        """
        if not self._server.can_revive:  # closed, or of the parent process, whose revival nobody here would end
            return self._pace()
        revival = self._revival
        if revival is None:
            failures = self._rest.failures
            if self._server.running and failures <= self._failures:
                self._failures = min(failures, self._failures)
                return self._pace()
            self._failures = failures
            self._revival = self._threads.submit(self._server.revive)
            return POLL_S
        if not revival.done():
            return POLL_S
        self._revival = None
        revival.result()
        return self._pace()
