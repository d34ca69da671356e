"""The table as tests: the commonest integrations of each framework by default, all of them in `.ci/full`."""

import gc

import pytest

from .cells import CELLS
from .table import Cell


# A deep copy that fails half way, of the member alone as of the mux, leaves a client that cannot be closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "cell",
    [pytest.param(cell, marks=() if cell.integration.common else pytest.mark.full, id=str(cell)) for cell in CELLS],
)
def test_a_mux_of_one_is_its_member(cell: Cell) -> None:
    """Whatever the world sends through a mux of one comes out as the member alone gives it, but for the exceptions."""
    outcome = cell.compare()
    if cell.situation.name in {"copying", "pickling"}:
        gc.collect()  # here, or such a client is collected in a test that nothing excuses
    if outcome.missing:
        pytest.skip(outcome.missing)
    found = "\n".join(map(str, outcome.differences))
    assert not outcome.differences, f"{len(outcome.differences)} differences:\n{found}"
