"""A prompt that is too long for a server that says so in words of its own: the framework's error for it.

`ChatOpenAI` knows OpenAI's words alone. llama.cpp's server and vLLM say the same otherwise, and what shortens a history
on overflow would not hear of it.
"""

from typing import Any

from langchain_core.exceptions import ContextOverflowError

__all__ = ["overflow_or_same"]

_SAID_BY = (
    "exceed_context_size_error",  # llama.cpp
    "exceeds the available context size",  # llama.cpp, older
    "maximum context length is",  # vLLM and others after OpenAI
)


def overflow_or_same(error: BaseException) -> BaseException:
    """Return the error, also of the class `ContextOverflowError` if its server says that the prompt is too long."""
    if isinstance(error, ContextOverflowError) or getattr(error, "status_code", None) not in {400, 413}:
        return error
    if not any(words in str(error) for words in _SAID_BY):
        return error
    cls = type(error)
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    bases: tuple[Any, ...] = (cls, ContextOverflowError)
    try:
        combined: Any = type(cls.__name__, bases, names)
        overflow: BaseException = combined.__new__(combined, *error.args)
    except TypeError:  # two layouts that cannot be one
        return error
    overflow.args = error.args
    vars(overflow).update(vars(error))
    overflow.__cause__ = error.__cause__
    return overflow.with_traceback(error.__traceback__)
