"""Ways to write a number, and what only has digits."""

import pytest

from slmmux import answers

WRITTEN = [
    ("10⁴", "10000"), ("2⁵", "32"), ("5 × 10⁻²", "0.05"), ("1.2 \\cdot 10^{-1}", "0.12"), ("3·10⁸", "300000000"),
    ("4x10^3", "4000"), ("7e-2", "0.07"), ("1⅗", "1.6"), ("¾", "0.75"),
    ("3k", "3000"), ("3.5K", "3500"), ("2M", "2000000"), ("$4m", "4000000"), ("€4.5B", "4500000000"), ("£2bn", "2000000000"),
    ("2 bn", "2000000000"), ("7mn", "7000000"), ("$1.5T", "1500000000000"), ("3 Millionen", "3000000"),
    ("3,5 millions", "3500000"), ("3 millones", "3000000"), ("2 Milliarden", "2000000000"), ("5 млн", "5000000"),
    ("5万", "50000"), ("3億", "300000000"), ("12만", "120000"), ("3 lakh", "300000"), ("2 crore", "20000000"),
    ("4 dozen", "48"), ("₹2,500", "2500"), ("₩3000", "3000"),
    ("5 m", "5"), ("5m", "5"), ("5 kg", "5"), ("5km", "5"), ("5 MB", "5"), ("300 K", "300"), ("5k/h", "5"), ("5 Mbit", "5"),
    ("15 Prozent", "0.15"), ("15 pour cent", "0.15"), ("15 por ciento", "0.15"), ("15％", "0.15"), ("12,5 %", "0.125"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "read"), WRITTEN)
def test_written(written, read):
    """Powers of ten, what multiplies and units are told apart, announced or alone."""
    assert answers.number(f"The answer is {written}.") == read
    assert answers.number(written) == read


RANGES = ["10-12", "10–12 apples", "$20 - $30", "$20-$30", "between 10 and 12", "between $10 and $12", "from 3 to 5",
    "3 to 5", "10 ~ 12", "1 : 2", "1:2", "3:4:5", "10-12 kg", "10 bis 12", "5 % - $6", "20 kg to 30 kg"]  # fmt: skip


@pytest.mark.parametrize("written", RANGES)
def test_ranges_and_ratios(written):
    """A range or a ratio is no number, also where another one stands before."""
    assert answers.number(f"It has 7. Answer: {written}") is None
    assert answers.reader("auto")(f"Answer: {written}").kind != "number"


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("So she has **9** pens (15 - 6).", "9"),
        ("It weighs 40 kg (as 4 times 10 is that).", "40"),
        ("He pays $25 in total. Let me know if you need 3 more examples.", "25"),
        ("It is 25.\n\nFeel free to ask 2 more questions!", "25"),
        ("The sum of 3 and 4 is (7).", "7"),
        ("The point is (3, 8)", "8"),
        ("So x = 4 \\times (8 - 5)", "5"),
        ("f (3)", "3"),
        ("(5 - 2)", "2"),
        ("She had 20 - 8 apples", "8"),
        ("#### 10 - 4 = 6", "6"),
        ("It is 250K warm", "250"),
        ("It costs $250K now", "250000"),
    ],
)
def test_the_last_number_of_a_sentence(reply, read):
    """What a bracket explains and what only is polite is not the number; a bracket that is all there is, is."""
    assert answers.number(reply) == read


@pytest.mark.parametrize(
    "reply", ["Sum = (4", "Sum = 3 + (4", "\\[ x = \\left( \\frac{1}{2}", "Sum = [4", "The answer is 4 +"]
)
def test_cut_off(reply):
    """What was cut off before it was worked out is no number to `auto`."""
    assert answers.reader("auto")(reply).kind == "text"
