"""One question from start to end: the members' race and, where its answer is too uncertain, one bigger model.

`asking` yields what is to be driven and is sent the decision, so that threads (`run`) and tasks (`arun`) share it.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from slmmux._decision.budget import Budget
from slmmux._decision.drive import Compare, Draws, adrive, drive
from slmmux._decision.pool import Pool
from slmmux._decision.race import Race
from slmmux._decision.types import Decision, Draw
from slmmux._errors import NoAnswerError
from slmmux._mux.rule import Outcome, Ruled

__all__ = ["Flow", "Limits", "Sampling", "Spoken", "arun", "asking", "recorded", "run"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


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


class Sampling(Protocol[R_co]):
    """The calls of one race: made, counted, and closed when it is over."""

    def group(self, draws: Sequence[Draw]) -> list[Draws]: ...
    def call(self, draws: Draws) -> Sequence[R_co]: ...
    async def acall(self, draws: Draws) -> Sequence[R_co]: ...
    def close(self) -> None: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True)
class Limits:
    """What holds for a question as a whole.

    Attributes:
        compare: Which answers agree, where equality is no key.
        timeout: Seconds a call may take.
        deadline: Seconds for the question, the bigger model included.
        budget: What it may cost, the bigger model included.
    """

    compare: Compare | None
    timeout: float | None
    deadline: float | None
    budget: Budget | None


def run(flow: Flow[R], sampling: Callable[[Race[R]], Sampling[R]], limits: Limits, pool: Pool) -> Spoken[R]:
    """Run a flow on threads.

    Args:
        flow: What `asking` returned.
        sampling: Makes the calls of a race.
        limits: What holds for the question.
        pool: The threads.
    """
    left = _clock(limits.deadline)
    race = next(flow)
    try:
        while True:
            calls = sampling(race)
            try:
                came: Decision[R] | NoAnswerError = drive(
                    race,
                    calls.call,
                    pool=pool,
                    group=calls.group,
                    compare=limits.compare,
                    timeout=limits.timeout,
                    deadline=left(),
                    budget=limits.budget,
                )
            except NoAnswerError as nothing:
                came = nothing
            finally:
                calls.close()
            race = _next(flow, came, left)
    except StopIteration as end:
        spoken: Spoken[R] = end.value
        return spoken


async def arun(
    flow: Flow[R], sampling: Callable[[Race[R]], Sampling[R]], limits: Limits, slots: asyncio.Semaphore
) -> Spoken[R]:
    """Run a flow on tasks; the arguments are those of `run`, with places for calls instead of threads."""
    left = _clock(limits.deadline)
    race = next(flow)
    try:
        while True:
            calls = sampling(race)
            try:
                came: Decision[R] | NoAnswerError = await adrive(
                    race,
                    calls.acall,
                    slots=slots,
                    group=calls.group,
                    compare=limits.compare,
                    timeout=limits.timeout,
                    deadline=left(),
                    budget=limits.budget,
                )
            except NoAnswerError as nothing:
                came = nothing
            finally:
                await calls.aclose()
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
