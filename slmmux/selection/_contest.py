"""Rules of a subset, fitted in every fold and compared on questions that they have not seen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias, get_args

import numpy as np

from slmmux._decision.rules import LearnedRule, RuleName, pooled
from slmmux.learned import evaluate, fit
from slmmux.learned._by_question import ByQuestionRule, evaluate_by_question, fit_by_question, vectors_of
from slmmux.recording._arrays import Arrays, Bools, Floats, Ints, Votes
from slmmux.selection._held_out import SELF_CONSISTENCY, Choose, HeldOut, Way, algorithm_1, best_alone, each_held_out

__all__ = ["RULES", "SINGLE", "ContestResult", "Fitted", "Foretold", "Learner", "Rule", "contest", "learners"]

Rule: TypeAlias = RuleName
Fitted: TypeAlias = LearnedRule | ByQuestionRule

RULES: Final[tuple[Rule, ...]] = get_args(Rule)  # simplest first
SINGLE: Final = "single"

REPEATS: Final = 4  # at most: every rule is fitted in every fold of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """The probabilities of a fitted rule on questions that had no part in it, and whether its answers were right.

    Each question once, in the order recorded: in the first repeat the rule was fitted on the other folds, for the
    subset and the rank that these chose. A fold whose other folds were too few to learn from is left out.

    Attributes:
        rule: The rule: the one that is served.
        probability: The rule's probability that its answer is right; 0 without any answer.
        right: Whether the reply that it showed was right.
        confidence: The speaking member's share under Algorithm 1.
        right_by_confidence: Whether that member's vote was right.
        served: The probabilities of the rule that is served, which was fitted on all questions, on all of them. These
            questions cannot tell whether they come true, but how many of them fall below a threshold. Empty in the
            files of older versions.
    """

    rule: str
    probability: tuple[float, ...]
    right: tuple[bool, ...]
    confidence: tuple[float, ...]
    right_by_confidence: tuple[bool, ...]
    served: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestResult:
    """The rules of a subset, and their held-out figures.

    Attributes:
        rule: The rule that is served: the one that was asked for, or self-consistency if it could not be fitted.
        estimates: The figures of each rule and of "single"; `None` if nothing could be held out.
        fitted: By name, the rules fitted on all questions; empty if these were too few.
        foretold: The held-out probabilities of the rule that is served, if it is a fitted one.
    """

    rule: Rule = SELF_CONSISTENCY
    estimates: Mapping[str, HeldOut] | None = None
    fitted: Mapping[str, Fitted] = field(default_factory=dict)
    foretold: Foretold | None = None


@dataclass(frozen=True, slots=True)
class Learner:
    """The two functions of a fitted rule.

    Attributes:
        fit: (samples of a subset, places of the training questions) -> the rule; `None` if the questions are too few.
        decide: (samples, rule, places) -> [q] whether the reply shown is right, and [q] its probability.
    """

    fit: Callable[[Arrays, Ints], Fitted | None]
    decide: Callable[[Arrays, Any, Ints], tuple[Bools, Floats]]


def learners(rule: Rule, texts: Callable[[], Sequence[str]], embedding: Any = None) -> dict[str, Learner]:
    """Return a learner for each fitted rule, up to and including `rule`.

    Args:
        rule: The rule asked for.
        texts: Returns the texts of all questions; called only for a rule by question, as each text is embedded once.
        embedding: The embedding of the questions; `None` compares them by their words.

    Raises:
        ArgumentError: If the extra `learned` is not installed, or the vectors cannot be compared.
    """
    by_name: dict[str, Learner] = {}
    if "learned" in _up_to(rule):
        by_name["learned"] = Learner(fit, evaluate)
    if "learned-by-question" in _up_to(rule):
        vectors = vectors_of(texts(), embedding)
        by_name["learned-by-question"] = Learner(
            lambda arrays, questions: fit_by_question(arrays, vectors, questions),
            lambda arrays, fitted, questions: evaluate_by_question(arrays, vectors, fitted, questions),
        )
    return by_name


def contest(
    arrays: Arrays,
    rule: Rule,
    learners: Mapping[str, Learner],
    members: Sequence[int],
    choose: Choose,
    *,
    folds: int,
    repeats: int,
    seed: int,
    n_resamples: int = 0,
    progress: Callable[[], None] | None = None,
) -> ContestResult:
    """Return the rules of the best subset of one size, with held-out figures beside the best single model.

    Compared are self-consistency and the rules up to the one asked for, simplest first. In every fold the subset, the
    rank and the rules come from the other folds; if these are too few to learn from, Algorithm 1 decides in the rule's
    place. If all questions are too few, only self-consistency is compared.

    The rule asked for is served, whichever did best here: the lead of one rule over another on few questions is mostly
    chance.

    Args:
        arrays: The pool's samples.
        rule: The rule asked for.
        learners: A learner for each fitted rule up to it.
        members: The subset chosen on all questions, best first.
        choose: Returns the best subset of that size on some of the questions.
        folds: As for `held_out`.
        repeats: As for `held_out`, but at most four.
        seed: As for `held_out`: the same splits and resamples.
        n_resamples: As for `held_out`.
        progress: As for `held_out`.
    """
    subset, everything = _of_members(arrays, members), np.arange(len(arrays.questions))
    fitted = {name: one for name, each in learners.items() if (one := each.fit(subset, everything)) is not None}
    learning = {name: _Learning(arrays, learners[name]) for name in fitted}
    ways: dict[str, Way] = {SINGLE: best_alone(arrays.votes), SELF_CONSISTENCY: algorithm_1(arrays.votes)}
    if fitted or not learners:
        ways |= {name: learning.get(name) or _pooled(arrays) for name in _up_to(rule) if name in {"pooled", *fitted}}
    estimates = each_held_out(
        arrays.votes,
        choose,
        ways,
        folds=folds,
        repeats=min(repeats, REPEATS),
        seed=seed,
        n_resamples=n_resamples,
        progress=progress,
    )
    if estimates is None:
        return ContestResult(fitted=fitted)
    served: Rule = rule if rule in estimates else SELF_CONSISTENCY
    foretold = learning[served].foretold(served) if served in learning else None
    if foretold is not None:
        _, probability = learners[served].decide(subset, fitted[served], everything)
        foretold = replace(foretold, served=tuple(probability.tolist()))
    return ContestResult(rule=served, estimates=estimates, fitted=fitted, foretold=foretold)


class _Learning:
    """A rule that is learned in every fold, with its probabilities from when each question was first held out."""

    def __init__(self, arrays: Arrays, learner: Learner) -> None:
        self._arrays = arrays
        self._learner = learner
        questions = len(arrays.questions)
        self._tested = 0  # questions, over the repeats
        self._probability = np.full(questions, np.nan)
        self._right = np.zeros(questions, dtype=np.bool_)
        self._confidence = np.zeros(questions)
        self._voted = np.zeros(questions, dtype=np.bool_)

    def __call__(self, rank: list[int], train: Ints, test: Ints) -> Bools:
        votes = self._arrays.votes
        is_first = self._tested < self._probability.size  # each question is tested once in it
        self._tested += test.size
        voted = votes.at(test).decided_right(rank)
        of = _of_members(self._arrays, rank)
        rule = self._learner.fit(of, train)
        if rule is None:
            return voted
        right, probability = self._learner.decide(of, rule, test)
        if is_first:
            self._probability[test] = probability
            self._right[test] = right
            self._confidence[test] = (votes.count[rank][:, test] / votes.of[rank][:, None]).max(axis=0)
            self._voted[test] = voted
        return right

    def foretold(self, rule: str) -> Foretold | None:
        """Return the held-out probabilities; `None` if no fold had enough to learn from."""
        learned = ~np.isnan(self._probability)
        if not learned.any():
            return None
        return Foretold(
            rule=rule,
            probability=tuple(self._probability[learned].tolist()),
            right=tuple(self._right[learned].tolist()),
            confidence=tuple(self._confidence[learned].tolist()),
            right_by_confidence=tuple(self._voted[learned].tolist()),
        )


def _pooled(arrays: Arrays) -> Way:
    def way(rank: list[int], _train: Ints, test: Ints) -> Bools:
        rule = pooled({arrays.models[m]: int(arrays.of[m]) for m in rank})
        return evaluate(arrays, rule, test)[0]

    return way


def _up_to(rule: Rule) -> tuple[Rule, ...]:
    return RULES[: RULES.index(rule) + 1]


def _of_members(arrays: Arrays, members: Sequence[int]) -> Arrays:
    rows = list(members)
    votes = Votes(arrays.votes.count[rows], arrays.votes.right[rows], arrays.of[rows])
    return replace(
        arrays,
        models=tuple(arrays.models[m] for m in rows),
        codes=arrays.codes[rows],
        right=arrays.right[rows],
        of=arrays.of[rows],
        votes=votes,
        tokens=None,
        tokens_alone=None,
    )
