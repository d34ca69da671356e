"""What `answers.auto` reads, and how names and callables become readers."""

import json
from pathlib import Path

import pytest

from slmmux import answers
from slmmux._decision.types import Answer
from slmmux._errors import ExtractorError


def table(name):
    return json.loads((Path(__file__).parent / "answers" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", table("auto"), ids=lambda case: case["reply"][:40])
def test_table(case):
    """Each reply is read alone in the fixed order: box, marked number or choice, JSON, text."""
    answer = answers.reader("auto")(case["reply"])
    assert (answer and answer.kind) == case.get("kind")
    assert answers.auto(case["reply"]) == (answer and answer.value) == case["answer"]


@pytest.mark.parametrize("case", table("text"), ids=lambda case: case["reply"][:40])
def test_table_of_texts(case):
    """A text is shown as it was written, and agrees with what the table says it does, and with nothing else there."""
    read = answers.reader("text")
    assert answers.text(case["reply"]) == case["answer"]
    for why in ("equals", "differs"):
        for other in case.get(why, []):
            assert (read(case["reply"]) == read(other)) == (why == "equals")


@pytest.mark.parametrize("name", ["auto", "text"])
def test_the_tables_are_tables(name):
    """Each holds at least 12 shapes, none twice, each with its reason and origin, and three for the docs page."""
    cases = table(name)
    assert len({case["reply"] for case in cases}) == len(cases) >= 12
    assert all({"reply", "answer", "why", "from"} <= case.keys() for case in cases)
    assert sum(case.get("doc", False) for case in cases) == 3


@pytest.mark.parametrize("reply", ["", " \n", "<think>42", "<think>42</think>"])
def test_nothing_left(reply):
    """A reply that is only reasoning, or nothing, has no answer under any extractor."""
    for name in ("auto", "boxed", "choice", "code", "json", "number", "text"):
        assert answers.reader(name)(reply) is None
        assert getattr(answers, name)(reply) is None


def test_ways_to_say_42_agree():
    """Marked and whole-reply numbers are one kind, so that their samples agree."""
    replies = ["42", "Answer: 42.", "**42**", "#### 42.0", "The answer is 42 apples.", "40 + 2 = 42", "042"]
    assert len({answers.reader("auto")(reply) for reply in replies}) == 1


@pytest.mark.parametrize(
    "dressed",
    [
        ["42", r"\boxed{42}", "The answer is 42.", "#### 42", "$42$", "**Answer:** 42 apples", "6 * 7 = 42"],
        ["B", "(B)", r"\boxed{\text{(B)}}", "The answer is B.", "Answer: B) Rome"],
        ["Rome", r"\boxed{\text{Rome}}", "The answer is Rome.", "**Answer:** *rome*", "Answer: the Rome"],
        ["$x + 1$", r"\boxed{x+1}", "The answer is x+1."],
        [r"\boxed{\frac{1}{2}}", "0.5", "Answer: 1/2", "The answer is 50%."],
    ],
)
def test_the_same_content_is_one_answer(dressed):
    """What is boxed, announced, marked or bare is one answer where its content is the same."""
    assert len({answers.reader("auto")(reply) for reply in dressed}) == 1


def test_content_of_another_kind_is_another_answer():
    """A number and a letter, or mathematics and words, never agree."""
    replies = ["The answer is 5.", "The answer is E.", r"\boxed{x}", "The answer is five of them or more."]
    assert len({answers.reader("auto")(reply) for reply in replies}) == len(replies)


def test_text_is_compared_without_what_says_nothing():
    """Text agrees across case, emphasis, white space, quotes, Unicode forms and final punctuation."""
    spellings = [
        "**Canberra.**",
        "canberra",
        " Canberra\n",
        "“Canberra.”",
        "# Canberra",
        "_Canberra_!",
        "Ｃanberra",
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


@pytest.mark.parametrize("name", ["auto", "boxed", "choice", "code", "json", "number", "text"])
def test_an_extractor_is_its_name(name):
    """An extractor of ours passed as a function reads and compares as its name does."""
    assert answers.reader(getattr(answers, name)) is answers.reader(name)


def test_an_unknown_name():
    """A name that does not exist is refused with the nearest and all that do."""
    with pytest.raises(ExtractorError) as caught:
        answers.reader("Boxd")
    assert str(caught.value) == (
        "there is no extractor 'Boxd'; did you mean 'boxed'? "
        "There are auto, boxed, choice, code, json, number, text, or any callable."
    )
    with pytest.raises(ExtractorError, match=r"there is no extractor 'zzz'\. There are auto"):
        answers.reader("zzz")


def test_neither_a_name_nor_a_callable():
    """Anything but a name or a callable is a TypeError that says what to pass."""
    with pytest.raises(TypeError, match="extract is a int; it takes an extractor's name or a callable"):
        answers.reader(5)
