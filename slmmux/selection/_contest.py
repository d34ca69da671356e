"""Which rule decides best on questions it had not seen: rules of a subset, fitted and held against each other by fold.

Simplest first: a rule has to beat all that are simpler, and the best single model besides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from slmmux._decision.rules import LearnedRule, RuleName, pooled
from slmmux.learned import evaluate, fit
from slmmux.learned._by_question import ByQuestionRule, evaluate_by_question, fit_by_question, vectors_of
from slmmux.recording._arrays import Arrays, Votes
from slmmux.selection._held_out import SELF_CONSISTENCY, Choose, HeldOut, Way, algorithm_1, best_alone, each_held_out

__all__ = ["FITTED", "RULES", "SINGLE", "Fitted", "Foretold", "Learner", "Outcome", "Rule", "contest", "learners"]

Rule: TypeAlias = RuleName
Fitted: TypeAlias = LearnedRule | ByQuestionRule

RULES: Final[tuple[Rule, ...]] = get_args(Rule)  # simplest first
FITTED: Final = ("learned", "learned-by-question")
SINGLE: Final = "single"

REPEATS: Final = 4  # at most: a rule is fitted anew in every fold of each

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """What a fitted rule foretold of questions that had no part in it, and what came true.

    Each question once, in the order recorded: from the contest's first repeat, where the rule was fitted on the other
    folds, to the subset and the rank that these chose. Questions of a fold where the others were too few to learn from
    are left out.

    Attributes:
        rule: Which: of the fitted rules the one that the contest found best.
        probability: Of being right, as the rule said; 0 where no answer was given.
        right: Whether the reply that it showed was right.
        confidence: The speaking member's share under Algorithm 1.
        right_by_confidence: Whether that member's vote was right.
    """

    rule: str
    probability: tuple[float, ...]
    right: tuple[bool, ...]
    confidence: tuple[float, ...]
    right_by_confidence: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a contest of rules came to.

    Attributes:
        rule: The best rule, simpler ones first among equals; self-consistency where there was no contest.
        held: By rule and "single", what each brings; `None` where nothing could be held out.
        fitted: By name, the rules fitted on all questions; none where they were too few.
        foretold: What the better of them foretold.
    """

    rule: Rule = SELF_CONSISTENCY
    held: Mapping[str, HeldOut] | None = None
    fitted: Mapping[str, Fitted] = field(default_factory=dict)
    foretold: Foretold | None = None


@dataclass(frozen=True, slots=True)
class Learner:
    """How a rule is fitted, and how it decides.

    Attributes:
        fit: Of a subset's samples and the places of the questions to learn from: the rule, `None` where they are too
            few.
        decide: Of samples, a rule and places: [q] whether the reply shown is right, and [q] with what probability.
    """

    fit: Callable[[Arrays, Ints], Fitted | None]
    decide: Callable[[Arrays, Any, Ints], tuple[Bools, Floats]]


def learners(rule: Rule, texts: Callable[[], Sequence[str]], embedding: Any = None) -> dict[str, Learner]:
    """Return how the rules that are fitted are, up to the one asked for.

    Args:
        rule: The most that is asked for.
        texts: Gives those of all questions, where they are needed: a text is embedded once.
        embedding: Of the questions; `None`: by their words.

    Raises:
        ArgumentError: The extra `learned` is not installed, or what is embedded cannot be compared.
    """
    found: dict[str, Learner] = {}
    if "learned" in _up_to(rule):
        found["learned"] = Learner(fit, evaluate)
    if "learned-by-question" in _up_to(rule):
        vectors = vectors_of(texts(), embedding)
        found["learned-by-question"] = Learner(
            lambda arrays, questions: fit_by_question(arrays, vectors, questions),
            lambda arrays, fitted, questions: evaluate_by_question(arrays, vectors, fitted, questions),
        )
    return found


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
) -> Outcome:
    """Return which rule decides best, for the best subset of one size.

    In it are the best single model, self-consistency, and the rules up to the one asked for, simplest first. In every
    fold the subset, the rank and the rules come from the other folds; where these are too few to learn from, Algorithm
    1 decides in the rule's place. Where all questions are too few, only self-consistency is in it.

    Args:
        arrays: The pool's samples.
        rule: The most that is asked for.
        learners: How the fitted ones of these are fitted.
        members: The subset chosen on all questions, best first.
        choose: Returns the best subset of that size on some of the questions.
        folds: As for `held_out`.
        repeats: As for `held_out`, but at most four.
        seed: As for `held_out`: the same splits.
    """
    whole, everything = _of_members(arrays, members), np.arange(len(arrays.questions))
    fitted = {name: one for name, each in learners.items() if (one := each.fit(whole, everything)) is not None}
    learning = {name: _Learning(arrays, learners[name]) for name in fitted}
    ways: dict[str, Way] = {SINGLE: best_alone(arrays.votes), SELF_CONSISTENCY: algorithm_1(arrays.votes)}
    if fitted or not learners:
        ways |= {name: learning.get(name) or _pooled(arrays) for name in _up_to(rule) if name in {"pooled", *fitted}}
    held = each_held_out(
        arrays.votes, choose, len(members), ways, folds=folds, repeats=min(repeats, REPEATS), seed=seed
    )
    if held is None:
        return Outcome(fitted=fitted)
    entered: list[Rule] = [name for name in _up_to(rule) if name in held]
    best = max(entered, key=lambda name: held[name].accuracy)  # the first of equals is the simplest
    surest = max(fitted, key=lambda name: held[name].accuracy, default=None)
    return Outcome(rule=best, held=held, fitted=fitted, foretold=learning[surest].foretold(surest) if surest else None)


class _Learning:
    """A rule learned anew in every fold, and what it foretold when each question was first held out."""

    def __init__(self, arrays: Arrays, learner: Learner) -> None:
        self._arrays = arrays
        self._learner = learner
        questions = len(arrays.questions)
        self._tested = 0  # questions, over the repeats
        self._said = np.full(questions, np.nan)
        self._right = np.zeros(questions, dtype=np.bool_)
        self._confidence = np.zeros(questions)
        self._voted = np.zeros(questions, dtype=np.bool_)

    def __call__(self, rank: list[int], train: Ints, test: Ints) -> Bools:
        votes = self._arrays.votes
        is_first = self._tested < self._said.size  # the first repeat, in which each question is tested once
        self._tested += test.size
        voted = votes.at(test).decided_right(rank)
        of = _of_members(self._arrays, rank)
        rule = self._learner.fit(of, train)
        if rule is None:
            return voted
        right, said = self._learner.decide(of, rule, test)
        if is_first:
            self._said[test] = said
            self._right[test] = right
            self._confidence[test] = (votes.count[rank][:, test] / votes.of[rank][:, None]).max(axis=0)
            self._voted[test] = voted
        return right

    def foretold(self, rule: str) -> Foretold | None:
        """Return what it foretold; `None` where no fold had enough to learn from."""
        told = ~np.isnan(self._said)
        if not told.any():
            return None
        return Foretold(
            rule=rule,
            probability=tuple(self._said[told].tolist()),
            right=tuple(self._right[told].tolist()),
            confidence=tuple(self._confidence[told].tolist()),
            right_by_confidence=tuple(self._voted[told].tolist()),
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
