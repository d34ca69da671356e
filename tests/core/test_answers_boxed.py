"""What `answers.boxed` reads, as a table, and what its answers are compared by."""

import json
from pathlib import Path

import pytest

from slmmux import answers

READ = answers.reader("boxed")

# What models write, and what is read in it.
TABLE = json.loads((Path(__file__).parent / "answers" / "boxed.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", TABLE, ids=[case["reply"][:60] for case in TABLE])
def test_table(case):
    """The last box that is closed and not empty is read, as written and trimmed."""
    assert answers.boxed(case["reply"]) == case["answer"]


def test_the_table_is_one():
    """The table holds at least 60 shapes, none twice, each with its reason and origin, and three for the docs page."""
    assert len({case["reply"] for case in TABLE}) == len(TABLE) >= 60
    assert all({"reply", "answer", "why", "from"} <= case.keys() for case in TABLE)
    assert sum(case.get("doc", False) for case in TABLE) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.50", "0.5"),
        ("0.50", r"\frac{1}{2}"),
        ("1/2", r"\dfrac12"),
        (r"50\%", "0.5"),
        ("1,234", r"1{,}234"),
        ("1,234", "1234"),
        (r"1\,234", "1234"),
        (r"\$18", "18"),
        ("18.00", r"18\text{ dollars}"),
        (r"20\text{ apples}", "20"),
        (r"20\text{ cm}^2", r"0.002\text{ m}^2"),
        (r"90^\circ", "90"),
        ("-3", "−3"),
        (r"\text{0.50}", "0.5"),
        (r"\text{(B)}", "B"),
        (r"\textbf{\text{B}}", "B"),
        ("(B)", "B."),
        (r"\left( 3, 4 \right)", "(3,4)"),
        (r"\text{Monday}", "Monday"),
        (r"3\sqrt 2", r"3 \sqrt 2"),
        (r"\big[0, 1\big]", "[0,1]"),
        (r"$x^2$", "x^2"),
        ("9" * 400, "9" * 400),
        (r"\left", r"\left"),
    ],
)
def test_same_answer(one, other):
    """Two spellings of one answer have one key, so that their samples agree."""
    assert READ(rf"\boxed{{{one}}}") == READ(rf"\boxed{{{other}}}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"50\%", "50"),
        ("2,5", "2.5"),
        (r"3\text{ PM}", r"3\text{ AM}"),
        ("R", "r"),
        ("(3, 4)", "(4, 3)"),
        (r"2\sqrt{3}", "2"),
        ("1 2", "12"),
        (".", ".."),
        (r"\leftarrow", "arrow"),
        ("9" * 400, "9" * 401),
    ],
)
def test_different_answers(one, other):
    """What only looks alike has different keys."""
    assert READ(rf"\boxed{{{one}}}") != READ(rf"\boxed{{{other}}}")


def test_shown_as_written():
    """A box is compared by its key and shown as it was written."""
    assert (READ(r"\boxed{0.50}").value, READ(r"\boxed{0.50}").kind) == ("0.50", "boxed")


def test_ten_thousand_boxes_in_each_other():
    """Boxes nested without end cost no more than one, and the innermost is read."""
    assert answers.boxed(r"\boxed{" * 10_000 + "x" + "}" * 10_000) == "x"
    assert answers.boxed(r"\boxed{" * 10_000) is None
