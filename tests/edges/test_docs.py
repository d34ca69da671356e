"""The docs pages agree with the code: generated pages are up to date, and each table is complete."""

import dataclasses
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from langchain_core.language_models import BaseChatModel
from llama_index.core.llms.function_calling import FunctionCallingLLM

import langchain_slmmux
import llamaindex_slmmux
import slmmux
import slmmux.serve
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import Row, answers
from slmmux.cli import app
from slmmux.config import Config, MemberConfig

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "docs" / "reference"


def load(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script():
    return load("answers")


def table(text):
    """Return a section's table by its first column, without code marks."""
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in rows(text)}


def part(text, title):
    """Return a page's part from a heading to the next of the same level."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def sections():
    page = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))


def rows(section):
    """Return the cells of a section's tables, without header and rule; an escaped pipe does not end a cell."""
    lines = [line for line in section.splitlines() if line.startswith("|") and not line.startswith("| ---")]
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines][1:]


def test_the_page_is_what_the_script_makes(script):
    """`python docs/answers.py` would not change the page."""
    assert script.faults() == []
    assert script.PAGE.read_text(encoding="utf-8") == script.page()


def test_every_extractor_has_a_section(script):
    """Each extractor has a section with its docstring's first sentence and three examples."""
    others = {
        "FirstOf",
        "Regex",
        "Score",
        "ScoreName",
        "canonical",
        "includes",
        "reader",
        "right",
        "same",
        "scored",
        "strip_reasoning",
    }
    assert set(sections()) == set(answers.__all__) - others
    for name, section in sections().items():
        assert getattr(answers, name).__doc__.splitlines()[0] in section
        widths = {len(cells) for cells in rows(section)[:3]}
        assert widths == {4 if name in {"regex", "first_of"} else 3}
        if name != "number":
            assert len(rows(section)) == 3


@pytest.mark.parametrize("written", ["1.234,56", "12,5", "1 234", "3/4"])
def test_ambiguous_numbers_are_read_as_documented(written):
    """The page gives the reading of each ambiguous notation, and the extractor agrees."""
    cells = next(cells for cells in rows(sections()["number"]) if f"`{written}`" in cells[0])
    spellings = re.findall(r"`([^`]*)`", cells[0])
    readings = [part.strip() for part in cells[1].split(",")]
    assert (
        answers.number(written)
        == (readings * len(spellings) if len(readings) == 1 else readings)[spellings.index(written)]
    )
    assert cells[2].strip()


def test_a_missing_table_is_named(script, monkeypatch, tmp_path):
    """If a table is missing, the script names it and writes nothing."""
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "TABLES", tmp_path)
    for name in set(script.EXTRACTORS) - {"code", "json"}:
        (tmp_path / f"{name}.json").write_bytes((ROOT / "tests" / "core" / "answers" / f"{name}.json").read_bytes())
    (tmp_path / "json.json").write_text("[]")
    assert script.faults() == [
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
    """Backticks, pipes and line breaks of a reply break neither its cell nor its line."""
    assert script.span(script.flat(text)) == shown


def test_long_replies_are_shortened(script):
    """A long reply keeps its start and more of its end."""
    assert script.shortened("a" * 90) == "a" * 90
    assert script.shortened("a" * 500 + "b" * 60) == "a" * 30 + " … " + "b" * 60


def test_the_command_makes_the_page(tmp_path):
    """The command that the page names makes it; if a table is missing, it says so and writes nothing."""
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


def test_the_page_of_integrations_is_what_the_script_makes():
    """`python docs/integrations.py` would not change the page; it names each integration with the version of the lock."""
    script = load("integrations")
    written = script.PAGE.read_text(encoding="utf-8")
    assert written == script.page()
    locked = script.versions()
    for framework in script.FRAMEWORKS:
        for each in script.integrations(framework):
            assert f"| {each.name} | {each.package} {locked[each.package]} |" in written


# --- tables of options, commands and fields -------------------------------------------------------------------------------------


def test_the_tables_are_what_the_script_makes():
    """`python docs/reference.py` would not change the tables of options, commands and fields."""
    for page, text in load("reference").pages().items():
        assert page.read_text(encoding="utf-8") == text, "run python docs/reference.py"


def test_every_option_of_both_classes_is_in_the_table():
    """The rows are the fields that our classes add to their framework's, with default and meaning."""
    documented = table((TABLES / "options.md").read_text("utf-8"))
    options = {
        name: field
        for model, base in (
            (llamaindex_slmmux.SLMMuxLLM, FunctionCallingLLM),
            (langchain_slmmux.SLMMuxChatModel, BaseChatModel),
        )
        for name, field in model.model_fields.items()
        if name not in base.model_fields or name == "system_prompt"
    }
    assert set(documented) == set(options)
    for name, (default, meaning) in documented.items():
        assert default == ("required" if options[name].is_required() else f"`{options[name].default!r}`")
        assert len(meaning) > 10


@pytest.mark.parametrize(("title", "model"), [("The mux", Config), ("A member", MemberConfig)])
def test_every_key_of_mux_toml_is_in_its_table(title, model):
    """The rows are exactly the keys of a `mux.toml`, each with its default."""
    documented = table(part((TABLES / "mux-toml.md").read_text("utf-8"), title))
    assert set(documented) == set(model.model_fields)
    for name, (default, meaning) in documented.items():
        field = model.model_fields[name]
        default_text = "required" if field.is_required() else "" if field.default is None else json.dumps(field.default)
        assert default.strip("`") == default_text
        assert len(meaning) > 10


def records():
    replies = {"sure": ["4"], "unsure": ["4", "5"]}
    chat = langchain_slmmux.SLMMuxChatModel(
        models={name: ScriptedChatModel(script=each) for name, each in replies.items()}
    )
    llm = llamaindex_slmmux.SLMMuxLLM(models={name: ScriptedLLM(script=each) for name, each in replies.items()})
    return [chat.invoke("2 + 2?").response_metadata["slmmux"], llm.complete("2 + 2?").raw["slmmux"]]


def test_every_field_of_a_record_is_in_its_table():
    """A record of either framework has exactly the fields of the page, and so has a row of its votes."""
    page = (TABLES / "record.md").read_text("utf-8")
    mux_part, vote = page.split("A row of `votes`")
    for record in records():
        fields = [
            name for name, cells in table(mux_part).items() if name in record or not cells[0].startswith("Only if")
        ]
        assert fields == list(record)
        assert list(table(vote)) == list(record["votes"][0])


def test_every_field_of_a_recording_is_in_its_table():
    """The rows are the fields of `Row` in order, and those without a default are marked."""
    documented = table((TABLES / "recording.md").read_text("utf-8"))
    fields = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(Row)}
    assert {name: cells[0] == "required" for name, cells in documented.items()} == fields


def commands(command, path=("slmmux",)):
    yield " ".join(path), command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_of_a_command_is_in_its_table(path):
    """Each command has a section whose rows are its arguments and options."""
    documented = table(part((TABLES / "cli.md").read_text("utf-8"), f"`{path}`"))
    options = {
        option
        for each in COMMANDS[path].params
        for option in (each.opts if each.param_type_name == "option" else [each.name.upper()])
        if option not in {"--install-completion", "--show-completion"}
    }
    assert {name for cell in documented for name in cell.removesuffix("...").split(", ")} == options


@pytest.mark.parametrize(
    ("page", "package"),
    [
        ("slmmux", slmmux),
        ("answers", answers),
        ("langchain", langchain_slmmux),
        ("llamaindex", llamaindex_slmmux),
        ("serve", slmmux.serve),
    ],
)
def test_every_public_name_is_in_the_reference(page, package):
    """The reference has exactly the names that each package exports."""
    text = (TABLES / f"{page}.md").read_text("utf-8")
    named = re.findall(rf"^::: {package.__name__}\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(set(package.__all__) - {"answers"})


def test_the_page_of_extras_has_every_extra():
    """A reader finds each extra that adds something to the package, once, on the first page."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    rows = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs" / "index.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(extras.keys() - {"docs", "integrations", "test"})
