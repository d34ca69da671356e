"""Questions as vectors, and the squared cosines between them.

All sums are of whole numbers below 2^53, exact in any order: one question alone and many at once come out the same to
the last bit.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Any, TypeAlias

import numpy as np

from slmmux._errors import ArgumentError
from slmmux.recording._arrays import Floats, Ints

__all__ = ["Space", "hashed", "need_scikit_learn", "space_of"]

Rows: TypeAlias = Sequence[Sequence[int]]

_BUCKETS = 2**19  # of words, and as many of character n-grams
_NGRAM = (4, 4)
_FINE = 100  # steps of an inverse document frequency
_SHARE = 10**6  # the whole number that stands for a squared cosine of 1


def need_scikit_learn() -> None:
    """Refuse to go on without scikit-learn.

    Raises:
        ArgumentError: If the extra is not installed; names it.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise ArgumentError(
            'weights by question compare texts with scikit-learn: pip install "slmmux[learned]", or pass embedding='
        )


def hashed(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the buckets that each text's words and character n-grams fall into, each once, lowest first.

    Raises:
        ArgumentError: If the extra `learned` is not installed.
    """
    need_scikit_learn()
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415 - an extra, and slow to import

    settings = {"n_features": _BUCKETS, "norm": None, "alternate_sign": False, "binary": True, "dtype": np.float64}
    words = HashingVectorizer(token_pattern=r"\b\w+\b", **settings)  # noqa: S106 - a token of text
    characters = HashingVectorizer(analyzer="char_wb", ngram_range=_NGRAM, **settings)
    if not texts:
        return []
    by_word: Any = words.transform(texts)
    by_ngram: Any = characters.transform(texts)
    return [
        (*by_word.indices[a:b].tolist(), *(by_ngram.indices[c:d] + _BUCKETS).tolist())
        for (a, b), (c, d) in zip(pairwise(by_word.indptr), pairwise(by_ngram.indptr), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Space:
    """Some questions as vectors of whole numbers, to which others are compared.

    Attributes:
        vectors: [b, d] dense, or a sparse matrix with one empty column more, for n-grams that no question has.
        squares: [b] the squared lengths.
        buckets: [d] the n-gram of each column, lowest first; `None` if these are embeddings.
        idf: [d + 1] the inverse document frequency of each column.
    """

    vectors: Any
    squares: Floats
    buckets: Ints | None
    idf: Floats

    def squared_cosines(self, rows: Rows) -> Floats:
        """Return [a, b] the squared cosine of each row to each question, in millionths; 0 if the cosine is negative."""
        if self.buckets is None:
            vectors, squares = _dense(rows, self.vectors.shape[1])
            dot = vectors @ self.vectors.T
        else:
            vectors, squares = _sparse(rows, self.buckets, self.idf)
            dot = (vectors @ self.vectors.T).toarray()
        dot = dot.clip(min=0)
        # A text without a word has length 0, and is near nothing.
        cosines: Floats = np.rint(_SHARE * (dot / squares.clip(min=1)[:, None]) * (dot / self.squares.clip(min=1)))
        return cosines


def space_of(rows: Rows, *, embedded: bool) -> Space:
    """Return the space of some questions, with their document frequencies.

    Args:
        rows: [b] the numbers of each question if embedded, else its buckets.
        embedded: Whether the rows are embeddings.

    Raises:
        ArgumentError: If embeddings have different lengths.
    """
    if embedded:
        return Space(*_dense(rows, len(rows[0]) if rows else 0), None, np.zeros(0))
    buckets, often = np.unique(_flat(rows), return_counts=True)
    rarity = [round(_FINE * (log((1 + len(rows)) / (1 + times)) + 1)) for times in range(len(rows) + 1)]
    idf = np.array(rarity, dtype=np.float64)[np.append(often, 0)]
    return Space(*_sparse(rows, buckets, idf), buckets, idf)


def _dense(rows: Rows, width: int) -> tuple[Floats, Floats]:
    for row in rows:
        if len(row) != width:
            raise ArgumentError(
                f"the embedding gives vectors of {len(row)} and of {width} numbers, which cannot be compared; embed "
                "with the model that the rule was fitted with"
            )
    vectors = np.array(rows, dtype=np.float64).reshape(len(rows), width)
    return vectors, (vectors * vectors).sum(axis=1)


def _sparse(rows: Rows, buckets: Ints, idf: Floats) -> tuple[Any, Floats]:
    from scipy.sparse import csr_array  # noqa: PLC0415 - comes with scikit-learn

    flat, lengths = _flat(rows), [len(row) for row in rows]
    column = np.searchsorted(buckets, flat)
    column[np.append(buckets, -1)[column] != flat] = buckets.size
    squares: Floats = np.bincount(
        np.repeat(np.arange(len(rows)), lengths), weights=idf[column] ** 2, minlength=len(rows)
    ).astype(np.float64)
    return csr_array((idf[column], column, np.cumsum([0, *lengths])), shape=(len(rows), idf.size)), squares


def _flat(rows: Rows) -> Ints:
    return np.array([place for row in rows for place in row], dtype=np.int64)
