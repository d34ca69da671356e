"""A small model behind an OpenAI-compatible address on this machine, started on first use and shared by who asks.

Each server is a process of its own (`_engine` says why) that ends with this one, however this one ends.
"""

import atexit
import importlib.util
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Lock, Timer
from typing import IO, Any

from slmmux._errors import ArgumentError
from slmmux.local._errors import ServerError
from slmmux.local.catalogue import CATALOGUE
from slmmux.local.weights import fetch

__all__ = ["Server", "serve"]

_ENGINE = Path(__file__).with_name("_engine.py")
_LIBGOMP = (
    "llama.cpp needs the system library libgomp, which is not installed here: "
    "`apt-get install libgomp1` on Debian and Ubuntu, `dnf install libgomp` on Fedora"
)
_LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] (\w+ +)?(\w+: )?")
_MISSING = 'local models need llama.cpp: pip install "slmmux[local]"'


class Server:
    """A running server; `serve` makes it.

    Attributes:
        model: The name to send as `model`.
        parallel: How many requests it answers at once; more of them wait their turn.
        context: The longest prompt and answer together, in tokens.
        stop: The stop sequences that belong to the model's template; empty where the model ends its answers itself.
        path: The file it serves.
    """

    def __init__(
        self, path: Path, *, model: str, parallel: int, context: int, threads: int | None, embeddings: bool
    ) -> None:
        known = next((m for m in CATALOGUE.values() if m.name == model), None)
        self.model = model
        self.parallel = parallel
        self.context = context
        self.path = path
        self.stop: tuple[str, ...] = known.stop if known else ()
        self._api_key = secrets.token_urlsafe(32)
        self._owner = os.getpid()
        self._process, self._address = _start(
            path,
            {
                "alias": model,
                "key": self._api_key,
                "parallel": parallel,
                "context": context,
                "threads": threads,
                "embeddings": embeddings,
                "chat_template": known.chat_template if known else None,
            },
        )

    def __repr__(self) -> str:
        return f"Server(model={self.model!r}, address={self._address!r}, {'running' if self.running else 'ended'})"

    @property
    def base_url(self) -> str:
        """The address an OpenAI client wants: "http://127.0.0.1:PORT/v1"."""
        self._ours()
        return f"{self._address}/v1"

    @property
    def api_key(self) -> str:
        """The random key without which the server refuses; it is in no repr and in no error."""
        self._ours()
        return self._api_key

    @property
    def running(self) -> bool:
        """Whether its process is alive; always false in a process that did not start it."""
        return os.getpid() == self._owner and self._process.poll() is None

    def close(self) -> None:
        """End it. Whoever shares it loses it too; `serve` starts a new one."""
        if os.getpid() == self._owner:
            _end(self._process)

    def _ours(self) -> None:
        if os.getpid() != self._owner:
            raise ServerError(
                f"this server of {self.model} belongs to process {self._owner} and may end with it at any time; "
                "this is a fork of it: call serve() again, here, for one of its own"
            )

    def _disown(self) -> None:
        """After a fork, in the child: let go of the pipe, or the server would outlive its parent."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.returncode = 0  # the child cannot wait for it, and must not warn that it did not


_running: dict[tuple[object, ...], Future[Server]] = {}
_all: list[Server] = []  # those replaced by one with more slots too: who holds them may still use them
_guard = Lock()


def serve(
    spec: str | Path,
    *,
    parallel: int = 4,
    context: int = 4096,
    threads: int | None = None,
    embeddings: bool = False,
    notice: Callable[[str], None] | None = None,
) -> Server:
    """Return the server of a model, started now if no one in this process asked for it before.

    Different models load beside each other when different threads ask for them. After a fork the child has servers
    of its own.

    Args:
        spec: A name of the catalogue, `hf:owner/repo/file.gguf`, or the path of a GGUF; fetched first if need be.
        parallel: Requests answered at once. A running server with at least as many slots is shared.
        context: Tokens of prompt and answer together, for each of them.
        threads: Threads that compute; `None` leaves it to llama.cpp (one for each core).
        embeddings: Whether it answers `/v1/embeddings` as well: a text's vector is the mean of its tokens'.
        notice: Where `fetch` says what it fetches; standard error if `None`.

    Raises:
        ArgumentError: `parallel` or `context` is below 1.
        ServerError: It could not be started; the sentence says why and what to do.

    Example:
        >>> server = serve("smollm2-135m-instruct")             # doctest: +SKIP
        >>> ChatOpenAI(base_url=server.base_url, api_key=server.api_key, model=server.model)   # doctest: +SKIP
    """
    if parallel < 1 or context < 1:
        raise ArgumentError(f"parallel and context must be at least 1, not {parallel} and {context}")
    path = fetch(spec, notice=notice)
    name = spec if isinstance(spec, str) and spec in CATALOGUE else path.stem
    key = (path.resolve(), context, threads, embeddings)
    with _guard:
        future = _running.get(key)
        if future is not None and future.done() and not _serves(future, parallel):
            future = None
        ours = future is None
        if future is None:
            future = _running[key] = Future()
    if ours:
        try:
            server = Server(
                path, model=name, parallel=parallel, context=context, threads=threads, embeddings=embeddings
            )
            _all.append(server)
            future.set_result(server)
        except BaseException as error:
            future.set_exception(error)
            raise
    server = future.result()
    # Two threads that ask at once with different numbers: the smaller one was being started.
    if server.parallel >= parallel:
        return server
    return serve(spec, parallel=parallel, context=context, threads=threads, embeddings=embeddings)


def _serves(future: Future[Server], parallel: int) -> bool:
    return future.exception() is None and future.result().running and future.result().parallel >= parallel


def _start(path: Path, spec: dict[str, Any], *, limit: float = 120.0) -> tuple[subprocess.Popen[bytes], str]:
    """Start the process and wait until its server listens."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise ServerError(_MISSING)
    if not sys.executable:
        raise ServerError("there is no Python to start a server with: sys.executable is empty in this environment")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 - our own script, our own interpreter
            # Isolated and without site: our own path is handed over, and nothing of the current folder runs.
            [sys.executable, "-I", "-S", str(_ENGINE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C at a terminal is for this process to decide about
        )
        # The first line ends the wait: an address, an error, or nothing because the process ended.
        patience = Timer(limit, process.kill)
        patience.daemon = True
        patience.start()
        try:
            line = _ask(process, {"model": str(path), "path": sys.path, **spec})
        except BaseException:
            _end(process)
            raise
        finally:
            patience.cancel()
        reply = json.loads(line) if line.endswith(b"\n") else {}
        if "address" in reply:
            return process, reply["address"]
        _end(process)
        raise ServerError(_sentence(path, reply, process.returncode, log))


def _ask(process: subprocess.Popen[bytes], spec: dict[str, Any]) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    try:
        process.stdin.write(json.dumps(spec).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        return b""
    with process.stdout:
        return process.stdout.readline()


def _sentence(path: Path, reply: dict[str, str], code: int, log: IO[bytes]) -> str:
    """Say why a server did not start."""
    text = reply.get("text", "")
    if "libgomp" in text:
        return _LIBGOMP
    if reply.get("error") in {"ImportError", "ModuleNotFoundError"}:
        return f"llama.cpp cannot be loaded ({text}); {_MISSING}"
    log.seek(0)
    lines = [line.strip() for line in log.read(1 << 20).decode(errors="replace").splitlines() if line.strip()]
    # The first complaint is the cause; those after it are what followed from it.
    cause = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else text)
    cause = _LOG_PREFIX.sub("", cause)
    shown = "".join(c if c.isprintable() else "\ufffd" for c in cause)[:500]
    return f"llama.cpp did not start with {path}: {shown or f'its process ended with code {code}'}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # not asked to: its own way down hangs now and then
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


@atexit.register
def _close_all() -> None:
    for server in _all:
        server.close()


def _after_fork() -> None:
    global _guard  # noqa: PLW0603 - another thread may have held it when the process was forked
    _guard = Lock()
    for server in _all:
        server._disown()  # noqa: SLF001 - the same module
    _all.clear()
    _running.clear()


if hasattr(os, "register_at_fork"):  # there is none on Windows
    os.register_at_fork(after_in_child=_after_fork)
