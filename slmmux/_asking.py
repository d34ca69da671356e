"""One question from start to end: the members' race and, where its answer is too uncertain, one bigger model.

`asking` yields what is to be driven and is sent the decision, so that threads (`run`) and tasks (`arun`) share it.
"""

import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from slmmux._errors import NoAnswerError
from slmmux._race import Race
from slmmux._ruling import Outcome, Ruled
from slmmux._types import Decision

__all__ = ["ESCALATION", "Flow", "Spoken", "arun", "asking", "recorded", "run"]

R = TypeVar("R")

ESCALATION = "escalate_to"  # the bigger model's label among those that are called


@dataclass(frozen=True)
class Spoken(Generic[R]):
    """What came of a question.

    Attributes:
        decision: The members' own.
        outcome: What was made of it.
        reply: What is returned; `None` where it abstains.
        bigger: The bigger model's reply as a decision, where it was asked and replied.
        fault: Why it did not reply, where it was asked and did not.
    """

    decision: Decision[R | None]
    outcome: Outcome
    reply: R | None
    bigger: Decision[R] | None = None
    fault: NoAnswerError | None = None


Flow: TypeAlias = Generator[Race[R], Decision[R], Spoken[R]]


def asking(race: Race[R], ruled: Ruled, bigger: Race[R] | None) -> Flow[R]:
    """Yield the races to drive, one after another; return what came of the question.

    Args:
        race: The members'.
        ruled: What is made of its decision.
        bigger: The bigger model's, of one sample; `None` where there is none.

    Raises:
        NoAnswerError: Nobody replied, the bigger model included; carries every cause.
    """
    nobody: NoAnswerError | None = None
    decision: Decision[R | None]
    try:
        decision = yield race  # type: ignore[assignment]  # a decision with a reply is one that may have none
    except NoAnswerError as error:
        if bigger is None:
            raise
        nobody, decision = error, race.without_reply
    outcome = "escalated" if nobody else ruled.outcome(decision.probability, can_escalate=bigger is not None)
    if outcome != "escalated" or bigger is None:
        return Spoken(decision, outcome, None if outcome == "abstained" else decision.reply)
    try:
        said = yield bigger
    except NoAnswerError as fault:
        if nobody:
            raise NoAnswerError((*nobody.errors, *fault.errors), nobody.why) from None
        outcome = ruled.outcome(decision.probability, can_escalate=False)
        return Spoken(decision, outcome, None if outcome == "abstained" else decision.reply, fault=fault)
    return Spoken(decision, "escalated", said.reply, bigger=said)


def run(flow: Flow[R], drive: Callable[[Race[R], float | None], Decision[R]], deadline: float | None) -> Spoken[R]:
    """Run a flow on threads.

    Args:
        flow: What `asking` returned.
        drive: Drives one race, given the seconds that are left.
        deadline: Seconds for the whole question.
    """
    left = _clock(deadline)
    race = next(flow)
    try:
        while True:
            try:
                came: Decision[R] | NoAnswerError = drive(race, left())
            except NoAnswerError as nothing:
                came = nothing
            race = _next(flow, came, left)
    except StopIteration as end:
        spoken: Spoken[R] = end.value
        return spoken


async def arun(
    flow: Flow[R], drive: Callable[[Race[R], float | None], Awaitable[Decision[R]]], deadline: float | None
) -> Spoken[R]:
    """Run a flow on tasks; the arguments are those of `run`."""
    left = _clock(deadline)
    race = next(flow)
    try:
        while True:
            try:
                came: Decision[R] | NoAnswerError = await drive(race, left())
            except NoAnswerError as nothing:
                came = nothing
            race = _next(flow, came, left)
    except StopIteration as end:
        spoken: Spoken[R] = end.value
        return spoken


def _next(flow: Flow[R], came: Decision[R] | NoAnswerError, left: Callable[[], float | None]) -> Race[R]:
    """Tell the flow what came, and return what it wants driven next, if there is time for it."""
    race = flow.throw(came) if isinstance(came, NoAnswerError) else flow.send(came)
    return flow.throw(NoAnswerError((), "deadline reached")) if left() == 0 else race


def _clock(deadline: float | None) -> Callable[[], float | None]:
    end = None if deadline is None else time.monotonic() + deadline
    return lambda: None if end is None else max(0.0, end - time.monotonic())


def recorded(
    spoken: Spoken[Any], made: Mapping[str, Any], bigger: str | None, usage: Mapping[str, int]
) -> dict[str, Any]:
    """Return the record of a question, given that of its members' decision.

    Args:
        spoken: What came of it.
        made: The record of the members' decision.
        bigger: The bigger model's name.
        usage: The tokens of its reply.

    Returns:
        The record: `model` and `answer` are of what is returned, `withheld` is what the members would have said.
    """
    full = dict(made)
    if spoken.outcome != "answered":
        withheld = {"model": made["model"], "answer": made["answer"]} if spoken.decision.reply is not None else None
        full |= {"outcome": spoken.outcome, "answer": None, "withheld": withheld}
    if spoken.bigger is not None:
        full |= {"model": bigger, "answer": spoken.bigger.winner.answer}
        full["escalation"] = {"model": bigger, "usage": dict(usage), "error": None}
    elif spoken.fault is not None:
        full["escalation"] = {"model": bigger, "usage": dict(usage), "error": str(spoken.fault)}
    return full
