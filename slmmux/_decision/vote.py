"""Algorithm 1's two choices: a member's most frequent answer, and the most confident member.

Pure counting. Whether the outstanding samples could still change the outcome is the question of `settled`.
Source: SLM-MUX, arXiv 2510.05077, Algorithm 1.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from slmmux._decision.types import Answer, DecidedBy, Sample, Vote

__all__ = ["AnswerCount", "Tally", "answers_by_count", "choose", "leader", "vote"]


class AnswerCount:
    """One answer of a member: its number of samples, and the lowest index among them."""

    __slots__ = ("answer", "count", "first")

    def __init__(self, answer: Answer, first: int) -> None:
        self.answer = answer
        self.count = 0
        self.first = first

    def beats(self, rival: "AnswerCount | None") -> bool:
        """Return whether this answer is more frequent, or equally frequent and first given at a lower index."""
        return rival is None or (self.count, -self.first) > (rival.count, -rival.first)


class Tally:
    """One member's samples, counted as they arrive, in any order.

    Attributes:
        model: The member's label.
        of: k.
        best: The most frequent answer so far, or `None`.
        second: The second most frequent answer so far, or `None`.
        count: The samples with the most frequent answer so far.
        abstained: The replies without an answer so far.
        failed: The calls that have failed so far.
        outstanding: The samples that have not arrived.

    Only the best two answers are kept in order. That is enough: counts never fall, so an answer can only be overtaken
    by the one that has just grown. A sample therefore costs the same however many arrived before it.
    """

    __slots__ = (
        "_counts", "_indices", "_lowest", "abstained", "best", "count", "failed", "model", "of", "outstanding",
        "second",
    )  # fmt: skip

    def __init__(self, model: str, of: int) -> None:
        self.model = model
        self.of = of
        self.abstained = 0
        self.failed = 0
        self.best: AnswerCount | None = None
        self.second: AnswerCount | None = None
        self.count = 0
        self.outstanding = of
        self._counts: dict[tuple[str, str], AnswerCount] = {}
        self._indices: set[int] = set()  # of the samples that have arrived
        self._lowest = 0

    def add(self, sample: Sample[Any]) -> None:
        """Count one sample; a failed call or a reply without an answer only lowers the number outstanding."""
        index = sample.draw.index
        self._indices.add(index)
        self.outstanding -= 1
        if sample.error is not None:
            self.failed += 1
        elif sample.answer is None:
            self.abstained += 1
        else:
            answer = sample.answer
            key = answer.kind, answer.key  # equal exactly if the answers are, and hashed without a call of ours
            this = self._counts.get(key)
            if this is None:
                this = self._counts[key] = AnswerCount(answer, index)
            this.count += 1
            if index < this.first:
                this.answer, this.first = answer, index
            if this is not self.best:
                if this.beats(self.best):
                    self.best, self.second = this, self.best
                elif this.beats(self.second):
                    self.second = this
            if this is self.best:
                self.count = this.count

    @property
    def speaker(self) -> int | None:
        """The sample that speaks for the most frequent answer: the lowest index with this answer."""
        return self.best.first if self.best else None

    @property
    def lowest_outstanding(self) -> int:
        """The lowest index that has not arrived; `of` if all have."""
        # The mark only moves up, so that k look-ups are enough for a whole race.
        while self._lowest in self._indices:
            self._lowest += 1
        return self._lowest

    def counts(self) -> dict[Answer, tuple[int, int]]:
        """Return each answer so far with its number of samples and the lowest index among them."""
        return {each.answer: (each.count, each.first) for each in self._counts.values()}

    def vote(self) -> Vote:
        """Return the vote over the samples so far."""
        return Vote(
            model=self.model,
            answer=self.best.answer.value if self.best else None,
            count=self.count,
            of=self.of,
            abstained=self.abstained,
            failed=self.failed,
            unused=self.outstanding,
            kind=self.best.answer.kind if self.best else None,
            answers=answers_by_count(self._counts.values()),
            fields=self.best.answer.fields if self.best else (),
        )


def answers_by_count(counts: Iterable[AnswerCount]) -> tuple[tuple[Any, int], ...]:
    """Return each answer as written with its number of samples, in the order in which answers win a vote."""
    ordered = sorted(counts, key=lambda each: (-each.count, each.first))
    return tuple((each.answer.value, each.count) for each in ordered)


def vote(model: str, samples: Iterable[Sample[Any]], k: int) -> Vote:
    """Return a member's vote over its samples.

    `f(y)` = samples whose answer equals `y` / k. The denominator is k, never the number of readable replies.
    The vote is the `y` of highest `f`; equal ones fall to the answer at the lower sample index.

    Example:
        >>> from slmmux._decision.types import Draw
        >>> four, five = Answer("4", "number", "4"), Answer("5", "number", "5")
        >>> vote("qwen", [Sample(Draw("qwen", 1), "..5", five), Sample(Draw("qwen", 0), "..4", four)], k=3).answer
        '4'
    """
    tally = Tally(model, k)
    for sample in samples:
        tally.add(sample)
    return tally.vote()


class Standing(Protocol):
    """A member's standing, as far as members are compared by it: `count` samples `of` k."""

    @property
    def count(self) -> int: ...
    @property
    def of(self) -> int: ...


S = TypeVar("S", bound=Standing)


def leader(standings: Sequence[S]) -> S:
    """Return the most confident of members in rank order; equals fall to the better-ranked."""
    best = standings[0]
    for rival in standings[1:]:
        # a/b > c/d as a d > c b: floats would call unequal what is equal (3/5 and 6/10 of one sum), or the reverse.
        if rival.count * best.of > best.count * rival.of:
            best = rival
    return best


def choose(votes: Sequence[Vote]) -> tuple[Vote, DecidedBy]:
    """Return the winning vote and the rule that decided.

    Args:
        votes: One vote a member, in rank order (validation accuracy, then the given order).

    Returns:
        The vote of highest confidence. Equal confidences fall to the rank ("tie-break"). If no reply contained an
        answer, every confidence is 0 and the best-ranked member that replied wins ("rank").

    Example:
        >>> choose([Vote("a", "1", 2, 3, 0, 0, 0), Vote("b", "2", 3, 3, 0, 0, 0)])[0].model
        'b'
    """
    best = leader(votes)
    if best.count == 0:
        return next((v for v in votes if v.abstained), best), "rank"
    equals = sum(v.count * best.of == best.count * v.of for v in votes)
    return best, "confidence" if equals == 1 else "tie-break"
