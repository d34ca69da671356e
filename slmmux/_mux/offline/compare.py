"""A mux's members put to questions by several methods: what the `compare` functions of both adapters share."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from slmmux._mux.base import Mux
from slmmux._mux.offline.profile import members_of
from slmmux.compare import METHODS, Comparison
from slmmux.compare import compare as compare_members
from slmmux.profiling import Questions, Watch
from slmmux.profiling._progress import watching

__all__ = ["METHODS", "Comparison", "Questions", "Watch", "compare_mux"]


def compare_mux(
    cls: type[Mux],
    models: Any,
    questions: Questions,
    *,
    folder: str | PathLike[str],
    methods: Sequence[str],
    samples: int | dict[str, int] | None,
    rounds: int,
    layers: int,
    progress: bool | Watch,
    options: Mapping[str, Any],
) -> Comparison:
    """Compare methods on the members of a mux of a class; an adapter's `compare` documents the arguments."""
    members, pressing = members_of(cls, models, samples, options)
    with watching(progress) as watch:
        return compare_members(
            members,
            questions,
            folder=folder,
            methods=methods,
            rounds=rounds,
            layers=layers,
            extract=members.extract,
            watch=watch,
            **pressing,
        )
