"""The table as tests: the commonest four integrations of each framework by default, all of them in `.ci/full`."""

import gc

import pytest

from tests.lengths import short_form

from .cells import CELLS
from .table import Cell


# A deep copy that fails half way, of the member alone as of the mux, leaves a client that cannot be closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("cell", short_form(CELLS, lambda cell: cell.integration.common), ids=str)
def test_a_mux_of_one_is_its_member(cell: Cell) -> None:
    """Whatever the world sends through a mux of one comes out as the member alone gives it, but for the exceptions."""
    outcome = cell.compare()
    if cell.situation.name in {"copying", "pickling"}:
        gc.collect()  # here, or such a client is collected in a test that nothing excuses
    if outcome.missing:
        pytest.skip(outcome.missing)
    found = "\n".join(map(str, outcome.differences))
    assert not outcome.differences, f"{len(outcome.differences)} differences:\n{found}"


def test_the_short_form_has_the_commonest_four_of_each_framework():
    """By default the commonest four of each framework are run, in every situation that there is."""
    for framework in ("langchain", "llamaindex"):
        cells = [cell for cell in CELLS if cell.integration.framework == framework]
        common = {cell.integration.name for cell in cells if cell.integration.common}
        assert len(common) == 4
        situations = {cell.situation.name for cell in cells}
        assert all({c.situation.name for c in cells if c.integration.name == name} == situations for name in common)
