"""The wall time of three members with five samples of one second each, divided by the time of one sample.

python -m bench.wall_time
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.cli import main
from bench.measure import awall, interleaved, median_ratio, wall
from bench.members import AsyncLLM, AsyncMember, Meeting, SyncMember
from bench.row import Row
from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM

__all__ = ["rows"]

SECONDS = 1.0
MEMBERS, SAMPLES, QUESTIONS = 3, 5, 20
IN_FLIGHT = MEMBERS * SAMPLES * QUESTIONS
GOAL, BATCH_GOAL, SYNC_GOAL = 1.05, 1.15, 1.2
WHY = (
    "What is beyond a second is CPU on one core: as many calls without a mux have theirs as well, see the rows below; "
    "then a run for each sample (the default), though nobody listens."
)
WINDOW = f"max_concurrency={IN_FLIGHT}: all {IN_FLIGHT} samples at once."


async def reply_after_sleep(question: str, turn: int) -> str:  # noqa: ARG001 - a member's rule
    """Reply after a second."""
    await asyncio.sleep(SECONDS)
    return "4"


def reply_after_blocking(question: str, turn: int) -> str:  # noqa: ARG001 - a member's rule
    """Reply after a second, in a thread."""
    time.sleep(SECONDS)
    return "4"


def rows(*, short: bool = False) -> list[Row]:
    """Return wall times divided by one sample's; in the short form samples wait for each other, not for a second."""
    if short:
        _check_side_by_side()
        return []
    one = AsyncMember(reply=reply_after_sleep)
    llm = AsyncLLM(reply=reply_after_sleep)
    slow = SyncMember(reply=reply_after_blocking)
    lone = {
        "a sample": lambda: awall(lambda: one.ainvoke("q")),
        "a LlamaIndex sample": lambda: awall(lambda: _achat(llm)),
        "a sync sample": lambda: wall(lambda: slow.invoke("q")),
    }
    bare = {
        "a bare `asyncio.gather`": lambda: awall(_gather),
        "a bare `ThreadPoolExecutor`": lambda: wall(_threads),
    }
    ways = {
        "`ainvoke`": lambda: awall(_ask_one(reply_after_sleep)),
        f"`abatch` of {QUESTIONS}": lambda: awall(_ask_many(reply_after_sleep)),
        "LlamaIndex `achat`": lambda: awall(_achat_one(reply_after_sleep)),
        f"LlamaIndex `achat`, {QUESTIONS} gathered": lambda: awall(_achat_many(reply_after_sleep)),
        "sync-only members, `invoke`": lambda: wall(_invoke_one(reply_after_blocking)),
        f"sync-only members, `batch` of {QUESTIONS}": lambda: wall(_invoke_many(reply_after_blocking)),
    }
    times = interleaved({**lone, **bare, **ways}, rounds=5)
    over = ["a sample", "a sample", "a LlamaIndex sample", "a LlamaIndex sample", "a sync sample", "a sync sample"]
    goals = [GOAL, BATCH_GOAL, GOAL, BATCH_GOAL, SYNC_GOAL, SYNC_GOAL]
    results = [
        Row(
            f"wall time, 3 members x 5 samples of 1.0 s, {way}, over one sample",
            median_ratio(times, way, base),
            goal,
            note=WINDOW if str(QUESTIONS) in way else "",
            why=WHY,
        )
        for way, base, goal in zip(ways, over, goals, strict=True)
    ]
    return results + [
        Row(f"the same {IN_FLIGHT} calls without a mux: {way}, over one sample", median_ratio(times, way, base))
        for way, base in zip(bare, ("a sample", "a sync sample"), strict=True)
    ]


def _check_side_by_side() -> None:
    """Check that all samples of a question or a batch run at once, each is requested once, and none is left running."""
    per_question = MEMBERS * SAMPLES
    for way, expected in ((_ask_one, per_question), (_ask_many, IN_FLIGHT), (_achat_one, per_question),
                          (_achat_many, IN_FLIGHT)):  # fmt: skip

        async def meet(way: Any = way, expected: int = expected) -> None:
            async with asyncio.timeout(60):
                await way(Meeting(expected).reply)()

        awall(meet)
    for way, expected in ((_invoke_one, per_question), (_invoke_many, IN_FLIGHT)):
        way(Meeting(expected).sync_reply)()
    for thread in threading.enumerate():
        if thread.name == "slmmux-sample":
            thread.join(timeout=60)
            assert not thread.is_alive(), "a sample's thread is left running"


def _ask_one(reply: Callable[..., Any]) -> Callable[[], Coroutine[Any, Any, None]]:
    mux, members = _mux(AsyncMember, reply)

    async def ask() -> None:
        _check([await mux.ainvoke("q")], members)

    return ask


def _ask_many(reply: Callable[..., Any]) -> Callable[[], Coroutine[Any, Any, None]]:
    mux, members = _mux(AsyncMember, reply)

    async def ask() -> None:
        _check(await mux.abatch(_questions()), members)

    return ask


def _invoke_one(reply: Callable[..., Any]) -> Callable[[], None]:
    mux, members = _mux(SyncMember, reply)
    return lambda: _check([mux.invoke("q")], members)


def _invoke_many(reply: Callable[..., Any]) -> Callable[[], None]:
    mux, members = _mux(SyncMember, reply)
    return lambda: _check(mux.batch(_questions()), members)


def _achat_one(reply: Callable[..., Any]) -> Callable[[], Coroutine[Any, Any, None]]:
    mux, members = _llamaindex_mux(reply)

    async def ask() -> None:
        _check([(await _achat(mux)).message], members)

    return ask


def _achat_many(reply: Callable[..., Any]) -> Callable[[], Coroutine[Any, Any, None]]:
    mux, members = _llamaindex_mux(reply)

    async def ask() -> None:
        responses = await asyncio.gather(*(_achat(mux, question) for question in _questions()))
        _check([response.message for response in responses], members)

    return ask


def _mux(kind: type[SyncMember], reply: Callable[..., Any]) -> tuple[SLMMuxChatModel, list[SyncMember]]:
    members = [kind(reply=reply) for _ in range(MEMBERS)]
    models = dict(zip("abc", members, strict=True))
    return SLMMuxChatModel(models=models, samples=SAMPLES, wait="exhausted", max_concurrency=IN_FLIGHT), members


def _llamaindex_mux(reply: Callable[..., Any]) -> tuple[SLMMuxLLM, list[AsyncLLM]]:
    members = [AsyncLLM(reply=reply) for _ in range(MEMBERS)]
    models = dict(zip("abc", members, strict=True))
    return SLMMuxLLM(models=models, samples=SAMPLES, wait="exhausted", max_concurrency=IN_FLIGHT), members


async def _gather() -> None:
    members = [AsyncMember(reply=reply_after_sleep) for _ in range(MEMBERS)]
    calls = [member.ainvoke(question) for question in _questions() for member in members for _ in range(SAMPLES)]
    await asyncio.gather(*calls)


def _threads() -> None:
    members = [SyncMember(reply=reply_after_blocking) for _ in range(MEMBERS)]
    calls = [(member, question) for question in _questions() for member in members for _ in range(SAMPLES)]
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(lambda call: call[0].invoke(call[1]), calls))


async def _achat(llm: Any, question: str = "q") -> Any:
    from llama_index.core.base.llms.types import ChatMessage

    return await llm.achat([ChatMessage(role="user", content=question)])


def _questions() -> list[Any]:
    return [f"q{i}" for i in range(QUESTIONS)]


def _check(messages: list[Any], members: list[Any]) -> None:
    assert [str(message.content) for message in messages] == ["4"] * len(messages)
    for member in members:
        assert set(member.turns.counts.values()) == {SAMPLES}, "each member is asked exactly k times"
        assert len(member.turns.counts) == len(messages)


if __name__ == "__main__":
    main("wall_time", rows)
