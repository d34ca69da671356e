"""What holds of every command: its help at 80 columns, its examples, its exit codes, what a shell completes."""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from slmmux import Recording, Row, answers, config
from slmmux.cli import app
from slmmux.cli._console import print_json
from slmmux.cli._offline import _EXTRACTORS
from slmmux.local import CATALOGUE

from ..langchain.openai_server import serving
from .test_commands import FOREIGN

run = CliRunner().invoke
COMMANDS = ["ask", "models", "models pull", "profile", "select", "scale", "report", "reread", "convert"]
SLMMUX = Path(sys.executable).with_name("slmmux")


def page(command):
    """The help of a command as someone sees it whose terminal has 80 columns."""
    result = run(app, [*command.split(), "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": None})
    assert result.exit_code == 0, result.output
    return result.stdout


def examples(command):
    return [line.strip() for line in re.findall(r"^ Example: (.*)$", page(command), re.MULTILINE)]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_fits_and_has_an_example(command):
    """No line is wider than the terminal, no type is shown where nothing is taken, and there is an example."""
    shown = page(command)
    assert max(map(len, shown.splitlines())) <= 80
    assert "<bool>" not in shown
    assert "…" not in shown
    wanted = f"slmmux {command}".strip()
    assert examples(command)
    assert all(example.startswith(wanted) for example in examples(command))


def test_every_command_has_a_line_of_its_own():
    """In the list each command is one line, at 80 columns."""
    shown = page("")
    for command in COMMANDS:
        if " " not in command:
            (line,) = re.findall(rf"^│ {command} .*│$", shown, re.MULTILINE)
            assert line.rstrip("│ ").endswith(".")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with all that the examples name, over a server on loopback."""
    monkeypatch.chdir(tmp_path)
    asked = [{"question_id": f"q{q}", "question": f"{q}?", "gold": "4"} for q in range(6)]
    rows = [
        Row(question_id=q["question_id"], question=q["question"], gold="4", model=m, sample_index=i, answer=a, text=a)
        for q in asked
        for m, a in (("qwen", "4"), ("phi", "5"), ("gemma", q["question_id"][1:]))
        for i in range(5)
    ]
    with serving(["4"]) as server:
        text = "".join(f'[models.{m}]\nurl = "{server.url}"\nmodel = "{m}"\n' for m in ("qwen", "phi"))
        (tmp_path / "mux.toml").write_text(text)
        (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, asked)))
        (tmp_path / "results").mkdir()
        (tmp_path / "results" / "my-model").symlink_to(FOREIGN / "lm_eval")
        settings = {"extract": "text", "models": {m: {} for m in ("qwen", "phi", "gemma")}}
        Recording.of(rows, settings).save(tmp_path / "samples.jsonl")
        # The pair that answers without a file is 0.7 GB; whether it answers is the affair of the tests with real models.
        pair = config.load_config("mux.toml")
        monkeypatch.setattr(config, "default_config", lambda: pair)
        monkeypatch.setattr("slmmux.local.fetch", lambda *_, **__: tmp_path)
        yield tmp_path


@pytest.mark.parametrize(
    ("command", "example"), [(command, example) for command in ["", *COMMANDS] for example in examples(command)]
)
def test_the_examples_of_the_help_work(folder, command, example):
    """Each example does its work as it is printed, given the files it names."""
    program, *args = shlex.split(example)
    assert program == "slmmux"
    if command in {"profile", "convert"}:
        (folder / "samples.jsonl").unlink()  # they make what the others read
    result = run(app, args)
    assert result.exit_code == 0, result.output
    if "--out" in args:
        assert (folder / args[args.index("--out") + 1]).stat().st_size
    if "--json" in args:
        json.loads(result.stdout)


def test_the_exit_codes_are_in_the_help_and_kept(folder):
    """0 done, 1 not done, 2 a command line that is wrong: `slmmux --help` says so, and it is so."""
    told = " ".join(page("").split())
    for words in ("0 done", "1 it could not be done", "2 the command line is wrong", "130 interrupted"):
        assert words in told
    for args, status in {
        "ask 2+2? --config mux.toml": 0,
        "models --json": 0,
        "--version": 0,
        "select samples.jsonl --json": 0,
        "select nowhere.jsonl": 1,
        "report samples.jsonl --out no/such/folder.html": 1,
        "ask 2+2? --config nowhere.toml": 1,
        "": 2,
        "ask": 2,
        "nope": 2,
        "ask 2+2? --samples x": 2,
        "ask 2+2? --plan x": 2,
        "ask 2+2? more": 2,
    }.items():
        assert (args, run(app, shlex.split(args)).exit_code) == (args, status)


@pytest.mark.parametrize("args", ["nope", "ask", "ask q --samples 0", "select", "models pull", "ask q --nope"])
def test_a_wrong_command_line_is_one_sentence(args):
    """It says what is wrong and where to look, in a line on standard error."""
    result = run(app, args.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(r"error: [^\n]+; see [a-z ]+ --help\n", result.stderr)


def test_an_interruption_ends_with_130(monkeypatch):
    """Ctrl-C in any command is 130, as shells have it, and no traceback."""

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("slmmux.local.listing", interrupted)
    result = run(app, ["models"])
    assert (result.exit_code, result.stdout, "Traceback" in result.stderr) == (130, "", False)


def test_an_error_of_ours_that_is_none_of_the_user_s_is_a_traceback(monkeypatch):
    """What we did not foresee is not passed off as the user's mistake."""

    def broken():
        raise ZeroDivisionError

    monkeypatch.setattr("slmmux.local.listing", broken)
    assert isinstance(run(app, ["models"]).exception, ZeroDivisionError)


def test_who_calls_the_commands_from_python_keeps_typer_s_ways():
    """With standalone_mode=False nothing ends the process and what typer raises comes through."""
    command = typer.main.get_command(app)
    assert command.main(["--version"], standalone_mode=False) == 0
    with pytest.raises(Exception, match="nope"):
        command.main(["nope"], standalone_mode=False)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_json_is_json_whatever_the_terminal_takes(monkeypatch, encoding):
    """Half a surrogate pair, or a letter that the terminal has not, is escaped and not an error."""
    said = {"answer": "Zürich \ud83d 🙂"}
    written = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", written)
    print_json(said)
    written.flush()
    assert json.loads(written.buffer.getvalue().decode(encoding)) == said


def completed(words):
    """What bash is offered after these words, the last of them not ended yet."""
    env = {"_SLMMUX_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = run(app, [], env=env, prog_name="slmmux")
    assert result.exit_code == 0, result.output
    return result.stdout.split()


def test_the_shell_completes_values():
    """Names of models, plans, extractors, frameworks and rules are offered by their beginnings."""
    assert completed("slmmux ask --plan ca") == ["cascade"]
    assert completed("slmmux models pull ") == list(CATALOGUE)
    assert completed("slmmux reread --extract ") == list(_EXTRACTORS)
    assert completed("slmmux ask --framework ll") == ["llamaindex"]
    assert completed("slmmux select --correct p") == ["plurality"]
    assert completed("slmmux convert --from l") == ["lm-eval"]
    assert completed("slmmux re") == ["report", "reread"]


def test_every_extractor_is_offered():
    """The list that the shell completes is the list there is."""
    for name in _EXTRACTORS:
        answers.reader(name)
    with pytest.raises(answers.reader.__globals__["ExtractorError"], match=", ".join(_EXTRACTORS)):
        answers.reader("no such extractor")


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


def in_bash(home, line):
    """Run a line in a bash of its own; what follows it keeps bash there, to be found as the shell."""
    env = os.environ | {"HOME": str(home), "PATH": f"{SLMMUX.parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "--norc", "-c", f"{line}; exit $?"], env=env, check=True, capture_output=True, text=True
    ).stdout


@needs_bash
def test_completion_is_shown_for_bash(tmp_path):
    """--show-completion prints a script that bash takes, and with which it completes our commands."""
    script = in_bash(tmp_path, "slmmux --show-completion")
    assert "complete -o default -F _slmmux_completion slmmux" in script
    (tmp_path / "script").write_text(script)
    line = 'source "$HOME/script"; COMP_WORDS=(slmmux ask --plan ad); COMP_CWORD=3; _slmmux_completion slmmux'
    assert in_bash(tmp_path, f'{line}; echo "${{COMPREPLY[@]}}"').split() == ["adaptive"]


@needs_bash
def test_completion_installs_itself(tmp_path):
    """--install-completion leaves in the home folder what a new bash reads."""
    in_bash(tmp_path, "slmmux --install-completion")
    source = (tmp_path / ".bashrc").read_text()
    (script,) = re.findall(r"source '?([^'\n]+)'?", source)
    assert "_slmmux_completion" in Path(script).read_text("utf-8")
