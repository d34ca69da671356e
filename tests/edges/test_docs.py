"""The docs pages say only what is so: each is what its script makes of the tables and docstrings today."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slmmux import answers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("docs_answers", ROOT / "docs" / "answers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sections():
    page = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))


def rows(section):
    """The cells of a section's tables, head and rule left out; a pipe that is escaped ends no cell."""
    lines = [line for line in section.splitlines() if line.startswith("|") and not line.startswith("| ---")]
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines][1:]


def test_the_page_is_what_the_script_makes(script):
    """`python docs/answers.py` would change nothing: no table, example or sentence is older than the code."""
    assert script.missing() == []
    assert script.PAGE.read_text(encoding="utf-8") == script.page()


def test_every_extractor_has_a_section(script):
    """Whatever reads an answer is on the page, with its own first sentence and three examples."""
    made = {"FirstOf", "Regex", "canonical", "reader", "right", "same", "strip_reasoning"}
    assert set(sections()) == set(answers.__all__) - made
    for name, section in sections().items():
        assert getattr(answers, name).__doc__.splitlines()[0] in section
        widths = {len(cells) for cells in rows(section)[:3]}
        assert widths == {4 if name in {"regex", "first_of"} else 3}
        if name != "number":
            assert len(rows(section)) == 3


@pytest.mark.parametrize("written", ["1.234,56", "12,5", "1 234", "3/4"])
def test_what_could_be_read_in_two_ways(written):
    """The page says what each doubtful way to write a number becomes, and the extractor does as it says."""
    cells = next(cells for cells in rows(sections()["number"]) if f"`{written}`" in cells[0])
    spellings = re.findall(r"`([^`]*)`", cells[0])
    read = [part.strip() for part in cells[1].split(",")]
    assert answers.number(written) == (read * len(spellings) if len(read) == 1 else read)[spellings.index(written)]
    assert cells[2].strip()


def test_a_missing_table_is_named(script, monkeypatch, tmp_path):
    """Without its table an extractor has no examples, and the script says which table it is and writes nothing."""
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "TABLES", tmp_path)
    for name in set(script.EXTRACTORS) - {"code", "json"}:
        (tmp_path / f"{name}.json").write_bytes((ROOT / "tests" / "core" / "answers" / f"{name}.json").read_bytes())
    (tmp_path / "json.json").write_text("[]")
    assert script.missing() == [
        'The table json.json marks 0 entries with "doc": true; the page shows 3.',
        "The table code.json is missing.",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a", "`a`"),
        ("a|b", r"`a\|b`"),
        ("`a`", "`` `a` ``"),
        ("```", "```` ``` ````"),
        (" a", "`  a `"),
        ("a\n\nb", "`a⏎⏎b`"),
    ],
)
def test_texts_in_cells(script, text, shown):
    """Backticks, pipes and line breaks of a reply end neither its cell nor its line."""
    assert script.span(script.flat(text)) == shown


def test_long_replies_are_shortened(script):
    """A long reply keeps its start and, longer, its end."""
    assert script.shortened("a" * 90) == "a" * 90
    assert script.shortened("a" * 500 + "b" * 60) == "a" * 30 + " … " + "b" * 60


def test_the_command_makes_the_page(tmp_path):
    """The command that the page names makes it, and where a table is missing it says so and makes none."""
    shutil.copytree(ROOT / "tests" / "core" / "answers", tmp_path / "tests" / "core" / "answers")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "answers.py", tmp_path / "docs")
    command = [sys.executable, "docs/answers.py"]
    subprocess.run(command, check=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    page = tmp_path / "docs" / "answers.md"
    assert page.read_bytes() == (ROOT / "docs" / "answers.md").read_bytes()
    page.unlink()
    (tmp_path / "tests" / "core" / "answers" / "code.json").unlink()
    failed = subprocess.run(
        command, check=False, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE
    )
    assert failed.returncode == 1
    assert failed.stderr.decode().strip() == "The table tests/core/answers/code.json is missing."
    assert not page.exists()
