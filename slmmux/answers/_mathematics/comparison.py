r"""Whether two pieces of mathematics are equal, asked of math-verify in a process with a time and a memory limit."""

import atexit
import importlib.util
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import cache
from pathlib import Path

from slmmux._decision.clock import Work, current_work
from slmmux._decision.forks import renew_in_fork, unforked
from slmmux._errors import ArgumentError
from slmmux.answers._mathematics.formula import in_latex
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
    """Worker processes that compare, each started when it is needed and replaced when it hangs or dies.

    Questions share the workers fairly: the last free one goes to a question that has none, so that a question full of
    hard pairs never makes another one wait for it.

    Args:
        limit_s: Seconds for one pair; past it the two are not equal. A pair whose question has less time left has only
            that, and its verdict is not kept.
        workers: The most processes.
    """

    def __init__(self, limit_s: float = 5.0, workers: int = 4) -> None:
        self._limit_s = limit_s
        self._most = workers
        self._all: list[_Worker] = []
        self._verdicts: dict[tuple[str, str], bool] = {}
        self._renew()
        renew_in_fork(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        for worker in self._all:
            worker.disown()
        self._all = []
        self._free: list[_Worker] = []
        self._holders: Counter[object] = Counter()  # the workers that each question has
        self._waiting: dict[_Ticket, None] = {}  # in the order of arrival
        self._pending: dict[tuple[str, str], threading.Event] = {}  # pairs that are being compared

    def equal(self, a: str, b: str) -> bool:
        """Return whether two answers are equal; a pair is worked out once.

        Raises:
            ArgumentError: The extra is not installed.
        """
        if len(a) > _LONGEST or len(b) > _LONGEST:
            return False
        pair = (a, b) if a <= b else (b, a)  # the same verdict whoever comes first
        work = current_work.get() or Work(threading.get_ident())
        while True:
            with self._lock:
                if pair in self._verdicts:
                    return self._verdicts[pair]
                ended = self._pending.get(pair)
                if ended is None:
                    self._pending[pair] = threading.Event()
            if ended is None:
                return self._compare(pair, work)
            # Another question compares them. If its time was up before they were compared, this one tries.
            if not ended.wait(_seconds_to(work.end)):
                return False

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            workers, self._all, self._free = self._all, [], []
        for worker in workers:
            worker.close()

    def _compare(self, pair: tuple[str, str], work: Work) -> bool:
        verdict: bool | None = None
        try:
            worker = self._take(work)
            if worker is not None:
                try:
                    verdict = worker.ask(*map(_bare, pair), limit_s=min(self._limit_s, _seconds_to(work.end)))
                finally:
                    self._give_back(worker, work)
                if verdict is None and time.monotonic() < work.end:
                    verdict = False  # the pair had its whole time, or ended the worker
        finally:
            with self._lock:
                if verdict is not None:
                    if len(self._verdicts) >= _MOST_KEPT:
                        self._verdicts.clear()
                    self._verdicts[pair] = verdict
                self._pending.pop(pair).set()
        return bool(verdict)

    def _take(self, work: Work) -> "_Worker | None":
        """Wait for a worker; return `None` if the question's time is up first."""
        ticket = _Ticket(work.question)
        with self._lock:
            self._waiting[ticket] = None
            self._grant()
        ticket.granted.wait(_seconds_to(work.end))
        with self._lock:
            self._waiting.pop(ticket, None)
            return ticket.worker

    def _give_back(self, worker: "_Worker", work: Work) -> None:
        with self._lock:
            if worker in self._all:  # not closed in the meantime
                self._free.append(worker)
            self._holders[work.question] -= 1
            if not self._holders[work.question]:
                del self._holders[work.question]
            self._grant()

    def _grant(self) -> None:
        """Give free workers to those who wait: the questions with the fewest first, the last one to one without."""
        while self._waiting and (free := len(self._free) + self._most - len(self._all)):
            ticket = min(self._waiting, key=lambda each: self._holders[each.question])
            if free == 1 and self._most > 1 and self._holders[ticket.question]:
                return
            if self._free:
                ticket.worker = self._free.pop()
            else:
                ticket.worker = _Worker()
                self._all.append(ticket.worker)
            del self._waiting[ticket]
            self._holders[ticket.question] += 1
            ticket.granted.set()


class _Ticket:
    """A place in the queue for a worker."""

    def __init__(self, question: object) -> None:
        self.question = question
        self.worker: _Worker | None = None
        self.granted = threading.Event()


class _Worker:
    """One process, started at the first question and again whenever it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, a: str, b: str, *, limit_s: float) -> bool | None:
        """Return whether two pieces of LaTeX are equal; `None` if the process hung or ended over them."""
        line = _exchange(self._running(), json.dumps([a, b]), limit_s)
        if line not in {b"true", b"false"}:
            self.close()
            return None
        return line == b"true"

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()

    def disown(self) -> None:
        """Let go of the process in a fork: it is the parent's, and ends only once every copy of its pipe is closed."""
        process, self._process = self._process, None
        if process is not None:
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()
            process.returncode = 0  # it cannot be waited for here; without a code Popen would warn

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            need_mathematics()
            self.close()
            # A fork between the making of the pipes and their being known here would keep a copy of them.
            with unforked:
                self._process = subprocess.Popen(  # noqa: S603 - our own script, our own interpreter
                    [sys.executable, "-I", "-S", str(_ENGINE)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    bufsize=0,  # a buffer would be copied by a fork, and flushed twice
                    start_new_session=True,
                )
            _exchange(self._process, json.dumps(sys.path), _START_S)
        return self._process


def _exchange(process: "subprocess.Popen[bytes]", line: str, limit_s: float) -> bytes:
    """Send a line and return the answer; nothing where the process hung or ended over it."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    patience = threading.Timer(limit_s, process.kill)
    patience.daemon = True
    patience.start()
    try:
        process.stdin.write(line.encode("utf-8", "replace") + b"\n")
        return process.stdout.readline().strip()
    except (OSError, ValueError):  # its pipe is broken, or closed
        return b""
    finally:
        patience.cancel()


def _seconds_to(end: float) -> float:
    return min(max(0.0, end - time.monotonic()), threading.TIMEOUT_MAX)


def _bare(answer: str) -> str:
    """Return an answer as LaTeX without delimiters, a percent sign as what it means."""
    return _PERCENT.sub("/100", in_latex(_DELIMITERS.sub("", answer).strip()))


_workers = Mathematics()
mathematically_equal = _workers.equal
atexit.register(_workers.close)
