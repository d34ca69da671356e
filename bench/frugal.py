"""The share of all samples that plans draw which ask members in turn, by replay of recordings.

python -m bench.frugal

With SLMMUX_TEST_RECORDING (a path) the shared recording of code execution is replayed as well.
"""

from collections.abc import Sequence

from bench.cli import main
from bench.recorded import OWN_RANK, our_recording, outcome_of, shared, shared_pools
from bench.row import Row
from bench.synthetic import ACCURACIES, synthetic
from slmmux import Draw, Race, Recording, replay
from slmmux._decision.race import Plan
from slmmux.recording._row import answer_of

__all__ = ["rows"]

HARD_GOAL, GOAL = 0.80, 0.65
SAMPLES = 5
POOLS = 10
QUESTIONS = 2000
PRICES = ((1, 3, 10), (10, 3, 1), (100, 10, 1))  # of one sample of each member, the best-ranked one first
SAME = "The same (model, answer) as with all samples on every question."
WHY = (
    "On hard questions no member is sure: while another could still agree with itself more often, its samples are "
    "needed."
)


def rows(*, short: bool = False) -> list[Row]:
    """Return the samples drawn over all samples; each decision is checked against the one of all samples."""
    if short:
        share_drawn(synthetic(100), [list(ACCURACIES)], "adaptive")
        share_drawn(synthetic(100), [list(ACCURACIES)], "cascade")
        share_drawn(our_recording(), [list(OWN_RANK)], "adaptive")
        cost_over_adaptive(synthetic(100), [list(ACCURACIES)], PRICES[0])
        return []
    seeded = synthetic(QUESTIONS), [list(ACCURACIES)], "a seeded synthetic recording, single accuracies 0.8, 0.7, 0.6"
    ours = our_recording(), [list(OWN_RANK)], "our own recording (cookbook/data)"
    cases = [(*seeded, GOAL), (*ours, None)]
    if (recording := shared()) is not None:
        what = f"the shared recording of code execution, {POOLS} random pools of three"
        cases.insert(0, (recording, shared_pools(recording, POOLS), what, HARD_GOAL))
    plans: tuple[tuple[Plan, bool], ...] = (("adaptive", True), ("cascade", False))
    results = [
        Row(
            f'samples drawn by plan="{plan}" over all, 3 members x {SAMPLES}: {what}',
            share_drawn(recording, pools, plan),
            goal if counts else None,
            note=f"{len(pools) * len(recording.questions):,} questions. {SAME}",
            why=WHY,
        )
        for recording, pools, what, goal in cases
        for plan, counts in plans
    ]
    results += [
        Row(
            f'cost of the samples drawn by plan="cheapest" over those of "adaptive", a sample of the members at '
            f"{' : '.join(map(str, prices))} by rank: {what}",
            cost_over_adaptive(recording, pools, prices),
            1.0,
            note=SAME,
        )
        for recording, pools, what, _ in cases
        for prices in PRICES
    ]
    if recording is None:
        print("the shared recording is left out: SLMMUX_TEST_RECORDING is not set")
    return results


def cost_over_adaptive(recording: Recording, pools: Sequence[Sequence[str]], prices: Sequence[float]) -> float:
    """Return the cost of the samples of plan="cheapest" over that of "adaptive", and check that both decide alike."""
    cost: dict[Plan, float] = {"adaptive": 0.0, "cheapest": 0.0}
    for pool in pools:
        costs = dict(zip(pool, prices, strict=True))
        for by_model in recording.by_question.values():
            answers = {
                Draw(model, i): answer_of(row) for model in pool for i, row in enumerate(by_model[model][:SAMPLES])
            }
            outcomes = []
            for plan in cost:
                race = Race[Draw](dict.fromkeys(pool, SAMPLES), answers.get, plan=plan, costs=costs)
                while not race.is_over:
                    for draw in race.ask():
                        race.tell(draw, draw)
                        cost[plan] += costs[draw.model]
                assert race.decision is not None
                outcomes.append(outcome_of(race.decision))
            assert outcomes[0] == outcomes[1], (pool, outcomes)
    return cost["cheapest"] / cost["adaptive"]


def share_drawn(recording: Recording, pools: Sequence[Sequence[str]], plan: Plan) -> float:
    """Return the share of samples that a plan draws, and check each decision against the one of all samples."""
    drawn = planned = 0
    for pool in pools:
        exhausted = replay(recording, models=pool, samples=SAMPLES, wait="exhausted")
        for question, decision in replay(recording, models=pool, samples=SAMPLES, plan=plan).items():
            assert outcome_of(decision) == outcome_of(exhausted[question]), (plan, pool, question)
            used_here = len(decision.samples)
            assert used_here + len(decision.unused) == len(exhausted[question].samples) == len(pool) * SAMPLES
            drawn += used_here
            planned += len(pool) * SAMPLES
    return drawn / planned


if __name__ == "__main__":
    main("frugal", rows)
