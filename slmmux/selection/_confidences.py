"""Recorded confidences side by side: how often the mux is right by each, and how well each tells right from wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from slmmux._decision.price import Price
from slmmux._decision.types import Decision
from slmmux.learned._scores import brier, expected_calibration_error
from slmmux.recording import Arrays, Recording, Row, arrays_of
from slmmux.recording._arrays import Missing, Score
from slmmux.recording._prices import prices_of
from slmmux.recording._replay import group_of, recorded_confidences, replay
from slmmux.selection._selection import Selection, Subset

__all__ = ["ConfidenceResult", "best_mux", "compare_confidences"]

CONSISTENCY = "consistency"
JUDGE = "judge"  # the name of its confidence, and its label among the recorded prices


@dataclass(frozen=True, slots=True)
class ConfidenceResult:
    """One confidence on recorded questions, as it is: nothing is fitted.

    Attributes:
        confidence: Its name.
        accuracy: The share of questions on which the mux that ranks by it is right.
        scored: The share of the samples with an answer that have this score; the others count as the mean of their
            question. `None` if no sample has an answer.
        stated: The mean confidence of the winner.
        error: The expected calibration error of the winner's confidence, over ten bins.
        brier: The mean squared error of the winner's confidence.
        separation: The chance that a right answer has a higher confidence than a wrong one (AUROC; 0.5 is blind);
            `None` if all answers are right or all wrong.
        gain: The accuracy less that by self-consistency, on the same questions.
        low: The lower end of the 95 % interval of the gain.
        high: The upper end.
        questions: The number of questions.
        tokens: The tokens per question of the members, and of the judge if there is one; `None` if some are unknown.
        cost: The cost of these tokens by the recorded prices; `None` without prices.
    """

    confidence: str
    accuracy: float
    scored: float | None
    stated: float
    error: float
    brier: float
    separation: float | None
    gain: float
    low: float
    high: float
    questions: int
    tokens: float | None = None
    cost: float | None = None


def compare_confidences(
    recording: Recording,
    models: Sequence[str],
    samples: int | Mapping[str, int] | None = None,
    *,
    missing: Missing = "error",
    score: Score | None = None,
) -> tuple[ConfidenceResult, ...]:
    """Return what each recorded confidence is worth, beside self-consistency, on the same samples.

    Args:
        recording: The samples, with gold answers.
        models: The members by rank, best first.
        samples: k, or k by label.
        missing: As for `select_complementary`, for questions of which samples are missing.
        score: When a reply is right; see `select_complementary`.

    Returns:
        Self-consistency first, then each recorded confidence by name.

    Raises:
        ArgumentError: As for `replay`.
        RecordingError: The recording is empty, samples are missing, or a question has no gold answer.

    Example:
        >>> from slmmux import Recording, Row
        >>> rows = [
        ...     Row(question_id="q", model=m, sample_index=0, answer=a, gold="4", confidences={"logprob": p})
        ...     for m, a, p in (("qwen", "5", 0.4), ("phi", "4", 0.9))
        ... ]
        >>> [(each.confidence, each.accuracy) for each in compare_confidences(Recording.of(rows), ["qwen", "phi"])]
        [('consistency', 0.0), ('logprob', 1.0)]
    """
    arrays = arrays_of(recording, models, samples, missing=missing, score=score)
    # Answers that were compared in pairs form groups within a member, which scores do not rank.
    names = recorded_confidences(recording) if group_of(recording) is None else ()
    results: list[ConfidenceResult] = []
    base: NDArray[np.bool_] | None = None
    for name in (CONSISTENCY, *names):
        replayed = replay(recording, models, samples, wait="exhausted", confidence=name)
        decisions = [replayed[question] for question in arrays.questions]
        right = np.array([_is_right(arrays, q, decision) for q, decision in enumerate(decisions)], dtype=np.bool_)
        base = right if base is None else base
        rows = [sample.reply for decision in decisions for sample in decision.samples if sample.reply is not None]
        tokens, cost = _spending(arrays, rows if name == JUDGE else (), prices_of(recording.settings).get(JUDGE))
        results.append(replace(_result(name, decisions, right, base), tokens=tokens, cost=cost))
    return tuple(results)


def best_mux(selection: Selection) -> Subset:
    """Return the best subset of several models; the best model if no larger subset was tried."""
    muxes = [subset for size, subset in selection.by_size.items() if size > 1]
    best = selection.best
    return best if len(best.models) > 1 or not muxes else max(muxes, key=lambda subset: subset.objective)


def _spending(arrays: Arrays, rated: Sequence[Row], price: Price | None) -> tuple[float | None, float | None]:
    """Return the tokens per question and their cost: of all samples, and of the judge's ratings of some."""
    if arrays.tokens is None:
        return None, None
    tokens = float(arrays.tokens.sum())
    cost = None if arrays.costs is None else float(arrays.costs.sum())
    if rated:
        sent, received = (
            sum(getattr(row, name) or 0 for row in rated) for name in ("judge_input_tokens", "judge_output_tokens")
        )
        if not received:  # a server that counts none, or a recording of an older version
            return None, None
        tokens += sent + received
        usage = {"input_tokens": sent, "output_tokens": received}
        cost = None if cost is None or price is None else cost + price.cost(usage)
    questions = len(arrays.questions)
    return tokens / questions, None if cost is None else cost / questions


def _is_right(arrays: Arrays, q: int, decision: Decision[Row | None]) -> bool:
    if not decision.winner.count:
        return False
    return bool(arrays.right[arrays.models.index(decision.sample.model), q, decision.sample.index])


def _result(
    name: str, decisions: Sequence[Decision[Row | None]], right: NDArray[np.bool_], base: NDArray[np.bool_]
) -> ConfidenceResult:
    stated = np.array([decision.winner.confidence for decision in decisions])
    answered = [s.reply for decision in decisions for s in decision.samples if s.answer is not None]
    has_score = [name == CONSISTENCY or name in (row.confidences or {}) for row in answered if row is not None]
    count = right.size
    wins, losses = int((right & ~base).sum()), int((base & ~right).sum())
    # The interval for paired shares of `slmmux.compare`: half a question is added to each cell (Agresti and Min, 2005).
    n, b, c = count + 2, wins + 0.5, losses + 0.5
    middle, half = (b - c) / n, _Z * (b + c - (b - c) ** 2 / n) ** 0.5 / n
    return ConfidenceResult(
        confidence=name,
        accuracy=float(right.mean()),
        scored=sum(has_score) / len(has_score) if has_score else None,
        stated=float(stated.mean()),
        error=expected_calibration_error(stated, right),
        brier=brier(stated, right),
        separation=_separation(stated, right),
        gain=(wins - losses) / count,
        low=max(-1.0, middle - half),
        high=min(1.0, middle + half),
        questions=count,
    )


_Z = 1.959963984540054  # of 95 %


def _separation(stated: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """Return the chance that a right answer is surer than a wrong one; equally sure ones count one half."""
    rights, wrongs = stated[right], stated[~right]
    if not rights.size or not wrongs.size:
        return None
    ordered = np.sort(wrongs)
    below, through = np.searchsorted(ordered, rights, "left"), np.searchsorted(ordered, rights, "right")
    return float((below + through).mean() / 2 / wrongs.size)
