"""The commands as a person uses them, against a real OpenAI-compatible server on loopback."""

import json

import pytest
from typer.testing import CliRunner

from slmmux.cli import app

from ..langchain.openai_server import Refused, serving

run = CliRunner().invoke


@pytest.fixture
def mux_toml(tmp_path, monkeypatch):
    """A mux.toml with two members, each on a server of its own."""
    monkeypatch.setenv("COLUMNS", "160")

    def write(*servers):
        text = 'samples = 3\nwait = "exhausted"\nsystem_prompt = "Few words."\n'
        for name, server in zip("ab", servers, strict=False):
            text += f'[models.{name}]\nurl = "{server.url}"\nmodel = "{name}-model"\n'
        file = tmp_path / "mux.toml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write


FRAMEWORKS = pytest.mark.parametrize("framework", ["langchain", "llamaindex"])


@FRAMEWORKS
def test_json_prints_the_record_and_nothing_else(mux_toml, framework):
    """With --json standard output is one JSON object, the record, for each framework."""
    with serving(["Canberra"]) as a, serving(["Sydney", "Canberra"]) as b:
        result = run(
            app, ["ask", "Capital of Australia?", "--config", mux_toml(a, b), "--json", "--framework", framework]
        )
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert (record["model"], record["answer"], record["confidence"]) == ("a", "Canberra", 1.0)
    assert [vote["of"] for vote in record["votes"]] == [3, 3]


@FRAMEWORKS
def test_the_table_shows_all_samples_and_the_answer(mux_toml, framework):
    """Members, their samples and votes, the winner, tokens and the answer are on the screen."""
    with serving(["Canberra."]) as a, serving(["Sydney", "Melbourne", "Sydney"]) as b:
        result = run(app, ["ask", "Capital of Australia?", "--config", mux_toml(a, b), "--framework", framework])
    assert result.exit_code == 0, result.output
    for words in (
        "instruction: Few words.",
        "➜ a",
        "3/3",
        "2/3",
        "Sydney",
        "Melbourne",
        "a speaks: confidence 1.00",
        "tokens",
    ):
        assert words in result.stdout
    assert result.stdout.rstrip().endswith("Canberra.")


def test_the_command_line_overrides_the_file(mux_toml):
    """--samples, --plan and --system override the file; an empty --system sends no system prompt."""
    with serving(["4"]) as a, serving(["5"]) as b:
        args = [
            "ask",
            "2 + 2?",
            "--config",
            mux_toml(a, b),
            "--json",
            "--samples",
            "2",
            "--plan",
            "cascade",
            "--system",
            "",
        ]
        record = json.loads(run(app, args).stdout)
    assert (record["plan"], record["votes"][0]["of"], record["votes"][1]["unused"]) == ("cascade", 2, 0)
    assert [m["role"] for m in a.requests[0]["messages"]] == ["user"]


def test_replies_cannot_control_the_terminal(mux_toml):
    """Escape codes and markup in a reply are shown as text, in the table and in the answer."""
    evil = "\x1b[31m[bold]red[/bold]\x07\u202e"
    with serving([evil]) as a:
        result = run(app, ["ask", "q", "--config", mux_toml(a)])
    assert result.exit_code == 0, result.output
    assert "[bold]red[/bold]" in result.stdout
    for code in ("\x1b", "\x07", "\u202e"):
        assert code not in result.stdout


def test_an_answer_of_several_lines_keeps_them(mux_toml):
    """Lines and indentation of the answer are shown as written."""
    with serving(["def f():\n    return 1"]) as a:
        result = run(app, ["ask", "q", "--config", mux_toml(a)])
    assert result.stdout.rstrip().endswith("def f():\n    return 1")


@FRAMEWORKS
def test_failed_and_unneeded_samples_are_shown(tmp_path, monkeypatch, framework):
    """A refused call is shown as failed, a sample without a call as not needed."""
    monkeypatch.setenv("COLUMNS", "160")
    with serving([Refused(400, "no")]) as a, serving(["Canberra."]) as b, serving(["Sydney"]) as c:
        file = tmp_path / "mux.toml"
        members = {"a": a, "b": b, "c": c}
        file.write_text("".join(f'[models.{m}]\nurl = "{s.url}"\nmodel = "{m}"\n' for m, s in members.items()))
        args = ["--config", str(file), "--plan", "cascade", "--samples", "1", "--framework", framework]
        result = run(app, ["ask", "Capital of Australia?", *args])
    assert result.exit_code == 0, result.output
    assert "failed" in result.stdout
    assert "not needed" in result.stdout
    assert c.requests == []


@FRAMEWORKS
def test_no_reply_is_a_sentence_on_stderr(mux_toml, framework):
    """If all members fail, the command exits with 1 and each cause, and prints nothing with --json."""
    with serving([Refused(401, "wrong key")]) as a, serving([Refused(404, "no such model")]) as b:
        result = run(app, ["ask", "q", "--config", mux_toml(a, b), "--json", "--framework", framework])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no member replied" in result.stderr
    assert "wrong key" in result.stderr
    assert "no such model" in result.stderr


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--config", "nowhere.toml"], 1, "nowhere.toml cannot be read"),
        (["--plan", "fastest"], 2, "plan 'fastest' does not exist; choose one of 'parallel', 'cascade'"),
        (["--plan", "cascad"], 2, "plan 'cascad' does not exist; did you mean 'cascade'?"),
        (["--framework", "other"], 2, "framework 'other' does not exist; choose one of 'langchain', 'llamaindex'"),
        (["--samples", "0"], 2, "'--samples'"),
        (["--smples", "2"], 2, "--smples"),
    ],
)
def test_bad_options_get_a_sentence(args, status, words):
    """A bad option is one sentence without a traceback, with exit code 2, and a bad file with 1."""
    result = run(app, ["ask", "q", *args])
    assert (result.exit_code, result.stdout) == (status, "")
    assert words in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_missing_extras_are_named_before_any_download(monkeypatch):
    """Without the extras the default pair is not downloaded; the sentence names all that are missing."""
    monkeypatch.setattr("slmmux.cli._frameworks.installed", lambda module: False)
    monkeypatch.setattr("slmmux.local.fetch", lambda *_, **__: pytest.fail("it fetched"))
    result = run(app, ["ask", "q", "--framework", "llamaindex"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert 'pip install "slmmux[llamaindex,local]"' in result.stderr


def test_models_lists_name_size_licence_and_download(monkeypatch, tmp_path):
    """The list shows each model before any download, as a table and as JSON; no name is cut off."""
    monkeypatch.setenv("SLMMUX_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    result = run(app, ["models"])
    assert result.exit_code == 0, result.output
    for words in ("qwen2.5-coder-1.5b-instruct ", "98 MB", "Apache-2.0", "gemma-3-270m: from ", "Gemma", "no"):
        assert words in result.stdout
    entries = json.loads(run(app, ["models", "--json"]).stdout)
    assert {"name", "size", "licence", "path", "source"} == set(entries[0])
    assert (entries[0]["name"], entries[0]["path"]) == ("smollm2-135m-instruct", None)


def test_pulling_an_unknown_model_names_the_nearest():
    """An unknown name is refused with the nearest name."""
    result = run(app, ["models", "pull", "gemma-3-270"])
    assert result.exit_code == 1
    assert "gemma-3-270m" in result.stderr


def test_version():
    """--version prints the installed version."""
    from importlib.metadata import version

    assert run(app, ["--version"]).stdout.strip() == version("slmmux")


def test_a_pull_without_its_extra_names_it(monkeypatch):
    """If the packages for downloads are missing, the error names the extra."""

    def fetch(*_, **__):
        raise ModuleNotFoundError("No module named 'filelock'")

    monkeypatch.setattr("slmmux.local.fetch", fetch)
    result = run(app, ["models", "pull", "gemma-3-270m"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert 'pip install "slmmux[local]"' in result.stderr
