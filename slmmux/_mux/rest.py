"""A rest for a member whose server is down, so that it does not cost its time-out on every question.

A circuit breaker: a member rests after `RESTS_AFTER` questions in a row on which all of its samples failed by faults
that may pass, or which waited for it until their deadline and got nothing from it. After the rest one question asks it
again while the others still go without it (half open). A reply ends the rest; another failure doubles it.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slmmux._decision.forks import renew_in_fork
from slmmux._decision.passing import passes
from slmmux._decision.types import Decision
from slmmux._errors import MemberRestsError, NoAnswerError, SampleTimeoutError, quote

__all__ = ["Rest", "note_failures", "note_outage", "note_stream", "resting"]

RESTS_AFTER = 2
FIRST_REST_S = 10.0
LONGEST_REST_S = 300.0


class Rest:
    """Whether a member rests.

    Example:
        >>> rest = Rest()
        >>> rest.fail(ConnectionError("refused")); rest.error() is None
        True
        >>> rest.fail(ConnectionError("refused")); str(rest.error())
        'not asked for 10 s, after it failed on 2 questions in a row: ConnectionError: refused'
        >>> rest.recover(); rest.error() is None
        True
    """

    def __init__(self) -> None:
        self._failures = 0
        self._length = 0.0
        self._end = 0.0
        self._is_probed = False  # one question asks whether the member is back
        self._cause = ""
        self._renew()
        renew_in_fork(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: object) -> "Rest":
        return Rest()

    @property
    def failures(self) -> int:
        """The questions in a row on which all of the member's samples failed."""
        return self._failures

    def is_resting(self) -> bool:
        """Return whether the member rests now."""
        return self._length > 0 and time.monotonic() < self._end

    def error(self) -> MemberRestsError | None:
        """Return the error that the member's samples fail with; `None` if the member must be asked.

        The first question after the end of a rest asks the member; until it has a result the others go without.
        """
        with self._lock:
            if not self._length:
                return None
            now = time.monotonic()
            if now >= self._end:
                self._end = now + self._length
                self._is_probed = True
                return None
            return MemberRestsError(
                f"not asked for {self._end - now:.0f} s, after it failed on {self._failures} questions in a row: "
                f"{self._cause}"
            )

    def fail(self, cause: BaseException) -> None:
        """Note a question on which all of the member's samples failed."""
        with self._lock:
            self._failures += 1
            self._cause = quote(cause)
            if self.is_resting() and not self._is_probed:
                return  # it was asked before it rested: many questions at once are one outage
            self._is_probed = False
            if self._failures >= RESTS_AFTER:
                self._length = min(LONGEST_REST_S, 2 * self._length or FIRST_REST_S)
                self._end = time.monotonic() + self._length

    def recover(self) -> None:
        """Note a reply: the member is asked again."""
        with self._lock:
            self._failures, self._length, self._is_probed = 0, 0.0, False


def resting(rests: Mapping[str, Rest]) -> dict[str, MemberRestsError]:
    """Return the members that are not to be asked, each with its error; none if all would rest."""
    if all(rest.is_resting() for rest in rests.values()):
        return {}  # an answer from a server that may be back is better than none
    errors = {label: rest.error() for label, rest in rests.items()}
    return {label: error for label, error in errors.items() if error is not None}


def note_failures(decision: Decision[Any], rests: Mapping[str, Rest], labels: Iterable[str]) -> None:
    """Note which of the members that were asked replied, and which failed on everything.

    Args:
        decision: The decision on one question.
        rests: The rests by label.
        labels: The members that were asked.
    """
    for label in labels:
        if label in decision.silent:
            _note(rests[label], [SampleTimeoutError(f"no reply by the deadline, after {decision.seconds or 0:.3g} s")])
            continue
        errors = [sample.error for sample in decision.samples if sample.draw.model == label]
        faults = [error for error in errors if error is not None]
        if len(faults) < len(errors):
            rests[label].recover()
        else:
            _note(rests[label], faults)


def note_outage(failure: NoAnswerError, rests: Mapping[str, Rest], labels: Iterable[str]) -> None:
    """Note that none of the members that were asked replied.

    Args:
        failure: The error of one question.
        rests: The rests by label.
        labels: The members that were asked.
    """
    for label in labels:
        _note(rests[label], [error.cause for error in failure.errors if error.model == label])


def note_stream(rest: Rest, fault: BaseException | None = None) -> None:
    """Note how the stream of an only member went, which no decision tells of: `None` if it brings something."""
    if fault is not None:
        _note(rest, [fault])
    elif rest.failures:
        rest.recover()


def _note(rest: Rest, faults: Sequence[BaseException]) -> None:
    if faults and all(map(passes, faults)):
        rest.fail(faults[-1])
