r"""How often readers agree with another program's grader, on a recording whose `answer` is what that grader read.

    python -m bench.agreement RECORDING [--extract choice]

Each reply's text is read again, with its question, as a mux reads it. Of the replies in which both read an answer the
share of equal ones counts; those that only one of them reads stand beside it, and `--look` lists the differences.
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from slmmux import Recording, answers

COLUMNS = ("both", "equal", "only the grader", "only the reader", "neither")


def outcome(row: Any, extract: str) -> str:
    """Return which of the two read an answer in a reply, and whether it is the same one."""
    answer = answers.reader(extract, question=row.question or "")(row.text)
    if answer is None or row.answer is None:
        return "neither" if answer is None and row.answer is None else COLUMNS[2 if answer is None else 3]
    return "equal" if answers.same(str(answer.value), str(row.answer)) else "unequal"


def figures(recording: Recording, extract: str) -> dict[str, Counter[str]]:
    """Return the outcomes of each model's replies."""
    counts: dict[str, Counter[str]] = {}
    for row in recording.rows:
        if row.text is not None:
            counts.setdefault(row.model, Counter())[outcome(row, extract)] += 1
    return counts


def report(path: Path, extract: str, *, look: bool) -> None:
    """Print the table, and with `look` the replies in which the two read different answers."""
    recording = Recording.load(path)
    counts = figures(recording, extract)
    table = Table(title=f"{path.name}, read by {extract}")
    for column in ("model", "replies", "both read", "equal, %", *COLUMNS[2:]):
        table.add_column(column, justify="left" if column == "model" else "right")
    for model, count in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        both = count["equal"] + count["unequal"]
        share = f"{100 * count['equal'] / both:.1f}" if both else "-"
        table.add_row(model, str(count.total()), str(both), share, *(str(count[name]) for name in COLUMNS[2:]))
    Console(width=120).print(table)
    if look:
        for row in recording.rows:
            if row.text is not None and outcome(row, extract) == "unequal":
                answer = answers.reader(extract, question=row.question or "")(row.text)
                print(f"\n=== {row.model} {row.question_id}: grader {row.answer!r}, reader {answer and answer.value!r}")
                print(row.text[-400:])


def main() -> None:
    """Compare on one recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--extract", default="choice")
    parser.add_argument("--look", action="store_true", help="list the replies that are read differently")
    args = parser.parse_args()
    report(args.recording, args.extract, look=args.look)


if __name__ == "__main__":
    main()
