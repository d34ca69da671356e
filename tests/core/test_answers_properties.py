"""What holds for every extractor and every text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slmmux.answers
from slmmux import answers

NAMES = ["auto", "boxed", "choice", "json", "number", "text"]

# What replies are made of, so that random texts are near misses and not only noise.
PIECES = st.sampled_from(
    r"""\boxed{ \boxed \fbox{ \frac{ \frac12 \text{ \left( \) \( \% $ $$ #### answer Answer: is the not option (B) B. **C**
    A I a { } [ ] ( ) , . : ; ! ? - − + ± / * ** _ ^ ^{ = == 0 1 2 42 1,234 1.5e3 e9 1e999999999 % percent million 10:30 x
    ``` ```json {"a": [1, "a": true null NaN " \" \u00e9 <think> </think> <think [THINK] because correct choose √ π ° é ０ ²
    """.split()  # noqa: RUF001, SIM905  # a list of ninety strings is no table
)
MARKUP = st.lists(PIECES | st.sampled_from([" ", "\n", "\t", "\u00a0", "\x00", "\ud800"]), max_size=30).map("".join)
TEXTS = st.text() | MARKUP | st.lists(PIECES, max_size=20).map(" ".join)
SHORT = st.sampled_from(
    ["1/2", "0.5", "50%", "50", "$0.50$", r"\frac12", "B", "(b)", "**b**", "x", "X", "", " ", "\\", "½"]
)


@settings(max_examples=500)
@given(TEXTS)
def test_no_extractor_ever_raises(text):
    """Any text gives an answer or None under every extractor, and the readers agree with the functions."""
    for name in NAMES:
        value = getattr(answers, name)(text)
        assert value is None or (isinstance(value, str) and value)
        answer = answers.reader(name)(text)
        assert value == (answer.value if answer else None)
        assert answer is None or (isinstance(answer.key, str) and answer.key)


@settings(max_examples=300)
@given(TEXTS, TEXTS)
def test_reasoning_never_changes_an_answer(reasoning, text):
    """Whatever a model thinks before it replies, short of ending its thoughts itself, the reply's answer stays."""
    reasoning = reasoning.replace("/", "")
    for name in NAMES:
        assert answers.reader(name)(f"<think>{reasoning}</think>{text}") == answers.reader(name)(text)
    assert answers.strip_reasoning(answers.strip_reasoning(text)) == answers.strip_reasoning(text)


@settings(max_examples=300)
@given(MARKUP)
def test_an_answer_reads_as_itself(text):
    """What `number`, `choice` and `json` return is canonical: read again, it is the same."""
    for name in ("number", "choice", "json"):
        value = getattr(answers, name)(text)
        assert value is None or getattr(answers, name)(value) == value


@settings(max_examples=500)
@given(SHORT | TEXTS, SHORT | TEXTS, SHORT | TEXTS)
def test_same_is_an_equivalence(a, b, c):
    """`same` is reflexive, symmetric and transitive, so that classes of equal answers exist."""
    assert answers.same(a, a)
    assert answers.same(a, b) == answers.same(b, a)
    assert answers.same(a, c) or not (answers.same(a, b) and answers.same(b, c))


@settings(max_examples=300)
@given(TEXTS, TEXTS)
def test_equal_answers_are_the_same(a, b):
    """Numbers, choices and boxes that are one answer live are the same against a gold answer too."""
    for name in ("number", "choice", "boxed"):
        one, other = answers.reader(name)(a), answers.reader(name)(b)
        if one and one == other:
            assert answers.same(one.value, other.value)


# For each extractor, texts that would take a pattern that can backtrack a time quadratic in their length.
HOSTILE = {
    "auto": ["answer: ", "####\n", "{", '{"a":', "[1,", "```\n", "x = 1, "],
    "boxed": [r"\boxed{", r"\boxed ", "{", r"\boxed{\boxed{ } "],
    "choice": ["(", "(A) ", "A. x\n", "answer is ", "**"],
    "json": ["[", "[[],", '["[', "[see [1,] ", '{"a":[1],', "{'a':["],
    "number": ["#", "9", "1 ", "123 ", "1,", r"\frac{1", "1-", "answer of ", "$", r"\left"],
    "text": ["*", "* ", "<think>", "</think>", " ", "_a"],
    "same": [" ", r"\text{", "1 ", "**"],
}


@pytest.mark.parametrize(("name", "unit"), [(name, unit) for name, units in HOSTILE.items() for unit in units])
def test_time_grows_with_length(name, unit):
    """200,000 hostile characters take about eight times as long as 25,000: quadratic time would be sixty-four.

    The ratio counts, not the time; a processor that changes its speed in between can spoil one try, never all five.
    """
    extract = (lambda text: answers.same(text, text)) if name == "same" else getattr(answers, name)

    def seconds(length):
        text = unit * (length // len(unit)) + " Step"
        start = time.process_time()
        extract(text)
        return time.process_time() - start

    assert any(seconds(200_000) < 24 * seconds(25_000) + 0.05 for _ in range(5))


def test_public_names():
    """The public names are sorted, exist, and are all that the package shows."""
    assert slmmux.answers.__all__ == sorted(slmmux.answers.__all__)
    public = {name for name in vars(slmmux.answers) if not name.startswith("_")}
    assert public == set(slmmux.answers.__all__)
