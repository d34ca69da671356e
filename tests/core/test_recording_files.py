"""Recordings on disk: saving and loading, several files as one, and fingerprints."""

import gzip
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import Recording, RecordingError, Row
from slmmux.recording._row import answer_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
rows = st.lists(
    st.builds(
        Row,
        question_id=texts,
        model=st.sampled_from(["qwen", "phi"]) | texts,
        sample_index=st.integers(0, 9),
        answer=jsons,
        dataset=st.none() | texts,
        question=st.none() | texts,
        gold=jsons,
        text=st.none() | texts,
        temperature=st.none() | numbers,
        input_tokens=st.none() | st.integers(0, 9),
        output_tokens=st.none() | st.integers(0, 9),
        latency_s=st.none() | numbers,
        error=st.none() | texts,
        kind=st.none() | texts,
        key=st.none() | texts,
        alike=st.none() | st.dictionaries(st.integers(0, 9), st.floats(0, 1), max_size=3),
        cut_off=st.none() | st.booleans(),
    ),
    max_size=6,
    unique_by=lambda row: (row.question_id, row.model, row.sample_index),
)


def row(index=0, model="qwen", **changes):
    return Row(**{"question_id": "q1", "model": model, "sample_index": index, "answer": "4", **changes})


@given(rows, st.dictionaries(texts, jsons, max_size=3), st.sampled_from(["samples.jsonl", "samples.jsonl.gz"]))
def test_a_saved_recording_loads_equal(tmp_path_factory, rows, settings, name):
    """Rows, with verdicts and keys, and settings load as they were saved, packed or not; no other file is left."""
    path = tmp_path_factory.mktemp("saved") / name
    recording = Recording.of(rows, settings)
    recording.save(path)
    assert Recording.load(path) == recording
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_one_recording_is_one_file(tmp_path):
    """Two packed files are the same bytes; unpacked they equal the plain file; fields that are None are left out."""
    recording = Recording.of([row(), row(1, answer=None, error="refused")], {"k": 2})
    for name in ("a.jsonl.gz", "b.jsonl.gz", "c.jsonl"):
        recording.save(tmp_path / name)
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert packed == (tmp_path / "b.jsonl.gz").read_bytes()
    plain = (tmp_path / "c.jsonl").read_bytes()
    assert gzip.decompress(packed) == plain
    assert [json.loads(line) for line in plain.splitlines()] == [
        {"slmmux_recording": 1, "settings": {"k": 2}},
        {"question_id": "q1", "model": "qwen", "sample_index": 0, "answer": "4"},
        {"question_id": "q1", "model": "qwen", "sample_index": 1, "answer": None, "error": "refused"},
    ]


def test_an_existing_file_is_replaced_or_kept(tmp_path):
    """A save replaces the file in one step; a save that fails leaves the file as it was."""
    path = tmp_path / "samples.jsonl"
    Recording.of([row()]).save(path)
    Recording.of([row(1)]).save(path)
    assert Recording.load(path).rows == (row(1),)
    for name in ("samples.csv", "samples.json"):
        with pytest.raises(RecordingError, match=r"a recording is a \.jsonl or \.jsonl\.gz file"):
            Recording.of([row()]).save(tmp_path / name)
    with pytest.raises(OSError, match="nowhere"):
        Recording.of([row()]).save(tmp_path / "nowhere" / "samples.jsonl")
    assert Recording.load(path).rows == (row(1),)


def files(tmp_path, *parts):
    paths = []
    for i, (part, settings) in enumerate(parts):
        paths.append(tmp_path / f"part{i}.jsonl")
        Recording.of(part, settings).save(paths[-1])
    return paths


def test_several_files_are_one_recording(tmp_path):
    """Files by member or by question load as one recording; each model keeps its own settings."""
    one, other, more = files(
        tmp_path,
        ([row()], {"extract": "auto", "models": {"qwen": {"temperature": 0.7}}}),
        ([row(model="phi")], {"extract": "auto", "models": {"phi": {"temperature": 0.5}}}),
        ([row(question_id="q2")], {"extract": "auto", "models": {"qwen": {"temperature": 0.7}}}),
    )
    recording = Recording.load(one, other, more)
    assert recording.rows == (row(), row(model="phi"), row(question_id="q2"))
    assert recording.settings == {
        "extract": "auto",
        "models": {"qwen": {"temperature": 0.7}, "phi": {"temperature": 0.5}},
    }
    assert recording.questions == ("q1", "q2")


def test_a_file_without_settings_goes_with_any(tmp_path):
    """A file without settings joins any other, whose settings are kept."""
    settings = {"extract": "auto", "models": {"qwen": {"temperature": 0.7}}}
    stated, silent = files(tmp_path, ([row()], settings), ([row(1)], {}))
    assert Recording.load(stated, silent).settings == Recording.load(silent, stated).settings == settings


def test_a_foreign_entry_under_models_is_accepted(tmp_path):
    """A list of names under "models" holds no settings, but is no reason to refuse a file."""
    one, other = files(tmp_path, ([row()], {"models": ["qwen"]}), ([row(1)], {"models": {"qwen": "v1", "phi": {}}}))
    assert Recording.load(one).settings == {"models": ["qwen"]}
    assert len(Recording.load(one, other).rows) == 2


def test_tasks_of_one_model_may_lie_in_files_of_their_own(tmp_path):
    """Other tools keep settings by model and task: only a task in both files can differ."""
    sums, poems, changed = files(
        tmp_path,
        ([row()], {"models": {"qwen": {"sums": {"temperature": 0.7}}}}),
        ([row(1)], {"models": {"qwen": {"poems": {"temperature": 0.9}}}}),
        ([row(2)], {"models": {"qwen": {"sums": {"temperature": 0.1}}}}),
    )
    both = {"sums": {"temperature": 0.7}, "poems": {"temperature": 0.9}}
    assert Recording.load(sums, poems).settings == {"models": {"qwen": both}}
    with pytest.raises(RecordingError, match=r"models\.qwen\.sums \{'temperature': 0\.1\}"):
        Recording.load(sums, changed)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"extract": "boxed"}, "part1.jsonl was made with extract 'boxed', the files before it with 'auto'; load tog"),
        ({"system_prompt": "Few words."}, "was made with system_prompt 'Few words.', the files before it with None"),
        (
            {"models": {"qwen": {"temperature": 0.9}}},
            r"made with models\.qwen\.temperature 0\.9, the files before .* 0",
        ),
        ({"models": {"qwen": {}}}, r"made with models\.qwen\.temperature None, the files before it with 0\.7"),
    ],
)
def test_files_with_different_settings_are_refused(tmp_path, changed, sentence):
    """The error names the first setting that differs, also one of a model, the file and the remedy."""
    settings = {"extract": "auto", "models": {"qwen": {"temperature": 0.7}}}
    one, other = files(tmp_path, ([row()], settings), ([row(1)], {**settings, **changed}))
    with pytest.raises(RecordingError, match=sentence):
        Recording.load(one, other)


def test_a_sample_in_two_files_is_refused(tmp_path):
    """The error names both places."""
    one, other = files(tmp_path, ([row()], {}), ([row(1), row()], {}))
    with pytest.raises(
        RecordingError, match=r"part1.jsonl line 3: sample 0 of 'qwen' .* already in .*part0.jsonl line 2"
    ):
        Recording.load(one, other)


SAMPLES = [row(i, model, text="4!") for i in range(3) for model in ("qwen", "phi")]


@given(st.permutations(SAMPLES))
def test_a_fingerprint_ignores_the_order(rows):
    """The order, latency and tokens of samples do not change the fingerprint."""
    timed = [replace(r, latency_s=random.Random(i).random(), input_tokens=i) for i, r in enumerate(rows)]
    assert Recording.of(timed).fingerprint == Recording.of(SAMPLES).fingerprint
    assert len(Recording.of(SAMPLES).fingerprint) == 16


def test_a_fingerprint_tells_recordings_apart():
    """A change of answer, kind, key, gold, index, model, question or failure, or a sample less, changes the hash."""
    changes = [{"answer": a} for a in ("5", 4, None)]
    changes += [{"kind": "number"}, {"key": "4"}, {"gold": "4"}, {"sample_index": 9}, {"model": "q"}]
    changes += [{"question_id": "q2"}, {"error": ""}, {"answer": "\ud800"}]
    fingerprints = {
        Recording.of([replace(SAMPLES[0], **change), *SAMPLES[1:]]).fingerprint for change in [{}, *changes]
    }
    fingerprints.add(Recording.of(SAMPLES[1:]).fingerprint)
    assert len(fingerprints) == len(changes) + 2


def test_an_answer_is_compared_by_its_key_if_there_is_one():
    """An answer is compared by kind and key, else as written; a failed or unread sample has no answer."""
    assert answer_of(row(answer="1,234", kind="number", key="1234")) == answer_of(
        row(answer="1234", kind="number", key="1234")
    )
    assert answer_of(row(kind="number", key="4")) != answer_of(row(kind="boxed", key="4"))
    assert answer_of(row()) == answer_of(row(kind="number")) == answer_of(row(key="4"))
    assert answer_of(row()) != answer_of(row(answer=4))
    assert answer_of(row(answer=None, kind="number", key="4")) is None
    assert answer_of(row(kind="number", key="4", error="")) is None


def test_text_that_no_file_can_hold_is_replaced(tmp_path):
    """Half a surrogate pair, which models do write, loses its character and not the file."""
    Recording.of([row(text="a\ud800b")]).save(tmp_path / "samples.jsonl")
    assert Recording.load(tmp_path / "samples.jsonl").rows[0].text == "a?b"
