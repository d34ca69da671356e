"""The offline commands as a person uses them: a recording in; a table, a file or JSON out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slmmux import Recording, Row, Selection
from slmmux.cli import app

from ..pydantic_words import json_fault

run = CliRunner().invoke
FOREIGN = Path(__file__).parents[1] / "core" / "foreign"


@pytest.fixture
def samples(tmp_path, monkeypatch):
    """Write a recording of three models on 30 questions, where each model is certain on a third of them."""
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


def test_select_prints_tables_and_a_verdict(samples, tmp_path):
    """The tables say in-sample or held-out, the verdict follows, and --out writes the selection."""
    out = tmp_path / "selection.json"
    result = run(app, ["select", str(samples), "--out", str(out), "--seed", "1"])
    assert result.exit_code == 0, result.output
    selection = Selection.load(out)
    for words in ("in-sample", "held-out", "a + b + c", "30 questions; unanimous, penalty 1", selection.verdict[:60]):
        assert words in result.stdout
    assert selection.verdict.startswith("mux a + b + c")


def test_select_takes_its_options(samples):
    """Sizes, models, k, the rule and the penalty come from the command line; --json prints only JSON."""
    args = ["--sizes", "2", "--models", "c,a", "--samples", "2", "--correct", "plurality", "--penalty", "0.5", "--json"]
    result = run(app, ["select", str(samples), *args])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert [subset["models"] for subset in printed["ranking"]] == [["c", "a"]]
    assert (printed["correct"], printed["penalty"], printed["models"]["a"]["samples"]) == ("plurality", 0.5, 2)


@pytest.mark.full
def test_select_compares_a_rule_with_simpler_ones(samples, tmp_path):
    """With --rule a table has each rule's result and marks the one served; so do the selection and the report."""
    out = tmp_path / "selection.json"
    args = ["--sizes", "3", "--rule", "learned", "--resamples", "4"]
    result = run(app, ["select", str(samples), *args, "--out", str(out)])
    assert result.exit_code == 0, result.output
    subset = Selection.load(out).best
    assert set(subset.contest) == {"single", "self-consistency", "pooled", "learned"}
    for name, result_of_rule in subset.contest.items():
        (row,) = [
            line for line in result.stdout.splitlines() if line.rstrip().endswith((f" {name}", f" {name}, served"))
        ]
        assert f"{100 * result_of_rule.accuracy:.1f}" in row
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
    printed = json.loads(run(app, ["scale", str(samples), "--models", "a,b", "--samples", "1,3", "--json"]).stdout)
    assert {(len(p["models"]), p["samples"]) for p in printed["scaling"]} == {(1, 1), (1, 3), (2, 1), (2, 3)}
    assert {row["name"] for row in printed["baselines"]} >= {"SLM-MUX", "Agent Forest"}


def test_report_writes_a_page(samples, tmp_path):
    """The command writes one file and prints its path."""
    page = tmp_path / "page.html"
    result = run(app, ["report", str(samples), "--out", str(page)])
    assert result.exit_code == 0, result.output
    assert page.read_text("utf-8").lower().startswith("<!doctype html>")
    assert "written:" in result.stdout


def test_reread_reads_the_texts_again(samples, tmp_path):
    """The new recording has the new extractor's answers, and the command prints how many changed."""
    out = tmp_path / "anew.jsonl.gz"
    result = run(app, ["reread", str(samples), "--extract", "text", "--out", str(out)])
    assert result.exit_code == 0, result.output
    reread_recording = Recording.load(out)
    assert (reread_recording.settings["extract"], reread_recording.rows[0].answer) == ("text", "It is 0.")
    assert "270 samples, 90 with another answer" in result.stdout


def test_convert_reads_the_logs_of_other_tools(tmp_path):
    """Logs are read by the name of their tool; an unknown name is refused with the known ones."""
    out = tmp_path / "samples.jsonl"
    result = run(app, ["convert", str(FOREIGN / "lm_eval"), "--from", "lm-eval", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert Recording.load(out).rows
    failure = run(app, ["convert", str(FOREIGN), "--from", "evals", "--out", str(out)])
    assert failure.exit_code == 2
    assert (
        "--from 'evals' does not exist; did you mean 'lm-eval'? The choices are 'lm-eval', 'inspect', 'batch',"
        in failure.stderr
    )


def test_convert_maps_the_fields_of_a_table(tmp_path):
    """--map names the fields and --model the label; what was not named is found, and standard error says how."""
    path, out = tmp_path / "a.csv", tmp_path / "samples.jsonl"
    path.write_text("prompt,one,two,label\n3 + 4?,7,8,7\n")
    result = run(app, ["convert", str(path), "--map", "answer=one,answer=two", "--model", "qwen", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"{path}: read as answer=one, answer=two, question=prompt, gold=label;" in " ".join(result.stderr.split())
    assert [(r.model, r.sample_index, r.answer, r.gold) for r in Recording.load(out).rows] == [
        ("qwen", 0, "7", "7"), ("qwen", 1, "8", "7"),
    ]  # fmt: skip
    for mapping, sentence in (("answer", "received 'answer'; write question=prompt"), ("reply=one", "no 'reply'")):
        failure = run(app, ["convert", str(path), "--map", mapping, "--out", str(out)])
        assert failure.exit_code == 1
        assert sentence in failure.stderr


def test_an_error_follows_how_the_file_was_read(tmp_path):
    """If a guessed field is the cause of an error, standard error has the guess before it."""
    path = tmp_path / "a.jsonl"
    rows = [{"task_id": "sums", "question": question, "output": "2"} for question in ("1 + 1?", "3 + 4?")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run(app, ["convert", str(path), "--out", str(tmp_path / "samples.jsonl")])
    assert result.exit_code == 1
    guess, error = result.stderr.split("error:")
    assert "read as question_id=task_id, question=question, answer=output" in guess
    assert "question 'sums' of 'a' has another text than in" in error


def test_convert_says_what_is_missing(tmp_path):
    """Failed samples and samples without a gold answer are counted; --questions has the gold answers."""
    path, out = tmp_path / "batch.jsonl", tmp_path / "samples.jsonl"
    body = {"model": "qwen", "choices": [{"index": 0, "message": {"content": "7"}}]}
    lines = [
        {"custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None},
        {"custom_id": "b", "response": None, "error": {"message": "expired"}},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = run(app, ["convert", str(path), "--out", str(out)])
    assert result.stdout.split(", ", 1)[1] == "2 samples of qwen; 1 failed; 2 without a gold answer\n"
    questions = tmp_path / "questions.csv"
    questions.write_text("id,question,answer\na,3 + 4?,7\nb,1 + 1?,2\n")
    result = run(app, ["convert", str(path), "--questions", str(questions), "--out", str(out), "--json"])
    assert json.loads(result.stdout) == {
        "written": str(out), "samples": 2, "models": ["qwen"], "questions": 2, "failed": 1, "no_answer": 0, "no_gold": 0,
    }  # fmt: skip
    assert [row.gold for row in Recording.load(out).rows] == ["7", "2"]


def test_convert_keeps_the_verdicts_of_a_filter(tmp_path):
    """--filter names the filter of lm-eval whose verdicts are the scores."""
    path, out = tmp_path / "samples_sums.jsonl", tmp_path / "samples.jsonl"
    line = {"doc_id": 0, "target": "7", "arguments": [["3 + 4?", {}]], "resps": [["7"]], "filtered_resps": ["7"]}
    graded = [{**line, "filter": name, "exact_match": score} for name, score in (("strict", 0), ("lax", 1))]
    path.write_text("".join(json.dumps(each) + "\n" for each in graded))
    assert run(app, ["convert", str(path), "--filter", "lax", "--out", str(out)]).exit_code == 0
    assert [row.score for row in Recording.load(out).rows] == [1.0]
    failure = run(app, ["convert", str(path), "--filter", "other", "--out", str(out)])
    assert "the log has no filter 'other'; it has 'strict', 'lax'" in failure.stderr


def test_repair_keeps_whole_rows_and_says_what_went(samples):
    """Each part removed is named with its line and kept beside the file; a whole file is not touched."""
    before = Recording.load(samples)
    content = samples.read_bytes()
    result = run(app, ["repair", str(samples)])
    assert (result.exit_code, result.stdout) == (
        0,
        f"{samples}: nothing to repair, {len(before.rows):,} rows are whole\n",
    )
    lines = content.splitlines(keepends=True)
    samples.write_bytes(b"".join([*lines[:7], b"damage\n", *lines[7:]]))
    result = run(app, ["repair", str(samples)])
    assert result.exit_code == 0, result.output
    assert "removed, and kept in" in result.stdout
    reason = f"the line: {json_fault('damage')}"
    assert f"line 8: {reason}" in result.stdout
    assert Recording.load(samples) == before
    assert samples.with_name(f"{samples.name}.removed").read_bytes() == b"damage\n"
    samples.write_bytes(b"".join([*lines[1:7], b"damage\n", *lines[7:]]))
    result = run(app, ["repair", str(samples), "--json"])
    assert json.loads(result.stdout)["removed"] == [{"line": 7, "reason": reason}]
    samples.write_bytes(b"damage\n" * 30)
    assert run(app, ["repair", str(samples)]).exit_code == 1


def test_incomplete_questions_are_named_or_dropped(samples):
    """An unfinished recording names the missing samples; --drop leaves those questions out."""
    lines = samples.read_bytes().splitlines(keepends=True)
    samples.write_bytes(b"".join(lines[:-4]))
    for command in ("select", "scale"):
        failure = run(app, [command, str(samples)])
        assert failure.exit_code == 1
        assert "1 of 30 questions lack samples: " in failure.stderr
        assert run(app, [command, str(samples), "--drop"]).exit_code == 0


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["select", "nowhere.jsonl"], 1, "nowhere.jsonl: No such file or directory"),
        (
            ["select", "SAMPLES", "--sizes", "two"],
            2,
            "sizes expects whole numbers, received 'two'; write them as 1,2,3",
        ),
        (["select", "SAMPLES", "--correct", "at_least:0"], 2, "correct 'at_least:0' does not exist"),
        (["select", "SAMPLES", "--models", "a,d"], 1, "no model 'd' in this recording"),
        (["select", "SAMPLES", "--sizes", "4"], 1, "4"),
        (["scale", "SAMPLES", "--samples", "9"], 1, "9"),
        (["scale", "SAMPLES", "--samples", "9;"], 2, "samples expects whole numbers, received '9;'"),
        (["reread", "SAMPLES", "--extract", "boxd", "--out", "x.jsonl"], 2, "did you mean 'boxed'?"),
        (["reread", "SAMPLES", "--agreement", "maths", "--out", "x.jsonl"], 2, "did you mean 'math'?"),
        (["convert", "SAMPLES", "--from", "lm-eval", "--extract", "boxd", "--out", "x.jsonl"], 2, "'boxed'?"),
        (["select", "SAMPLES", "--out", "no/such/folder.json"], 1, "no/such/folder.json: No such file or directory"),
    ],
)
def test_bad_input_is_a_sentence_and_an_exit_code(samples, args, status, words):
    """The error is one line on standard error; the exit code is 2 for the command line and 1 for a file."""
    result = run(app, [str(samples) if arg == "SAMPLES" else arg for arg in args])
    assert (result.exit_code, result.stdout) == (status, "")
    assert words in " ".join(result.stderr.split())
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def strict(text):
    """Read JSON like other languages: one value, without NaN and infinity."""

    def refused(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refused)


@pytest.mark.parametrize(
    ("args", "expected"),
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
def test_json_is_all_of_standard_output(samples, tmp_path, args, expected):
    """With --json each command prints one JSON object without NaN, and nothing else."""
    places = {"SAMPLES": str(samples), "FOREIGN": str(FOREIGN / "lm_eval")}
    arguments = [places.get(arg, arg.replace("OUT", str(tmp_path))) for arg in args]
    result = run(app, [*arguments, "--json"])
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert result.stdout.count("\n") == 1
    printed = strict(result.stdout)
    assert {key: printed[key] for key in expected} == expected
    if "written" in printed:
        assert Path(printed["written"]).is_file()
