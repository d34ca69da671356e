"""What `answers.auto` reads, and how names and callables become readers."""

import pytest

from slmmux import answers
from slmmux._errors import ExtractorError
from slmmux._types import Answer

CASES = [
    ("42", "number", "42"),
    ("Answer: 42.", "number", "42"),
    ("$42.", "number", "42"),
    ("**42**", "number", "42"),
    ("#### 42", "number", "42"),
    ("the answer is 42 apples", "number", "42"),
    ("6 * 7 = 42", "number", "42"),
    ("17 + 25 = 42.", "number", "42"),
    ("She adds.\nTotal = 40 + 2 = 42 apples.", "number", "42"),
    ("Therefore x = 5", "number", "5"),
    ("-5", "number", "-5"),
    (".5", "number", "0.5"),
    ("$$42$$", "number", "42"),
    ("$.50$.", "number", "0.5"),
    ("50%", "number", "0.5"),
    ("1/3", "number", "1/3"),
    ("90°", "number", "90"),
    ("The answer is 4. No: the answer is 5.", "number", "5"),
    ("Answer: 5!", "number", "5"),
    ("B", "choice", "B"),
    ("(b)", "choice", "B"),
    ("b)", "choice", "B"),
    ("**B.**", "choice", "B"),
    ("B) Paris", "choice", "B"),
    ("Answer: B. Paris", "choice", "B"),
    ("The answer is (B) Paris", "choice", "B"),
    ("The answer is B because it is.", "choice", "B"),
    ("[1, 2]", "json", "[1,2]"),
    ("[42]", "json", "[42]"),
    ('{"answer": 42}', "json", '{"answer":42}'),
    ('{"why": "the answer is 42"}', "json", '{"why":"the answer is 42"}'),
    ('{"why": "Answer: B"}', "json", '{"why":"Answer: B"}'),
    ('```json\n{"a": 1.0}\n```\nThat is it.', "json", '{"a":1}'),
    ('Sure: {"answer": "B"}.', "json", '{"answer":"B"}'),
    (r"\boxed{5} is the answer: B", "boxed", "5"),
    (r"The answer is $\boxed{\frac{1}{2}}$.", "boxed", r"\frac{1}{2}"),
    ("Canberra.", "text", "Canberra."),
    ("There are 7 days.", "text", "There are 7 days."),
    ("42 apples", "text", "42 apples"),
    ("7 Up", "text", "7 Up"),
    ("x == 5", "text", "x == 5"),
    ("```python\nx = 5\n```", "text", "```python\nx = 5\n```"),
    ("x = 2, y = 3", "text", "x = 2, y = 3"),
    ("total = 5 and so on for long", "text", "total = 5 and so on for long"),
    ("12,5", "text", "12,5"),
    ("9" * 301, "text", "9" * 301),
    ("B. Traven", "text", "B. Traven"),
    ("A) one\nB) two", "text", "A) one\nB) two"),
    ("x", "text", "x"),
    ("I think C", "text", "I think C"),
    ("The answer is C++", "text", "The answer is C++"),
    ("The answer is x", "text", "The answer is x"),
    ("Canberra [1]", "text", "Canberra [1]"),
    ('Use {"a": 1} here', "text", 'Use {"a": 1} here'),
    ("```python\nx = {}\n```", "text", "```python\nx = {}\n```"),
    ("Answer: 2, 5", "text", "Answer: 2, 5"),
    ("Answer: 3 apples and 4 pears", "text", "Answer: 3 apples and 4 pears"),
    ("Answer: 5x", "text", "Answer: 5x"),
    (r"Answer: 2\sqrt{3}", "text", r"Answer: 2\sqrt{3}"),
    ("Answer: x = 2, y = 3", "text", "Answer: x = 2, y = 3"),
    ("Answer: 10:30", "text", "Answer: 10:30"),
    ("Answer: 2 + x", "text", "Answer: 2 + x"),
    ("<think>Answer: 4</think>Canberra", "text", "Canberra"),
]


@pytest.mark.parametrize(("reply", "kind", "value"), CASES, ids=[reply[:40] for reply, _, _ in CASES])
def test_table(reply, kind, value):
    """Each reply is read alone in the fixed order: box, marked number or choice, JSON, text."""
    answer = answers.reader("auto")(reply)
    assert (answer.kind, answer.value) == (kind, value)
    assert answers.auto(reply) == value


@pytest.mark.parametrize("reply", ["", " \n", "<think>42", "<think>42</think>"])
def test_nothing_left(reply):
    """A reply that is only reasoning, or nothing, has no answer under any extractor."""
    for name in ("auto", "boxed", "choice", "json", "number", "text"):
        assert answers.reader(name)(reply) is None
        assert getattr(answers, name)(reply) is None


def test_ways_to_say_42_agree():
    """Marked and whole-reply numbers are one kind, so that their samples agree."""
    replies = ["42", "Answer: 42.", "**42**", "#### 42.0", "The answer is 42 apples.", "40 + 2 = 42", "042"]
    assert len({answers.reader("auto")(reply) for reply in replies}) == 1


def test_kinds_never_agree():
    """Answers of different kinds differ even where their keys are the same text."""
    replies = ["42", r"\boxed{42}"]
    read = {answers.reader("auto")(reply) for reply in replies}
    assert len(read) == 2
    assert {answer.key for answer in read} == {"42"}


def test_text_is_compared_without_what_says_nothing():
    """Text agrees across case, emphasis, white space, quotes, Unicode forms and final punctuation."""
    spellings = [
        "**Canberra.**",
        "canberra",
        " Canberra\n",
        "“Canberra.”",
        "# Canberra",
        "_Canberra_!",
        "Ｃanberra",  # noqa: RUF001
        '"Canberra"',
    ]
    assert {answers.reader("text")(text).key for text in spellings} == {"canberra"}
    assert answers.reader("text")(" **Canberra.** ").value == "**Canberra.**"


@pytest.mark.parametrize(
    ("one", "other"), [("2*3", "23"), ("snake_case", "snakecase"), ("2 * 3", "2 3"), ("...", "!"), ("5'", "5")]
)
def test_text_keeps_what_means_something(one, other):
    """A mark between two letters or two blanks is no emphasis, and a text of marks alone is not empty."""
    assert answers.reader("text")(one) != answers.reader("text")(other)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>a</think> b", "b"),
        ("a <think>b", "a"),
        ("a</think> b", "b"),
        ("<think>a <think>b</think> c</think> d", "d"),
        ("a <think>b</think> c</think> d", "d"),
        ("<THINK>a</Think >b", "b"),
        ("<thinking>a</thinking>b", "b"),
        ("[THINK]a[/THINK]b", "b"),
        ("a<think>x</think>b", "a\nb"),
        ("<thinker>a", "<thinker>a"),
        (" a ", "a"),
    ],
)
def test_reasoning(text, left):
    """Reasoning is cut out: closed, unclosed, and with its opening tag lost."""
    assert answers.strip_reasoning(text) == left


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/2", "0.5"),
        ("50%", "1/2"),
        (r"50\%", r"$\frac{1}{2}$"),
        ("1,234.00", "1234"),
        ("**0.50**", "0.5"),
        ("Canberra", "**canberra.**"),
        ("B", "(b)"),
        (r"\left(1, 2\right)", "(1,2)"),
        ('{"a": 1}', '{"a":1}'),
        ("", " "),
    ],
)
def test_same(one, other):
    """Two spellings of one answer are the same, in both orders."""
    assert answers.same(one, other)
    assert answers.same(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("50%", "50"), ("12,5", "12.5"), ("x^R", "x^r"), ("1/3", "0.3333"), ("", "0"), ("42", "43")]
)
def test_not_same(one, other):
    """50 % is not 50, a list is no decimal, mathematics keeps its case, and a rounded third is no third."""
    assert not answers.same(one, other)


def test_a_callable_reads_the_text_without_reasoning():
    """A user's callable gets the trimmed text without reasoning, and its answer is shown as it returned it."""
    seen = []
    read = answers.reader(lambda text: seen.append(text) or {"b": 1.0, "a": [1]})
    assert read("<think>no</think> yes ") == Answer(None, "callable", '{"a":[1],"b":1}')
    assert read("x").value == {"b": 1.0, "a": [1]}
    assert seen == ["yes", "x"]


def test_a_callables_text_is_its_key():
    """A str that a callable returns is compared as it is, and None is no answer."""
    assert answers.reader(str.upper)("a b").key == "A B"
    assert answers.reader(lambda _: None)("a") is None


def test_a_callable_that_returns_no_json():
    """A callable that returns something else fails with a sentence that says what it may return."""
    with pytest.raises(TypeError, match="a set; an extractor may return"):
        answers.reader(set)("ab")
    with pytest.raises(ExtractorError, match="nan"):
        answers.reader(lambda _: float("nan"))("ab")


@pytest.mark.parametrize("name", ["auto", "boxed", "choice", "json", "number", "text"])
def test_an_extractor_is_its_name(name):
    """An extractor of ours passed as a function reads and compares as its name does."""
    assert answers.reader(getattr(answers, name)) is answers.reader(name)


def test_an_unknown_name():
    """A name that does not exist is refused with the nearest and all that do."""
    with pytest.raises(ExtractorError) as caught:
        answers.reader("Boxd")
    assert str(caught.value) == (
        "there is no extractor 'Boxd'; did you mean 'boxed'? "
        "There are auto, boxed, choice, json, number, text, or any callable."
    )
    with pytest.raises(ExtractorError, match=r"there is no extractor 'zzz'\. There are auto"):
        answers.reader("zzz")


def test_neither_a_name_nor_a_callable():
    """Anything but a name or a callable is a TypeError that says what to pass."""
    with pytest.raises(TypeError, match="extract is a int; it takes an extractor's name or a callable"):
        answers.reader(5)
