"""The short form of a long table of cases: a few run each time, all of them in .ci/full."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

__all__ = ["short_form"]


def short_form(cases: Iterable[Any], keeps: Callable[[Any], bool]) -> list[Any]:
    """Return cases as parameters, of which those that `keeps` refuses carry the mark `full`."""
    params = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        params.append(pytest.param(*values, marks=[] if keeps(case) else [pytest.mark.full]))
    return params
