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
_CLOSE = 1e-10  # of the last Newton step


@dataclass(frozen=True, slots=True)
class Choices:
    """Questions with a right and a wrong answer among those given: n answers, question by question.

    Attributes:
        features: [n, d].
        right: [n] which answers are right.
        starts: [q] the row at which each question begins.
    """

    features: Floats
    right: Bools
    starts: Ints

    def at(self, questions: Bools) -> "Choices":
        """Return the same of the chosen of [q] questions."""
        lengths = np.diff(self.starts, append=self.right.size)
        rows = np.repeat(questions, lengths)
        lengths = lengths[questions]
        return Choices(self.features[rows], self.right[rows], np.cumsum(lengths) - lengths)

    def loss(self, weights: Floats, prior: Floats, penalties: Floats) -> tuple[float, Floats, Floats]:
        """Return the value to minimise, its gradient, and a curvature that is at least the true one.

        The curvature leaves out the covariance among right answers, which is 0 unless two answers of a question are
        right. So it is positive definite, and every Newton step goes down.
        """
        of = self._question_of_rows()
        score = self.features @ weights
        share, total = self._softmax(score, of)
        share_of_right, right_total = self._softmax(np.where(self.right, score, -np.inf), of)
        mean = np.add.reduceat(share[:, None] * self.features, self.starts)
        off = weights - prior
        value = float((total - right_total).sum() + (penalties * off) @ off / 2)
        gradient = self.features.T @ (share - share_of_right) + penalties * off
        curvature = self.features.T @ (share[:, None] * self.features) - mean.T @ mean + np.diag(penalties)
        return value, gradient, curvature

    def log_loss(self, weights: Floats) -> float:
        """Return the sum over the questions of - log of the probability that the weights give to the right answers."""
        if not self.starts.size:
            return 0.0
        of = self._question_of_rows()
        score = self.features @ weights
        _, total = self._softmax(score, of)
        _, right_total = self._softmax(np.where(self.right, score, -np.inf), of)
        return float((total - right_total).sum())

    def _question_of_rows(self) -> Ints:
        return np.repeat(np.arange(self.starts.size), np.diff(self.starts, append=self.right.size))

    def _softmax(self, score: Floats, of: Ints) -> tuple[Floats, Floats]:
        """Return [n] the softmax within each question, and [q] the log of its denominator."""
        # Without the highest score subtracted, weights of some hundreds would overflow.
        highest = np.maximum.reduceat(score, self.starts)
        raised = np.exp(score - highest[of])
        total = np.add.reduceat(raised, self.starts)
        return raised / total[of], highest + np.log(total)


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
        if np.abs(step).max() < _CLOSE:
            break
    return at
