"""What extractors made of others read: `answers.regex` and `answers.first_of`."""

import json
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_slmmux._members import code_identity
from slmmux import answers
from slmmux._decision.race import Race
from slmmux._errors import ExtractorError
from slmmux.answers import first_of, reader, regex


def table(name):
    return json.loads((Path(__file__).parent / "answers" / f"{name}.json").read_text(encoding="utf-8"))


def made(text):
    """A table's word for a pattern, made: the tables are ours."""
    return eval(text, {"regex": regex, "re": re}) if text.startswith("regex(") else text


@pytest.mark.parametrize("case", table("regex"), ids=lambda case: f"{case['extractor']} {case['reply']}"[:60])
def test_regex_table(case):
    """The last match holds the answer, trimmed: its first group that took part, else all of it."""
    extract = made(case["extractor"])
    assert extract(case["reply"]) == case["answer"]
    answer = reader(extract)(case["reply"])
    assert (answer and (answer.kind, answer.value, answer.key)) == (
        case["answer"] and ("regex", case["answer"], case["answer"])
    )


@pytest.mark.parametrize("case", table("first_of"), ids=lambda case: f"{case['extractor']} {case['reply']}"[:60])
def test_first_of_table(case):
    """The first in order that finds an answer gives it, with its own kind."""
    extract = first_of(*map(made, case["extractor"]))
    assert extract(case["reply"]) == case["answer"]
    answer = reader(extract)(case["reply"])
    assert (answer and answer.kind) == case.get("kind")


@pytest.mark.parametrize("name", ["regex", "first_of"])
def test_the_tables_are_tables(name):
    """Each holds at least 12 cases, none twice, each with its reason and origin, and three for the docs page."""
    cases = table(name)
    assert len({(str(case["extractor"]), case["reply"]) for case in cases}) == len(cases) >= 12
    assert all({"reply", "answer", "why", "from", "extractor"} <= case.keys() for case in cases)
    assert sum(case.get("doc", False) for case in cases) == 3


PATTERNS = st.sampled_from([r"\w+", r"(a)|(b)", r"x*", r"(?i)a(b)?", r"[0-9]+", r"^.", r"\s", r"(.)\1"])


@given(PATTERNS, st.text("abABx01 \n") | st.text())
def test_the_last_match_that_is_not_blank(pattern, text):
    """A pattern's answer is the last of what its matches hold in the text without reasoning, blank ones passed over."""
    held = []
    for match in re.finditer(pattern, answers.strip_reasoning(text)):
        taken = [group for group in match.groups() if group is not None]
        held.append((taken[0] if taken else "") if match.re.groups else match[0])
    held = [text.strip() for text in held if text.strip()]
    assert regex(pattern)(text) == (held[-1] if held else None)


@pytest.mark.parametrize(
    ("pattern", "flags", "says"),
    [
        ("(", 0, r"'\(' is no pattern"),
        ("*", 0, "nothing to repeat"),
        (r"\1", 0, "invalid group reference"),
        ("a{2,1}", 0, "is no pattern"),
        ("x(?i)", 0, "global flags"),
        ("x", re.ASCII | re.UNICODE, "incompatible"),
        ("x", re.LOCALE, "LOCALE"),
        ("a{99999999999999999999}", 0, "is no pattern"),
        (b"x", 0, r"must be a text, received bytes; write regex\(r'...'\)"),
        (re.compile(b"x"), 0, "received bytes"),
        (5, 0, "received int"),
        (None, 0, "received NoneType"),
        ("x", "i", "flags"),
        ("x", None, "flags"),
    ],
)
def test_bad_patterns(pattern, flags, says):
    """What is no pattern is refused where it is written, with a sentence, and not at the first reply."""
    with pytest.raises(ExtractorError, match=says):
        regex(pattern, flags)


def test_a_deep_pattern_is_refused():
    """A pattern nested deeper than Python's own reader goes is refused like any other."""
    with pytest.raises(ExtractorError, match="is no pattern"):
        regex("(" * 20_000 + ")" * 20_000)


def test_flags_add_up():
    """A compiled pattern's flags and those given with it both count, and equal ones are one extractor."""
    both = regex(re.compile("^x", re.IGNORECASE), re.MULTILINE)
    assert both("a\nX") == "X"
    assert both == regex("^x", re.IGNORECASE | re.MULTILINE)
    assert regex(re.compile("x")) == regex("x")


def without_address(case):
    """A case's name that is the same in every process of a parallel run."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(case))


MADE = [
    regex("a"),
    regex("a", re.IGNORECASE),
    regex("b"),
    first_of("boxed", "number"),
    first_of("number", "boxed"),
    first_of("number"),
    first_of(regex("a"), "number"),
    first_of(first_of("boxed", "number"), "text"),
    first_of(answers.boxed),
]


@pytest.mark.parametrize("extract", MADE, ids=without_address)
def test_they_are_values(extract):
    """An extractor pickles, prints as what made it, and is equal to its like alone."""
    again = pickle.loads(pickle.dumps(extract))
    assert again == extract
    assert hash(again) == hash(extract)
    assert repr(again) == repr(extract)
    assert sum(other == extract for other in MADE) == 1
    assert again("a 1") == extract("a 1")


def test_their_names():
    """A name is what one would write, and two that differ have two."""
    assert regex("a", re.IGNORECASE).name == "regex('a', 2)"
    assert first_of("boxed", regex("a")).name == "first_of(boxed, regex('a'))"
    assert first_of(answers.boxed, str.upper).name == "first_of(boxed, str.upper)"
    assert len({extract.name for extract in MADE}) == len(MADE)


def test_they_cannot_be_changed():
    """Frozen, so that what was read with one cannot be told as read with another."""
    for extract, field in ((regex("a"), "pattern"), (first_of("text"), "extractors")):
        with pytest.raises(AttributeError):
            setattr(extract, field, "b")


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ((), ExtractorError, "first_of needs at least one extractor"),
        (("boxd",), ExtractorError, "did you mean 'boxed'"),
        (("boxed", 5), TypeError, "extract is a int"),
        ((first_of("text"), "nope"), ExtractorError, "there is no extractor 'nope'"),
    ],
)
def test_bad_parts(given, error, says):
    """What none of its parts could read is refused where it is written."""
    with pytest.raises(error, match=says):
        first_of(*given)


NESTED = [
    (first_of("boxed", first_of("number", "text")), first_of("boxed", "number", "text")),
    (first_of(first_of("boxed", "number"), "text"), first_of("boxed", "number", "text")),
    (first_of(first_of(first_of("json"))), first_of("json")),
]


@pytest.mark.parametrize(("nested", "flat"), NESTED)
@given(text=st.sampled_from([r"\boxed{4}", "Answer: 4", "four", "", '{"a": 1}', "<think>4"]) | st.text())
def test_nesting_says_nothing(nested, flat, text):
    """One `first_of` inside another reads as if its parts stood there."""
    assert reader(nested)(text) == reader(flat)(text)


def test_nesting_has_no_bound_that_a_caller_sees():
    """A hundred in each other read as one."""
    extract = "number"
    for _ in range(100):
        extract = first_of(extract)
    assert extract("Answer: 4") == "4"


REPLIES = ("4", "four is x4", r"\boxed{4}", "B", "Answer: B", r"\boxed{B}", "a: 4", "b: 4", '{"a": 1}', "```\n4\n```")
# Pairs that find the same text, each in a reply of its own.
PAIRS = [
    ("boxed", "number"),
    ("boxed", "text"),
    ("boxed", "choice"),
    ("code", "text"),
    (regex(r"x(\w)"), "number"),
    (regex(r"a: (\w+)"), regex(r"b: (\w+)")),
    (
        lambda text: text[3:] if text.startswith("a:") else None,
        lambda text: text[3:] if text.startswith("b:") else None,
    ),
    (first_of(regex(r"a: (\w+)")), regex(r"b: (\w+)")),
]


@pytest.mark.parametrize("parts", PAIRS, ids=without_address)
def test_what_different_parts_found_is_never_equal(parts):
    """Answers that different parts of one `first_of` found differ, though the text found is the same."""
    won = [set(), set()]
    for reply in REPLIES:
        winner = next((place for place, part in enumerate(parts) if reader(part)(reply)), None)
        if winner is not None:
            won[winner].add(reader(first_of(*parts))(reply))
    assert {answer.value for answer in won[0]} & {answer.value for answer in won[1]}
    assert not won[0] & won[1]


@pytest.mark.parametrize(
    ("extract", "replies", "answer", "kind"),
    [
        (regex(r"is (\w+)"), ["it is red", "it is blue", "is it? is blue"], "blue", "regex"),
        (first_of("boxed", "number"), [r"\boxed{x}", "Answer: 7", "it makes 7"], "7", "number"),
        ("code", ["```\nx=1\n```", "```\ny = 2\n```", "```py\ny=2 # two\n```"], "y = 2", "code"),
    ],
)
def test_in_a_race(extract, replies, answer, kind):
    """A race that reads with one counts equal answers together, shows the first, and names the kind."""
    race = Race({"qwen": len(replies)}, reader(extract), wait="exhausted")
    for draw, reply in zip(race.ask(), replies, strict=True):
        race.tell(draw, reply)
    winner = race.decision.winner
    assert (winner.answer, winner.kind, winner.count, winner.of) == (answer, kind, 2, 3)


def test_the_cache_knows_them_apart():
    """Equal extractors have one name in a cache key, others have others, and a lambda's is never found again."""
    for one in MADE:
        assert code_identity(one) == code_identity(pickle.loads(pickle.dumps(one)))
    assert len({code_identity(one) for one in MADE}) == len(MADE)
    small, large = lambda text: text.lower(), lambda text: text.upper()
    assert code_identity(small) != code_identity(large)
    assert code_identity(first_of("boxed", small)) != code_identity(first_of("boxed", large))
    assert code_identity(first_of("boxed", first_of(small))) != code_identity(first_of("boxed", first_of(large)))
    assert code_identity(first_of("boxed", "number")) != code_identity(regex("first_of(boxed, number)"))


class Judge:
    """A user's own callable that happens to have a name and a way to read files."""

    name = "judge"

    def __init__(self, word):
        self.word = word

    def read(self, path):
        raise AssertionError("nobody asked for a file")

    def __call__(self, text):
        return self.word if self.word in text else None


def test_a_users_object_is_called():
    """A callable with a `name` and a `read` of its own is a callable like any other, and the cache knows two apart."""
    assert reader(Judge("yes"))("well, yes").kind == "callable"
    assert code_identity(Judge("yes")) != code_identity(Judge("no"))
