"""What the mux has to beat: single models, one vote of all, the first-round stop and the oracles, on one recording.

Each row is counted on the samples that Algorithm 1 has on the same questions; nothing is chosen here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slmmux.recording import Recording
from slmmux.recording._arrays import Missing, Same, arrays_of
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

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Baseline:
    """One way to answer, and how often it was right.

    Attributes:
        name: Which way: a constant of this module.
        models: The members it asks, best first.
        samples: The samples a question that it takes, on average.
        accuracy: The share of questions that are right.
        in_sample: Whether the model or the rank was taken from these very questions, which flatters the figure.
        right: [q] the share right of each question, in the order recorded; `accuracy` is their mean. Not compared.
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
) -> tuple[Baseline, ...]:
    """Return Algorithm 1 and what it has to beat, on the same samples.

    The rank is by self-consistency accuracy on this recording, equal ones as given: in-sample, as `in_sample` says of
    every row that depends on it.

    A question is right, row by row:

    - mean single sample: the mean over models of their single sample;
    - single sample, each model: the share of its k samples that are right;
    - best single sample: the same of the model that is best by it;
    - self-consistency, each model: its most frequent answer is right;
    - best self-consistency: the same of the best-ranked model;
    - Agent Forest (arXiv 2402.05120): the most frequent answer of all samples of all models; equal counts fall to the
      answer that occurs first, by rank and then by index;
    - SLM-MUX, first-round stop (arXiv 2510.05077): where the first samples of all models give one and the same
      answer, that answer, and no more is asked; else Algorithm 1;
    - SLM-MUX: Algorithm 1 over all k samples;
    - oracle, any vote (union): some model's most frequent answer; no choice between the models' votes does better;
    - oracle, any sample: some sample of some model.

    Args:
        recording: Where the samples are.
        models: Which members; `None`: all.
        samples: k, or k by label, as for `replay`; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included; without it they are compared as recorded.
        missing: "error" names what a member was not asked; "drop" leaves those questions out.

    Returns:
        The rows in the order above, models by rank. Where equality was no key and `same` is not given, answers of
        different models were never compared: Agent Forest and the first-round stop are left out.

    Raises:
        ArgumentError: No, unknown or repeated models, or a k that was not recorded.
        RecordingError: Samples missing, or a question without gold or with two.

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
    arrays = arrays_of(recording, models, samples, same=same, missing=missing)
    votes = arrays.votes
    rank = np.argsort(-votes.right.sum(axis=1), kind="stable")
    ranked = tuple(arrays.models[m] for m in rank)
    k, every = dict(zip(arrays.models, arrays.of.tolist(), strict=True)), int(arrays.of.sum())
    # Totals over one denominator: as floats two equal shares may differ.
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
        spent = float(np.where(stops, len(ranked), every).mean())
        rows += [
            _row(AGENT_FOREST, ranked, every, _pooled(codes, right), in_sample=True),
            _row(FIRST_ROUND, ranked, spent, np.where(stops, right[0, :, 0], mux), in_sample=True),
        ]
    return (
        *rows,
        _row(MUX, ranked, every, mux, in_sample=True),
        _row(ORACLE_VOTE, ranked, every, votes.right.any(axis=0)),
        _row(ORACLE_SAMPLE, ranked, every, arrays.right.any(axis=(0, 2))),
    )


def _row(name: str, models: tuple[str, ...], samples: float, right: ArrayLike, *, in_sample: bool = False) -> Baseline:
    share = np.array(right, dtype=np.float64)
    return Baseline(name, models, float(samples), float(share.mean()), in_sample, share)


def _pooled(codes: NDArray[np.int64], right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return [q] whether one vote of all samples is right, of [m, q, n] in rank order."""
    questions = codes.shape[1]
    flat = codes.swapaxes(0, 1).reshape(questions, -1)
    flat_right = right.swapaxes(0, 1).reshape(questions, -1)
    # Counted by answer, a table for all questions: 33 models' samples compared in pairs would take 50 MB.
    of_question = np.arange(questions)[:, None]
    counts = np.zeros((questions, int(flat.max()) + 2), dtype=np.int64)
    np.add.at(counts, (of_question, flat), 1)
    counts[:, -1] = 0  # code -1, no answer, stands last
    first = counts[of_question, flat].argmax(axis=1)  # argmax returns the first of equals
    pooled: NDArray[np.bool_] = flat_right[of_question[:, 0], first]
    return pooled
