"""The direction of a text's vector, from whatever embeds: a framework's embeddings or a function.

By their methods: the core imports no framework.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from slmmux._errors import ArgumentError

__all__ = ["Embed", "direction", "embedder"]

Embed = Callable[[str], Sequence[float]]


def embedder(embedding: Any) -> Embed:
    """Return what turns a text into its vector.

    Args:
        embedding: A LangChain `Embeddings`, a LlamaIndex `BaseEmbedding`, or a function: text -> vector.

    Raises:
        ArgumentError: Anything else.
    """
    for method in ("embed_query", "get_text_embedding"):
        embed = getattr(embedding, method, None)
        if callable(embed):
            return embed  # type: ignore[no-any-return]
    if callable(embedding):
        return embedding  # type: ignore[no-any-return]
    raise ArgumentError(
        f"embedding is a {type(embedding).__name__}; pass a LangChain Embeddings, a LlamaIndex BaseEmbedding, or a "
        "function: text -> vector"
    )


def direction(embed: Embed, text: str) -> list[float]:
    """Return a text's vector, of length 1.

    Raises:
        ArgumentError: The vector has no direction.
    """
    vector = [float(x) for x in embed(text)]
    length = math.sqrt(math.fsum(x * x for x in vector))
    if not vector or not 0 < length < math.inf:
        raise ArgumentError(f"the embedding of {text[:60]!r} is no direction: {len(vector)} numbers, length {length}")
    return [x / length for x in vector]
