"""One writer a file, also where the file system knows no locks."""

import errno
import fcntl
import json
import logging
import os
import socket
import subprocess
import sys
import time

import pytest

from slmmux import Recording, RecordingError
from slmmux._files import lock as _lock
from slmmux._files.lock import FileInUseError, FileLock
from slmmux.profiling import profile

QUESTIONS = [{"question_id": "q", "question": "2 + 2?", "gold": "4"}]
NO_LOCKS = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL]


@pytest.fixture(params=NO_LOCKS, ids=lambda number: errno.errorcode[number])
def without_locks(request, monkeypatch):
    """A file system that answers a request for a lock with an error, as network folders do."""

    def flock(file, operation):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "samples.jsonl"
    with path.open("ab") as file:
        yield file, path


def test_without_file_locks_a_profile_goes_on_with_a_warning(without_locks, tmp_path, caplog):
    """A profile on such a file system is recorded, says once how others are kept away, and leaves nothing beside."""
    caplog.set_level(logging.WARNING)
    path = tmp_path / "samples.jsonl"
    profile({"a": lambda _: "4"}, QUESTIONS, recording=path, samples=2)
    assert len(Recording.load(path).rows) == 2
    assert "without file locks" in caplog.text
    assert [each.name for each in tmp_path.iterdir()] == ["samples.jsonl"]


def test_a_second_writer_is_refused_by_the_lock_file(without_locks, target):
    """Who comes second is told which process writes, and may write once that one is done."""
    file, path = target
    first = FileLock(file, path)
    with pytest.raises(FileInUseError, match=f"process {os.getpid()} on {socket.gethostname()}"):
        FileLock(file, path)
    first.release()
    FileLock(file, path).release()


def test_a_profile_says_which_process_writes(without_locks, target):
    """The sentence of a profile names the other process."""
    file, path = target
    first = FileLock(file, path)
    with pytest.raises(RecordingError, match=f"is being written by process {os.getpid()}"):
        profile({"a": lambda _: "4"}, QUESTIONS, recording=path, samples=2)
    first.release()


def owned_by(path, *, age, **owner):
    beside = path.with_name(f"{path.name}.lock")
    beside.write_text(json.dumps(owner))
    os.utime(beside, (time.time() - age,) * 2)
    return beside


def test_a_lock_that_nobody_renews_is_taken_over(without_locks, target):
    """The lock file of another machine counts as long as it is renewed, and no longer than a minute after."""
    file, path = target
    owned_by(path, age=30, host="elsewhere", process=1)
    with pytest.raises(FileInUseError, match="process 1 on elsewhere"):
        FileLock(file, path)
    owned_by(path, age=90, host="elsewhere", process=1)
    FileLock(file, path).release()


def test_the_lock_of_a_process_that_is_gone_is_taken_over_at_once(without_locks, target):
    """On one machine nobody waits a minute for a process that was killed."""
    file, path = target
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    owned_by(path, age=0, host=socket.gethostname(), process=int(gone.stdout))
    FileLock(file, path).release()


def test_of_two_processes_that_take_a_lock_over_one_succeeds(without_locks, target, monkeypatch):
    """A process that was slower finds the lock of the faster one in place of the stale one, and leaves it there."""
    file, path = target
    beside = owned_by(path, age=90, host=socket.gethostname(), process=1)

    def lives(process):
        owned_by(path, age=0, host="elsewhere", process=2)  # the faster one, in this moment
        return False

    monkeypatch.setattr(_lock, "_lives", lives)
    with pytest.raises(FileInUseError, match="took the lock a moment ago"):
        FileLock(file, path)
    assert json.loads(beside.read_text()) == {"host": "elsewhere", "process": 2}


def test_a_lock_that_was_taken_over_is_not_given_back(without_locks, target):
    """Who was frozen until another process took its lock over leaves the lock of that one alone."""
    file, path = target
    first = FileLock(file, path)
    beside = owned_by(path, age=0, host="elsewhere", process=2)
    first.release()
    assert json.loads(beside.read_text()) == {"host": "elsewhere", "process": 2}


def test_a_damaged_lock_file_counts_by_its_time(without_locks, target):
    """What cannot be read may be in the middle of being written; after a minute it is nobody's."""
    file, path = target
    beside = owned_by(path, age=0)
    beside.write_text("{")
    with pytest.raises(FileInUseError, match="another process"):
        FileLock(file, path)
    os.utime(beside, (time.time() - 90,) * 2)
    FileLock(file, path).release()


def test_the_owner_renews_its_lock_as_long_as_it_lives(without_locks, target, monkeypatch):
    """The heartbeat keeps the time of the lock file young."""
    monkeypatch.setattr(_lock, "_HEARTBEAT_S", 0.01)
    file, path = target
    held = FileLock(file, path)
    beside = path.with_name(f"{path.name}.lock")
    os.utime(beside, (0, 0))
    until = time.monotonic() + 60
    while beside.stat().st_mtime < 1000 and time.monotonic() < until:
        time.sleep(0.01)
    assert beside.stat().st_mtime > 1000
    held.release()
