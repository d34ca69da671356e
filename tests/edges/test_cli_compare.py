"""`slmmux compare` as a person uses it: a table, JSON, a picture, and a second run that asks nothing."""

import json

import pytest
from typer.testing import CliRunner

from slmmux.cli import app

from ..langchain.openai_server import serving

run = CliRunner().invoke


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run the command over two questions and two servers."""
    monkeypatch.setenv("COLUMNS", "200")
    lines = [{"question_id": f"q{i}", "question": f"{i} + {i}?", "gold": str(2 * i)} for i in (2, 3)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))

    def command(*more, framework="langchain", **servers):
        text = "samples = 2\n" + "".join(
            f'[models.{name}]\nurl = "{server.url}"\nmodel = "{name}-model"\n' for name, server in servers.items()
        )
        (tmp_path / "mux.toml").write_text(text)
        questions, config, out = (str(tmp_path / name) for name in ("questions.jsonl", "mux.toml", "compared"))
        return run(app, ["compare", questions, "--config", config, "--out", out, "--framework", framework, *more])

    return command


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_the_table_names_every_method_and_a_second_run_asks_nothing(command, framework, tmp_path):
    """Each method has its accuracy, gain, calls and tokens; run again, the same table comes without a request."""
    with serving(["4"]) as a, serving(["5"]) as b:
        result = command("--methods", "single,mux,fuse", framework=framework, a=a, b=b)
        requests = len(a.requests), len(b.requests)
        again = command("--methods", "single,mux,fuse", framework=framework, a=a, b=b)
        assert (len(a.requests), len(b.requests)) == requests
    assert result.exit_code == 0, result.output
    assert again.stdout == result.stdout
    rows = {
        line.split()[0]: line.split() for line in result.stdout.splitlines() if "%" in line and "interval" not in line
    }
    assert list(rows) == ["single:a", "single:b", "mux", "fuse"]
    assert rows["single:a"][1:3] == ["50.0%", "50.0%"]
    assert rows["mux"][-3] == "4.0"
    assert {file.name for file in (tmp_path / "compared").iterdir()} == {"samples.jsonl", "fuse.jsonl"}


def test_json_and_picture(command, tmp_path):
    """JSON is all of standard output and holds gains with their intervals; the picture is written beside."""
    with serving(["4"]) as a, serving(["5"]) as b:
        result = command("--methods", "single,mux", "--json", "--picture", str(tmp_path / "p.svg"), a=a, b=b)
    printed = json.loads(result.stdout)
    assert printed["best_single"] == {"includes": "single:a", "exact": "single:a"}
    gain = printed["methods"][2]["gain"]["includes"]
    assert gain["low"] < gain["points"] == 0 < gain["high"]
    assert "single:a" in (tmp_path / "p.svg").read_text("utf-8")


def test_an_unknown_method_is_a_sentence(command):
    """A method that does not exist ends with a sentence and the nearest name, before any request."""
    with serving(["4"]) as a:
        result = command("--methods", "debat", a=a)
        assert a.requests == []
    assert (result.exit_code, "did you mean 'debate'?" in result.stderr) == (1, True)
