"""The cost of a sample among 10,000 in flight, divided by its cost among 100, for one question and for many.

python -m bench.in_flight
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

from bench.cli import main
from bench.measure import acpu, cpu, interleaved, median_ratio
from bench.members import AsyncMember, Meeting, SyncMember
from bench.row import Row
from langchain_slmmux import SLMMuxChatModel
from slmmux import Answer, Pool, Race, adrive, drive

__all__ = ["rows"]

GOAL = 1.6
FEW, MANY = 100, 10_000
WINDOW = 64  # the default max_concurrency
ROUNDS = 2
FEW_TIMES = 5
WHY = (
    "The growth is CPython's garbage collector, which goes through all that is alive again and again: see the same "
    "without it, and as many calls without a mux, below."
)
BATCHED = 10  # The samples of each question in a batch.


def rows(*, short: bool = False) -> list[Row]:
    """Return the cost of a sample among many, divided by its cost among few."""
    if short:
        _check_window()
        return []
    ways: dict[str, Callable[[int], float]] = {
        "one question, `ainvoke`, the default window": lambda n: acpu(_mux(n).ainvoke_it) / n,
        "one question, `ainvoke`, all at once (max_concurrency=n)": lambda n: acpu(_all_at_once(n, n).ainvoke_it) / n,
        "one question, `invoke`, the default window": lambda n: cpu(_sync_mux(n).invoke_it) / n,
        f"`abatch` of questions with {BATCHED} samples each, the default window": lambda n: (
            acpu(_mux(BATCHED).abatch_it(n // BATCHED)) / n
        ),
        f"`abatch` of questions with {BATCHED} samples each, all at once (max_concurrency=n)": lambda n: (
            acpu(_all_at_once(BATCHED, n).abatch_it(n // BATCHED)) / n
        ),
        "the core alone, `adrive`": lambda n: acpu(lambda: _adrive(n)) / n,
        "the core alone, `drive`": lambda n: cpu(lambda: _drive(n)) / n,
    }
    goals = dict.fromkeys(ways, GOAL)
    at_once = f"`abatch` of questions with {BATCHED} samples each, all at once (max_concurrency=n)"
    ways |= {
        "as many calls without a mux, a bare `asyncio.gather`": lambda n: acpu(lambda: _gather(n)) / n,
        f"{at_once}, without the garbage collector": lambda n: _without_garbage_collection(lambda: ways[at_once](n)),
        "the core alone, `adrive`, without the garbage collector": lambda n: _without_garbage_collection(
            lambda: ways["the core alone, `adrive`"](n)
        ),
    }
    results = []
    for way, cost in ways.items():
        cost_of = {
            "few": lambda cost=cost: sum(cost(FEW) for _ in range(FEW_TIMES)) / FEW_TIMES,
            "many": lambda cost=cost: cost(MANY),
        }
        costs = interleaved(cost_of, ROUNDS)
        ratio = median_ratio(costs, "many", "few")
        results.append(Row(f"CPU a sample, {MANY:,} over {FEW}: {way}", ratio, goals.get(way), why=WHY))
    return results


async def _gather(calls: int) -> None:
    member = AsyncMember(reply=Meeting(calls).reply)
    await asyncio.gather(*(member.ainvoke(f"q{i // BATCHED}") for i in range(calls)))


def _without_garbage_collection(cost: Callable[[], float]) -> float:
    gc.disable()
    try:
        return cost()
    finally:
        gc.enable()


class _SingleMemberMux:
    """A mux of one member, with several ways to call it."""

    def __init__(self, mux: SLMMuxChatModel, samples: int) -> None:
        self.mux = mux
        self.samples = samples

    async def ainvoke_it(self) -> None:
        message = await self.mux.ainvoke("q")
        assert message.response_metadata["slmmux"]["samples"]["used"] == self.samples

    def invoke_it(self) -> None:
        message = self.mux.invoke("q")
        assert message.response_metadata["slmmux"]["samples"]["used"] == self.samples

    def abatch_it(self, questions: int) -> Callable[[], Coroutine[Any, Any, None]]:
        async def ask() -> None:
            messages = await self.mux.abatch([f"q{i}" for i in range(questions)])
            assert [m.response_metadata["slmmux"]["samples"]["used"] for m in messages] == [self.samples] * questions

        return ask


def _mux(samples: int, window: int = WINDOW, reply: Any = None) -> _SingleMemberMux:
    member = AsyncMember(reply=reply or _in_a_moment)
    mux = SLMMuxChatModel(
        models={"a": member}, samples=samples, wait="exhausted", max_concurrency=window, trace_samples=False
    )
    return _SingleMemberMux(mux, samples)


def _all_at_once(samples: int, window: int) -> _SingleMemberMux:
    """Return a mux whose samples reply only when the window is full."""
    return _mux(samples, window, Meeting(window).reply)


def _sync_mux(samples: int) -> _SingleMemberMux:
    models = {"a": SyncMember(reply=lambda *_: "4")}
    return _SingleMemberMux(
        SLMMuxChatModel(models=models, samples=samples, wait="exhausted", trace_samples=False), samples
    )


async def _in_a_moment(question: str, turn: int) -> str:  # noqa: ARG001 - a member's rule
    await asyncio.sleep(0)
    return "4"


def _read(text: str) -> Answer:
    return Answer(text, "text", text)


def _drive(samples: int) -> None:
    decision = drive(
        Race({"a": samples}, _read, wait="exhausted"), lambda draws: ["4" for _ in draws], pool=Pool(WINDOW)
    )
    assert decision.winner.count == samples


async def _adrive(samples: int) -> None:
    async def call(draws: tuple[object, ...]) -> list[str]:
        await asyncio.sleep(0)
        return ["4" for _ in draws]

    race = Race({"a": samples}, _read, wait="exhausted")
    assert (await adrive(race, call, slots=asyncio.Semaphore(WINDOW))).winner.count == samples


class _Crowd:
    """The largest number of calls that ran at once."""

    def __init__(self) -> None:
        self._now = 0
        self.most = 0

    async def reply(self, question: str, turn: int) -> str:  # noqa: ARG002 - a member's rule
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self._now -= 1
        return "4"


def _check_window() -> None:
    """Check that by default at most 64 calls run at once, for one question and for many, and that none is left."""
    assert SLMMuxChatModel(models={"a": SyncMember(reply=lambda *_: "4")}).max_concurrency == WINDOW
    for samples, questions in ((1000, 1), (BATCHED, 100)):
        crowd = _Crowd()
        member = AsyncMember(reply=crowd.reply)
        mux = _SingleMemberMux(SLMMuxChatModel(models={"a": member}, samples=samples, wait="exhausted"), samples)
        acpu(mux.abatch_it(questions))
        assert crowd.most == WINDOW, crowd.most
        assert set(member.turns.counts.values()) == {samples}
    acpu(_all_at_once(1000, 1000).ainvoke_it)
    threads = SyncMember(reply=lambda *_: "4")
    mux = _SingleMemberMux(SLMMuxChatModel(models={"a": threads}, samples=1000, wait="exhausted"), 1000)
    mux.invoke_it()
    assert threads.turns.counts["q"] == 1000  # noqa: PLR2004


if __name__ == "__main__":
    main("in_flight", rows)
