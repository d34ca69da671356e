"""HTTP clients for the OpenAI SDK that bound a member's calls at once.

The SDK is handed in: whoever has a member of it has it, and this package does not import it.
"""

from importlib import import_module
from typing import Any

__all__ = ["http_clients"]


def http_clients(sdk: Any, concurrency: int) -> tuple[Any, Any]:
    """Return a client and an async client with `concurrency` connections.

    The client is what a member's calls share; waiting for a connection is not the call's own time.

    Args:
        sdk: The module `openai`.
        concurrency: Calls at once.
    """
    # httpx or its successor, whichever the SDK was built on: the two do not take each other's types
    library = next(c.__module__ for c in sdk.DefaultHttpxClient.__mro__ if c.__module__.startswith("httpx"))
    limits = import_module(library.partition(".")[0]).Limits(max_connections=concurrency)
    return sdk.DefaultHttpxClient(limits=limits), sdk.DefaultAsyncHttpxClient(limits=limits)
