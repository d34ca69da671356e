"""A member's answers if equality is not a key: each sample names the earlier ones it agrees with, and groups form last.

While a sample of a member is missing, its answers count as outstanding: one more sample can still join two groups that
looked apart. Early stop is therefore sound for any relation, a transitive one or not.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from slmmux._decision.types import Answer, Sample, Vote
from slmmux._decision.vote import AnswerCount, Tally, answers_by_count

__all__ = ["GROUPS", "Alike", "Group", "GroupAnswers", "GroupName", "RelatedTally", "classes", "neighbourhoods"]

# The similarity of the samples that agree, by index; samples that do not agree are left out.
Alike: TypeAlias = Mapping[int, Mapping[int, float]]
# Returns the largest group of a member's answers: (its size, the index of the sample that speaks for it).
GroupAnswers: TypeAlias = Callable[[Alike], tuple[int, int]]
Group: TypeAlias = GroupAnswers
GroupName = Literal["classes", "neighbourhoods"]


def classes(alike: Alike) -> tuple[int, int]:
    """Return the size of the largest class and its first sample; equal sizes fall to the lower index.

    In index order, each sample joins the first class whose first sample it agrees with, or starts a class. The outcome
    depends on the set of samples alone, even if a agrees with b, b agrees with c, and a does not agree with c.

    Example:
        >>> classes({0: {}, 1: {2: 1.0}, 2: {1: 1.0}})
        (2, 1)
    """
    sizes: dict[int, int] = {}
    for index in sorted(alike):
        first = next((first for first in sizes if first in alike[index]), index)
        sizes[first] = sizes.get(first, 0) + 1
    first = max(sizes, key=lambda index: (sizes[index], -index))
    return sizes[first], first


def neighbourhoods(alike: Alike) -> tuple[int, int]:
    """Return the largest support and its sample; equal ones fall to the most central sample, then to the lower index.

    A sample's support is 1 + the number of its neighbours, the samples that agree with it (SLM-MUX, arXiv 2510.05077
    v2, open-ended answers). The most central sample has the highest sum of similarities to its neighbours.

    Example:
        >>> neighbourhoods({0: {1: 0.95}, 1: {0: 0.95, 2: 0.91}, 2: {1: 0.91}})
        (3, 1)
    """
    centre = max(alike, key=lambda index: (len(alike[index]), sum(alike[index].values()), -index))
    return 1 + len(alike[centre]), centre


GROUPS: dict[str, GroupAnswers] = {"classes": classes, "neighbourhoods": neighbourhoods}


class RelatedTally(Tally):
    """One member's samples, grouped by their agreement with each other.

    Args:
        model: The member's label.
        of: k.
        group: Returns the largest group.
    """

    __slots__ = ("_alike", "_answers", "_group", "_unseen")

    def __init__(self, model: str, of: int, group: GroupAnswers) -> None:
        self._unseen = of
        super().__init__(model, of)
        self._group = group
        self._answers: dict[int, Answer] = {}
        self._alike: dict[int, dict[int, float]] = {}

    def add(self, sample: Sample[Any]) -> None:
        """Count one sample; after the last one the groups are formed."""
        self._unseen -= 1
        index = sample.draw.index
        self._indices.add(index)
        if sample.error is not None:
            self.failed += 1
        elif sample.answer is None:
            self.abstained += 1
        else:
            self._answers[index] = sample.answer
            self._alike[index] = dict(sample.alike)
            for neighbour, similarity in sample.alike.items():
                self._alike[neighbour][index] = similarity
        # All of these may still end up in one group: missing samples and, while there are any, those that arrived.
        self.outstanding = self._unseen + len(self._answers) if self._unseen else 0
        # `best` and `count` stay empty until then, so that `settled` never rests on a group that could still change.
        if not self._unseen:
            self.best = self._largest()
            self.count = self.best.count if self.best else 0

    @property
    def speaker(self) -> int | None:
        """The sample that speaks for the largest group so far."""
        best = self._largest()
        return best.first if best else None

    def vote(self) -> Vote:
        """Return the vote over the samples so far."""
        best = self._largest()
        return Vote(
            model=self.model,
            answer=best.answer.value if best else None,
            count=best.count if best else 0,
            of=self.of,
            abstained=self.abstained,
            failed=self.failed,
            unused=self._unseen,
            kind=best.answer.kind if best else None,
            answers=answers_by_count(self._wordings()),
            fields=best.answer.fields if best else (),
        )

    def _wordings(self) -> list[AnswerCount]:
        """Return each answer by its key in index order, without regard to which of them agree."""
        counts: dict[Answer, AnswerCount] = {}
        for index, answer in sorted(self._answers.items()):
            counts.setdefault(answer, AnswerCount(answer, index)).count += 1
        return list(counts.values())

    def _largest(self) -> AnswerCount | None:
        if not self._answers:
            return None
        count, speaker = self._group(self._alike)
        best = AnswerCount(self._answers[speaker], speaker)
        best.count = count
        return best
