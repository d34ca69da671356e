"""Who hears a reply's tokens as they come, where that reply is the answer whatever it says.

Two replies are: the bigger model's, and the sample of a mux of one. Of all others a token may be a loser's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from slmmux._mux.observe import is_inside

__all__ = ["Hear", "hear_tokens", "hearer"]

Hear: TypeAlias = Callable[[Any], None]

_hearer: ContextVar[Hear | None] = ContextVar("slmmux_hearer", default=None)


@contextmanager
def hear_tokens(hear: Hear) -> Iterator[None]:
    """Call `hear` with each chunk of such a reply to the questions asked meanwhile, on their event loop.

    Args:
        hear: Called with the framework's own chunk. If the reply breaks off, what was heard is no answer.
    """
    token = _hearer.set(hear)
    try:
        yield
    finally:
        _hearer.reset(token)


def hearer() -> Hear | None:
    """Return who hears a question that begins; nobody inside of another mux, for which the answer is a sample."""
    return None if is_inside() else _hearer.get()
