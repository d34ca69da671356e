"""Servers of other makers as processes of a test: started on a free port of loopback, and ended with it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

__all__ = ["free_port", "process"]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def process(command: Sequence[str], ready: str, log: Path, *, seconds: float, **environment: str) -> Iterator[None]:
    """Run a server until the block ends; it and its children are ended.

    Args:
        command: The command.
        ready: An address that answers with 200 when it is up.
        log: Where its output goes; its end is in the error if the server does not come up.
        seconds: The longest it may take.
        **environment: Variables beside those of this process.
    """
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env=os.environ | environment
        )
    try:
        end = time.monotonic() + seconds
        while not _answers(ready):
            came = log.read_text("utf-8", "replace")[-2000:]
            assert server.poll() is None, f"the server ended with {server.returncode}: {came}"
            assert time.monotonic() < end, f"the server is not up after {seconds} s: {came}"
            time.sleep(0.5)
        yield
    finally:
        # Not `killpg` after `wait`: by then another process may have the number.
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
