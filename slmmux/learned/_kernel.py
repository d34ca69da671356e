"""How much more reliable each member is near a question: kernel ridge regression over the validation questions.

Whether member i's vote is right on question j is x_ij. With K the squared cosines between the validation questions and
an intercept beside them, x is regressed on K under a penalty p:

    a = (K + c 11' + p I)^-1 x        r_i(q) = 6 sum_j K(q, j) a_ij

The intercept (c = 10, next to unpenalised) takes up the accuracy over all questions, so r is 0 where nothing is near.
A training question's own r leaves that question out, in closed form: with M = (K + c 11' + p I)^-1,

    a without q = a - M_q a_q / M_qq
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from slmmux.recording._arrays import Bools, Floats, Ints

__all__ = ["PENALTIES", "KernelRidge", "advantage", "positive"]

PENALTIES: Final = (0.1, 0.3, 1.0, 3.0)

_INTERCEPT = 10.0
_SHARE = 10**6  # whole numbers that stand for 1: of a squared cosine, and of a coefficient
_SCALE = 6.0  # of r, so that the penalty on its weight leaves it room; 3 does as well


@dataclass(frozen=True)
class KernelRidge:
    """A regression of the members' rights on their questions, for one penalty.

    Attributes:
        kernel: [q, q] squared cosines in millionths.
        rights: [q, m] whether each member's vote is right, 0 to 1.
        penalty: p.
    """

    kernel: Floats
    rights: Floats
    penalty: float
    _advantages: dict[bytes, Floats] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, among: Bools) -> Floats:
        """Return [q, m] r of every question, learned among some of them, and without the question itself."""
        # Several fits ask for the same fold: the inverse is the costly part.
        key = among.tobytes()
        if key not in self._advantages:
            self._advantages[key] = self._advantage(np.flatnonzero(among))
        return self._advantages[key]

    def coefficients(self, members: list[int]) -> Ints:
        """Return [q, m] a of some members, learned on all questions, in millionths."""
        everything = np.arange(len(self.kernel))
        return np.rint(self._inverse(everything) @ self.rights[:, members] * _SHARE).astype(np.int64)

    def _inverse(self, among: Ints) -> Floats:
        kernel = self.kernel[np.ix_(among, among)] / _SHARE
        inverse = np.linalg.inv(kernel + _INTERCEPT + self.penalty * np.eye(among.size))
        return inverse.astype(np.float64)

    def _advantage(self, among: Ints) -> Floats:
        kernel = self.kernel[:, among] / _SHARE
        inverse = self._inverse(among)
        coefficients = inverse @ self.rights[among]
        advantages: Floats = kernel @ coefficients
        own = np.diag(inverse)[:, None]
        among_kernel = kernel[among]
        # sum over j of K(q, j) M(j, q), the question's own term taken out: its coefficient does not exist any more.
        others = np.einsum("ij,ji->i", among_kernel, inverse)[:, None] - np.diag(among_kernel)[:, None] * own
        advantages[among] -= np.diag(among_kernel)[:, None] * coefficients + coefficients / own * others
        return _SCALE * advantages


def advantage(kernel: Floats, coefficients: NDArray[Any]) -> Floats:
    """Return [a, m] r of new questions, from coefficients in millionths.

    The sum is one of whole numbers: a question alone and many at once come out the same to the last bit.

    Args:
        kernel: [a, b] squared cosines to the validation questions, in millionths.
        coefficients: [b, m] in millionths.
    """
    total = kernel.astype(np.int64) @ coefficients.astype(np.int64)
    advantages: Floats = _SCALE * (total / _SHARE**2)
    return advantages


def positive(kernel: Floats) -> Floats:
    """Return the nearest kernel without negative eigenvalues.

    Cosines of embeddings can be negative and are cut off at 0, which can leave negative eigenvalues; beside a small
    penalty these could make the regression singular. Cosines of words are never negative.
    """
    values, vectors = np.linalg.eigh(kernel)
    nearest: Floats = (vectors * values.clip(min=0)) @ vectors.T
    return nearest
