"""A soak over a server that counts: thousands of answers by each way of asking, and what is left behind.

python -m bench.soak [--answers N] [--cancellations N] [--samples K] [--way NAME ...] [--slots QUESTIONS]

The server is a process of its own, so that nothing of it is counted here. For each way: threads, tasks, open files and
resident memory before and after, what memory grew by in each 1,000 answers, the most requests that the server ever had
in flight, and the calls and tokens of all records beside what the server counted. `--slots` puts 20 threads over a real
llama.cpp server with 4 slots instead.
"""

import argparse
import asyncio
import gc
import json
import random
import resource
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

__all__ = ["main"]

WINDOW = 6
MEMBERS, SAMPLES = 2, 2
PIECE = 1000  # answers between two looks at the memory
PROMPT, REPLY = 10, 5  # tokens that the server counts for a request and for a completion
QUESTION = "What is 2 + 2?"


class Counts:
    """What the server counted: requests, those in flight, the most of them, and tokens."""

    def __init__(self) -> None:
        self.requests = self.in_flight = self.most = self.tokens = 0


async def _serve() -> None:
    """Serve completions on loopback until the process ends, and print the port."""
    counts, chance = Counts(), random.Random(0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if lines[0].startswith("GET"):
                    _write(writer, vars(counts))
                    continue
                counts.requests += 1
                counts.in_flight += 1
                counts.most = max(counts.most, counts.in_flight)
                try:
                    await asyncio.sleep(chance.random() * 0.004)
                finally:
                    counts.in_flight -= 1
                counts.tokens += PROMPT + REPLY
                _write(writer, _completion(json.loads(body)["model"], chance.choice("4445")))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _write(writer: asyncio.StreamWriter, value: Mapping[str, Any]) -> None:
    body = json.dumps(value).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


def _completion(model: str, text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": PROMPT, "completion_tokens": REPLY, "total_tokens": PROMPT + REPLY}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": usage}


class Ledger:
    """The calls and tokens of all records, abandoned ones and those that arrived later included."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls = self.tokens = self.answers = 0

    def late(self, label: str, usage: Mapping[str, Any]) -> None:  # noqa: ARG002 - the hook's arguments
        """Count the tokens of a reply that arrived after its record."""
        with self._lock:
            self.tokens += usage["total_tokens"]

    def add(self, record: Mapping[str, Any]) -> None:
        """Count a record."""
        with self._lock:
            self.answers += 1
            self.calls += record.get("calls", record["samples"]["used"] + record["abandoned"]["calls"])
            self.tokens += record["usage"]["total_tokens"] + (
                (record["abandoned"]["usage"] or {}).get("total_tokens", 0)
            )


class LangChain:
    """A mux of ChatOpenAI, and the ways to ask it."""

    def __init__(self, url: str, ledger: Ledger, **options: Any) -> None:
        from langchain_openai import ChatOpenAI

        from langchain_slmmux import SLMMuxChatModel

        members = {
            label: ChatOpenAI(base_url=url, api_key="none", model=label, max_retries=0).bind(n=1)
            for label in "abcdefgh"[:MEMBERS]
        }
        options = {"samples": SAMPLES, "max_concurrency": WINDOW, **options}
        self.mux = SLMMuxChatModel(models=members, on_abandoned=ledger.late, **options)
        self._ledger = ledger

    def _count(self, message: Any) -> None:
        self._ledger.add(message.response_metadata["slmmux"])

    def ask(self) -> None:
        """Ask once on threads."""
        self._count(self.mux.invoke(QUESTION))

    async def aask(self) -> None:
        """Ask once on the event loop."""
        self._count(await self.mux.ainvoke(QUESTION))

    def batch(self, size: int) -> None:
        """Ask several at once on threads."""
        for message in self.mux.batch([QUESTION] * size):
            self._count(message)

    async def abatch(self, size: int) -> None:
        """Ask several at once on the event loop."""
        for message in await self.mux.abatch([QUESTION] * size):
            self._count(message)


class LlamaIndex:
    """A mux of OpenAILike, and the ways to ask it."""

    def __init__(self, url: str, ledger: Ledger, **options: Any) -> None:
        from llama_index.llms.openai_like import OpenAILike

        from llamaindex_slmmux import SLMMuxLLM

        members = {
            label: OpenAILike(
                model=label, api_base=url, api_key="none", max_retries=0, is_chat_model=True, additional_kwargs={"n": 1}
            )
            for label in "abcdefgh"[:MEMBERS]
        }
        options = {"samples": SAMPLES, "max_concurrency": WINDOW, **options}
        self.mux = SLMMuxLLM(models=members, on_abandoned=ledger.late, **options)
        self._ledger = ledger

    def ask(self) -> None:
        """Ask once on threads."""
        self._ledger.add(self.mux.complete(QUESTION).raw["slmmux"])

    async def aask(self) -> None:
        """Ask once on the event loop."""
        self._ledger.add((await self.mux.acomplete(QUESTION)).raw["slmmux"])

    def batch(self, size: int) -> None:
        """Ask several at once on threads, as a program of LlamaIndex does."""
        with ThreadPoolExecutor(size) as threads:
            list(threads.map(lambda _: self.ask(), range(size)))

    async def abatch(self, size: int) -> None:
        """Ask several at once on the event loop."""
        await asyncio.gather(*(self.aask() for _ in range(size)))


def _state() -> tuple[int, int, int]:
    """Return (kilobytes, threads, files) of this process, once what can be collected was."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    kilobytes = pages * resource.getpagesize() // 1024
    return kilobytes, threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def _counted(url: str) -> Counter[str]:
    with urllib.request.urlopen(url.replace("/v1", "/counts"), timeout=60) as reply:
        return Counter(json.load(reply))


def _settled(url: str, calls: Callable[[], int]) -> Counter[str]:
    """Return the server's counts once it has had all calls, or after a moment: what was abandoned still runs."""
    for _ in range(100):
        counts = _counted(url)
        if not counts["in_flight"] and counts["requests"] >= calls():
            break
        time.sleep(0.02)
    return counts


async def _soak(url: str, framework: str, way: str, answers: int, samples: int) -> None:
    # On threads an abandoned call is counted whenever it ends; a cancelled one closes its connection, and nobody hears.
    options: dict[str, Any] = {"samples": samples} | ({} if way in {"ask", "batch"} else {"wait": "exhausted"})
    ledger = Ledger()
    asker: Any = (LangChain if framework == "LangChain" else LlamaIndex)(url, ledger, **options)
    size = min(20, answers)

    async def ask(number: int) -> None:
        if way == "ask":
            for _ in range(number):
                asker.ask()
        elif way == "batch":
            for _ in range(number // size):
                asker.batch(size)
        elif way == "aask":
            for _ in range(number):
                await asker.aask()
        else:
            for _ in range(number // size):
                await asker.abatch(size)

    start = _settled(url, lambda: 0)
    warm = min(200, answers)
    await ask(warm)
    _settled(url, lambda: start["requests"] + ledger.calls)
    before, tasks = _state(), len(asyncio.all_tasks())
    begun, growth, last = time.monotonic(), [], before[0]
    for done in range(0, answers, PIECE):
        await ask(min(PIECE, answers - done))
        # A growth that gets less from piece to piece is what an allocator keeps; one that stays is a leak.
        growth.append(_state()[0] - last)
        last += growth[-1]
    seconds = time.monotonic() - begun
    end = _settled(url, lambda: start["requests"] + ledger.calls)
    await asyncio.sleep(0.2)
    after = _state()
    calls, tokens = end["requests"] - start["requests"], end["tokens"] - start["tokens"]
    print(
        f"| {framework} `{_NAMES[framework, way]}` | {answers:,} | {seconds:.0f} | {before[1]} -> {after[1]} | "
        f"{tasks} -> {len(asyncio.all_tasks())} | {before[2]} -> {after[2]} | {before[0] / 1024:.0f} -> "
        f"{after[0] / 1024:.0f} | {', '.join(f'{each:+d}' for each in growth)} | {end['most']} of {WINDOW} | "
        f"{ledger.calls:,} / {calls:,} | {ledger.tokens:,} / {tokens:,} |",
        flush=True,
    )
    assert end["most"] <= WINDOW, end["most"]
    assert after[1] <= before[1] + WINDOW, "threads are left"
    assert after[2] <= before[2] + 2 * WINDOW, "files are left"
    assert (ledger.calls, ledger.tokens) == (calls, tokens)


_COLUMNS = (
    "way", "answers", "seconds", "threads", "tasks", "files", "MB", "kB in each 1,000", "most in flight",
    "calls: records / server", "tokens: records / server",
)  # fmt: skip
_NAMES = {
    ("LangChain", "ask"): "invoke",
    ("LangChain", "aask"): "ainvoke",
    ("LangChain", "batch"): "batch",
    ("LangChain", "abatch"): "abatch",
    ("LlamaIndex", "ask"): "complete",
    ("LlamaIndex", "aask"): "acomplete",
    ("LlamaIndex", "batch"): "complete, 20 threads",
    ("LlamaIndex", "abatch"): "acomplete, 20 gathered",
}


async def _storm(url: str, framework: str, cancellations: int) -> None:
    """Cancel questions at random times, and say what is left."""
    ledger, chance = Ledger(), random.Random(1)
    asker: Any = (LangChain if framework == "LangChain" else LlamaIndex)(url, ledger)
    for _ in range(20):
        await asker.aask()
    before, answered = _state(), 0
    start = _settled(url, lambda: 0)
    for _ in range(cancellations):
        question = asyncio.ensure_future(asker.aask())
        await asyncio.sleep(chance.random() * 0.02)
        question.cancel()
        try:
            await question
            answered += 1
        except asyncio.CancelledError:
            pass
    await asker.aask()
    end = _settled(url, lambda: 0)
    after = _state()
    tasks = len(asyncio.all_tasks()) - 1
    print(
        f"{framework}: {cancellations:,} questions cancelled at random times within 20 ms, {answered} of them answered "
        f"before; {tasks} tasks left, threads {before[1]} -> {after[1]}, files {before[2]} -> {after[2]}, MB "
        f"{before[0] / 1024:.0f} -> {after[0] / 1024:.0f}; at most {end['most']} of {WINDOW} requests in flight, "
        f"{end['requests'] - start['requests']:,} requests in all.",
        flush=True,
    )
    assert end["most"] <= WINDOW
    assert not tasks


def _slots(questions: int) -> None:
    """Put 20 threads over a real llama.cpp server with 4 slots and a window of 4."""
    from langchain_openai import ChatOpenAI

    from langchain_slmmux import SLMMuxChatModel
    from slmmux.local import serve

    server = serve("smollm2-135m-instruct", parallel=4, context=512)
    try:
        members = {
            label: ChatOpenAI(
                base_url=server.base_url, api_key=server.api_key, model=server.model, max_tokens=8, max_retries=0
            ).bind(n=1)
            for label in "ab"
        }
        ledger = Ledger()
        mux = SLMMuxChatModel(models=members, samples=2, max_concurrency=4, wait="exhausted", temperature=0.8)
        done = threading.Event()
        busiest = [0]

        def watch() -> None:
            header = {"Authorization": f"Bearer {server.api_key}"}
            request = urllib.request.Request(server.base_url.replace("/v1", "/slots"), headers=header)
            while not done.wait(0.05):
                try:
                    with urllib.request.urlopen(request, timeout=10) as reply:
                        busiest[0] = max(busiest[0], sum(slot.get("is_processing", False) for slot in json.load(reply)))
                except OSError:
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        begun = time.monotonic()
        with ThreadPoolExecutor(20) as threads:
            for message in threads.map(lambda i: mux.invoke(f"What is {i} + {i}?"), range(questions)):
                ledger.add(message.response_metadata["slmmux"])
                assert not message.response_metadata["slmmux"]["lost"]
        done.set()
        watcher.join()
        print(
            f"{questions} questions by 20 threads, 2 members x 2 samples over 4 slots: {ledger.calls} calls in "
            f"{time.monotonic() - begun:.0f} s, none failed; at most {busiest[0]} slots were busy when looked at.",
            flush=True,
        )
        assert ledger.calls == 4 * questions
    finally:
        server.close()


async def _all(url: str, options: argparse.Namespace) -> None:
    """Run everything on one event loop: async clients do not outlive theirs."""
    if options.answers:
        print(f"| {' | '.join(_COLUMNS)} |\n|{' --- |' * len(_COLUMNS)}", flush=True)
        for (framework, way), name in _NAMES.items():
            if not options.way or name in options.way:
                await _soak(url, framework, way, options.answers, options.samples)
    for framework in ("LangChain", "LlamaIndex") if options.cancellations else ():
        await _storm(url, framework, options.cancellations)


def main() -> None:
    """Run the soak and the storms, or serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="A soak over a server that counts.")
    parser.add_argument("--answers", type=int, default=5000, help="answers by each way")
    parser.add_argument("--cancellations", type=int, default=1000, help="questions to cancel, in each framework")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="samples of each member")
    parser.add_argument("--way", action="append", choices=_NAMES.values(), help="only this way, or these")
    parser.add_argument("--slots", type=int, default=0, metavar="QUESTIONS", help="ask a real llama.cpp server instead")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve())
        return
    if options.slots:
        _slots(options.slots)
        return
    with subprocess.Popen([sys.executable, "-m", "bench.soak", "--serve"], stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            asyncio.run(_all(url, options))
        finally:
            server.kill()


if __name__ == "__main__":
    main()
