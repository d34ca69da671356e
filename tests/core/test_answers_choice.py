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


NONE = [
    # a symbol that a sentence names
    "The viscosity (V) of the oil is 0.3.", "The pressure (P) over the volume (V) is constant.",
    "Force has the dimension [M][L][T]^-2.", "Nothing fits. The mass (M) is 2 kg.", "The proof fails where P is true.",
    "Row four shows that Q is true and R is true.",
    # the label of a part
    "Part (A): we add. Part (B): we divide.", "See figure (D) for the circuit.", "(a) First add.\n(b) Then divide.",
    # cut off in a list, or while weighing
    "The choices are (A) one, (B) two, and", "We go through them. (A) is too large, (B) is", "(C) has no",
    # only rejected
    "It isn't D.", "It cannot be (D).", "The answer is not D.", "The answer is definitely not (D).", "D is not correct.",
    "D is incorrect.", "I would rule out (D).", "Eliminated: (A), (C).", "The answer is (D) is wrong.",
    # quoted
    'I was told to write "Answer: D", which I will not.', "The form “The answer is (X)” is not for me.",
    "I cannot end with `Answer: D` here.",
    # several
    "The answer is (A, D).", "The answer is [A and D].", "Answer: A, C and D", "Not (B). The answer is {C; D}.",
]  # fmt: skip


@pytest.mark.parametrize("reply", NONE)
def test_no_letter_is_chosen(reply):
    """A letter that names a quantity or a part, is weighed, rejected or quoted, or is one of several, is no choice."""
    assert answers.choice(reply) is None


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("The answer is not D but B.", "B"),
        ("D is wrong. A is wrong. That leaves B.", "B"),
        ("(A) is too large and (D) is not large enough, so (B).", "B"),
        ("Therefore: (B). Rejected: (A), (C) and (D).", "B"),
        ("The answer is (B). The answer is (D) is incorrect, it is too large.", "B"),
        ("I pick (B). I would exclude (C) and (D).", "B"),
        ("The answer is B. Note that D is a distractor.", "B"),
        ('Told to write "The answer is (X)", I write: The answer is (B).', "B"),
        ("The pressure (P) is 3.\nAnswer: B", "B"),
        ("Hence the false statement is (B).", "B"),
        ("None of A and C fits, which is why we choose (B).", "B"),
        ("Rome (B)", "B"),
        ("The city is far. Leaving us with (B).", "B"),
    ],
)
def test_the_letter_that_is_left(reply, letter):
    """Beside letters that are rejected, weighed or quoted the chosen one is read."""
    assert answers.choice(reply) == letter


QUESTION = "Which city is the capital of Norway?\nA) Bergen\nB) Oslo\nC) Rome\nD) Ghent"


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("The answer is (G).", None),
        ("The number (N) is 4.", None),
        ("The mean (M) says it, so (B).", "B"),
        ("The answer is (B).", "B"),
        ("The answer is (K). No, the answer is B.", "B"),
        ("Oslo", "B"),
        ("The answer is Oslo.", "B"),
        ("In the north stands (B) Oslo", "B"),
        ("The answer is Paris.", None),
    ],
)
@pytest.mark.parametrize(
    "question", [QUESTION, QUESTION.replace(") ", ". "), "Which? (A) Bergen (B) Oslo (C) Rome (D) Ghent"]
)
def test_the_questions_options(reply, letter, question):
    """Where the question shows its options, no other letter is a choice, and an option's own text is its letter."""
    answer = answers.reader("choice", question=question)(reply)
    assert (answer and answer.value) == letter
