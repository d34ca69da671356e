"""The page of situations that people meet quotes what the code says, and names errors that exist."""

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
# What is quoted from an error or a warning: words, without code.
QUOTED = [
    quote
    for quote in re.findall(r"`([^`\n]+)`", re.sub(r"\s*\n(?!\n)", " ", PAGE))
    if " " in quote and not re.search(r"[=\[(]|^slmmux |^NoAnswerError", quote.replace("rule=", ""))
]


@pytest.fixture(scope="module")
def sentences():
    """Every string of the sources."""
    return "\n".join(
        node.value
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_there_is_something_to_compare():
    """The page is short and quotes what it is about."""
    assert PAGE.count("\n## ") in range(10, 16)
    assert len(QUOTED) >= 10


@pytest.mark.parametrize("sentence", QUOTED)
def test_what_is_quoted_is_said(sentence, sentences):
    """Each quoted sentence, numbers aside, is in a string of the sources."""
    assert all(part.strip() in sentences for part in re.split(r"\d+", sentence)), sentence


def test_the_errors_exist():
    """Each error that the page names is one that there is."""
    named = set(re.findall(r"\b(\w+Error)\b", PAGE)) - {"ValueError"}
    assert named
    for name in named:
        assert any(hasattr(place, name) for place in (slmmux, slmmux.local)), name
