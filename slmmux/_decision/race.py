"""The decision as a sans-IO state machine: ask for draws, tell the replies, read the decision.

`Race` never calls a model, sleeps, awaits, locks or reads a clock. A driver asks it which samples to draw, draws them
however it likes, and tells it the replies. `drive` has the drivers for threads and tasks; a replay is a third one.

Each draw, and the race as a whole, goes through these states:

    a draw:    planned --ask()--> outstanding --tell(), fail()--> counted
    the race:  open --the last sample, a settled outcome, stop()--> over --decision--> decided, or NoAnswerError

What each method does in each state:

    method       open                                         over
    ask()        the plan's next step; [] while a draw of     []
                 the last step is outstanding
    tell(),      count the sample, and end the race if the    nothing: the sample is late
    fail()       outcome is now settled or exhausted
    stop()       end the race with the samples that arrived   nothing: the first reason stands
    decision     `None`                                       the decision, or NoAnswerError without a reply

A draw that is not outstanding is refused in either state: a driver that tells a draw twice, or one that ask() did not
return, would corrupt the count without anybody noticing.

Why the order of arrival cannot change (model, answer): every choice is a function of the set of (draw, sample) pairs.
Counts do not depend on the order, and each tie falls to something fixed before the race: the sample's index within a
member, the rank between members. Nothing compares times of arrival.

Why early stop cannot change it: the race ends as "settled" only if (model, answer) would be the same for every outcome
of the outstanding samples, the actual one included (`settled` has the conditions, and why they are exact). Plans only
choose the order of the draws, and order does not matter. The exceptions say so: "first_round", a stated risk, a
deadline and a budget may end the race while the outcome is open. Under early stop the confidence of the decision is a
lower bound.

Invariants:

    every draw is in one state, and is returned by ask() exactly once;
    planned + outstanding + counted = the sum of all k;
    a race that is over stays over, for its first reason, and its decision never changes;
    the decision's (model, answer) is a function of the set of counted samples, whatever the order they arrived in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast, get_args

from slmmux._decision.groups import GROUPS, GroupAnswers, GroupName, RelatedTally
from slmmux._decision.labels import by_label
from slmmux._decision.plans import PLANS, Plan
from slmmux._decision.risk import chance_of_change
from slmmux._decision.rules import WeightedRule, check_members
from slmmux._decision.settled import is_settled, is_settled_by
from slmmux._decision.types import Answer, DecidedBy, Decision, Draw, Reason, Sample, Vote
from slmmux._decision.unused import Unused
from slmmux._decision.vote import Tally, choose
from slmmux._errors import ArgumentError, NoAnswerError, SampleError

__all__ = ["MOST_SAMPLES", "Plan", "Race", "Verdict", "Wait", "check_samples", "check_wait"]

R = TypeVar("R")

_Waits = Literal["settled", "exhausted"]
Wait: TypeAlias = _Waits | dict[Literal["risk"], float]

MOST_SAMPLES = 100_000  # of one member: a slip of the keyboard must not ask for a billion

# A reply's answer, and its similarity to each of the member's earlier answers that agree with it, by index.
Verdict: TypeAlias = tuple[Answer | None, Mapping[int, float]]


class Race(Generic[R]):
    """One question's race between members.

    Args:
        samples: k by member label, in rank order, best first.
        read: Returns the answer in a reply, or `None`. If it raises, the sample counts as failed.
        plan: The order of the requests. "parallel": all at once. "cascade": the best-ranked member first, and the next
            one only while the outcome is open. "adaptive": one sample at a time, of the member that could still become
            the most confident. "cheapest": the same, but by what a sample costs for its chance of deciding. None of
            these changes (model, answer). "first_round" does: it asks each member once, and if all of them give the
            same answer, decides for it (the paper's stop).
        wait: "settled" decides once no outstanding sample can change (model, answer); "exhausted" decides once every
            planned sample has arrived, which gives the exact confidence; {"risk": 0.01} decides once the chance that
            outstanding samples change the answer is below 1 %, or the outcome is settled.
        group: For an equality that is not a key: how answers of a member that agree are grouped. "classes" lets each
            sample join the first class whose first sample it agrees with; "neighbourhoods" takes the sample with the
            most neighbours; a callable maps {index: {index: similarity}} to (size, index of the speaking sample). The
            driver tells with each reply which earlier answers agree with it (`compare` of `drive`).
        rule: The weights for the answers of all members together; without them the most confident member wins
            (Algorithm 1).
        costs: For plan="cheapest": the cost of a sample by member, in any unit; without them all cost the same.
        has_content: Whether a reply says anything; without it every reply does. It counts only if no answer could be
            read in any reply: then the best-ranked member speaks whose reply has content.

    Raises:
        ArgumentError: There are no members, a k is below 1, the plan, wait or group is unknown, a cost is missing or
            below 0, or the rule is for other members. A stated risk holds for Algorithm 1 without `group` alone. A rule
            cannot be combined with `group`: rules compare answers of different members, and groups are formed within
            one.

    Example:
        >>> race = Race({"qwen": 2, "phi": 2}, read=lambda text: Answer(text, "text", text))
        >>> race.ask()[:2]
        [Draw(model='qwen', index=0), Draw(model='phi', index=0)]
        >>> race.tell(Draw("qwen", 0), "4")
        >>> race.decision is None
        True
        >>> race.tell(Draw("qwen", 1), "4")  # unanimous and ranked first: nothing can overturn it
        >>> race.decision.winner.answer, race.decision.reason, len(race.decision.unused)
        ('4', 'settled', 2)
    """

    def __init__(
        self,
        samples: Mapping[str, int],
        read: Callable[[R], Answer | None],
        *,
        plan: Plan = "parallel",
        wait: Wait = "settled",
        group: GroupName | GroupAnswers | None = None,
        rule: WeightedRule | None = None,
        has_content: Callable[[R], bool] | None = None,
        costs: Mapping[str, float] | None = None,
    ) -> None:
        check_samples(samples)
        _check("plan", plan, get_args(Plan))
        check_wait(wait, is_algorithm_1=rule is None and group is None)
        if isinstance(group, str):
            _check("group", group, get_args(GroupName))
            group = GROUPS[group]
        if rule is not None:
            check_members(rule.models, samples)
            if group is not None:
                raise ArgumentError(
                    "this rule compares answers of different members, but an agreement without a canonical form only "
                    'groups answers within one member; use agreement="canonical", or rule="self-consistency"'
                )
        self._rule = rule
        self._is_settled = is_settled if rule is None else partial(is_settled_by, rule)
        self._extract = read
        self._content = has_content
        self._wait = wait
        self._risk = wait["risk"] if isinstance(wait, Mapping) else None
        self._tallies = {
            model: Tally(model, k) if group is None else RelatedTally(model, k, group) for model, k in samples.items()
        }
        self._by_rank = list(self._tallies.values())
        self._models = tuple(self._tallies)
        self._rank = {model: rank for rank, model in enumerate(samples)}
        self._steps = PLANS[plan](self._by_rank, None if costs is None else by_label("costs", costs, samples))
        self._step: Iterator[Draw] = iter(())  # what is left of the current step
        self._first_round = len(samples) if plan == "first_round" else 0  # the samples in it
        # Draws are kept as (model, index): a tuple is hashed in C, a dataclass in Python, some four times a sample.
        self._outstanding: set[tuple[str, int]] = set()
        self._samples: dict[tuple[str, int], Sample[R]] = {}  # counted
        self._uncounted = sum(samples.values())  # planned or outstanding
        self._reason: Reason | None = None  # why the race is over; `None` while it is open
        self._decision: Decision[R] | None = None  # made when it is first read: few drivers read it after each sample

    def ask(self, most: int | None = None) -> list[Draw]:
        """Return the draws to start now: each of them once, and none after the decision.

        Args:
            most: The most draws to return. The rest of a step is returned by the next calls, of which each then has
                draws as long as there are some, outstanding ones or not.
        """
        if self._reason is not None:
            return []
        draws = list(islice(self._step, most))
        if not draws and not self._outstanding:
            self._step = iter(next(self._steps, ()))
            draws = list(islice(self._step, most))
        self._outstanding.update((draw.model, draw.index) for draw in draws)
        return draws

    def read(self, reply: R) -> Answer | None:
        """Return a reply's answer; raises what the extractor raises."""
        return self._extract(reply)

    def tell(self, draw: Draw, reply: R, verdict: Verdict | None = None) -> None:
        """Count the reply for an outstanding draw.

        Args:
            draw: The draw.
            reply: The framework's reply.
            verdict: The reply's answer, and the earlier `answers(draw.model)` that agree with it; only for an equality
                that is not a key. Without a verdict the race reads the reply itself.

        Raises:
            ArgumentError: The draw was not requested, or is counted already.
        """
        try:
            answer, alike = verdict or (self._extract(reply), {})
        except Exception as error:  # noqa: BLE001 - an extractor's fault costs the vote, never the answer
            self.fail(draw, error)
        else:
            self._count(Sample(draw, reply=reply, answer=answer, alike=alike))

    def answers(self, model: str) -> dict[int, Answer]:
        """Return the answers in a member's samples so far, by index."""
        return {
            index: sample.answer
            for (label, index), sample in self._samples.items()
            if label == model and sample.answer is not None
        }

    def fail(self, draw: Draw, error: BaseException) -> None:
        """Count a failed call for an outstanding draw: it costs this sample's vote and nothing else.

        Raises:
            ArgumentError: The draw was not requested, or is counted already.
        """
        self._count(Sample(draw, error=error))

    def stop(self, reason: Reason, unread: Iterable[tuple[Draw, R]] = ()) -> None:
        """End the race with the samples so far, because of a deadline or a budget.

        Args:
            reason: Why it ends.
            unread: Replies that arrived and could not be read in time: they abstain, and one of them is the answer if
                nothing better arrived.
        """
        if self._reason is not None:  # a settled outcome stays one, whatever the clock says afterwards
            return
        for draw, reply in unread:
            self._add(Sample(draw, reply=reply, is_unread=True))
        self._reason = reason

    def sample(self, draw: Draw) -> Sample[R] | None:
        """Return the sample of a draw, or `None` while it is not counted."""
        return self._samples.get((draw.model, draw.index))

    def has_sample(self, model: str) -> bool:
        """Return whether a sample of a member is counted, be it a failed one."""
        return any(label == model for label, _ in self._samples)

    @property
    def models(self) -> tuple[str, ...]:
        """The members' labels in rank order."""
        return self._models

    @property
    def is_over(self) -> bool:
        """Whether the race is over; `decision` then returns the decision, or raises."""
        return self._reason is not None

    @property
    def errors(self) -> tuple[SampleError, ...]:
        """The failed calls so far, in rank and index order."""
        return tuple(SampleError(s.draw.model, s.draw.index, s.error) for s in self._in_order() if s.error is not None)

    @property
    def decision(self) -> Decision[R] | None:
        """The decision, or `None` while the race is open; it never changes.

        Raises:
            NoAnswerError: The race is over and there is not a single reply.
        """
        if self._decision is None and self._reason is not None:
            decision, has_reply = self._decide(self._reason)
            if not has_reply:
                raise NoAnswerError.of(
                    self.errors, "every call failed" if self._reason == "exhausted" else f"{self._reason} reached"
                )
            self._decision = cast("Decision[R]", decision)  # a sample without an error has a reply
        return self._decision

    def _count(self, sample: Sample[R]) -> None:
        place = sample.draw.model, sample.draw.index
        if place not in self._outstanding:
            fault = "is counted already" if place in self._samples else "was never requested"
            raise ArgumentError(f"{sample.draw} {fault}; tell a race each draw of its ask() once, and no others")
        if self._reason is not None:
            return  # late; the draw stays outstanding, and the decision lists it as unused
        self._add(sample)
        # The only place where a race ends by itself. "exhausted" comes first: with nothing outstanding every outcome is
        # settled as well, and the stronger reason is the one to report.
        if not self._uncounted:
            self._reason = "exhausted"
        elif self._wait != "exhausted" and self._is_settled(self._by_rank):
            self._reason = "settled"
        elif self._risk is not None and chance_of_change(self._by_rank) < self._risk:
            self._reason = "risk"
        elif len(self._samples) == self._first_round and self._is_unanimous():
            self._reason = "first-round"

    def _add(self, sample: Sample[R]) -> None:
        place = sample.draw.model, sample.draw.index
        self._outstanding.remove(place)
        self._samples[place] = sample
        self._tallies[sample.draw.model].add(sample)
        self._uncounted -= 1

    def _is_unanimous(self) -> bool:
        """Return whether all samples so far have the same answer."""
        answers = {sample.answer for sample in self._samples.values()}
        return len(answers) == 1 and None not in answers

    @property
    def without_reply(self) -> Decision[R | None]:
        """The decision of a race without a single reply: the rank decides, and `reply` is `None`."""
        return self._decide(self._reason or "exhausted")[0]

    def _decide(self, reason: Reason) -> tuple[Decision[R | None], bool]:
        """Return the decision from the samples so far, and whether it contains a reply."""
        votes = tuple(t.vote() for t in self._by_rank)
        samples = self._in_order()
        winner, decided_by, speaker, probability = self._winner(votes)
        replies = [s for s in samples if s.error is None]
        if not winner.count and (telling := next((s for s in replies if self._has_content(s)), None)) is not None:
            # No answer could be read in any reply, so the rank decides; but an empty reply never speaks over one that
            # says something.
            winner = next(vote for vote in votes if vote.model == telling.draw.model)
            speaker = telling.draw.index
        # Without an answer anywhere and without content there is no speaker, and the winner's first reply speaks.
        speaking = next((s for s in replies if s.draw.model == winner.model and speaker in {None, s.draw.index}), None)
        decision = Decision(
            winner=winner,
            votes=votes,
            reply=speaking.reply if speaking else None,
            sample=speaking.draw if speaking else Draw(winner.model, 0),
            decided_by=decided_by,
            reason=reason,
            samples=cast("tuple[Sample[R | None], ...]", samples),
            unused=Unused({t.model: t.of for t in self._by_rank}, self._samples),
            # Rules are calibrated on complete samples, so that a part of them has no probability.
            probability=None if self._uncounted else probability,
        )
        return decision, speaking is not None

    def _winner(self, votes: tuple[Vote, ...]) -> tuple[Vote, DecidedBy, int | None, float | None]:
        """Return the winning vote, how it won, the index of the speaking sample, and the probability."""
        rule = self._rule
        counts = {} if rule is None else {tally.model: tally.counts() for tally in self._by_rank}
        ruling = None if rule is None else rule.decide(counts, {tally.model: tally.of for tally in self._by_rank})
        if ruling is None:
            winner, decided_by = choose(votes)
            # A calibrated rule knows one probability without any answer: nothing was read, so nothing is right.
            probability = None if rule is None or rule.calibration is None else 0.0
            return winner, decided_by, self._tallies[winner.model].speaker, probability
        count, first = counts[ruling.model][ruling.answer]
        vote = next(vote for vote in votes if vote.model == ruling.model)
        # An equal answer of the member that speaks, because members may write the same answer differently.
        answer = next(a for a in counts[ruling.model] if a == ruling.answer)
        winner = replace(vote, answer=answer.value, kind=answer.kind, count=count, fields=answer.fields)
        return winner, "tie-break" if ruling.tied else "confidence", first, ruling.probability

    def _has_content(self, sample: Sample[R]) -> bool:
        return self._content is None or self._content(cast("R", sample.reply))

    def _in_order(self) -> tuple[Sample[R], ...]:
        """Return the samples so far by rank and index, which is independent of their arrival."""
        # Only what has arrived is looked at: at a deadline that may be a few hundred of a hundred thousand samples.
        return tuple(self._samples[place] for place in sorted(self._samples, key=self._in_rank))

    def _in_rank(self, place: tuple[str, int]) -> tuple[int, int]:
        return self._rank[place[0]], place[1]


def check_samples(samples: Mapping[str, int]) -> None:
    """Check that a race can be run.

    Raises:
        ArgumentError: There are no members, or a k is not a whole number from 1 to 100,000.
    """
    if not samples:
        raise ArgumentError("no members: a race needs at least one model, received none; pass models={label: model}")
    for model, k in samples.items():
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise ArgumentError(f"samples for {model!r} must be a whole number of at least 1, received {k!r}")
        if k > MOST_SAMPLES:
            raise ArgumentError(
                f"samples for {model!r} must be at most {MOST_SAMPLES:,}, received {k}; 3 to 15 are usual, and more "
                "than 100 rarely change an answer"
            )


def check_wait(wait: Any, *, is_algorithm_1: bool) -> None:
    """Check that a race can wait like this.

    Args:
        wait: The option.
        is_algorithm_1: Whether the most confident member decides, and answers are compared by their keys.

    Raises:
        ArgumentError: It is none of the names, or not a risk between 0 and 1; or a risk is stated for another rule.
    """
    if wait in get_args(_Waits):
        return
    risk = wait["risk"] if isinstance(wait, Mapping) and set(wait) == {"risk"} else None
    if not isinstance(risk, int | float) or isinstance(risk, bool) or not 0 < risk < 1:
        raise ArgumentError(
            f'wait={wait!r} does not exist; write "settled", "exhausted", or {{"risk": 0.01}} with a chance between 0 '
            "and 1"
        )
    if not is_algorithm_1:
        raise ArgumentError(
            f'wait={wait!r} is known for rule="self-consistency" and agreement="canonical" alone; write wait="settled"'
        )


def _check(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ArgumentError(f"{name}={value!r} does not exist; choose one of {', '.join(map(repr, choices))}")
