"""Every command of the guide "Beyond one machine" runs, in the order of the page, but those that need a cluster."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slmmux import Recording
from slmmux.cli import app

from ..langchain.openai_server import serving

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "scale.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line) for block in BLOCKS for line in block.splitlines() if line.strip()]
ADDRESS = "postgresql://me@db.example/campaign"


def commands_run(commands, folder, url):
    lines = [{"question_id": f"q{i}", "question": f"{i} + {i}?", "gold": str(2 * i)} for i in range(5)]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with serving(["4"]) as qwen, serving(["5", "6"]) as phi:
        text = "samples = 2\n"
        for name, server in {"qwen": qwen, "phi": phi}.items():
            text += f'[models.{name}]\nurl = "{server.url}"\nmodel = "{name}-model"\n'
        (folder / "mux.toml").write_text(text)
        for command in commands:
            assert command[0] == "slmmux"
            result = CliRunner().invoke(app, [url if part == ADDRESS else part for part in command[1:]])
            assert result.exit_code == 0, (command, result.output)


def test_the_commands_for_one_machine(tmp_path, monkeypatch):
    """From a journal to columns and parts, and from a store of two workers to a recording, each as printed."""
    monkeypatch.chdir(tmp_path)
    commands_run([command for command in COMMANDS if ADDRESS not in command], tmp_path, None)
    assert Recording.load("copy.jsonl.gz") == Recording.load("samples.parquet")
    assert len(Recording.load("from-store.parquet").rows) == 20


@pytest.mark.full
def test_the_commands_for_many_machines(tmp_path, monkeypatch, server):
    """The same over PostgreSQL, with another address in place of the example's."""
    monkeypatch.chdir(tmp_path)
    commands = [command for command in COMMANDS if ADDRESS in command]
    assert {command[1] for command in commands} == {"profile", "work", "status", "pull"}
    commands_run(commands, tmp_path, server.database())
    recording = Recording.load("everything.parquet")
    assert len(recording.rows) == 20
    assert {row.text for row in recording.rows} == {None}


@pytest.mark.parametrize("start", ["srun ", "command: ["])
def test_the_commands_of_schedulers_are_ours(start):
    """What a cluster would run is `slmmux work`, with options that it has; the page says that it is not run here."""
    (line,) = [line.strip() for line in PAGE.splitlines() if line.strip().startswith(start)]
    words = shlex.split(re.sub(r"[\[\],]", " ", line.removeprefix(start)))
    assert words[:2] == ["slmmux", "work"]
    result = CliRunner().invoke(app, ["work", "--help"], env={"COLUMNS": "200"})
    assert all(word in result.output for word in words if word.startswith("--"))
    assert "not run by this package's tests" in " ".join(PAGE.split())
