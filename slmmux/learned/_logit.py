"""The conditional logit over the answers of a question, the logistic that calibrates it, and Newton's method for both.

Knows nothing of members or questions: it sees a matrix of features, and which rows are right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum
from typing import TypeAlias

import numpy as np

from slmmux.recording._arrays import Bools, Floats, Ints

__all__ = ["Choices", "Loss", "calibrated", "minimum"]

Loss: TypeAlias = Callable[[Floats], tuple[float, Floats, Floats]]  # value, gradient, curvature

_ITERATIONS = 50
_CLOSE = 1e-10  # of two values of a loss
_CLOSE_STEP = 1e-8  # of the last Newton step: where it is so short, the next would be about its square


@dataclass(frozen=True, slots=True)
class Choices:
    """Questions with a right and a wrong answer among those given: n answers, question by question.

    Attributes:
        features: [n, d].
        right: [n] which answers are right.
        of: [n] the question of each answer, numbered from 0, in rising order and without a gap.
        starts: [q] the row at which each question begins.
    """

    features: Floats
    right: Bools
    of: Ints
    starts: Ints

    @classmethod
    def of_rows(cls, features: Floats, right: Bools, question: Ints) -> "Choices":
        """Return the choices of rows that are sorted by question."""
        starts, of = np.unique(question, return_index=True, return_inverse=True)[1:]
        return cls(features, right, of, starts)

    def at(self, questions: Bools) -> "Choices":
        """Return the same of the chosen of [q] questions."""
        rows = questions[self.of]
        return Choices.of_rows(self.features[rows], self.right[rows], self.of[rows])

    def loss(self, weights: Floats, prior: Floats, penalties: Floats) -> tuple[float, Floats, Floats]:
        """Return the value to minimise, its gradient, and a curvature that is at least the true one.

        The curvature leaves out the covariance among right answers, which is 0 unless two answers of a question are
        right. So it is positive definite, and every Newton step goes down.
        """
        score = self.features @ weights
        share, total = self._softmax(score)
        share_of_right, right_total = self._softmax(np.where(self.right, score, -np.inf))
        weighted = share[:, None] * self.features
        mean = np.add.reduceat(weighted, self.starts)
        off = weights - prior
        value = float((total - right_total).sum() + (penalties * off) @ off / 2)
        gradient = self.features.T @ (share - share_of_right) + penalties * off
        curvature = self.features.T @ weighted - mean.T @ mean + np.diag(penalties)
        return value, gradient, curvature

    def log_losses(self, weights: Floats) -> Floats:
        """Return [q] - log of the probability that the weights give to the right answers of each question."""
        if not self.starts.size:
            return np.zeros(0)
        score = self.features @ weights
        _, total = self._softmax(score)
        _, right_total = self._softmax(np.where(self.right, score, -np.inf))
        losses: Floats = total - right_total
        return losses

    def _softmax(self, score: Floats) -> tuple[Floats, Floats]:
        """Return [n] the softmax within each question, and [q] the log of its denominator."""
        # Without the highest score subtracted, weights of some hundreds would overflow.
        highest = np.maximum.reduceat(score, self.starts)
        raised = np.exp(score - highest[self.of])
        total = np.add.reduceat(raised, self.starts)
        return raised / total[self.of], highest + np.log(total)


def calibrated(log_odds: Floats, right: Floats, ridge: float) -> tuple[float, float]:
    """Return a and b of sigma(a + b z), fitted by a logistic regression held to a = 0 and b = 1.

    Args:
        log_odds: [n] z of each winner.
        right: [n] whether the winner is right; the share of equal winners that are.
        ridge: How strongly a and b are held.
    """
    prior = np.array([0.0, 1.0])
    features = np.column_stack([np.ones(log_odds.size), log_odds])
    rights = fsum(right)
    # Platt's targets: not quite 0 and 1, so that a and b stay finite where z separates right from wrong.
    target = right * (rights + 1) / (rights + 2) + (1 - right) / (log_odds.size - rights + 2)

    def loss(at: Floats) -> tuple[float, Floats, Floats]:
        x = features @ at
        share = (1 + np.tanh(x / 2)) / 2
        off = at - prior
        value = float((np.logaddexp(0, x) - target * x).sum() + ridge / 2 * off @ off)
        gradient = features.T @ (share - target) + ridge * off
        return value, gradient, features.T @ ((share * (1 - share))[:, None] * features) + ridge * np.eye(2)

    a, b = minimum(loss, prior)
    return round(float(a), 6), round(float(b), 6)


def minimum(loss: Loss, start: Floats) -> Floats:
    """Return the point where a loss is least, by Newton's method; a step that would go up is halved."""
    at, (value, gradient, curvature) = start, loss(start)
    for _ in range(_ITERATIONS):
        step = np.linalg.solve(curvature, gradient)
        while (trial := loss(at - step))[0] > value + _CLOSE:
            step /= 2
        at, (value, gradient, curvature) = at - step, trial
        if np.abs(step).max() < _CLOSE_STEP:
            break
    return at
