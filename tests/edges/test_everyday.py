"""The fifty everyday questions: their form, golds that are right by themselves, and the figures drawn from them."""

import json
import re
from pathlib import Path

from bench.everyday import RECORDED, rows
from slmmux import Recording, answers
from slmmux.config import default_config

ROOT = Path(__file__).parents[2]
QUESTIONS = [
    json.loads(line) for line in (ROOT / "cookbook" / "data" / "everyday.jsonl").read_text("utf-8").splitlines()
]


def accepted(question):
    """Return the answers that a question accepts."""
    gold = question["gold"]
    return gold if isinstance(gold, list) else [gold]


def test_there_are_fifty_of_one_form():
    """Ids run from 01 to 50, and no question is there twice."""
    assert [question["question_id"] for question in QUESTIONS] == [f"everyday-{n:02}" for n in range(1, 51)]
    assert all(list(question) == ["question_id", "question", "gold"] for question in QUESTIONS)
    texts = {question["question"].casefold() for question in QUESTIONS}
    assert len(texts) == 50


def test_every_gold_answer_is_right_by_both_scores():
    """A reply that is a gold answer, alone or in a sentence, is right; the gold answer of another question is not."""
    for question, other in zip(QUESTIONS, [*QUESTIONS[1:], QUESTIONS[0]], strict=True):
        read = answers.reader("auto", question=question["question"])
        for gold in accepted(question):
            for reply in (gold, f"{gold}.", f"The answer is {gold}."):
                assert answers.right(read(reply), question["gold"], question=question["question"]), (question, reply)
                assert answers.scored(reply, question["gold"], "includes", question=question["question"]), reply
        for gold in set(accepted(other)) - set(accepted(question)):
            assert not answers.right(read(gold), question["gold"], question=question["question"]), (question, gold)


def test_the_recording_is_of_these_questions():
    """Five samples of four models for each question, with its text and gold answer as they are in the file."""
    recording = Recording.load(RECORDED)
    assert len(recording.rows) == 50 * 4 * 5
    assert {(row.question_id, row.question, str(row.gold)) for row in recording.rows} == {
        (question["question_id"], question["question"], str(question["gold"])) for question in QUESTIONS
    }


def test_the_printed_figures_are_those_of_the_recording():
    """RESULTS.md has the table, and README and guide say the same of the default and of what it was chosen among."""
    table = list(rows(Recording.load(RECORDED)))
    assert "\n".join(table) in (ROOT / "bench" / "RESULTS.md").read_text("utf-8")
    figures = {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[1:3] for line in table[2:]}
    guide = (ROOT / "docs" / "guides" / "models.md").read_text("utf-8")
    label = {
        "qwen2.5-coder-1.5b": "qwen-coder-1.5b",
        "qwen2.5-coder-0.5b": "qwen-coder-0.5b",
        "gemma-3-270m": "gemma-270m",
    }
    printed = re.findall(
        r"^\| (\S+?)(?:, (\S+?)| alone)(?:: the default)? \| ([\d,]+) \| (\d+) \|$", guide, re.MULTILINE
    )
    for one, other, megabytes, right in printed:
        names = " + ".join(label.get(name, name) for name in (one, other) if name)
        assert figures[names] == [megabytes, right], names
    assert len(printed) == 6
    default = figures[" + ".join(label[name] for name in default_config().models)]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"two small models ({float(default[0].replace(',', '')) / 1000:.1f} GB)" in readme
    assert f"right on {default[1]} % of fifty everyday questions" in readme
