"""Algorithm 1 with scores in place of counts: each sample of an answer counts by how sure somebody is of it.

Pure counting, over a decision that was made without scores; with the same score for all samples nothing changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import fsum
from typing import Any, TypeVar

from slmmux._decision.types import Answer, Decision, Draw, Sample, Vote

__all__ = ["by_scores"]

R = TypeVar("R")

_UNIT = 1_000_000  # scores are added in whole millionths, so that no order of the samples changes a sum


@dataclass(frozen=True, slots=True)
class _Standing:
    """The best answer of one member: the sum of the scores of its samples, and the first of these samples."""

    total: int
    of: int
    count: int
    speaker: Sample[Any]
    answer: Answer

    def beats(self, other: "_Standing") -> bool:
        return self.total * other.of > other.total * self.of  # fractions over different k, compared without floats

    @property
    def share(self) -> float:
        return self.total / _UNIT / self.of


def by_scores(decision: Decision[R], scores: Mapping[Draw, float]) -> Decision[R]:
    """Return the decision among the same samples if each counts by its score.

    f_i(y) = (sum of the scores of the samples of M_i whose answer is y) / k_i, and the member with the highest f_i
    speaks, with the answer that has it; equal ones fall to the lower sample index within a member, and to the rank
    among members. With the score 1 for every sample this is Algorithm 1. A sample without a score counts as the mean of
    the scores that there are for the question: it is neither better nor worse than the others.

    Args:
        decision: The decision by counts, with its samples. Answers were compared by their keys.
        scores: The scores from 0 to 1, by draw.

    Returns:
        The new decision, whose votes have a `score`; the old one if there are no scores, or no answers.
    """
    answered = [sample for sample in decision.samples if sample.answer is not None]
    known = [scores[sample.draw] for sample in answered if sample.draw in scores]
    if not known:
        return decision
    mean = fsum(known) / len(known)
    standings = [
        _best([sample for sample in answered if sample.draw.model == vote.model], vote.of, scores, mean)
        for vote in decision.votes
    ]
    votes = tuple(
        vote if standing is None else _voted(vote, standing)
        for vote, standing in zip(decision.votes, standings, strict=True)
    )
    best, winner = next((each, vote) for each, vote in zip(standings, votes, strict=True) if each is not None)
    for each, vote in zip(standings, votes, strict=True):
        if each is not None and each.beats(best):
            best, winner = each, vote
    equals = sum(each is not None and not best.beats(each) for each in standings)
    return replace(
        decision,
        winner=winner,
        votes=votes,
        reply=best.speaker.reply,
        sample=best.speaker.draw,
        decided_by="confidence" if equals == 1 else "tie-break",
    )


def _best(samples: list[Sample[Any]], of: int, scores: Mapping[Draw, float], mean: float) -> _Standing | None:
    """Return the best answer among a member's samples, which are in index order; `None` without samples."""
    by_answer: dict[Answer, list[Sample[Any]]] = {}
    for sample in samples:
        by_answer.setdefault(sample.answer, []).append(sample)  # type: ignore[arg-type]  # only answered ones are here
    best: _Standing | None = None
    for answer, group in by_answer.items():
        total = sum(round(_UNIT * scores.get(sample.draw, mean)) for sample in group)
        standing = _Standing(total, of, len(group), group[0], answer)
        if best is None or standing.beats(best):
            best = standing
    return best


def _voted(vote: Vote, standing: _Standing) -> Vote:
    answer = standing.speaker.answer or standing.answer
    return replace(
        vote,
        answer=answer.value,
        count=standing.count,
        kind=answer.kind,
        fields=answer.fields,
        score=standing.share,
    )
