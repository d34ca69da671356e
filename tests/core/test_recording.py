"""The lines that a recording file may hold, and the error sentence for each bad one."""

import gzip
import json

import pytest

from slmmux._errors import ArgumentError, RecordingError
from slmmux.recording import Recording, Row
from tests.pydantic_words import worded

ROW = {"question_id": "q1", "model": "qwen", "sample_index": 0, "answer": "4"}


def line(**changes):
    return json.dumps({**ROW, **changes}) + "\n"


def file_of(tmp_path, text, name="samples.jsonl"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_come_back_as_written(tmp_path):
    """Every field of the schema is kept, missing ones are None, and unknown fields are ignored."""
    full = {
        **ROW,
        "dataset": "d",
        "question": "2+2?",
        "gold": "4",
        "text": "it is 4",
        "temperature": 0.5,
        "input_tokens": 3,
        "output_tokens": 5,
        "latency_s": 0.25,
        "error": None,
    }
    path = file_of(
        tmp_path, json.dumps({**full, "mine": 1}) + "\n" + line(sample_index=1, answer=None, error="refused")
    )
    first, second = Recording.load(path).rows
    assert first == Row(**full)
    assert second == Row(question_id="q1", model="qwen", sample_index=1, answer=None, error="refused")


def test_a_plain_and_a_zipped_file_are_the_same_recording(tmp_path):
    """`.jsonl` and `.jsonl.gz` files of the same bytes load equal, by a path or a string."""
    text = line() + line(model="phi", answer=["a", 1])
    plain, zipped = file_of(tmp_path, text), file_of(tmp_path, gzip.compress(text.encode()), "samples.jsonl.gz")
    assert Recording.load(plain) == Recording.load(str(zipped))


def test_models_keep_their_order_and_samples_follow_the_index(tmp_path):
    """Models and questions stand in order of first appearance; a member's samples in the order of their index."""
    path = file_of(
        tmp_path,
        line(question_id="q2", model="phi", sample_index=1)
        + line()
        + line(question_id="q2", model="phi", sample_index=0),
    )
    recording = Recording.load(path)
    assert (recording.models, recording.questions) == (("phi", "qwen"), ("q2", "q1"))
    assert [row.sample_index for row in recording.by_question["q2"]["phi"]] == [0, 1]
    assert [row.sample_index for row in recording.rows] == [1, 0, 0]


def test_a_first_line_may_hold_the_settings(tmp_path):
    """The head is not read as a sample; without a head, or without settings in it, the settings are empty."""
    head = '{"slmmux_recording": 1, "settings": {"k": 3}}\n'
    assert Recording.load(file_of(tmp_path, head + line())).settings == {"k": 3}
    assert Recording.load(file_of(tmp_path, '{"slmmux_recording": 1}\n' + line())).settings == {}
    assert Recording.load(file_of(tmp_path, line())).settings == {}
    assert Recording.of([Row(**ROW)], {"k": 3}).settings == {"k": 3}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + line(), id="byte-order-mark"),
        pytest.param(line().replace("\n", "\r\n"), id="windows-line-ends"),
        pytest.param(line() + "\n \n", id="blank-lines"),
        pytest.param(line().rstrip(), id="whole-last-line-without-its-end"),
        pytest.param(line(answer="a\u2028b"), id="unicode-line-separator"),
    ],
)
def test_the_habits_of_other_writers_are_read(tmp_path, text):
    """Byte-order marks, line ends and blank lines of other tools lose no sample and cause no warning."""
    assert len(Recording.load(file_of(tmp_path, text)).rows) == 1


def test_an_empty_file_is_an_empty_recording(tmp_path):
    """An empty file loads without an error."""
    assert Recording.load(file_of(tmp_path, "")).rows == ()


def test_a_torn_last_line_is_dropped_with_a_warning(tmp_path):
    """A cut at any place loses only the last line; the warning points at the caller of `load`."""
    for cut in range(1, len(line()) - 1):
        path = file_of(tmp_path, line(sample_index=1) + line()[:cut])
        with pytest.warns(UserWarning, match="line 2: cut off while it was written, dropped") as raised:
            assert len(Recording.load(path).rows) == 1
        assert raised[0].filename == __file__


def test_a_last_line_torn_inside_a_character_or_left_as_zeros_is_dropped(tmp_path):
    """A crash may leave bytes that are not text; they are dropped too."""
    for tail in (json.dumps({**ROW, "answer": "é"}, ensure_ascii=False).encode()[:-3], b"\0\0\0"):
        with pytest.warns(UserWarning, match="cut off"):
            assert len(Recording.load(file_of(tmp_path, line(sample_index=1).encode() + tail)).rows) == 1


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (
            "hello\n",
            r"line 2: the line: <json_invalid error=.*>, received 'hello'; write one JSON object",
        ),
        (line()[:30] + "\n", "line 2: the line: <json_invalid error=>"),
        ("[1]\n", r"line 2: the line: <object>, received '\[1\]'; write one JSON object a line, such as"),
        ('{"a": 1}', "line 2: question_id: <missing>, received {'a': 1}"),
        (line(sample_index="0"), "line 2: sample_index: <int_type>, received '0'"),
        (line(sample_index=-1), "line 2: sample_index: <greater_than_equal ge=0>, received -1"),
        (line(question_id=7), "line 2: question_id: <string_type>, received 7"),
        (line(model=None), "line 2: model: <string_type>, received None"),
        (
            line(answer=float("nan")),
            "line 2: answer: .*NaN is not an answer, write null if there is none, received nan",
        ),
        (json.dumps({k: v for k, v in ROW.items() if k != "answer"}) + "\n", "line 2: answer: <missing>"),
        (line(sample_index=1), "line 2: sample 1 of 'qwen' for question 'q1' is already in .*line 1; give each sample"),
        ('{"slmmux_recording": 1, "settings": {}}\n', "line 2: question_id: <missing>"),
        ("[" * 10_000 + "\n", "line 2: the line: <json_invalid error=>"),
    ],
)
def test_any_other_bad_line_is_refused(tmp_path, bad, sentence):
    """The error names the file and line, the text received and the form to write."""
    path = file_of(tmp_path, line(sample_index=1) + bad)
    with pytest.raises(RecordingError, match=worded(sentence)) as raised:
        Recording.load(path)
    assert str(path) in str(raised.value)


def test_a_bad_line_in_the_middle_is_an_error(tmp_path):
    """Only the last line can have been cut off; the same bytes in the middle are refused."""
    with pytest.raises(RecordingError, match=worded("line 1: the line: <json_invalid error=>")):
        Recording.load(file_of(tmp_path, line()[:20] + "\n" + line()))


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path):
    """The text received is quoted with its escape codes escaped."""
    with pytest.raises(RecordingError) as raised:
        Recording.load(file_of(tmp_path, "\x1b[31mred\n"))
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (
            '{"slmmux_recording": 2, "settings": {}}',
            "line 1: slmmux_recording: <literal_error expected=1>, received 2; .*newer slmmux",
        ),
        ('{"slmmux_recording": 1, "settings": 5}', "line 1: settings: <object>, received 5"),
        ("5", "line 1: the line: <object>, received '5'"),
    ],
)
def test_a_bad_first_line_is_refused(tmp_path, head, sentence):
    """A future version and malformed settings are refused with the form to write."""
    with pytest.raises(RecordingError, match=worded(sentence)):
        Recording.load(file_of(tmp_path, head + "\n" + line()))


def test_a_file_of_another_format_is_refused(tmp_path):
    """Another suffix, a bad or an incomplete .gz are each named; a missing file stays an OSError."""
    zipped = gzip.compress(line().encode())
    for name, content, sentence in [
        ("samples.csv", b"", "samples.csv: a recording is a .jsonl or .jsonl.gz file"),
        ("samples.jsonl.gz", b"plain", "after line 0: not a gzip file, or an incomplete one"),
        ("samples.jsonl.gz", zipped[:-9], "after line 1: not a gzip file, or an incomplete one"),
        (
            "samples.jsonl.gz",
            zipped[:14] + b"zzzzzz" + zipped[20:],
            "after line 0: not a gzip file, or an incomplete one",
        ),
    ]:
        with pytest.raises(RecordingError, match=worded(sentence)):
            Recording.load(file_of(tmp_path, content, name))
    with pytest.raises(FileNotFoundError):
        Recording.load(tmp_path / "none.jsonl")


def test_rows_in_memory_follow_the_same_rules():
    """`of` refuses a sample that occurs twice, even the same object, and names both places."""
    row = Row(**ROW)
    with pytest.raises(RecordingError, match="row 1: sample 0 of 'qwen' for question 'q1' is already in row 0"):
        Recording.of([row, row])
    assert issubclass(RecordingError, ArgumentError)


def test_a_recording_cannot_be_changed():
    """Recording and row are frozen."""
    recording = Recording.of([Row(**ROW)])
    for thing, name in ((recording, "rows"), (recording.rows[0], "answer")):
        with pytest.raises(AttributeError):
            setattr(thing, name, ())
