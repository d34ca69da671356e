"""What `answers.choice` reads, as a table, and what it never does."""

import string

import pytest

from slmmux import answers

# What models write, and what is read in it.
CASES = [
    ("B", "B"),
    ("b", "B"),
    ("(B)", "B"),
    ("**B**", "B"),
    ("B.", "B"),
    ("B) Paris", "B"),
    ("(B) Paris", "B"),
    ("B. Paris", "B"),
    ("Answer: B", "B"),
    ("**Answer: B**", "B"),
    ("**Answer:** B", "B"),
    ("##Answer: B##", "B"),
    ("the answer is (c)", "C"),
    ("The answer is (c).", "C"),
    ("The answer is B because it fits.", "B"),
    ("The correct answer is B. Paris", "B"),
    ("The correct answer is **B) Paris**.", "B"),
    ("The correct answer is option B.", "B"),
    ("The correct option is (B)", "B"),
    ("Answer: A dog", None),
    ("Answer: A. Dog", "A"),
    ("Answer: A because", "A"),
    ("The answer depends on x", None),
    ("The answer depends.", None),
    ("A good question", None),
    ("I think so", None),
    ("I think the answer is C", "C"),
    ("I'm sure", None),
    ("Answer: I'm not sure", None),
    (r"\boxed{B}", "B"),
    (r"\boxed{\text{B}}", "B"),
    (r"\boxed{\textbf{(B)}}", "B"),
    (r"$\boxed{\text{(D) } 12}$", "D"),
    ("Answer: A or B", None),
    ("Answer: B and C", None),
    ("Answer: J. R. R. Tolkien", None),
    ("Answer: J.R.R. Tolkien", None),
    ("Answer: C++", None),
    ("Answer: C#", None),
    ("Answer: J", "J"),
    ("(A) is too small, so (B).", "B"),
    ("So I would go with (B)", "B"),
    ("I choose B.", "B"),
    ("I choose A. No, I choose B instead.", "B"),
    ("Option B is correct.", "B"),
    ("B is the correct answer.", "B"),
    ("Option A is wrong. So it must be C.", "C"),
    ("Let me list:\nA. Paris\nB. Rome\nC. Oslo\n\nThe answer: C", "C"),
    ("A. Paris\nB. Rome\nC. Oslo", None),
    ("A) Paris\nB) Rome\n\nB) Rome", None),
    ("Let me think.\n\nB", "B"),
    ("Let me think.\n\n**B**", "B"),
    ("Let me think.\n\n(B) Rome", "B"),
    ("#### B", "B"),
    ("Vitamin C is good", None),
    ("Answer: vitamin C", None),
    ("Answer - B", "B"),
    ("Answer B", "B"),
    ("<think>Answer: A</think>B", "B"),
    ("<think>Answer: A", None),
    ("apple(s)", None),
    ("f(X)", None),
    ("The answer is not A but (B).", "B"),
    ("**Answer:**\n\nB", "B"),
    ("Answer: [B]", "B"),
    ("Answer: {B}", "B"),
    ("Answer: 'B'", "B"),
    ('Answer: "B"', "B"),
    ("Answer: B, because", "B"),
    ("ANSWER: b", "B"),
    ("Final answer: E", "E"),
    ("Correct answer: B: Paris", "B"),
    ("The answer is E: all of these", "E"),
    ("The best choice is D", "D"),
    ("It's B!", "B"),
    ("D-Day", None),
    ("", None),
    (r"Therefore, the answer is $\textbf{(C)}$.", "C"),
    ("The answer is: (C) 5.", "C"),
    ("Answer: X", "X"),
]


@pytest.mark.parametrize(("reply", "read"), CASES, ids=[reply for reply, _ in CASES])
def test_table(reply, read):
    """A choice is read as the table says, and words that start with a letter are none."""
    assert answers.choice(reply) == read


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
