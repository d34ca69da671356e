"""What `answers.number` reads, as a table, and what it never does."""

from fractions import Fraction

import pytest

from slmmux import answers
from slmmux.answers._numeral import decimal, numerals

# What models write, and what is read in it; \n stands in the table wherever a reply has lines.
CASES = [
    ("#### 1,234", "1234"),
    ("#### 42", "42"),
    ("The answer is 42.", "42"),
    ("Answer: 42", "42"),
    ("**Answer:** 42", "42"),
    ("**Answer**: $42$", "42"),
    ("**Final Answer: 42**", "42"),
    (r"The final answer is $\boxed{42}$.", "42"),
    (r"The final answer is: $\frac{3}{4}$. I hope it is correct.", "0.75"),
    (r"\( \boxed{18} \) dollars for 2 days", "18"),
    ("$1,200.50", "1200.5"),
    ("-3", "-3"),
    ("x = -3", "-3"),
    ("The temperature is −5 degrees.", "-5"),  # noqa: RUF001
    ("-$5", "-5"),
    ("$-5", "-5"),
    ("1.5e3", "1500"),
    (r"1.5 \times 10^3", "1500"),
    ("3 x 10^-2", "0.03"),
    ("10^5", "100000"),
    ("2^{10}", "1024"),
    ("3/4", "0.75"),
    ("1/3", "1/3"),
    ("2/6", "1/3"),
    (r"-\frac{1}{3}", "-1/3"),
    (r"\dfrac{1}{2}", "0.5"),
    (r"\frac12", "0.5"),
    (r"2\frac{1}{4}", "2.25"),
    ("2 1/4 cups", "2.25"),
    ("50%", "0.5"),
    (r"50\%", "0.5"),
    ("50 percent", "0.5"),
    ("12.5 %", "0.125"),
    ("42.0", "42"),
    ("042", "42"),
    ("-0", "0"),
    ("0.50", "0.5"),
    (".5", "0.5"),
    ("5.", "5"),
    ("20kg", "20"),
    ("20 m^2", "20"),
    ("18 dollars", "18"),
    ("5 million", "5000000"),
    ("$3.5 billion", "3500000000"),
    ("1.234,56", "1234.56"),
    ("12,5", "12.5"),
    ("1 234", "1234"),
    ("1 234 567", "1234567"),
    ("1'234", "1234"),
    ("1_234", "1234"),
    ("1,2,3", None),
    ("in 2024 150 people", "150"),
    ("0,125", "0.125"),
    ("1{,}234", "1234"),
    (r"1,\!234", "1234"),
    ("12,34,567", "1234567"),
    ("1.2.3", None),
    ("192.168.1.1", None),
    ("3/4/2024", None),
    ("2024-03-15", None),
    ("10:30", None),
    ("She had 5 apples on 2024-03-15.", "5"),
    ("GPT-4", None),
    ("x2", None),
    (r"2\sqrt{3}", None),
    (r"4\pi", None),
    ("x^2", None),
    ("±3", None),
    ("3/0", None),
    ("1e999999999", None),
    ("2^999999999", None),
    ("no number", None),
    ("", None),
    ("1. First, 5 + 3 = 8.\n2. Then, it is blue.", "8"),
    ("42. That is it.", "42"),
    ("1. 17", "17"),
    ("Step 1: 5\nStep 2: 7\n\nAnswer:\n\n12", "12"),
    ("### Answer\n12 apples", "12"),
    ("The answer is 42, since 40 + 2 = 42 and 3 are odd.", "42"),
    ("The answer is 5. Because 2+1 = 3.", "5"),
    ("Answer: 2 + 2 = 4", "4"),
    ("Answer: 40 + 2 = 42. Step 7 is done.", "42"),
    ("Answer: Let's think step by step. She has 5 apples and eats 2.\nSo 3 remain.", "3"),
    ("The answer is not 5 but 6", "6"),
    ("So the answer is $18 per day for 2 days.", "18"),
    ("#### Step 4: compute\nthe total is 9", "9"),
    ("#### 1. Compute\nthe total is 9", "9"),
    ("<think>5</think> 6", "6"),
    ("<think>5", None),
    ("The answer is approximately 3.14.", "3.14"),
    ("The answer to 5 + 3 is 8.", "8"),
    ("Answer (in dollars): 7", "7"),
    ("The answer would be 7", "7"),
    ("The answer must therefore be 7", "7"),
    ("Four crates of seven hold 4 * 7 = <<4*7=28>>28 melons.\n#### 28", "28"),
    ("答案是42", "42"),
    ("The answer is 72°F", "72"),
    ("The answer is **-7**.", "-7"),
    ("5! = 120", "120"),
    ("the answer is 1,000,000", "1000000"),
    (r"\boxed{1,234.50}", "1234.5"),
    (r"\boxed{x = 5}", "5"),
    ("50 percentage points", "50"),
    ("1/2/3", None),
    ("It takes 3-4 days", None),
    ("1/2^3", None),
    ("3,000/4^2", None),
    ("2^10/2", None),
    ("1e3/2", None),
    ("$5/day", "5"),
    ("Answer: 5 at 10:30", "5"),
    ("3/4.5", "2/3"),
    ("3/4-5", "5"),
    (r"\frac{1}{0}", None),
    ("Answer: ±3", None),
    ("€1.000.000,00", "1000000"),
    ("Rs.500", "500"),
    ("US$5", "5"),
    ("USD 5", "5"),
    ("the ratio is 3:4", None),
    ("0.333...", "0.333"),
    ("3 1/2", "3.5"),
    ("The answer is 1e3", "1000"),
    ("42!", "42"),
    ("100 %", "1"),
    ("99.99", "99.99"),
    ("+7", "7"),
]


@pytest.mark.parametrize(("reply", "read"), CASES, ids=[reply for reply, _ in CASES])
def test_table(reply, read):
    """A number is read as the table says: the last announced, else the last; canonical; None where there is none."""
    assert answers.number(reply) == read


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
