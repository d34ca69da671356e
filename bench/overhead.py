"""What the engine itself costs a sample: members that reply at once, ratios in one run.

python bench/overhead.py
"""

import asyncio
import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import Answer, Pool, Race, adrive, drive


def read(text: str) -> Answer:
    """Read a reply as it is."""
    return Answer(text, "text", text)


def core(k: int) -> None:
    """One race on threads."""
    drive(Race({"a": k}, read, wait="exhausted"), lambda draws: ["4" for _ in draws], pool=Pool(64))


def acore(k: int) -> None:
    """One race on tasks."""

    async def call(draws: tuple[object, ...]) -> list[str]:
        await asyncio.sleep(0)
        return ["4" for _ in draws]

    async def run() -> None:
        await adrive(Race({"a": k}, read, wait="exhausted"), call, slots=asyncio.Semaphore(64))

    asyncio.run(run())


def mux(k: int, *, traced: bool) -> SLMMuxChatModel:
    """Return a mux of one member that replies at once."""
    member = ScriptedChatModel(script=lambda *_: "4")
    return SLMMuxChatModel(models={"a": member}, samples=k, wait="exhausted", trace_samples=traced)


def seconds_a_sample(run: Callable[[int], object], k: int, times: int = 5) -> float:
    """Return the median over runs of the seconds one of k samples took."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        run(k)
        found.append((time.perf_counter() - begun) / k)
    return statistics.median(found)


def main() -> None:
    """Print the table."""
    ways: dict[str, Callable[[int], object]] = {
        "core, threads": core,
        "core, asyncio": acore,
        "LangChain invoke, untraced": lambda k: mux(k, traced=False).invoke("q"),
        "LangChain invoke, traced": lambda k: mux(k, traced=True).invoke("q"),
        "LangChain ainvoke, traced": lambda k: asyncio.run(mux(k, traced=True).ainvoke("q")),
    }
    table = Table("way", "microseconds a sample, k = 100", "the same, k = 10,000", "ratio")
    for name, run in ways.items():
        run(100)
        few, many = seconds_a_sample(run, 100), seconds_a_sample(run, 10_000, times=3)
        table.add_row(name, f"{few * 1e6:,.0f}", f"{many * 1e6:,.0f}", f"{many / few:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
