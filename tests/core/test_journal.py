"""The file that a profile writes: after a kill at any moment it continues, and no sample is made or recorded twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import profiled_process
import pytest

from slmmux import ArgumentError, Recording, RecordingError, Row
from slmmux.profiling import profile
from slmmux.profiling._journal import Journal
from slmmux.recording._row import head_line, row_line
from tests.pydantic_words import worded

SETTINGS = {"extract": "number", "models": {"qwen": {"temperature": 0.7}}}


def row(index=0, **changes):
    return Row(**{"question_id": "q1", "model": "qwen", "sample_index": index, "answer": "4", **changes})


def file_of(path, settings=None, rows=()):
    path.write_bytes(b"".join([head_line(settings or SETTINGS), *map(row_line, rows)]))
    return path


# --- killed -----------------------------------------------------------------------------------------------------------


class Profiles:
    """Runs of one profile that may be killed, and the properties that hold between them."""

    def __init__(self, folder):
        self.requests = folder / "asked"
        self.requests.touch()
        self.errors = (folder / "said").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, profiled_process.__file__, str(self.requests)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def say(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def run(self, path, kill_after=None):
        """Run once, and kill it some seconds after its first row if `kill_after` is a number; return the exit code."""
        recorded_before, offset = on_disk(path), self.requests.stat().st_size
        size = path.stat().st_size if path.exists() else 0
        self.say(path)
        pid = int(self.process.stdout.readline())
        if kill_after is not None:
            while not (path.exists() and path.stat().st_size > max(size, 1000)) and alive(pid):
                time.sleep(0.001)
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        self.say("")
        ended = int(self.process.stdout.readline())
        requests = self.requests.read_bytes()[offset:].decode().splitlines()
        assert len(requests) == len(set(requests)), "a run requested a sample twice"
        assert not recorded_before & set(requests), "a sample was requested again though its row was on disk"
        assert recorded_before <= on_disk(path), "a row was lost"
        assert ended or recorded_before | set(requests) == on_disk(path) == EVERY_SAMPLE, (
            "a run that ended left a sample out"
        )
        return ended


def alive(pid):
    return Path(f"/proc/{pid}/status").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text()


def on_disk(path):
    """Return the samples whose rows are complete, and refuse a row that occurs twice."""
    lines = path.read_bytes().splitlines(keepends=True)[1:] if path.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith(b"\n")]
    samples = [f"{r['question']}|{r['model']}|{r['sample_index']}" for r in rows]
    assert len(samples) == len(set(samples)), "a row was doubled"
    return set(samples)


EVERY_SAMPLE = {
    f"{question['question']}|{model}|{i}"
    for question in profiled_process.QUESTIONS
    for model, k in profiled_process.SAMPLES.items()
    for i in range(k)
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="kills a process, and looks in /proc how it is")
@pytest.mark.parametrize("most", [6, pytest.param(50, marks=pytest.mark.full)])
def test_after_many_kills_each_sample_is_there_once(tmp_path, most):
    """A real profile killed with SIGKILL at random moments ends with every sample in its file exactly once.

    A sample whose row was on disk is not requested again, and a torn last line is dropped with a warning.
    """
    chance = random.Random(20251022)
    kills = torn = files = 0
    with Profiles(tmp_path) as profiles:
        while kills < most:
            path = tmp_path / f"samples{files}.jsonl"
            files += 1
            while kills < most and (ended := profiles.run(path, chance.random() * 0.03)) != 0:
                assert ended == -signal.SIGKILL
                kills += 1
                # After a kill the system still finishes a write; after a power cut it does not, so tear the line here.
                if kills % 3 == 0:
                    content = path.read_bytes().rstrip(b"\n")
                    start = content.rfind(b"\n") + 1
                    os.truncate(path, chance.randint(start + 1, len(content) - 1))
                    torn += 1
            assert profiles.run(path) == 0
            rows = Recording.load(path).rows
            assert len(rows) == len(EVERY_SAMPLE)
            assert Counter(row.error for row in rows) == {None: 30 * 7 + 10 * 2, "ValueError: no such luck": 20 * 2}
        profiles.errors.seek(0)
        errors = profiles.errors.read()
    assert "Traceback" not in errors
    assert errors.count("cut off while it was written, dropped") >= torn


def test_a_cut_file_is_continued_to_the_same_rows(tmp_path):
    """For a cut at every byte of its head and end, the next run gives the same rows and warns of a dropped line."""
    calls = []

    def member(question):
        calls.append(question)
        return "It is 4, \u00fcberall."

    def samples(path):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            rows = profile({"a": member}, [{"question_id": "q", "question": "2 + 2?"}], samples=3, recording=path).rows
        return sorted((r.sample_index, r.text, r.answer) for r in rows), [str(w.message) for w in warned]

    path = tmp_path / "samples.jsonl"
    expected, _ = samples(path)
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    ends = [len(b"".join(lines[:n])) for n in range(5)]
    for cut in [*range(ends[1] + 1), *range(ends[2], ends[4] + 1)]:
        path.write_bytes(content[:cut])
        calls.clear()
        rows, notes = samples(path)
        assert rows == expected, cut
        # A line that lacks only its line feed is complete.
        recorded = sum(cut >= end - 1 for end in ends[2:])
        assert len(calls) == 3 - recorded, cut
        torn = cut not in ends and cut + 1 not in ends
        assert len(notes) == torn, (cut, notes)
        assert all("cut off while it was written, dropped" in note for note in notes)


# --- what it refuses --------------------------------------------------------------------------------------------------


def test_a_new_file_is_made_and_continued(tmp_path):
    """The first line has the settings, samples are there when the file is opened again, and folders are made."""
    path = tmp_path / "new" / "samples.jsonl"
    with Journal(path, SETTINGS) as journal:
        assert journal.recording.rows == ()
        journal.write([row(0), row(1)])
        assert len(Recording.load(path).rows) == 2  # the operating system has them before the journal closes
        journal.write([])
    with Journal(path, SETTINGS) as journal:
        assert journal.recording.rows == (row(0), row(1))
        journal.write([row(2)])
    recording = Recording.load(path)
    assert recording.rows == (row(0), row(1), row(2))
    assert recording.settings == SETTINGS


def test_settings_are_compared_as_a_file_has_them(tmp_path):
    """JSON turns tuples into lists, so a tuple and the same list are equal settings."""
    for settings in ({**SETTINGS, "stop": ("a", "b")}, {**SETTINGS, "stop": ["a", "b"]}):
        with Journal(tmp_path / "samples.jsonl", settings):
            pass


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"models": {"qwen": {"temperature": 0.8}}}, r"models\.qwen\.temperature was 0\.7 and is 0\.8; set them back"),
        ({"models": {"qwen": {}}}, r"models\.qwen\.temperature was 0\.7 and is None"),
        ({"models": {**SETTINGS["models"], "phi": {}}}, r"models\.phi was None and is \{\}"),
        ({"system_prompt": "Few words."}, "system_prompt was None and is 'Few words.'"),
        ({"extract": "boxed"}, "extract was 'number' and is 'boxed'"),
        ({"extract": "boxed", "stop": ["x"]}, "extract was 'number' and is 'boxed'; stop was None and is"),
        ({str(i): i for i in range(8)}, "4 was None and is 4 and 3 more; set them back, or write to a new file"),
    ],
)
def test_other_settings_are_refused_with_the_changes(tmp_path, changes, sentence):
    """The error names the changes; the file stays as it is and can be continued with its own settings."""
    path = file_of(tmp_path / "samples.jsonl", rows=[row()])
    before = path.read_bytes()
    with pytest.raises(RecordingError, match=sentence):
        Journal(path, {**SETTINGS, **changes})
    assert path.read_bytes() == before
    with Journal(path, SETTINGS) as journal:
        assert journal.recording.rows == (row(),)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (row_line(row()), "does not state the settings of its samples, so it cannot be continued; write to a new file"),
        (b"\n\n", "does not state the settings of its samples"),
        (b'{"question_id": "q1", "question": "2 + 2?"}', "line 1: model: <missing>"),
        (b"hello\n{torn", "line 1: the line: <json_invalid error=>"),
        (row_line(row()) + b"{torn", "does not state the settings of its samples"),
        (head_line({"extract": "auto"}) + b"{torn", "extract was 'auto' and is 'number'"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*cut off while it was written")
def test_a_file_of_another_kind_is_refused_and_left_unchanged(tmp_path, content, sentence):
    """A recording without settings, a file of questions or any other file stays unchanged, with its torn end."""
    path = tmp_path / "samples.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=worded(sentence)):
        Journal(path, SETTINGS)
    assert path.read_bytes() == content


def test_a_second_writer_is_refused(tmp_path):
    """A second profile into the same file is refused while the first runs, or samples would be recorded twice."""
    path = tmp_path / "samples.jsonl"
    with Journal(path, SETTINGS), pytest.raises(RecordingError, match="is being written by another process; wait"):
        Journal(path, SETTINGS)
    with Journal(path, SETTINGS):  # the lock ends with the first journal
        pass


def test_without_file_locks_the_file_is_written(tmp_path, monkeypatch):
    """Without fcntl, as on Windows, there is no lock."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    path = tmp_path / "samples.jsonl"
    with Journal(path, SETTINGS) as first, Journal(path, SETTINGS):
        first.write([row()])


def test_a_name_that_cannot_be_appended_to_is_refused(tmp_path):
    """A .gz file, another suffix and a folder are refused, and no file is made."""
    for name, sentence in [
        ("samples.jsonl.gz", "a .gz file cannot be continued; write a .jsonl file and pack it afterwards"),
        ("samples.csv", "a recording is a .jsonl or .jsonl.gz file; rename or convert it"),
    ]:
        with pytest.raises(ArgumentError, match=worded(sentence)):
            Journal(tmp_path / name, SETTINGS)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(OSError, match=r"folder\.jsonl"):
        Journal(tmp_path / "folder.jsonl", SETTINGS)
