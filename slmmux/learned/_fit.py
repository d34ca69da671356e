"""Fitting the weights of a rule on validation questions, and scoring what it decides on others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slmmux._decision.rules import UNIT, LearnedRule, WeightedRule, probability_of
from slmmux._errors import ArgumentError
from slmmux.learned._seen import AnswerTable, Bools, Floats, Ints
from slmmux.recording._arrays import Arrays

__all__ = [
    "FEWEST",
    "Lesson",
    "Loss",
    "Near",
    "by_id",
    "decisions",
    "evaluate",
    "fit",
    "leaned",
    "learn",
    "places",
    "right_votes",
]

Loss: TypeAlias = Callable[[Floats], tuple[float, Floats, Floats]]  # value, gradient, curvature
Near: TypeAlias = Callable[[Bools], Floats]  # [q] what may be looked at -> [q, m], each question never at itself
FEWEST: Final = 10  # questions with a right and a wrong answer among those seen, without which nothing is learned
_FOLDS = 5
_ITERATIONS = 50
_CLOSE = 1e-10  # of the last Newton step


def fit(arrays: Arrays, questions: ArrayLike | None = None, ridge: float = 2.0) -> LearnedRule | None:
    """Return the rule learned on some questions.

    A conditional logit (McFadden, 1974): on each question with right answers R among those seen, they have probability
    sum over R of exp S / sum over all seen of exp S, and the weights minimise

        - sum over questions of log probability + ridge / 2 * |(w, u) - prior|^2
        prior: w_i = 3 * accuracy_i + 0.5, u_i = 0

    by Newton's method; accuracy_i is that of member i's vote (self-consistency), of which one of t tied answers counts
    1/t. Being right is then regressed on z by a logistic (Platt, 1999, with his targets) over all questions that have
    an answer, under the same penalty around a = 0, b = 1; each question's z comes from weights learned without it, on
    the other four fifths, and equal winners count in shares. Nothing is drawn at random, and the order of members,
    questions, samples and answers changes nothing.

    Args:
        arrays: The samples. Answers of different members must have been compared: not so where equality was no key.
        questions: The validation questions by their places in `arrays`; `None`: all.
        ridge: How strongly weights and calibration are held to their priors, above 0.

    Returns:
        The rule; `None` with fewer than `FEWEST` questions that have both a right and a wrong answer among those seen:
        then use Algorithm 1.

    Raises:
        ArgumentError: A ridge that is not above 0.

    Example:
        >>> from slmmux import Recording, Row
        >>> from slmmux.recording import arrays_of
        >>> recording = Recording.of(
        ...     Row(question_id=f"q{q:02}", model=model, sample_index=i, answer=answer, gold="4")
        ...     for q in range(20)
        ...     for model, answers in {"qwen": ["4", "4"], "phi": ["5", "4"]}.items()
        ...     for i, answer in enumerate(answers)
        ... )
        >>> rule = fit(arrays_of(recording))
        >>> rule.models, rule.weights[0] > rule.weights[1], rule.questions
        (('qwen', 'phi'), True, 20)
        >>> fit(arrays_of(recording), range(FEWEST - 1)) is None
        True
    """
    lesson = learn(arrays, places(arrays, questions), ridge)
    if lesson is None:
        return None
    return LearnedRule(lesson.models, lesson.weights, lesson.bonuses, lesson.calibration, lesson.questions)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learned.

    Attributes:
        models: The members, best validation accuracy first.
        weights: w of each, in millionths.
        bonuses: u of each, in millionths.
        lean: v, in millionths: what a reliability near the question adds to a weight; 0 where there was none.
        calibration: a and b.
        questions: How many it was learned on.
    """

    models: tuple[str, ...]
    weights: tuple[int, ...]
    bonuses: tuple[int, ...]
    lean: int
    calibration: tuple[float, float]
    questions: int


def learn(arrays: Arrays, questions: ArrayLike, ridge: float, near: Near | None = None) -> Lesson | None:
    """Return the weights learned on some questions; with `near`, also how far they lean on it.

    Args:
        arrays: The samples.
        questions: The validation questions, by their places; in any order, which changes nothing.
        ridge: See `fit`.
        near: Of [q] questions, in the order of their ids, those that may be looked at -> [q, m] how much more reliable
            each of `arrays.models` is near each question than everywhere, which must not rest on the question itself.

    Returns:
        What was learned; `None` with fewer than `FEWEST` questions that teach.

    Raises:
        ArgumentError: A ridge that is not above 0.
    """
    if not ridge > 0:
        raise ArgumentError(
            f"ridge must be above 0, received {ridge!r}; 2 holds the weights to the prior on 60 questions"
        )
    chosen = by_id(arrays, questions)
    by_label = sorted(range(len(arrays.models)), key=lambda m: arrays.models[m])
    seen = AnswerTable.of_arrays(arrays, by_label, chosen)
    if seen.choices().starts.size < FEWEST:
        return None
    rights = seen.rights()
    rank = sorted(range(len(by_label)), key=lambda m: (-rights[m], m))
    seen = seen.ranked(rank)
    members = [by_label[m] for m in rank]

    def lean_of(among: Bools) -> Floats | None:
        return None if near is None else near(among)[:, members]

    fold = np.arange(chosen.size) % _FOLDS
    odds: list[float] = []
    right: list[float] = []
    for test in range(_FOLDS):
        train = fold != test
        by = lean_of(train)
        weights, bonuses, lean = _learned(seen.at(train), int(train.sum()), ridge, by)
        held = seen.at(~train)
        for _, equals, z in held.decided(leaned(weights, lean, by), bonuses):
            odds.append(z)
            right.append(float(held.right[equals].mean()))
    weights, bonuses, lean = _learned(seen, chosen.size, ridge, lean_of(np.ones(chosen.size, dtype=np.bool_)))
    models = tuple(arrays.models[m] for m in members)
    calibration = _calibrated(np.array(odds), np.array(right), ridge)
    return Lesson(models, weights, bonuses, lean, calibration, chosen.size)


def by_id(arrays: Arrays, questions: ArrayLike | None) -> Ints:
    """Return questions' places in the order of their ids; `None`: all."""
    chosen = places(arrays, questions)
    return chosen[sorted(range(chosen.size), key=lambda q: arrays.questions[chosen[q]])]


def right_votes(arrays: Arrays, questions: ArrayLike) -> Floats:
    """Return [q, m] whether each member's vote is right: 1 or 0, and r/t where r of t tied answers are."""
    chosen = places(arrays, questions)
    question, right, ties = AnswerTable.of_arrays(arrays, range(len(arrays.models)), chosen).right_votes()
    found = np.zeros((chosen.size, len(arrays.models)))
    found[question] = right / ties.clip(min=1)
    return found


def leaned(weights: Sequence[int], lean: int, near: Floats | None) -> NDArray[Any]:
    """Return the weights at each question, in millionths: [q, m], w_i + v * near_i(q); [m] without `near`."""
    found: NDArray[Any] = np.array(weights, dtype=object)
    return found if near is None else found + np.rint(lean * near).astype(np.int64).astype(object)


def evaluate(arrays: Arrays, rule: WeightedRule, questions: ArrayLike | None = None) -> tuple[Bools, Floats]:
    """Return what the rule decides on recorded questions: exactly what its `decide` does on each.

    Args:
        arrays: The samples; of more members than the rule weighs, in any order.
        rule: What decides.
        questions: Which, by their places in `arrays`; `None`: all.

    Returns:
        [q] whether the reply shown is right, and [q] the probability that the rule gives it. Where no answer was given
        nothing is right, with probability 0; of a rule without calibration no probability is a number.

    Raises:
        ArgumentError: A member that the rule weighs is not in the arrays.
    """
    return decisions(arrays, rule, rule.weights, places(arrays, questions))


def decisions(
    arrays: Arrays, rule: WeightedRule, weights: Sequence[int] | NDArray[Any], chosen: Ints
) -> tuple[Bools, Floats]:
    """Return what a rule decides on chosen questions with weights of its own at each: see `evaluate`.

    Args:
        arrays: The samples.
        rule: Whose members, bonuses and calibration these are.
        weights: [m] in millionths, or [q, m].
        chosen: [q] places.

    Raises:
        ArgumentError: A member that the rule weighs is not in the arrays.
    """
    if missing := [label for label in rule.models if label not in arrays.models]:
        raise ArgumentError(
            f"the rule weighs {missing[0]!r}, of which there are no samples; there are {', '.join(arrays.models)}"
        )
    members = [arrays.models.index(label) for label in rule.models]
    seen = AnswerTable.of_arrays(arrays, members, chosen)
    right = np.zeros(chosen.size, dtype=np.bool_)
    probability = np.full(chosen.size, np.nan if rule.calibration is None else 0.0)
    speaker = seen.speakers(weights)
    for q, (row, *_), odds in seen.decided(weights, rule.bonuses):
        member = int(speaker[row])
        right[q] = arrays.right[members[member], chosen[q], seen.first[row, member]]
        if rule.calibration is not None:
            probability[q] = probability_of(odds, rule.calibration)
    return right, probability


def places(arrays: Arrays, questions: ArrayLike | None) -> Ints:
    """Return questions as an array of places; `None`: all."""
    return np.arange(len(arrays.questions)) if questions is None else np.asarray(questions, dtype=np.int64)


def _learned(
    seen: AnswerTable, questions: int, ridge: float, near: Floats | None = None
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Return the weights, the bonuses and the lean, in millionths, learned on what was seen on so many questions."""
    members = seen.k.size
    accuracy = [float(rights / questions) for rights in seen.rights()]
    prior = np.array([3 * each + 0.5 for each in accuracy] + [0.0] * (members + (near is not None)))
    choices = seen.choices(near)
    found = np.rint(_minimum(lambda weights: choices.loss(weights, prior, ridge), prior) * UNIT)
    whole = tuple(int(each) for each in found)
    return whole[:members], whole[members : 2 * members], whole[2 * members] if near is not None else 0


def _calibrated(odds: Floats, right: Floats, ridge: float) -> tuple[float, float]:
    """Return a and b of sigma(a + b z), held to 0 and 1; `right` is the share of equal winners that are."""
    prior = np.array([0.0, 1.0])
    features = np.column_stack([np.ones(odds.size), odds])
    rights = fsum(right)
    target = right * (rights + 1) / (rights + 2) + (1 - right) / (odds.size - rights + 2)

    def loss(at: Floats) -> tuple[float, Floats, Floats]:
        x = features @ at
        share = (1 + np.tanh(x / 2)) / 2
        off = at - prior
        value = float((np.logaddexp(0, x) - target * x).sum() + ridge / 2 * off @ off)
        gradient = features.T @ (share - target) + ridge * off
        return value, gradient, features.T @ ((share * (1 - share))[:, None] * features) + ridge * np.eye(2)

    a, b = _minimum(loss, prior)
    return round(float(a), 6), round(float(b), 6)


def _minimum(loss: Loss, start: Floats) -> Floats:
    """Return where a loss is least, by Newton's method; a step that would go up is halved."""
    at, (value, gradient, curvature) = start, loss(start)
    for _ in range(_ITERATIONS):
        step = np.linalg.solve(curvature, gradient)
        while (found := loss(at - step))[0] > value + _CLOSE:
            step /= 2
        at, (value, gradient, curvature) = at - step, found
        if np.abs(step).max() < _CLOSE:
            break
    return at
