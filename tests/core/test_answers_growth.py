"""No reading of a reply takes longer than in proportion to its length, and none raises, whatever the text is made of."""

import random
import time
from itertools import islice, product
from unittest import mock

import pytest

from tests.core.hostile import FRAMES, READINGS, hostile_texts, patterns, run, tokens
from tests.lengths import AT_LENGTH, short_form

# What a pattern that can backtrack, a stack, or a loop in a loop would take a quadratic time for, repeated.
UNITS = r"""( [ { } ) ] () [] {} (A) **A** ** * *a _a ~~ # #### ##Answer: $ $1 % 5% - - = == x=1, | / 1/ 1/2/ , 1,
    1,234 . 1. .5 9 0 1- 10: e9 1e 1e999 NaN ± − ! ; :
    \boxed{ \boxed \boxed{1} \boxed{\boxed{ \fbox \frac \frac{1}{ \frac{1 \text{ \text{\text{a}} \left \\ \ \circ ^{
    2^ 1\times10^ \sqrt{ million percent
    ` ~ ``` " ' \" “ « é 👩‍🚀 ﷺ ０ ２ if:( lambda: x: not- [see[ [1, [[], [" ["\ {"a": {"a":1} {'a': true, I a IIa isB
    Answer:B
    <think> </think> <think>a</think> [THINK] [/THINK] < <thinking <!-- answer ans because"""
UNITS = [*UNITS.split(), *(unit + end for unit in ["answer is", "The answer to", "answer for x", "(A)", "is B",
    "choose B", "A is", "so it is B", "and x =", "1", "123", "1 /", "per cent", "**", "-", "!", ",",
    "*"] for end in " \n"),
         '"""', "'''", " ", "\n", "\t", "\r\n", "\u00a0", "\x00", "\u2028", "\ud800", "```\n", "```\nx\n```\n",
         "```python\nx=1\n```\n", "~~~\n", "  ```", "````\n```\n", "A. x\n", "1. x\n2. y\n", "####\n", "answer\n",
         "if x:\n", "x = '\n", "\u0301\u0323", "\u0345\u0334", "\u1100\u1161", "\u0327\u0300\u0334"]  # fmt: skip
UNITS += ["Answer: 3, ", "Answer: B, ", "mille ", "cent ", "zwei tausend ", "twenty two ", "minus ", "not B ", "is not B ", "Ghana's capital is ",
    "Accra is ", "Problem: ", "\nQ: ", "\nuser\n", "\n\nContext: ", "U.S. ", "Sure! ", "thanks ", "let me know ", "however ", "because ", "3 to 4 ",
    "between 1 and ", "3 hours ", "(A) or ", "(A) red, ", "only A fits ", "I think B ", "5 cm ", "$3 - $", "1 : ", "Step 1: ", "答案是", "정답은 ",
    "ответ ", "la respuesta es ", "五", "３", "，", "<tool_call>", '{"name": "add", ', "add(a=", "<function=add>", "[TOOL_CALLS]add", "Action: add\n",
    "<|channel|>final<|message|>", "assistantfinal", "<notes>a</notes>", "\\left[0,1\\right]", "def f():\n", "Input:\n```\n3\n```\n"]  # fmt: skip


def seconds(read, text):
    start = time.process_time()
    read(text)
    return time.process_time() - start


def grows(read, make, length):
    """Whether four times the length takes more than eight times the time: quadratic time would be sixteen.

    The ratio counts, not the time; a processor that changes its speed in between can spoil some tries, never all.
    """
    short, long = make(length), make(4 * length)
    return all(seconds(read, long) > 8 * seconds(read, short) + 0.01 for _ in range(5))


def framed(make, frame):
    return lambda length: FRAMES[frame].format(make(length))


@pytest.mark.full
@pytest.mark.parametrize(("name", "frame"), list(product(READINGS, FRAMES)))
def test_time_grows_with_length(name, frame):
    """Any piece of a reply repeated 12,000 characters long takes about four times as long as at 3,000."""
    texts = [(unit, framed(lambda length, unit=unit: run(unit, length), frame)) for unit in UNITS]
    assert not [unit for unit, make in texts if grows(READINGS[name], make, 3_000)]


PATTERNS = patterns()
FEW = 3  # patterns for each reading in the short form, other ones for each


@pytest.mark.parametrize("name", READINGS)
def test_no_pattern_is_slow_on_what_it_nearly_matches(name):
    """Texts of the words and signs of every pattern, in its own order, take four times as long at four times the length.

    In the short form each reading has a few patterns at half the length; at length it has all of them.
    """
    chosen = sorted(PATTERNS)
    random.Random(name).shuffle(chosen)
    for which in chosen if AT_LENGTH else chosen[:FEW]:
        make = next(hostile_texts(*PATTERNS[which], f"{name} {which}"))
        frame = random.Random(which + name).choice([*FRAMES])
        assert not grows(READINGS[name], framed(make, frame), 3_000 if AT_LENGTH else 1_500), (which, make(60))


@pytest.mark.parametrize("name", READINGS)
def test_no_reading_raises_on_what_a_pattern_nearly_matches(name):
    """Short rows of every pattern's own words and signs are read, or say nothing, and never raise."""
    for which in sorted(PATTERNS)[:: 1 if AT_LENGTH else 12]:
        for make in islice(hostile_texts(*PATTERNS[which], f"short {name} {which}"), 4 if AT_LENGTH else 1):
            with mock.patch("slmmux.answers._same.available", return_value=False):  # it has tests of its own
                READINGS[name](make(40))


def test_patterns_are_found_with_their_words():
    """Every pattern of both packages is among them, also one of a list, and its words are those of its source."""
    names = " ".join(PATTERNS)
    for name in ("_choice _VERDICT", "moments _DATES 7", "latex _TIDY 3", "forms _YES_OR_NO", "tools _CODE"):
        assert name in names
    assert tokens(r"(?:not|never)\ [(\[]{0,3}(?P<letter>[A-Z])", 0) == ["not", "never", " ", "(", "[", "A", "-", "Z"]


# A tag of reasoning could cut off all before it or after it.
MIXED = [unit for unit in UNITS if "think" not in unit.lower()]
random.Random(1).shuffle(MIXED)


def mixed(length):
    """A text of all units in stretches, in an order that is always the same, with a block and a box at its end."""
    stretches = " ".join(unit * (length // len(MIXED) // len(unit)) for unit in MIXED)
    return f"{stretches}\n{stretches[:9]}\n```\nx\n```\n\\boxed{{x"


@pytest.mark.parametrize("name", short_form(READINGS, {"auto", "code"}.__contains__))
def test_a_megabyte(name):
    """A reply of one megabyte of all that is about four times the work of a quarter of it."""
    assert len(mixed(1_000_000)) > 900_000
    assert not grows(READINGS[name], mixed, 250_000)
