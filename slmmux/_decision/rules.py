"""Rules that weigh the answers of all members together: one vote of all samples, and the vote with learned weights.

Pure counting over what was given, in whole numbers; nothing here knows what is outstanding (`_settled_rule`) or how
weights are learned (`learned`). Algorithm 1 is another rule, and `_vote` has it.
"""

import json
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, fsum, lcm, log, tanh
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, get_args, runtime_checkable

from slmmux._decision.types import Answer
from slmmux._errors import ArgumentError

__all__ = [
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
    "text_of",
]

A = TypeVar("A", bound=Hashable)

UNIT = 10**6  # weights are whole millionths

RuleName = Literal["self-consistency", "pooled", "learned", "learned-by-question"]
_UNFITTED = ("self-consistency", "pooled")


class Ruling(NamedTuple, Generic[A]):
    """What a rule decided on one question.

    Attributes:
        answer: The answer of the highest score.
        model: The member that speaks for it.
        probability: That the answer is right; `None` where the rule is not calibrated.
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
    The member that speaks has the largest w_i f_i(y) of those that gave it; equal ones fall to the rank. Where there is
    a calibration (a, b) the winner y is right with probability

        sigma(a + b z),    z = S(y) - log(1 + sum over the other answers seen of exp S)

    z is the log-odds of y against the other answers seen and one that nobody gave, of score 0: it is finite where all
    samples agree, and with a and b the probability is that of being right, whether or not the right answer was seen.

    Attributes:
        models: The members, best validation accuracy first.
        weights: w of each, in millionths.
        bonuses: u of each, in millionths.
        calibration: a and b; `None` where nothing was learned.
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
        """Return which of the answers given wins; `None` where no answer was given.

        Scores are compared as whole numbers over one denominator, 1,000,000 times the least common multiple of the k.

        Args:
            shares: Of each member, each answer that it gave: how many samples gave it, and the lowest index of these. A
                member that gave none may be left out.
            k: The samples planned of each member, or of each by label.

        Raises:
            ArgumentError: A member that the rule does not weigh, or without a k.
        """
        of = dict.fromkeys(self.models, k) if isinstance(k, int) else k
        check_members(self.models, [*shares, *of])
        whole = lcm(*(of[label] for label in self.models))
        # In order of rank and index, so that the first of equals is the one they fall to.
        scores: dict[A, int] = {}
        for label, weight, bonus in zip(self.models, self.weights, self.bonuses, strict=True):
            given = shares.get(label, {})
            for answer in sorted(given, key=lambda answer: given[answer][1]):
                count = given[answer][0]
                worth = weight * count * (whole // of[label]) + (bonus * whole if count == of[label] else 0)
                scores[answer] = scores.get(answer, 0) + worth
        if not scores:
            return None
        if self.answers:
            worths = dict(self.answers)
            for answer in scores:
                scores[answer] += worths.get(text_of(answer), 0) * whole
        won = max(scores, key=lambda answer: scores[answer])
        weighted = {
            label: weight * shares[label][won][0] * (whole // of[label])
            for label, weight in zip(self.models, self.weights, strict=True)
            if won in shares.get(label, {})
        }
        speaker = max(weighted, key=lambda label: weighted[label])
        others = [score for answer, score in scores.items() if answer != won]
        probability = None
        if self.calibration is not None:
            probability = probability_of(log_odds(scores[won], others, UNIT * whole), self.calibration)
        return Ruling(won, speaker, probability, scores[won] in others)


@dataclass(frozen=True, slots=True)
class LearnedRule(WeightedRule):
    """A weighted vote whose weights and calibration `slmmux.learned.fit` learned.

    Attributes:
        questions: How many validation questions it was learned on.
    """

    questions: int = 0


@runtime_checkable
class RuleByQuestion(Protocol):
    """What weighs the members anew for each question."""

    @property
    def models(self) -> tuple[str, ...]: ...
    def at(self, question: str) -> WeightedRule: ...


RuleLike: TypeAlias = RuleName | WeightedRule | RuleByQuestion


def check_rule(rule: Any) -> None:
    """Refuse what is no rule.

    Raises:
        ArgumentError: An unknown name, or the name of a rule that has to be fitted first.
    """
    if isinstance(rule, WeightedRule | RuleByQuestion) or rule in _UNFITTED:
        return
    if rule in get_args(RuleName):
        raise ArgumentError(
            f"rule={rule!r} has to be fitted on a recording first: select_complementary(recording, rule={rule!r}) "
            "does, and from_selection(...) serves it"
        )
    raise ArgumentError(f"rule={rule!r} does not exist; choose one of {', '.join(map(repr, get_args(RuleName)))}")


def check_members(models: Sequence[str], labels: Collection[str]) -> None:
    """Refuse members that are not exactly those a rule weighs.

    Raises:
        ArgumentError: One more or one missing; names it.
    """
    for label in [*labels, *models]:
        if label not in labels or label not in models:
            raise ArgumentError(
                f"the rule weighs {', '.join(map(repr, models))}, and {label!r} is not one of them or has no k; give "
                "the samples and the k of these members"
            )


def name_of_rule(rule: RuleLike) -> str:
    """Return what the record calls a rule."""
    if isinstance(rule, str):
        return rule
    return "learned" if isinstance(rule, WeightedRule) else "learned-by-question"


def rule_at(rule: RuleLike, samples: Mapping[str, int], question: Callable[[], str]) -> WeightedRule | None:
    """Return what weighs the members for one question; `None`: nothing does, Algorithm 1 decides.

    Args:
        rule: A rule, or the name of one that needs no fitting.
        samples: k by label, in rank order.
        question: Gives the question's text, where the rule wants it.

    Raises:
        ArgumentError: What `check_rule` refuses.

    Example:
        >>> rule_at("pooled", {"qwen": 3, "phi": 3}, str).weights
        (3000000, 3000000)
    """
    check_rule(rule)
    if isinstance(rule, str):
        return pooled(samples) if rule == "pooled" else None
    return rule if isinstance(rule, WeightedRule) else rule.at(question())


def pooled(samples: Mapping[str, int]) -> WeightedRule:
    """Return one vote of all samples of all members, each counting one (Agent Forest, arXiv 2402.05120).

    Args:
        samples: k by label, best validation accuracy first.

    Example:
        >>> pooled({"qwen": 3, "phi": 3}).decide({"qwen": {"4": (2, 0), "5": (1, 1)}, "phi": {"5": (2, 0)}}, k=3)[:2]
        ('5', 'phi')
    """
    return WeightedRule(tuple(samples), tuple(k * UNIT for k in samples.values()), (0,) * len(samples))


def text_of(answer: object) -> str:
    """Return the text by which a rule knows an answer: the same for a recorded answer and for one that is read live.

    Example:
        >>> text_of(Answer("Unknown", "recorded", '"Unknown"')), text_of(Answer("unknown.", "text", "unknown"))
        ('unknown', 'unknown')
    """
    text = str(answer)
    if isinstance(answer, Answer):
        # An answer recorded without a key stands as JSON there, in quotes; a live one is read without them.
        is_plain = isinstance(answer.value, str) and answer.key == json.dumps(answer.value)
        text = answer.value if is_plain else answer.key
    return text.strip().casefold()


def log_odds(best: int, others: Sequence[int], denominator: int) -> float:
    """Return z of a score against others, all over one denominator."""
    # fsum: the same in whatever order the answers come.
    rest = [0.0, *(score / denominator for score in others)]
    high = max(rest)
    return best / denominator - high - log(fsum(exp(score - high) for score in rest))


def probability_of(odds: float, calibration: tuple[float, float]) -> float:
    """Return sigma(a + b z)."""
    a, b = calibration
    return (1.0 + tanh((a + b * odds) / 2.0)) / 2.0
