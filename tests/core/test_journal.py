"""The file a profile writes: killed at any moment it goes on where it was, and nothing is asked twice or kept twice."""

import errno
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

SETTINGS = {"extract": "number", "models": {"qwen": {"temperature": 0.7}}}


def row(index=0, **changes):
    return Row(**{"question_id": "q1", "model": "qwen", "sample_index": index, "answer": "4", **changes})


def written(path, settings=None, rows=()):
    path.write_bytes(b"".join([head_line(settings or SETTINGS), *map(row_line, rows)]))
    return path


# --- killed -----------------------------------------------------------------------------------------------------------


class Killed:
    """Runs of one profile that are killed, and what must hold between them."""

    def __init__(self, folder):
        self.asked = folder / "asked"
        self.asked.touch()
        self.said = (folder / "said").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, profiled_process.__file__, str(self.asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.said.close()

    def say(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def run(self, path, kill_after=None):
        """Run once, killed so many seconds after its first row or not at all; returns how it ended."""
        there, already = on_disk(path), self.asked.stat().st_size
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
        asked = self.asked.read_bytes()[already:].decode().splitlines()
        assert len(asked) == len(set(asked)), "a run asked twice for one sample"
        assert not there & set(asked), "a sample was asked for again though its row was on disk"
        assert there <= on_disk(path), "a row was lost"
        assert ended or there | set(asked) == on_disk(path) == WANTED, "a run that ended left something out"
        return ended


def alive(pid):
    return Path(f"/proc/{pid}/status").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text()


def on_disk(path):
    """Return the samples whose rows are whole, and refuse a row that is there twice."""
    lines = path.read_bytes().splitlines(keepends=True)[1:] if path.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith(b"\n")]
    samples = [f"{r['question']}|{r['model']}|{r['sample_index']}" for r in rows]
    assert len(samples) == len(set(samples)), "a row was doubled"
    return set(samples)


WANTED = {
    f"{question['question']}|{model}|{i}"
    for question in profiled_process.QUESTIONS
    for model, k in profiled_process.SAMPLES.items()
    for i in range(k)
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="kills a process, and looks in /proc how it is")
def test_killed_fifty_times_nothing_is_lost_doubled_or_asked_again(tmp_path):
    """A real profile killed with SIGKILL at 50 random moments ends with every sample in its file exactly once.

    No sample whose row was on disk is asked for again, and a last line that was torn is dropped with a note.
    """
    chance = random.Random(20251022)
    kills = torn = files = 0
    with Killed(tmp_path) as profiles:
        while kills < 50:
            path = tmp_path / f"samples{files}.jsonl"
            files += 1
            while kills < 50 and (ended := profiles.run(path, chance.random() * 0.03)) != 0:
                assert ended == -signal.SIGKILL
                kills += 1
                # The system finishes a write that it began, a power cut does not: tear the last line as one would.
                if kills % 3 == 0:
                    whole = path.read_bytes().rstrip(b"\n")
                    start = whole.rfind(b"\n") + 1
                    os.truncate(path, chance.randint(start + 1, len(whole) - 1))
                    torn += 1
            assert profiles.run(path) == 0
            rows = Recording.load(path).rows
            assert len(rows) == len(WANTED)
            assert Counter(row.error for row in rows) == {None: 30 * 7 + 10 * 2, "ValueError: no such luck": 20 * 2}
        profiles.said.seek(0)
        said = profiles.said.read()
    assert "Traceback" not in said
    assert said.count("cut off while it was written, dropped") >= torn


def test_cut_anywhere_in_its_last_lines_it_is_made_whole_again(tmp_path):
    """Cut at every byte of its end, the head's too, a file is gone on with to the same rows, and says what it dropped."""
    asked = []

    def member(question):
        asked.append(question)
        return "It is 4, \u00fcberall."

    def samples(path):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            rows = profile({"a": member}, [{"question_id": "q", "question": "2 + 2?"}], samples=3, recording=path).rows
        return sorted((r.sample_index, r.text, r.answer) for r in rows), [str(w.message) for w in caught]

    path = tmp_path / "samples.jsonl"
    expected, _ = samples(path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    ends = [len(b"".join(lines[:n])) for n in range(5)]
    for cut in [*range(ends[1] + 1), *range(ends[2], ends[4] + 1)]:
        path.write_bytes(whole[:cut])
        asked.clear()
        rows, notes = samples(path)
        assert rows == expected, cut
        # A line that lacks its end only is whole.
        there = sum(cut >= end - 1 for end in ends[2:])
        assert len(asked) == 3 - there, cut
        torn = cut not in ends and cut + 1 not in ends
        assert len(notes) == torn, (cut, notes)
        assert all("cut off while it was written, dropped" in note for note in notes)


# --- what it refuses --------------------------------------------------------------------------------------------------


def test_a_file_is_made_and_gone_on_with(tmp_path):
    """The first line is the settings; what was written is there when it is opened again, folders are made."""
    path = tmp_path / "new" / "samples.jsonl"
    with Journal(path, SETTINGS) as journal:
        assert journal.recording.rows == ()
        journal.write([row(0), row(1)])
        assert len(Recording.load(path).rows) == 2  # with the operating system already
        journal.write([])
    with Journal(path, SETTINGS) as journal:
        assert journal.recording.rows == (row(0), row(1))
        journal.write([row(2)])
    recording = Recording.load(path)
    assert recording.rows == (row(0), row(1), row(2))
    assert recording.settings == SETTINGS


def test_settings_are_compared_as_a_file_has_them(tmp_path):
    """A tuple is a list there, and goes on as one."""
    for settings in ({**SETTINGS, "stop": ("a", "b")}, {**SETTINGS, "stop": ["a", "b"]}):
        with Journal(tmp_path / "samples.jsonl", settings):
            pass


@pytest.mark.parametrize(
    ("changed", "sentence"),
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
def test_other_settings_are_refused_with_what_changed(tmp_path, changed, sentence):
    """The file is left as it is, and can be gone on with as before."""
    path = written(tmp_path / "samples.jsonl", rows=[row()])
    before = path.read_bytes()
    with pytest.raises(RecordingError, match=sentence):
        Journal(path, {**SETTINGS, **changed})
    assert path.read_bytes() == before
    with Journal(path, SETTINGS) as journal:
        assert journal.recording.rows == (row(),)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (row_line(row()), "does not say what its samples were made with, so more cannot be added; write to a new file"),
        (b"\n\n", "does not say what its samples were made with"),
        (b'{"question_id": "q1", "question": "2 + 2?"}', "line 1: model: Field required"),
        (b"hello\n{torn", "line 1: the line: Invalid JSON"),
        (row_line(row()) + b"{torn", "does not say what its samples were made with"),
        (head_line({"extract": "auto"}) + b"{torn", "extract was 'auto' and is 'number'"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*cut off while it was written")
def test_somebody_elses_file_is_refused_and_left_as_it_is(tmp_path, content, sentence):
    """A recording without settings, questions, or anything else is not touched, its torn end included."""
    path = tmp_path / "samples.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=sentence):
        Journal(path, SETTINGS)
    assert path.read_bytes() == content


def test_a_second_writer_is_refused(tmp_path):
    """Two profiles into one file would double its samples: the second is refused while the first runs."""
    path = tmp_path / "samples.jsonl"
    with Journal(path, SETTINGS), pytest.raises(RecordingError, match="is being written by another process; wait"):
        Journal(path, SETTINGS)
    with Journal(path, SETTINGS):  # the lock goes with the first
        pass


def test_where_files_cannot_be_locked_one_is_written_all_the_same(tmp_path, monkeypatch):
    """Without fcntl, as on Windows, there is no lock; what another fault of locking says is told."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    path = tmp_path / "samples.jsonl"
    with Journal(path, SETTINGS) as first, Journal(path, SETTINGS):
        first.write([row()])
    monkeypatch.undo()
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="No locks available"):
        Journal(path, SETTINGS)


def test_a_name_that_cannot_be_appended_to_is_refused(tmp_path):
    """A packed file, another suffix and a folder are refused; nothing is made."""
    for name, sentence in [
        ("samples.jsonl.gz", "a packed file cannot be appended to; write a .jsonl and pack it afterwards"),
        ("samples.csv", "a recording is a .jsonl or .jsonl.gz file; rename or convert it"),
    ]:
        with pytest.raises(ArgumentError, match=sentence):
            Journal(tmp_path / name, SETTINGS)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(OSError, match=r"folder\.jsonl"):
        Journal(tmp_path / "folder.jsonl", SETTINGS)
