"""The draws that a decision did without, made when somebody looks.

At a deadline a few of a hundred thousand draws may have arrived: to make the others takes longer than the decision.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import overload

from slmmux._decision.types import Draw, Draws

__all__ = ["Unused"]


class Unused(Sequence[Draw]):
    """The planned draws that did not arrive, in the order of rank and index; equal to the tuple of them.

    Args:
        planned: k by member, in rank order.
        arrived: Label and index of each sample that arrived, all of them planned.

    Example:
        >>> unused = Unused({"a": 2, "b": 1}, {("a", 0)})
        >>> len(unused), unused
        (2, (Draw(model='a', index=1), Draw(model='b', index=0)))
    """

    def __init__(self, planned: Mapping[str, int], arrived: Collection[tuple[str, int]]) -> None:
        self._planned = dict(planned)
        self._arrived = frozenset(arrived)

    @cached_property
    def _draws(self) -> Draws:
        places = ((model, index) for model, k in self._planned.items() for index in range(k))
        return tuple(Draw(*place) for place in places if place not in self._arrived)

    def __len__(self) -> int:
        return sum(self._planned.values()) - len(self._arrived)

    @overload
    def __getitem__(self, index: int) -> Draw: ...

    @overload
    def __getitem__(self, index: slice) -> Draws: ...

    def __getitem__(self, index: int | slice) -> Draw | Draws:
        return self._draws[index]

    def __eq__(self, other: object) -> bool:
        return self._draws == (other._draws if isinstance(other, Unused) else other)

    def __hash__(self) -> int:
        return hash(self._draws)

    def __repr__(self) -> str:
        return repr(self._draws)
