"""A member's answers where equality is no key: which of them agree is told with each sample, and groups are formed.

Until all of a member's samples are in, its answers count as outstanding: one more sample can still join two groups
that looked apart, so that early stop stays sound for any relation, a transitive one or not.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from slmmux._decision.types import Answer, Sample, Vote
from slmmux._decision.vote import Place, Tally, said

__all__ = ["Alike", "Group", "RelatedTally", "classes", "neighbourhoods"]

# How alike two samples are, by index; who is not named does not agree.
Alike: TypeAlias = Mapping[int, Mapping[int, float]]
# The largest group of a member's answers: (how many samples, which one speaks for them).
Group: TypeAlias = Callable[[Alike], tuple[int, int]]


def classes(alike: Alike) -> tuple[int, int]:
    """Return the size of the largest class and its first sample; equal sizes fall to the lower index.

    In index order each sample joins the first class whose first sample it agrees with, or begins one: one outcome for
    one set of samples, even where a agrees with b and b with c and a does not with c.

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
    """Return the largest support and the sample that has it; equal ones fall to the most central, then the lower index.

    A sample's support is 1 + its neighbours, those that agree with it (SLM-MUX, arXiv 2510.05077 v2, open-ended
    answers); the most central is the one most alike to its neighbours together.

    Example:
        >>> neighbourhoods({0: {1: 0.95}, 1: {0: 0.95, 2: 0.91}, 2: {1: 0.91}})
        (3, 1)
    """
    centre = max(alike, key=lambda index: (len(alike[index]), sum(alike[index].values()), -index))
    return 1 + len(alike[centre]), centre


class RelatedTally(Tally):
    """One member's samples, grouped by what agrees with what.

    Args:
        model: The member's label.
        of: k.
        group: Forms the groups.
    """

    __slots__ = ("_alike", "_answers", "_group", "_missing")

    def __init__(self, model: str, of: int, group: Group) -> None:
        self._missing = of
        super().__init__(model, of)
        self._group = group
        self._answers: dict[int, Answer] = {}
        self._alike: dict[int, dict[int, float]] = {}

    def add(self, sample: Sample[Any]) -> None:
        """Count one sample; the last one forms the groups."""
        self._missing -= 1
        index = sample.draw.index
        self._seen.add(index)
        if sample.error is not None:
            self.failed += 1
        elif sample.answer is None:
            self.abstained += 1
        else:
            self._answers[index] = sample.answer
            self._alike[index] = dict(sample.alike)
            for other, how in sample.alike.items():
                self._alike[other][index] = how
        # What may still become one answer: the samples that are not in and, until all are, those that are.
        self.outstanding = self._missing + len(self._answers) if self._missing else 0
        if not self._missing:
            self.best = self._largest()
            self.count = self.best.count if self.best else 0

    @property
    def speaker(self) -> int | None:
        """The sample that speaks for the largest group so far."""
        best = self._largest()
        return best.first if best else None

    def vote(self) -> Vote:
        """Return the vote as it stands."""
        best = self._largest()
        return Vote(
            model=self.model,
            answer=best.answer.value if best else None,
            count=best.count if best else 0,
            of=self.of,
            abstained=self.abstained,
            failed=self.failed,
            unused=self._missing,
            kind=best.answer.kind if best else None,
            answers=said(self._said()),
        )

    def _said(self) -> list[Place]:
        """Return what was said word for word, in index order, whatever of it agrees."""
        places: dict[Answer, Place] = {}
        for index, answer in sorted(self._answers.items()):
            places.setdefault(answer, Place(answer, index)).count += 1
        return list(places.values())

    def _largest(self) -> Place | None:
        if not self._answers:
            return None
        count, speaker = self._group(self._alike)
        best = Place(self._answers[speaker], speaker)
        best.count = count
        return best
