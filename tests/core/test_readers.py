"""Logs of other tools, read as a recording; the files in `foreign` are written by hand."""

import json
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import answers
from slmmux._errors import ArgumentError, ExtractorError, RecordingError
from slmmux.readers import read_inspect, read_lm_eval
from slmmux.recording import Recording
from slmmux.recording._replay import replay
from tests.pydantic_words import json_fault, worded

FOREIGN = Path(__file__).parent / "foreign"
LM_EVAL = FOREIGN / "lm_eval"
TINY = LM_EVAL / "acme__tiny-1b" / "samples_sums_of_two_2026-01-05T10-00-00.123456.jsonl"
SMALL = LM_EVAL / "acme__small-3b" / "samples_sums_of_two_2026-01-06T09-30-00.000001.jsonl"
SCORED = FOREIGN / "lm_eval_scored"
LOG = FOREIGN / "inspect" / "2026-01-05T10-00-00-00-00_sums_x7.json"

NAME = "samples_sums_2026-01-05T10-00-00.jsonl"
LINE = {
    "doc_id": 0,
    "target": "4",
    "arguments": {"gen_args_0": {"arg_0": "2 + 2?", "arg_1": {"until": ["\n"]}}},
    "resps": [["\\boxed{4}"]],
    "filtered_resps": ["4"],
    "filter": "none",
}
SAMPLE = {"id": 1, "epoch": 1, "input": "2 + 2?", "target": "4", "output": {"completion": "\\boxed{4}"}}
HEAD = {"eval": {"task": "sums", "model": "tiny"}}
LM_EVAL_FORM = "give a samples_<task>_<date>.jsonl file as `lm_eval --log_samples` writes it"
LOGGED = "give a log as Inspect writes it, .eval or .json"


def one(recording, question, index=0, model=None):
    rows = recording.by_question[question][model or recording.models[0]]
    return next(row for row in rows if row.sample_index == index)


def lines(folder, *changes, name=NAME, model="tiny"):
    path = folder / model / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({**LINE, **change}) + "\n" for change in changes), "utf-8")
    return path


def log(folder, *samples, name="log.json", **head):
    path = folder / name
    path.write_text(json.dumps({**HEAD, **head, "samples": [{**SAMPLE, **sample} for sample in samples]}), "utf-8")
    return path


def member(sample):
    return f"samples/{sample['id']}_epoch_{sample['epoch']}.json"


def zipped(path, header="header.json", source=LOG, compression=zipfile.ZIP_DEFLATED):
    """Pack a JSON log as Inspect packs an .eval."""
    content = json.loads(source.read_text("utf-8"))
    samples = content.pop("samples")
    with zipfile.ZipFile(path, "w", compression) as packed:
        if header:
            packed.writestr(header, json.dumps(content))
        packed.writestr("summaries.json", json.dumps([{"id": sample["id"]} for sample in samples]))
        packed.writestr("_journal/summaries/1.json", "[]")
        for sample in samples:
            packed.writestr(member(sample), json.dumps(sample))
    return path


def error_of(read_logs, *args, **kwargs):
    with pytest.raises(RecordingError) as raised:
        read_logs(*args, **kwargs)
    return str(raised.value)


# lm-evaluation-harness


def test_a_folder_has_a_model_in_each_subfolder():
    """Every samples file below a folder is read, and the folder that holds a file names its model."""
    recording = read_lm_eval(LM_EVAL)
    assert recording.models == ("acme__small-3b", "acme__tiny-1b")
    assert recording.questions == ("sums_of_two/0", "sums_of_two/1", "sums_of_two/5")
    assert len(recording.rows) == 3 + 6
    assert set(recording.rows) == set(read_lm_eval(str(TINY), SMALL).rows)


def test_a_repeat_is_a_sample():
    """The replies to one document are its samples, in their order."""
    recording = read_lm_eval(TINY)
    texts = [(row.sample_index, row.text) for row in recording.by_question["sums_of_two/0"]["acme__tiny-1b"]]
    assert texts == [(0, "Two and two: \\boxed{4}"), (1, "I say \\boxed{5}")]


def test_a_second_filter_adds_no_sample():
    """If two filters log each reply twice, it is recorded once."""
    assert len(TINY.read_text("utf-8").splitlines()) == 6
    assert len(read_lm_eval(TINY).rows) == 3 * 2


def test_answers_are_read_in_the_text():
    """The harness's own answers are ignored: the extractor reads each text and gives its kind and key."""
    rows = read_lm_eval(TINY).rows
    assert [(row.answer, row.kind) for row in rows[:4]] == [
        ("4", "number"), ("5", "number"), ("7", "number"), (None, None),
    ]  # fmt: skip
    first, second = rows[4:]
    assert first.key == second.key == "1234"


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4))
def test_answers_equal_those_of_the_reader(tmp_path_factory, texts):
    """For any reply the answer, kind and key are what `answers.reader` reads in the text, knowing the question."""
    recording = read_lm_eval(lines(tmp_path_factory.mktemp("any"), {"resps": [texts]}))
    assert [row.text for row in recording.rows] == texts
    for row in recording.rows:
        answer = answers.reader("auto", question=row.question)(row.text)
        assert (row.answer, row.kind, row.key) == ((answer.value, answer.kind, answer.key) if answer else (None,) * 3)


def test_a_row_has_question_gold_and_task():
    """Question, gold and task come from the harness, for both forms of a prompt."""
    recording = read_lm_eval(LM_EVAL)
    for model in recording.models:
        row = one(recording, "sums_of_two/1", model=model)
        assert (row.question, row.gold, row.dataset) == ("What is 3 + 4?", "7", "sums_of_two")
        assert row.error is None


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        (['[{"role": "user"}]'], '[{"role": "user"}]'),
        ([{"role": "user", "content": "é"}], '[{"role": "user", "content": "é"}]'),
    ],
)
def test_a_chat_is_kept_as_json(tmp_path, prompt, question):
    """A prompt that is a chat is kept whole, as JSON."""
    path = lines(tmp_path, {"arguments": [[prompt, {}]]})
    assert read_lm_eval(path).rows[0].question == question


def test_generation_settings_are_kept():
    """The settings name the source, the extractor and each task's keywords; a row has its temperature."""
    recording = read_lm_eval(LM_EVAL)
    tiny = {"until": ["\n\n"], "do_sample": True, "temperature": 0.5}
    assert recording.settings == {
        "source": "lm-evaluation-harness",
        "extract": "auto",
        "models": {
            "acme__small-3b": {"sums_of_two": {"until": ["\n\n"]}},
            "acme__tiny-1b": {"sums_of_two": tiny},
        },
    }
    assert {row.model: row.temperature for row in recording.rows} == {"acme__small-3b": None, "acme__tiny-1b": 0.5}


def test_a_temperature_must_be_a_number_for_a_row(tmp_path):
    """A temperature that is not a number stays in the settings, and the row has None."""
    path = lines(tmp_path, {"arguments": [["?", {"temperature": "0.5"}]]})
    recording = read_lm_eval(path)
    assert recording.rows[0].temperature is None
    assert recording.settings["models"]["tiny"]["sums"] == {"temperature": "0.5"}


def test_the_model_can_be_named():
    """`model` replaces the folder's name as the label."""
    assert read_lm_eval(TINY, model="tiny").models == ("tiny",)


def test_a_bare_file_name_takes_its_folder_as_the_label(tmp_path, monkeypatch):
    """A path without a folder takes the label from the working folder."""
    monkeypatch.chdir(lines(tmp_path, {}).parent)
    assert read_lm_eval(NAME).models == ("tiny",)


@pytest.mark.parametrize(
    ("extract", "name", "answer"),
    [
        ("number", "number", "4"),
        (answers.regex("and (two)"), "regex('and (two)')", "two"),
        (str.split, "str.split", ["Two", "and", "two:", "\\boxed{4}"]),
    ],
)
def test_the_extractor_may_be_a_name_or_a_callable(extract, name, answer):
    """A name, an extractor and a callable work as in the mux, and the settings name it."""
    recording = read_lm_eval(TINY, extract=extract)
    assert recording.rows[0].answer == answer
    assert recording.settings["extract"] == name


def test_an_unknown_extractor_is_refused_before_any_file():
    """A bad argument is reported before any file is read."""
    with pytest.raises(ExtractorError, match="there is no extractor 'nubmer'; did you mean 'number'"):
        read_lm_eval("nowhere", extract="nubmer")


def test_the_harnesss_answers_are_taken_as_logged():
    """With extract=None `filtered_resps` are the answers, compared as written; "[invalid]" means no answer."""
    recording = read_lm_eval(SMALL, extract=None)
    assert [(row.answer, row.kind, row.key) for row in recording.rows] == [
        ("4", None, None), (None, None, None), ("1234", None, None),
    ]  # fmt: skip
    assert recording.settings["extract"] is None


@pytest.mark.parametrize(
    ("filter_name", "readings"),
    [("strict", ["4", "5", None, None, None, "1234"]), ("words", ["four", "five", "seven", None, "many", "many"])],
)
def test_one_of_several_filters_can_be_named(filter_name, readings):
    """The answers are those of the filter named, one for each repeat."""
    recording = read_lm_eval(TINY, extract=None, filter=filter_name)
    assert [row.answer for row in recording.rows] == readings
    assert recording.settings["filter"] == filter_name


def test_several_filters_need_a_name():
    """With several filters the error asks for a name instead of choosing one."""
    sentence = (
        f"{TINY} line 1: extract=None uses the answers of one filter, and the log has 'strict', 'words'; "
        "name one with filter="
    )
    assert error_of(read_lm_eval, TINY, extract=None) == sentence


def test_an_unknown_filter_is_refused():
    """The error names the filters of the log."""
    sentence = f"{SMALL} line 1: the log has no filter 'lax'; it has 'strict'"
    assert error_of(read_lm_eval, SMALL, extract=None, filter="lax") == sentence


def test_a_filter_chooses_the_verdicts(tmp_path):
    """Two filters may judge one reply differently; a filter that is named decides; without one there is no verdict."""
    path = lines(tmp_path, {"filter": "strict", "exact_match": 0.0}, {"filter": "lax", "exact_match": 1.0})
    for name, score in (("strict", 0.0), ("lax", 1.0), (None, None)):
        assert [row.score for row in read_lm_eval(path, filter=name).rows] == [score]


@pytest.mark.parametrize(
    ("replies", "filtered", "readings"),
    [
        (["a"], ["x"], ["x"]),
        (["a"], [["x"]], ["x"]),
        (["a"], [["x", "y"]], [["x", "y"]]),
        (["a", "b"], [["x", ""]], ["x", None]),
    ],
)
def test_a_filter_answers_each_reply(tmp_path, replies, filtered, readings):
    """A filter gives one answer for each reply, in a list or, for one reply, alone; an empty one is None."""
    path = lines(tmp_path, {"resps": [replies], "filtered_resps": filtered})
    assert [row.answer for row in read_lm_eval(path, extract=None).rows] == readings


@pytest.mark.parametrize("filtered", [["x"], [["x"]], [["x", "y", "z"]], [], ["x", "y"]])
def test_a_filter_that_answers_for_all_replies_at_once_is_refused(tmp_path, filtered):
    """One answer for several replies, such as a majority, is refused."""
    path = lines(tmp_path, {"resps": [["a", "b"]], "filtered_resps": filtered})
    sentence = (
        f"{path} line 1: filtered_resps {filtered} is not one answer for each of 2 replies; "
        "read the replies with extract='auto'"
    )
    assert error_of(read_lm_eval, path, extract=None) == sentence
    assert len(read_lm_eval(path).rows) == 2


def test_scores_without_texts_are_refused():
    """A task scored by log-likelihood has no texts to read."""
    sentence = (
        f"{next(SCORED.rglob('*.jsonl'))} line 1: task 'bigger_of_two' was scored by log-likelihood, so there are "
        "no texts; give a task whose output_type is generate_until"
    )
    assert error_of(read_lm_eval, SCORED) == sentence


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"gen_args_0": {"arg_0": "a text"}}, "resps": [["-12.5"]]},
        {"arguments": [["a text", " and its end"]], "resps": [["-12.5"]]},
        {"resps": [[["-1.25", "True"]]]},
    ],
    ids=["of-a-whole-text", "of-an-end", "pairs"],
)
def test_a_number_logged_as_text_is_refused(tmp_path, change):
    """A log-likelihood is logged as text too; the missing generation keywords give it away."""
    assert "was scored by log-likelihood" in error_of(read_lm_eval, lines(tmp_path, change))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"resps": [[]]}, "1 requests with [0] replies"),
        ({"resps": []}, "1 requests with [] replies"),
        ({"arguments": []}, "0 requests with [1] replies"),
        ({"arguments": [["a", {}], ["b", {}]], "resps": [["x"], ["y"]]}, "2 requests with [1, 1] replies"),
    ],
)
def test_a_document_has_one_request(tmp_path, change, what):
    """Several prompts of one document are refused, since they are not samples of one question."""
    path = lines(tmp_path, change)
    assert error_of(read_lm_eval, path) == (
        f"{path} line 1: document 0 has {what}; give a task with one request for each document"
    )


def test_a_second_run_adds_samples(tmp_path):
    """The replies of a later file of one task and model are further samples of the same questions."""
    lines(tmp_path, {})
    lines(tmp_path, {"doc_id": 3}, {"resps": [["5"]]}, name="samples_sums_2026-02-01T00-00-00.jsonl")
    recording = read_lm_eval(tmp_path)
    assert [(row.question_id, row.sample_index, row.answer) for row in recording.rows] == [
        ("sums/0", 0, "4"), ("sums/3", 0, "4"), ("sums/0", 1, "5"),
    ]  # fmt: skip


def test_a_copy_of_a_file_is_refused(tmp_path):
    """A file with the samples of another would look like steady agreement; the error names both."""
    first, second = lines(tmp_path, {}), lines(tmp_path, {}, name="samples_sums_2026-02-01T00-00-00.jsonl")
    assert error_of(read_lm_eval, tmp_path) == (
        f"{second}: the samples of 'tiny' are those of {first} again, so it is a copy or a run without sampling; "
        "give one of the two files"
    )
    assert error_of(read_lm_eval, first, first) == f"{first}: the file is given twice; give it once"


def test_a_second_run_in_a_file_adds_samples(tmp_path):
    """A document that a file has again with the same filter is a later run, which by chance may agree in parts."""
    path = lines(tmp_path, {}, {"doc_id": 1}, {"resps": [["5"]]}, {"doc_id": 1})
    by_question = read_lm_eval(path).by_question
    assert [[row.answer for row in by_question[f"sums/{n}"]["tiny"]] for n in (0, 1)] == [["4", "5"], ["4", "4"]]


def test_one_run_twice_in_a_file_is_refused(tmp_path):
    """A run that a file has twice is a mistake of copying."""
    path = lines(tmp_path, {}, {})
    assert error_of(read_lm_eval, path) == (
        f"{path} line 2: document 0 with filter 'none' is already in {path} line 1, with the same replies as every "
        "other, so the file holds one run twice; keep one of the two"
    )


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ("hello", f"the JSON: {json_fault('hello')}, received 'hello'"),
        ("[1]", "the JSON: <object>, received [1]"),
        (json.dumps({**LINE, "doc_id": None}), "doc_id.int: <int_type>, received None"),
        (json.dumps({**LINE, "resps": ["a"]}), "resps.0: <array>, received 'a'"),
        (json.dumps({**LINE, "filter": None}), "filter: <string_type>, received None"),
    ],
)
def test_a_line_of_another_form_is_refused(tmp_path, bad, what):
    """The error names file and line, the value received and the file to give."""
    path = lines(tmp_path, {})
    path.write_text(path.read_text("utf-8") + bad + "\n", "utf-8")
    assert error_of(read_lm_eval, path) == f"{path} line 2: {worded(what)}; {LM_EVAL_FORM}"


def test_marks_blank_lines_and_line_ends_are_ignored(tmp_path):
    """A byte-order mark, blank lines and Windows' line ends lose no sample."""
    path = lines(tmp_path, {}, {"doc_id": 1})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert len(read_lm_eval(path).rows) == 2


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("sums.jsonl", "sums"),
        ("samples_sums.jsonl", "sums"),
        ("samples_sums_of_two.json", "sums_of_two"),
        ("samples_sums_2026-01-05T10-00-00.123456.json", "sums"),
    ],
)
def test_the_task_is_in_the_name(tmp_path, name, task):
    """What a file's name holds besides the date is the task, also where it was renamed."""
    assert read_lm_eval(lines(tmp_path, {}, name=name)).rows[0].dataset == task


def test_a_file_name_without_a_task_is_refused(tmp_path):
    """The task is only in the file's name, so a name without it is refused."""
    path = lines(tmp_path, {}, name="samples_.jsonl")
    assert error_of(read_lm_eval, path) == f"{path}: the file name has no task; {LM_EVAL_FORM}"


def test_an_empty_file_is_refused(tmp_path):
    """The log of a run without samples is refused."""
    path = lines(tmp_path)
    assert error_of(read_lm_eval, path) == f"{path}: the file has no samples; {LM_EVAL_FORM}"


# Inspect


def test_an_epoch_is_a_sample():
    """The sample index is the epoch from 0; the question id is the sample's id in its task."""
    recording = read_inspect(LOG)
    assert recording.models == ("acme/tiny-1b",)
    assert recording.questions == ("sums/1", "sums/two", "sums/a/b")
    assert [row.sample_index for row in recording.rows] == [0, 1] * 3
    assert {row.dataset for row in recording.rows} == {"sums"}


def test_the_first_choice_is_the_reply():
    """Of several choices the first is the reply, as in Inspect's scoring."""
    row = one(read_inspect(LOG), "sums/1")
    assert (row.text, row.answer, row.kind, row.key) == ("Two and two: \\boxed{4}", "4", "number", "4")


def test_the_text_blocks_are_the_reply():
    """Reasoning and pictures are left out of the reply."""
    row = one(read_inspect(LOG), "sums/1", 1)
    assert (row.text, row.answer) == ("I say\n\\boxed{5}", "5")


def test_without_a_choice_the_completion_is_the_reply():
    """If there are no choices, the completion of a solver is the reply."""
    row = one(read_inspect(LOG), "sums/two")
    assert (row.text, row.answer, row.error) == ("The answer is 7.", "7", None)


def test_a_conversation_is_the_question():
    """The question joins the texts of all messages before the reply."""
    assert one(read_inspect(LOG), "sums/1").question == "What is 2 + 2?"
    assert one(read_inspect(LOG), "sums/two").question == "Be brief.\n\nWhat is 3 + 4?"


def test_a_single_target_is_unpacked():
    """A list with one target becomes that target, several stay a list of accepted ones, and an empty list becomes `None`."""
    recording = read_inspect(LOG)
    assert [row.gold for row in recording.rows] == ["4", "4", ["7", "seven"], ["7", "seven"], None, None]


def test_an_error_or_a_refusal_fails_the_sample():
    """A sample with an error fails even if it has a text, and so does one refused without a text."""
    recording = read_inspect(LOG)
    halted, refusal = one(recording, "sums/two", 1), one(recording, "sums/a/b")
    assert (halted.error, halted.answer, halted.text) == ("the sandbox went away", None, "The answer is 7.")
    assert (refusal.error, refusal.answer, refusal.text) == ("refused by the server", None, None)
    votes = replay(recording, ["acme/tiny-1b"], wait="exhausted")["sums/two"].votes[0]
    assert (votes.count, votes.failed) == (1, 1)


def test_an_empty_reply_is_a_reply():
    """A sample without text and without error abstains and does not fail."""
    row = one(read_inspect(LOG), "sums/a/b", 1)
    assert (row.text, row.answer, row.error) == (None, None, None)


def test_tokens_and_time_belong_to_the_call_or_the_sample():
    """Tokens from a cache count as read; the tokens of a judge do not count."""
    recording = read_inspect(LOG)
    spent = [(row.input_tokens, row.output_tokens, row.latency_s) for row in recording.rows[:3]]
    assert spent == [(10 + 3 + 2, 7, 0.25), (12, 20, 2), (None, None, None)]


def test_generation_settings_are_kept_without_headers():
    """The task's settings override the model's, and request headers are not copied."""
    recording = read_inspect(LOG)
    assert recording.settings == {
        "source": "inspect_ai",
        "extract": "auto",
        "models": {"acme/tiny-1b": {"sums": {"temperature": 0.5, "top_p": 0.95, "max_tokens": 64}}},
    }
    assert {row.temperature for row in recording.rows} == {0.5}


def test_a_scorers_answers_are_taken_as_logged():
    """With extract=None the first scorer's answers are the answers; an empty one is None."""
    rows = read_inspect(LOG, extract=None).rows
    assert [row.answer for row in rows] == ["4.", None, None, None, None, None]
    assert {(row.kind, row.key) for row in rows} == {(None, None)}


def test_scorers_answers_need_scores(tmp_path):
    """A log that was never scored is refused; only a failed sample needs no score."""
    path = log(tmp_path, {"error": {"message": "gone"}}, {"epoch": 2})
    assert error_of(read_inspect, path, extract=None) == (
        f"{path} samples.1: the sample was not scored, so it has no answer; write extract='auto'"
    )
    assert [row.answer for row in read_inspect(path).rows] == [None, "4"]


@pytest.mark.parametrize("header", ["header.json", "_journal/start.json"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_equals_its_json(tmp_path, header, compression):
    """An .eval gives the same recording as the .json log, also if the run did not end."""
    assert read_inspect(zipped(tmp_path / "log.eval", header, compression=compression)) == read_inspect(LOG)


def test_a_rewritten_sample_counts_once(tmp_path):
    """A zip only grows: the later of two entries with one name counts."""
    path = zipped(tmp_path / "log.eval")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as packed:
        packed.writestr("samples/1_epoch_1.json", json.dumps({**SAMPLE, "output": {"completion": "\\boxed{6}"}}))
    recording = read_inspect(path)
    assert len(recording.rows) == 6
    assert one(recording, "sums/1").answer == "6"


def test_a_folder_has_all_logs_below_it(tmp_path):
    """Logs of both forms below a folder are read; Inspect's lists beside them are not."""
    (tmp_path / "more").mkdir()
    log(tmp_path, {}, name="2026-01-05T10-00-00_sums.json", eval={"task": "sums", "model": "small"})
    (tmp_path / "logs.json").write_text("{}", "utf-8")
    zipped(tmp_path / "more" / "log.eval")
    assert set(read_inspect(tmp_path).models) == {"small", "acme/tiny-1b"}
    assert read_inspect(LOG.parent) == read_inspect(LOG)


def test_a_sample_in_two_logs_names_both(tmp_path):
    """A log and its conversion hold the same samples; the error names both."""
    packed = zipped(tmp_path / "log.eval")
    assert error_of(read_inspect, LOG, packed) == (
        f"{packed}: the samples of 'acme/tiny-1b' are those of {LOG} again, so it is a copy or a run without sampling; "
        "give one of the two files"
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"epoch": 0}, "epoch: <greater_than_equal ge=1>, received 0"),
        ({"epoch": "1"}, "epoch: <int_type>, received '1'"),
        ({"output": {"choices": [{}]}}, "output.choices.0.message: <missing>, received {}"),
        ({"error": "gone"}, "error: <object>, received 'gone'"),
    ],
)
def test_a_sample_of_another_form_is_refused(tmp_path, change, what):
    """The error names the file and the sample or member, the value received and the file to give."""
    path = log(tmp_path, {}, {"id": 2, **change})
    assert error_of(read_inspect, path) == f"{path}: samples.1.{worded(what)}; {LOGGED}"
    packed = zipped(tmp_path / "log.eval", source=path)
    name = member({**SAMPLE, "id": 2, **change})
    assert error_of(read_inspect, packed) == f"{packed} {name}: {worded(what)}; {LOGGED}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{}", "eval: <missing>, received {}"),
        ("", f"the JSON: {json_fault('')}, received ''"),
        ('{"eval": {"task": "t"}}', "eval.model: <missing>, received {'task': 't'}"),
        (json.dumps({**HEAD, "samples": 1}), "samples: <array>, received 1"),
    ],
)
def test_a_json_file_of_another_form_is_refused(tmp_path, text, what):
    """A JSON file that is not a log is refused."""
    path = tmp_path / "log.json"
    path.write_text(text, "utf-8")
    assert error_of(read_inspect, path) == f"{path}: {worded(what)}; {LOGGED}"


@pytest.mark.parametrize("samples", [None, []])
def test_a_log_without_samples_is_refused(tmp_path, samples):
    """A header alone, or a run that ended before its first sample, is refused."""
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**HEAD, "samples": samples}), "utf-8")
    sentence = f"{path}: the log has no samples; {LOGGED}, with its samples"
    assert error_of(read_inspect, path) == sentence
    packed = tmp_path / "log.eval"
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("header.json", json.dumps(HEAD))
    assert error_of(read_inspect, packed) == sentence.replace(str(path), str(packed))


def test_a_zip_without_a_header_is_refused(tmp_path):
    """Only the header has the model and the task, so a zip without it is refused."""
    path = zipped(tmp_path / "log.eval", header=None)
    assert error_of(read_inspect, path) == f"{path}: the zip has no header.json or _journal/start.json; {LOGGED}"


def test_a_sample_in_pieces_is_refused(tmp_path):
    """Inspect may split a large sample into members; it is refused rather than silently lost."""
    path = zipped(tmp_path / "log.eval")
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("samples/9_epoch_1/sample.json", "{}")
        packed.writestr("samples/9_epoch_1/messages/0.json", "[]")
    assert error_of(read_inspect, path) == (
        f"{path} samples/9_epoch_1/sample.json: a sample in pieces, which cannot be read; "
        f"convert it with `inspect log convert {path} --to json --output-dir DIR`"
    )


@pytest.mark.parametrize(
    "spoil", [lambda content: b"hello", lambda content: content[: len(content) // 2]], ids=["text", "cut"]
)
def test_a_bad_zip_is_refused(tmp_path, spoil):
    """A file that only ends in .eval, or an incomplete one, is refused."""
    path = zipped(tmp_path / "log.eval")
    path.write_bytes(spoil(path.read_bytes()))
    assert (
        error_of(read_inspect, path)
        == f"{path}: not a zip, or an incomplete one (File is not a zip file); copy the file again"
    )


def test_a_damaged_member_is_refused(tmp_path):
    """One changed byte in a member is noticed."""
    path = zipped(tmp_path / "log.eval", compression=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"Two and two", b"Two and six"))
    assert error_of(read_inspect, path) == (
        f"{path}: not a zip, or an incomplete one (Bad CRC-32 for file 'samples/1_epoch_1.json'); copy the file again"
    )


def test_a_member_that_cannot_be_unpacked_is_refused(tmp_path):
    """A member that was overwritten after packing is refused."""
    path = zipped(tmp_path / "log.eval")
    with zipfile.ZipFile(path) as packed:
        spoilt = packed.getinfo("samples/1_epoch_1.json")
    content = bytearray(path.read_bytes())
    start = spoilt.header_offset + 30 + len(spoilt.filename)
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    assert error_of(read_inspect, path).startswith(
        f"{path}: not a zip, or an incomplete one (Error -3 while decompressing data"
    )


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python unpacks zstd from 3.14 on")
def test_zstd_before_python_3_14_names_the_conversion(tmp_path):
    """Older Pythons cannot unpack the logs of new versions of Inspect; the error says how to convert them."""
    path = zipped(tmp_path / "log.eval")
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):  # the method, in each local and central header
        at = content.find(mark)
        while at >= 0:
            content[at + offset : at + offset + 2] = (93).to_bytes(2, "little")
            at = content.find(mark, at + 4)
    path.write_bytes(content)
    assert error_of(read_inspect, path) == (
        f"{path} header.json: packed by method 93 (zstd is 93), which this Python cannot unpack, 3.14 can; "
        f"convert it with `inspect log convert {path} --to json --output-dir DIR`"
    )


@pytest.mark.skipif(sys.version_info < (3, 14), reason="Python unpacks zstd from 3.14 on")
def test_zstd_is_read_from_python_3_14_on(tmp_path):
    """A log packed by a new version of Inspect is read if Python can unpack it."""
    assert read_inspect(zipped(tmp_path / "log.eval", compression=zipfile.ZIP_ZSTANDARD)) == read_inspect(LOG)


def test_another_file_ending_is_refused(tmp_path):
    """A log ends in .eval or .json."""
    path = tmp_path / "log.txt"
    assert error_of(read_inspect, path) == f"{path}: expected a log of Inspect, an .eval or a .json file; {LOGGED}"


# both


@pytest.mark.parametrize("read_logs", [read_lm_eval, read_inspect])
def test_a_foreign_recording_can_be_saved(tmp_path, read_logs):
    """A recording of another tool's log is the same after saving and loading."""
    recording = read_logs(LM_EVAL if read_logs is read_lm_eval else LOG)
    path = tmp_path / "samples.jsonl"
    recording.save(path)
    again = Recording.load(path)
    assert again == recording
    assert dict(again.settings) == dict(recording.settings)


def test_a_foreign_recording_can_be_replayed():
    """A replay decides on another tool's samples as on our own."""
    decisions = replay(read_lm_eval(LM_EVAL), ["acme__small-3b", "acme__tiny-1b"])
    assert (decisions["sums_of_two/5"].winner.answer, decisions["sums_of_two/5"].winner.count) == ("1234", 1)


@pytest.mark.parametrize("read_logs", [read_lm_eval, read_inspect])
def test_no_paths_are_refused(read_logs):
    """A call without paths is an error, not an empty recording."""
    with pytest.raises(ArgumentError, match=r"^paths is empty; name at least one file or folder$"):
        read_logs()


@pytest.mark.parametrize(
    ("read_logs", "kind"), [(read_lm_eval, "files of lm-eval"), (read_inspect, "files of inspect")]
)
def test_a_folder_without_files_is_refused(tmp_path, read_logs, kind):
    """A folder without logs is probably the wrong folder, so it is an error."""
    sentence = f"{tmp_path}: the folder has no {kind}; name the folder that has them, or the files"
    assert error_of(read_logs, LM_EVAL if read_logs is read_lm_eval else LOG, tmp_path) == sentence


@pytest.mark.parametrize(
    ("read_logs", "name"), [(read_lm_eval, NAME), (read_inspect, "log.json"), (read_inspect, "a.eval")]
)
def test_a_missing_file_is_an_os_error(tmp_path, read_logs, name):
    """The operating system's own error is passed on."""
    with pytest.raises(FileNotFoundError):
        read_logs(tmp_path / name)
