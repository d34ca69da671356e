"""What holds for every extractor and every text."""

import sys
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slmmux.answers
from slmmux import answers
from slmmux._errors import ExtractorError
from slmmux._mux.replies.tools import Tools
from tests.core.hostile import READINGS
from tests.lengths import examples, short_form

NAMES = ["auto", "boxed", "choice", "code", "json", "number", "text"]

# What replies are made of, so that random texts are near misses and not only noise.
PIECES = st.sampled_from(
    r"""\boxed{ \boxed \fbox{ \frac{ \frac12 \text{ \left( \) \( \% $ $$ #### answer Answer: is the not option (B) B.
    **C**
    A I a { } [ ] ( ) ,
    . : ; ! ? - − + ± / * ** _ ^ ^{ = == 0 1 2 42 1,234 1.5e3 e9 1e999999999 % percent million 10:30 x
    ``` ```json {"a": [1, "a": true null NaN " \" \u00e9 <think> </think> <think [THINK] because correct choose √ π °
    é ０ ²
    ```python ```` ~~~ ~~~c def f(x): return lambda f'{ r" # ; \N{ \x 0x 1_0 @ -> := \u2028 \u0301 \u0323
    """.split()  # noqa: SIM905  # a list of ninety strings is no table
)
SPACES = st.sampled_from(
    [" ", "\n", "\t", "\r\n", "\u00a0", "\x00", "\x0c", "\ud800", "\n```\n", "\n```python\n", "\n    "]
)
MARKUP = st.lists(PIECES | SPACES, max_size=30).map("".join)
TEXTS = st.text() | MARKUP | st.lists(PIECES, max_size=20).map(" ".join)
SHORT = st.sampled_from(
    ["1/2", "0.5", "50%", "50", "$0.50$", r"\frac12", "B", "(b)", "**b**", "x", "X", "", " ", "\\", "½"]
)


@settings(max_examples=examples(500))
@given(TEXTS)
def test_no_extractor_ever_raises(text):
    """Any text gives an answer or None under every extractor, and the readers agree with the functions."""
    for name in NAMES:
        value = getattr(answers, name)(text)
        assert value is None or (isinstance(value, str) and value)
        answer = answers.reader(name)(text)
        assert value == (answer.value if answer else None)
        assert answer is None or (isinstance(answer.key, str) and answer.key)


@settings(max_examples=examples(200))
@given(TEXTS, TEXTS)
def test_no_reading_with_a_question_ever_raises(text, question):
    """Whatever was asked, whole or cut off: readers, scores and the reading of calls in a text take any two texts."""
    tools = Tools([{"name": "add", "parameters": {"properties": {"a": {"type": "integer"}}}}])
    for name in NAMES:
        read = answers.reader(name, question=question)
        answer, before = read(text), read(text, cut_off=True)
        assert before is None or before == answer
        assert answer is None or answers.right(answer, question or "x", question=question) in {True, False}
    assert answers.includes(text, question, question) in {True, False}
    assert answers.includes(text, text) in {True, False}
    assert isinstance(tools.calls_in(f"{text}add{question}"), list)


@settings(max_examples=examples(300))
@given(TEXTS, TEXTS)
def test_reasoning_never_changes_an_answer(reasoning, text):
    """Whatever a model thinks before it replies, short of ending its thoughts itself, the reply's answer stays."""
    reasoning = reasoning.replace("/", "")
    for name in NAMES:
        assert answers.reader(name)(f"<think>{reasoning}</think>{text}") == answers.reader(name)(text)
    assert answers.strip_reasoning(answers.strip_reasoning(text)) == answers.strip_reasoning(text)


@settings(max_examples=examples(300))
@given(MARKUP)
def test_an_answer_reads_as_itself(text):
    """What `number`, `choice` and `json` return is canonical: read again, it is the same."""
    for name in ("number", "choice", "json"):
        value = getattr(answers, name)(text)
        assert value is None or getattr(answers, name)(value) == value


@settings(max_examples=examples(500))
@given(SHORT | TEXTS, SHORT | TEXTS, SHORT | TEXTS)
def test_same_is_an_equivalence(a, b, c):
    """`same` is reflexive, symmetric and, without the extra `math`, transitive: classes of equal answers exist."""
    with mock.patch("slmmux.answers._same.available", return_value=False):
        assert answers.same(a, a)
        assert answers.same(a, b) == answers.same(b, a)
        assert answers.same(a, c) or not (answers.same(a, b) and answers.same(b, c))


@settings(max_examples=examples(300))
@given(TEXTS, TEXTS)
def test_equal_answers_are_the_same(a, b):
    """Numbers, choices and boxes that are one answer live are the same against a gold answer too."""
    for name in ("number", "choice", "boxed"):
        one, other = answers.reader(name)(a), answers.reader(name)(b)
        if one and one == other:
            assert answers.same(one.value, other.value)


# A text that is nested 10,000 deep and more, by what it is nested in.
NESTED = {
    f"{count} {opener}": opener * count + "1" + closer * count
    for count in (90, 100, 101, 700, 10_000)
    for opener, closer in [
        ("(", ")"), ("[", "]"), ("{", "}"), ('{"a":', "}"), ("[1,", "]"), (r"\boxed{", "}"), (r"\frac{1}{", "}"),
        (r"\text{", "}"), (r"\left(", r"\right)"), (r"\sqrt{", "}"),
        ("<think>", "</think>"), ("**", "**"), ('"', '"'), ("“", "”"), ("$", "$"), ("`", "`"), ("-", ""), ("not ",
        ""), ("lambda:", ""), ("1+", ""), ("2^", ""), ("> ", ""), ("x.", ""), ("f(", ")"),
    ]
}  # fmt: skip


def told(read, *given):
    """What a call returns, or the error that it raises."""
    try:
        return read(*given)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        return f"{type(error).__name__}: {error}"


def below(frames, read, *given):
    """What a call is told `frames` calls further down."""
    return below(frames - 1, read, *given) if frames else told(read, *given)


def at_depth(depth, read, *given):
    """What a call is told whose caller's stack is `depth` frames deep."""
    frame, here = sys._getframe(), 0
    while frame:
        frame, here = frame.f_back, here + 1
    return below(depth - here, read, *given)


def at_both_depths(read, *given):
    """What a call is told at depth 10, on a stack of its own, and at depth 800."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(at_depth, 10, read, *given).result(), at_depth(800, read, *given)


@pytest.mark.parametrize("name", short_form(READINGS, {"boxed"}.__contains__))
def test_depth_neither_of_the_text_nor_of_the_caller(name):
    """However deep a text is nested and wherever the caller stands, the same comes of it, and no full stack."""
    for shape, text in NESTED.items():
        for reply in (text, f"Answer: {text}", f"```python\n{text}\n```", f"```\n{text[:-3]}\n```"):
            low, high = at_both_depths(READINGS[name], reply)
            assert "Error" not in str(low)[:40], shape
            assert high == low, shape


@pytest.mark.parametrize("levels", [1, 50, 90, 97])
def test_depth_of_values(levels):
    """Arguments of tools and what callables return are compared wherever the caller stands."""
    value = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    calls = [{"name": "f", "args": {"x": value}}]
    for read, reply in ((answers.tool_calls, calls), (answers.reader(lambda _: value), "x")):
        low, high = at_both_depths(read, reply)
        assert "Error" not in str(low)[:40]
        assert high == low


NOT_A_NUMBER = ["NaN", "nan", "-nan", "NAN", "1e999", "-1e999", "1e99999999", "Infinity", "-Infinity", "inf", "∞",
    r"\infty", "0/0", "1/0", r"\frac{1}{0}", "9" * 400, "1e400%"]  # fmt: skip


@pytest.mark.parametrize("written", NOT_A_NUMBER)
@pytest.mark.parametrize(
    "shape", ["{}", "[{}]", '{{"a": {}}}', "Answer: {}", "#### {}", "x = {}", "```json\n[{}]\n```"]
)
def test_what_is_no_number_equals_nothing(written, shape):
    """NaN, infinity and what overflows are never read as a number or JSON, so that they equal nothing."""
    reply = shape.format(written)
    if written != "9" * 400:  # as JSON an int like any other
        assert answers.json(reply) is None
    assert answers.number(reply) is None
    answer = answers.reader("auto")(reply)
    assert answer.kind in {"math", "text"} or written == "9" * 400


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("inside", [lambda x: x, lambda x: [x], lambda x: {"a": [1, x]}])
def test_nan_of_a_callable_equals_nothing(value, inside):
    """NaN and infinity that a callable returns, or that are an argument of a tool, are refused: no answer holds one."""
    with pytest.raises(ExtractorError, match=r"nan|inf"):
        answers.reader(lambda _: inside(value))("x")
    with pytest.raises(ExtractorError, match=r"nan|inf"):
        answers.tool_calls([{"name": "f", "args": {"x": inside(value)}}])


@pytest.mark.parametrize(
    "shape",
    [
        "{}", "```python\n{}\n```", "```\n{}\n```", "Answer: {}", "#### {}", r"\boxed{{{}}}", '{{"a": "{}"}}',
        "```python\nf'{{{}}}'\n```", "```python\n@({})\ndef f(): pass\n```", "${}$", "x = {}",
        "```python\nx: {} = 1\n```", "```pycon\n>>> {}\n```", "!!python/object/apply:{}", "$({})",
    ],
)  # fmt: skip
def test_no_code_is_executed(shape, tmp_path, monkeypatch):
    """A reply that would leave a mark if any part of it were imported, evaluated or run leaves none."""
    (tmp_path / "marks.py").write_text("open('mark', 'w').close()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for source in (
        "__import__('marks')",
        "import marks",
        "open('mark','w')",
        "exec('import marks')",
        "import_module('marks')",
    ):
        for read in READINGS.values():
            read(shape.format(source))
        answers.same(shape.format(source), "0")
        answers.same(source, "1")
    assert not (tmp_path / "mark").exists()
    assert "marks" not in sys.modules


JSON_ARGS = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)


@given(st.lists(st.fixed_dictionaries({"name": TEXTS, "args": st.none() | JSON_ARGS}), max_size=3))
def test_tool_calls_are_an_answer_or_a_sentence(calls):
    """Tool calls are a text, none, or refused with a sentence; reversed they are the same where order says nothing."""
    low, high = (told(lambda calls: answers.tool_calls(calls, ordered=False), order) for order in (calls, calls[::-1]))
    if low is None or low.startswith("["):
        assert (low is None) == (not calls)
        assert low == high
    else:
        assert low.startswith("ExtractorError: an answer ")


def test_public_names():
    """The public names are sorted, exist, and are all that the package shows."""
    assert slmmux.answers.__all__ == sorted(slmmux.answers.__all__)
    public = {name for name in vars(slmmux.answers) if not name.startswith("_")}
    assert public == set(slmmux.answers.__all__)
