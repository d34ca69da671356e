"""What `answers.choice` reads, as a table, and what it never does."""

import json
import string
from pathlib import Path

import pytest

from slmmux import answers

# What models write, and what is read in it.
TABLE = json.loads((Path(__file__).parent / "answers" / "choice.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", TABLE, ids=[case["reply"][:60] for case in TABLE])
def test_table(case):
    """A choice is read as the table says, and words that start with a letter are none."""
    assert answers.choice(case["reply"]) == case["answer"]


def test_the_table_is_one():
    """The table holds at least 60 shapes, none twice, each with its reason and origin, and three for the docs page."""
    assert len({case["reply"] for case in TABLE}) == len(TABLE) >= 60
    assert all({"reply", "answer", "why", "from"} <= case.keys() for case in TABLE)
    assert sum(case.get("doc", False) for case in TABLE) == 3


@pytest.mark.parametrize("letter", string.ascii_uppercase)
@pytest.mark.parametrize("shape", ["Answer: {}", "the answer is ({})", "({})", "**{}**", "{}.", "Answer: {}. Oslo"])
def test_any_letter(letter, shape):
    """Any letter of A to Z is a choice, not only A to D, and a small one in an announcement is the same."""
    assert answers.choice(shape.format(letter)) == letter
    assert answers.choice(f"the answer is ({letter.lower()})") == letter


@pytest.mark.parametrize(("reply", "paper"), [("The answer depends on many things.", "D"), ("A good question!", "A")])
def test_known_failures_of_the_papers_code(reply, paper):
    """Replies in which the paper's own extractor is known to see a letter hold none."""
    assert answers.choice(reply) is None, paper
