"""The time that is left of a question: one clock over asking, reading, comparing, embedding and escalation.

Work on other threads finds the clock of its question in the context it runs in (`current_work`), so that a comparison
deep inside can end with the question, and workers can be shared out between questions.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf

__all__ = ["LONGEST_S", "Clock", "Work", "call_end", "current_work", "seconds_for_call"]

LONGEST_S = 1e9  # some thirty years: a longer limit is no limit, and the clocks of threads cannot count it


class Clock:
    """What is left of a limit in seconds.

    Args:
        seconds: The limit; `None`, infinity and anything beyond a billion seconds are no limit.

    Example:
        >>> Clock(None).left, Clock(float("inf")).left, Clock(0.0).left
        (None, None, 0.0)
    """

    def __init__(self, seconds: float | None) -> None:
        self.end: float = inf if seconds is None or seconds >= LONGEST_S else time.monotonic() + seconds

    @property
    def left(self) -> float | None:
        """The seconds that are left, at least 0; `None` without a limit."""
        return None if self.end == inf else max(0.0, self.end - time.monotonic())


@dataclass(frozen=True, slots=True)
class Work:
    """What a piece of work belongs to.

    Attributes:
        question: Anything that tells questions apart.
        end: The time of the monotonic clock after which nobody waits for the work.
    """

    question: object
    end: float = inf


# Set where work is handed to a thread, whose context is a copy: nobody has to set it back.
current_work: ContextVar[Work | None] = ContextVar("slmmux_work", default=None)

# The time at which nobody waits any more for the call that runs in this context: so its own client can give up, too.
call_end: ContextVar[float] = ContextVar("slmmux_call_end", default=inf)


def seconds_for_call() -> float | None:
    """Return the seconds that the call in this context has; `None` without a limit.

    Example:
        >>> seconds_for_call() is None
        True
    """
    end = call_end.get()
    return None if end == inf else max(0.0, end - time.monotonic())
