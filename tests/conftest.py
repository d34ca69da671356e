"""What every test stands on: no test reaches beyond loopback."""

import gc
import ipaddress
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

# Tests start hundreds of processes. Where compiled modules may not be kept, each of them compiles its frameworks anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# `.ci/run` holds the coverage of the decision and the offline half, which `core`, `parity` and `edges` test. Measured in these
# folders too, it would cost three quarters of their time and say nothing.
_WITHOUT_COVERAGE = {
    Path(__file__).with_name(folder)
    for folder in ("faults", "langchain", "llamaindex", "local", "serve", "store", "transparency")
}

_skipped: list[str] = []
_connect = socket.socket.connect
_resolve = socket.getaddrinfo


def _loopback(host: object) -> bool:
    if host in {"localhost", "", None}:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: object) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _loopback(address[0]):
            raise AssertionError(f"a test tried to reach {address!r}; tests stay on loopback")
        return _connect(self, address)

    def getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
        if not _loopback(host):
            raise socket.gaierror(f"a test tried to look up {host!r}; tests stay on loopback")
        return _resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not _WITHOUT_COVERAGE.isdisjoint(item.path.parents):
            item.add_marker("no_cover")


def pytest_collection_finish() -> None:
    """Keep what the frameworks' modules and thousands of collected tests hold out of every later garbage collection."""
    gc.collect()
    gc.freeze()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Where the models must be there, a skipped real-model test is a failed run."""
    if report.skipped and "real_model" in report.keywords and os.environ.get("SLMMUX_REQUIRE_MODELS"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped:
        print(f"\nSLMMUX_REQUIRE_MODELS is set, but these were skipped: {', '.join(_skipped)}")  # noqa: T201
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def interruptible():
    """Ctrl-C interrupts, as at a terminal: a shell has it ignored in what it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
