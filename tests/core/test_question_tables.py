"""Questions to profile from any table or data set, some of them, and the presets of the paper's benchmarks."""

import json
import sys
import warnings

import pytest

from slmmux import ArgumentError, answers
from slmmux.profiling import PRESETS, Question, profile, read_questions

datasets = pytest.importorskip("datasets", reason="datasets loads data sets by name")

ROWS = [{"prompt": "2 + 2?", "target": "4"}, {"prompt": "3 + 4?", "target": "7"}]


def written(folder, name, rows=ROWS):
    path = folder / name
    if path.suffix == ".parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        path.write_text("\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["q.jsonl", "q.json", "q.csv", "q.parquet"])
def test_questions_of_any_table(tmp_path, name):
    """Each kind of file gives the same questions, by usual names or a map, with ids made of their texts."""
    path = written(tmp_path, name)
    questions = read_questions(path)
    assert [(q.question, q.gold) for q in questions] == [("2 + 2?", "4"), ("3 + 4?", "7")]
    assert read_questions(path, fields={"question": "target", "gold": "prompt"})[0].question == "4"
    assert questions == read_questions(written(tmp_path, "other.jsonl"))
    recording = profile({"a": lambda _: "4"}, path, samples=1, recording=tmp_path / "samples.jsonl")
    assert recording.questions == tuple(q.question_id for q in questions)


def test_documents_around_questions(tmp_path):
    """Questions may be the one list in a JSON document, or an object with their ids as names, as in other tables."""
    path = tmp_path / "q.json"
    path.write_text(json.dumps({"version": 1, "data": ROWS}))
    assert [q.gold for q in read_questions(path)] == ["4", "7"]
    path.write_text(json.dumps({"x": ROWS[0], "y": ROWS[1]}))
    assert [(q.question_id, q.gold) for q in read_questions(path)] == [("x", "4"), ("y", "7")]


def test_a_broken_line_of_questions_is_a_sentence(tmp_path):
    """A line that is cut off is named, also after lines that are whole."""
    path = written(tmp_path, "q.jsonl")
    path.write_text(path.read_text() + '{"prompt": ')
    with pytest.raises(ArgumentError, match=r"q\.jsonl line 3: not JSON"):
        read_questions(path)


def test_options_are_shown_and_a_place_is_a_letter(tmp_path):
    """Options of their own are part of the question, and a gold answer that is one's place is its letter."""
    row = {"question": "Which is a fish?", "choices": ["otter", "trout"], "answer": 1, "subject": "animals"}
    (question,) = read_questions(written(tmp_path, "q.jsonl", [row]))
    assert (question.question, question.gold) == ("Which is a fish?\nA. otter\nB. trout", "B")


def test_a_file_in_our_form_stays_as_it_is(tmp_path):
    """Where a file has question_id, question and gold, none of them is changed."""
    row = {"question_id": "q1", "question": "Which?\nA. 1\nB. 2", "gold": 1}
    assert read_questions(written(tmp_path, "q.jsonl", [row])) == (Question(**row),)


def test_a_limit_takes_the_first_or_some_at_random(tmp_path):
    """Without a seed the first questions are used; with one, the same random ones each time, in their order."""
    path = written(tmp_path, "q.jsonl", [{"question": f"{n} + 1?", "answer": str(n + 1)} for n in range(100)])
    everything = read_questions(path)
    assert read_questions(path, limit=3) == everything[:3]
    some = read_questions(path, limit=10, seed=1)
    assert some == read_questions(path, limit=10, seed=1) == tuple(sorted(some, key=everything.index))
    assert len(some) == 10
    assert some != read_questions(path, limit=10, seed=2)
    assert read_questions(path, limit=1000, seed=1) == everything
    with pytest.raises(ArgumentError, match=r"limit must be a whole number of at least 1, received 0"):
        read_questions(path, limit=0)


def test_a_question_twice(tmp_path):
    """A row that repeats a question without an id is left out, and said; two gold answers of one are refused."""
    with pytest.warns(UserWarning, match="line 3: the same question as before, left out"):
        assert len(read_questions(written(tmp_path, "q.jsonl", [*ROWS, ROWS[0]]))) == 2
    with pytest.raises(ArgumentError, match=r"line 3: the question_id 'q-[0-9a-f]+' occurs twice"):
        read_questions(written(tmp_path, "q.jsonl", [*ROWS, {"prompt": "2 + 2?", "target": "5"}]))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [{"a": 1, "b": 2}],
            "line 1: which field is the question is not clear from a, b; name it with --map question=",
        ),
        (
            [{"prompt": "q"}, {"target": "4"}],
            "line 2: the row has no question; give each row a question, or leave it out",
        ),
        ([], "has no questions; write at least one"),
    ],
)
def test_bad_tables_of_questions_are_sentences(tmp_path, rows, sentence):
    """The sentence names the file and the row."""
    with pytest.raises(ArgumentError) as raised:
        read_questions(written(tmp_path, "q.jsonl", rows))
    assert sentence in str(raised.value)
    with pytest.raises(ArgumentError, match="there are no questions; name a file, a data set or a preset"):
        read_questions()


# --- data sets --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that `datasets` loads like a data set of the hub, with two splits, and a cache of its own."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    home = tmp_path / "sums"
    home.mkdir()
    written(home, "train.jsonl", [{"question": "1 + 1?", "answer": "2"}])
    written(home, "test.jsonl", [{"question": "3 + 4?", "answer": "He adds.\n#### 7"}])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package, about itself
        yield home


def test_a_data_set_is_loaded_by_name(folder):
    """The split for tests is preferred, another may be named, and a worked solution is its result."""
    assert [(q.question, q.gold) for q in read_questions(f"hf:{folder}")] == [("3 + 4?", "7")]
    assert [q.question for q in read_questions(f"hf:{folder}:default:train")] == ["1 + 1?"]
    with pytest.raises(ArgumentError, match=r"there is no split 'dev'; choose one of (test, train|train, test)"):
        read_questions(f"hf:{folder}:default:dev")
    with pytest.raises(ArgumentError, match=r"hf:.* cannot be loaded: "):
        read_questions(f"hf:{folder}/nowhere")


def test_a_saved_data_set_is_loaded(folder):
    """A folder that save_to_disk wrote is a data set too."""
    datasets.Dataset.from_list(ROWS).save_to_disk(folder / "saved")
    assert [q.question for q in read_questions(f"hf:{folder / 'saved'}")] == ["2 + 2?", "3 + 4?"]
    datasets.DatasetDict({"validation": datasets.Dataset.from_list(ROWS[1:])}).save_to_disk(folder / "splits")
    assert [q.question for q in read_questions(f"hf:{folder / 'splits'}")] == ["3 + 4?"]


def test_without_the_package_the_extra_is_named(monkeypatch):
    """The sentence says what to install."""
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ArgumentError, match=r'needs the package datasets: pip install "slmmux\[datasets\]"'):
        read_questions("hf:openai/gsm8k:main:test")


# --- presets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "row", "reply", "gold"),
    [
        ("math500", {"problem": "Simplify.", "solution": "So $\\boxed{\\frac12}$.", "answer": "\\frac{1}{2}", "unique_id": "a/1.json"},
         "It is \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("gsm8k", {"question": "How many?", "answer": "3 + 4 = 7\n#### 7"}, "So\n#### 7", "7"),
        ("gpqa", {"question": "Which?", "choices": ["A. otter", "B. trout"], "answer": "B"}, "Answer: B", "B"),
    ],
)  # fmt: skip
def test_a_preset_reads_what_its_prompt_asks_for(tmp_path, preset, row, reply, gold):
    """The benchmark's rows give question and gold, and a reply in the form of the prompt is read as right."""
    (question,) = read_questions(written(tmp_path, "q.jsonl", [row]), preset=preset)
    assert question.gold == gold
    answer = answers.reader(PRESETS[preset].extract)(reply)
    assert answers.right(answer, question.gold)


def test_options_of_gpqa_are_in_a_random_order(tmp_path):
    """The hub's GPQA has the right answer first; the order is random, the same for one seed, and the letter follows."""
    names = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    rows = [
        {"Record ID": f"r{n}", "Question": f"{n}?", **{name: f"{name} of {n}" for name in names}} for n in range(40)
    ]
    path = written(tmp_path, "gpqa.jsonl", rows)
    questions = read_questions(path, preset="gpqa", seed=1)
    for n, question in enumerate(questions):
        assert f"{question.gold}. Correct Answer of {n}" in question.question
        assert all(f". {name} of {n}" in question.question for name in names)
    assert {question.gold for question in questions} == set("ABCD")
    assert questions == read_questions(path, preset="gpqa", seed=1)
    assert questions != read_questions(path, preset="gpqa", seed=2)


def test_an_unknown_preset_is_a_sentence():
    """The nearest preset is named."""
    with pytest.raises(ArgumentError, match=r"there is no preset 'gsm'; did you mean 'gsm8k'\?"):
        read_questions(preset="gsm")
