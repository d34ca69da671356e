"""Second tries for members whose clients make none of their own: which faults get one, and when.

Tried again are faults whose cause passes in moments: too many requests, a server that is overloaded or starts, a
connection that broke off. Not tried again are time-outs, which would cost their time once more, and refused
connections: nobody is there, and a member that fails whole is given a rest instead.
"""

from slmmux._decision.passing import retry_after, status_of
from slmmux._errors import chain_of

__all__ = ["RETRIES", "OnceMoreError", "retry_delay"]

RETRIES = 2  # as many as the clients of the OpenAI SDK make
_FIRST_S = 0.5
_APART_S = 0.05  # between the samples of a member, which would all come back at once
_LONGEST_S = 60.0  # a server that asks for more is not waited for

_STATUSES = {429, 502, 503, 529}
# By name, so that no client has to be imported here. An error that wraps one of them has it as its cause.
_BROKEN_OFF = {
    "BrokenPipeError",
    "ConnectionAbortedError",
    "ConnectionResetError",
    "ReadError",
    "RemoteProtocolError",
    "ServerDisconnectedError",
    "WriteError",
}


class OnceMoreError(Exception):
    """A call that failed asks to be made once more, at once, because it knows another way to make it.

    Attributes:
        fault: Why it failed, which its samples fail with if there is neither time nor budget for a second call.
    """

    def __init__(self, fault: BaseException) -> None:
        self.fault = fault
        super().__init__(fault)


def retry_delay(error: BaseException, tries: int, index: int = 0) -> float | None:
    """Return the seconds after which a failed call is made again; `None` if its fault gets no second try.

    Args:
        error: The fault.
        tries: The number of earlier second tries of this call.
        index: The index of its sample: samples that failed together come back one after another.

    Example:
        >>> retry_delay(ConnectionResetError(), 0), retry_delay(ConnectionResetError(), 1)
        (0.5, 1.0)
        >>> retry_delay(TimeoutError(), 0) is retry_delay(ConnectionRefusedError(), 0) is None
        True
    """
    status = status_of(error)
    if status is not None:
        if status not in _STATUSES:
            return None
    elif not any(cls.__name__ in _BROKEN_OFF for each in chain_of(error) for cls in type(each).__mro__):
        return None
    seconds = retry_after(error)
    if seconds is None:
        seconds = _FIRST_S * 2**tries
    return seconds + _APART_S * index if seconds <= _LONGEST_S else None
