"""Trials of limits that once gave way: each measured again, with the figure of the first trial beside it.

python -m bench.withstand

Wall times are those of a machine that other work shares. Trials of HTTP stand on a server in this process.
"""

import asyncio
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench.members import AsyncMember, SyncMember
from langchain_slmmux import SLMMuxChatModel
from slmmux import NoAnswerError

__all__ = ["main"]

Trial = tuple[str, str, Callable[[], str]]
DEADLINE_S = 2.0


class _Server(ThreadingHTTPServer):
    """Replies "4" as the model "good", with megabytes as "huge", and never as "mute"."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.let_go = threading.Event()
        self.open = self.most = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is the trial."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        model = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        with self.server.lock:
            self.server.open += 1
            self.server.most = max(self.server.most, self.server.open)
        try:
            if model == "mute":
                # A request whose client has gone away is in flight no more: a real server ends it.
                while not self.server.let_go.wait(0.02) and self._has_client():
                    pass
                return
            content = "x " * 10_000_000 if model == "huge" else "4"
            choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            body = json.dumps(
                {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": model,
                    "choices": [choice],
                    "usage": usage,
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        finally:
            with self.server.lock:
                self.server.open -= 1

    def _has_client(self) -> bool:
        return not select.select([self.connection], [], [], 0)[0] or bool(self.connection.recv(1, socket.MSG_PEEK))

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _serving() -> Iterator[_Server]:
    server = _Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        server.server_close()


def _openai(url: str, model: str, **options: Any) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(base_url=url, api_key="none", model=model, max_retries=0, **options).bind(n=1)


def _says(text: str) -> SyncMember:
    return SyncMember(reply=lambda *_: text)


def _timed(run: Callable[[], object]) -> str:
    start = time.monotonic()
    run()
    return f"{time.monotonic() - start:.1f} s"


def _embedding(seconds: float) -> str:
    """Compare prose by an embedding that takes so long."""
    released = threading.Event()

    def embed(text: str) -> list[float]:  # noqa: ARG001 - an embedding's argument
        released.wait(seconds)
        return [1.0]

    # Unlike texts, so that nothing is decided without the embedding.
    models = {
        "a": SyncMember(reply=lambda _, turn: f"grass is green, {turn}"),
        "b": SyncMember(reply=lambda _, turn: f"the sea is deep, {turn}"),
    }
    mux = SLMMuxChatModel(
        models=models, samples=2, extract="text", agreement="embedding", embedding=embed, deadline=DEADLINE_S
    )
    try:
        return _timed(lambda: mux.invoke("q"))
    finally:
        released.set()


def _huge() -> str:
    """Ask for a reply of 20 MB on an event loop beside a sound member, and watch the loop."""

    async def ask() -> str:
        with _serving() as server:
            models = {"huge": _openai(server.url, "huge"), "good": _openai(server.url, "good")}
            mux = SLMMuxChatModel(models=models, samples=1, wait="exhausted")
            await SLMMuxChatModel(models={"good": models["good"]}, samples=1).ainvoke("q")
            alone = await _longest_gap(models["huge"].ainvoke("q"))
            start = time.monotonic()
            whole = await _longest_gap(mux.ainvoke("q"))
            return (
                f"{time.monotonic() - start:.1f} s, of which the loop waited {whole * 1e3:.0f} ms in one piece; its "
                f"client alone makes it wait {alone * 1e3:.0f} ms"
            )

    return asyncio.run(ask())


async def _longest_gap(work: Any) -> float:
    """Return the longest time in which the event loop did not turn while it worked."""
    longest, task = 0.0, asyncio.ensure_future(work)
    last = time.perf_counter()
    while not task.done():
        await asyncio.sleep(0)
        longest = max(longest, time.perf_counter() - last)
        last = time.perf_counter()
    await task
    return longest


SLOW = (r"\boxed{1000000007!}", r"\boxed{x+2}")  # a factorial that no computer comes to the end of


def _math() -> str:
    """Compare formulas that take long."""
    mux = SLMMuxChatModel(
        models={"a": SyncMember(reply=lambda _, turn: SLOW[turn % 2])}, samples=2, agreement="math", deadline=DEADLINE_S
    )
    return _timed(lambda: mux.invoke("q"))


def _math_beside() -> str:
    """Ask an innocent question while another one compares such formulas."""
    slow = SLMMuxChatModel(
        models={"a": SyncMember(reply=lambda _, turn: SLOW[turn % 2])}, samples=2, agreement="math", deadline=30
    )
    good = SLMMuxChatModel(
        models={"a": SyncMember(reply=lambda _, turn: (r"\boxed{1/2}", r"\boxed{0.5}")[turn % 2])},
        samples=2,
        agreement="math",
    )
    good.invoke("warm")
    thread = threading.Thread(target=slow.invoke, args=("q",), daemon=True)
    thread.start()
    time.sleep(0.3)
    return _timed(lambda: good.invoke("another"))


def _extractor() -> str:
    """Read with a function that takes 3 s."""

    def extract(text: str) -> str:
        if text == "slow":
            time.sleep(3)
        return text

    models = {"slow": _says("slow"), "good": _says("4")}
    mux = SLMMuxChatModel(models=models, samples=1, extract=extract, deadline=1.0, wait="exhausted")
    return _timed(lambda: mux.invoke("q"))


async def _stubborn(question: str, turn: int) -> str:  # noqa: ARG001 - a member's rule
    """Swallow a cancellation and go on for six seconds."""
    end = time.monotonic() + 6
    while (left := end - time.monotonic()) > 0:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(left)
    return "5"


def _swallows() -> str:
    """Ask a member that swallows its cancellation, beside one that replies at once."""

    async def ask() -> str:
        models = {"stubborn": AsyncMember(reply=_stubborn), "good": _says("4")}
        start = time.monotonic()
        await SLMMuxChatModel(models=models, samples=1, deadline=1.0, wait="exhausted").ainvoke("q")
        return f"{time.monotonic() - start:.1f} s"

    return asyncio.run(ask())


def _after_cancellation() -> str:
    """Cancel a question whose extractor sleeps for 11 s, and end the loop."""

    def extract(text: str) -> str:
        time.sleep(11)
        return text

    async def ask() -> None:
        mux = SLMMuxChatModel(models={"a": _says("4")}, samples=2, extract=extract)
        question = asyncio.ensure_future(mux.ainvoke("q"))
        await asyncio.sleep(0.5)
        question.cancel()
        await asyncio.gather(question, return_exceptions=True)

    return _timed(lambda: asyncio.run(ask()))


def _hanging() -> str:
    """Ask 200 questions on threads beside a member that never replies, with a window of 8."""
    with _serving() as server:
        models = {
            "mute": _openai(server.url, "mute"),
            "a": _openai(server.url, "good"),
            "b": _openai(server.url, "good"),
        }
        mux = SLMMuxChatModel(models=models, samples=3, max_concurrency=8, timeout=1.0)
        threads = files = wrong = 0
        start = time.monotonic()
        for _ in range(200):
            record = mux.invoke("q").response_metadata["slmmux"]
            wrong += record["answer"] != "4"
            own = sum(thread.name.startswith("slmmux") for thread in threading.enumerate())
            threads, files = max(threads, own), max(files, len(list(Path("/proc/self/fd").iterdir())))
        return (
            f"at most {threads} threads of ours, {files} open files and {server.most} requests at once (server and "
            f"client in one process); {200 - wrong} of 200 answered, in {time.monotonic() - start:.0f} s"
        )


def _at_once(**limits: float) -> str:
    """Ask 15 questions at once over a window of 8, beside a member that never replies, in each framework and way."""
    from llama_index.llms.openai_like import OpenAILike

    from llamaindex_slmmux import SLMMuxLLM

    def like(url: str, model: str) -> Any:
        made = {"api_base": url, "api_key": "none", "max_retries": 0, "additional_kwargs": {"n": 1}}
        return OpenAILike(model=model, is_chat_model=True, **made)

    figures = []
    for mux_of, member in ((SLMMuxChatModel, _openai), (SLMMuxLLM, like)):
        for way in ("threads", "tasks"):
            with _serving() as server:
                models = {label: member(server.url, name) for label, name in (("m", "mute"), *_GOOD)}
                mux: Any = mux_of(models=models, samples=3, max_concurrency=8, **limits)
                # A client's first request imports its half and makes its connections: that is no time of ours.
                warm: Any = mux_of(models={label: models[label] for label, _ in _GOOD}, samples=1, max_concurrency=8)
                start, replies = (_on_threads if way == "threads" else _on_tasks)(warm, mux)
                seconds = time.monotonic() - start
                records = [getattr(r, "response_metadata", None) or r.raw for r in replies if r is not None]
                answers = [record["slmmux"]["answer"] for record in records]
                figures.append(
                    f"{mux_of.__name__} on {way}: {answers.count('4')} of 15 answered in {seconds:.1f} s, at most "
                    f"{server.most} requests at once"
                )
    return "; ".join(figures)


_GOOD = (("a", "good"), ("b", "good"))


def _on_threads(warm: Any, mux: Any) -> tuple[float, list[Any]]:
    def ask(mux: Any) -> Any:
        return mux.invoke("q") if isinstance(mux, SLMMuxChatModel) else mux.complete("q")

    def ask_once(mux: Any) -> Any:
        with contextlib.suppress(NoAnswerError):
            return ask(mux)

    ask(warm)
    start = time.monotonic()
    with ThreadPoolExecutor(15) as threads:
        return start, list(threads.map(ask_once, [mux] * 15))


def _on_tasks(warm: Any, mux: Any) -> tuple[float, list[Any]]:
    def ask(mux: Any) -> Any:
        return mux.ainvoke("q") if isinstance(mux, SLMMuxChatModel) else mux.acomplete("q")

    async def ask_once() -> Any:
        with contextlib.suppress(NoAnswerError):
            return await ask(mux)

    async def ask_all() -> tuple[float, list[Any]]:
        await ask(warm)
        start = time.monotonic()
        return start, await asyncio.gather(*(ask_once() for _ in range(15)))

    return asyncio.run(ask_all())


def _forks() -> str:
    """Fork three times with calls running, and ask in the child; with mathematics, too."""
    let_go = threading.Event()
    parent = os.getpid()

    def held(question: str, turn: int) -> str:  # noqa: ARG001 - a member's rule
        if os.getpid() == parent:
            let_go.wait(60)
        return (r"\boxed{1/2}", r"\boxed{0.5}")[turn % 2]

    mux = SLMMuxChatModel(models={"a": SyncMember(reply=held)}, samples=2, max_concurrency=2, agreement="math")
    SLMMuxChatModel(models={"a": _says(r"\boxed{2}")}, samples=2, agreement="math").invoke("q")
    thread = threading.Thread(target=mux.invoke, args=("q",), daemon=True)
    thread.start()
    time.sleep(0.3)
    answered = 0
    for _ in range(3):
        if (child := os.fork()) == 0:
            try:
                os._exit(0 if mux.invoke("child").response_metadata["slmmux"]["confidence"] == 1.0 else 1)
            finally:
                os._exit(2)
        end = time.monotonic() + 60
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
            time.sleep(0.01)
        if ended == (0, 0):
            os.kill(child, 9)
            os.waitpid(child, 0)
        answered += ended[0] == child and os.waitstatus_to_exitcode(ended[1]) == 0
    let_go.set()
    thread.join()
    return f"{answered} of 3 children answered"


def _ended(ending: signal.Signals) -> str:
    """End or stop a local server, five times, under a running mux; a stopped one costs the question that meets it."""
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    from slmmux.local import serve

    local = serve("smollm2-135m-instruct", parallel=1, context=512)
    key = SecretStr(local.api_key)
    member = ChatOpenAI(base_url=local.base_url, api_key=key, model=local.model, max_tokens=4, max_retries=0)  # type: ignore[call-arg]
    mux = SLMMuxChatModel(models={"local": member}, samples=2, timeout=10.0)
    mux.invoke("2 + 2?")
    replies, seconds = 0, []
    try:
        for _ in range(5):
            process = local._process  # noqa: SLF001 - it is ended as the system would end it
            os.kill(process.pid, ending)
            if ending is signal.SIGKILL:
                process.wait()
            else:
                with contextlib.suppress(TimeoutError):
                    mux.invoke("2 + 2?")
            start = time.monotonic()
            replies += bool(mux.invoke("2 + 2?").text)
            seconds.append(time.monotonic() - start)
    finally:
        local.close()
    return f"{replies} of 5 next questions answered, in {min(seconds):.1f} to {max(seconds):.1f} s"


def _loops() -> str:
    """Run 500 event loops with a window of 2, and count those that are still there."""
    mux = SLMMuxChatModel(models={"a": _says("4"), "b": _says("4")}, samples=3, max_concurrency=2)
    for _ in range(500):
        asyncio.run(mux.ainvoke("q"))
    gc.collect()
    return f"{sum(isinstance(each, asyncio.AbstractEventLoop) for each in gc.get_objects())} loops are alive"


def _usage() -> str:
    """Give a budget of 50 tokens to members whose server reports -1,500 a reply."""
    from langchain_core.messages import AIMessage

    from langchain_slmmux.testing import ScriptedChatModel

    usage = {"input_tokens": -1000, "output_tokens": -500, "total_tokens": -1500}
    member = ScriptedChatModel(script=[AIMessage("4", usage_metadata=usage)], max_tokens=10)
    mux = SLMMuxChatModel(models={"a": member}, samples=100, budget={"tokens": 50}, wait="exhausted")
    record = mux.invoke("q").response_metadata["slmmux"]
    tokens, reason = record["usage"]["total_tokens"], record["reason"]
    return f"{len(member.calls)} of 100 calls; {tokens} tokens counted; reason {reason!r}"


def _many() -> str:
    """Ask for 100,000 samples with a deadline of 1 s."""

    async def slow(question: str, turn: int) -> str:  # noqa: ARG001 - a member's rule
        await asyncio.sleep(0.05)
        return str(turn)

    mux = SLMMuxChatModel(models={"a": AsyncMember(reply=slow)}, samples=100_000, deadline=1.0, wait="exhausted")
    return _timed(lambda: asyncio.run(mux.ainvoke("q")))


_EXIT = """
import threading, time
from bench.members import SyncMember
from langchain_slmmux import SLMMuxChatModel
models = {"hangs": SyncMember(reply=lambda *_: threading.Event().wait()), "good": SyncMember(reply=lambda *_: "4")}
SLMMuxChatModel(models=models, samples=3, deadline=1.0).invoke("q")
print(time.time())
"""


def _exit() -> str:
    """End a program while calls hang."""
    ended = subprocess.run([sys.executable, "-c", _EXIT], capture_output=True, text=True, check=True, timeout=120)
    return f"{time.time() - float(ended.stdout):.2f} s"


TRIALS: tuple[Trial, ...] = (
    ("an embedding that takes 8 s, a deadline of 2 s, threads", "16 s (with 1 to 3 s asked)", lambda: _embedding(8)),
    ("an embedding that never answers, the same", "never came back", lambda: _embedding(600)),
    ("a reply of 20 MB, event loop", "11.3 s, the loop blocked for 10.8 s in one piece", _huge),
    ('agreement="math" over hard formulas, a deadline of 2 s', "6.3 s", _math),
    ("an innocent question beside such a one", "5.3 s", _math_beside),
    ("an extractor that takes 3 s, a deadline of 1 s", "3 s", _extractor),
    ("a member that swallows its cancellation, a deadline of 1 s", "6.1 s", _swallows),
    (
        "the end of `asyncio.run` after a cancelled `ainvoke` whose extractor sleeps for 11 s",
        "11 s later",
        _after_cancellation,
    ),
    (
        "one member that never answers, 200 questions on threads, a window of 8",
        "604 threads, 610 files, 604 connections",
        _hanging,
    ),
    (
        "15 questions at once beside such a member, a window of 8, a time-out of 3 s",
        "28 to 42 requests at once (with a window of 4)",
        lambda: _at_once(timeout=3.0),
    ),
    (
        "the same with a deadline of 4 s instead",
        "some without a reply",
        lambda: _at_once(deadline=4.0),
    ),
    ("a fork with calls running, mathematics too", "the child hung, 3 of 3", _forks),
    ("a local server that is killed under a mux, five times", "5 of 5 fail", lambda: _ended(signal.SIGKILL)),
    (
        "a local server that is stopped and never answers, five times",
        "never replaced",
        lambda: _ended(signal.SIGSTOP),
    ),
    ("500 `asyncio.run` with a window of 2", "500 loops stay alive", _loops),
    ("a server that reports -1,500 tokens a reply, a budget of 50", "endless", _usage),
    ("100,000 samples, a deadline of 1 s", "not in time", _many),
    ("the end of a program with calls hanging", "under 0.6 s", _exit),
)


def main() -> None:
    """Measure each trial again and print the table."""
    names = sys.argv[1:]
    print("| trial | before | after |\n| --- | --- | --- |", flush=True)
    for what, before, run in TRIALS:
        if not names or any(name in what for name in names):
            print(f"| {what} | {before} | {run()} |", flush=True)


if __name__ == "__main__":
    main()
