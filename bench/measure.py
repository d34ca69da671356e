"""How figures are measured: what is compared takes turns in one process, and medians are taken over the rounds."""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Rounds", "acpu", "awall", "cpu", "interleaved", "median_ratio", "wall"]

Rounds = Mapping[str, list[float]]


def interleaved(variants: Mapping[str, Callable[[], float]], rounds: int) -> Rounds:
    """Return what each variant cost in each round; the variants take turns, so that a busy minute falls on all.

    Args:
        variants: By name, what runs once and returns its cost.
        rounds: How often, after one round that is not counted.
    """
    found: dict[str, list[float]] = {name: [] for name in variants}
    for count in range(rounds + 1):
        for name, run in variants.items():
            gc.collect()
            cost = run()
            if count:
                found[name].append(cost)
    return found


def median_ratio(found: Rounds, this: str, over: str) -> float:
    """Return the median over the rounds of one variant's cost over another's."""
    return statistics.median(a / b for a, b in zip(found[this], found[over], strict=True))


def wall(run: Callable[[], object]) -> float:
    """Return the seconds a call took."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def cpu(run: Callable[[], object], times: int = 1) -> float:
    """Return the seconds of CPU that all threads of this process spent on a call."""
    begun = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - begun) / times


def awall(run: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds an awaited call took, on a loop of its own; what it leaves running is an error."""

    async def timed() -> float:
        begun = time.perf_counter()
        await run()
        taken = time.perf_counter() - begun
        _check_alone()
        return taken

    return asyncio.run(timed())


def acpu(run: Callable[[], Awaitable[object]], times: int = 1) -> float:
    """Return the seconds of CPU an awaited call took, on a loop of its own; what it leaves running is an error."""

    async def timed() -> float:
        begun = time.process_time()
        for _ in range(times):
            await run()
        taken = (time.process_time() - begun) / times
        _check_alone()
        return taken

    return asyncio.run(timed())


def _check_alone() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"left running: {left}"
