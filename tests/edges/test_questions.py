"""The cookbook's questions: the program makes the file again, each question is unique, and its answer can be read."""

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
    """In any process the program makes the committed file, byte for byte."""
    assert "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in made()) == FILE


def test_each_kind_has_56_numbered_in_order():
    """Identifiers run from 001 to 056 in each of six kinds, sorted, and name the dataset."""
    expected = [(f"{kind}-{number:03}", f"slmmux-{kind}") for kind in KINDS for number in range(1, 57)]
    assert [(row["question_id"], row["dataset"]) for row in rows()] == expected
    assert all(list(row) == ["question_id", "dataset", "question", "gold"] for row in rows())


def test_each_question_is_unique():
    """Two questions differ in more than case and white space."""
    count = Counter(" ".join(row["question"].casefold().split()) for row in rows())
    assert [question for question, times in count.items() if times > 1] == []


def test_a_bare_correct_reply_is_read_as_the_gold_answer():
    """The gold answer alone, with a full stop, capitalised or emphasised is read as the same answer."""
    reading = answers.reader("auto")
    for row in rows():
        gold = row["gold"]
        want = reading(gold)
        assert want.kind in {"number", "text"}, row
        for reply in (f"{gold}.", f" {gold}\n", f"**{gold}**", gold[:1].upper() + gold[1:]):
            answer = reading(reply)
            assert (answer.kind, answer.key) == (want.kind, want.key), (row, reply)


def test_numbers_are_read_as_numbers():
    """Sums and sequences have integers in digits as answers, and yes is as frequent as no."""
    reading = answers.reader("auto")
    numbers = [row for row in rows() if row["dataset"] in {"slmmux-sum", "slmmux-sequence"}]
    assert all(str(int(row["gold"])) == row["gold"] == reading(row["gold"]).key for row in numbers)
    yes_or_no = Counter(row["gold"] for row in rows() if row["question"].endswith("yes or no?"))
    assert yes_or_no["yes"] == yes_or_no["no"] > 0


def test_sums_and_programs_come_to_their_gold_answer(capsys):
    """The gold answer equals the result computed from the question's text alone."""
    for row in rows():
        if row["dataset"] == "slmmux-sum":
            assert str(eval(row["question"].removeprefix("What is ").removesuffix("?"))) == row["gold"]
        if row["dataset"] == "slmmux-python":
            exec(row["question"].partition("\n")[2], {})
            assert capsys.readouterr().out == row["gold"] + "\n"


def test_the_figure_asked_of_a_list_is_the_gold_answer():
    """Largest, smallest, second largest, last, even and all numbers of a list, computed from the question."""
    worked = {
        "What is the largest of these numbers": max,
        "What is the second largest of these numbers": lambda numbers: sorted(numbers)[-2],
        "What is the smallest of these numbers": min,
        "What is the largest of these numbers minus the smallest": lambda n: max(n) - min(n),
        "What is the last of these numbers": lambda numbers: numbers.pop(),
        "How many numbers are in this list": len,
        "How many of these numbers are even": lambda numbers: len([n for n in numbers if str(n)[-1] in "02468"]),
    }
    wordings = set()
    for row in rows():
        wording, _, numbers_in_list = row["question"].rstrip("?").partition(": ")
        if row["dataset"] == "slmmux-sequence" and wording != "Which number comes next":
            assert str(worked[wording]([int(number) for number in numbers_in_list.split(", ")])) == row["gold"]
            wordings.add(wording)
    assert wordings == set(worked)
