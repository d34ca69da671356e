"""Run cells and print where the mux parts from its member.

python -m tests.transparency [PATTERN] [--causes]

PATTERN is looked for in the cells' names, such as `langchain-ChatOllama-stream`. With `--causes` differences are
grouped over all cells, each with the cells it is seen in; without it each cell's are printed by themselves.
"""

import re
import sys
from collections import defaultdict

from .cells import AGENT_CELLS, CELLS
from .difference import cause, grouped


def main(pattern: str, *, causes: bool) -> None:
    """Print the differences of the cells whose name has the pattern."""
    seen: dict[str, dict[str, str]] = defaultdict(dict)
    for cell in (*CELLS, *AGENT_CELLS):
        if not re.search(pattern, str(cell)):
            continue
        outcome = cell.compare()
        verdict = "does not apply" if outcome.missing else f"{len(outcome.differences)} differences"
        print(f"== {cell}: {verdict}", flush=True)
        for name, text in outcome.alone_fails.items():
            print(f"   alone, {name}: {text[:160]!r}")
        if not causes:
            print(grouped(outcome.differences))
        for difference in outcome.differences:
            place = cause(difference)
            seen[place].setdefault(str(cell), str(difference))
    if causes:
        for place, cells in sorted(seen.items(), key=lambda item: -len(item[1])):
            print(f"\n## {place}: {len(cells)} cells: {', '.join(cells)}\n{next(iter(cells.values()))}")


main(next((a for a in sys.argv[1:] if not a.startswith("-")), ""), causes="--causes" in sys.argv)
