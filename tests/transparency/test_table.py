"""The table as tests: the commonest integrations of each framework by default, all of them in `.ci/full`.

By default each situation is run with two of the commonest four, in turn, so that each of the four is run in half of them.
"""

import gc
from collections import Counter

import pytest

from tests.lengths import short_form

from .cells import CELLS
from .table import Cell

MAKERS_A_SITUATION = 2


def _in_short() -> set[str]:
    """Return the names of the cells that run by default."""
    names: set[str] = set()
    taken: Counter[str] = Counter()
    columns = dict.fromkeys((cell.integration.framework, cell.situation.name) for cell in CELLS)
    for framework, situation in columns:
        cells = [
            cell
            for cell in CELLS
            if (cell.integration.framework, cell.situation.name) == (framework, situation)
            and cell.integration.common
            and situation not in cell.integration.without
        ]
        # Those that had the fewest so far: an integration that a situation does not apply to makes up for it.
        for cell in sorted(cells, key=lambda cell: taken[cell.integration.name])[:MAKERS_A_SITUATION]:
            taken[cell.integration.name] += 1
            names.add(str(cell))
    return names


IN_SHORT = _in_short()


# A deep copy that fails half way, of the member alone as of the mux, leaves a client that cannot be closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("cell", short_form(CELLS, lambda cell: str(cell) in IN_SHORT), ids=str)
def test_a_mux_of_one_is_its_member(cell: Cell) -> None:
    """Whatever the world sends through a mux of one comes out as the member alone gives it, but for the exceptions."""
    outcome = cell.compare()
    if cell.situation.name in {"copying", "pickling"}:
        gc.collect()  # here, or such a client is collected in a test that nothing excuses
    if outcome.missing:
        pytest.skip(outcome.missing)
    found = "\n".join(map(str, outcome.differences))
    assert not outcome.differences, f"{len(outcome.differences)} differences:\n{found}"


def test_the_short_form_leaves_no_situation_and_no_common_integration_out():
    """By default each situation that one of the commonest can be in is run, and each of these in a third of its own."""
    short = [cell for cell in CELLS if str(cell) in IN_SHORT]
    able = [c for c in CELLS if c.integration.common and c.situation.name not in c.integration.without]
    assert {(c.integration.framework, c.situation.name) for c in short} == {
        (c.integration.framework, c.situation.name) for c in able
    }
    for name in {cell.integration.name for cell in CELLS if cell.integration.common}:
        of_one = [c for c in CELLS if c.integration.name == name and c.situation.name not in c.integration.without]
        assert sum(str(cell) in IN_SHORT for cell in of_one) >= len(of_one) / 3
