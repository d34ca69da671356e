"""Questions as public data sets lay them out: options, accepted answers, contexts and golds under foreign names."""

import csv
import json

import pytest

from slmmux.profiling import read_questions

FISH = "Which is a fish?\nA. otter\nB. trout"
STEM = {"stem": "Which is a fish?", "choices": [{"label": "A", "text": "otter"}, {"label": "B", "text": "trout"}]}
# A row, and the question and the gold answer that it is.
SHAPES = {
    "a place": ({"question": "Which is a fish?", "choices": ["otter", "trout"], "answer": 1}, FISH, "B"),
    "options by letter": (
        {"question": "Which is a fish?", "options": {"A": "otter", "B": "trout"}, "answer": "B"},
        FISH,
        "B",
    ),
    "labels that are letters": (
        {"id": "x", "question": "Which is a fish?", "choices": {"text": ["otter", "trout"], "label": ["A", "B"]},
         "answerKey": "B"}, FISH, "B",
    ),
    "labels that are numbers": (
        {"id": "x", "question": "Which is a fish?", "choices": {"text": ["otter", "trout"], "label": ["1", "2"]},
         "answerKey": "2"}, FISH, "B",
    ),
    "endings": ({"query": "Which is a fish?", "endings": ["otter", "trout"], "label": 1}, FISH, "B"),
    "columns of letters": ({"question": "Which is a fish?", "A": "otter", "B": "trout", "answer": "B"}, FISH, "B"),
    "option_a and option_b": (
        {"question": "Which is a fish?", "option_a": "otter", "option_b": "trout", "answer": "B"}, FISH, "B",
    ),
    "opa and opb": ({"question": "Which is a fish?", "opa": "otter", "opb": "trout", "cop": 1}, FISH, "B"),
    "sol1 and sol2": ({"goal": "Which is a fish?", "sol1": "otter", "sol2": "trout", "label": 1}, FISH, "B"),
    "option1 and option2": (
        {"sentence": "Which is a fish?", "option1": "otter", "option2": "trout", "answer": "2"}, FISH, "B",
    ),
    "a number as id": (
        {"question_id": 70, "question": "Which is a fish?", "options": ["otter", "trout"], "answer": "B"}, FISH, "B",
    ),
    "a stem in an object": ({"id": "1", "question": STEM, "answerKey": "B"}, FISH, "B"),
    "a context": (
        {"context": "Lima is big.", "question": "What is big?", "answers": {"text": ["Lima"], "answer_start": [0]}},
        "Lima is big.\n\nWhat is big?",
        "Lima",
    ),
    "a passage": ({"passage": "Lima is big.", "question": "Is it?", "answer": "yes"}, "Lima is big.\n\nIs it?", "yes"),
    "an instruction and its input": (
        {"instruction": "Add.", "input": "2 and 2", "output": "4"}, "Add.\n\n2 and 2", "4",
    ),
    "an instruction alone": ({"instruction": "Add 2 and 2.", "input": "", "output": "4"}, "Add 2 and 2.", "4"),
    "a chat": (
        {"input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}], "ideal": "4"},
        "2 + 2?",
        "4",
    ),
    "correct answers": ({"question": "Fish?", "correct_answers": ["trout", "cod"]}, "Fish?", ["trout", "cod"]),
    "aliases": (
        {"question_id": "tq1", "question": "River?", "answer": {"value": "Nile", "aliases": ["Nile", "River Nile"]}},
        "River?",
        ["Nile", "River Nile"],
    ),
}  # fmt: skip


def written(path, row):
    if path.suffix == ".csv":
        cells = {name: json.dumps(value) if isinstance(value, list | dict) else value for name, value in row.items()}
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(cells))
            writer.writeheader()
            writer.writerow(cells)
    elif path.suffix == ".json":
        path.write_text(json.dumps([row]))
    else:
        path.write_text(json.dumps(row) + "\n")
    return path


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name, tmp_path):
    """A row is the same question in JSON Lines, in a JSON list and, its lists as JSON in a cell, in CSV."""
    row, question, gold = SHAPES[name]
    for file in ("q.jsonl", "q.json", "q.csv"):
        if name == "a stem in an object" and file == "q.csv":
            continue  # an object in a cell is a text
        (read,) = read_questions(written(tmp_path / file, row))
        assert (read.question, read.gold) == (question, gold), file


def test_a_map_of_foreign_names(tmp_path):
    """Question, options and gold are taken from the fields that a map names, whatever else the row has."""
    row = {"frage": "Which is a fish?", "auswahl": ["otter", "trout"], "richtig": 1, "text": "no"}
    fields = {"question": "frage", "options": "auswahl", "gold": "richtig"}
    (read,) = read_questions(written(tmp_path / "q.jsonl", row), fields=fields)
    assert (read.question, read.gold) == (FISH, "B")
    row = {"question": "2 + 2?", "choices": [{"turns": ["4"]}, {"turns": ["5"]}]}
    (read,) = read_questions(written(tmp_path / "c.jsonl", row), fields={"gold": "choices.0.turns.0"})
    assert (read.question, read.gold) == ("2 + 2?", "4")
    deep = {"data": {"q": "2 + 2?", "gold": {"text": "4"}}}
    (read,) = read_questions(
        written(tmp_path / "d.json", deep), fields={"question": "data.q", "gold": "data.gold.text"}
    )
    assert (read.question, read.gold) == ("2 + 2?", "4")
