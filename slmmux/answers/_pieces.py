"""A long text changed in pieces, so that no other thread and no event loop waits for the whole of it."""

from collections.abc import Iterator
from typing import Any

__all__ = ["pieces", "translated"]

_PIECE = 4_000  # characters


def pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces.

    Example:
        >>> [len(piece) for piece in pieces("a" * 9_000)]
        [4000, 4000, 1000]
    """
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def translated(text: str, table: Any) -> str:
    """Return `text.translate(table)`.

    Example:
        >>> translated("naïve", {"ï": "i"}), translated("naïve", {ord("ï"): "i"})
        ('naïve', 'naive')
    """
    return "".join([piece.translate(table) for piece in pieces(text)])
