"""The command line of one figure, and its table on the terminal."""

import argparse
from collections.abc import Iterable
from typing import Protocol

from rich.console import Console
from rich.table import Table

from bench.row import Row

__all__ = ["COLUMNS", "Figure", "main", "show"]

WIDTH = 160  # The width of the table if the output is not a terminal.
COLUMNS = ("figure", "what", "goal", "measured", "", "note")


class Figure(Protocol):
    """Measures a figure; in its short form it only checks the assumptions that hold on any machine."""

    def __call__(self, *, short: bool = False) -> list[Row]:
        """Return its rows."""


def main(name: str, figure: Figure) -> None:
    """Measure one figure and print it."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}")
    parser.add_argument("--short", action="store_true", help="only check the assumptions that hold on any machine")
    if parser.parse_args().short:
        figure(short=True)
        print(f"{name}: holds")
    else:
        show((name, row) for row in figure())


def show(rows: Iterable[tuple[str, Row]]) -> None:
    """Print rows of figures."""
    table = Table(*COLUMNS, show_lines=True)
    for name, row in rows:
        table.add_row(name, *row.cells, style="yellow" if row.met is False else "")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(table)
