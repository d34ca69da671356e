"""Temporary faults of a call: which ones are worth a retry, and after how many seconds."""

from typing import Any

__all__ = ["is_timeout", "passes", "retry_after", "status_of"]

# Time-out, conflict, too early, too many, or a server in trouble.
_TEMPORARY_STATUSES = {408, 409, 425, 429, 500, 502, 503, 504, 529}
# Broken connections, by the class names that the clients give them, so that no client has to be imported here.
_CONNECTION_ERRORS = {
    "APIConnectionError",
    "APITimeoutError",
    "BrokenPipeError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "ResponseError",
    "TransportError",
    "WriteError",
    "WriteTimeout",
}
# A stand-in for an error that quoted a secret has its name and none of its bases: so common ones are named above, too.
_ENDINGS = ("InternalServerError", "RateLimitError", "TimeoutError")
_LONGEST_S = 120.0


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
    """Return the seconds in the server's `Retry-After` header, at most two minutes; `None` without such a header."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    try:
        seconds = float(headers.get("retry-after"))
    except (AttributeError, TypeError, ValueError):  # The header is absent or holds a date: the campaign chooses.
        return None
    return min(seconds, _LONGEST_S) if seconds >= 0 else None


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error carries, if it carries one."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int):
            return status
    return None
