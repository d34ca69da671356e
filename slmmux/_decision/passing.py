"""Temporary faults of a call: which ones are worth a retry, and after how many seconds."""

import time
from collections.abc import Iterator
from typing import Any

__all__ = ["is_timeout", "passes", "retry_after", "status_of"]

# Time-out, conflict, too early, too many, or a server in trouble.
_TEMPORARY_STATUSES = {408, 409, 425, 429, 500, 502, 503, 504, 529}
# Broken connections, by the class names that the clients give them, so that no client has to be imported here.
_CONNECTION_ERRORS = {
    "APIConnectionError",
    "APITimeoutError",
    "BrokenPipeError",
    "ClientConnectionError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "ResponseError",
    "ServerDisconnectedError",
    "TransportError",
    "WriteError",
    "WriteTimeout",
}
# A stand-in for an error that quoted a secret has its name and none of its bases: so common ones are named above, too.
_ENDINGS = ("InternalServerError", "RateLimitError", "TimeoutError")
_LONGEST_S = 120.0
# Where the clients' errors keep a status and a response; in OpenAI's, Ollama's, Google's and aiohttp's words.
_STATUS_NAMES = ("status_code", "code", "status")
_RESPONSE_NAMES = ("response", "raw_response")
_LOWEST_FAULT, _HIGHEST_FAULT = 400, 599


def passes(error: BaseException) -> bool:
    """Return whether a fault is temporary, so that the same request may succeed later.

    A time-out, a broken connection and "too many requests" are; a wrong key, a request too long and a bug are not.

    Example:
        >>> passes(TimeoutError()), passes(ValueError("no such model"))
        (True, False)
    """
    status = status_of(error)
    if status is not None:
        return status in _TEMPORARY_STATUSES
    names = [cls.__name__ for cls in type(error).__mro__]
    return isinstance(error, TimeoutError | ConnectionError) or any(
        name in _CONNECTION_ERRORS or name.endswith(_ENDINGS) for name in names
    )


def is_timeout(error: BaseException) -> bool:
    """Return whether a client gave up because nothing came in time.

    Example:
        >>> is_timeout(TimeoutError()), is_timeout(ConnectionError("refused"))
        (True, False)
    """
    names = (cls.__name__ for cls in type(error).__mro__)
    return isinstance(error, TimeoutError) or any(name.endswith(("Timeout", "TimeoutError")) for name in names)


def retry_after(error: BaseException) -> float | None:
    """Return the seconds in the server's `Retry-After` header, at most two minutes; `None` without such a header.

    The header holds seconds or a date, and stands on the response, on the error itself or on its cause.
    """
    for holder in _holders(error):
        headers: Any = getattr(holder, "headers", None)
        try:
            value = headers.get("retry-after")
            seconds = _seconds(value)
        except (AttributeError, TypeError, ValueError):
            continue
        if seconds >= 0:
            return min(seconds, _LONGEST_S)
    return None


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error, its response or its cause carries, if any of them does.

    Example:
        >>> from types import SimpleNamespace
        >>> error = ConnectionError(); error.response = SimpleNamespace(status=503)
        >>> status_of(error), status_of(ValueError())
        (503, None)
    """
    for holder in _holders(error):
        for name in _STATUS_NAMES:
            status = getattr(holder, name, None)
            if isinstance(status, int) and _LOWEST_FAULT <= status <= _HIGHEST_FAULT:
                return int(status)
    return None


def _holders(error: BaseException) -> Iterator[Any]:
    """Yield what may carry a response's status and headers: the error, its response, and the same of its causes."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        yield from (response for name in _RESPONSE_NAMES if (response := getattr(cause, name, None)) is not None)
        # Not the context: an error in the handling of another one is a fault of its own.
        cause = cause.__cause__


def _seconds(value: str) -> float:
    """Return the seconds until a `Retry-After` header allows another request."""
    try:
        return float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few servers send a date

        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
