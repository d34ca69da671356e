"""Algorithm 1's two choices: a member's most frequent answer, and the most confident member.

Pure counting. Nothing here knows what is still outstanding; that is `_settled`.
Source: SLM-MUX, arXiv 2510.05077, Algorithm 1.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from slmmux._decision.types import Answer, DecidedBy, Sample, Vote

__all__ = ["Place", "Tally", "choose", "leader", "said", "vote"]


class Place:
    """One answer of a member: how often it came, and at which lowest index."""

    __slots__ = ("answer", "count", "first")

    def __init__(self, answer: Answer, first: int) -> None:
        self.answer = answer
        self.count = 0
        self.first = first

    def beats(self, other: "Place | None") -> bool:
        """Higher count first; equal counts fall to the lower sample index."""
        return other is None or (self.count, -self.first) > (other.count, -other.first)


class Tally:
    """One member's samples, counted as they come in, in any order.

    Attributes:
        count: Samples for the most frequent answer so far.
        outstanding: Samples that have not come in.

    Only the best two places are kept sorted: counts never fall, so a place can only be overtaken
    by the one that has just grown, and a sample costs the same however many came before.
    """

    __slots__ = (
        "_lowest", "_places", "_seen", "abstained", "best", "count", "failed", "model", "of", "outstanding", "second",
    )  # fmt: skip

    def __init__(self, model: str, of: int) -> None:
        self.model = model
        self.of = of
        self.abstained = 0
        self.failed = 0
        self.best: Place | None = None
        self.second: Place | None = None
        self.count = 0
        self.outstanding = of
        self._places: dict[tuple[str, str], Place] = {}
        self._seen: set[int] = set()
        self._lowest = 0

    def add(self, sample: Sample[Any]) -> None:
        """Count one sample; a failed or unreadable one only lowers what is outstanding."""
        index = sample.draw.index
        self._seen.add(index)
        self.outstanding -= 1
        if sample.error is not None:
            self.failed += 1
        elif sample.answer is None:
            self.abstained += 1
        else:
            answer = sample.answer
            said = answer.kind, answer.key  # what makes answers equal, as a key that costs no call
            place = self._places.get(said)
            if place is None:
                place = self._places[said] = Place(answer, index)
            place.count += 1
            if index < place.first:
                place.answer, place.first = answer, index
            if place is not self.best:
                if place.beats(self.best):
                    self.best, self.second = place, self.best
                elif place.beats(self.second):
                    self.second = place
            if place is self.best:
                self.count = place.count

    @property
    def speaker(self) -> int | None:
        """The sample that speaks for the most frequent answer: the lowest index that gave it."""
        return self.best.first if self.best else None

    @property
    def lowest_outstanding(self) -> int:
        """The lowest index that has not come in; `of` when all have."""
        while self._lowest in self._seen:
            self._lowest += 1
        return self._lowest

    def given(self) -> dict[Answer, tuple[int, int]]:
        """Return each answer so far: how many samples gave it, and the lowest index of these."""
        return {place.answer: (place.count, place.first) for place in self._places.values()}

    def vote(self) -> Vote:
        """Return the vote as it stands."""
        return Vote(
            model=self.model,
            answer=self.best.answer.value if self.best else None,
            count=self.count,
            of=self.of,
            abstained=self.abstained,
            failed=self.failed,
            unused=self.outstanding,
            kind=self.best.answer.kind if self.best else None,
            answers=said(self._places.values()),
        )


def said(places: Iterable[Place]) -> tuple[tuple[Any, int], ...]:
    """Return answers as shown, each with how many samples gave it, in the order of a vote."""
    ordered = sorted(places, key=lambda place: (-place.count, place.first))
    return tuple((place.answer.value, place.count) for place in ordered)


def vote(model: str, samples: Iterable[Sample[Any]], k: int) -> Vote:
    """Return a member's vote over its samples.

    `f(y)` = samples whose answer equals `y` / k. The denominator is k, never the number that parsed.
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
    """What the comparison of members needs: `count` samples `of` k."""

    @property
    def count(self) -> int: ...
    @property
    def of(self) -> int: ...


S = TypeVar("S", bound=Standing)


def leader(standings: Sequence[S]) -> S:
    """Return the most confident of members in rank order; equals fall to the better-ranked.

    Fractions are compared cross-multiplied, never as floats.
    """
    best = standings[0]
    for other in standings[1:]:
        if other.count * best.of > best.count * other.of:
            best = other
    return best


def choose(votes: Sequence[Vote]) -> tuple[Vote, DecidedBy]:
    """Return the winning vote and the rule that decided.

    Args:
        votes: One vote a member, in rank order (validation accuracy, then the given order).

    Returns:
        The vote of highest confidence. Equal confidences fall to the rank ("tie-break"). Where no answer was
        read at all every confidence is 0 and the best-ranked member that replied wins ("rank").

    Example:
        >>> choose([Vote("a", "1", 2, 3, 0, 0, 0), Vote("b", "2", 3, 3, 0, 0, 0)])[0].model
        'b'
    """
    best = leader(votes)
    if best.count == 0:
        return next((v for v in votes if v.abstained), best), "rank"
    equals = sum(v.count * best.of == best.count * v.of for v in votes)
    return best, "confidence" if equals == 1 else "tie-break"
