"""A rule whose weights are learned on validation questions: which of the answers seen is right, and how probably.

`LearnedRule` is pure and needs the standard library only; what learns, checks and scores it needs numpy.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, fsum, lcm, log, tanh
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slmmux._arrays import Arrays
from slmmux._errors import ArgumentError

__all__ = ["FEWEST", "LearnedRule", "Ruling", "brier", "evaluate", "expected_calibration_error", "fit"]

A = TypeVar("A", bound=Hashable)
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Loss: TypeAlias = Callable[[Floats], tuple[float, Floats, Floats]]  # value, gradient, curvature

FEWEST: Final = 10  # questions with a right and a wrong answer among those seen, without which nothing is learned

_UNIT = 10**6  # weights are whole millionths
_FOLDS = 5
_ITERATIONS = 50
_CLOSE = 1e-10  # of the last Newton step


class Ruling(NamedTuple, Generic[A]):
    """What the rule decided on one question.

    Attributes:
        answer: The answer of the highest score.
        model: The member that speaks for it.
        probability: That the answer is right.
    """

    answer: A
    model: str
    probability: float


@dataclass(frozen=True, slots=True)
class LearnedRule:
    """A weighted vote of all samples of all members.

    With f_i(y) the share of member i's k_i samples that gave answer y, an answer scores

        S(y) = sum_i w_i f_i(y) + u_i [f_i(y) = 1]

    and the highest score wins. Equal scores fall to the answer of the better-ranked member, then to its lower index.
    The member that speaks has the largest w_i f_i(y) of those that gave it; equal ones fall to the rank. The winner y
    is right with probability

        sigma(a + b z),    z = S(y) - log(1 + sum over the other answers seen of exp S)

    z is the log-odds of y against the other answers seen and one that nobody gave, of score 0: it is finite where all
    samples agree, and with a and b the probability is that of being right, whether or not the right answer was seen.
    All w equal and all u 0 is one vote of all samples; Algorithm 1 is another rule, not a special case.

    Attributes:
        models: The members, best validation accuracy first; equal ones by label.
        weights: w of each, in millionths.
        bonuses: u of each, in millionths.
        calibration: a and b.
        questions: How many validation questions it was learned on.

    Example:
        >>> rule = LearnedRule(("qwen", "phi"), (2_000_000, 1_500_000), (0, 800_000), (-1.0, 1.0), 60)
        >>> ruling = rule.decide({"qwen": {"4": (2, 0), "5": (1, 2)}, "phi": {"5": (3, 0)}}, k=3)
        >>> ruling.answer, ruling.model, f"{ruling.probability:.2f}"
        ('5', 'phi', '0.60')
    """

    models: tuple[str, ...]
    weights: tuple[int, ...]
    bonuses: tuple[int, ...]
    calibration: tuple[float, float]
    questions: int

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
        for label in [*shares, *self.models]:
            if label not in of or label not in self.models:
                raise ArgumentError(
                    f"the rule weighs {', '.join(map(repr, self.models))}, and {label!r} is not one of them or has no "
                    "k; give the samples and the k of these members"
                )
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
        won = max(scores, key=lambda answer: scores[answer])
        weighted = {
            label: weight * shares[label][won][0] * (whole // of[label])
            for label, weight in zip(self.models, self.weights, strict=True)
            if won in shares.get(label, {})
        }
        speaker = max(weighted, key=lambda label: weighted[label])
        others = [score for answer, score in scores.items() if answer != won]
        odds = _log_odds(scores[won], others, _UNIT * whole)
        return Ruling(won, speaker, _probability(odds, self.calibration))


def _log_odds(best: int, others: Sequence[int], denominator: int) -> float:
    # fsum: the same in whatever order the answers come.
    rest = [0.0, *(score / denominator for score in others)]
    high = max(rest)
    return best / denominator - high - log(fsum(exp(score - high) for score in rest))


def _probability(odds: float, calibration: tuple[float, float]) -> float:
    a, b = calibration
    return (1.0 + tanh((a + b * odds) / 2.0)) / 2.0


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
        >>> from slmmux._arrays import arrays_of
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
    if not ridge > 0:
        raise ArgumentError(f"ridge must be above 0, found {ridge!r}; 2 holds the weights to the prior on 60 questions")
    chosen = _places(arrays, questions)
    chosen = chosen[sorted(range(chosen.size), key=lambda q: arrays.questions[chosen[q]])]
    by_label = sorted(range(len(arrays.models)), key=lambda m: arrays.models[m])
    seen = _Seen.of_arrays(arrays, by_label, chosen)
    if seen.choices().starts.size < FEWEST:
        return None
    rights = seen.rights()
    rank = sorted(range(len(by_label)), key=lambda m: (-rights[m], m))
    seen = seen.ranked(rank)
    fold = np.arange(chosen.size) % _FOLDS
    odds: list[float] = []
    right: list[float] = []
    for test in range(_FOLDS):
        train = fold != test
        learned = _learned(seen.at(train), int(train.sum()), ridge)
        held = seen.at(~train)
        for _, equals, z in held.decided(*learned):
            odds.append(z)
            right.append(float(held.right[equals].mean()))
    weights, bonuses = _learned(seen, chosen.size, ridge)
    models = tuple(arrays.models[by_label[m]] for m in rank)
    return LearnedRule(models, weights, bonuses, _calibrated(np.array(odds), np.array(right), ridge), chosen.size)


def evaluate(arrays: Arrays, rule: LearnedRule, questions: ArrayLike | None = None) -> tuple[Bools, Floats]:
    """Return what the rule decides on recorded questions: exactly what its `decide` does on each.

    Args:
        arrays: The samples; of more members than the rule weighs, in any order.
        rule: What decides.
        questions: Which, by their places in `arrays`; `None`: all.

    Returns:
        [q] whether the reply shown is right, and [q] the probability that the rule gives it. Where no answer was given
        nothing is right, with probability 0.

    Raises:
        ArgumentError: A member that the rule weighs is not in the arrays.
    """
    if missing := [label for label in rule.models if label not in arrays.models]:
        raise ArgumentError(
            f"the rule weighs {missing[0]!r}, of which there are no samples; there are {', '.join(arrays.models)}"
        )
    chosen = _places(arrays, questions)
    members = [arrays.models.index(label) for label in rule.models]
    seen = _Seen.of_arrays(arrays, members, chosen)
    right, probability = np.zeros(chosen.size, dtype=np.bool_), np.zeros(chosen.size)
    speaker = seen.speakers(rule.weights)
    for q, (row, *_), odds in seen.decided(rule.weights, rule.bonuses):
        member = int(speaker[row])
        right[q] = arrays.right[members[member], chosen[q], seen.first[row, member]]
        probability[q] = _probability(odds, rule.calibration)
    return right, probability


def expected_calibration_error(probability: ArrayLike, right: ArrayLike, bins: int = 10) -> float:
    """Return how far probabilities are from how often they come true.

    ECE = sum over bins of (share of questions in it) * |share right - mean probability|, with bins of equal width
    (Guo et al., 2017); a probability on a border is in the lower one. 0 without questions.

    Args:
        probability: [q] between 0 and 1.
        right: [q] whether it came true.
        bins: How many.

    Example:
        >>> expected_calibration_error([0.75, 0.75, 0.75, 0.75], [True, True, True, False])
        0.0
    """
    said, came = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.float64)
    place = np.ceil(said * bins).clip(min=1)
    gaps = [abs(float((came - said)[place == each].sum())) for each in np.unique(place)]
    return fsum(gaps) / max(1, said.size)


def brier(probability: ArrayLike, right: ArrayLike) -> float:
    """Return the mean squared error of probabilities: mean of (probability - [right])^2, for [q] and [q].

    Example:
        >>> brier([1.0, 0.5], [True, False])
        0.125
    """
    return float(np.mean((np.asarray(probability, dtype=np.float64) - np.asarray(right, dtype=np.float64)) ** 2))


def _places(arrays: Arrays, questions: ArrayLike | None) -> Ints:
    return np.arange(len(arrays.questions)) if questions is None else np.asarray(questions, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Choices:
    """Questions with a right and a wrong answer among those seen: n answers, question by question.

    Attributes:
        features: [n, 2 m] f_i(y) of each member, then [f_i(y) = 1].
        right: [n] which are right.
        starts: [q] where each question begins.
    """

    features: Floats
    right: Bools
    starts: Ints

    def loss(self, weights: Floats, prior: Floats, ridge: float) -> tuple[float, Floats, Floats]:
        """Return what the weights are to minimise, its gradient, and a curvature that is at least its own.

        The curvature leaves out the covariance among right answers, which is nothing but where two are right: so it
        is positive definite, and every Newton step goes down.
        """
        of = np.repeat(np.arange(self.starts.size), np.diff(self.starts, append=self.right.size))
        score = self.features @ weights
        share, every = self._softmax(score, of)
        among, rights = self._softmax(np.where(self.right, score, -np.inf), of)
        mean = np.add.reduceat(share[:, None] * self.features, self.starts)
        off = weights - prior
        value = float((every - rights).sum() + ridge / 2 * off @ off)
        gradient = self.features.T @ (share - among) + ridge * off
        curvature = self.features.T @ (share[:, None] * self.features) - mean.T @ mean + ridge * np.eye(off.size)
        return value, gradient, curvature

    def _softmax(self, score: Floats, of: Ints) -> tuple[Floats, Floats]:
        """Return [n] the softmax within each question, and [q] the log of its denominator."""
        high = np.maximum.reduceat(score, self.starts)
        raised = np.exp(score - high[of])
        total = np.add.reduceat(raised, self.starts)
        return raised / total[of], high + np.log(total)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Every answer seen, question by question, of members in rank order: n answers, m members.

    Attributes:
        question: [n] which.
        count: [n, m] samples that gave it.
        first: [n, m] the lowest index of these.
        right: [n] whether it is right.
        k: [m].
    """

    question: Ints
    count: Ints
    first: Ints
    right: Bools
    k: Ints

    @classmethod
    def of_arrays(cls, arrays: Arrays, members: Sequence[int], questions: Ints) -> "_Seen":
        """Return what some members gave on some questions, which are numbered anew."""
        codes, is_right = arrays.codes[members][:, questions], arrays.right[members][:, questions]
        shape = questions.size, int(codes.max(initial=-1)) + 1, len(members)
        count, first = np.zeros(shape, dtype=np.int64), np.full(shape, codes.shape[2], dtype=np.int64)
        right = np.zeros(shape[:2], dtype=np.bool_)
        m, q, i = np.nonzero(codes >= 0)
        y = codes[m, q, i]
        np.add.at(count, (q, y, m), 1)
        np.minimum.at(first, (q, y, m), i)
        np.logical_or.at(right, (q, y), is_right[m, q, i])
        q, y = np.nonzero(count.any(axis=2))
        # In an order that the answers' numbers have no part in: a sum of floats depends on its order.
        order = np.lexsort((right[q, y], *count[q, y].T, q))
        q, y = q[order], y[order]
        return cls(q, count[q, y], first[q, y], right[q, y], arrays.of[members])

    def at(self, chosen: Bools) -> "_Seen":
        """Return what was seen on the chosen of [q] questions."""
        rows = chosen[self.question]
        return _Seen(self.question[rows], self.count[rows], self.first[rows], self.right[rows], self.k)

    def ranked(self, rank: Sequence[int]) -> "_Seen":
        """Return the same of the members in another order."""
        return _Seen(self.question, self.count[:, rank], self.first[:, rank], self.right, self.k[rank])

    def rights(self) -> list[Fraction]:
        """Return [m] the questions that each member's vote is right on; one of t tied answers counts 1/t."""
        starts = np.unique(self.question, return_index=True)[1]
        of = np.repeat(np.arange(starts.size), np.diff(starts, append=self.question.size))
        tied = (self.count > 0) & (self.count == np.maximum.reduceat(self.count, starts)[of])
        ties = np.add.reduceat(tied.astype(np.int64), starts)
        right = np.add.reduceat((tied & self.right[:, None]).astype(np.int64), starts)
        # By size of the tie: few fractions, and exact, so that equals stay equal.
        return [
            sum((Fraction(int(row[size == t].sum()), t) for t in range(1, int(size.max(initial=0)) + 1)), Fraction())
            for row, size in zip(right.T, ties.T, strict=True)
        ]

    def choices(self) -> _Choices:
        """Return the questions that teach: with only right answers, or only wrong ones, no weight matters."""
        rows = np.isin(self.question, self.question[self.right]) & np.isin(self.question, self.question[~self.right])
        features = np.hstack([self.count[rows] / self.k, self.count[rows] == self.k])
        return _Choices(features, self.right[rows], np.unique(self.question[rows], return_index=True)[1])

    def weighted(self, weights: Sequence[int]) -> NDArray[Any]:
        """Return [n, m] w_i f_i(y) over one denominator, exact: Python's own integers, as in `decide`."""
        whole = lcm(*self.k.tolist())
        scale = [weight * (whole // k) for weight, k in zip(weights, self.k.tolist(), strict=True)]
        found: NDArray[Any] = self.count.astype(object) * np.array(scale, dtype=object)
        return found

    def speakers(self, weights: Sequence[int]) -> Ints:
        """Return [n] which member speaks for each answer: of those that gave it, the largest weighted share."""
        weighted = self.weighted(weights)
        found: Ints = np.where(self.count > 0, weighted, weighted.min(initial=0) - 1).argmax(axis=1)
        return found  # the first of equals: they stand in rank order

    def decided(self, weights: Sequence[int], bonuses: Sequence[int]) -> Iterable[tuple[int, Ints, float]]:
        """Yield each question with an answer, the rows of highest score, the winner first, and its log-odds."""
        whole = lcm(*self.k.tolist())
        bonus = np.array([each * whole for each in bonuses], dtype=object)
        score = (self.weighted(weights) + (self.count == self.k).astype(object) * bonus).sum(axis=1)
        height = np.unique(score, return_inverse=True)[1]
        giver = (self.count > 0).argmax(axis=1)
        index = self.first[np.arange(giver.size), giver]
        order = np.lexsort((index, giver, -height, self.question))
        for rows in np.split(order, np.unique(self.question, return_index=True)[1][1:]) if order.size else ():
            best, *others = score[rows].tolist()
            equals = rows[: 1 + others.count(best)]
            yield int(self.question[rows[0]]), equals, _log_odds(best, others, _UNIT * whole)


def _learned(seen: _Seen, questions: int, ridge: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the weights and bonuses, in millionths, learned on what was seen on so many questions."""
    prior = np.array([3 * float(rights / questions) + 0.5 for rights in seen.rights()] + [0.0] * seen.k.size)
    choices = seen.choices()
    found = np.rint(_minimum(lambda weights: choices.loss(weights, prior, ridge), prior) * _UNIT)
    whole = tuple(int(each) for each in found)
    return whole[: seen.k.size], whole[seen.k.size :]


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
