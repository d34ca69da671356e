"""Which faults of a call pass by themselves, so that asking again later is worth it, and when to."""

from typing import Any

__all__ = ["asked_to_wait", "passes"]

_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}  # HTTP: too early, too many, or a server in trouble
# Connections that broke, by the names their clients give them: no client is imported here.
_BROKEN = {"APIConnectionError", "APITimeoutError", "ConnectionError", "ReadTimeout", "ResponseError", "TransportError"}
# An error that quoted a secret comes cleaned of it, and nothing but the name is left of these.
_CLEANED = ("InternalServerError", "RateLimitError", "TimeoutError")
_LONGEST_S = 120.0


def passes(error: BaseException) -> bool:
    """Return whether a fault is likely to pass by itself.

    A wrong key, a request too long or a bug does not; a time-out, a broken connection or "too many requests" does.

    Example:
        >>> passes(TimeoutError()), passes(ValueError("no such model"))
        (True, False)
    """
    status = _status(error)
    if status is not None:
        return status in _PASSING
    names = [cls.__name__ for cls in type(error).__mro__]
    return isinstance(error, TimeoutError | ConnectionError) or any(
        name in _BROKEN or name.endswith(_CLEANED) for name in names
    )


def asked_to_wait(error: BaseException) -> float | None:
    """Return the seconds a server asks to be left alone (its `Retry-After`), two minutes at most."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    try:
        seconds = float(headers.get("retry-after"))
    except (AttributeError, TypeError, ValueError):  # none, or a date: the pause is ours to choose
        return None
    return min(seconds, _LONGEST_S) if seconds >= 0 else None


def _status(error: BaseException) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int):
            return status
    return None
