"""Files read in bounded pieces and once, and written whole or not at all."""

import errno
import gzip
import io
import json
import os
import stat
import sys
import threading
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from slmmux import Recording, RecordingError, Row, select_complementary
from slmmux._files import read, table
from slmmux._files.write import write_whole
from slmmux.report import report

# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Limits of a few kilobytes in place of the megabytes, so that what is too long is quick to make."""
    monkeypatch.setattr(read.lines, "__defaults__", (2**20,))
    monkeypatch.setattr(read.document, "__defaults__", (2**20,))
    monkeypatch.setattr(table, "DOCUMENT_BYTES", 2**20)


class Counting(io.FileIO):
    """A file that counts the bytes read from it."""

    count = 0

    def readinto(self, buffer):
        number = super().readinto(buffer)
        Counting.count += number or 0
        return number


def test_a_bomb_is_not_unpacked(tmp_path, small):
    """A line that unpacks to far more than the limit is refused while it is unpacked, with a sentence."""
    path = tmp_path / "samples.jsonl.gz"
    with gzip.open(path, "wb", 9) as file:
        for _ in range(64):
            file.write(bytes(2**20))
    peak, error = peak_of(Recording.load, path)
    assert isinstance(error, RecordingError)
    assert str(error).startswith(f"{path} line 1: the line is longer than 1 MiB, the most that is read at once; ")
    assert peak < 8 * 2**20, "the whole line was unpacked"


def peak_of(function, *args):
    """Return the most memory that a call had at once, and its error."""
    tracemalloc.start()
    try:
        function(*args)
    except ValueError as error:
        return tracemalloc.get_traced_memory()[1], error
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.csv", "a.csv.gz", "a.jsonl"])
def test_what_is_too_long_is_a_sentence(tmp_path, small, name):
    """A line, a cell and a whole document have a largest size in every kind of file."""
    content = (
        ('[{"a": "' + "x" * 2**19 + '"},\n' + '{"a": "' + "x" * 2**20 + '"}]')
        if ".json" in name
        else "a\n" + "x" * 2**21
    )
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    with pytest.raises(RecordingError, match=r"is longer than 1 MiB, the most that is read at once"):
        list(table.rows_of(path))


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-9], lambda data: data[:40] + b"\xff" * 9 + data[49:], lambda _: b"hello"]
)
def test_a_bad_gzip_is_a_sentence(tmp_path, spoil):
    """A gzip file that is cut off, damaged or none is named, wherever it is read."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(spoil(gzip.compress(b'{"a": 1}\n' * 999 + os.urandom(99))))
    for reading in (lambda: list(read.lines(path)), lambda: read.document(path)):
        with pytest.raises(RecordingError, match=r"not a gzip file, or an incomplete one \(.*\); copy the file again"):
            reading()


@pytest.mark.parametrize("ending", [".gz", ".gzip", ".GZ"])
def test_every_ending_of_gzip_is_unpacked(tmp_path, ending):
    """A file is unpacked by each ending that gzip uses, and the ending before it says how the file is read."""
    path = tmp_path / f"qwen2.5.csv{ending}"
    path.write_bytes(gzip.compress(b"a\n1\n"))
    assert (table.kind_of(path), table.stem(path)) == ("csv", "qwen2.5")
    assert [row for _, row in table.rows_of(path)] == [{"a": "1"}]


def test_a_recording_is_read_once(tmp_path, monkeypatch):
    """Opening a recording to continue it reads each byte once, whatever its size; only the last line is read again."""
    from slmmux.profiling import profile

    path = tmp_path / "samples.jsonl"
    questions = [{"question_id": f"q{n}", "question": f"{n}?", "gold": "4"} for n in range(300)]
    profile({"a": lambda _: "4" * 400}, questions, samples=5, recording=path)
    size = path.stat().st_size
    assert size > 1_000_000
    Counting.count = 0
    open_path = Path.open

    def opened(self, mode="r", *args, **kwargs):
        if self == path and mode == "rb":
            return io.BufferedReader(Counting(self))
        return open_path(self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", opened)
    assert len(profile({"a": lambda _: "4"}, questions, samples=5, recording=path).rows) == 1500
    assert size <= Counting.count < 1.2 * size


def test_nan_is_no_gold(tmp_path):
    """NaN equals no answer, so a recording and a question refuse it, also inside a list."""
    from slmmux.profiling import Question, profile, read_questions

    for gold in ("NaN", '["4", NaN]'):
        path = tmp_path / "samples.jsonl"
        path.write_text(f'{{"question_id": "q", "model": "m", "sample_index": 0, "answer": "4", "gold": {gold}}}\n')
        with pytest.raises(RecordingError, match="line 1: gold: NaN equals no answer, write null if there is no gold"):
            Recording.load(path)
        path.write_text(f'{{"question_id": "q", "question": "2 + 2?", "gold": {gold}}}\n')
        with pytest.raises(ValueError, match="line 1: gold: NaN equals no answer, write null if there is no gold"):
            read_questions(path)
    with pytest.raises(ValueError, match="question 0: gold: NaN equals no answer"):
        profile(
            {"a": str}, [Question(question_id="q", question="?", gold=float("nan"))], recording=tmp_path / "s.jsonl"
        )


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    """A full disk, at any step, leaves the old content and nothing beside it; the error names the file asked for."""
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    full = OSError(errno.ENOSPC, "No space left on device")
    for owner, step in ((os, "fsync"), (Path, "write_bytes")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, lambda *_: (_ for _ in ()).throw(full))
            with pytest.raises(OSError, match="No space left on device") as raised:
                write_whole(path, b"new")
        assert raised.value.filename == str(path)
        assert path.read_bytes() == b"old"
        assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_readers_see_the_old_or_the_new(tmp_path):
    """While a file is replaced again and again, each reading has one whole content."""
    path = tmp_path / "a.json"
    contents = {bytes([sign]) * 100_000 for sign in b"ab"}
    write_whole(path, min(contents))
    stop = threading.Event()

    def replace():
        while not stop.is_set():
            for content in contents:
                write_whole(path, content)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        assert {path.read_bytes() for _ in range(300)} <= contents
    finally:
        stop.set()
        thread.join()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and links of POSIX")
def test_permissions_links_and_pipes_stay(tmp_path):
    """A file keeps its permissions, a new one gets the usual ones, a link stays a link, and a pipe is written to."""
    path, link = tmp_path / "a.json", tmp_path / "link.json"
    write_whole(path, b"1")
    usual = tmp_path / "usual"
    usual.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)
    path.chmod(0o640)
    link.symlink_to(path)
    write_whole(link, b"2")
    assert link.is_symlink()
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"2", 0o640)
    os.mkfifo(tmp_path / "pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_whole(tmp_path / "pipe", b"3")
    reader.join()
    assert received == [b"3"]


def test_everything_that_is_written_whole(tmp_path, monkeypatch):
    """A recording, a selection and a report are replaced in one step: with a full disk the old ones stay."""
    recording = Recording.of(
        Row(question_id=f"q{q}", model=model, sample_index=i, answer=answer, gold="4")
        for model, answers in {"qwen": "4445", "phi": "4554"}.items()
        for q, answer in enumerate(answers)
        for i in range(2)
    )
    selection = select_complementary(recording)
    writers = {
        "samples.jsonl": recording.save,
        "selection.json": selection.save,
        "report.html": lambda path: report(recording, path),
    }
    for name, write in writers.items():
        write(tmp_path / name)
        assert (tmp_path / name).stat().st_size
    before = {name: (tmp_path / name).read_bytes() for name in writers}
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    for name, write in writers.items():
        with pytest.raises(OSError, match="full"):
            write(tmp_path / name)
    assert {name: (tmp_path / name).read_bytes() for name in writers} == before
    assert {file.name for file in tmp_path.iterdir()} == set(writers)


# --- retried samples --------------------------------------------------------------------------------------------------


def test_a_failed_sample_is_requested_again(tmp_path):
    """`retry_failed` replaces failed samples, keeps their rows as history, and asks for no other sample."""
    from slmmux.profiling import profile

    path = tmp_path / "samples.jsonl"
    questions = [{"question_id": f"q{n}", "question": f"{n}?", "gold": "4"} for n in range(4)]
    calls = []

    def member(failing):
        def reply(question):
            calls.append(question)
            if question in failing:
                raise ValueError("lost")
            return "4"

        return {"qwen": reply, "phi": lambda _: "5"}

    first = profile(member({"1?", "3?"}), questions, samples=2, recording=path)
    assert sum(row.error is not None for row in first.rows) == 4
    calls.clear()
    assert profile(member(()), questions, samples=2, recording=path) == first
    assert calls == []
    second = profile(member({"3?"}), questions, samples=2, recording=path, retry_failed=True)
    assert sorted(calls) == ["1?", "1?", "3?", "3?"]
    assert [row.question_id for row in second.rows if row.error is not None] == ["q3", "q3"]
    third = profile(member(()), questions, samples=2, recording=path, retry_failed=True)
    assert len(third.rows) == 16
    assert not any(row.error for row in third.rows)
    assert Counter((row.question_id, row.attempt) for row in third.history) == {
        ("q1", None): 2,
        ("q3", None): 2,
        ("q3", 2): 2,
    }
    assert {row.attempt for row in third.rows if row.question_id == "q3" and row.model == "qwen"} == {3}
    assert Recording.load(path) == third
    third.save(tmp_path / "copy.jsonl")
    assert Recording.load(tmp_path / "copy.jsonl").rows == third.rows


@pytest.mark.parametrize(
    ("earlier", "later"),
    [({}, {"attempt": 2}), ({"error": "lost"}, {}), ({"error": "lost", "attempt": 2}, {"attempt": 2})],
)
def test_only_a_later_attempt_replaces_and_only_a_failure(tmp_path, earlier, later):
    """A sample that replied is never replaced, and two rows of one attempt are two samples of one index."""
    row = {"question_id": "q", "model": "m", "sample_index": 0, "answer": None}
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(row | change) + "\n" for change in (earlier, later)))
    with pytest.raises(RecordingError, match=r"line 2: sample 0 of 'm' for question 'q' is already in .* line 1"):
        Recording.load(path)
