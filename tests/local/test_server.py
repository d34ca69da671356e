"""Servers without a model's weights: real processes that cannot start, and what is said then."""

import os
import sys
import threading

import pytest

from slmmux.local import NotAGGUFError, ServerError, _engine, serve, server


@pytest.fixture
def unservable(tmp_path, gguf):
    """A GGUF that is whole and that llama.cpp cannot serve."""
    file = tmp_path / "own.gguf"
    file.write_bytes(gguf())
    return file


@pytest.fixture
def llama(tmp_path, monkeypatch):
    """Put a module in llama.cpp's place: the process that loads it is real."""

    def write(code: str):
        package = tmp_path / "instead" / "xllamacpp"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code)
        monkeypatch.syspath_prepend(package.parent)

    return write


def test_llama_cpp_says_itself_why_it_cannot_serve_a_file(unservable):
    """A whole GGUF of an architecture that does not exist is a sentence with llama.cpp's reason, and no dead process."""
    with pytest.raises(ServerError, match=r"llama\.cpp did not start with .*own\.gguf: .*nonesuch"):
        serve(unservable)


def test_weights_that_are_cut_off_are_refused_before(unservable):
    """A truncated GGUF is refused before anything is started."""
    unservable.write_bytes(unservable.read_bytes()[:100])
    with pytest.raises(NotAGGUFError, match="is incomplete"):
        serve(unservable)


def test_a_failed_start_is_tried_again(unservable, gguf):
    """A start that failed is not remembered: the next call tries anew, and fails for its own reason."""
    for architecture in ("first", "second"):
        unservable.write_bytes(gguf(architecture=architecture))
        with pytest.raises(ServerError, match=architecture):
            serve(unservable)


def test_without_libgomp_it_says_which_package_to_install(unservable, llama):
    """libgomp absent is said with the names of the system packages that bring it, not as an ImportError."""
    llama("raise ImportError('libgomp.so.1: cannot open shared object file: No such file or directory')")
    with pytest.raises(ServerError) as error:
        serve(unservable)
    assert "apt-get install libgomp1" in str(error.value)
    assert "dnf install libgomp" in str(error.value)


def test_another_library_that_is_missing_is_named(unservable, llama):
    """Any other failure to load llama.cpp is quoted, with the extra to install."""
    llama("raise ImportError('libcudart.so.13: cannot open shared object file')")
    with pytest.raises(ServerError, match=r'libcudart\.so\.13.*pip install "slmmux\[local\]"'):
        serve(unservable)


def test_without_the_extra_it_says_what_to_install(unservable, monkeypatch):
    """Without llama.cpp the sentence is what to type, and no process is started for it."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ServerError, match=r'pip install "slmmux\[local\]"'):
        serve(unservable)


def test_native_code_that_aborts_does_not_take_this_process_along(unservable, llama):
    """llama.cpp aborting the process is an error here, with what it wrote last."""
    llama("import os\nos.write(2, b'GGML_ASSERT(\\x1b[31mfalse) failed\\n')\nos.abort()")
    with pytest.raises(ServerError) as error:
        serve(unservable)
    assert "GGML_ASSERT(\ufffd[31mfalse) failed" in str(error.value)


def test_a_start_that_hangs_is_ended(unservable, llama):
    """A process that does not answer is ended when patience is."""
    llama("import threading\nthreading.Event().wait()")
    with pytest.raises(ServerError, match="did not start"):
        server._start(unservable, {}, limit=0.5)


def test_what_native_code_prints_is_not_taken_for_the_answer(unservable, llama):
    """Output of native code on standard output neither breaks the start nor reaches this process."""
    llama("import os\nos.write(1, b'hello\\n')\nraise RuntimeError('no')")
    with pytest.raises(ServerError, match="hello"):
        serve(unservable)


def test_no_error_carries_the_key(unservable, llama, monkeypatch):
    """The random key is in no sentence, even where llama.cpp quotes all it was given."""
    keys = []
    monkeypatch.setattr(server.secrets, "token_urlsafe", lambda n: keys.append("k" * n) or keys[-1])
    llama("import sys, os\nraise RuntimeError(str(sys.argv) + str(dict(os.environ)))")
    with pytest.raises(ServerError) as error:
        serve(unservable)
    assert keys
    assert keys[0] not in str(error.value) + repr(error.value)


def test_one_start_for_all_who_ask_at_once(unservable, llama, monkeypatch):
    """Threads that ask for the same model while it starts wait for that start, and share its failure too."""
    llama("raise RuntimeError('no')")
    starts, ready, go = [], threading.Event(), threading.Event()
    start = server._start

    def delayed_start(*args, **kwargs):
        starts.append(args)
        ready.set()
        go.wait(60)
        return start(*args, **kwargs)

    monkeypatch.setattr(server, "_start", delayed_start)
    errors = []

    def ask():
        try:
            serve(unservable)
        except ServerError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    threads[0].start()
    assert ready.wait(60)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(60)
    assert len(errors) == 4
    assert len(starts) < 4  # the later ones may come when the first has already failed, and then try again


@pytest.mark.parametrize("wrong", [{"parallel": 0}, {"context": 0}])
def test_numbers_below_one_are_refused(unservable, wrong):
    """No slots and no context are refused before anything is started."""
    with pytest.raises(ValueError, match="must be at least 1"):
        serve(unservable, **wrong)


def test_an_embedded_python_is_a_sentence(unservable, monkeypatch):
    """Where there is no interpreter to start, that is said."""
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ServerError, match=r"sys\.executable is empty"):
        serve(unservable)


@pytest.mark.parametrize("embeddings", [False, True])
def test_what_llama_cpp_is_told(embeddings):
    """A key, no other origin, this machine only, for each slot the whole context, and embeddings where asked for."""
    xllamacpp = pytest.importorskip("xllamacpp")
    spec = {
        "model": "m.gguf",
        "alias": "m",
        "key": "k",
        "parallel": 3,
        "context": 100,
        "threads": 2,
        "embeddings": embeddings,
        "chat_template": "t",
    }
    params = _engine.parameters(xllamacpp, spec)
    assert (params.api_keys, params.cors_origins, params.cors_credentials) == (["k"], "", False)
    assert (params.hostnames, params.port, params.ui) == (["127.0.0.1"], 0, False)
    assert (params.n_parallel, params.n_ctx, params.cpuparams.n_threads) == (3, 300, 2)
    assert (params.model.path, params.model_alias, params.chat_template) == ("m.gguf", {"m"}, "t")
    assert params.embedding is embeddings
    assert (params.n_ubatch == params.n_batch) is embeddings


def test_the_engine_imports_nothing_of_ours():
    """The script that llama.cpp runs in stands alone, so nothing of this package's imports delays a start."""
    source = server._ENGINE.read_text()
    assert "slmmux" not in source.split('"""', 2)[2]
    assert os.access(server._ENGINE, os.R_OK)
