"""How long an answer is waited for where latency has a heavy tail: settled over all samples in.

python -m bench.tail
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence

from bench.cli import main
from bench.measure import awall
from bench.members import AsyncMember
from bench.recorded import OWN_RANK, decided, own, shared, shared_pools
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
ASKED = 60  # questions with real waiting
REPLAYED = 1000  # questions in virtual time
WHY = (
    "The rule is exact: on these answers and latencies nothing that keeps the answer can end sooner, and the engine "
    "adds next to nothing to that. What is waited for is the slowest of the winner's own five, and rivals that could "
    "still be as sure. More members bring it down: see the rows in virtual time."
)

Latencies = Mapping[Draw, float]
Outcome = tuple[str, tuple[str, str] | None]


def rows(*, short: bool = False) -> list[Row]:
    """Return the time until settled over the time until all are in; every decision is checked to be the same."""
    if short:
        for sigma in GOALS:
            _waited(synthetic(10, seed=1), sigma, 0.002)
            _virtual(synthetic(100), [list(ACCURACIES)], sigma, SAMPLES)
        return []
    made = []
    for sigma, goal in GOALS.items():
        asked = synthetic(ASKED, seed=1)
        exact = _virtual(asked, [list(ACCURACIES)], sigma, SAMPLES)
        made.append(
            Row(
                f"wall time until settled over all samples in, lognormal latency, sigma {sigma}, "
                f'3 members x {SAMPLES}, plan="parallel"',
                _waited(asked, sigma, MEDIAN),
                goal,
                note=f"{ASKED} synthetic questions (single accuracies 0.8, 0.7, 0.6), the same (model, answer) on "
                f"every one; without an engine, in virtual time, the same samples settle at {exact:.2f}.",
                why=WHY,
            )
        )
    replayed: list[tuple[str, Recording, Sequence[Sequence[str]], int]] = [
        (f"{members} members x {samples}, synthetic", made_of, [made_of.models], samples)
        for members, samples in ((3, 5), (5, 3), (5, 5), (10, 5))
        for made_of in [synthetic(REPLAYED, samples, members=members)]
    ]
    replayed.append((f"3 members x {SAMPLES}, our own recording (cookbook/data)", own(), [OWN_RANK], SAMPLES))
    if (recording := shared()) is not None:
        pools = shared_pools(recording, 3)
        replayed.append((f"3 members x {SAMPLES}, the shared recording, three random pools", recording, pools, SAMPLES))
    made += [
        Row(
            f"the same in virtual time, sigma {sigma}: {what}",
            _virtual(recording, pools, sigma, samples),
            note=f"{len(pools) * len(recording.questions):,} questions, the same (model, answer) on every one.",
        )
        for what, recording, pools, samples in replayed
        for sigma in GOALS
    ]
    return made


def _drawn(sigma: float, models: Sequence[str], samples: int, rng: random.Random) -> Latencies:
    """Return a latency for each draw, the median 1."""
    return {Draw(model, i): rng.lognormvariate(0, sigma) for model in models for i in range(samples)}


def _waited(recording: Recording, sigma: float, median: float) -> float:
    """Ask a mux every question, settled and exhausted in turns; return the time of the one over that of the other."""
    rng = random.Random(0)
    latencies = {question: _drawn(sigma, recording.models, SAMPLES, rng) for question in recording.questions}

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
            said = []
            for wait, one in muxes.items():
                begun = time.perf_counter()
                record = (await one.ainvoke(question)).response_metadata["slmmux"]
                seconds[wait] += time.perf_counter() - begun
                said.append((record["model"], record["answer"]))
            assert said[0] == said[1], (question, said)

    awall(ask)  # on one loop, on which nothing may be left
    return seconds["settled"] / seconds["exhausted"]


def _virtual(recording: Recording, pools: Sequence[Sequence[str]], sigma: float, samples: int) -> float:
    """Return the same ratio by the latencies alone, all samples begun at once."""
    rng = random.Random(0)
    settled = whole = 0.0
    for pool in pools:
        for question, by_model in recording.by_question.items():
            answers = {
                Draw(model, i): answer_of(row) for model in pool for i, row in enumerate(by_model[model][:samples])
            }
            latencies = _drawn(sigma, pool, samples, rng)
            end, early = _raced(pool, samples, answers.get, latencies, "settled")
            last, late = _raced(pool, samples, answers.get, latencies, "exhausted")
            assert early == late, (pool, question)
            settled += end
            whole += last
    return settled / whole


def _raced(
    pool: Sequence[str],
    samples: int,
    read: Callable[[Draw], Answer | None],
    latencies: Latencies,
    wait: Wait,
) -> tuple[float, Outcome | None]:
    """Return when a race is decided if its draws come back as their latencies say, and what was decided."""
    race = Race[Draw](dict.fromkeys(pool, samples), read, wait=wait)
    for draw in sorted(race.ask(), key=lambda draw: latencies[draw]):
        race.tell(draw, draw)
        try:
            decision = race.decision
        except NoAnswerError:
            return latencies[draw], None
        if decision is not None:
            return latencies[draw], decided(decision)
    raise AssertionError("told everything and not decided")


if __name__ == "__main__":
    main("tail", rows)
