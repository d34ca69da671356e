# ruff: noqa: INP001 - a script, no package
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
LONGEST = 90  # characters of a reply that are shown
HEAD = """\
# Answers: what a reply says

<!-- Made by `python docs/answers.py`; change the tables in tests/core/answers or the docstrings, and make it again. -->

An extractor reads the answer out of a reply. `extract=` takes one of the names below, `answers.regex(...)`,
`answers.first_of(...)`, or any callable: text -> answer, or `None` where there is none. Each reads the text without
reasoning (`<think>...</think>` and its kin), takes the last well-formed answer, and says *none* rather than guess.
In the examples ⏎ is a line break and … is left out.
"""


def missing() -> list[str]:
    """Return a sentence for every table that is not there, or shows other than three examples."""
    found = []
    for name in EXTRACTORS:
        path = TABLES / f"{name}.json"
        if not path.is_file():
            found.append(f"The table {path.relative_to(ROOT)} is missing.")
        elif len(examples(name)) != 3:  # noqa: PLR2004 - what the page promises
            shown = len(examples(name))
            found.append(
                f'The table {path.relative_to(ROOT)} marks {shown} entries with "doc": true; the page shows 3.'
            )
    return found


def examples(name: str) -> list[dict[str, Any]]:
    """Return the entries of an extractor's table that are shown, none where the table is missing."""
    path = TABLES / f"{name}.json"
    table = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [entry for entry in table if entry.get("doc")]


def page() -> str:
    """Return the page as the tables and docstrings make it today."""
    return "\n".join([HEAD, *(section(name) for name in EXTRACTORS)])


def section(name: str) -> str:
    """Return an extractor's section: what it reads, its examples, and for numbers how each way to write one is read."""
    doc = inspect.getdoc(getattr(answers, name)) or ""
    shown = examples(name)
    lines = [f"## `{name}`", "", doc.split("\n", 1)[0], ""]
    made = any("extractor" in entry for entry in shown)
    head = ["reply", "answer", "why"]
    lines += row(["extractor", *head] if made else head) + row(["---"] * (len(head) + made))
    for entry in shown:
        written = [span(call(name, entry["extractor"]))] if made else []
        answer = "*none*" if entry["answer"] is None else span(flat(entry["answer"]))
        lines += row([*written, span(shortened(flat(entry["reply"]))), answer, cell(entry["why"])])
    if name == "number":
        # The docstring's own table: it says of 1.234,56 and 12,5 and 1 234 and 3/4 what they become, and why.
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
    """Return a text that ends no cell and no line of a table."""
    return text.replace("|", r"\|").replace("\n", " ")


def call(name: str, extractor: str | list[str]) -> str:
    """Return an extractor as it is written in a program."""
    if isinstance(extractor, str):
        return extractor
    return f"{name}({', '.join(part if '(' in part else json.dumps(part) for part in extractor)})"


def flat(value: Any) -> str:
    """Return a reply or an answer on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return re.sub(r"\s*\r?\n", lambda end: "⏎" * end[0].count("\n"), text)


def shortened(text: str) -> str:
    """Return a text without its middle where it is long: what counts stands at the end."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 3]} … {text[-2 * LONGEST // 3 :]}"


def span(text: str) -> str:
    """Return a text as a code span of Markdown, whatever backticks and pipes it holds."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text[:1] in "` " or text[-1:] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", r"\|")


if __name__ == "__main__":
    if missing():
        sys.exit("\n".join(missing()))
    PAGE.write_text(page(), encoding="utf-8")
