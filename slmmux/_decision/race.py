"""The decision as a sans-IO state machine: ask for draws, be told what came back, decide.

`Race` never calls a model, sleeps, awaits, locks or reads a clock. A driver asks it what to draw, draws that
however it likes, and tells it what came back; see `_drive` for threads and tasks, `recording` for files.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast, get_args

from slmmux._decision.groups import Group, RelatedTally
from slmmux._decision.plans import PLANS, Plan
from slmmux._decision.rules import WeightedRule, check_members
from slmmux._decision.settled import settled, settled_by
from slmmux._decision.types import Answer, DecidedBy, Decision, Draw, Reason, Sample, Vote
from slmmux._decision.vote import Tally, choose
from slmmux._errors import ArgumentError, NoAnswerError, SampleError

__all__ = ["Plan", "Race", "Verdict", "Wait", "check_samples"]

R = TypeVar("R")

Wait = Literal["settled", "exhausted"]
# A reply's answer, and how alike it is to those of its member's samples that agree with it, by index.
Verdict: TypeAlias = tuple[Answer | None, Mapping[int, float]]


class Race(Generic[R]):
    """One question's race between members.

    Args:
        samples: k by member label, in rank order, best first.
        read: Reads the answer of a reply; `None` when there is none. A reply it raises on counts as failed.
        plan: The order of asking. "parallel": everything at once. "cascade": the best-ranked member first, and the
            next only while the outcome is open. "adaptive": one sample after another, of the member that could still
            become the most confident. None of these changes (model, answer). "first_round" does: it asks each member
            once, and where all give one answer that answer is it (the paper's stop).
        wait: "settled" decides once no outstanding sample can change (model, answer); "exhausted" when every
            planned sample has come back, which gives the exact confidence.
        group: Where equality is no key: how a member's answers that agree are grouped, `classes` or `neighbourhoods`
            of `_related`. Which agree is told with each reply, by a driver that has `alike`.
        rule: Weighs the answers of all members together; without one the most confident member wins (Algorithm 1).
        has_content: Whether a reply says anything; without it every reply does. It counts only if no answer could be
            read in any reply: then the best-ranked member speaks whose reply has content.

    Raises:
        ArgumentError: No members, a k below 1, an unknown plan or wait, a rule of other members, or a rule where
            equality is no key: it compares answers of different members, and groups are formed within one.

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
        group: Group | None = None,
        rule: WeightedRule | None = None,
        has_content: Callable[[R], bool] | None = None,
    ) -> None:
        check_samples(samples)
        _check("plan", plan, get_args(Plan))
        _check("wait", wait, get_args(Wait))
        if rule is not None:
            check_members(rule.models, samples)
            if group is not None:
                raise ArgumentError(
                    "this rule compares answers of different members, and an agreement that is no canonical form "
                    'groups those of one alone; leave agreement="canonical", or the rule at "self-consistency"'
                )
        self._rule = rule
        self._is_settled = settled if rule is None else partial(settled_by, rule)
        self._read = read
        self._content = has_content
        self._wait = wait
        self._tallies = {
            model: Tally(model, k) if group is None else RelatedTally(model, k, group) for model, k in samples.items()
        }
        self._ranked = list(self._tallies.values())
        self._steps = PLANS[plan](self._ranked)
        self._first_round = len(samples) if plan == "first_round" else 0  # samples in it
        # By (model, index): plain tuples are hashed without a call of ours, some four times a sample.
        self._asked: set[tuple[str, int]] = set()  # asked and not back
        self._samples: dict[tuple[str, int], Sample[R]] = {}
        self._missing = sum(samples.values())  # not in yet
        self._over: Reason | None = None  # looked at when something comes in, and at no other time
        self._decision: Decision[R] | None = None

    def ask(self) -> list[Draw]:
        """Return the draws to start now; each is returned once, none once the race is decided."""
        if self._asked or self._over is not None:
            return []
        draws = next(self._steps, [])
        self._asked.update((draw.model, draw.index) for draw in draws)
        return draws

    def read(self, reply: R) -> Answer | None:
        """Return a reply's answer; raises what the extractor raises."""
        return self._read(reply)

    def tell(self, draw: Draw, reply: R, verdict: Verdict | None = None) -> None:
        """Take the reply for a draw that was asked.

        Args:
            draw: What was asked.
            reply: What came back.
            verdict: Its answer, and which of `answers(draw.model)` agree with it: where equality is no key, its driver
                found out. Without it the reply is read here.

        Raises:
            ArgumentError: The draw was not asked, or is already in.
        """
        try:
            answer, alike = verdict or (self._read(reply), {})
        except Exception as error:  # noqa: BLE001 - an extractor's fault costs the vote, never the answer
            self.fail(draw, error)
        else:
            self._take(Sample(draw, reply=reply, answer=answer, alike=alike))

    def answers(self, model: str) -> dict[int, Answer]:
        """Return the answers of a member's samples that are in, by index."""
        return {
            index: sample.answer
            for (of, index), sample in self._samples.items()
            if of == model and sample.answer is not None
        }

    def fail(self, draw: Draw, error: BaseException) -> None:
        """Take the failure of a draw that was asked: it costs this vote and nothing else.

        Raises:
            ArgumentError: The draw was not asked, or is already in.
        """
        self._take(Sample(draw, error=error))

    def stop(self, reason: Reason) -> None:
        """End the race with what is in: a deadline or a budget is one more reason to stop."""
        if self._over is None:  # what is settled stays settled
            self._over = reason

    def sample(self, draw: Draw) -> Sample[R] | None:
        """Return what came back for a draw, or `None` while nothing has."""
        return self._samples.get((draw.model, draw.index))

    @property
    def errors(self) -> tuple[SampleError, ...]:
        """The failed calls so far, in rank and index order."""
        return tuple(SampleError(s.draw.model, s.draw.index, s.error) for s in self._ordered() if s.error is not None)

    @property
    def decision(self) -> Decision[R] | None:
        """The decision, or `None` while more samples are needed; once made it never changes.

        Raises:
            NoAnswerError: The race is over and not one reply came.
        """
        if self._decision is None and self._over is not None:
            decision, replied = self._decide(self._over)
            if not replied:
                raise NoAnswerError.of(
                    self.errors, "every call failed" if self._over == "exhausted" else f"{self._over} reached"
                )
            self._decision = cast("Decision[R]", decision)  # a sample without an error has a reply
        return self._decision

    def _take(self, sample: Sample[R]) -> None:
        place = model, _ = sample.draw.model, sample.draw.index
        if place not in self._asked:
            what = "is already in" if place in self._samples else "was never asked"
            raise ArgumentError(f"{sample.draw} {what}; tell a race only what its ask() returned, once")
        if self._over is not None:
            return  # late: the race is over, and a decision never changes
        self._asked.remove(place)
        self._samples[place] = sample
        self._tallies[model].add(sample)
        self._missing -= 1
        if not self._missing:
            self._over = "exhausted"
        elif self._wait == "settled" and self._is_settled(self._ranked):
            self._over = "settled"
        elif len(self._samples) == self._first_round and self._is_unanimous():
            self._over = "first-round"

    def _is_unanimous(self) -> bool:
        """Return whether all samples so far gave one answer."""
        said = {sample.answer for sample in self._samples.values()}
        return len(said) == 1 and None not in said

    @property
    def without_reply(self) -> Decision[R | None]:
        """What there is to say where not one reply came: who would have spoken by the rank, of nothing."""
        return self._decide(self._over or "exhausted")[0]

    def _decide(self, reason: Reason) -> tuple[Decision[R | None], bool]:
        """Return the decision, and whether there is a reply in it."""
        votes = tuple(t.vote() for t in self._ranked)
        ordered = self._ordered()
        winner, decided_by, speaker, probability = self._chosen(votes)
        replies = [s for s in ordered if s.error is None]
        if not winner.count and (telling := next((s for s in replies if self._has_content(s)), None)) is not None:
            # No answer could be read in any reply, so the rank decides; but an empty reply never speaks over one that
            # has something.
            winner = next(vote for vote in votes if vote.model == telling.draw.model)
            speaker = telling.draw.index
        spoken = next((s for s in replies if s.draw.model == winner.model and speaker in {None, s.draw.index}), None)
        decision = Decision(
            winner=winner,
            votes=votes,
            reply=spoken.reply if spoken else None,
            sample=spoken.draw if spoken else Draw(winner.model, 0),
            decided_by=decided_by,
            reason=reason,
            samples=cast("tuple[Sample[R | None], ...]", ordered),
            unused=tuple(Draw(*place) for place in self._places() if place not in self._samples),
            probability=None if self._missing else probability,
        )
        return decision, spoken is not None

    def _chosen(self, votes: tuple[Vote, ...]) -> tuple[Vote, DecidedBy, int | None, float | None]:
        """Return the winning vote, what decided, the sample that speaks and the probability of being right."""
        rule = self._rule
        given = {} if rule is None else {tally.model: tally.given() for tally in self._ranked}
        ruling = None if rule is None else rule.decide(given, {tally.model: tally.of for tally in self._ranked})
        if ruling is None:
            winner, decided_by = choose(votes)
            # Where nothing was read nothing is right, and a rule that knows probabilities knows this one.
            nothing = None if rule is None or rule.calibration is None else 0.0
            return winner, decided_by, self._tallies[winner.model].speaker, nothing
        count, first = given[ruling.model][ruling.answer]
        own = next(vote for vote in votes if vote.model == ruling.model)
        answer = next(a for a in given[ruling.model] if a == ruling.answer)  # as this member wrote it
        winner = replace(own, answer=answer.value, kind=answer.kind, count=count)
        return winner, "tie-break" if ruling.tied else "confidence", first, ruling.probability

    def _has_content(self, sample: Sample[R]) -> bool:
        return self._content is None or self._content(cast("R", sample.reply))

    def _ordered(self) -> tuple[Sample[R], ...]:
        return tuple(self._samples[place] for place in self._places() if place in self._samples)

    def _places(self) -> list[tuple[str, int]]:
        return [(t.model, i) for t in self._ranked for i in range(t.of)]


def check_samples(samples: Mapping[str, int]) -> None:
    """Refuse a race that could not be run.

    Raises:
        ArgumentError: No members, or a k that is not a whole number of at least 1.
    """
    if not samples:
        raise ArgumentError("no members: a race needs at least one model, found none; pass models={label: model}")
    for model, k in samples.items():
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise ArgumentError(f"samples for {model!r} must be a whole number of at least 1, found {k!r}")


def _check(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ArgumentError(f"{name}={value!r} does not exist; choose one of {', '.join(map(repr, known))}")
