"""Which questions are near a question, and how much more reliable each member was there than everywhere.

All that is summed is whole numbers below 2^53, exact in any order: one question alone and many at once come out the
same to the last bit, and the order of questions and members changes nothing.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux._errors import ArgumentError

__all__ = ["NEAREST", "Nearest", "Space", "hashed", "need_scikit_learn", "space_of"]

Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = Sequence[Sequence[int]]

NEAREST: Final = 12

_BUCKETS = 2**19  # of words, and as many of character n-grams
_NGRAM = (4, 4)
_FINE = 100  # steps of an inverse document frequency
_SHARE = 10**6  # whole numbers that stand for a share
_GLOBAL = 0.3  # how much the accuracy over all questions counts; a question of the same text counts 1
_SCALE = 6.0  # of the feature, so that the penalty on its weight leaves it room; 3 to 10 did as well


def need_scikit_learn() -> None:
    """Refuse where the extra is not installed.

    Raises:
        ArgumentError: Names the extra.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise ArgumentError(
            'weights by question compare texts with scikit-learn: pip install "slmmux[learned]", or pass embedding='
        )


def hashed(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the buckets that each text's words and character n-grams fall into, each once, lowest first.

    Raises:
        ArgumentError: The extra `learned` is not installed.
    """
    need_scikit_learn()
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415 - an extra, and slow to import

    alike = {"n_features": _BUCKETS, "norm": None, "alternate_sign": False, "binary": True, "dtype": np.float64}
    words = HashingVectorizer(token_pattern=r"\b\w+\b", **alike)  # noqa: S106 - a token of text
    characters = HashingVectorizer(analyzer="char_wb", ngram_range=_NGRAM, **alike)
    if not texts:
        return []
    one: Any = words.transform(texts)
    other: Any = characters.transform(texts)
    return [
        (*one.indices[a:b].tolist(), *(other.indices[c:d] + _BUCKETS).tolist())
        for (a, b), (c, d) in zip(pairwise(one.indptr), pairwise(other.indptr), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Space:
    """Some questions as vectors of whole numbers, to which others are compared.

    Attributes:
        vectors: [b, d] dense, or a sparse matrix of one column more, which is empty: for n-grams never seen.
        squares: [b] their squared lengths.
        buckets: [d] which n-grams have a column, lowest first; `None` where these are embeddings.
        idf: [d + 1] the inverse document frequency of each column.
    """

    vectors: Any
    squares: Floats
    buckets: Ints | None
    idf: Floats

    def squared_cosines(self, rows: Rows) -> Floats:
        """Return [a, b] the squared cosine of each of some rows to each question, in millionths; 0 where below 0."""
        if self.buckets is None:
            vectors, squares = _dense(rows, self.vectors.shape[1])
            dot = vectors @ self.vectors.T
        else:
            vectors, squares = _sparse(rows, self.buckets, self.idf)
            dot = (vectors @ self.vectors.T).toarray()
        dot = dot.clip(min=0)
        # A text without a word is near nothing.
        found: Floats = np.rint(_SHARE * (dot / squares.clip(min=1)[:, None]) * (dot / self.squares.clip(min=1)))
        return found


def space_of(rows: Rows, *, embedded: bool) -> Space:
    """Return the space of some questions, with document frequencies as among these.

    Args:
        rows: [b] each one's numbers if embedded, else its buckets.
        embedded: Which of the two.

    Raises:
        ArgumentError: Embeddings of different lengths.
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


class Nearest:
    """Questions whose neighbours are looked for among others.

    Args:
        alike: [a, b] squared cosines in millionths.
        rights: [b, m] each member's vote: 1,000,000 where it is right, a share of it where several are tied.
        own: Whether the questions are the others, in the same order: then none is its own neighbour, nor does it count
            in the accuracy over all.
    """

    def __init__(self, alike: Floats, rights: Floats, *, own: bool) -> None:
        self._order = np.argsort(-alike, axis=1, kind="stable")  # the first of equals
        self._alike = np.take_along_axis(alike, self._order, axis=1)
        self._rights = rights
        self._own = own

    def advantage(self, among: Bools) -> Floats:
        """Return [a, m] how much more reliable each member is near each question than over all.

        With c_j the cosine of question j, x_j whether the member's vote is right there, and A the mean of x over all:

            (sum over the nearest of c_j^2 (x_j - A)) / (sum over the nearest of c_j^2 + 0.3), times 6

        Args:
            among: [b] which questions are looked among.
        """
        allowed = among[self._order]
        if self._own:
            allowed &= self._order != np.arange(len(allowed))[:, None]
        chosen = allowed & (np.cumsum(allowed, axis=1) <= NEAREST)
        near = np.zeros(self._alike.shape)
        np.put_along_axis(near, self._order, np.where(chosen, self._alike, 0.0), axis=1)
        weight = near.sum(axis=1)[:, None]
        total, count = self._rights[among].sum(axis=0), np.full((len(near), 1), among.sum())
        if self._own:
            total, count = total - self._rights * among[:, None], count - among[:, None]
        overall = total / count.clip(min=1)
        found: Floats = _SCALE * (near @ self._rights - weight * overall) / (weight + _GLOBAL * _SHARE) / _SHARE
        return found
