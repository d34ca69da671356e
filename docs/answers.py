# ruff: noqa: INP001 - a script, not a package
"""Write docs/answers.md: every extractor with three examples, from the tables beside the tests and the docstrings.

python docs/answers.py
"""

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

from slmmux import answers

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "tests" / "core" / "answers"
PAGE = Path(__file__).with_suffix(".md")
EXTRACTORS = ("auto", "boxed", "number", "choice", "json", "code", "text", "tool_calls", "regex", "first_of")
LONGEST = 90  # The characters of a reply that are shown.
HEAD = """\
# Answers: what a reply says

<!-- Made by `python docs/answers.py`; change the tables in tests/core/answers or the docstrings, and make it again. -->

An extractor reads the answer out of a reply. `extract=` takes one of the names below, `answers.regex(...)`,
`answers.first_of(...)`, or any callable: text -> answer, or `None` if there is none. Each reads the text without
reasoning (`<think>...</think>` and its kin), takes the last well-formed answer, and returns *none* rather than guess.
In the examples ⏎ is a line break and … is left out.
"""


def faults() -> list[str]:
    """Return a sentence for every table that is absent, or does not mark three examples."""
    sentences = []
    for name in EXTRACTORS:
        path = TABLES / f"{name}.json"
        if not path.is_file():
            sentences.append(f"The table {path.relative_to(ROOT)} is missing.")
        elif len(examples(name)) != 3:  # noqa: PLR2004 - what the page promises
            marked = len(examples(name))
            sentences.append(
                f'The table {path.relative_to(ROOT)} marks {marked} entries with "doc": true; the page shows 3.'
            )
    return sentences


def examples(name: str) -> list[dict[str, Any]]:
    """Return the entries of an extractor's table that the page shows; none if the table is absent."""
    path = TABLES / f"{name}.json"
    table = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [entry for entry in table if entry.get("doc")]


def page() -> str:
    """Return the page, made from the tables and docstrings."""
    return "\n".join([HEAD, *(section(name) for name in EXTRACTORS)])


def section(name: str) -> str:
    """Return an extractor's section: its summary, its examples, and for numbers a table of notations."""
    doc = inspect.getdoc(getattr(answers, name)) or ""
    entries = examples(name)
    lines = [f"## `{name}`", "", doc.split("\n", 1)[0], ""]
    configured = any("extractor" in entry for entry in entries)
    head = ["reply", "answer", "why"]
    lines += row(["extractor", *head] if configured else head) + row(["---"] * (len(head) + configured))
    for entry in entries:
        extractor_cell = [span(call(name, entry["extractor"]))] if configured else []
        answer = "*none*" if entry["answer"] is None else span(flat(entry["answer"]))
        lines += row([*extractor_cell, span(shortened(flat(entry["reply"]))), answer, cell(entry["why"])])
    if name == "number":
        # The docstring's own table has the readings of 1.234,56 and 12,5 and 1 234 and 3/4, and the reasons.
        lines += [
            "",
            "How a number is written, and what is read:",
            "",
            *(line for line in doc.split("\n") if line[:1] == "|"),
        ]
    return "\n".join([*lines, ""])


def row(cells: list[str]) -> list[str]:
    """Return one line of a Markdown table."""
    return [f"| {' | '.join(cells)} |"]


def cell(text: str) -> str:
    """Return a text that fits into one cell of a table."""
    return text.replace("|", r"\|").replace("\n", " ")


def call(name: str, extractor: str | list[str]) -> str:
    """Return an extractor as a program writes it."""
    if isinstance(extractor, str):
        return extractor
    return f"{name}({', '.join(part if '(' in part else json.dumps(part) for part in extractor)})"


def flat(value: Any) -> str:
    """Return a reply or an answer on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return re.sub(r"\s*\r?\n", lambda end: "⏎" * end[0].count("\n"), text)


def shortened(text: str) -> str:
    """Return a long text without its middle, since the end decides what is read."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 3]} … {text[-2 * LONGEST // 3 :]}"


def span(text: str) -> str:
    """Return a text as a Markdown code span, with any backticks and pipes in it."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text[:1] in "` " or text[-1:] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", r"\|")


if __name__ == "__main__":
    if faults():
        sys.exit("\n".join(faults()))
    PAGE.write_text(page(), encoding="utf-8")
