"""The answers given on some questions, as a table that a rule is fitted on and scored by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmmux._decision.rules import UNIT, log_odds
from slmmux.learned._logit import Choices
from slmmux.recording._arrays import Arrays, Bools, Floats, Ints

__all__ = ["AnswerTable"]


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """Every answer given, question by question, by members in rank order: n answers, m members.

    Attributes:
        question: [n] the question, by its number.
        count: [n, m] the samples of each member that gave the answer.
        first: [n, m] the lowest index of these samples.
        right: [n] whether the answer is right.
        k: [m] the samples of each member.
        text: [n] the answer's text; "" if the arrays hold no texts.
    """

    question: Ints
    count: Ints
    first: Ints
    right: Bools
    k: Ints
    text: NDArray[Any]

    @classmethod
    def of_arrays(cls, arrays: Arrays, members: Sequence[int], questions: Ints) -> "AnswerTable":
        """Return the answers of some members on some questions, which are numbered from 0."""
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
        if arrays.answers:
            text = np.array([arrays.answers[questions[of]][code] for of, code in zip(q, y, strict=True)], dtype=object)
        else:
            text = np.full(q.size, "", dtype=object)
        # Sorted by what the answers are, never by their numbers: the last bit of a sum of floats depends on its order.
        number = np.unique(text, return_inverse=True)[1]
        order = np.lexsort((number, right[q, y], *count[q, y].T, q))
        q, y = q[order], y[order]
        return cls(q, count[q, y], first[q, y], right[q, y], arrays.of[members], text[order])

    def at(self, chosen: Bools) -> "AnswerTable":
        """Return the answers on the chosen of [q] questions."""
        rows = chosen[self.question]
        return AnswerTable(
            self.question[rows], self.count[rows], self.first[rows], self.right[rows], self.k, self.text[rows]
        )

    def in_rank(self, rank: Sequence[int]) -> "AnswerTable":
        """Return the same table with the members in another order."""
        return AnswerTable(self.question, self.count[:, rank], self.first[:, rank], self.right, self.k[rank], self.text)

    def right_votes(self) -> tuple[Ints, Ints, Ints]:
        """Return [q] the questions with an answer, and [q, m] how many of a member's tied votes are right, and all."""
        starts = np.unique(self.question, return_index=True)[1]
        of = np.repeat(np.arange(starts.size), np.diff(starts, append=self.question.size))
        tied = (self.count > 0) & (self.count == np.maximum.reduceat(self.count, starts)[of])
        ties = np.add.reduceat(tied.astype(np.int64), starts)
        right = np.add.reduceat((tied & self.right[:, None]).astype(np.int64), starts)
        return self.question[starts], right, ties

    def rights(self) -> list[Fraction]:
        """Return [m] the number of questions on which each member's vote is right; one of t tied answers counts 1/t."""
        _, right, ties = self.right_votes()
        # Exact, so that equal members stay equal; summed by the size of the tie, so that there are few fractions.
        return [
            sum((Fraction(int(row[size == t].sum()), t) for t in range(1, int(size.max(initial=0)) + 1)), Fraction())
            for row, size in zip(right.T, ties.T, strict=True)
        ]

    def teaching(self) -> Bools:
        """Return [n] the rows of questions with a right and a wrong answer: on all others no weight matters."""
        return np.isin(self.question, self.question[self.right]) & np.isin(self.question, self.question[~self.right])

    def choices(self, near: Floats | None = None, common: Sequence[str] = ()) -> Choices:
        """Return the questions that teach, with the features that a rule weighs.

        Args:
            near: [q, m] how much more reliable each member is near each question; `None` leaves the feature out.
            common: The answers that have a weight of their own.

        Returns:
            The features f_i(y) of each member, [f_i(y) = 1] of each, with `near` sum_i near_i(q) f_i(y), and for each
            common answer whether y is it.
        """
        rows = self.teaching()
        question, share = self.question[rows], self.count[rows] / self.k
        features = [share, self.count[rows] == self.k]
        if near is not None:
            features.append((near[question] * share).sum(axis=1, keepdims=True))
        if common:
            features.append(self.text[rows][:, None] == np.array(common, dtype=object))
        columns: Floats = np.hstack([np.asarray(feature, dtype=np.float64) for feature in features])
        return Choices.of_rows(columns, self.right[rows], question)

    def weighted(self, weights: Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        """Return [n, m] w_i f_i(y) over one denominator, exact: in Python's integers, as in `WeightedRule.decide`.

        Args:
            weights: [m], or [q, m] if each question has its own.
        """
        denominator = lcm(*self.k.tolist())
        scale = np.array(weights, dtype=object) * np.array([denominator // k for k in self.k.tolist()], dtype=object)
        weighted: NDArray[Any] = self.count.astype(object) * (scale[self.question] if scale.ndim > 1 else scale)
        return weighted

    def speakers(self, weights: Sequence[int] | NDArray[Any]) -> Ints:
        """Return [n] the member that speaks for each answer: of those that gave it, the largest weighted share."""
        weighted = self.weighted(weights)
        # argmax returns the first of equals, and the members stand in rank order.
        speakers: Ints = np.where(self.count > 0, weighted, weighted.min(initial=0) - 1).argmax(axis=1)
        return speakers

    def decided(
        self, weights: Sequence[int] | NDArray[Any], bonuses: Sequence[int], answers: Mapping[str, int]
    ) -> Iterable[tuple[int, Ints, float]]:
        """Yield each question with an answer, the rows of the highest score, the winner first, and its log-odds."""
        denominator = lcm(*self.k.tolist())
        bonus = np.array([each * denominator for each in bonuses], dtype=object)
        score = (self.weighted(weights) + (self.count == self.k).astype(object) * bonus).sum(axis=1)
        if answers:
            score += np.array([answers.get(text, 0) * denominator for text in self.text], dtype=object)
        height = np.unique(score, return_inverse=True)[1]
        giver = (self.count > 0).argmax(axis=1)
        index = self.first[np.arange(giver.size), giver]
        order = np.lexsort((index, giver, -height, self.question))
        for rows in np.split(order, np.unique(self.question, return_index=True)[1][1:]) if order.size else ():
            best, *others = score[rows].tolist()
            equals = rows[: 1 + others.count(best)]
            yield int(self.question[rows[0]]), equals, log_odds(best, others, UNIT * denominator)
