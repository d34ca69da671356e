"""A small model at an OpenAI-compatible address on this machine, started on first use and shared by all callers.

Each server is a process of its own (`_engine` has the reasons), which ends with this process even if that is killed. If
the process of a server ends or hangs, `revive` puts another one at the same address, with the same key: whoever has
them needs to know nothing of it.
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
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from slmmux._decision.forks import unforked
from slmmux._display.text import printable
from slmmux._errors import ArgumentError
from slmmux.local._errors import ServerError
from slmmux.local.catalogue import CATALOGUE
from slmmux.local.hub_models import HUB_MODELS
from slmmux.local.weights import fetch

__all__ = ["Server", "serve", "server_at"]

_ENGINE = Path(__file__).with_name("_engine.py")
_LIBGOMP = (
    "llama.cpp needs the system library libgomp, which is not installed here: "
    "`apt-get install libgomp1` on Debian and Ubuntu, `dnf install libgomp` on Fedora"
)
_LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] (\w+ +)?(\w+: )?")
_NOT_INSTALLED = 'local models need llama.cpp: pip install "slmmux[local]"'


class Server:
    """A running server; `serve` starts it.

    Attributes:
        model: The name to send as `model`.
        parallel: The requests it answers at once; further requests wait in its queue.
        context: The most tokens of a prompt and its answer together.
        stop: The stop sequences of the model's template; empty if the model ends its answers itself.
        stop_in_lines: Those of a request whose reply has several lines: JSON, tool calls, a program.
        path: The file with the weights.
    """

    def __init__(
        self, path: Path, *, model: str, parallel: int, context: int, threads: int | None, embeddings: bool
    ) -> None:
        entry = next((m for m in CATALOGUE.values() if m.name == model), None)
        self.model = model
        self.parallel = parallel
        self.context = context
        self.path = path
        self.stop: tuple[str, ...] = entry.stop if entry else ()
        self.stop_in_lines: tuple[str, ...] = entry.stop_in_lines if entry else ()
        self._api_key = secrets.token_urlsafe(32)
        self._owner = os.getpid()
        self._reviving = Lock()
        self._is_closed = False
        self._settings = {
            "alias": model,
            "key": self._api_key,
            "parallel": parallel,
            "context": context,
            "threads": threads,
            "embeddings": embeddings,
            "chat_template": entry.chat_template if entry else None,
        }
        self._process, self._address = _start(path, self._settings)

    def __repr__(self) -> str:
        return f"Server(model={self.model!r}, address={self._address!r}, {'running' if self.running else 'ended'})"

    @property
    def base_url(self) -> str:
        """The address for an OpenAI client: "http://127.0.0.1:PORT/v1"."""
        self._check_owner()
        return f"{self._address}/v1"

    @property
    def api_key(self) -> str:
        """The random key that the server requires; reprs and errors never contain it."""
        self._check_owner()
        return self._api_key

    @property
    def running(self) -> bool:
        """Whether the server's process is alive; always false in a process that did not start it."""
        return os.getpid() == self._owner and self._process.poll() is None

    @property
    def can_revive(self) -> bool:
        """Whether this process may start the server again: it started the server and did not close it."""
        return os.getpid() == self._owner and not self._is_closed

    def answers(self, patience_s: float = 5.0) -> bool:
        """Return whether the server answers a question about its health; it does while it computes, too.

        Args:
            patience_s: The seconds to wait.
        """
        try:
            with urlopen(f"{self._address}/health", timeout=patience_s):  # noqa: S310 - our own address on loopback
                return True
        except HTTPError:  # an answer, if not a good one
            return True
        except (URLError, OSError):
            return False

    def revive(self) -> None:
        """Start the server again at its address, if its process ended or does not answer any more.

        Raises:
            ServerError: It could not be started.
        """
        if not self.can_revive:  # first: in a forked process the lock may be held for ever
            return
        with self._reviving:
            if self._is_closed or (self.running and self.answers()):
                return
            _end(self._process)
            self._process, self._address = _start(self.path, {**self._settings, "port": urlsplit(self._address).port})

    def close(self) -> None:
        """End the server, also for all who share it; `serve` starts a new one."""
        if os.getpid() == self._owner:
            self._is_closed = True
            _end(self._process)

    def _check_owner(self) -> None:
        if os.getpid() != self._owner:
            raise ServerError(
                f"this server of {self.model} belongs to process {self._owner}, of which this process is a fork, and "
                "ends with it; call serve() again in this process to start a server for it"
            )


_running: dict[tuple[object, ...], Future[Server]] = {}
_all: list[Server] = []  # also those replaced by one with more slots, as callers may still use them
_processes: set[subprocess.Popen[bytes]] = set()  # those that are starting, too
_guard = Lock()


def server_at(url: str) -> Server | None:
    """Return the server of this process at an address, or `None` if there is none.

    Args:
        url: The address that a client was given, as `Server.base_url` has it.
    """
    return next((server for server in _all if url.startswith(f"{server._address}/")), None)  # noqa: SLF001 - this module


def serve(
    spec: str | Path,
    *,
    parallel: int = 4,
    context: int = 4096,
    threads: int | None = None,
    embeddings: bool = False,
    notice: Callable[[str], None] | None = None,
) -> Server:
    """Return the server of a model, and start it if this process has none.

    Threads that ask for different models start them in parallel. A forked process starts servers of its own.

    Args:
        spec: A name in `CATALOGUE` or `HUB_MODELS`, `hf:owner/repo/file.gguf`, or the path of a GGUF; weights that are
            not here are fetched.
        parallel: Requests answered at once. A running server with at least as many slots is shared.
        context: The most tokens of a prompt and its answer together, for each request.
        threads: Threads for computation; `None` leaves the number to llama.cpp (one for each core).
        embeddings: Whether the server also answers `/v1/embeddings`, with the mean of a text's token vectors.
        notice: Called with a sentence before a download; standard error if `None`.

    Raises:
        ArgumentError: `parallel` or `context` is below 1.
        ServerError: The server could not be started; the sentence has the cause and the remedy.

    Example:
        >>> server = serve("smollm2-135m-instruct")             # doctest: +SKIP
        >>> ChatOpenAI(base_url=server.base_url, api_key=server.api_key, model=server.model)   # doctest: +SKIP
    """
    if parallel < 1 or context < 1:
        raise ArgumentError(f"parallel and context must be at least 1, received {parallel} and {context}")
    path = fetch(spec, notice=notice)
    name = spec if isinstance(spec, str) and (spec in CATALOGUE or spec in HUB_MODELS) else path.stem
    key = (path.resolve(), context, threads, embeddings)
    with _guard:
        future = _running.get(key)
        if future is not None and future.done() and not _serves(future, parallel):
            future = None
        is_starter = future is None
        if future is None:
            future = _running[key] = Future()
    if is_starter:
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
    # Two threads asked at the same time, and the other one asked for fewer slots.
    if server.parallel >= parallel:
        return server
    return serve(spec, parallel=parallel, context=context, threads=threads, embeddings=embeddings)


def _serves(future: Future[Server], parallel: int) -> bool:
    return future.exception() is None and future.result().running and future.result().parallel >= parallel


def _start(path: Path, spec: dict[str, Any], *, limit: float = 120.0) -> tuple[subprocess.Popen[bytes], str]:
    """Start the process and wait until its server listens."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise ServerError(_NOT_INSTALLED)
    if not sys.executable:
        raise ServerError("a server needs a Python interpreter, and sys.executable is empty in this environment")
    with tempfile.TemporaryFile() as log:
        # A fork between the making of the pipes and their being known here would keep a copy of them, and with it the
        # server alive.
        with unforked:
            process = subprocess.Popen(  # noqa: S603 - our own script, our own interpreter
                # Isolated and without site, so that no code in the current folder runs; the path is sent with the
                # settings.
                [sys.executable, "-I", "-S", str(_ENGINE)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,  # a buffer would be copied by a fork, and flushed twice
                start_new_session=True,  # Ctrl-C at a terminal must only reach this process
            )
            _processes.add(process)
        # The first line ends the wait: an address, an error, or an empty line because the process ended.
        timer = Timer(limit, process.kill)
        timer.daemon = True
        timer.start()
        try:
            line = _ask(process, {"model": str(path), "path": sys.path, **spec})
        except BaseException:
            _end(process)
            raise
        finally:
            timer.cancel()
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
    """Return the sentence for a server that did not start."""
    text = reply.get("text", "")
    if "libgomp" in text:
        return _LIBGOMP
    if reply.get("error") in {"ImportError", "ModuleNotFoundError"}:
        return f"llama.cpp cannot be loaded ({text}); {_NOT_INSTALLED}"
    log.seek(0)
    lines = [line.strip() for line in log.read(1 << 20).decode(errors="replace").splitlines() if line.strip()]
    # The first error is the cause; later ones follow from it.
    cause = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else text)
    cause = printable(_LOG_PREFIX.sub("", cause))[:500]
    return f"llama.cpp did not start with {path}: {cause or f'its process ended with code {code}'}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # llama.cpp's own shutdown can hang
    process.wait()
    _processes.discard(process)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


@atexit.register
def _close_all() -> None:
    for server in _all:
        server.close()


def _after_fork() -> None:
    global _guard  # noqa: PLW0603 - another thread may have held the lock during the fork
    _guard = Lock()
    for process in _processes:
        # The server ends only once every copy of its pipe is closed.
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.returncode = 0  # it cannot be waited for here; without a code Popen would warn
    _processes.clear()
    _all.clear()
    _running.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
