"""What `answers.code` takes for the program of a reply, and which programs it takes for one."""

import ast
import json
import random
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import answers
from tests.lengths import short_form

# What models write, what is read in it, and what it is equal to and not.
TABLE = json.loads((Path(__file__).parent / "answers" / "code.json").read_text(encoding="utf-8"))
IDS = [case["reply"][:60] for case in TABLE]
PAIRS = [(case["reply"], other, why) for case in TABLE for why in ("equals", "differs") for other in case.get(why, [])]
read = answers.reader("code")


def fenced(source, info="python", fence="```"):
    return f"{fence}{info}\n{source}\n{fence}"


@pytest.mark.parametrize("case", TABLE, ids=IDS)
def test_table(case):
    """The last closed block that is not blank is the answer, as written but for its common indentation."""
    assert answers.code(case["reply"]) == case["answer"]


@pytest.mark.parametrize(("one", "other", "why"), PAIRS)
def test_what_counts(one, other, why):
    """Two replies of the table hold one program exactly where it says so."""
    assert (read(one) == read(other)) == (why == "equals")


def test_the_table_is_one():
    """The table holds at least 40 shapes, none twice, each with its reason and origin, and three for the docs page."""
    assert len({case["reply"] for case in TABLE}) == len(TABLE) >= 40
    assert all({"reply", "answer", "why", "from"} <= case.keys() for case in TABLE)
    assert sum(case.get("doc", False) for case in TABLE) == 3


NAMES = st.sampled_from(["a", "b", "total", "é"])
ATOMS = NAMES | st.integers(0, 99).map(str) | st.sampled_from(["'s'", "1.5", "None", "True", "b'x'", "f'{a}'"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "*", "**", "and", "<", "if a else"]), inner).map(
            "({0[0]} {0[1]} {0[2]})".format
        )
        | st.lists(inner, max_size=3).map(lambda items: f"f({', '.join(items)})")
        | inner.map("(lambda x: {})".format)
        | inner.map("{{1: {}}}".format)
    ),
    max_leaves=8,
)
LINES = st.tuples(
    st.sampled_from(["{} = {}", "if {}:\n    return {}", "for {} in {}:\n    pass", "print({}, {})"]),
    NAMES,
    EXPRESSIONS,
)
PROGRAMS = st.lists(LINES.map(lambda line: line[0].format(line[1], line[2])), min_size=1, max_size=5).map("\n".join)


@given(PROGRAMS)
def test_layout_is_not_the_program(source):
    """A program set anew from its tree, with other blanks, brackets, quotes and a comment, is the same program."""
    anew = "# again\n" + ast.unparse(ast.parse(source)).replace("\n", "  # here\n\n")
    assert read(fenced(source)) == read(fenced(anew))
    assert read(fenced(source)).key.startswith("python:")


@given(PROGRAMS, PROGRAMS)
def test_two_programs_are_two(one, other):
    """Two programs are equal exactly when their trees are."""
    trees = ast.dump(ast.parse(one)), ast.dump(ast.parse(other))
    assert (read(fenced(one)) == read(fenced(other))) == (trees[0] == trees[1])


@given(PROGRAMS, st.sampled_from(["", " ", "   ", "\t"]), st.sampled_from(["```", "````", "~~~"]))
def test_indentation_of_the_block_is_not_the_program(source, indent, fence):
    """A block that is indented as a whole, a list's say, is the block."""
    block = fenced(source, fence=fence)
    assert read("\n".join(indent + line for line in block.split("\n"))) == read(fenced(source))


@given(st.text())
def test_another_language_is_its_text(source):
    """What is no Python by name is equal exactly where it is the same text, blank lines and trailing blanks aside."""
    replies = [fenced(source, "c"), fenced(source + "  \n\n", "c")]
    if "```" not in source and not re.search("</?think|/?reasoning|THINK", source, re.IGNORECASE):
        assert read(replies[0]) == read(replies[1])
        assert (answers.code(replies[0]) is None) == (not source.strip())


def test_lines_end_where_a_language_ends_them():
    """A separator of Unicode inside a text is no line end of another language, and a form feed is none."""
    for sign in "\u2028\x0b\x0c\x1c\x85":
        assert read(fenced(f'"a{sign}b"', "js")) != read(fenced('"a\nb"', "js"))


# Sources that make Python's parser warn: the same program has to be read whatever a process does about warnings.
WARNED = [
    r'"\d"', r'b"\N"', r'b"\u1234"', r'b"\U0001"', r'"\400"', r'"\777"', r'f"\d{x}"', "1if x else 2", "1or 2",
    "0xfor x in y", "1jif x else 2",
    "1.5and 2", "x is 1", 'assert (1, "x")', '"a"()', '"a"["b"]', "1()",
]  # fmt: skip


@pytest.mark.parametrize("source", WARNED)
def test_warnings_are_neither_given_nor_heeded(source):
    """Nothing warns, and where warnings are errors the key is the same."""
    with warnings.catch_warnings(record=True) as given_out:
        warnings.simplefilter("always")
        key = read(fenced(source)).key
    assert not given_out
    for action in ("error", "ignore"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            assert read(fenced(source)).key == key


RANDOM = random.Random(4)
# By what they would do to a reader that is not careful: go too deep, take too long, or raise.
HOSTILE = {
    **{
        f"chain {sign}": sign.join(["1"] * 15_000)
        for sign in ("+", "-", "*", "<", " and ", " or ", " if 1 else ", "=", ",", ";", ".")
    },
    **{
        f"prefix {sign}": sign * 15_000 + "x"
        for sign in (
            "-",
            "~",
            "not ",
            "await ",
            "*",
            "yield ",
            "lambda:",
            "lambda x:",
            "x:=",
            "@a\n",
            ":",
            "\\\n",
            "'a' ",
        )
    },
    **{f"suffix {sign}": "x" + sign * 12_000 for sign in (".a", "()", "[0]", "[:]", " if x", "\n\n", "\n# x")},
    **{
        f"{count} {opener}{inner}": (opener + inner) * count + "1 1" + closer * count
        for count in (50, 51, 100, 10_000)
        for opener, closer in ("()", "[]", "{}")
        for inner in ("", "a", "*", "**", "1:", "x for x in ", "lambda x:", "a=f", "-")
    },
    **{
        f"hidden {count} {opener}": "#" + ")" * 10_000 + "\n" + opener * count + "1 1" + closer * count
        for count in (60, 100, 199, 10_000)
        for opener, closer in ("()", "[]", "{}")
    },
    **{f"only {sign}": sign * 45_000 for sign in "()[]{}\"'\\#@:;\t\n\f\v\0 \r9_ea.,\u00a0\ud800é\ufeff"},
    "blocks": "".join(" " * level + "if x:\n" for level in range(99)) + " " * 99 + "pass",
    "too many blocks": "".join(" " * level + "if x:\n" for level in range(300)) + " " * 300 + "pass",
    "loops": "".join("\t" * level + "for x in y:\n" for level in range(80)) + "\t" * 80 + "pass",
    "elif": "if x:\n a\n" + "elif x:\n a\n" * 3000,
    "tabs and blanks": "if x:\n\ty\n        z",
    "match": "match x:\n case " + "[a]|" * 8000 + "[b]:\n  pass",
    "deep match": "match x:\n case " + "[" * 49 + "a" + "]" * 49 + ":\n  pass",
    "class patterns": "match x:\n case " + "A(a=" * 49 + "1" + ")" * 49 + ":\n  pass",
    "with": "with (" + "a as b, " * 5000 + "): pass",
    "f-strings": "f'{a}' " * 6000,
    "nested f-string": "f\"{f'{x!r:>{w}}'}\"",
    "too nested f-string": "f'{" * 3000 + "x" + "}'" * 3000,
    "braces in an f-string": "f'" + "{{" * 9000 + "{" * 9000 + "'",
    "huge int": "9" * 49_000,
    "huge bin": "0b" + "1" * 40_000,
    "huge octal": "0o" + "7" * 40_000,
    "wide hex": "0x" + "f" * 990,
    "sliced int": "1_" * 20_000 + "1",
    "huge float": "9" * 900 + "e999999",
    "huge exponent": "1e" + "9" * 900,
    "huge power": "9**9**9**9",
    "names": " ".join(r"'\N{DIGIT ONE}'" for _ in range(2000)),
    "no such name": r"'\N{NO SUCH}'",
    "half a pair": "'\\ud800' + '\ud800'",
    "no escape": r"'\x' + '\u12' + b'\xzz'",
    "null": "x = '\0'",
    "form feed": "\f x = 1",
    "coding": "# -*- coding: no-such -*-\nx = 1",
    "byte order mark": "\ufeffx = 1",
    "type comment": "x = 1 # type: " + "(" * 40_000,
    "noise": "".join(RANDOM.choice("()[]{}:=,.\n '\"\\#@*-x1f") for _ in range(20_000)),
}


EVERY_SIXTH = {*list(HOSTILE)[::6]} - {
    "with",
    "match",
    "chain ;",
    "chain <",
    "elif",
    "f-strings",
    "prefix @a\n",
}  # the slowest
STRETCHES = {f"only {sign}" for sign in '(["\\#\n'}


@pytest.mark.parametrize("name", short_form(HOSTILE, lambda name: name in STRETCHES or name in EVERY_SIXTH))
def test_hostile_sources(name):
    """No source raises, warns, or has two keys, in whatever block it stands."""
    for reply in (fenced(HOSTILE[name]), fenced(HOSTILE[name], "", "~~~~"), fenced(HOSTILE[name], "c")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            one, other = read(reply), read(reply)
        assert one == other
        assert (one is None) == (answers.code(reply) is None) == (not HOSTILE[name].strip())


FRAGMENTS = st.sampled_from(
    ["(", ")", "[", "]", "{", "}", ":", "=", ",", ".", "\n", "\n    ", "\n\t", " ", "'", '"', '"""', "\\", "#", "@",
    "*", "**", "-", ":=", "->", "f'", "rb'", "\\d", "\\N{", "\\400",
     "lambda", "def", "class", "match x:", "case", "if", "else", "for", "in", "async", "await", "yield", "not", "is",
     "x", "1", "1e999", "0x", "1_0", "1j", "\0", "\f", "\ud800", "é", "print", "...", ";"]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=40), st.sampled_from(["", " "]))
def test_fragments_of_python(pieces, between):
    """Near misses of Python never raise or warn, and are equal to themselves set with blanks at the end."""
    source = between.join(pieces)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = read(fenced(source))
        assert answer == read(fenced(source + "\n"))
    assert (answer is None) == (not source.strip())


def test_a_long_program_is_compared_as_text():
    """Beyond 50,000 characters layout counts, at any length: what a tree costs has a bound."""
    source = "x = 1\n" * 8000
    assert read(fenced(source)) == read(fenced(source.replace(" ", "")))
    assert read(fenced(source * 2)) != read(fenced((source * 2).replace(" ", "")))
    assert read(fenced(source * 2)).key.startswith("text:")


def test_nothing_is_executed(tmp_path):
    """A program that would leave a mark when run, imported or evaluated leaves none."""
    mark = tmp_path / "mark"
    source = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\nx = [1 for _ in open({str(mark)!r}, 'w')]"
    for reply in (fenced(source), fenced(f'f"{{open({str(mark)!r}, {"w"!r})}}"'), fenced("@(lambda f: f)\n" + source)):
        assert read(reply)
    assert not mark.exists()
