"""The answers seen on validation questions, as tables that a rule is fitted on and scored by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux._decision.rules import UNIT, log_odds
from slmmux.recording._arrays import Arrays

__all__ = ["AnswerTable", "Bools", "Floats", "Ints"]

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Choices:
    """Questions with a right and a wrong answer among those seen: n answers, question by question.

    Attributes:
        features: [n, 2 m] f_i(y) of each member, then [f_i(y) = 1]; [n, 2 m + 1] with sum_i near_i(q) f_i(y).
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
class AnswerTable:
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
    def of_arrays(cls, arrays: Arrays, members: Sequence[int], questions: Ints) -> "AnswerTable":
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

    def at(self, chosen: Bools) -> "AnswerTable":
        """Return what was seen on the chosen of [q] questions."""
        rows = chosen[self.question]
        return AnswerTable(self.question[rows], self.count[rows], self.first[rows], self.right[rows], self.k)

    def ranked(self, rank: Sequence[int]) -> "AnswerTable":
        """Return the same of the members in another order."""
        return AnswerTable(self.question, self.count[:, rank], self.first[:, rank], self.right, self.k[rank])

    def right_votes(self) -> tuple[Ints, Ints, Ints]:
        """Return [q] the questions with an answer, and [q, m] of a member's tied votes how many are right, and all."""
        starts = np.unique(self.question, return_index=True)[1]
        of = np.repeat(np.arange(starts.size), np.diff(starts, append=self.question.size))
        tied = (self.count > 0) & (self.count == np.maximum.reduceat(self.count, starts)[of])
        ties = np.add.reduceat(tied.astype(np.int64), starts)
        right = np.add.reduceat((tied & self.right[:, None]).astype(np.int64), starts)
        return self.question[starts], right, ties

    def rights(self) -> list[Fraction]:
        """Return [m] the questions that each member's vote is right on; one of t tied answers counts 1/t."""
        _, right, ties = self.right_votes()
        # By size of the tie: few fractions, and exact, so that equals stay equal.
        return [
            sum((Fraction(int(row[size == t].sum()), t) for t in range(1, int(size.max(initial=0)) + 1)), Fraction())
            for row, size in zip(right.T, ties.T, strict=True)
        ]

    def choices(self, near: Floats | None = None) -> _Choices:
        """Return the questions that teach: with only right answers, or only wrong ones, no weight matters."""
        rows = np.isin(self.question, self.question[self.right]) & np.isin(self.question, self.question[~self.right])
        question, share = self.question[rows], self.count[rows] / self.k
        features = [share, self.count[rows] == self.k]
        if near is not None:
            features.append((near[question] * share).sum(axis=1, keepdims=True))
        return _Choices(np.hstack(features), self.right[rows], np.unique(question, return_index=True)[1])

    def weighted(self, weights: Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        """Return [n, m] w_i f_i(y) over one denominator, exact: Python's own integers, as in `decide`.

        Args:
            weights: [m], or [q, m] where each question has its own.
        """
        whole = lcm(*self.k.tolist())
        scale = np.array(weights, dtype=object) * np.array([whole // k for k in self.k.tolist()], dtype=object)
        found: NDArray[Any] = self.count.astype(object) * (scale[self.question] if scale.ndim > 1 else scale)
        return found

    def speakers(self, weights: Sequence[int] | NDArray[Any]) -> Ints:
        """Return [n] which member speaks for each answer: of those that gave it, the largest weighted share."""
        weighted = self.weighted(weights)
        found: Ints = np.where(self.count > 0, weighted, weighted.min(initial=0) - 1).argmax(axis=1)
        return found  # the first of equals: they stand in rank order

    def decided(
        self, weights: Sequence[int] | NDArray[Any], bonuses: Sequence[int]
    ) -> Iterable[tuple[int, Ints, float]]:
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
            yield int(self.question[rows[0]]), equals, log_odds(best, others, UNIT * whole)
