"""What `answers.number` reads, as a table, and what it never does."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from slmmux import answers
from slmmux.answers._mathematics.numeral import decimal, numerals

# What models write, and what is read in it.
TABLE = json.loads((Path(__file__).parent / "answers" / "number.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", TABLE, ids=[case["reply"][:60] for case in TABLE])
def test_table(case):
    """A number is read as the table says: the last announced, else the last; canonical; None where there is none."""
    assert answers.number(case["reply"]) == case["answer"]


def test_the_table_is_one():
    """The table holds at least 60 shapes, none twice, each with its reason and origin, and three for the docs page."""
    assert len({case["reply"] for case in TABLE}) == len(TABLE) >= 60
    assert all({"reply", "answer", "why", "from"} <= case.keys() for case in TABLE)
    assert sum(case.get("doc", False) for case in TABLE) == 3


@pytest.mark.parametrize(
    ("reply", "paper", "right"),
    [("#### 1,234", "1", "1234"), ("The answer is 0.50", "0.50", "0.5"), ("5 of 6, so \\boxed{4} is 5", "5", "4")],
)
def test_known_failures_of_the_papers_code(reply, paper, right):
    """Replies that the paper's own extractor is known to misread are read right."""
    assert answers.number(reply) == right != paper


@pytest.mark.parametrize(
    "text",
    ["9" * 301, "1e300", "1e-299", "1e999999999", "2^1025", "99^299", "10^-999", "2^{999999999999}", "9" * 10**5],
)
def test_absurd_numbers_are_no_answer(text):
    """A number that takes more than some hundred digits is None, also when announced, and an earlier one is not taken."""
    assert answers.number(f"4, so the answer is {text}") is None
    assert answers.number(f"4, so {text}") is None


@pytest.mark.parametrize(("text", "digits"), [("9" * 300, 300), ("1e299", 300), ("2^300", 91)])
def test_long_numbers_are_exact(text, digits):
    """Up to that size a number is exact to its last digit."""
    read = answers.number(text)
    assert len(read) == digits
    assert Fraction(read) == (2**300 if "^" in text else Fraction(text))


def test_canonical_form_is_read_back():
    """The canonical form of any value reads as that value again."""
    for up in range(-60, 60):
        for down in range(1, 60):
            shown = decimal(Fraction(up, down))
            assert answers.number(shown) == shown
            assert [n.value for n in numerals(shown)] == [Fraction(up, down)]


def test_numbered_lists_do_not_count():
    """The numbers of a numbered list are no answers, a lone 42. at the start of a line is."""
    assert answers.number("1. She buys 7.\n2. She sells some.") == "7"
    assert answers.number("42. That is it.") == "42"
