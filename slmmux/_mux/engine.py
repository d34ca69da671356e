"""One question from start to end: the members' race and, if its answer is too uncertain, one bigger model.

`answer_flow` yields the race to drive next and is sent its decision, so threads (`run`) and tasks (`arun`) share it.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from slmmux._decision.budget import Budget
from slmmux._decision.clock import Clock
from slmmux._decision.drive import Compare, Draws, adrive, drive
from slmmux._decision.pool import Pool
from slmmux._decision.race import Race
from slmmux._decision.record import Outcome
from slmmux._decision.types import Answer, Decision, Draw
from slmmux._errors import NoAnswerError
from slmmux._mux.observe import Observe
from slmmux._mux.rule import Policy
from slmmux._mux.usage import Account

__all__ = ["Flow", "Limits", "Question", "Result", "Sampling", "Settle", "answer_flow", "arun", "run"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Result(Generic[R]):
    """A question that was answered, abstained from, or passed to the bigger model.

    Attributes:
        decision: The members' own decision.
        outcome: Whether their answer is returned.
        reply: The reply that is returned; `None` if the mux abstains.
        bigger: The bigger model's reply as a decision, if it was asked and replied.
        fault: Why the bigger model did not reply, if it was asked and did not.
        resting: The members that were not asked.
        rule: The name of the rule that decided; `None`: the mux's own.
    """

    decision: Decision[R | None]
    outcome: Outcome
    reply: R | None
    bigger: Decision[R] | None = None
    fault: NoAnswerError | None = None
    resting: tuple[str, ...] = ()
    rule: str | None = None


Flow: TypeAlias = Generator[Race[R], Decision[R], Result[R]]
# How the members' decision becomes the one that counts, by way of further races.
Settle: TypeAlias = Callable[[Decision[R]], Generator[Race[R], Decision[R], Decision[R]]]


def answer_flow(race: Race[R], policy: Policy, bigger: Race[R] | None, settle: Settle[R] | None = None) -> Flow[R]:
    """Yield the races to drive, one after another, and return how the question was answered.

    Args:
        race: The members' race.
        policy: Whether the members' answer is returned, by its probability.
        bigger: The bigger model's race, of one sample; `None` if there is no bigger model.
        settle: Decides anew among the members' samples, with another confidence than self-consistency.

    Raises:
        NoAnswerError: No model replied, the bigger one included; carries every cause.
    """
    failure: NoAnswerError | None = None
    decision: Decision[R | None]
    try:
        decision = yield race  # type: ignore[assignment]  # a decision with a reply is one that may have none
    except NoAnswerError as error:
        if bigger is None:
            raise
        failure, decision = error, race.without_reply
    else:
        if settle is not None:
            decision = yield from settle(decision)  # type: ignore[arg-type, assignment]
    outcome = "escalated" if failure else policy.outcome(decision.probability, can_escalate=bigger is not None)
    if outcome != "escalated" or bigger is None:
        return Result(decision, outcome, None if outcome == "abstained" else decision.reply)
    try:
        escalation = yield bigger
    except NoAnswerError as fault:
        if failure:
            everything = NoAnswerError.of((*failure.errors, *fault.errors), failure.why)
            raise everything from everything.__cause__
        outcome = policy.outcome(decision.probability, can_escalate=False)
        return Result(decision, outcome, None if outcome == "abstained" else decision.reply, fault=fault)
    return Result(decision, "escalated", escalation.reply, bigger=escalation)


class Sampling(Protocol[R_co]):
    """The calls of one race: each made once, counted, and closed when the race is over; none is sent afterwards."""

    def group(self, draws: Sequence[Draw]) -> list[Draws]: ...
    def pace(self, draws: Draws) -> float: ...
    def call(self, draws: Draws) -> Sequence[R_co]: ...
    async def acall(self, draws: Draws) -> Sequence[R_co]: ...
    def sent(self, begun: Mapping[Draws, int]) -> tuple[Draws, ...]: ...
    def close(self) -> None: ...
    async def aclose(self) -> None: ...


class Question(Protocol[R]):
    """One question as a framework puts it: the only things about it that the flow has to know."""

    @property
    def extractor(self) -> str:
        """The name of the reading, for the record."""
        ...

    @property
    def longest(self) -> Mapping[str, int]:
        """The most tokens a reply of each model can have, by label; 0 if nobody knows."""
        ...

    @property
    def account(self) -> Account:
        """Where the tokens of its replies are counted."""
        ...

    def text(self) -> str:
        """Return the question's text, for a rule by question."""
        ...

    def read(self, reply: R) -> Answer | None:
        """Return the answer of a reply."""
        ...

    def has_content(self, reply: R) -> bool:
        """Return whether a reply says anything: a text, tool calls or a refusal."""
        ...

    def is_cut_off(self, reply: R) -> bool:
        """Return whether a reply was cut off at its limit of tokens."""
        ...

    def usage_of(self, reply: R) -> Mapping[str, int]:
        """Return the tokens of one reply."""
        ...

    def text_of(self, reply: R) -> str:
        """Return the text of one reply."""
        ...

    def logprobs_of(self, reply: R) -> Iterable[float] | None:
        """Return the log-probabilities of one reply's tokens; `None` if its server did not report them."""
        ...

    def stated_by(self, reply: R) -> float | None:
        """Return how sure a model says it is of one reply, from 0 to 1; `None` if it was not asked or does not say."""
        ...

    def content_of(self, reply: R) -> object:
        """Return everything in a reply that is read: its text, its calls, its value."""
        ...

    def sampling(self, race: Race[R] | None = None) -> Sampling[R]:
        """Return the calls of a race, or of a profile, which has none."""
        ...


@dataclass(frozen=True)
class Limits:
    """The limits of a question as a whole, the bigger model included.

    Attributes:
        compare: Which answers agree, if equality is no key.
        timeout: Seconds a call may take.
        clock: What is left of the time the question may take.
        budget: What the question may cost.
        resting: Members that are not asked, each with the error that its samples fail with.
        beside: Whether a reply may take long to read.
        rule: The name of the rule that decides, if it is not the mux's own.
        retries: How often a call of each member is made again if its fault passes.
    """

    compare: Compare | None
    timeout: float | None
    clock: Clock
    budget: Budget | None
    resting: Mapping[str, BaseException] = field(default_factory=dict)
    beside: Callable[[Any], bool] | None = None
    rule: str | None = None
    retries: Mapping[str, int] = field(default_factory=dict)


def run(
    flow: Flow[R],
    sampling: Callable[[Race[R]], Sampling[R]],
    limits: Limits,
    pool: Pool,
    observe: Observe | None = None,
) -> Result[R]:
    """Run a flow on threads.

    Args:
        flow: What `answer_flow` returned.
        sampling: Makes the calls of a race.
        limits: What holds for the question.
        pool: The threads, or the places for calls on an event loop.
        observe: Called with each sample of the members when it is counted.
    """
    race = next(flow)
    abandoned: list[Draws] = []
    try:
        while True:
            calls = sampling(race)
            running: dict[Draws, int] = {}
            try:
                ending: Decision[R] | NoAnswerError = drive(
                    race,
                    calls.call,
                    pool=pool,
                    group=calls.group,
                    compare=limits.compare,
                    timeout=limits.timeout,
                    deadline=limits.clock.left,
                    budget=limits.budget,
                    pace=calls.pace,
                    observe=observe,
                    resting=limits.resting,
                    beside=limits.beside,
                    retries=limits.retries,
                    left=running.update,
                )
            except NoAnswerError as failure:
                ending = failure
            finally:
                calls.close()
            abandoned += calls.sent(running)
            race = _next(flow, ending, limits.clock)
    except StopIteration as end:
        return _with_abandoned(end.value, abandoned)


async def arun(
    flow: Flow[R],
    sampling: Callable[[Race[R]], Sampling[R]],
    limits: Limits,
    pool: Pool,
    observe: Observe | None = None,
) -> Result[R]:
    """Run a flow on tasks; the arguments are the same as for `run`."""
    race = next(flow)
    abandoned: list[Draws] = []
    try:
        while True:
            calls = sampling(race)
            running: dict[Draws, int] = {}
            try:
                ending: Decision[R] | NoAnswerError = await adrive(
                    race,
                    calls.acall,
                    slots=pool,
                    group=calls.group,
                    compare=limits.compare,
                    timeout=limits.timeout,
                    deadline=limits.clock.left,
                    budget=limits.budget,
                    pace=calls.pace,
                    observe=observe,
                    resting=limits.resting,
                    beside=limits.beside,
                    retries=limits.retries,
                    left=running.update,
                )
            except NoAnswerError as failure:
                ending = failure
            finally:
                await calls.aclose()
            abandoned += calls.sent(running)
            race = _next(flow, ending, limits.clock)
    except StopIteration as end:
        return _with_abandoned(end.value, abandoned)


def _with_abandoned(result: Result[R], abandoned: Iterable[Draws]) -> Result[R]:
    """Return a result whose decision knows the requests that were left running by every race of the question."""
    return replace(result, decision=replace(result.decision, abandoned=tuple(abandoned)))


def _next(flow: Flow[R], ending: Decision[R] | NoAnswerError, clock: Clock) -> Race[R]:
    """Send a race's result to the flow and return the race to drive next, unless the deadline has passed."""
    race = flow.throw(ending) if isinstance(ending, NoAnswerError) else flow.send(ending)
    return flow.throw(NoAnswerError((), "deadline reached")) if clock.left == 0 else race
