"""How figures are measured: the variants take turns in one process, and the median over the rounds counts."""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Rounds", "acpu", "awall", "cpu", "interleaved", "median_ratio", "wall"]

Rounds = Mapping[str, list[float]]


def interleaved(variants: Mapping[str, Callable[[], float]], rounds: int) -> Rounds:
    """Return the cost of each variant in each round; they take turns, so that a busy minute affects all of them.

    Args:
        variants: Functions by name that run once and return the cost.
        rounds: The number of rounds, after a first one that is not counted.
    """
    costs: dict[str, list[float]] = {name: [] for name in variants}
    for count in range(rounds + 1):
        for name, run in variants.items():
            gc.collect()
            cost = run()
            if count:
                costs[name].append(cost)
    return costs


def median_ratio(costs: Rounds, this: str, over: str) -> float:
    """Return the median over the rounds of one variant's cost over another's."""
    return statistics.median(a / b for a, b in zip(costs[this], costs[over], strict=True))


def wall(run: Callable[[], object]) -> float:
    """Return the seconds of wall time that a call takes."""
    start_time = time.perf_counter()
    run()
    return time.perf_counter() - start_time


def cpu(run: Callable[[], object], times: int = 1) -> float:
    """Return the seconds of CPU time that all threads of this process spend on a call."""
    start_time = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - start_time) / times


def awall(run: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds that an awaited call takes on a new event loop; a task left running is an error."""

    async def timed() -> float:
        start_time = time.perf_counter()
        await run()
        seconds = time.perf_counter() - start_time
        _check_alone()
        return seconds

    return asyncio.run(timed())


def acpu(run: Callable[[], Awaitable[object]], times: int = 1) -> float:
    """Return the seconds of CPU time of an awaited call on a new event loop; a task left running is an error."""

    async def timed() -> float:
        start_time = time.process_time()
        for _ in range(times):
            await run()
        seconds = (time.process_time() - start_time) / times
        _check_alone()
        return seconds

    return asyncio.run(timed())


def _check_alone() -> None:
    running = asyncio.all_tasks() - {asyncio.current_task()}
    assert not running, f"left running: {running}"
