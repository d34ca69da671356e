"""Whether recorded confidences are worth a feature of the learned rule: held out, with and without them.

    python -m bench.scored [RECORDING] [--confidence logprob] [--repeats 4]

The score of an answer is, as S in the learned rule, a weighted sum over its members, with one term more:

    sum_i v_i (sum over i's samples of the answer of c - mean) / k_i

c is a sample's recorded confidence, and the mean is that of its question, so that a sample without one counts nothing.
v is one weight for all members or one for each, learned with the others under the same penalty.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from slmmux import Recording
from slmmux.learned import _learning, brier, expected_calibration_error
from slmmux.learned._logit import Choices, calibrated, minimum
from slmmux.recording import Arrays, arrays_of

__all__ = ["VARIANTS", "Answers", "held_out", "table"]

RECORDED = Path(__file__).parent / "recordings" / "logprob.jsonl.gz"
VARIANTS = ("without the scores", "one weight for all members", "one weight for each member")
FOLDS = 5

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """Every answer given to some questions: n answers, m members.

    Attributes:
        arrays: The samples.
        question: [n] the place of the question.
        right: [n] whether the answer is right.
        share: [n, m] f_i(y).
        score: [n, m] the sum of the centred scores of its samples, over k.
        teaches: [q] whether a question has a right and a wrong answer.
    """

    arrays: Arrays
    question: Ints
    right: NDArray[np.bool_]
    share: Floats
    score: Floats
    teaches: NDArray[np.bool_]

    @classmethod
    def of(cls, recording: Recording, confidence: str) -> "Answers":
        """Return the answers of a recording with the scores of one confidence."""
        arrays = arrays_of(recording, missing="drop")
        members, questions = len(arrays.models), len(arrays.questions)
        scores = np.full(arrays.codes.shape, np.nan)
        m_of, q_of = ({name: i for i, name in enumerate(names)} for names in (arrays.models, arrays.questions))
        for row in recording.rows:
            if row.question_id in q_of and confidence in (row.confidences or {}):
                scores[m_of[row.model], q_of[row.question_id], row.sample_index] = row.confidences[confidence]
        known = ~np.isnan(scores) & (arrays.codes >= 0)
        means = np.where(known, scores, 0).sum(axis=(0, 2)) / known.sum(axis=(0, 2)).clip(min=1)
        centred = np.where(known, scores - means[None, :, None], 0.0)
        shape = questions, int(arrays.codes.max()) + 1, members
        count, total = np.zeros(shape), np.zeros(shape)
        right = np.zeros(shape[:2], dtype=np.bool_)
        m, q, i = np.nonzero(arrays.codes >= 0)
        y = arrays.codes[m, q, i]
        np.add.at(count, (q, y, m), 1)
        np.add.at(total, (q, y, m), centred[m, q, i])
        np.logical_or.at(right, (q, y), arrays.right[m, q, i])
        q, y = np.nonzero(count.any(axis=2))
        both = [np.isin(np.arange(questions), q[right[q, y] == truth]) for truth in (True, False)]
        return cls(arrays, q, right[q, y], count[q, y] / arrays.of, total[q, y] / arrays.of, both[0] & both[1])

    def features(self, variant: str) -> Floats:
        """Return [n, d] what a variant weighs."""
        columns = [self.share, self.share == 1]
        if variant != VARIANTS[0]:
            columns.append(self.score if variant == VARIANTS[2] else self.score.sum(axis=1, keepdims=True))
        return np.hstack(columns).astype(np.float64)

    def choices(self, features: Floats, questions: Ints) -> Choices:
        """Return the questions that teach among some."""
        rows = np.isin(self.question, questions) & self.teaches[self.question]
        return Choices.of_rows(features[rows], self.right[rows], self.question[rows])

    def weights(self, features: Floats, train: Ints) -> Floats:
        """Return the weights learned on some questions."""
        rights = self.arrays.votes.right[:, train].sum(axis=1).astype(np.float64)
        prior = np.zeros(features.shape[1])
        prior[: rights.size] = _learning.prior_weights(rights, train.size)
        choices, penalties = self.choices(features, train), np.full(prior.size, _learning.RIDGE)
        return minimum(lambda weights: choices.loss(weights, prior, penalties), prior)

    def decided(self, features: Floats, weights: Floats, questions: Ints) -> tuple[Floats, Floats]:
        """Return [q] whether the best answer is right, and its log-odds against the others and an unobserved one."""
        score = features @ weights
        outcomes = []
        for q in questions.tolist():
            rows = np.flatnonzero(self.question == q)
            if not rows.size:
                outcomes.append((0.0, -9.0))
                continue
            best = rows[score[rows].argmax()]
            rest = np.append(score[rows[rows != best]], 0.0)
            outcomes.append((float(self.right[best]), float(score[best] - np.logaddexp.reduce(rest))))
        right, odds = np.array(outcomes).T
        return right, odds


def held_out(answers: Answers, variant: str, repeats: int) -> tuple[Floats, Floats]:
    """Return [repeats, q] whether a variant is right and its probability, each question once in every repeat."""
    features, questions = answers.features(variant), len(answers.arrays.questions)
    rng = np.random.default_rng(0)
    right, probability = np.zeros((repeats, questions)), np.zeros((repeats, questions))
    for repeat in range(repeats):
        order = rng.permutation(questions)
        for fold in range(FOLDS):
            test = np.sort(order[fold::FOLDS])
            train = np.setdiff1d(np.arange(questions), test)
            inner = []
            for part in range(FOLDS):
                tested = train[part::FOLDS]
                weights = answers.weights(features, np.setdiff1d(train, tested))
                inner.append(answers.decided(features, weights, tested))
            truths, log_odds = (np.concatenate(each) for each in zip(*inner, strict=True))
            a, b = calibrated(log_odds, truths, _learning.RIDGE)
            truth, odds = answers.decided(features, answers.weights(features, train), test)
            right[repeat, test], probability[repeat, test] = truth, 1 / (1 + np.exp(-(a + b * odds)))
    return right, probability


def table(answers: Answers, confidence: str, repeats: int) -> Table:
    """Return a table of the variants."""
    output = Table(title=f"{confidence}, {len(answers.arrays.questions)} questions, {repeats} times five folds")
    for column in ("learned rule", "right, %", "gain, points", "ECE", "Brier", "AUROC"):
        output.add_column(column, justify="left" if column == "learned rule" else "right")
    base: Any = None
    for variant in VARIANTS:
        right, probability = held_out(answers, variant, repeats)
        base = right if base is None else base
        difference = (right - base).mean(axis=0)
        half = 1.96 * difference.std(ddof=1) / sqrt(difference.size)
        output.add_row(variant, *_cells(right, probability, f"{100 * difference.mean():+z.1f} +- {100 * half:.1f}"))
    return output


def _cells(right: Floats, probability: Floats, gain: str) -> Iterator[str]:
    truth, stated = right.ravel(), probability.ravel()
    above, below = stated[truth == 1], stated[truth == 0]
    yield f"{100 * truth.mean():.1f}"
    yield gain
    yield f"{expected_calibration_error(stated, truth):.3f}"
    yield f"{brier(stated, truth):.3f}"
    yield f"{np.mean((above[:, None] > below) + (above[:, None] == below) / 2):.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, nargs="?", default=RECORDED)
    parser.add_argument("--confidence", default="logprob")
    parser.add_argument("--repeats", type=int, default=4)
    options = parser.parse_args()
    answers = Answers.of(Recording.load(options.recording), options.confidence)
    Console().print(table(answers, options.confidence, options.repeats))


if __name__ == "__main__":
    main()
