"""All figures one after another, as a table and as bench/RESULTS.md.

python -m bench
python -m bench --short    checks the assumptions that hold on any machine, without a clock, and writes nothing
"""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.alone import alone, figure
from bench.cli import COLUMNS, show
from bench.row import Row

__all__ = ["FIGURES", "RESULTS", "markdown"]

FIGURES = ("wall_time", "tail", "risk", "frugal", "engine", "tokens", "decision", "imports", "in_flight")
RESULTS = Path(__file__).with_name("RESULTS.md")
ABOUT = """\
Made by `python -m bench`, not by hand, up to the section on selections. Ratios are measured in one run: the variants
take turns in one process, and the median of several rounds is shown. Plain times are those of the fastest round, with
the median beside them: other work on the machine only adds to them. A row without a goal is there for comparison."""
BY_HAND = "\n## The promises of a selection, and the fitted rules\n"  # from here on the page has other programs' tables
PACKAGES = ("langchain-core", "langchain-openai", "llama-index-core", "pydantic", "numpy")


def markdown(rows: Sequence[tuple[str, Row]], omissions: Sequence[str]) -> str:
    """Return the results as Markdown."""
    day = datetime.now(UTC).date().isoformat()
    machine = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores that other work shares"
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    missed = sum(row.met is False for _, row in rows)
    goals = sum(row.met is not None for _, row in rows)
    lines = [
        "# Results",
        "",
        ABOUT,
        "",
        f"{day}; {machine}; {python}; {versions}.",
        f"{goals - missed} of {goals} goals met.",
        "",
        *(f"Left out: {omission}." for omission in omissions),
        *([""] if omissions else []),
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
        *(f"| `{name}` | {' | '.join(cell.replace('|', '/') for cell in row.cells)} |" for name, row in rows),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure all figures, or check each one in its short form."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure all figures one after another.")
    parser.add_argument("--short", action="store_true", help="only check the assumptions that hold on any machine")
    short = parser.parse_args().short
    rows: list[tuple[str, Row]] = []
    for name in FIGURES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        if short:
            figure(name)(short=True)
        else:
            rows += [(name, row) for row in alone(name)]
    if short:
        print(f"{', '.join(FIGURES)}: all hold")
        return
    omission = "the shared recording, as SLMMUX_TEST_RECORDING names no file"
    show(rows)
    page = markdown(rows, [] if os.environ.get("SLMMUX_TEST_RECORDING") else [omission])
    _, header, rest = RESULTS.read_text(encoding="utf-8").partition(BY_HAND)
    RESULTS.write_text(page + header + rest, encoding="utf-8")


if __name__ == "__main__":
    main()
