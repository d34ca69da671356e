"""The short form of what is proved at length in .ci/full: a few cases of a long table, a sixth of a property's examples.

In the short form the examples of a property are the same in every run, so that a landing fails for what it changes.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest

__all__ = ["AT_LENGTH", "examples", "short_form"]

AT_LENGTH = os.environ.get("SLMMUX_TEST_AT_LENGTH") == "1"


def examples(number: int) -> int:
    """Return how many examples a property is tried with, of the `number` that .ci/full tries."""
    return number if AT_LENGTH else max(3, number // 6)


def short_form(cases: Iterable[Any], keeps: Callable[[Any], bool]) -> list[Any]:
    """Return cases as parameters, of which those that `keeps` refuses carry the mark `full`."""
    params = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        params.append(pytest.param(*values, marks=[] if keeps(case) else [pytest.mark.full]))
    return params
