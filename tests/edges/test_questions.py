"""The cookbook's questions: made again they are the file, each is asked once, and its answer can be read."""

import importlib.util
import json
from collections import Counter
from pathlib import Path

from slmmux import answers

DATA = Path(__file__).parents[2] / "cookbook" / "data"
FILE = (DATA / "questions.jsonl").read_text(encoding="utf-8")
KINDS = ["capital", "fact", "opposite", "python", "sequence", "sum"]


def made():
    spec = importlib.util.spec_from_file_location("questions", DATA / "questions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.questions()


def rows():
    return [json.loads(line) for line in FILE.splitlines()]


def test_the_file_is_what_the_program_makes():
    """Made again, in any process, the questions are the committed ones to the byte."""
    assert "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in made()) == FILE


def test_each_kind_has_56_numbered_in_order():
    """The identifiers run from 001 to 056 in each of six kinds, sorted, and name the data set."""
    expected = [(f"{kind}-{number:03}", f"slmmux-{kind}") for kind in KINDS for number in range(1, 57)]
    assert [(row["question_id"], row["dataset"]) for row in rows()] == expected
    assert all(list(row) == ["question_id", "dataset", "question", "gold"] for row in rows())


def test_no_question_is_asked_twice():
    """No two questions are the same but for case and white space."""
    count = Counter(" ".join(row["question"].casefold().split()) for row in rows())
    assert [question for question, times in count.items() if times > 1] == []


def test_a_bare_correct_reply_is_read_as_the_gold_answer():
    """The gold answer, with a full stop, capitalised or emphasised, is a number or a text, the same one each time."""
    read = answers.reader("auto")
    for row in rows():
        gold = row["gold"]
        want = read(gold)
        assert want.kind in {"number", "text"}, row
        for reply in (f"{gold}.", f" {gold}\n", f"**{gold}**", gold[:1].upper() + gold[1:]):
            answer = read(reply)
            assert (answer.kind, answer.key) == (want.kind, want.key), (row, reply)


def test_numbers_are_read_as_numbers():
    """A sum or the next of a sequence is an integer in digits, and yes is the answer as often as no."""
    read = answers.reader("auto")
    numbers = [row for row in rows() if row["dataset"] in {"slmmux-sum", "slmmux-sequence"}]
    assert all(str(int(row["gold"])) == row["gold"] == read(row["gold"]).key for row in numbers)
    said = Counter(row["gold"] for row in rows() if row["question"].endswith("yes or no?"))
    assert said["yes"] == said["no"] > 0


def test_sums_and_programs_come_to_their_gold_answer(capsys):
    """What stands in the question, worked out from its text alone, is the gold answer."""
    for row in rows():
        if row["dataset"] == "slmmux-sum":
            assert str(eval(row["question"].removeprefix("What is ").removesuffix("?"))) == row["gold"]
        if row["dataset"] == "slmmux-python":
            exec(row["question"].partition("\n")[2], {})
            assert capsys.readouterr().out == row["gold"] + "\n"


def test_the_figure_asked_of_a_list_is_the_gold_answer():
    """The largest, smallest, second largest, last, even and all numbers of a list, worked out from the question."""
    worked = {
        "What is the largest of these numbers": max,
        "What is the second largest of these numbers": lambda numbers: sorted(numbers)[-2],
        "What is the smallest of these numbers": min,
        "What is the largest of these numbers minus the smallest": lambda n: max(n) - min(n),
        "What is the last of these numbers": lambda numbers: numbers.pop(),
        "How many numbers are in this list": len,
        "How many of these numbers are even": lambda numbers: len([n for n in numbers if str(n)[-1] in "02468"]),
    }
    asked = set()
    for row in rows():
        wording, _, listed = row["question"].rstrip("?").partition(": ")
        if row["dataset"] == "slmmux-sequence" and wording != "Which number comes next":
            assert str(worked[wording]([int(number) for number in listed.split(", ")])) == row["gold"]
            asked.add(wording)
    assert asked == set(worked)
