"""Samples on disk: a recording holds the replies of a pool of models to a set of questions.

`Arrays` and `arrays_of` need numpy, so they are loaded when they are first used.
"""

from typing import TYPE_CHECKING

from slmmux.recording._recording import Recording
from slmmux.recording._row import Row

if TYPE_CHECKING:
    from slmmux.recording._arrays import Arrays, arrays_of

__all__ = ["Arrays", "Recording", "Row", "arrays_of"]


def __getattr__(name: str) -> object:
    if name in {"Arrays", "arrays_of"}:
        from slmmux.recording import _arrays  # noqa: PLC0415

        value = getattr(_arrays, name)
        value.__module__ = __name__  # Tracebacks and reprs name the path that people import.
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
