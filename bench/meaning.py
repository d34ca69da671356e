r"""How often forms of scoring agree with what replies mean, judged by hand: our own recordings, read one by one.

    python -m bench.meaning [--look]

`bench/meaning.jsonl` has 200 replies, drawn at random from two of our recordings (no two of a question with the same
text). One reader judged each by hand from the question, the gold answer and the reply alone, without the scores: right
is a reply that says the gold answer, in whatever words and with a slip of spelling, and one that stops before its
answer, or offers options and takes none, is not. The replies are read again by today's readers.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from slmmux import Recording, answers

ROOT = Path(__file__).parent.parent
LABELS = Path(__file__).with_name("meaning.jsonl")
SCORES = ("exact", "includes")


def labelled(path: Path = LABELS) -> Iterable[tuple[str, Any, bool]]:
    """Yield the name of the recording, the row and its label for each reply that was judged."""
    labels = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = {
        (name, row.model, row.question_id, row.sample_index): row
        for name in sorted({label["recording"] for label in labels})
        for row in Recording.load(ROOT / name).rows
    }
    for label in labels:
        name = label["recording"]
        yield name, rows[name, label["model"], label["question_id"], label["sample_index"]], label["right"]


def outcome(row: Any, score: str, *, right: bool) -> str:
    """Return whether a form of scoring agrees with a label, and if not, which way it errs."""
    is_right = answers.scored(row.text, row.gold, score, question=row.question or "")
    return "agree" if is_right is right else "missed" if right else "not right"


def figures(path: Path = LABELS) -> dict[tuple[str, str], Counter[str]]:
    """Return the outcomes by recording and form of scoring, with the number of replies that are right."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for name, row, right in labelled(path):
        for score in SCORES:
            count = counts.setdefault((name, score), Counter())
            count.update([outcome(row, score, right=right), "replies"])
            count["right"] += right
    return counts


def report(*, look: bool) -> None:
    """Print the table, and with `look` the replies on which a form of scoring and the reader differ."""
    table = Table(title="scores against the meaning, judged by hand")
    for column in ("recording", "score", "replies", "right by hand", "agree, %", "missed", "counted, but not right"):
        table.add_column(column, justify="left" if column in {"recording", "score"} else "right")
    for (name, score), count in figures().items():
        numbers = count["replies"], count["right"], f"{100 * count['agree'] / count['replies']:.1f}", count["missed"]
        table.add_row(name, score, *map(str, numbers), str(count["not right"]))
    Console(width=130).print(table)
    for name, row, right in labelled() if look else ():
        errors = {score: result for score in SCORES if (result := outcome(row, score, right=right)) != "agree"}
        if errors:
            print(f"\n=== {name} {row.model} {row.question_id}, gold {row.gold!r}: {errors}\n{row.text[-400:]}")


def main() -> None:
    """Print the agreement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--look", action="store_true", help="list the replies that are judged differently")
    report(look=parser.parse_args().look)


if __name__ == "__main__":
    main()
