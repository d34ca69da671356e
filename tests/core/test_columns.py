"""Recordings column by column: every format holds the same samples and gives the same figures, to the last bit."""

import dataclasses
import json
import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmmux import ArgumentError, Recording, RecordingError, Row, select_complementary
from slmmux.recording import arrays_of
from slmmux.recording._arrays import _by_rows
from slmmux.recording._formats import is_recording
from slmmux.recording._replay import planned_samples, replay
from slmmux.report import recorded, report
from tests.core.test_recording_files import jsons, rows, texts

pytest.importorskip("pyarrow")

NAMES = ("samples.jsonl", "samples.jsonl.gz", "samples.parquet", "parts")


def pool(seed=0, questions=40, models=5, k=4, *, texts=True):
    """Return a recording with answers of many kinds, silence, failures and an option's letter, in any order."""
    rng = random.Random(seed)
    made = []
    for q in range(questions):
        for m in range(models):
            for i in range(k):
                value = (
                    "4" if rng.random() < 0.35 + 0.08 * m else rng.choice(["5", "6", None, 4, 4.0, [1, 2], {"a": 1}])
                )
                kind = rng.choice([None, "number", "text", "choice"]) if isinstance(value, str) else None
                made.append(
                    Row(
                        question_id=f"q{q}", model=f"m{m}", sample_index=i, answer=value, kind=kind,
                        key=None if kind is None else value, gold="4" if q % 3 else ["4", "6"],
                        question=rng.choice([None, f"Which of {q}?\nA. 4\nB. 5"]), dataset=f"d{q % 2}",
                        text=rng.choice(["It is 4.", "5", ""]) if texts else None, temperature=0.5,
                        input_tokens=rng.randrange(9), output_tokens=rng.choice([0, 3, None]), latency_s=rng.random(),
                        error="refused" if rng.random() < 0.05 else None, score=rng.choice([0.0, 1.0]),
                    )
                )  # fmt: skip
    rng.shuffle(made)
    return Recording.of(made, {"extract": "auto", "models": {f"m{m}": {} for m in range(models)}})


def in_every_format(recording, folder):
    loaded = []
    for name in NAMES:
        recording.save(folder / name)
        loaded.append(Recording.load(folder / name))
    return loaded


@settings(max_examples=40, deadline=None)
@given(rows, st.dictionaries(texts, jsons, max_size=3), st.sampled_from(["samples.parquet", "parts"]))
def test_a_recording_in_parquet_loads_equal(tmp_path_factory, rows, stated, name):
    """Rows of every kind, with their settings, load from Parquet and from a folder as they were saved."""
    path = tmp_path_factory.mktemp("saved") / name
    recording = Recording.of(rows, stated)
    recording.save(path)
    loaded = Recording.load(path)
    assert loaded == recording
    assert loaded.fingerprint == recording.fingerprint
    assert loaded.questions == recording.questions
    assert loaded.models == recording.models
    assert not list(path.parent.rglob("*.part"))


def test_every_format_gives_one_fingerprint_and_one_selection(tmp_path):
    """The same samples have one fingerprint, and a selection that is equal to its last bit, in every format."""
    recording = pool()
    expected = json.dumps(dataclasses.asdict(select_complementary(recording, [1, 2], n_resamples=2)))
    for loaded in in_every_format(recording, tmp_path):
        assert loaded == recording
        assert loaded.fingerprint == recording.fingerprint
        assert json.dumps(dataclasses.asdict(select_complementary(loaded, [1, 2], n_resamples=2))) == expected


def test_every_format_gives_one_report(tmp_path):
    """The page about a recording is the same, byte for byte, from a file of columns as from rows in memory."""
    recording = pool(questions=12, models=2)
    recording.save(tmp_path / "samples.parquet")
    assert report(Recording.load(tmp_path / "samples.parquet"), n_resamples=0) == report(recording, n_resamples=0)


@pytest.mark.parametrize("score", [None, "exact", "recorded"])
@pytest.mark.parametrize("seed", range(8))
def test_arrays_from_codes_are_those_counted_row_by_row(seed, score):
    """Codes, rights, tokens and texts are those of the walk over rows, which functions of answers still take."""
    recording = pool(seed, questions=9, models=3, texts=seed % 2 == 0)
    some = Recording.of([row for row in recording.rows if (row.question_id, row.model) != ("q3", "m1")], {})
    for samples in (None, 2, {"m2": 1, "m0": 3}):
        models = ["m2", "m0"]
        arrays = arrays_of(some, models, samples, score=score)
        planned = planned_samples(some, models, samples)
        codes, right, tokens, alone, names, form = _by_rows(some, planned, arrays.questions, None, score)
        np.testing.assert_array_equal(arrays.codes, codes)
        np.testing.assert_array_equal(arrays.right, right)
        np.testing.assert_array_equal(arrays.tokens, tokens)
        np.testing.assert_array_equal(arrays.tokens_alone, alone)
        assert (arrays.answers, arrays.score) == (names, form)


def test_a_replay_of_columns_is_that_of_rows(tmp_path):
    """Decisions from a file are those from rows in memory: winner, votes and the reply's own row."""
    recording = pool(3, questions=15, models=3)
    recording.save(tmp_path / "samples.parquet")
    loaded = Recording.load(tmp_path / "samples.parquet")
    # As texts, since two errors are never equal.
    assert repr(replay(loaded, ["m2", "m0"], 3)) == repr(replay(recording, ["m2", "m0"], 3))


def test_texts_are_read_only_if_they_are_asked_for(tmp_path, monkeypatch):
    """Counting reads no reply's text; a row does."""
    pool(texts=True).save(tmp_path / "samples.parquet")
    rows = [dataclasses.replace(row, kind="number" if row.kind else None) for row in pool().rows]
    Recording.of(rows).save(tmp_path / "samples.parquet")
    loaded = Recording.load(tmp_path / "samples.parquet")
    asked = []
    texts_of = type(loaded.columns).texts
    monkeypatch.setattr(type(loaded.columns), "texts", lambda self, at: asked.append(len(at)) or texts_of(self, at))
    arrays = arrays_of(loaded)
    recorded(loaded, arrays)
    assert loaded.fingerprint
    assert not asked
    assert loaded.rows[0].text == rows[0].text
    assert asked


def test_a_later_attempt_counts_and_the_earlier_one_is_history(tmp_path):
    """Parts of a journal may repeat a failed sample: the later attempt is the sample, as in JSON lines."""
    failed = Row(question_id="q", model="m", sample_index=0, answer=None, error="busy")
    other = Row(question_id="p", model="m", sample_index=0, answer="1")
    again = Row(question_id="q", model="m", sample_index=0, answer="4", attempt=2)
    folder = tmp_path / "parts"
    Recording.of([failed, other]).save(folder)
    Recording.of([again]).save(folder / "part-00001.parquet")
    loaded = Recording.load(folder)
    assert (loaded.rows, loaded.history) == ((other, again), (failed,))
    loaded.save(tmp_path / "one.parquet")
    assert Recording.load(tmp_path / "one.parquet") == loaded


def odd(path):
    """Write what no tidy recording has, as JSON lines of two parts of a journal, and return its number of samples."""
    ids = ["q", "Q", "q ", "\u00e9", "e\u0301", "\U0001f40d", "a/b", "", "0", "00", "-0", "None", "null", "x" * 3000]
    values = [
        "4", 4, 4.0, -0.0, 2**70, -(2**63), 1e300, True, None, "", " ", "\u0000", "\u2028", [], [None], {}, {"b": 1, "a": [2]},
        "\U0001f40d", "e\u0301", "\u00e9", "NaN",
    ]  # fmt: skip
    labels = ["m", "M", "m\u00fc\u00df", "a,b", "[red]", "null"]
    rng, lines = random.Random(5), []
    for number, question in enumerate(ids):
        for label in labels:
            for index in range(3):
                row = {
                    "question_id": question, "model": label, "sample_index": index, "answer": rng.choice(values),
                    "gold": values[number] if number != 8 else ["x", 4], "text": rng.choice([None, "", "\n", "It is 4.\r\n", "\U0001f40d" * 9]),
                    "question": rng.choice([question, None]) if number else "?", "dataset": rng.choice([None, "", "d"]),
                    "temperature": rng.choice([None, 0, 0.1 + 0.2]), "input_tokens": rng.choice([None, 0, 2**40]),
                    "latency_s": rng.choice([None, 0.0, 1e-12]), "cut_off": rng.choice([None, True]), "unknown": "left out",
                }  # fmt: skip
                if rng.random() < 0.2:
                    lines.append({**row, "answer": None, "text": None, "error": "\u00e9: busy"})
                    row["attempt"] = 2
                if isinstance(row["answer"], str) and rng.random() < 0.5:
                    row |= {"kind": "text", "key": row["answer"].casefold()}
                lines.append({name: value for name, value in row.items() if value is not None or name == "answer"})
    settings_line = {"slmmux_recording": 1, "settings": {"extract": "auto", "models": {label: {} for label in labels}}}
    path.mkdir()
    for part, some in enumerate((lines[: len(lines) // 3], lines[len(lines) // 3 :])):
        text = "".join(json.dumps(line) + "\n" for line in (settings_line, *some))
        (path / f"part-{part}.jsonl").write_text(text, encoding="utf-8")
    return len(ids) * len(labels) * 3


def test_odd_recordings_are_the_same_in_every_format(tmp_path):
    """Ids, labels, answers and texts of any sign, huge numbers, nothing and history: all fields and figures are equal."""
    count = odd(tmp_path / "journal")
    original = Recording.load(tmp_path / "journal")
    assert len(original) == count
    assert original.history
    options = {"sizes": [2], "n_resamples": 2, "repeats": 1}
    expected = dataclasses.asdict(select_complementary(original, **options))
    copy, figures = original, json.dumps(expected, sort_keys=True, default=str)
    for name in (*NAMES, "again.jsonl", "again.parquet"):  # each is made of the one before
        copy.save(tmp_path / name)
        copy = Recording.load(tmp_path / name)
        assert (copy, copy.history, copy.settings) == (original, original.history, original.settings), name
        assert [*map(repr, copy.rows)] == [*map(repr, original.rows)], name  # 4 is not 4.0, and 0.0 is not -0.0
        assert copy.fingerprint == original.fingerprint
        if name in {"samples.parquet", "parts"}:  # the others are rows, as the original is
            selection = dataclasses.asdict(select_complementary(copy, **options))
            assert json.dumps(selection, sort_keys=True, default=str) == figures, name
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "samples.jsonl").read_bytes()


def test_a_folder_may_mix_formats_and_unfinished_parts_do_not_count(tmp_path):
    """A folder of parts is one recording, in any mixture of formats; hidden and other files are not read."""
    folder = tmp_path / "parts"
    Recording.of([Row(question_id="q", model="m", sample_index=0, answer="4")], {"k": 1}).save(folder)
    Recording.of([Row(question_id="q", model="m", sample_index=1, answer="5", text="5!")], {"k": 1}).save(
        folder / "rest.jsonl"
    )
    (folder / ".part-00002.parquet.x.part").write_bytes(b"PAR1")
    (folder / "notes.txt").write_text("mine")
    loaded = Recording.load(folder)
    assert [row.answer for row in loaded.rows] == ["4", "5"]
    assert loaded.rows[1].text == "5!"
    with pytest.raises(RecordingError, match="already in"):
        Recording.load(folder, folder / "rest.jsonl")
    with pytest.raises(RecordingError, match=r"already has parts, such as part-00000\.parquet; name a new folder"):
        loaded.save(folder)


def test_a_table_of_another_program_with_the_same_columns_is_read(tmp_path):
    """Without our metadata, a Parquet file of plain columns is a recording: strings, numbers and lists are answers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({
        "question_id": ["q1", "q1", "q2"], "model": ["a", "b", "a"], "sample_index": pa.array([0, 0, 0], pa.int16()),
        "answer": [4, None, 5], "gold": [4.0, 4.0, None], "extra": [1, 2, 3], "latency_s": pa.array([1, 2, None]),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "theirs.parquet")
    loaded = Recording.load(tmp_path / "theirs.parquet")
    assert [(row.answer, row.gold, row.latency_s) for row in loaded.rows] == [
        (4, 4.0, 1),
        (None, 4.0, 2),
        (5, None, None),
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sample_index": [0, -1]}, "sample_index: received a number below; write whole numbers from 0 on"),
        ({"sample_index": ["0", "1"]}, "sample_index: received string"),
        ({"question_id": ["q1", None]}, "question_id: received null; write a text"),
        ({"model": [1, 2]}, "model: received a value that is no text"),
        ({"score": [0.5, 1.5]}, "score: received a number beyond; write numbers from 0 to 1"),
        ({"answer": [1.0, float("nan")]}, "NaN is not an answer"),
        ({"sample_index": [1, 1]}, r"bad.parquet row 1: sample 1 .* is already in .*bad.parquet row 0"),
        ({"answer": None}, "'answer' is not there"),
    ],
)
def test_a_bad_column_is_a_sentence(tmp_path, change, sentence):
    """What a Parquet file may not hold is refused with the file, the column and the form to write."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"question_id": ["q1", "q1"], "model": ["a", "a"], "sample_index": [0, 1], "answer": ["4", "5"], **change}
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table({name: column for name, column in columns.items() if column is not None}), path)
    with pytest.raises(RecordingError, match=sentence):
        _ = Recording.load(path).rows


def test_a_broken_file_is_a_sentence(tmp_path):
    """A file that is no Parquet, or only a part of it, is refused as a sentence."""
    path = tmp_path / "samples.parquet"
    pool(questions=2).save(path)
    for content in (b"", b"PAR1", path.read_bytes()[:-20]):
        path.write_bytes(content)
        with pytest.raises(RecordingError, match="not a Parquet file, or an incomplete one"):
            Recording.load(path)
    with pytest.raises(OSError, match="none"):
        Recording.load(tmp_path / "none.parquet")


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    """Parquet without pyarrow is an error that names the extra, for reading and writing."""
    recording = pool(questions=1)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for use in (lambda: Recording.load(tmp_path / "a.parquet"), lambda: recording.save(tmp_path / "a.parquet")):
        with pytest.raises(ArgumentError, match=r'pip install "slmmux\[parquet\]"'):
            use()
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_file(tmp_path):
    """An error while a Parquet file is written leaves the old one, and nothing beside it."""
    path = tmp_path / "samples.parquet"
    pool(questions=1).save(path)
    before = path.read_bytes()

    def broken(*_, **__):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(KeyboardInterrupt):
            pool(questions=2).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["samples.parquet"]


def test_a_file_of_columns_keeps_its_permissions(tmp_path):
    """A Parquet file that is replaced keeps its permissions, as every other file does."""
    path = tmp_path / "samples.parquet"
    pool(questions=1).save(path)
    path.chmod(0o600)
    pool(questions=2).save(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_indices_of_different_sizes_are_joined(tmp_path):
    """A file with small indices before one with indices beyond 32 bits loses none of their digits."""
    files = [tmp_path / "small.parquet", tmp_path / "large.parquet"]
    for file, index in zip(files, (1, 2**32 + 1), strict=True):
        Recording.of([Row(question_id="q", model="m", sample_index=index, answer="4")]).save(file)
    assert [row.sample_index for row in Recording.load(*files).rows] == [1, 2**32 + 1]


def test_a_recording_is_told_from_other_tables(tmp_path):
    """Recordings, also folders of them, are known by their first row; other tools' files are not taken for one."""
    recording = pool(questions=1)
    for name in NAMES:
        recording.save(tmp_path / name)
        assert is_recording(tmp_path / name)
    (tmp_path / "table.jsonl").write_text('{"question": "2 + 2?", "answer": "4"}\n')
    (tmp_path / "text.txt").write_text("4")
    assert not is_recording(tmp_path / "table.jsonl")
    assert not is_recording(tmp_path / "text.txt")
    assert not is_recording(tmp_path)
