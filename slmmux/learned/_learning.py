"""Learning the weights of a rule: the prior and the features that cross-validation keeps, and the calibration.

Nothing is drawn at random, and everything is learned in the order of labels and ids: the order in which members,
questions, samples and answers stand in a recording changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slmmux._decision.rules import UNIT
from slmmux._errors import ArgumentError
from slmmux.learned._answer_table import AnswerTable
from slmmux.learned._common_answers import common_answers
from slmmux.learned._logit import Choices, calibrated, minimum
from slmmux.recording._arrays import Arrays, Bools, Floats, Ints

__all__ = ["FEWEST", "RIDGE", "Lesson", "Near", "by_id", "leaned", "learn", "places", "prior_weights"]

Near: TypeAlias = Callable[[Bools], Floats]  # [q] the questions to learn from -> [q, m], each without itself
FEWEST: Final = 10  # questions with a right and a wrong answer, below which nothing is learned
RIDGE: Final = 2.0

_ANSWER_RIDGES = (0.2, 0.6, 2.0, 6.0)
_FOLDS = 5
_GUARD = 1.0  # standard errors by which a choice has to lower the log loss
_LEAST_PRIOR = 0.3
_PRIOR_SHIFT = 1.5


@dataclass(frozen=True, slots=True)
class Lesson:
    """The outcome of learning.

    Attributes:
        models: The members, best validation accuracy first.
        weights: w of each, in millionths.
        bonuses: u of each, in millionths.
        lean: v, in millionths: what a reliability near the question adds to a weight; 0 without one.
        near: The place of the chosen way to find that reliability among those offered; `None` if none of them helps.
        answers: b of the answers that have one, in millionths, by text.
        calibration: a and b.
        questions: The number of questions learned from.
    """

    models: tuple[str, ...]
    weights: tuple[int, ...]
    bonuses: tuple[int, ...]
    lean: int
    near: int | None
    answers: tuple[tuple[str, int], ...]
    calibration: tuple[float, float]
    questions: int


@dataclass(frozen=True, slots=True)
class _Settings:
    """The penalty, and what cross-validation chooses: the prior, and the features that are worth having.

    Attributes:
        ridge: The penalty on w, u and v.
        by_odds: Whether the prior is that of log-odds.
        near: The place of a reliability near the question among those offered; `None` without the feature.
        answer_ridge: The penalty on b; `None` without weights for answers.
    """

    ridge: float
    by_odds: bool = False
    near: int | None = None
    answer_ridge: float | None = None


def learn(
    arrays: Arrays, questions: ArrayLike, ridge: float = RIDGE, near: Near | Sequence[Near] = ()
) -> Lesson | None:
    """Return the weights learned on some questions.

    Args:
        arrays: The samples.
        questions: The validation questions, by their places; their order changes nothing.
        ridge: The penalty on the weights of the members, and on the calibration.
        near: One or several ways to find how much more reliable each member is near a question than everywhere, members
            in the order of their labels and questions in that of their ids. Cross-validation chooses one, or none.

    Returns:
        The lesson; `None` with fewer than `FEWEST` questions that have a right and a wrong answer.

    Raises:
        ArgumentError: If the ridge is not above 0.
    """
    if not ridge > 0:
        raise ArgumentError(
            f"ridge must be above 0, received {ridge!r}; 2 holds the weights to the prior on 60 questions"
        )
    places = by_id(arrays, questions)
    by_label = sorted(range(len(arrays.models)), key=lambda m: arrays.models[m])
    table = AnswerTable.of_arrays(arrays, by_label, places)
    if np.unique(table.question[table.teaching()]).size < FEWEST:
        return None
    rights = table.rights()
    rank = sorted(range(len(by_label)), key=lambda m: (-rights[m], m))
    members = [by_label[m] for m in rank]
    nears = [near] if callable(near) else near
    learner = _Learner(table.in_rank(rank), places.size, [_of_members(each, rank) for each in nears])
    settings = _chosen_settings(learner, ridge)
    weights = learner.fit(np.ones(places.size, dtype=np.bool_), settings)
    return Lesson(
        models=tuple(arrays.models[m] for m in members),
        weights=weights.members,
        bonuses=weights.bonuses,
        lean=weights.lean,
        near=settings.near,
        answers=tuple(sorted(weights.answers.items())),
        calibration=_calibration(learner, settings),
        questions=places.size,
    )


def _of_members(near: Near, members: list[int]) -> Near:
    return lambda among: near(among)[:, members]


@dataclass(frozen=True, slots=True)
class _Weights:
    """Weights in millionths: of the members, of their unanimity, of what is near, and of answers."""

    members: tuple[int, ...]
    bonuses: tuple[int, ...]
    lean: int
    answers: dict[str, int]


class _Learner:
    """Fits weights on some of the questions of a table, under some settings.

    Args:
        table: The answers of the members in rank order.
        questions: The number of questions, those without an answer included.
        nears: As in `learn`, [q, m] in rank order.
    """

    def __init__(self, table: AnswerTable, questions: int, nears: Sequence[Near]) -> None:
        self.table = table
        self.questions = questions
        self.nears = nears
        self.common = common_answers(table)
        # Questions in turn, not in blocks: a recording is often sorted by kind of question.
        self.fold = np.arange(questions) % _FOLDS
        self._teaches = np.unique(table.question[table.teaching()])
        self._priors: dict[tuple[bytes, bool], Floats] = {}
        self._features: dict[tuple[Any, ...], Choices] = {}
        self._minima: dict[tuple[Any, ...], Floats] = {}

    def near(self, train: Bools, settings: _Settings) -> Floats | None:
        """Return the feature of every question as learned from some, or `None` without it."""
        return None if settings.near is None else self.nears[settings.near](train)

    def minimum(self, train: Bools, settings: _Settings) -> Floats:
        """Return the weights learned on some questions: members, bonuses, lean, answers."""
        prior = self._prior(train, settings)
        choices = self._choices(train, settings).at(train[self._teaches])
        if not choices.starts.size:
            return prior
        penalties = np.full(prior.size, settings.ridge)
        if settings.answer_ridge is not None:
            penalties[-len(self.common) :] = settings.answer_ridge
        # Newton's method goes on from the minimum of the answers' penalty before: it is near, and halves the steps.
        key = train.tobytes(), settings.by_odds, settings.near, settings.answer_ridge is None
        self._minima[key] = minimum(
            lambda weights: choices.loss(weights, prior, penalties), self._minima.get(key, prior)
        )
        return self._minima[key]

    def fit(self, train: Bools, settings: _Settings) -> _Weights:
        """Return the same in whole millionths."""
        whole = [int(each) for each in np.rint(self.minimum(train, settings) * UNIT)]
        m = self.table.k.size
        lean = settings.near is not None
        answers = zip(self._answers(settings), whole[2 * m + lean :], strict=True)
        return _Weights(tuple(whole[:m]), tuple(whole[m : 2 * m]), whole[2 * m] if lean else 0, dict(answers))

    def log_losses(self, settings: _Settings) -> Floats:
        """Return the log loss of the settings on each question that teaches, part by part, each learned without it."""
        losses = []
        for test in range(_FOLDS):
            train = self.fold != test
            weights = self.minimum(train, settings)
            losses.append(self._choices(train, settings).at(~train[self._teaches]).log_losses(weights))
        return np.concatenate(losses)

    def _choices(self, train: Bools, settings: _Settings) -> Choices:
        # Settings that differ in a penalty alone share their features, and only `near` depends on the training part.
        answers = self._answers(settings)
        key = settings.near, bool(answers), b"" if settings.near is None else train.tobytes()
        if key not in self._features:
            self._features[key] = self.table.choices(self.near(train, settings), answers)
        return self._features[key]

    def _answers(self, settings: _Settings) -> tuple[str, ...]:
        return () if settings.answer_ridge is None else self.common

    def _prior(self, train: Bools, settings: _Settings) -> Floats:
        key = train.tobytes(), settings.by_odds
        if key not in self._priors:
            rights = np.array([float(each) for each in self.table.at(train).rights()])
            self._priors[key] = (_prior_by_odds if settings.by_odds else prior_weights)(rights, int(train.sum()))
        weights = self._priors[key]
        return np.append(weights, np.zeros(weights.size + (settings.near is not None) + len(self._answers(settings))))


def prior_weights(rights: Floats, questions: int) -> Floats:
    """Return the weights that members have before anything is learned, from the number of their right votes."""
    return 3 * rights / questions + 0.5


def _prior_by_odds(rights: Floats, questions: int) -> Floats:
    """Return the weights of a pool in which one member may dominate: the log-odds of being right, shifted."""
    # A member that is nearly always right outweighs several that are not, which weights that grow only linearly with
    # accuracy do not bring about. Where members are alike, weak ones count for too little by it.
    odds = np.log((rights + 0.5) / (questions - rights + 0.5))
    return np.maximum(_LEAST_PRIOR, odds + _PRIOR_SHIFT)


def _chosen_settings(learner: _Learner, ridge: float) -> _Settings:
    """Return the settings with each change that lowers the log loss by more than the standard error of its gain.

    Without that guard a feature that says nothing is taken wherever chance favours it, and costs accuracy on new
    questions. Changes are offered one after the other: all combinations would take many times as many fits.
    """
    best = _Settings(ridge)
    offers: list[list[dict[str, Any]]] = [[{"by_odds": True}]]
    offers.append([{"near": near} for near in range(len(learner.nears))])
    offers.append([{"answer_ridge": each} for each in _ANSWER_RIDGES] if learner.common else [])
    for offer in offers:
        if not offer:
            continue
        before = learner.log_losses(best)
        trials = [replace(best, **change) for change in offer]
        losses = [learner.log_losses(trial) for trial in trials]
        chosen = min(range(len(trials)), key=lambda at: losses[at].sum())
        gain = before - losses[chosen]
        if gain.mean() > _GUARD * gain.std(ddof=1) / sqrt(gain.size):
            best = trials[chosen]
    return best


def _calibration(learner: _Learner, settings: _Settings) -> tuple[float, float]:
    """Return a and b, from log-odds that each come from weights learned on the other four parts.

    The settings were chosen on all parts: their choice among a few values tells next to nothing of any one question.
    """
    odds: list[float] = []
    right: list[float] = []
    for test in range(_FOLDS):
        train = learner.fold != test
        weights = learner.fit(train, settings)
        tested = learner.table.at(~train)
        at_question = leaned(weights.members, weights.lean, learner.near(train, settings))
        for _, equals, z in tested.decided(at_question, weights.bonuses, weights.answers):
            odds.append(z)
            right.append(float(tested.right[equals].mean()))
    return calibrated(np.array(odds), np.array(right), settings.ridge)


def leaned(weights: Sequence[int], lean: int, near: Floats | None) -> NDArray[Any]:
    """Return the weights at each question, in millionths: [q, m] w_i + v * near_i(q); [m] without `near`."""
    at_all: NDArray[Any] = np.array(weights, dtype=object)
    return at_all if near is None else at_all + np.rint(lean * near).astype(np.int64).astype(object)


def by_id(arrays: Arrays, questions: ArrayLike | None) -> Ints:
    """Return the places of some questions in the order of their ids; `None` means all."""
    chosen = places(arrays, questions)
    return chosen[sorted(range(chosen.size), key=lambda q: arrays.questions[chosen[q]])]


def places(arrays: Arrays, questions: ArrayLike | None) -> Ints:
    """Return questions as an array of places; `None` means all."""
    return np.arange(len(arrays.questions)) if questions is None else np.asarray(questions, dtype=np.int64)
