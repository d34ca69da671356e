"""Properties of every command: its help at 80 columns, its examples, its exit codes, its completion."""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import typer
from typer.testing import CliRunner

from slmmux import Recording, Row, answers, config, select_complementary
from slmmux.answers import ScoreName
from slmmux.cli import _offline, _profile, app
from slmmux.cli._console import print_json
from slmmux.cli._offline import _EXTRACTORS
from slmmux.local import CATALOGUE, HUB_MODELS
from slmmux.profiling import PRESETS
from slmmux.readers import FORMS

from ..cluster.scripted import replies_here
from ..langchain.openai_server import serving
from .test_commands import FOREIGN

run = CliRunner().invoke
COMMANDS = [
    "ask",
    "serve",
    "models",
    "models pull",
    "profile",
    "work",
    "status",
    "pull",
    "select",
    "scale",
    "compare",
    "report",
    "reread",
    "convert",
    "repair",
]
SLMMUX = Path(sys.executable).with_name("slmmux")


def page(command):
    """Return the help of a command as a terminal of 80 columns shows it."""
    result = run(app, [*command.split(), "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": None})
    assert result.exit_code == 0, result.output
    return result.stdout


def examples(command):
    return [line.strip() for line in re.findall(r"^ Example: (.*)$", page(command), re.MULTILINE)]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_fits_and_has_an_example(command):
    """Each line fits the terminal, flags show no type, and there is an example."""
    text = page(command)
    assert max(map(len, text.splitlines())) <= 80
    assert "<bool>" not in text
    assert "…" not in text
    start = f"slmmux {command}".strip()
    assert examples(command)
    assert all(example.startswith(start) for example in examples(command))


def test_every_command_has_one_line_in_the_list():
    """In the list of commands each one has one line, at 80 columns."""
    text = page("")
    for command in COMMANDS:
        if " " not in command:
            (line,) = re.findall(rf"^│ {command} .*│$", text, re.MULTILINE)
            assert line.rstrip("│ ").endswith(".")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with all files that the examples name, and a server on loopback."""
    monkeypatch.chdir(tmp_path)
    questions = [{"question_id": f"q{q}", "question": f"{q}?", "gold": "4"} for q in range(6)]
    rows = [
        Row(question_id=q["question_id"], question=q["question"], gold="4", model=m, sample_index=i, answer=a, text=a)
        for q in questions
        for m, a in (("qwen", "4"), ("phi", "5"), ("gemma", q["question_id"][1:]))
        for i in range(5)
    ]
    with serving(["4"]) as server:
        text = "".join(f'[models.{m}]\nurl = "{server.url}"\nmodel = "{m}"\n' for m in ("qwen", "phi"))
        (tmp_path / "mux.toml").write_text(text)
        pair = Recording.of([row for row in rows if row.model != "gemma"])
        select_complementary(pair, sizes=(1, 2), n_resamples=0).save(tmp_path / "selection.json")
        (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, questions)))
        (tmp_path / "q.jsonl").symlink_to(tmp_path / "questions.jsonl")
        (tmp_path / "results").mkdir()
        (tmp_path / "qwen.csv").write_text("prompt,output,target\n2 + 2?,4,4\n")
        (tmp_path / "results" / "my-model").symlink_to(FOREIGN / "lm_eval")
        settings = {"extract": "text", "models": {m: {} for m in ("qwen", "phi", "gemma")}}
        Recording.of(rows, settings).save(tmp_path / "samples.jsonl")
        # The default pair is a download of 1.4 GB; the tests with real models cover its answers.
        pair = config.load_config("mux.toml")
        monkeypatch.setattr(config, "default_config", lambda: pair)
        monkeypatch.setattr("slmmux.local.fetch", lambda *_, **__: tmp_path)
        monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)  # it would serve until it is interrupted
        (tmp_path / "small.toml").write_text(text)
        # Ray itself is tried in .ci/full; here its actors are in this process.
        (tmp_path / "pool.toml").write_text(f'[models.qwen]\nurl = "{server.url}"\nmodel = "qwen"\n')
        monkeypatch.setattr("slmmux.cluster._profile._ray_replies", lambda: replies_here)
        yield tmp_path


@pytest.mark.parametrize(
    ("command", "example"), [(command, example) for command in ["", *COMMANDS] for example in examples(command)]
)
def test_the_examples_of_the_help_work(folder, command, example):
    """Each printed example runs, if the files that it names exist."""
    program, *args = shlex.split(example)
    assert program == "slmmux"
    if args[-2:] == ["--out", "samples.jsonl"]:
        (folder / "samples.jsonl").unlink()  # the file that the others read
    if "--store" in args and command != "profile":
        # The tests of the store have a PostgreSQL; here a file stands for it, with a plan in it.
        args[args.index("--store") + 1] = "store.db"
        assert run(app, ["profile", "questions.jsonl", "--config", "mux.toml", "--store", "store.db"]).exit_code == 0
        if command == "status":  # it watches until all is done
            assert run(app, ["work", "--store", "store.db", "--config", "mux.toml"]).exit_code == 0
    result = run(app, args)
    assert result.exit_code == 0, result.output
    if "--out" in args:
        assert (folder / args[args.index("--out") + 1]).stat().st_size
    if "--json" in args:
        json.loads(result.stdout)


def test_the_exit_codes_are_in_the_help_and_kept(folder):
    """The exit codes are the ones that `slmmux --help` lists."""
    help_text = " ".join(page("").split())
    for words in ("0 success", "1 failure", "2 the command line is wrong", "130 interrupted"):
        assert words in help_text
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
    """The error is one line on standard error and names the help to read."""
    result = run(app, args.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(r"error: [^\n]+; see [a-z ]+ --help\n", result.stderr)


def test_an_interruption_ends_with_130(monkeypatch):
    """Ctrl-C exits with 130 in any command, as shells expect, without a traceback."""

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("slmmux.local.listing", interrupted)
    result = run(app, ["models"])
    assert (result.exit_code, result.stdout, "Traceback" in result.stderr) == (130, "", False)


def test_an_unforeseen_error_is_a_traceback(monkeypatch):
    """An error that this package does not raise on purpose is not presented as the user's mistake."""

    def broken():
        raise ZeroDivisionError

    monkeypatch.setattr("slmmux.local.listing", broken)
    assert isinstance(run(app, ["models"]).exception, ZeroDivisionError)


def test_standalone_mode_false_behaves_as_in_typer():
    """With standalone_mode=False the process does not exit, and typer's errors are raised."""
    command = typer.main.get_command(app)
    assert command.main(["--version"], standalone_mode=False) == 0
    with pytest.raises(Exception, match="nope"):
        command.main(["nope"], standalone_mode=False)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_json_is_escaped_for_any_terminal(monkeypatch, encoding):
    """Half a surrogate pair, or a letter that the terminal cannot encode, is escaped."""
    value = {"answer": "Zürich \ud83d 🙂"}
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    print_json(value)
    stream.flush()
    assert json.loads(stream.buffer.getvalue().decode(encoding)) == value


def completed(words):
    """Return bash's completions for these words, of which the last is unfinished."""
    env = {"_SLMMUX_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = run(app, [], env=env, prog_name="slmmux")
    assert result.exit_code == 0, result.output
    return result.stdout.split()


def test_the_shell_completes_values():
    """Names of models, plans, extractors, frameworks and rules are completed from their beginnings."""
    assert completed("slmmux ask --plan ca") == ["cascade"]
    assert completed("slmmux models pull ") == [*CATALOGUE, *HUB_MODELS]
    assert completed("slmmux reread --extract ") == list(_EXTRACTORS)
    assert completed("slmmux ask --framework ll") == ["llamaindex"]
    assert completed("slmmux select --correct p") == ["plurality"]
    assert completed("slmmux convert --from l") == ["lm-eval", "lighteval"]
    assert completed("slmmux re") == ["report", "reread", "repair"]


def test_the_choices_are_those_of_the_package():
    """The names that the help lists without importing their parts are all that exist."""
    assert _offline._SOURCES == FORMS
    assert get_args(ScoreName) == _offline._SCORES
    assert tuple(PRESETS) == _profile.PRESETS


def test_every_extractor_is_offered():
    """The completion offers all extractors."""
    for name in _EXTRACTORS:
        answers.reader(name)
    with pytest.raises(answers.reader.__globals__["ExtractorError"], match=", ".join(_EXTRACTORS)):
        answers.reader("no such extractor")


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


def in_bash(home, line):
    """Run a line in a new bash; a command after it keeps bash alive, so that it is found as the shell."""
    env = os.environ | {"HOME": str(home), "PATH": f"{SLMMUX.parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "--norc", "-c", f"{line}; exit $?"], env=env, check=True, capture_output=True, text=True
    ).stdout


@needs_bash
def test_completion_is_shown_for_bash(tmp_path):
    """--show-completion prints a script that bash accepts and that completes our commands."""
    script = in_bash(tmp_path, "slmmux --show-completion")
    assert "complete -o default -F _slmmux_completion slmmux" in script
    (tmp_path / "script").write_text(script)
    line = 'source "$HOME/script"; COMP_WORDS=(slmmux ask --plan ad); COMP_CWORD=3; _slmmux_completion slmmux'
    assert in_bash(tmp_path, f'{line}; echo "${{COMPREPLY[@]}}"').split() == ["adaptive"]


@needs_bash
def test_completion_installs_itself(tmp_path):
    """--install-completion writes files into the home folder that a new bash reads."""
    in_bash(tmp_path, "slmmux --install-completion")
    source = (tmp_path / ".bashrc").read_text()
    (script,) = re.findall(r"source '?([^'\n]+)'?", source)
    assert "_slmmux_completion" in Path(script).read_text("utf-8")
