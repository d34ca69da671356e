"""A mux's models by label, with what all muxes made of the same mapping share.

LangChain's `configurable_fields` makes a new mux at each call, out of the fields of the one that it configures. The
models are one of these fields, so whatever has to outlive a call is kept with them: the places for calls, what was
learned of each server, and which options nobody set.
"""

from collections.abc import Collection, Mapping
from typing import Any

from slmmux._decision.pool import Pool
from slmmux._mux.members import Memory

__all__ = ["Labelled"]


class Labelled(dict[str, Any]):
    """Models by label.

    Args:
        models: The models.
        unset: The options that were left at their defaults when the first mux was made of these models.
    """

    def __init__(self, models: Mapping[str, Any], unset: Collection[str] = ()) -> None:
        super().__init__(models)
        self.unset = frozenset(unset)
        self._memories: dict[str, Memory] = {}
        self._windows: dict[int, Pool] = {}

    def subset(self, labels: Collection[str]) -> "Labelled":
        """Return some of the models, which share with all of them what outlives a call."""
        subset = Labelled({label: self[label] for label in labels}, self.unset)
        subset._memories, subset._windows = self._memories, self._windows
        return subset

    def memory(self, label: str) -> Memory:
        """Return the memory of a model, which all muxes of this mapping share."""
        return self._memories.setdefault(label, Memory())

    def window(self, calls: int) -> Pool:
        """Return the places for so many calls at once, which threads and event loops share."""
        if calls not in self._windows:
            self._windows[calls] = Pool(calls)
        return self._windows[calls]

    def __deepcopy__(self, memo: Any) -> "Labelled":
        from copy import deepcopy  # noqa: PLC0415 - few muxes are copied deeply

        return Labelled(deepcopy(dict(self), memo), self.unset)

    def __reduce__(self) -> tuple[Any, ...]:
        return Labelled, (dict(self), tuple(self.unset))
