"""The page of errors quotes what the code says: each sentence is in the sources, and what users meet is on the page."""

import ast
import re
from pathlib import Path

import pytest

import langchain_slmmux
import llamaindex_slmmux
import slmmux
import slmmux.local

PACKAGES = [Path(package.__file__).parent for package in (slmmux, langchain_slmmux, llamaindex_slmmux)]
PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
VARIES = "…"


def one_mark(text):
    return re.sub(f"{VARIES}+", VARIES, text)


def said(node):
    """Return a string of the sources with a mark for each part that varies; `None` where it is no string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return one_mark("".join(part.value if isinstance(part, ast.Constant) else VARIES for part in node.values))
    return None


TREES = {path: ast.parse(path.read_text("utf-8")) for package in PACKAGES for path in sorted(package.rglob("*.py"))}
DOCSTRINGS = {
    id(node.body[0].value)
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    if isinstance(node.body[0], ast.Expr)
}
SAID = {
    text
    for tree in TREES.values()
    for node in ast.walk(tree)
    if id(node) not in DOCSTRINGS and (text := said(node)) is not None and " " in text
}
MET = {
    text
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"MemberError", "ConfigError", "warn", "_warn.warn"}
    for argument in node.args[:1]
    if (text := said(argument)) is not None
}
QUOTED = [match[2].strip() for match in re.finditer(r"^- (`+)(.+?)\1(?!`)", PAGE, re.MULTILINE)]


def pattern(sentence):
    return one_mark(re.sub(r"<[^<>]*>", VARIES, sentence))


def test_there_is_something_to_compare():
    """The page quotes sentences and the sources have them: neither list is empty by a slip of this test."""
    assert len(QUOTED) > 60
    assert len(MET) > 20


@pytest.mark.parametrize("sentence", QUOTED)
def test_what_is_quoted_is_said(sentence):
    """Each sentence, with marks for what varies, is part of a string in the sources, and more than marks."""
    assert any(pattern(sentence) in text for text in SAID)
    assert len(re.findall(r"\w", pattern(sentence))) > 5


def test_what_users_meet_is_there():
    """Every warning, and every error about a member or a configuration, is on the page."""
    assert [text for text in MET if not any(pattern(sentence) in text for sentence in QUOTED)] == []


def test_the_kinds_exist():
    """Each kind of error named beside a sentence is one that there is."""
    named = set(re.findall(r"\(`(\w+)`(?:, as a cause)?\)", PAGE))
    assert {"NoAnswerError", "ConfigError", "ProfilingError"} <= named
    for name in named:
        assert any(hasattr(place, name) for place in (slmmux, slmmux.local)) or name == "TypeError"
