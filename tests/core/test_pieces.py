"""Long texts are searched and changed in pieces, with the outcome of doing it at once."""

import re

import pytest

from slmmux.answers import canonical
from slmmux.answers._pattern import pattern

TEXTS = ["word 12, " * 5_000, "a" * 40_000, "\n" * 40_000 + "12", "x" * 17_000 + "12 end", "1, 2"]
SOURCES = [r"[0-9]+", r"(word) ([0-9]+)", r"(12)", r"\Z", r"a+", r"\bend\b", r"^\n"]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("source", SOURCES)
def test_a_search_in_pieces_is_a_search(source, text):
    """Whatever is found, replaced or split, long texts are no different: matches across windows included."""
    ours, whole = pattern(source), re.compile(source)
    assert [match.span() for match in ours.finditer(text)] == [match.span() for match in whole.finditer(text)]
    assert ours.findall(text) == whole.findall(text)
    assert ours.sub("-", text) == whole.sub("-", text)
    assert ours.sub(lambda match: match[0] * 2, text, count=3) == whole.sub(lambda match: match[0] * 2, text, count=3)
    assert ours.split(text, maxsplit=2) == whole.split(text, maxsplit=2)
    first, expected = ours.search(text, 3, len(text) - 1), whole.search(text, 3, len(text) - 1)
    assert (first and first.span()) == (expected and expected.span())
    assert pattern(source, whole=True).findall(text) == whole.findall(text)


def test_a_value_of_many_parts_is_written_like_any_other():
    """A list of ten thousand numbers has the text that a short one would have."""
    assert canonical([1.0] * 10_000) == f"[{','.join('1' * 10_000)}]"
