"""A warning that points at the user's own line, however many frames of frameworks lie between."""

import inspect
import warnings

__all__ = ["warn"]

_INSIDE = ("slmmux", "langchain_slmmux", "llamaindex_slmmux", "langchain_core", "llama_index", "pydantic", "wrapt")


def warn(text: str) -> None:
    """Warn at the nearest caller that is neither ours nor a framework's."""
    level, frame = 2, inspect.currentframe()
    frame = frame.f_back if frame else None
    while frame and frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)
