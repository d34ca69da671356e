r"""Whether two pieces of mathematics are equal, asked of math-verify in a process with a time and a memory limit."""

import atexit
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

from slmmux._errors import ArgumentError
from slmmux.answers._pattern import pattern

__all__ = ["Mathematics", "available", "mathematically_equal", "need_mathematics"]

_ENGINE = Path(__file__).with_name("engine.py")
_LONGEST = 400  # characters of an answer: longer mathematics is text
_MOST_KEPT = 10_000  # verdicts
_START_S = 60.0
_PERCENT = pattern(r"\\?%")
_DELIMITERS = pattern(r"^\s*(?:\$\$?|\\\(|\\\[)|(?:\$\$?|\\\)|\\\])\s*$")


@cache  # looked for on disk, and asked of every pair that differs in form
def available() -> bool:
    """Return whether the extra is installed."""
    return importlib.util.find_spec("math_verify") is not None


def need_mathematics() -> None:
    """Refuse where the extra is not installed.

    Raises:
        ArgumentError: Names the extra.
    """
    if not available():
        raise ArgumentError('mathematical equality needs math-verify: pip install "slmmux[math]"')


class Mathematics:
    """A worker process that compares, started on first use and replaced when it hangs or dies.

    Args:
        limit_s: Seconds for one pair; past it the two are not equal.
    """

    def __init__(self, limit_s: float = 5.0) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._kept: dict[tuple[str, str], bool] = {}

    def equal(self, a: str, b: str) -> bool:
        """Return whether two answers are equal; a pair is worked out once.

        Raises:
            ArgumentError: The extra is not installed.
        """
        if len(a) > _LONGEST or len(b) > _LONGEST:
            return False
        pair = (a, b) if a <= b else (b, a)  # the same verdict whoever comes first
        with self._lock:
            if pair not in self._kept:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[pair] = self._ask(*map(_bare, pair))
            return self._kept[pair]

    def close(self) -> None:
        """End the process; in a fork of the one that started it, only forget it."""
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
            for pipe in filter(None, (self._process.stdin, self._process.stdout)):
                with contextlib.suppress(OSError):  # what was still to be sent has nowhere to go
                    pipe.close()
        self._process = None

    def _ask(self, a: str, b: str) -> bool:
        line = _exchange(self._running(), json.dumps([a, b]), self._limit_s)
        if line not in {"true", "false"}:
            self.close()  # it hung, or this pair ended it
        return line == "true"

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            need_mathematics()
            self.close()
            self._process = subprocess.Popen(  # noqa: S603 - our own script, our own interpreter
                [sys.executable, "-I", "-S", str(_ENGINE)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
            self._owner = os.getpid()
            _exchange(self._process, json.dumps(sys.path), _START_S)
        return self._process


def _exchange(process: "subprocess.Popen[str]", line: str, limit_s: float) -> str:
    """Send a line and return the answer; nothing where the process hung or ended over it."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    patience = threading.Timer(limit_s, process.kill)
    patience.daemon = True
    patience.start()
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return process.stdout.readline().strip()
    except OSError:
        return ""
    finally:
        patience.cancel()


def _bare(answer: str) -> str:
    """Return an answer as LaTeX without delimiters, a percent sign as what it means."""
    return _PERCENT.sub("/100", _DELIMITERS.sub("", answer).strip())


_worker = Mathematics()
mathematically_equal = _worker.equal
atexit.register(_worker.close)
