"""What `slmmux serve` adds: the time of many clients at once, over the same mux in one process; its memory; its limit.

python -m bench.served                       200 clients at once over members of 0.2 s, then 20,000 requests for memory
python -m bench.served --requests 2000       fewer requests

The server is a process of its own on loopback, and the clients are one process beside it, which two cores can bear.
Members reply after 0.2 s without any work, so that all other time is the frameworks' and the server's. Time on the CPU
is given for a question, since 200 questions that begin at once wait for each other.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import aiohttp
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_slmmux import SLMMuxChatModel

MEMBER_S = 0.2
CAP = 64  # calls at once in the part that looks for the limit
PATIENCE_S = 30  # to end what clients left behind that broke off
FREE = 4000  # more than are ever in flight: without it the wait for a place would hide the server's time
BODY = {"model": "free", "messages": [{"role": "user", "content": "2 + 2?"}]}
IN_FLIGHT = {"now": 0, "most": 0}


class Slow(BaseChatModel):
    """A member that replies after a while, and remembers nothing, so that all memory is the server's."""

    reply: str
    seconds: float = MEMBER_S

    @property
    def _llm_type(self) -> str:
        return "slow"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
        IN_FLIGHT["now"] += 1
        IN_FLIGHT["most"] = max(IN_FLIGHT["most"], IN_FLIGHT["now"])
        try:
            await asyncio.sleep(self.seconds)
        finally:
            IN_FLIGHT["now"] -= 1
        usage = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self.reply, usage_metadata=usage))])


def mux(calls: int, seconds: float = MEMBER_S) -> SLMMuxChatModel:
    """Return two members of two samples each."""
    models = {label: Slow(reply=reply, seconds=seconds) for label, reply in (("a", "4"), ("b", "5"))}
    return SLMMuxChatModel(models=models, samples=2, max_concurrency=calls, wait="exhausted")


def serve(port: int) -> None:
    """Serve on a port, and tell the calls in flight at `/in-flight`."""
    import uvicorn
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from slmmux.serve import create_app

    muxes = {"free": mux(FREE), "capped": mux(CAP), "quick": mux(FREE, seconds=0)}
    app = create_app(muxes, max_questions=1000, max_waiting=1000)

    async def in_flight(_: Any) -> JSONResponse:
        counts = {**IN_FLIGHT, "tasks": len(asyncio.all_tasks())}
        IN_FLIGHT["most"] = IN_FLIGHT["now"]
        return JSONResponse(counts)

    app.router.routes.append(Route("/in-flight", in_flight))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, timeout_keep_alive=75)


async def times(ask: Any, clients: int, rounds: int) -> list[float]:
    """Return the seconds of each question, with so many clients at once."""

    async def client() -> list[float]:
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            await ask()
            seconds.append(time.perf_counter() - start)
        return seconds

    return [s for each in await asyncio.gather(*(client() for _ in range(clients))) for s in each]


def shares(seconds: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile, in milliseconds."""
    return {
        "median_ms": round(1000 * statistics.median(seconds)),
        "p99_ms": round(1000 * statistics.quantiles(seconds, n=100)[98]),
    }


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used."""
    user, system = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def cpu_ms(begun: float, pid: int, questions: int) -> float:
    """Return the milliseconds of CPU time that a process has used for each question since a time."""
    return round(1000 * (cpu_s(pid) - begun) / questions, 1)


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    size = re.search(r"VmRSS:\s+(\d+)", status)
    return round(int(size[1]) / 1024, 1) if size else 0.0


async def measure(url: str, pid: int, clients: int, rounds: int, requests: int) -> dict[str, Any]:
    """Return all figures."""
    figures: dict[str, Any] = {"clients": clients, "rounds": rounds, "member_s": MEMBER_S, "calls_a_question": 4}
    own = mux(FREE)

    async def in_process() -> None:
        await own.ainvoke("2 + 2?")

    await in_process()
    begun = cpu_s(os.getpid())
    figures["one_process"] = shares(await times(in_process, clients, rounds))
    figures["one_process"]["cpu_ms"] = cpu_ms(begun, os.getpid(), clients * rounds)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector, timeout=aiohttp.ClientTimeout(120)) as http:

        async def asked(model: str = "free") -> None:
            async with http.post("/v1/chat/completions", json=BODY | {"model": model}) as reply:
                reply.raise_for_status()
                await reply.read()

        async def in_flight() -> dict[str, int]:
            async with http.get("/in-flight") as reply:
                counts: dict[str, int] = await reply.json()
                return counts

        await times(asked, clients, 1)  # connections are opened before the clock runs
        begun = cpu_s(pid)
        figures["served"] = shares(await times(asked, clients, rounds))
        figures["served"]["cpu_ms"] = cpu_ms(begun, pid, clients * rounds)
        await in_flight()
        await times(lambda: asked("capped"), clients, 1)
        figures["in_flight_with_cap"] = {"cap": CAP, "most": (await in_flight())["most"]}

        async def broken_off() -> None:
            soon = aiohttp.ClientTimeout(MEMBER_S / 4)
            with contextlib.suppress(asyncio.TimeoutError):
                await http.post("/v1/chat/completions", json=BODY, timeout=soon)

        idle = await in_flight()
        await times(broken_off, clients, 1)
        left, seconds = await in_flight(), 0
        while left["tasks"] > idle["tasks"] and seconds < PATIENCE_S:  # the server's queue of work is long at first
            await asyncio.sleep(1)
            left, seconds = await in_flight(), seconds + 1
        left = {"calls": left["now"], "tasks": left["tasks"] - idle["tasks"], "after_s": seconds}
        figures["left_after_clients_broke_off"] = left

        memory = []
        for tenth in range(10):
            await times(lambda: asked("quick"), 20, requests // 200)
            memory.append(memory_mb(pid))
            print(f"{tenth + 1} tenths of {requests:,} requests", file=sys.stderr)  # they take most of the time
        figures["memory_mb_by_tenths"] = memory
        figures["requests_for_memory"] = requests
    return figures


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the server answers."""
    while True:
        try:
            urlopen(f"{url}/health").close()
        except OSError:
            if process.poll() is not None:
                raise SystemExit("the server ended before it answered; its own error stands above") from None
            time.sleep(0.1)
        else:
            return


def main() -> None:
    """Measure, or serve for a measurement."""
    parser = argparse.ArgumentParser(prog="python -m bench.served", description=__doc__)
    parser.add_argument("--clients", type=int, default=200, help="clients at once")
    parser.add_argument("--rounds", type=int, default=3, help="questions of each client")
    parser.add_argument("--requests", type=int, default=20_000, help="requests over which memory is watched")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "bench.served", "--serve", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process)
        figures = asyncio.run(measure(url, process.pid, arguments.clients, arguments.rounds, arguments.requests))
    finally:
        process.terminate()
        process.wait()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
