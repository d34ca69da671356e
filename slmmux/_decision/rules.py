"""Rules that weigh the answers of all members together: one vote of all samples, and the vote with learned weights.

Pure counting in whole numbers. `settled` decides whether outstanding samples could change the outcome, `learned` fits
the weights, and `vote` has Algorithm 1, the rule that compares members instead.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, fsum, lcm, log, tanh
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, get_args, runtime_checkable

from slmmux._decision.types import text_of
from slmmux._errors import ArgumentError

__all__ = [
    "FITTED_RULES",
    "UNFITTED_RULES",
    "UNIT",
    "LearnedRule",
    "RuleByQuestion",
    "RuleLike",
    "RuleName",
    "Ruling",
    "WeightedRule",
    "check_members",
    "check_rule",
    "log_odds",
    "name_of_rule",
    "pooled",
    "probability_of",
    "rule_at",
]

A = TypeVar("A", bound=Hashable)

UNIT = 10**6  # weights are whole millionths

RuleName = Literal["self-consistency", "pooled", "learned", "learned-by-question"]
UNFITTED_RULES = ("self-consistency", "pooled")
FITTED_RULES = ("learned", "learned-by-question")


class Ruling(NamedTuple, Generic[A]):
    """A rule's outcome on one question.

    Attributes:
        answer: The answer of the highest score.
        model: The member that speaks for it.
        probability: The probability that the answer is right; `None` if the rule is not calibrated.
        tied: Whether another answer had the same score.
    """

    answer: A
    model: str
    probability: float | None
    tied: bool


@dataclass(frozen=True, slots=True)
class WeightedRule:
    """A weighted vote of all samples of all members.

    With f_i(y) the share of member i's k_i samples that gave answer y, an answer scores

        S(y) = sum_i w_i f_i(y) + u_i [f_i(y) = 1] + b(y)

    and the highest score wins. Equal scores fall to the answer of the better-ranked member, then to its lower index.
    The member that speaks has the largest w_i f_i(y) of those that gave y; equal ones fall to the rank. With a
    calibration (a, b), the winner y is right with probability

        sigma(a + b z),    z = S(y) - log(1 + sum over the other observed answers of exp S)

    z is the log-odds of y against the other observed answers and an unobserved one, whose score is 0. The unobserved
    one keeps z finite if all samples agree, and lets a and b account for questions whose right answer no sample has.

    Attributes:
        models: The members, best validation accuracy first.
        weights: w of each member, in millionths.
        bonuses: u of each member, in millionths.
        calibration: a and b; `None` if the rule was not calibrated.
        answers: b of each answer that has one, by its text (`text_of`), in millionths; every other answer has 0.

    Example:
        >>> rule = WeightedRule(("qwen", "phi"), (2_000_000, 1_500_000), (0, 800_000), (-1.0, 1.0))
        >>> ruling = rule.decide({"qwen": {"4": (2, 0), "5": (1, 2)}, "phi": {"5": (3, 0)}}, k=3)
        >>> ruling.answer, ruling.model, f"{ruling.probability:.2f}"
        ('5', 'phi', '0.60')
    """

    models: tuple[str, ...]
    weights: tuple[int, ...]
    bonuses: tuple[int, ...]
    calibration: tuple[float, float] | None = None
    # Keyword only, so that `LearnedRule` keeps its own field as the fifth by position.
    answers: tuple[tuple[str, int], ...] = field(default=(), kw_only=True)

    def decide(self, shares: Mapping[str, Mapping[A, tuple[int, int]]], k: int | Mapping[str, int]) -> Ruling[A] | None:
        """Return the answer that wins; `None` if no member gave one.

        Args:
            shares: For each member, its answers, each with its number of samples and the lowest index among them.
                Members without an answer may be left out.
            k: The planned samples of each member: one number, or {label: number}.

        Raises:
            ArgumentError: A member has no weight in this rule, or no k.
        """
        of = dict.fromkeys(self.models, k) if isinstance(k, int) else k
        check_members(self.models, [*shares, *of])
        # Scores are whole numbers over one denominator, `unit` millionths: sums of floats would depend on their order.
        unit = lcm(*(of[label] for label in self.models))
        # In the order of rank and index, and `max` returns the first of equals: that is the tie-break.
        scores: dict[A, int] = {}
        for label, weight, bonus in zip(self.models, self.weights, self.bonuses, strict=True):
            counts = shares.get(label, {})
            for answer in sorted(counts, key=lambda answer: counts[answer][1]):
                count = counts[answer][0]
                worth = weight * count * (unit // of[label]) + (bonus * unit if count == of[label] else 0)
                scores[answer] = scores.get(answer, 0) + worth
        if not scores:
            return None
        if self.answers:
            worths = dict(self.answers)
            for answer in scores:
                scores[answer] += worths.get(text_of(answer), 0) * unit
        winner = max(scores, key=lambda answer: scores[answer])
        contributions = {
            label: weight * shares[label][winner][0] * (unit // of[label])
            for label, weight in zip(self.models, self.weights, strict=True)
            if winner in shares.get(label, {})
        }
        speaker = max(contributions, key=lambda label: contributions[label])
        rivals = [score for answer, score in scores.items() if answer != winner]
        probability = None
        if self.calibration is not None:
            probability = probability_of(log_odds(scores[winner], rivals, UNIT * unit), self.calibration)
        return Ruling(winner, speaker, probability, scores[winner] in rivals)


@dataclass(frozen=True, slots=True)
class LearnedRule(WeightedRule):
    """A weighted vote whose weights and calibration `slmmux.learned.fit` learned.

    Attributes:
        questions: The number of validation questions that the weights were learned on.
    """

    questions: int = 0


@runtime_checkable
class RuleByQuestion(Protocol):
    """A rule with weights of its own for each question."""

    @property
    def models(self) -> tuple[str, ...]: ...
    def at(self, question: str) -> WeightedRule: ...


RuleLike: TypeAlias = RuleName | WeightedRule | RuleByQuestion


def check_rule(rule: Any) -> None:
    """Check that a rule can be used.

    Raises:
        ArgumentError: The name is unknown, or names a rule that must be fitted first.
    """
    if isinstance(rule, WeightedRule | RuleByQuestion) or rule in UNFITTED_RULES:
        return
    if rule in get_args(RuleName):
        raise ArgumentError(
            f"rule={rule!r} must be fitted on a recording first; call select_complementary(recording, rule={rule!r}) "
            "and serve the selection with from_selection(...)"
        )
    raise ArgumentError(f"rule={rule!r} does not exist; choose one of {', '.join(map(repr, get_args(RuleName)))}")


def check_members(models: Sequence[str], labels: Collection[str]) -> None:
    """Check that the members are exactly those that a rule weighs.

    Raises:
        ArgumentError: A member is missing on either side; the sentence names it.
    """
    for label in [*labels, *models]:
        if label not in labels or label not in models:
            raise ArgumentError(
                f"the rule weighs {', '.join(map(repr, models))}, and {label!r} is not one of them or has no k; pass "
                "samples and k for exactly these members"
            )


def name_of_rule(rule: RuleLike) -> str:
    """Return a rule's name in the record."""
    if isinstance(rule, str):
        return rule
    return "learned" if isinstance(rule, WeightedRule) else "learned-by-question"


def rule_at(rule: RuleLike, samples: Mapping[str, int], question: Callable[[], str]) -> WeightedRule | None:
    """Return the weights for one question; `None` if Algorithm 1 decides, which has none.

    Args:
        rule: A rule, or the name of one that is not fitted.
        samples: k by label, in rank order.
        question: Returns the question's text; called only for a rule by question.

    Raises:
        ArgumentError: `check_rule` refuses the rule.

    Example:
        >>> rule_at("pooled", {"qwen": 3, "phi": 3}, str).weights
        (3000000, 3000000)
    """
    check_rule(rule)
    if isinstance(rule, str):
        return pooled(samples) if rule == "pooled" else None
    return rule if isinstance(rule, WeightedRule) else rule.at(question())


def pooled(samples: Mapping[str, int]) -> WeightedRule:
    """Return the rule of one vote over all samples of all members (Agent Forest, arXiv 2402.05120).

    Args:
        samples: k by label, best validation accuracy first.

    Example:
        >>> pooled({"qwen": 3, "phi": 3}).decide({"qwen": {"4": (2, 0), "5": (1, 1)}, "phi": {"5": (2, 0)}}, k=3)[:2]
        ('5', 'phi')
    """
    return WeightedRule(tuple(samples), tuple(k * UNIT for k in samples.values()), (0,) * len(samples))


def log_odds(best: int, rivals: Sequence[int], denominator: int) -> float:
    """Return z of a score against its rivals, all of them over one denominator."""
    rest = [0.0, *(score / denominator for score in rivals)]
    high = max(rest)  # subtracted before exp, which would overflow from 710 on
    # fsum is exact, so the order of the answers does not matter.
    return best / denominator - high - log(fsum(exp(score - high) for score in rest))


def probability_of(odds: float, calibration: tuple[float, float]) -> float:
    """Return sigma(a + b z)."""
    a, b = calibration
    return (1.0 + tanh((a + b * odds) / 2.0)) / 2.0


# The path that people import, by which a pickle finds them, whichever of our modules made them.
WeightedRule.__module__ = LearnedRule.__module__ = "slmmux"
