"""Files of many tools, read as a recording: tables, batches, HELM, promptfoo, lighteval, the paper's, and odd names."""

import csv
import gzip
import json
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import ArgumentError, RecordingError
from slmmux.readers import FORMS, read
from slmmux.recording._row import scored_right
from slmmux.rereading import reread

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")


@pytest.fixture(autouse=True)
def guesses_are_fine():
    """A table whose fields are guessed says so in a warning; one test looks at it, the others do not."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*: read as ")
        yield


def lines(path, *rows):
    path.parent.mkdir(exist_ok=True, parents=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def document(path, value, **form):
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps(value, **form))
    return path


def parquet(path, *rows):
    import pyarrow.parquet

    path.parent.mkdir(exist_ok=True, parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


def table(path, *rows):
    """Write rows in the form of the file's ending."""
    if path.suffix == ".parquet":
        return parquet(path, *rows)
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows({n: json.dumps(v) if isinstance(v, list) else v for n, v in row.items()} for row in rows)
        return path
    return document(path, rows, indent=1) if path.suffix == ".json" else lines(path, *rows)


def short(recording, *names):
    names = names or ("model", "question", "sample_index", "answer", "gold")
    return [tuple(getattr(row, name) for name in names) for row in recording.rows]


def error_of(*args, **kwargs):
    with pytest.raises(ArgumentError) as raised:
        read(*args, **kwargs)
    return str(raised.value)


# --- tables -----------------------------------------------------------------------------------------------------------

ENDINGS = [".jsonl", ".json", ".csv", ".parquet", ".jsonl.gz"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_is_read_by_its_map(tmp_path, ending):
    """The parts of a sample are in the fields named, in every kind of file; a question again is its next sample."""
    rows = [
        {"prompt": "3 + 4?", "output": "It is \\boxed{7}.", "target": "7"},
        {"prompt": "3 + 4?", "output": "8", "target": "7"},
        {"prompt": "1 + 1?", "output": "", "target": "2"},
    ]
    path = table(tmp_path / f"qwen{ending}", *rows)
    recording = read(path, map={"question": "prompt", "answer": "output", "gold": "target"})
    assert short(recording) == [
        ("qwen", "3 + 4?", 0, "7", "7"), ("qwen", "3 + 4?", 1, "8", "7"), ("qwen", "1 + 1?", 0, None, "2"),
    ]  # fmt: skip
    assert len(recording.questions) == 2


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("gold", ["gold", "answer", "target", "label", "ground_truth", "correct_answer"])
@pytest.mark.parametrize("reply", ["output", "response", "completion", "prediction"])
def test_usual_names_are_found(tmp_path, ending, gold, reply):
    """Without a map the fields are found by their usual names; "answer" beside a reply is the gold answer."""
    recording = read(table(tmp_path / f"a{ending}", {"question": "3 + 4?", reply: "7", gold: "7", "model": "phi"}))
    assert short(recording) == [("phi", "3 + 4?", 0, "7", "7")]


def test_answer_alone_is_the_reply(tmp_path):
    """A field "answer" beside a gold answer, and without another reply, is the reply."""
    assert short(read(lines(tmp_path / "a.jsonl", {"question": "1 + 1?", "answer": "2", "gold": "2"}))) == [
        ("a", "1 + 1?", 0, "2", "2")
    ]


def test_a_guess_is_said(tmp_path):
    """What was found by its name is a warning, so that a wrong guess is seen."""
    path = lines(tmp_path / "a.jsonl", {"question": "1 + 1?", "output": "2", "answer": "2"})
    with pytest.warns(UserWarning, match=f"{path}: read as question=question, answer=output, gold=answer; name other"):
        read(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(path, map={"question": "question", "answer": "output", "gold": "answer"})


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_list_of_replies_is_several_samples(tmp_path, ending):
    """Samples in one row are samples of one question; an empty one has no answer."""
    recording = read(table(tmp_path / f"a{ending}", {"question": "1 + 1?", "outputs": ["2", "", "3"], "gold": "2"}))
    assert [(row.sample_index, row.answer) for row in recording.rows] == [(0, "2"), (1, None), (2, "3")]


@pytest.mark.parametrize("ending", ENDINGS)
def test_numbered_fields_are_several_samples(tmp_path, ending):
    """output_1, output_2 and so on are the samples of a row, in the order of their numbers; so is a map with several."""
    row = {"question": "1 + 1?", **{f"output_{n}": str(n) for n in (1, 2, 10)}, "gold": "2"}
    path = table(tmp_path / f"a{ending}", row)
    assert [row.answer for row in read(path).rows] == ["1", "2", "10"]
    two = read(path, map={"answer": ["output_10", "output_1"]})
    assert [row.answer for row in two.rows] == ["10", "1"]


def test_dots_lead_into_objects_and_lists(tmp_path):
    """A path of keys and places finds nested values; a key with a dot in it is found too."""
    row = {
        "request": {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1?"}]},
        "response": {"choices": [{"message": {"content": "2"}}, {"message": {"content": "3"}}]},
        "meta.gold": "2",
    }
    recording = read(
        lines(tmp_path / "a.jsonl", row),
        map={"question": "request.messages", "answer": "response.choices.message", "gold": "meta.gold"},
    )
    assert short(recording) == [("a", "1 + 1?", 0, "2", "2"), ("a", "1 + 1?", 1, "3", "2")]
    one = read(
        tmp_path / "a.jsonl", map={"question": "request.messages", "answer": "response.choices.1.message.content"}
    )
    assert [row.answer for row in one.rows] == ["3"]


@pytest.mark.parametrize("indent", [None, 1])
def test_documents_around_a_table(tmp_path, indent):
    """The one list of objects in a JSON document is the table, and an object of objects has the ids as its names."""
    row = {"question": "1 + 1?", "output": "2", "gold": "2"}
    wrapped = document(tmp_path / "a.json", {"version": 1, "data": [row, row]}, indent=indent)
    assert [row.sample_index for row in read(wrapped).rows] == [0, 1]
    by_id = document(tmp_path / "b.json", {"x": row, "y": {**row, "question": "2 + 0?"}}, indent=indent)
    assert read(by_id).questions == ("x", "y")


def test_chats_with_their_replies(tmp_path):
    """The last message of a chat is the reply if there is no other; a list of replies as messages is samples."""
    chat = [
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": [{"type": "text", "text": "It is \\boxed{2}."}]},
    ]
    path = lines(tmp_path / "a.jsonl", {"messages": chat, "gold": "2"})
    assert short(read(path)) == [("a", "1 + 1?", 0, "2", "2")]
    replies = [{"role": "assistant", "content": text} for text in "23"]
    path = lines(tmp_path / "a.jsonl", {"messages": chat[:1], "responses": replies, "gold": "2"})
    assert [row.answer for row in read(path).rows] == ["2", "3"]


def test_the_model_is_the_rows_the_files_or_the_one_named(tmp_path):
    """A row's model, else the file's name; `model` replaces both."""
    path = lines(
        tmp_path / "phi.jsonl", {"question": "q", "output": "a"}, {"question": "q", "output": "b", "model": "m"}
    )
    assert read(path).models == ("phi", "m")
    assert read(path, model="x").models == ("x",)
    assert [row.sample_index for row in read(path, model="x").rows] == [0, 1]


def test_the_same_question_is_one_in_all_files(tmp_path):
    """Without ids, a question's id is made of its text, whatever the order and the white space."""
    lines(tmp_path / "a.jsonl", {"question": "1 + 1?", "output": "2"}, {"question": "3 + 4?", "output": "7"})
    lines(tmp_path / "b.jsonl", {"question": "3 + 4?\n", "output": "7"}, {"question": "1  + 1?", "output": "2"})
    recording = read(tmp_path)
    assert len(recording.questions) == 2
    assert all(set(by_model) == {"a", "b"} for by_model in recording.by_question.values())


def test_an_id_that_numbers_the_rows_is_no_questions_id(tmp_path):
    """A field "id" is used where it goes with the texts one to one, and otherwise the text is."""
    rows = [{"id": n, "question": q, "output": "2"} for n, q in enumerate(["1 + 1?", "3 + 4?", "1 + 1?"])]
    assert len(read(lines(tmp_path / "rows.jsonl", *rows)).questions) == 2
    rows[2]["id"] = 0
    assert read(lines(tmp_path / "questions.jsonl", *rows)).questions == ("0", "1")


def test_one_id_for_two_questions_is_refused(tmp_path):
    """A field that is no id (a topic, say) would make one question of many; the error names both places."""
    path = lines(tmp_path / "a.jsonl", {"task_id": "sums", "question": "1 + 1?", "output": "2"},
                 {"task_id": "sums", "question": "3 + 4?", "output": "7"})  # fmt: skip
    assert "line 2: question 'sums' of 'a' has another text than in" in error_of(path)


def test_two_gold_answers_are_refused(tmp_path):
    """A question with two right answers in two rows is two questions; spellings of which one is shared are accepted."""
    path = lines(tmp_path / "a.jsonl", *({"question": "q", "output": "2", "gold": gold} for gold in ("2", "3")))
    assert "line 2: question 'q-" in error_of(path)
    path = lines(tmp_path / "a.jsonl", *({"question": "q", "output": "2", "gold": gold} for gold in (2, ["2", "two"])))
    assert [row.gold for row in read(path).rows] == [[2, "two"], [2, "two"]]


def test_a_list_of_golds_holds_accepted_answers(tmp_path):
    """A list of gold answers stays one, each once; in CSV it is JSON in a cell; one alone is an answer."""
    golds = ["Nile", "the Nile", "Nile"]
    for ending in ENDINGS:
        path = table(tmp_path / f"a{ending}", {"question": "q", "output": "Nile", "golds": golds})
        assert [row.gold for row in read(path, map={"gold": "golds"}).rows] == [["Nile", "the Nile"]]
    assert [
        row.gold for row in read(lines(path.with_suffix(".jsonl"), {"prompt": "q", "output": "a", "gold": ["b"]})).rows
    ] == ["b"]


OPTIONS = "Which is a fish?\nA. otter\nB. trout"


@pytest.mark.parametrize(
    ("question", "gold", "read_gold"),
    [
        (OPTIONS, 1, "B"),
        (OPTIONS, "1", "B"),
        (OPTIONS, "B", "B"),
        (OPTIONS, 7, 7),
        (OPTIONS, -1, -1),
        (OPTIONS, [0, 1], ["A", "B"]),
        ("Which is a fish? (A) otter (B) trout", 0, "A"),
        ("Which?\nA) 1\nB) 2", "1", "1"),
        ("How many?", 1, 1),
        ("How many?", True, True),
        ("A. first example\nB. b\nAnswer: A\n\nWhich is a fish?\nA. trout\nB. otter\nC. owl", 2, "C"),
        ("1 + 1?", "He adds.\n#### 2", "2"),
    ],
)
def test_an_options_place_becomes_its_letter(tmp_path, question, gold, read_gold):
    """A number is an option's place only where the question shows options, and is not the text of one."""
    assert [
        row.gold for row in read(lines(tmp_path / "a.jsonl", {"question": question, "output": "x", "gold": gold})).rows
    ] == [read_gold]


def test_options_of_their_own_are_shown(tmp_path):
    """Options in a field are part of the question, with letters, so that a reply's letter has a meaning."""
    row = {"question": "Which is a fish?", "choices": ["otter", "trout"], "output": "B", "answer": 1}
    assert short(read(lines(tmp_path / "a.jsonl", row))) == [("a", OPTIONS, 0, "B", "B")]


def test_scores_and_failures_come_along(tmp_path):
    """The other tool's verdict is the score, whatever it is written as, and an error fails the sample."""
    rows = [{"question": "q", "output": "2", "is_correct": value} for value in (True, "C", 0, "incorrect", 0.5, None)]
    recording = read(lines(tmp_path / "a.jsonl", *rows, {"question": "q", "output": None, "error": "timed out"}))
    assert [row.score for row in recording.rows] == [1, 1, 0, 0, 0.5, None, None]
    assert [scored_right(row) for row in recording.rows] == [True, True, False, False, False, None, None]
    assert [row.error for row in recording.rows][-1] == "timed out"


@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_nan_as_gold_is_a_sentence(tmp_path, ending):
    """NaN equals no answer; the sentence says what to write."""
    path = table(tmp_path / f"a{ending}", {"question": "q", "output": "2", "gold": float("nan")})
    assert error_of(path).endswith(
        "the gold answer is NaN, which equals no answer; write null if there is no gold answer"
    )


def test_a_missing_number_in_parquet_is_no_gold(tmp_path):
    """In a column of numbers a missing one is NaN, which pandas means as missing."""
    path = parquet(
        tmp_path / "a.parquet",
        *({"question": q, "output": "2", "gold": g} for q, g in (("a", 2.0), ("b", float("nan")))),
    )
    assert [row.gold for row in read(path).rows] == [2.0, None]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "hello\n",
            "line 1: not JSON (expected value at line 1 column 1); write one JSON object a line; the forms that are read are lm-eval, inspect, batch,",
        ),
        ("", "the file has no rows"),
        ("[1]", "item 0: a row of a table is a JSON object, received int"),
        (
            '{"a": 1}\n',
            "in none of the forms that are read (lm-eval, inspect, batch, helm, promptfoo, lighteval, slm-mux, and",
        ),
        ('{"question": "q", "output": "a"}\n{"question": ', "line 2: not JSON"),
        ('[{"question": "q"', ": not JSON"),
        ("[" * 100_000, ": not JSON"),
    ],
)
def test_a_file_of_no_known_form_is_a_sentence(tmp_path, text, sentence):
    """The sentence names the file, and the forms that are read where it has none of them."""
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    assert error_of(path).startswith(str(path))
    assert sentence in error_of(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"question,output\nq,a,b\n", "line 2: 1 more cells than the header has; quote a cell that holds ','"),
        (b"question,output\nq,\xff\n", "line 2: not UTF-8"),
        (b'question,output\nq,"a\n', "not CSV"),
    ],
)
def test_bad_csv_is_a_sentence(tmp_path, content, sentence):
    """A cell too many, another encoding and an open quote are named."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert sentence in error_of(path)


def test_csv_of_other_separators_and_long_cells(tmp_path):
    """Semicolons and tabs part cells too, a byte-order mark is no part of a name, and a reply may be long."""
    for name, sign in (("a.csv", ";"), ("b.tsv", "\t"), ("c.csv", ",")):
        reply = "word " * 50_000 + "\\boxed{7}"
        text = f'\ufeffquestion{sign}output{sign}gold\r\nq{sign}"two\r\nlines"{sign}7\r\nq{sign}{reply}{sign}7\r\n'
        (tmp_path / name).write_bytes(text.encode())
        rows = read(tmp_path / name).rows
        assert [row.text for row in rows] == ["two\r\nlines", reply]
        assert rows[1].answer == "7"


def test_bad_parquet_is_a_sentence(tmp_path, monkeypatch):
    """A file that only ends in .parquet is named, and without pyarrow the extra is."""
    path = tmp_path / "a.parquet"
    path.write_bytes(b"hello")
    assert error_of(path).startswith(f"{path}: not a Parquet file, or an incomplete one (")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert error_of(path) == f'{path}: Parquet needs pyarrow: pip install "slmmux[parquet]"'


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"map": {"answr": "output"}}, "a map has no 'answr'; did you mean 'answer'?"),
        ({"map": {"question": "prompt"}}, "no row has a field 'prompt' for question; the fields are question, output"),
        ({"map": {"gold": ["a", "b"]}}, "gold is one field, received a, b; only answer may have several"),
        ({"map": {}, "source": "helm"}, "map names the fields of a table, and these files are helm; leave it out"),
        ({"filter": "strict"}, "filter names a filter of lm-eval, and these files are table; leave it out"),
        ({"source": "evals"}, "source 'evals' does not exist; choose one of 'lm-eval', 'inspect'"),
        ({"source": "batch", "extract": None}, "batch files have no answers but the texts"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, sentence):
    """An option of another form is an error and not ignored."""
    assert sentence in error_of(lines(tmp_path / "a.jsonl", {"question": "q", "output": "a"}), **options)


def test_replies_may_be_the_answers(tmp_path):
    """With extract=None a reply is the answer, unchanged."""
    recording = read(lines(tmp_path / "a.jsonl", {"question": "q", "output": "the answer: 7"}), extract=None)
    assert [(row.answer, row.kind) for row in recording.rows] == [("the answer: 7", None)]


def test_a_reply_is_read_with_its_question(tmp_path):
    """The words of the question are no part of the answer, as in a live mux; reading again changes nothing."""
    question, reply = "What is the capital of Ghana?", "The capital of Ghana is Accra."
    recording = read(lines(tmp_path / "a.jsonl", {"question": question, "output": reply, "gold": "Accra"}))
    assert [row.answer for row in recording.rows] == ["Accra"]
    assert reread(recording).rows == recording.rows


rows_of_tables = st.lists(
    st.fixed_dictionaries({"question": st.text(min_size=1, max_size=4), "output": st.text(max_size=6)}),
    min_size=1,
    max_size=6,
)


@given(rows_of_tables)
def test_every_row_is_a_sample(tmp_path_factory, rows):
    """Each row of any table is one sample, the samples of a question count from 0, and its text is the reply."""
    recording = read(lines(tmp_path_factory.mktemp("any") / "a.jsonl", *rows))
    assert [row.text for row in recording.rows] == [row["output"] for row in rows]
    for by_model in recording.by_question.values():
        assert [row.sample_index for row in by_model["a"]] == list(range(len(by_model["a"])))


# --- batches ----------------------------------------------------------------------------------------------------------


def result(custom_id, *contents, model="qwen", **changes):
    choices = [{"index": i, "message": {"role": "assistant", "content": text}} for i, text in enumerate(contents)]
    body = {"model": model, "choices": choices, "usage": {"prompt_tokens": 10, "completion_tokens": 7}}
    return {"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None, **changes}


def test_the_choices_of_a_result_are_samples(tmp_path):
    """The custom_id is the question, its choices are the samples in their order, and tokens sum to what was paid."""
    reversed_choices = result("b", "7", "8")
    reversed_choices["response"]["body"]["choices"].reverse()
    recording = read(lines(tmp_path / "out.jsonl", result("a", "2", None), reversed_choices))
    assert short(recording, "question_id", "model", "sample_index", "answer") == [
        ("a", "qwen", 0, "2"), ("a", "qwen", 1, None), ("b", "qwen", 0, "7"), ("b", "qwen", 1, "8"),
    ]  # fmt: skip
    assert sum(row.input_tokens for row in recording.rows) == 20
    assert [row.output_tokens for row in recording.rows] == [4, 3, 4, 3]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"response": {"status_code": 400, "body": {"error": {"message": "too long"}}}}, "HTTP 400: too long"),
        ({"response": {"status_code": 500, "body": None}}, "HTTP 500"),
        ({"response": None, "error": {"code": "batch_expired", "message": "too late"}}, "batch_expired: too late"),
        ({"response": {"status_code": 400, "body": None}, "error": "bad request"}, "bad request"),
        ({"response": None}, "the result has no response"),
    ],
)
def test_a_failed_request_is_one_failed_sample(tmp_path, change, reason):
    """Each kind of failure keeps its reason, and the model is the one that the other lines name."""
    recording = read(lines(tmp_path / "out.jsonl", result("a", "2", "3"), result("b", **change)))
    assert [(row.model, row.error) for row in recording.by_question["b"]["qwen"]] == [("qwen", reason)]
    assert [row.error for row in recording.by_question["a"]["qwen"]] == [None, None]


def test_requests_name_question_temperature_and_model(tmp_path):
    """The file of requests, given with the results or in one folder with them, has the question, the temperature and the model."""
    body = {"model": "phi", "temperature": 0.7, "messages": [{"role": "user", "content": "1 + 1?"}]}
    lines(
        tmp_path / "requests.jsonl", {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    )
    lines(tmp_path / "results.jsonl", result("a", response=None, error={"message": "gone"}))
    assert short(read(tmp_path), "model", "question", "temperature", "error") == [("phi", "1 + 1?", 0.7, "gone")]
    assert "requests without results" in error_of(tmp_path / "requests.jsonl")


def test_a_file_of_errors_beside_the_results(tmp_path):
    """OpenAI writes refused requests into a file of their own, which names no model, so the model of the results is used."""
    lines(tmp_path / "output.jsonl", result("a", "2"))
    lines(tmp_path / "errors.jsonl", result("b", response={"status_code": 429, "body": {"error": {"message": "slow"}}}))
    recording = read(tmp_path)
    assert sorted(short(recording, "model", "question_id", "error")) == [
        ("qwen", "a", None),
        ("qwen", "b", "HTTP 429: slow"),
    ]


def test_other_endpoints_of_a_batch(tmp_path):
    """Completions and responses have texts too; embeddings have none and are refused."""
    completions = {
        "custom_id": "a",
        "response": {"status_code": 200, "body": {"model": "m", "choices": [{"index": 0, "text": "2"}]}},
    }
    output = [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "The answer is 7."}]},
    ]
    responses = {"custom_id": "b", "response": {"status_code": 200, "body": {"model": "m", "output": output}}}
    old = {"custom_id": "c", "response": {"model": "m", "choices": [{"message": {"content": "4"}}]}, "error": None}
    recording = read(lines(tmp_path / "out.jsonl", completions, responses, old))
    assert [row.answer for row in recording.rows] == ["2", "7", "4"]
    embeddings = {"custom_id": "a", "response": {"status_code": 200, "body": {"model": "m", "data": []}}}
    assert "the response has no choices, so it holds no texts" in error_of(lines(tmp_path / "e.jsonl", embeddings))


def test_golds_from_a_file_of_questions(tmp_path):
    """Where the files know no gold answer, a table of questions with the same ids does."""
    path = lines(tmp_path / "out.jsonl", result("a", "2"), result("b", "7"))
    golds = lines(tmp_path / "golds" / "q.jsonl", {"question_id": "a", "question": "1 + 1?", "gold": "2"})
    with pytest.warns(UserWarning, match="1 samples: their question is not in"):
        recording = read(path, questions=golds)
    assert short(recording, "question_id", "question", "gold") == [("a", "1 + 1?", "2"), ("b", None, None)]
    other = lines(tmp_path / "golds" / "other.jsonl", {"question_id": "x", "question": "?", "gold": "2"})
    assert "none of the 1 questions is one of the samples' ('a', 'b' and so on)" in error_of(path, questions=other)


# --- HELM -------------------------------------------------------------------------------------------------------------


def state(number, question, *texts, right=("7",), wrong=(), **changes):
    references = [{"output": {"text": text}, "tags": ["correct"]} for text in right]
    references += [{"output": {"text": text}, "tags": []} for text in wrong]
    return {
        "instance": {"id": f"id{number}", "input": {"text": question}, "references": references},
        "request": {"model": "org/qwen", "temperature": 0.7, "prompt": f"Q: {question}\nA:"},
        "result": {"success": True, "request_time": 0.5, "completions": [{"text": text} for text in texts]},
    } | changes


def helm(folder, *states, method="generation"):
    return document(
        folder / "scenario_state.json", {"adapter_spec": {"method": method}, "request_states": states}, indent=1
    )


def test_completions_of_helm_are_samples(tmp_path):
    """Completions are samples, references tagged correct are the gold, and a request that failed is one sample."""
    failure = {"result": {"success": False, "completions": [], "error": "no server"}}
    helm(tmp_path / "run", state(1, "3 + 4?", " 7", " 8"), state(2, "river?", "Nile", right=("Nile", "the Nile")),
         state(3, "gone?", **failure))  # fmt: skip
    recording = read(tmp_path)
    assert short(recording, "model", "question", "sample_index", "answer", "gold", "temperature", "error") == [
        ("org/qwen", "3 + 4?", 0, "7", "7", 0.7, None),
        ("org/qwen", "3 + 4?", 1, "8", "7", 0.7, None),
        ("org/qwen", "river?", 0, "Nile", ["Nile", "the Nile"], 0.7, None),
        ("org/qwen", "gone?", 0, None, "7", 0.7, "no server"),
    ]


def test_a_choice_of_helm_is_a_letter(tmp_path):
    """Where completions are mapped to options, the gold is the letter, and the question shows the options."""
    helm(tmp_path / "run", state(1, "Which is a fish?", " B", right=("trout",), wrong=("otter",),
                                 output_mapping={"A": "otter", "B": "trout"}))  # fmt: skip
    assert short(read(tmp_path), "question", "answer", "gold") == [(OPTIONS, "B", "B")]


def test_one_question_in_the_runs_of_two_models(tmp_path):
    """HELM numbers each scenario's instances alike; the question decides which are one, and folders do not."""
    helm(tmp_path / "sums:model=a", state(1, "3 + 4?", "7"))
    helm(tmp_path / "sums:model=b", state(1, "3 + 4?", "7", request={"model": "org/phi"}))
    helm(tmp_path / "other:model=a", state(1, "1 + 1?", "2", right=("2",)))
    recording = read(tmp_path)
    assert sorted(len(by_model) for by_model in recording.by_question.values()) == [1, 2]
    assert {row.dataset for row in recording.rows} == {"sums", "other"}


def test_helm_without_texts_is_refused(tmp_path):
    """Options scored one by one have no texts."""
    helm(tmp_path / "run", state(1, "Which?", "", reference_index=0), method="multiple_choice_separate_original")
    assert "the options were scored by log-likelihood, so there are no texts" in error_of(tmp_path)


# --- promptfoo --------------------------------------------------------------------------------------------------------


def outcome(question, output, *assertions, provider="ollama:qwen", **changes):
    return {
        "promptIdx": 0, "testIdx": 0, "provider": {"id": provider, "label": ""}, "prompt": {"raw": question},
        "vars": {"want": "7"}, "testCase": {"assert": list(assertions)}, "response": {"output": output}, "success": True,
        "failureReason": 0, "latencyMs": 40,
    } | changes  # fmt: skip


EQUALS = {"type": "equals", "value": "7"}


def summary(folder, *results):
    return document(folder / "output.json", {"evalId": "e", "results": {"version": 3, "results": results}}, indent=2)


def test_results_of_promptfoo_are_samples(tmp_path):
    """A repeat is the next sample, a label names the provider, and success is the score."""
    repeat = outcome("3 + 4?", "8", EQUALS, testIdx=1, success=False, failureReason=1, error="Expected 8 to equal 7")
    labelled = outcome("3 + 4?", "7", EQUALS, provider="phi", latencyMs=None)
    labelled["provider"] = {"id": "openai:phi", "label": "phi"}
    recording = read(summary(tmp_path, outcome("3 + 4?", "7", EQUALS), repeat, labelled))
    assert short(recording, "model", "sample_index", "answer", "gold", "score", "error", "latency_s") == [
        ("ollama:qwen", 0, "7", "7", 1.0, None, 0.04),
        ("ollama:qwen", 1, "8", "7", 0.0, None, 0.04),
        ("phi", 0, "7", "7", 1.0, None, None),
    ]


def test_only_a_call_that_failed_is_a_failure(tmp_path):
    """A wrong answer has an error text in promptfoo too; the reason of the failure tells them apart."""
    crash = outcome("3 + 4?", None, EQUALS, response=None, error="out of memory", failureReason=2, success=False)
    refusal = outcome("3 + 4?", None, EQUALS, response={"error": "HTTP 500"}, failureReason=2, success=False)
    recording = read(summary(tmp_path, crash, refusal))
    assert short(recording, "error", "score") == [("out of memory", None), ("HTTP 500", None)]


@pytest.mark.parametrize(
    ("assertion", "gold"),
    [
        ({"type": "icontains", "value": "7"}, "7"),
        ({"type": "equals", "value": "{{ want }}"}, "7"),
        ({"type": "contains-any", "value": ["7", "seven"]}, ["7", "seven"]),
        ({"type": "assert-set", "assert": [EQUALS]}, "7"),
    ],
)
def test_a_value_to_compare_is_the_gold(tmp_path, assertion, gold):
    """Assertions with a value give the gold answer, with the test's variables put in."""
    assert [row.gold for row in read(summary(tmp_path, outcome("3 + 4?", "7", assertion))).rows] == [gold]


def test_an_assertion_that_cannot_be_compared_is_said(tmp_path):
    """A judge or a program is no gold answer; that is said, and its verdict is kept."""
    path = summary(tmp_path, outcome("3 + 4?", "7", {"type": "llm-rubric", "value": "is polite"}))
    with pytest.warns(UserWarning, match="1 samples: no gold answer, since the test has no assertion with a value"):
        recording = read(path)
    assert short(recording, "gold", "score") == [(None, 1.0)]


def test_older_outputs_and_lines_of_promptfoo(tmp_path):
    """Version 2 has the tests in a table, and JSON Lines has a result on each line."""
    old = {
        name: value
        for name, value in outcome("3 + 4?", "7").items()
        if name not in {"testCase", "promptIdx", "testIdx"}
    }
    body = [{"outputs": [{"text": "7"}], "vars": ["7"], "test": {"assert": [EQUALS]}}]
    path = document(tmp_path / "a.json", {"results": {"version": 2, "results": [old], "table": {"body": body}}})
    assert short(read(path), "answer", "gold") == [("7", "7")]
    assert short(read(lines(tmp_path / "b.jsonl", outcome("3 + 4?", "7", EQUALS))), "answer", "gold") == [("7", "7")]


def test_several_evaluations_of_promptfoo_in_one_file(tmp_path):
    """A list of evaluations, alone or as `evals`, is read one after another; a later one adds samples."""
    evals = [{"evalId": f"e{n}", "results": {"version": 3, "results": [outcome("3 + 4?", reply, EQUALS)]}}
             for n, reply in enumerate(["7", "8"])]  # fmt: skip
    for name, content in (("a.json", {"evals": evals}), ("b.json", evals)):
        recording = read(document(tmp_path / name, content))
        assert short(recording, "sample_index", "answer", "gold") == [(0, "7", "7"), (1, "8", "7")]
    with pytest.raises(RecordingError, match=r"evals\.1: there is no list of results"):
        read(document(tmp_path / "c.json", {"evals": [evals[0], {"results": {"version": 3}}]}))


# --- lighteval --------------------------------------------------------------------------------------------------------

DATE = "2026-01-05T10-00-00.123456"


def details(folder, *rows, task="gsm8k|0"):
    return parquet(folder / "details" / "org" / "qwen" / DATE / f"details_{task}_{DATE}.parquet", *rows)


def test_details_of_lighteval_are_samples(tmp_path):
    """Several texts are samples, the choices at the gold's places are the gold, and the folders name the model."""
    document_ = {"id": "3", "query": "3 + 4?", "choices": [" 7"], "gold_index": 0}
    details(tmp_path, {"doc": document_, "model_response": {"text": ["7", "8"]}, "metric": {"em": 1.0}})
    recording = read(tmp_path)
    assert short(recording, "model", "dataset", "question_id", "sample_index", "answer", "gold", "score") == [
        ("org/qwen", "gsm8k|0", "gsm8k|0/3", 0, "7", "7", None),
        ("org/qwen", "gsm8k|0", "gsm8k|0/3", 1, "8", "7", None),
    ]


def test_one_text_of_lighteval_has_a_score(tmp_path):
    """A metric judges the whole document, so it is a score only for a single sample; options give a letter."""
    document_ = {"id": "1", "query": OPTIONS, "choices": ["otter", "trout"], "gold_index": [1]}
    response = {"text": ["<think>?</think>B"], "text_post_processed": ["B"]}
    details(tmp_path, {"__doc__": document_, "__model_response__": response, "__metric__": {"em": 0.0}})
    assert short(read(tmp_path), "text", "answer", "gold", "score") == [("B", "B", "B", 0.0)]


def test_older_details_of_lighteval(tmp_path):
    """Versions before 0.10 have other columns, and lists in them as Python prints them."""
    row = {"full_prompt": "3 + 4?", "predictions": "['7', '8']", "gold": "['7']", "choices": "[]", "gold_index": "[0]",
           "metrics": "{'em': 1.0}", "example": "3 + 4?"}  # fmt: skip
    details(tmp_path, row)
    assert short(read(tmp_path), "question", "sample_index", "answer", "gold") == [
        ("3 + 4?", 0, "7", "7"),
        ("3 + 4?", 1, "8", "7"),
    ]


def test_lighteval_without_texts_is_refused(tmp_path):
    """Options scored by log-likelihood have no texts."""
    document_ = {"id": "1", "query": OPTIONS, "choices": ["otter", "trout"], "gold_index": 1}
    details(
        tmp_path, {"doc": document_, "model_response": {"text": None, "logprobs": [-1.5, -2.5]}, "metric": {"acc": 1.0}}
    )
    assert "the task was scored by log-likelihood, so there are no texts" in error_of(tmp_path)


# --- the paper's program ----------------------------------------------------------------------------------------------


def collected(path, *responses, model="Org/qwen", **changes):
    return document(
        path, {"model": model, "temperature": 0.3, "num_samples": 2, "responses": responses} | changes, indent=2
    )


def response(question, gold, *texts, field="problem", gold_field="answer", **changes):
    samples = [
        {"round": i + 1, "model_response": t, "extracted_answer": t[-1:], "token_usage": {"prompt_tokens": 9, "completion_tokens": 2},
         "is_correct": t.endswith(str(gold))} for i, t in enumerate(texts)
    ]  # fmt: skip
    return {"model": "Org/qwen", field: question, gold_field: gold, "samples": samples} | changes


def test_the_papers_files_are_samples(tmp_path):
    """Rounds are samples, and one question is one in the files of all models, whatever its place there."""
    collected(tmp_path / "a.json", response("1 + 1?", "2", "It is 2", "It is 3"), response("3 + 4?", "7", "7", "7"))
    collected(
        tmp_path / "b.json", response("3 + 4?", "7", "7", "8"), response("1 + 1?", "2", "2", "2"), model="Org/phi"
    )
    recording = read(tmp_path)
    assert (recording.models, len(recording.questions), len(recording.rows)) == (("Org/qwen", "Org/phi"), 2, 8)
    first = recording.rows[0]
    assert (first.gold, first.score, first.temperature, first.input_tokens, first.output_tokens) == (
        "2",
        1.0,
        0.3,
        9,
        2,
    )
    assert [row.answer for row in read(tmp_path / "a.json", extract=None).rows] == ["2", "3", "7", "7"]


@pytest.mark.parametrize(
    ("field", "gold_field"),
    [("problem", "answer"), ("question", "correct_answer"), ("question", "reference_answer"), ("prompt", "reference")],
)
def test_the_papers_fields_have_had_several_names(tmp_path, field, gold_field):
    """The benchmarks and earlier scripts name question and gold differently, and the list too."""
    item = response("3 + 4?", "7", "7", field=field, gold_field=gold_field)
    assert short(read(collected(tmp_path / "a.json", item)), "question", "gold") == [("3 + 4?", "7")]
    assert short(read(document(tmp_path / "b.json", {"model": "m", "results": [item]})), "question", "gold") == [
        ("3 + 4?", "7")
    ]


def test_choices_of_the_papers_files_are_shown(tmp_path):
    """Choices that have their letters already get no others."""
    item = response("Which is a fish?", "B", "##Answer: B##", field="question", choices=["A. otter", "B. trout"])
    assert short(read(collected(tmp_path / "a.json", item)), "question", "answer", "gold") == [(OPTIONS, "B", "B")]


@pytest.mark.parametrize(
    "gold",
    [
        json.dumps(
            {"test": "def check(f):\n    assert f(1) == 2", "entry_point": "f", "canonical_solution": "", "prompt": ""}
        ),
        json.dumps({"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}),
        "assert f(1) == 2\nassert f(2) == 3",
    ],
)
def test_tests_are_no_gold_answer(tmp_path, gold):
    """A program's tests cannot be compared with an answer; that is said, and the verdict is kept."""
    path = collected(tmp_path / "a.json", response("def f(x):", gold, "return x", field="prompt"))
    with pytest.warns(UserWarning, match=r"1 samples: gold answers are tests to run \(HumanEval and the like\)"):
        recording = read(path)
    assert short(recording, "gold", "score") == [(None, 0.0)]


# --- lm-evaluation-harness under other names --------------------------------------------------------------------------


def logged(number, *replies, target="7", prompt="3 + 4?", **changes):
    return {
        "doc_id": number, "doc": {}, "target": target, "arguments": [[prompt, {"until": ["\n"], "temperature": 0.5}]],
        "resps": [list(replies)], "filtered_resps": list(replies[:1]), "filter": "none", "metrics": ["exact_match"],
        "exact_match": 1.0,
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("name", "model", "task"),
    [
        ("qwen/samples_sums_2026-01-05T10-00-00.123456.jsonl.gz", "qwen", "sums"),
        ("qwen/samples_sums_2026-01-05T10-00-00.123456.json", "qwen", "sums"),
        ("qwen/samples_sums_of_two.jsonl", "qwen", "sums_of_two"),
        ("qwen/sums.json.gz", "qwen", "sums"),
        ("old/pretrained__org__qwen-3b,dtype__float16_sums.jsonl", "org/qwen-3b", "sums"),
    ],
)
def test_names_of_the_harness(tmp_path, name, model, task):
    """Every name that versions and people have given a file tells the task, and the folder or the name the model."""
    path = tmp_path / name
    lines(path, logged(0, "7"), logged("x-1", "8"))
    recording = read(path)
    assert short(recording, "model", "dataset", "question_id", "score") == [
        (model, task, f"{task}/0", 1.0), (model, task, f"{task}/x-1", 1.0),
    ]  # fmt: skip


def test_the_results_beside_a_log_know_its_task(tmp_path):
    """In an old name nothing but an underscore parts the model from the task; the results file has the task's name."""
    path = lines(tmp_path / "pretrained__qwen_sums_of_two.jsonl", logged(0, "7"))
    document(tmp_path / "results.json", {"results": {"sums_of_two": {}}})
    assert short(read(path), "model", "dataset") == [("qwen", "sums_of_two")]


def test_what_the_harness_returns_and_wrote_before(tmp_path):
    """The returned samples, dumped as JSON, and the files of --write_out are read too."""
    path = document(tmp_path / "qwen" / "a.json", {"results": {}, "samples": {"sums": [logged(0, "7")]}}, indent=1)
    assert short(read(path), "model", "question_id", "answer") == [("qwen", "sums/0", "7")]
    out = [{"doc_id": 0, "prompt_0": "3 + 4?", "logit_0": "7", "truth": "7", "exact_match": "1.0"}]
    path = document(tmp_path / "qwen" / "sums_write_out_info.json", out, indent=4)
    assert short(read(path), "dataset", "question", "answer", "gold") == [("sums", "3 + 4?", "7", "7")]
    out[0]["logit_0"] = -1.5
    assert "was scored by log-likelihood" in error_of(document(path, out))


def test_a_null_reply_is_a_sample_without_an_answer(tmp_path):
    """A reply that is null abstains, and the others count."""
    recording = read(lines(tmp_path / "samples_sums.jsonl", logged(0, "7", None)))
    assert short(recording, "answer", "error") == [("7", None), (None, None)]


@pytest.mark.parametrize(
    ("target", "gold"),
    [
        ("['7', 'seven']", ["7", "seven"]),
        (["7", "seven"], ["7", "seven"]),
        ("[0, 7]", "[0, 7]"),
        ("['7'", "['7'"),
        (7, 7),
    ],
)
def test_targets_of_the_harness(tmp_path, target, gold):
    """A list of texts, also as Python prints it, holds accepted answers; an interval stays a text."""
    assert [row.gold for row in read(lines(tmp_path / "samples_sums.jsonl", logged(0, "7", target=target))).rows] == [
        gold
    ]


def test_a_place_among_choices_that_the_prompt_does_not_show(tmp_path):
    """Without letters in the prompt the gold answer is the choice itself."""
    line = logged(0, "trout", target="1", doc={"choices": ["otter", "trout"], "label": 1}, prompt="Which is a fish?")
    assert [row.gold for row in read(lines(tmp_path / "samples_fish.jsonl", line)).rows] == ["trout"]


def test_tasks_without_texts_in_a_folder_are_left_out_and_said(tmp_path):
    """In a folder of several tasks, those scored by log-likelihood are named, and the rest is read."""
    lines(tmp_path / "samples_sums.jsonl", logged(0, "7"))
    lines(tmp_path / "samples_pairs.jsonl", logged(0, "7", arguments=[["a", "b"]], resps=[[[-1.5, False]]]))
    with pytest.warns(
        UserWarning, match="left out: .*samples_pairs.jsonl line 1: task 'pairs' was scored by log-likelihood"
    ):
        assert read(tmp_path).questions == ("sums/0",)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("promptfoo", '{"provider": '),
        ("lm-eval", '{"doc_id": 1, "doc": {"samples": '),
        ("lm-eval", '{"doc_id": 1, "prompt_0": "q", "logit_0": '),
        ("batch", '{"custom_id": '),
    ],
)
def test_a_broken_line_is_a_sentence(tmp_path, source, line):
    """In every form of JSON Lines a line that is cut off is named."""
    first = {"promptfoo": outcome("q", "7", EQUALS), "lm-eval": logged(0, "7"), "batch": result("a", "7")}[source]
    path = lines(tmp_path / "samples_sums.jsonl", first)
    path.write_text(path.read_text() + line + "\n")
    assert error_of(path).startswith(f"{path} line 2: ")


def test_a_document_may_name_its_own_samples(tmp_path):
    """A field "samples" or "prompt_0" inside a document does not make the line another form."""
    docs = [{"samples": {"a": 1}}, {"prompt_0": "q", "logit_0": "7"}]
    path = lines(tmp_path / "samples_sums.jsonl", *(logged(n, "7", doc=doc) for n, doc in enumerate(docs)))
    assert read(path).questions == ("sums/0", "sums/1")


# --- the form of a file -----------------------------------------------------------------------------------------------


def test_the_form_is_found_out(tmp_path):
    """Each form is known by its content, also where the file is packed or has an unusual name."""
    files = {
        "lm-eval": lines(tmp_path / "a.jsonl.gz", logged(0, "7")),
        "batch": lines(tmp_path / "b.jsonl", result("a", "7")),
        "helm": helm(tmp_path / "run", state(1, "3 + 4?", "7")),
        "promptfoo": summary(tmp_path / "p", outcome("3 + 4?", "7", EQUALS)),
        "lighteval": details(
            tmp_path / "l",
            {
                "doc": {"query": "q", "choices": ["7"], "gold_index": 0},
                "model_response": {"text": ["7"]},
                "metric": {"em": 1.0},
            },
        ),
        "slm-mux": collected(tmp_path / "c.json", response("3 + 4?", "7", "7")),
        "inspect": document(
            tmp_path / "i.json",
            {
                "eval": {"task": "t", "model": "m"},
                "samples": [{"id": 1, "epoch": 1, "input": "3 + 4?", "target": "7", "output": {"completion": "7"}}],
            },
        ),
        "table": lines(tmp_path / "t.jsonl", {"question": "3 + 4?", "output": "7", "gold": "7"}),
    }
    assert set(files) == set(FORMS)
    sources = {"lm-eval": "lm-evaluation-harness", "inspect": "inspect_ai"}
    for form, path in files.items():
        recording = read(path)
        assert recording.settings["source"] == sources.get(form, form)
        assert [row.answer for row in recording.rows] == ["7"]
    assert "the files have several forms (lm-eval, such as" in error_of(*files.values())


def test_other_files_of_a_folder_are_left_alone(tmp_path):
    """What a tool writes beside its samples is no error: means, settings, lists of logs."""
    lines(tmp_path / "samples_sums.jsonl", logged(0, "7"))
    document(tmp_path / "results_2026-01-05.json", {"results": {"sums": {"em": 1.0}}, "configs": {}})
    document(tmp_path / "stats.json", [{"name": "em", "mean": 1.0}])
    (tmp_path / "notes.txt").write_text("hello")
    assert read(tmp_path).questions == ("sums/0",)


def test_a_folder_without_samples_is_a_sentence(tmp_path):
    """A folder with nothing to read is probably the wrong one."""
    (tmp_path / "notes.txt").write_text("hello")
    assert error_of(tmp_path).startswith(
        f"{tmp_path}: the folder has no files of the forms that are read: lm-eval, inspect,"
    )
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.jsonl")
    with pytest.raises(RecordingError):
        read(lines(tmp_path / "a.jsonl", {"question": "q", "output": "a"}), source="inspect")
