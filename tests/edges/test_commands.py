"""The commands of the offline half as a person uses them: a recording in; a table, a file or JSON out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slmmux import Recording, Row, Selection
from slmmux.cli import app

run = CliRunner().invoke
FOREIGN = Path(__file__).parents[1] / "core" / "foreign"


@pytest.fixture
def samples(tmp_path, monkeypatch):
    """Write a recording: three models on 30 questions, each sure of its own third."""
    monkeypatch.setenv("COLUMNS", "160")
    rows = [
        Row(
            question_id=f"q{q}",
            model=model,
            sample_index=i,
            answer=str(q) if q % 3 == "abc".index(model) else f"{i} or so",
            text=f"It is {q}." if q % 3 == "abc".index(model) else f"{i} or so",
            gold=str(q),
            question=f"What is {q}?",
        )
        for q in range(30)
        for model in "abc"
        for i in range(3)
    ]
    file = tmp_path / "samples.jsonl"
    Recording.of(rows, {"extract": "number", "models": {m: {} for m in "abc"}}).save(file)
    return file


def test_select_says_what_to_do(samples, tmp_path):
    """The tables name what is in-sample and what is held out, the verdict is there, and --out holds the selection."""
    out = tmp_path / "selection.json"
    result = run(app, ["select", str(samples), "--out", str(out), "--seed", "1"])
    assert result.exit_code == 0, result.output
    selection = Selection.load(out)
    for words in ("in-sample", "held out", "a + b + c", "30 questions; unanimous, penalty 1", selection.verdict[:60]):
        assert words in result.stdout
    assert selection.verdict.startswith("mux a + b + c")


def test_select_takes_its_options(samples):
    """Sizes, models, k, the rule and the penalty come from the command line; --json is JSON and nothing else."""
    args = ["--sizes", "2", "--models", "c,a", "--samples", "2", "--correct", "plurality", "--penalty", "0.5", "--json"]
    result = run(app, ["select", str(samples), *args])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [subset["models"] for subset in found["ranking"]] == [["c", "a"]]
    assert (found["correct"], found["penalty"], found["models"]["a"]["samples"]) == ("plurality", 0.5, 2)


def test_select_holds_a_rule_against_the_simpler_ones(samples, tmp_path):
    """With --rule a table says what each rule brings and which is served; the selection and the report have it."""
    out = tmp_path / "selection.json"
    result = run(app, ["select", str(samples), "--sizes", "3", "--rule", "learned", "--out", str(out)])
    assert result.exit_code == 0, result.output
    subset = Selection.load(out).best
    assert set(subset.contest) == {"single", "self-consistency", "pooled", "learned"}
    for name, held in subset.contest.items():
        (row,) = [
            line for line in result.stdout.splitlines() if line.rstrip().endswith((f" {name}", f" {name}, served"))
        ]
        assert f"{100 * held.accuracy:.1f}" in row
        assert row.rstrip().endswith("served") == (name == subset.rule)
    page = tmp_path / "report.html"
    assert run(app, ["report", str(samples), "--rule", "learned", "--out", str(page)]).exit_code == 0
    assert "Decision rules and calibration" in page.read_text("utf-8")


def test_scale_shows_the_baselines_and_the_curve(samples):
    """Baselines and scaling are printed as tables and as JSON."""
    result = run(app, ["scale", str(samples)])
    assert result.exit_code == 0, result.output
    for words in ("SLM-MUX", "Agent Forest", "in-sample", "k=2", "k=3", "... + c"):
        assert words in result.stdout
    found = json.loads(run(app, ["scale", str(samples), "--models", "a,b", "--samples", "1,3", "--json"]).stdout)
    assert {(len(p["models"]), p["samples"]) for p in found["scaling"]} == {(1, 1), (1, 3), (2, 1), (2, 3)}
    assert {row["name"] for row in found["baselines"]} >= {"SLM-MUX", "Agent Forest"}


def test_report_writes_a_page(samples, tmp_path):
    """One file, said where."""
    page = tmp_path / "page.html"
    result = run(app, ["report", str(samples), "--out", str(page)])
    assert result.exit_code == 0, result.output
    assert page.read_text("utf-8").lower().startswith("<!doctype html>")
    assert "written:" in result.stdout


def test_reread_reads_the_texts_anew(samples, tmp_path):
    """The new recording has the new extractor's answers, and how many changed is said."""
    out = tmp_path / "anew.jsonl.gz"
    result = run(app, ["reread", str(samples), "--extract", "text", "--out", str(out)])
    assert result.exit_code == 0, result.output
    anew = Recording.load(out)
    assert (anew.settings["extract"], anew.rows[0].answer) == ("text", "It is 0.")
    assert "270 samples, 90 with another answer" in result.stdout


def test_convert_makes_a_recording_of_others_logs(tmp_path):
    """Logs of the other tool come in by its name; an unknown name is refused with those that are known."""
    out = tmp_path / "samples.jsonl"
    result = run(app, ["convert", str(FOREIGN / "lm_eval"), "--from", "lm-eval", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert Recording.load(out).rows
    refused = run(app, ["convert", str(FOREIGN), "--from", "helm", "--out", str(out)])
    assert refused.exit_code == 2
    assert "--from 'helm' does not exist; choose one of 'lm-eval', 'inspect'" in refused.stderr


def test_questions_that_are_not_complete_are_named_or_dropped(samples):
    """A recording that is not finished says what is missing; --drop does without."""
    whole = samples.read_bytes().splitlines(keepends=True)
    samples.write_bytes(b"".join(whole[:-4]))
    for command in ("select", "scale"):
        refused = run(app, [command, str(samples)])
        assert refused.exit_code == 1
        assert "1 of 30 questions lack samples: " in refused.stderr
        assert run(app, [command, str(samples), "--drop"]).exit_code == 0


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["select", "nowhere.jsonl"], 1, "nowhere.jsonl: No such file or directory"),
        (["select", "SAMPLES", "--sizes", "two"], 2, "sizes 'two' are no whole numbers; write them as 1,2,3"),
        (["select", "SAMPLES", "--correct", "at_least:0"], 2, "correct 'at_least:0' is no rule"),
        (["select", "SAMPLES", "--models", "a,d"], 1, "no model 'd' in this recording"),
        (["select", "SAMPLES", "--sizes", "4"], 1, "4"),
        (["scale", "SAMPLES", "--samples", "9"], 1, "9"),
        (["scale", "SAMPLES", "--samples", "9;"], 2, "samples '9;' are no whole numbers"),
        (["reread", "SAMPLES", "--extract", "boxd", "--out", "x.jsonl"], 2, "did you mean 'boxed'?"),
        (["reread", "SAMPLES", "--agreement", "maths", "--out", "x.jsonl"], 2, "did you mean 'math'?"),
        (["convert", "SAMPLES", "--from", "lm-eval", "--extract", "boxd", "--out", "x.jsonl"], 2, "'boxed'?"),
        (["select", "SAMPLES", "--out", "no/such/folder.json"], 1, "no/such/folder.json: No such file or directory"),
    ],
)
def test_bad_input_is_a_sentence_and_an_exit_code(samples, args, status, words):
    """Each command says in a line on standard error what was wrong: 2 for the command line, 1 for what it names."""
    result = run(app, [str(samples) if arg == "SAMPLES" else arg for arg in args])
    assert (result.exit_code, result.stdout) == (status, "")
    assert words in " ".join(result.stderr.split())
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def strict(text):
    """Read JSON as other languages do: one value, no NaN, no infinity."""

    def refused(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refused)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["select", "SAMPLES"], {"questions": 30, "correct": "unanimous"}),
        (["select", "SAMPLES", "--out", "OUT/selection.json"], {"penalty": 1.0}),
        (["scale", "SAMPLES"], {}),
        (["report", "SAMPLES", "--out", "OUT/p.html"], {"questions": 30, "models": ["a", "b", "c"]}),
        (["reread", "SAMPLES", "--extract", "text", "--out", "OUT/a.jsonl"], {"samples": 270, "changed": 90}),
        (
            ["convert", "FOREIGN", "--from", "lm-eval", "--out", "OUT/b.jsonl"],
            {"models": ["acme__small-3b", "acme__tiny-1b"]},
        ),
    ],
)
def test_json_is_all_of_standard_output(samples, tmp_path, args, told):
    """With --json each command prints one JSON object, NaN in none of them, and nothing else."""
    places = {"SAMPLES": str(samples), "FOREIGN": str(FOREIGN / "lm_eval")}
    given = [places.get(arg, arg.replace("OUT", str(tmp_path))) for arg in args]
    result = run(app, [*given, "--json"])
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert result.stdout.count("\n") == 1
    found = strict(result.stdout)
    assert {key: found[key] for key in told} == told
    if "written" in found:
        assert Path(found["written"]).is_file()
