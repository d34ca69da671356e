"""Rules by question that were saved before `_kernel` existed go by their 12 nearest questions, and are still served.

All sums are of whole numbers below 2^53, exact in any order.
"""

from typing import Final

import numpy as np

from slmmux.recording._arrays import Floats

__all__ = ["NEAREST", "nearest_advantage"]

NEAREST: Final = 12

_SHARE = 10**6  # the whole number that stands for a share of 1
_GLOBAL = 0.3  # the weight of the accuracy over all questions; a question of the same text has 1
_SCALE = 6.0


def nearest_advantage(kernel: Floats, rights: Floats) -> Floats:
    """Return [a, m] how much more reliable each member is near each question than over all.

    With c_j the cosine of question j, x_j whether the member's vote is right there, and A the mean of x over all:

        (sum over the nearest of c_j^2 (x_j - A)) / (sum over the nearest of c_j^2 + 0.3), times 6

    Args:
        kernel: [a, b] squared cosines in millionths.
        rights: [b, m] each member's vote: 1,000,000 if it is right, a share of it if several are tied.
    """
    # Stable, so that of equally near questions the first ones count.
    order = np.argsort(-kernel, axis=1, kind="stable")[:, :NEAREST]
    near = np.zeros(kernel.shape)
    np.put_along_axis(near, order, np.take_along_axis(kernel, order, axis=1), axis=1)
    weight = near.sum(axis=1)[:, None]
    overall = rights.sum(axis=0) / max(1, len(rights))
    advantages: Floats = _SCALE * (near @ rights - weight * overall) / (weight + _GLOBAL * _SHARE) / _SHARE
    return advantages
