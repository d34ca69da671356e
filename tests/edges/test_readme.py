"""The README is short and begins with what counts: one sentence, a picture, a command.

Its snippets are tried in `test_snippets`, its figures in `test_figures` and `test_bench`.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_there_are_exactly_two_commands():
    """One runs the main job, one passes the tests; each is one line that sets everything up."""
    ask, test = (block.strip() for block in blocks("sh"))
    assert ask.endswith('slmmux ask "What is the capital of Norway?"')
    assert test.endswith("python -m pytest -n auto")
    for command in (ask, test):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert "\n" not in command


def test_the_order_of_things():
    """What it is, a picture, the first command, the swap, when it helps: in this order, on less than 200 lines."""
    marks = ["**", "<picture>", "```sh", "## Swap it in", "## When it helps", "## How it compares", "## Licence"]
    places = [README.index(mark) for mark in marks]
    assert places == sorted(places)
    assert len(README.splitlines()) < 200


def test_the_swap_is_three_lines():
    """For each framework: an import, a constructor, a call."""
    lang, llama = blocks("python")[:2]
    for block, name in ((lang, "SLMMuxChatModel"), (llama, "SLMMuxLLM")):
        lines = [line for line in block.splitlines() if line]
        assert name in lines[0]
        assert len([line for line in lines if not line.startswith("#")]) <= 4
