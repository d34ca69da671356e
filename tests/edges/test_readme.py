"""The README is short and starts with the essentials: one sentence, a picture, a command.

`test_snippets` checks its snippets, `test_figures` and `test_bench` its figures.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_there_are_exactly_two_commands():
    """One command runs the program and one runs the tests; each is one line that also sets everything up."""
    ask, test = (block.strip() for block in blocks("sh"))
    assert ask.endswith('slmmux ask "What is the capital of Norway?"')
    assert test.endswith("python -m pytest -n auto")
    for command in (ask, test):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert "\n" not in command


def test_the_order_of_things():
    """A sentence, a picture, the first command, the usage and the benefit, in this order, on less than 200 lines."""
    marks = ["**", "<picture>", "```sh", "## Swap it in", "## When it helps", "## How it compares", "## Licence"]
    places = [README.index(mark) for mark in marks]
    assert places == sorted(places)
    assert len(README.splitlines()) < 200


def test_the_swap_is_three_lines():
    """Each framework needs an import, a constructor and a call."""
    lang, llama = blocks("python")[:2]
    for block, name in ((lang, "SLMMuxChatModel"), (llama, "SLMMuxLLM")):
        lines = [line for line in block.splitlines() if line]
        assert name in lines[0]
        assert len([line for line in lines if not line.startswith("#")]) <= 4
