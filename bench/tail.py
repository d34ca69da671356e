"""The time to an answer if latency has a heavy tail: until settled, divided by the time until all samples are in.

python -m bench.tail
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence

from bench.cli import main
from bench.measure import awall
from bench.members import AsyncMember
from bench.recorded import OWN_RANK, our_recording, outcome_of, shared, shared_pools
from bench.row import Row
from bench.synthetic import ACCURACIES, synthetic
from langchain_slmmux import SLMMuxChatModel
from slmmux import Answer, Draw, NoAnswerError, Race, Recording
from slmmux._decision.race import Wait
from slmmux.recording._row import answer_of

__all__ = ["rows"]

GOALS = {0.8: 0.5, 0.35: 0.75}  # by sigma of the lognormal latency
SAMPLES = 5
MEDIAN = 0.1  # seconds
WAITED = 60  # Questions with real waiting.
REPLAYED = 1000  # Questions in virtual time.
WHY = (
    "The rule is exact: on these answers and latencies nothing that keeps the answer can end sooner, and the engine "
    "adds next to nothing to that. What is waited for is the slowest of the winner's own five, and rivals that could "
    "still be as sure. More members bring it down: see the rows in virtual time."
)

Latencies = Mapping[Draw, float]
Outcome = tuple[str, tuple[str, str] | None]


def rows(*, short: bool = False) -> list[Row]:
    """Return the time until settled, divided by the time until all are in; both decisions must agree."""
    if short:
        for sigma in GOALS:
            _waited_ratio(synthetic(10, seed=1), sigma, 0.002)
            _virtual_ratio(synthetic(100), [list(ACCURACIES)], sigma, SAMPLES)
        return []
    results = []
    for sigma, goal in GOALS.items():
        recording_waited = synthetic(WAITED, seed=1)
        exact = _virtual_ratio(recording_waited, [list(ACCURACIES)], sigma, SAMPLES)
        results.append(
            Row(
                f"wall time until settled over all samples in, lognormal latency, sigma {sigma}, "
                f'3 members x {SAMPLES}, plan="parallel"',
                _waited_ratio(recording_waited, sigma, MEDIAN),
                goal,
                note=f"{WAITED} synthetic questions (single accuracies 0.8, 0.7, 0.6), the same (model, answer) on "
                f"every one; without an engine, in virtual time, the same samples settle at {exact:.2f}.",
                why=WHY,
            )
        )
    cases: list[tuple[str, Recording, Sequence[Sequence[str]], int]] = [
        (f"{members} members x {samples}, synthetic", synthetic_recording, [synthetic_recording.models], samples)
        for members, samples in ((3, 5), (5, 3), (5, 5), (10, 5))
        for synthetic_recording in [synthetic(REPLAYED, samples, members=members)]
    ]
    cases.append((f"3 members x {SAMPLES}, our own recording (cookbook/data)", our_recording(), [OWN_RANK], SAMPLES))
    if (recording := shared()) is not None:
        pools = shared_pools(recording, 3)
        cases.append((f"3 members x {SAMPLES}, the shared recording, three random pools", recording, pools, SAMPLES))
    results += [
        Row(
            f"the same in virtual time, sigma {sigma}: {what}",
            _virtual_ratio(recording, pools, sigma, samples),
            note=f"{len(pools) * len(recording.questions):,} questions, the same (model, answer) on every one.",
        )
        for what, recording, pools, samples in cases
        for sigma in GOALS
    ]
    return results


def _latencies(sigma: float, models: Sequence[str], samples: int, rng: random.Random) -> Latencies:
    """Return a random latency for each draw, with median 1."""
    return {Draw(model, i): rng.lognormvariate(0, sigma) for model in models for i in range(samples)}


def _waited_ratio(recording: Recording, sigma: float, median: float) -> float:
    """Ask a settled and an exhausted mux every question in turns; return the ratio of their total times."""
    rng = random.Random(0)
    latencies = {question: _latencies(sigma, recording.models, SAMPLES, rng) for question in recording.questions}

    def member(model: str) -> AsyncMember:
        async def reply(question: str, turn: int) -> str:
            await asyncio.sleep(median * latencies[question][Draw(model, turn)])
            return str(recording.by_question[question][model][turn].answer)

        return AsyncMember(reply=reply)

    def mux(wait: Wait) -> SLMMuxChatModel:
        models = {model: member(model) for model in recording.models}
        return SLMMuxChatModel(models=models, samples=SAMPLES, wait=wait, extract=str)

    muxes = {"settled": mux("settled"), "exhausted": mux("exhausted")}
    seconds = dict.fromkeys(muxes, 0.0)

    async def ask() -> None:
        for question in recording.questions:
            outcomes = []
            for wait, mux_of_wait in muxes.items():
                start_time = time.perf_counter()
                record = (await mux_of_wait.ainvoke(question)).response_metadata["slmmux"]
                seconds[wait] += time.perf_counter() - start_time
                outcomes.append((record["model"], record["answer"]))
            assert outcomes[0] == outcomes[1], (question, outcomes)

    awall(ask)  # All on one event loop, which must be empty at the end.
    return seconds["settled"] / seconds["exhausted"]


def _virtual_ratio(recording: Recording, pools: Sequence[Sequence[str]], sigma: float, samples: int) -> float:
    """Return the same ratio computed from the latencies alone, if all samples start at once."""
    rng = random.Random(0)
    settled = exhausted = 0.0
    for pool in pools:
        for question, by_model in recording.by_question.items():
            answers = {
                Draw(model, i): answer_of(row) for model in pool for i, row in enumerate(by_model[model][:samples])
            }
            latencies = _latencies(sigma, pool, samples, rng)
            end, early = _race(pool, samples, answers.get, latencies, "settled")
            last, late = _race(pool, samples, answers.get, latencies, "exhausted")
            assert early == late, (pool, question)
            settled += end
            exhausted += last
    return settled / exhausted


def _race(
    pool: Sequence[str],
    samples: int,
    read: Callable[[Draw], Answer | None],
    latencies: Latencies,
    wait: Wait,
) -> tuple[float, Outcome | None]:
    """Return the time at which a race decides, if its samples arrive by their latencies, and the decision."""
    race = Race[Draw](dict.fromkeys(pool, samples), read, wait=wait)
    for draw in sorted(race.ask(), key=lambda draw: latencies[draw]):
        race.tell(draw, draw)
        try:
            decision = race.decision
        except NoAnswerError:
            return latencies[draw], None
        if decision is not None:
            return latencies[draw], outcome_of(decision)
    raise AssertionError("the race has all samples but no decision")


if __name__ == "__main__":
    main("tail", rows)
