"""The engine's cost per sample, divided by the cost of a bare gather of the members' own calls.

python -m bench.engine
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from langchain_core.messages import HumanMessage

from bench.cli import main
from bench.measure import acpu, cpu, interleaved, median_ratio
from bench.members import AsyncLLM, Instant, SyncMember
from bench.row import Row
from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM

__all__ = ["rows"]

GOAL = 1.25
MEMBERS, SAMPLES = 3, 5
ROUNDS, TIMES = 15, 30  # Each round asks TIMES questions.


async def at_once(question: str, turn: int) -> str:  # noqa: ARG001 - a member's rule
    """Reply at once."""
    return "4"


def rows(*, short: bool = False) -> list[Row]:
    """Return the CPU time per sample, divided by the CPU time of a bare gather."""
    rounds, times = (0, 1) if short else (ROUNDS, TIMES)
    models = {label: Instant() for label in "abc"}
    llms = {label: AsyncLLM(reply=at_once) for label in "abc"}
    untraced = SLMMuxChatModel(models=models, samples=SAMPLES, wait="exhausted", trace_samples=False)
    traced = SLMMuxChatModel(models=models, samples=SAMPLES, wait="exhausted")
    llamaindex = SLMMuxLLM(models=llms, samples=SAMPLES, wait="exhausted")
    costs = interleaved(
        {
            "bare": lambda: acpu(lambda: _gather(models), times),
            "untraced": lambda: acpu(lambda: _ainvoke(untraced), times),
            "traced": lambda: acpu(lambda: _ainvoke(traced), times),
            "bare threads": lambda: cpu(lambda: _threads(models), times),
            "threads": lambda: cpu(lambda: _invoke(untraced), times),
            "bare llamaindex": lambda: acpu(lambda: _achats(llms), times),
            "llamaindex": lambda: acpu(lambda: _achat(llamaindex), times),
        },
        rounds,
    )
    if short:
        _check_counts()
        return []
    return [
        Row(
            "engine CPU a sample, 3 members x 5 that reply at once, `ainvoke` untraced, over a bare "
            "`asyncio.gather` of the members' `ainvoke`",
            median_ratio(costs, "untraced", "bare"),
            GOAL,
        ),
        Row(
            "the same, a run for each sample (the default, nobody listening)",
            median_ratio(costs, "traced", "bare"),
        ),
        Row(
            "the same, `invoke` untraced over `ThreadPoolExecutor.map` of the members' `invoke`",
            median_ratio(costs, "threads", "bare threads"),
            note="A pool of 15 threads for each question there, the mux's own here.",
        ),
        Row(
            "the same, LlamaIndex `achat` over a bare `asyncio.gather` of the members' `achat`",
            median_ratio(costs, "llamaindex", "bare llamaindex"),
            note="A LlamaIndex LLM reports its own calls: both sides are traced.",
        ),
    ]


async def _gather(models: dict[str, Instant]) -> None:
    question = [HumanMessage("2 + 2?")]
    replies = await asyncio.gather(*(model.ainvoke(question) for model in models.values() for _ in range(SAMPLES)))
    assert [reply.content for reply in replies] == ["4"] * MEMBERS * SAMPLES


def _threads(models: dict[str, Instant]) -> None:
    question = [HumanMessage("2 + 2?")]
    with ThreadPoolExecutor(MEMBERS * SAMPLES) as pool:
        replies = list(pool.map(lambda model: model.invoke(question), [*models.values()] * SAMPLES))
    assert [reply.content for reply in replies] == ["4"] * MEMBERS * SAMPLES


async def _achats(llms: dict[str, AsyncLLM]) -> None:
    question = [_llamaindex_question()]
    replies = await asyncio.gather(*(llm.achat(question) for llm in llms.values() for _ in range(SAMPLES)))
    assert [reply.message.content for reply in replies] == ["4"] * MEMBERS * SAMPLES


async def _ainvoke(mux: SLMMuxChatModel) -> None:
    _check((await mux.ainvoke([HumanMessage("2 + 2?")])).response_metadata["slmmux"])


def _invoke(mux: SLMMuxChatModel) -> None:
    _check(mux.invoke([HumanMessage("2 + 2?")]).response_metadata["slmmux"])


async def _achat(mux: SLMMuxLLM) -> None:
    _check((await mux.achat([_llamaindex_question()])).raw["slmmux"])


def _llamaindex_question() -> Any:
    from llama_index.core.base.llms.types import ChatMessage

    return ChatMessage(role="user", content="2 + 2?")


def _check(record: dict[str, Any]) -> None:
    assert (record["answer"], record["confidence"], record["samples"]["used"]) == ("4", 1.0, MEMBERS * SAMPLES)


def _check_counts() -> None:
    """Check that each member is asked exactly k times."""
    members = {label: SyncMember(reply=lambda *_: "4") for label in "abc"}
    _invoke(SLMMuxChatModel(models=members, samples=SAMPLES, wait="exhausted"))
    assert [member.turns.counts for member in members.values()] == [{"2 + 2?": SAMPLES}] * MEMBERS


if __name__ == "__main__":
    main("engine", rows)
