"""`slmmux profile` as a person uses it: the tables, the bars, the file, an interruption and a second run."""

import json
import signal
import sys
import threading
from collections import Counter

import pytest
from typer.testing import CliRunner

from slmmux import Recording
from slmmux.cli import app

from ..langchain.openai_server import Refused, serving
from ..pydantic_words import worded

run = CliRunner().invoke
FRAMEWORKS = pytest.mark.parametrize("framework", ["langchain", "llamaindex"])


@pytest.fixture
def command(tmp_path, monkeypatch):
    """A mux.toml, four questions, and what runs the command over them."""
    monkeypatch.setenv("COLUMNS", "160")
    lines = [{"question_id": f"q{i}", "question": f"{i} + {i}?", "gold": str(2 * i)} for i in range(4)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))

    def command(*more, settings="", framework="langchain", **servers):
        text = f'samples = 2\nsystem_prompt = "Few words."\n{settings}\n'
        for name, server in servers.items():
            text += f'[models.{name}]\nurl = "{server.url}"\nmodel = "{name}-model"\n'
        (tmp_path / "mux.toml").write_text(text)
        paths = [tmp_path / name for name in ("questions.jsonl", "mux.toml", "samples.jsonl")]
        questions, config, out = map(str, paths)
        given = ["profile", questions, "--config", config, "--out", out, "--framework", framework, *more]
        return run(app, given)

    command.out = tmp_path / "samples.jsonl"
    command.questions = tmp_path / "questions.jsonl"
    return command


@FRAMEWORKS
def test_it_shows_progress_and_records_samples(command, framework):
    """Plan, estimate, bars and counts are on standard error; the samples are in the file."""
    with serving(["4"]) as a, serving(["5", "6"]) as b:
        result = command(a=a, b=b, framework=framework)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    for words in ("Planned", "Remaining, estimated from the first few requests", "8/8", "tokens"):
        assert words in result.stderr
    recording = Recording.load(command.out)
    assert Counter(row.model for row in recording.rows) == {"a": 8, "b": 8}
    assert recording.settings["system_prompt"] == "Few words."
    assert recording.settings["models"]["b"]["temperature"] == 0.7
    assert (a.requests[0]["messages"][0]["content"], a.requests[0]["n"]) == ("Few words.", 2)


def test_the_command_line_overrides_the_file(command):
    """--samples and --system override the file; an empty --system sends no system prompt."""
    with serving(["4"]) as a:
        result = command("--samples", "3", "--system", "", "--concurrency", "1", a=a)
    assert result.exit_code == 0, result.output
    assert len(Recording.load(command.out).rows) == 12
    assert [message["role"] for message in a.requests[0]["messages"]] == ["user"]


def test_a_trial_and_the_rest(command):
    """--trial makes the first few requests and estimates the rest; a second run requests only the rest."""
    with serving(["4"]) as a:
        result = command("--trial", a=a)
        assert result.exit_code == 0, result.output
        assert len(a.requests) == 3
        assert "about 14" in result.stderr
        assert len(Recording.load(command.out).rows) == 6
        result = command(a=a)
        assert len(a.requests) == 4
        result = command(a=a)
        assert (result.exit_code, len(a.requests)) == (0, 4)
    assert len(Recording.load(command.out).rows) == 8


@FRAMEWORKS
def test_json_prints_the_counts_of_each_member(command, framework):
    """With --json standard output is one JSON object with each member's counts; the bars are on standard error."""

    def script(body, _):
        return Refused(400, "no") if body["messages"][-1]["content"][0] == "1" else {"content": "4"}

    with serving(["4"]) as a, serving(script) as b:
        result = command("--json", "--retries", "0", a=a, b=b, framework=framework)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed["recording"] == str(command.out)
    assert list(printed["models"]) == ["a", "b"]
    rows = Recording.load(command.out).rows
    for label, counts in printed["models"].items():
        own = [row for row in rows if row.model == label]
        assert (counts["questions"], counts["samples"]) == (4, 8) == (len({r.question_id for r in own}), len(own))
        assert counts["failed"] == sum(row.error is not None for row in own) == (0 if label == "a" else 2)
        assert counts["output_tokens"] == sum(row.output_tokens or 0 for row in own)


def test_a_changed_setting_is_refused(command):
    """Another temperature exits with 1 and names the change; the file stays as it is."""
    with serving(["4"]) as a:
        command(a=a)
        before = command.out.read_bytes()
        result = command(a=a, settings="temperature = 0.2")
    assert result.exit_code == 1
    assert "models.a.temperature was 0.7 and is 0.2; set them back, or write to a new file" in result.stderr
    assert command.out.read_bytes() == before
    assert len(a.requests) == 4


@FRAMEWORKS
def test_an_interruption_says_how_to_continue(command, framework, interruptible):
    """Ctrl-C exits with 130; the samples so far are recorded, and the same command requests the rest."""
    main = threading.main_thread().ident

    def script(body, turn):
        if turn == 5:
            signal.pthread_kill(main, signal.SIGINT)
        return "4"

    with serving(script) as a:
        result = command("--concurrency", "1", a=a, framework=framework)
        assert result.exit_code == 130, result.output
        assert "run the same command again to continue" in result.stderr
        recorded = len(Recording.load(command.out).rows)
        assert 2 <= recorded < 8
        a.script = lambda body, turn: "4"
        a.requests.clear()
        assert command(a=a, framework=framework).exit_code == 0
    assert 2 * len(a.requests) == 8 - recorded
    assert len(Recording.load(command.out).rows) == 8


@FRAMEWORKS
def test_a_member_that_always_fails_is_a_sentence(command, framework):
    """A wrong key exits with 1 and names the cause once; the other member's first samples are recorded."""
    with serving(["4"]) as a, serving([Refused(401, "wrong key")]) as b:
        result = command(a=a, b=b, framework=framework)
    assert result.exit_code == 1
    assert "b failed at every one of the first requests" in result.stderr
    assert result.stderr.count("wrong key") == 1
    assert {row.model for row in Recording.load(command.out).rows} == {"a"}


def test_a_call_that_fails_is_a_row(command):
    """A failed call is counted on its bar, and the command exits with 0."""
    with serving(lambda body, _: Refused(400, "no") if body["messages"][-1]["content"][0] == "1" else "4") as a:
        result = command("--retries", "0", a=a)
    assert result.exit_code == 0, result.output
    assert "failed" in result.stderr
    assert [row.error is None for row in Recording.load(command.out).rows].count(False) == 2


def test_bad_questions_and_files_are_sentences(command, tmp_path):
    """Each bad file exits with 1, names the place, makes no request and changes no file."""
    with serving(["4"]) as a:
        for text, sentence in [
            ('{"question_id": "q1"}', "line 1: question: <missing>"),
            ("", "has no questions"),
        ]:
            command.questions.write_text(text)
            result = command(a=a)
            assert (result.exit_code, worded(sentence) in result.stderr) == (1, True), result.stderr
            assert not command.out.exists()
        command.questions.unlink()
        result = command(a=a)
        assert (result.exit_code, "No such file" in result.stderr) == (1, True)
        command.questions.write_text('{"question_id": "q1", "question": "2 + 2?"}')
        for out, sentence in [
            (command.questions, "line 1: model: <missing>"),
            (tmp_path / "samples.jsonl.gz", "a .gz file cannot be continued"),
            (tmp_path / "samples.csv", "a recording is a .jsonl or .jsonl.gz file"),
            (tmp_path, "a recording is a .jsonl or .jsonl.gz file"),
        ]:
            result = command("--out", str(out), a=a)
            assert (result.exit_code, worded(sentence) in result.stderr) == (1, True), result.stderr
        assert command.questions.read_text() == '{"question_id": "q1", "question": "2 + 2?"}'
        result = command("--framework", "other", a=a)
        assert (result.exit_code, "framework 'other' does not exist" in result.stderr) == (2, True)
    assert a.requests == []


def test_without_its_extra_a_framework_is_a_sentence(command, monkeypatch):
    """The error names the extra to install."""
    monkeypatch.setitem(sys.modules, "langchain_slmmux", None)
    with serving(["4"]) as a:
        result = command(a=a)
    assert result.exit_code == 1
    assert 'pip install "slmmux[langchain,local]"' in result.stderr


def test_questions_may_be_a_part_of_a_table(command, tmp_path):
    """--map names the fields of any table, and --limit with --seed takes some of its questions."""
    with serving(["4"]) as a:
        table = tmp_path / "table.csv"
        table.write_text("text,right\n" + "".join(f"{n} + {n}?,{2 * n}\n" for n in range(20)))
        command.questions.write_text("")
        config = tmp_path / "mux.toml"
        config.write_text(f'samples = 1\n[models.a]\nurl = "{a.url}"\nmodel = "a"\n')
        arguments = ["profile", str(table), "--map", "question=text,gold=right", "--config", str(config)]
        result = run(app, [*arguments, "--limit", "3", "--seed", "1", "--out", str(command.out)])
    assert result.exit_code == 0, result.output
    rows = Recording.load(command.out).rows
    assert len(rows) == 3
    assert all(row.gold == str(2 * int(row.question.split()[0])) for row in rows)
    assert [row.question for row in rows] != ["0 + 0?", "1 + 1?", "2 + 2?"]


def test_a_preset_has_its_prompt_and_extractor(command):
    """A preset sets the system prompt and the extractor; --system replaces its prompt."""
    with serving(["So\n#### 4"]) as a:
        assert command("--preset", "gsm8k", a=a).exit_code == 0
        assert "#### 7" in a.requests[0]["messages"][0]["content"]
        recording = Recording.load(command.out)
        assert (recording.settings["extract"], recording.rows[0].answer) == ("number", "4")
        result = command("--preset", "gsm", a=a)
        assert (result.exit_code, "--preset 'gsm' does not exist; did you mean 'gsm8k'?" in result.stderr) == (2, True)
    result = run(app, ["profile", "--out", str(command.out)])
    assert (result.exit_code, "there are no questions; name a file, a data set or a --preset" in result.stderr) == (
        2,
        True,
    )


def test_failed_samples_are_requested_again(command):
    """The command says how many samples failed, and --retry-failed requests only those."""
    down = True

    def reply(body, _):
        return Refused(400, "no") if down and body["messages"][-1]["content"][0] == "1" else "4"

    with serving(["4"]) as a, serving(reply) as b:
        result = command(a=a, b=b)
        assert result.exit_code == 0, result.output
        assert "2 of 16 samples failed (12.5%); run the same command with --retry-failed" in " ".join(
            result.stderr.split()
        )
        before, down = len(a.requests), False
        result = command("--tolerate", "0.1", a=a, b=b)
        assert result.exit_code == 1
        assert "more than the tolerated 10.0% failed: b 25.0%" in " ".join(result.stderr.split())
        result = command("--tolerate", "0.25", a=a, b=b)
        assert result.exit_code == 0
        assert "within the tolerated 25.0%" in " ".join(result.stderr.split())
        result = command("--retry-failed", a=a, b=b)
        assert "failed (" not in result.stderr
        assert len(a.requests) == before
    recording = Recording.load(command.out)
    assert not any(row.error for row in recording.rows)
    assert (len(recording.rows), len(recording.history)) == (16, 2)
