"""The verdict in the words of one sentence, wherever it is shown."""

import json

import pytest
from typer.testing import CliRunner

from slmmux import Recording, Row
from slmmux.cli import app
from slmmux.selection import Selection
from tests.lengths import short_form

KNOWLEDGE = {  # verdict -> the two samples of model m for question q; "1" is right
    "mux": lambda m, q: "11" if q % 2 == "ab".index(m) else "23",
    "do not mux": lambda m, q: ("12" if q % 2 else "11") if m == "a" else "22",
    "cannot tell yet": lambda m, q: "11" if q % 2 else "22",
}


def recording(knows):
    """Return a pool of two models on sixty questions."""
    return Recording.of(
        Row(question_id=f"q{q:02}", model=m, sample_index=i, answer=answer, gold="1", question=f"{q}?")
        for q in range(60)
        for m in "ab"
        for i, answer in enumerate(knows(m, q))
    )


def run(*words):
    """Run a command, and return what it prints."""
    result = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "2000"})
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("verdict", short_form(KNOWLEDGE, lambda verdict: verdict != "do not mux"))
def test_each_verdict_is_the_same_sentence_everywhere(tmp_path, verdict):
    """The command, its JSON, the saved selection and the page of a report have it word for word."""
    file = tmp_path / "samples.jsonl"
    recording(KNOWLEDGE[verdict]).save(file)
    options = ("--resamples", "10", "--seed", "3")
    printed = run("select", file, *options, "--out", tmp_path / "selection.json")
    selection = Selection.load(tmp_path / "selection.json")
    assert selection.recommendation == verdict
    assert selection.verdict.startswith(verdict)
    assert selection.verdict in printed
    as_json = json.loads(run("select", file, *options, "--json"))
    assert (as_json["verdict"], as_json["recommendation"]) == (selection.verdict, verdict)
    assert as_json["more_questions"] == selection.more_questions
    run("report", file, "--resamples", "10", "--out", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    # The page has splits of its own, so its figures may differ in a digit, but not the words before them.
    words = selection.verdict.partition("(")[0].partition(" about ")[0]
    assert words[0].upper() + words[1:] in page
