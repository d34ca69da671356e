"""Baselines for the mux on one recording: single models, one vote of all samples, the first-round stop, the oracles.

Each baseline uses the same samples and questions as Algorithm 1; nothing is chosen here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from slmmux.recording import Recording, arrays_of
from slmmux.recording._arrays import Bools, Floats, Ints, Missing, Same, Score
from slmmux.recording._replay import group_of

__all__ = [
    "AGENT_FOREST",
    "BEST_SELF_CONSISTENCY",
    "BEST_SINGLE",
    "FIRST_ROUND",
    "MEAN_SINGLE",
    "MUX",
    "ORACLE_SAMPLE",
    "ORACLE_VOTE",
    "SELF_CONSISTENCY",
    "SINGLE",
    "Baseline",
    "baselines",
]

MEAN_SINGLE: Final = "mean single sample"
SINGLE: Final = "single sample"
BEST_SINGLE: Final = "best single sample"
SELF_CONSISTENCY: Final = "self-consistency"
BEST_SELF_CONSISTENCY: Final = "best self-consistency"
AGENT_FOREST: Final = "Agent Forest"
FIRST_ROUND: Final = "SLM-MUX, first-round stop"
MUX: Final = "SLM-MUX"
ORACLE_VOTE: Final = "oracle, any vote (union)"
ORACLE_SAMPLE: Final = "oracle, any sample"


@dataclass(frozen=True, slots=True)
class Baseline:
    """One way to answer, and its accuracy.

    Attributes:
        name: The way, one of this module's constants.
        models: The members it asks, best first.
        samples: The samples it takes for each question, on average.
        accuracy: The share of questions that are right.
        in_sample: Whether the model or the rank was chosen on these same questions, which flatters the figure.
        right: [q] for each question, in recorded order, the share that is right; `accuracy` is the mean. Two baselines
            are compared without it.
    """

    name: str
    models: tuple[str, ...]
    samples: float
    accuracy: float
    in_sample: bool
    right: Floats = field(repr=False, compare=False)


def baselines(
    recording: Recording,
    models: Sequence[str] | None = None,
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
    score: Score | None = None,
) -> tuple[Baseline, ...]:
    """Return the accuracy of Algorithm 1 and of its baselines on the same samples.

    The members are ranked by their self-consistency accuracy on this recording, and equal ones stand in the order of
    `models`. Each row that depends on this rank is in-sample and says so (`in_sample`).

    The share of a question that is right, row by row:

    - mean single sample: the mean over models of the next row;
    - single sample, for each model: the share of its k samples that are right;
    - best single sample: that share for the model that is best by it;
    - self-consistency, for each model: 1 if its most frequent answer is right;
    - best self-consistency: the same for the best-ranked model;
    - Agent Forest (arXiv 2402.05120): 1 if the most frequent answer over all samples of all models is right; of equally
      frequent answers the one that occurs first counts, by rank and then by index;
    - SLM-MUX, first-round stop (arXiv 2510.05077): if the first samples of all models give the same answer, that
      answer, without further samples; else Algorithm 1;
    - SLM-MUX: Algorithm 1 over all k samples;
    - oracle, any vote (union): 1 if any model's most frequent answer is right; a better choice between the models'
      votes is impossible;
    - oracle, any sample: 1 if any sample of any model is right.

    Args:
        recording: The recorded samples.
        models: The members; `None`: every recorded model.
        samples: k, or k by label, as for `replay`; `None`: every recorded sample of the member.
        same: A function of two answers that returns whether they are equal; the gold answer is compared with it too.
            Without it, answers are compared as recorded.
        missing: What to do if a member lacks samples for a question: "error" raises and names them, "drop" leaves the
            question out.
        score: When a sample is right; see `slmmux.recording.arrays_of`.

    Returns:
        The rows in the order above, models by rank. Agent Forest and the first-round stop are left out if answers were
        compared in pairs and `same` is missing: then answers of different models were never compared.

    Raises:
        ArgumentError: `models` is empty or names a model that is unknown or repeated, or k is more than was recorded.
        RecordingError: Samples are missing, or a question has no gold answer or two different ones.

    Example:
        >>> from slmmux.recording import Row
        >>> recording = Recording.of(
        ...     Row(question_id="q1", model=model, sample_index=i, answer=answer, gold="4")
        ...     for model, answers in {"qwen": ["4", "5", "6"], "phi": ["4", "4", "5"]}.items()
        ...     for i, answer in enumerate(answers)
        ... )
        >>> [(row.samples, row.accuracy) for row in baselines(recording) if row.name in (MEAN_SINGLE, FIRST_ROUND, MUX)]
        [(1.0, 0.5), (2.0, 1.0), (6.0, 1.0)]
    """
    arrays = arrays_of(recording, models, samples, same=same, missing=missing, score=score)
    votes = arrays.votes
    rank = np.argsort(-votes.right.sum(axis=1), kind="stable")
    ranked = tuple(arrays.models[m] for m in rank)
    k, all_samples = dict(zip(arrays.models, arrays.of.tolist(), strict=True)), int(arrays.of.sum())
    # Totals over one common denominator: as floats, two equal shares may differ.
    totals = arrays.right.sum(axis=(1, 2)) * (np.lcm.reduce(arrays.of) // arrays.of)
    best = arrays.models[rank[totals[rank].argmax()]]
    single = dict(zip(arrays.models, arrays.right.sum(axis=2) / arrays.of[:, None], strict=True))
    consistent = dict(zip(arrays.models, votes.right, strict=True))
    mux = votes.decided_right(rank.tolist())

    rows = [_row(MEAN_SINGLE, ranked, 1, np.mean(list(single.values()), axis=0))]
    rows += [_row(SINGLE, (model,), 1, single[model]) for model in ranked]
    rows += [_row(BEST_SINGLE, (best,), 1, single[best], in_sample=True)]
    rows += [_row(SELF_CONSISTENCY, (model,), k[model], consistent[model]) for model in ranked]
    rows += [_row(BEST_SELF_CONSISTENCY, ranked[:1], k[ranked[0]], consistent[ranked[0]], in_sample=True)]
    if same is not None or group_of(recording) is None:
        codes, right = arrays.codes[rank], arrays.right[rank]
        stops = (codes[:, :, 0] == codes[0, :, 0]).all(axis=0) & (codes[0, :, 0] >= 0)
        mean_samples = float(np.where(stops, len(ranked), all_samples).mean())
        rows += [
            _row(AGENT_FOREST, ranked, all_samples, _pooled(codes, right), in_sample=True),
            _row(FIRST_ROUND, ranked, mean_samples, np.where(stops, right[0, :, 0], mux), in_sample=True),
        ]
    return (
        *rows,
        _row(MUX, ranked, all_samples, mux, in_sample=True),
        _row(ORACLE_VOTE, ranked, all_samples, votes.right.any(axis=0)),
        _row(ORACLE_SAMPLE, ranked, all_samples, arrays.right.any(axis=(0, 2))),
    )


def _row(name: str, models: tuple[str, ...], samples: float, right: ArrayLike, *, in_sample: bool = False) -> Baseline:
    share = np.array(right, dtype=np.float64)
    return Baseline(name, models, float(samples), float(share.mean()), in_sample, share)


def _pooled(codes: Ints, right: Bools) -> Bools:
    """Return for each question whether one vote over all samples is right: [q] from [m, q, n] in rank order."""
    questions = codes.shape[1]
    flat = codes.swapaxes(0, 1).reshape(questions, -1)
    flat_right = right.swapaxes(0, 1).reshape(questions, -1)
    # One table counts the answers of all questions: comparing the samples of 33 models in pairs would take 50 MB.
    of_question = np.arange(questions)[:, None]
    counts = np.zeros((questions, int(flat.max()) + 2), dtype=np.int64)
    np.add.at(counts, (of_question, flat), 1)
    counts[:, -1] = 0  # code -1, which means no answer, indexes the last column
    first = counts[of_question, flat].argmax(axis=1)  # argmax returns the first of several maxima
    pooled: Bools = flat_right[of_question[:, 0], first]
    return pooled
