"""The rule that decides among the answers of a mux and its thresholds, and what follows from its probability."""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from slmmux._decision.clock import Clock
from slmmux._decision.pool import Pool
from slmmux._decision.race import Wait
from slmmux._decision.record import Outcome
from slmmux._decision.rules import (
    LearnedRule,
    RuleByQuestion,
    RuleLike,
    WeightedRule,
    check_members,
    check_rule,
    name_of_rule,
    rule_at,
)
from slmmux._errors import ArgumentError

__all__ = ["ESCALATION", "LateError", "Policy", "own_embedding", "plain_rule", "policy_of", "rule_of_plain"]

ESCALATION = "escalate_to"  # the bigger model's label among those that are called


class LateError(Exception):
    """A rule by question was not ready in its part of the deadline."""


class PolicyOptions(Protocol):
    """The options that any mux has."""

    rule: Any
    wait: Wait
    plan: Any
    agreement: Any
    embedding: Any
    abstain_below: float | None
    escalate_to: Any
    escalate_below: float | None


@dataclass(frozen=True)
class _Embedded:
    """A rule by question with the embedding by which it compares them."""

    rule: Any
    embedding: Any

    @property
    def models(self) -> tuple[str, ...]:
        models: tuple[str, ...] = self.rule.models
        return models

    def at(self, question: str) -> WeightedRule:
        at: WeightedRule = self.rule.at(question, self.embedding)
        return at


@dataclass(frozen=True)
class Policy:
    """A rule, and the least probabilities it may speak with.

    Attributes:
        rule: What decides.
        wait: When sampling ends: a probability needs every sample.
        abstain_below: No answer is given below this probability.
        escalate_below: A bigger model is asked below this one.
        identity: What tells it from another in a cache key.
    """

    rule: RuleLike
    wait: Wait
    abstain_below: float | None
    escalate_below: float | None
    identity: str

    @property
    def has_threshold(self) -> bool:
        """Whether an answer may be withheld or passed on for its probability."""
        return self.abstain_below is not None or self.escalate_below is not None

    @property
    def name(self) -> str:
        """What the record calls the rule."""
        return name_of_rule(self.rule)

    def at(
        self, samples: Mapping[str, int], question: Callable[[], str], threads: Pool, clock: Clock
    ) -> WeightedRule | None:
        """Return what weighs the members for one question.

        A question's vector can take a call. With a deadline it has half of the time: asking needs the rest.

        Raises:
            LateError: The half is over.
        """
        if clock.left is None or not isinstance(self.rule, RuleByQuestion):
            return rule_at(self.rule, samples, question)
        future = threads.submit(partial(rule_at, self.rule, samples, question))
        wait([future], clock.left / 2)
        return self._in_time(future, threads)

    async def aat(
        self, samples: Mapping[str, int], question: Callable[[], str], threads: Pool, clock: Clock
    ) -> WeightedRule | None:
        """Return the same on an event loop; a question's vector is made on a thread."""
        if not isinstance(self.rule, RuleByQuestion):
            return rule_at(self.rule, samples, question)
        future = threads.submit(partial(rule_at, self.rule, samples, question))
        half = None if clock.left is None else clock.left / 2
        try:
            await asyncio.wait([asyncio.wrap_future(future)], timeout=half)
        finally:
            threads.abandon(future)
        return self._in_time(future, threads)

    def _in_time(self, future: "Future[WeightedRule | None]", threads: Pool) -> WeightedRule | None:
        if not future.done() or future.cancelled():
            threads.abandon(future)
            raise LateError
        return future.result()

    def outcome(self, probability: float | None, *, can_escalate: bool = True) -> Outcome:
        """Return the outcome of an answer by its probability; an unknown probability is below any.

        Example:
            >>> Policy("pooled", "exhausted", 0.5, 0.8, "").outcome(0.6)
            'escalated'
        """
        if can_escalate and _is_below(probability, self.escalate_below):
            return "escalated"
        return "abstained" if _is_below(probability, self.abstain_below) else "answered"


def policy_of(mux: PolicyOptions, labels: Collection[str], *, explicit: bool) -> Policy:
    """Return the policy of a mux: its rule, and what follows from the rule's probability.

    Args:
        mux: The mux, or its options.
        labels: Its members.
        explicit: Whether its `wait` was chosen and is not a default: then a fitted rule may end early and give no
            probability, where no threshold needs one.

    Raises:
        ArgumentError: No such rule, or one of other members; a threshold outside 0..1, for a rule that gives no
            probabilities, or with a plan that ends before all samples are in; a bigger model without its threshold, or
            the reverse, or whose label a member has.
    """
    check_rule(mux.rule)
    thresholds = {
        name: value
        for name, value in (("abstain_below", mux.abstain_below), ("escalate_below", mux.escalate_below))
        if value is not None
    }
    for name, value in thresholds.items():
        if not 0 < value <= 1:
            raise ArgumentError(f"{name} is a probability, above 0 and at most 1, received {value!r}")
    if (mux.escalate_to is None) != (mux.escalate_below is None):
        raise ArgumentError(
            "escalate_to and escalate_below belong together: the bigger model, and the probability below which it is "
            "asked; give both or neither"
        )
    if mux.escalate_to is not None and ESCALATION in labels:
        raise ArgumentError(
            f"a member is labelled {ESCALATION!r}, as the bigger model is; give the member another name"
        )
    if thresholds:
        _check_threshold(next(iter(thresholds)), mux)
    choice: RuleLike = mux.rule
    if not isinstance(choice, str):
        check_members(choice.models, labels)
    rule = choice
    if _compares_embeddings(rule):
        if mux.embedding is None:
            raise ArgumentError(
                "this rule compares questions by their embeddings; pass the embedding= it was fitted on"
            )
        rule = _Embedded(rule, mux.embedding)
    needs_all = bool(thresholds) or not (explicit or isinstance(choice, str))
    until: Wait = "exhausted" if needs_all else mux.wait
    return Policy(rule, until, mux.abstain_below, mux.escalate_below, _identity(choice))


def plain_rule(rule: RuleLike) -> Any:
    """Return a rule as plain JSON values, for a dump; `rule_of_plain` makes it one again."""
    return rule if isinstance(rule, str) else _form().dump_python(rule, mode="json")


def rule_of_plain(value: Any) -> Any:
    """Return the rule of a dump; what is no dump of one is returned as it is, for `policy_of` to look at.

    Example:
        >>> from slmmux import LearnedRule
        >>> rule = LearnedRule(("a", "b"), (2_000_000, 1_000_000), (0, 0), (0.0, 1.0), 60)
        >>> rule_of_plain(plain_rule(rule)) == rule
        True
    """
    return _form().validate_python(value) if isinstance(value, Mapping) else value


def _form() -> Any:
    # Imported here: few muxes have a fitted rule, and fewer are dumped.
    from pydantic import TypeAdapter  # noqa: PLC0415

    from slmmux.learned._by_question import ByQuestionRule  # noqa: PLC0415

    return TypeAdapter(ByQuestionRule | LearnedRule)


def _check_threshold(name: str, mux: PolicyOptions) -> None:
    rule: RuleLike = mux.rule
    if isinstance(rule, str) or (isinstance(rule, WeightedRule) and rule.calibration is None):
        raise ArgumentError(
            f"{name} is a probability of being right, and rule={name_of_rule(rule)!r} gives none; fit one with "
            'select_complementary(recording, rule="learned") and serve it with from_selection(..., rule="learned")'
        )
    if mux.plan == "first_round":
        raise ArgumentError(
            f'{name} needs every sample, and plan="first_round" can end after one of each member; leave the plan out'
        )


def own_embedding(mux: PolicyOptions) -> Any:
    """Return the embedding that answers are compared by: not the one that only its rule compares questions by."""
    return None if mux.agreement != "embedding" and _compares_embeddings(mux.rule) else mux.embedding


def _compares_embeddings(rule: Any) -> bool:
    return getattr(getattr(rule, "vectors", None), "kind", None) == "embedding"


def _is_below(probability: float | None, threshold: float | None) -> bool:
    return threshold is not None and (probability is None or probability < threshold)


def _identity(rule: RuleLike) -> str:
    return rule if isinstance(rule, str) else f"{name_of_rule(rule)} {hashlib.sha256(repr(rule).encode()).hexdigest()}"
