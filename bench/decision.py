"""The cost of the decision alone, per sample: without calls and waiting, in a fixed shuffled order.

python -m bench.decision
"""

import random
import statistics

from bench.cli import main
from bench.measure import cpu, interleaved
from bench.row import Row
from slmmux import Answer, Race
from slmmux._decision.race import Wait
from slmmux._decision.types import Draw

__all__ = ["rows"]

GOAL = 5.0  # microseconds
SHAPES = ((3, 5), (3, 100))
WAITS: tuple[Wait, ...] = ("settled", "exhausted")  # Only "settled" checks after each sample whether it may stop.
ROUNDS = 25
WHY = (
    "A third of it is asking after each sample whether the race is settled, a fifth counting it, and the rest the "
    "samples' own frozen records and, once a race, the decision."
)


class ScriptedRace:
    """A race with its samples in a shuffled order: about a third of them for each of three answers."""

    def __init__(self, members: int, samples: int, wait: Wait = "exhausted", seed: int = 0) -> None:
        self.race = Race[Answer]({f"m{i}": samples for i in range(members)}, lambda answer: answer, wait=wait)
        answers = [Answer(text, "text", text) for text in "xyz"]
        rng = random.Random(seed)
        self.samples = [(draw, rng.choice(answers)) for draw in self.race.ask()]
        rng.shuffle(self.samples)

    def run(self) -> int:
        """Tell the race its samples until it has decided; return how many it needed."""
        for count, (draw, answer) in enumerate(self.samples, 1):
            self.race.tell(draw, answer)
            if self.race.decision is not None:
                return count
        raise AssertionError("the race has all samples but no decision")


def rows(*, short: bool = False) -> list[Row]:
    """Return microseconds per sample, asking for the decision after each."""
    if short:
        for seed in range(50):
            _check_order_does_not_matter(seed)
        return []
    empty = min(cpu(_call_empty_function) for _ in range(9)) * 1e6 / CALLS
    costs_by_shape = interleaved(
        {
            f'{members} members x {samples:,}, wait="{wait}"': lambda m=members, k=samples, w=wait: _cost(m, k, w)
            for members, samples in SHAPES
            for wait in WAITS
        },
        ROUNDS,
    )
    return [
        Row(
            f"CPU of the decision alone, a sample told: {shape}",
            min(costs) * 1e6,
            GOAL,
            unit="µs",
            note=f"Median {statistics.median(costs) * 1e6:.1f} µs. As much as {min(costs) * 1e6 / empty:.0f} empty "
            f"function calls, which take {empty:.3f} µs here.",
            why=WHY,
        )
        for shape, costs in costs_by_shape.items()
    ]


CALLS = 200_000


def _call_empty_function() -> None:
    def empty() -> None:
        pass

    for _ in range(CALLS):
        empty()


def _cost(members: int, samples: int, wait: Wait) -> float:
    races = [ScriptedRace(members, samples, wait) for _ in range(max(1, 3000 // (members * samples)))]
    samples_told = 0

    def run() -> None:
        nonlocal samples_told
        samples_told = sum(race.run() for race in races)

    return cpu(run) / samples_told


def _check_order_does_not_matter(seed: int) -> None:
    """Check that settled and exhausted races decide like a plain count of votes, for any order of arrival."""
    settled = ScriptedRace(3, 5, "settled", seed)
    assert settled.run() <= len(settled.samples)
    exhausted = ScriptedRace(3, 5, seed=seed)
    assert exhausted.run() == len(exhausted.samples)
    plain: dict[str, list[str]] = {f"m{m}": [""] * 5 for m in range(3)}
    for draw, answer in exhausted.samples:
        plain[draw.model][draw.index] = answer.key
    counts = {model: max(map(answers.count, answers)) for model, answers in plain.items()}
    first = max(counts, key=lambda model: (counts[model], -int(model[1:])))
    answer_of_first = next(answer for answer in plain[first] if plain[first].count(answer) == counts[first])
    for race in (settled, exhausted):
        decision = race.race.decision
        assert decision is not None
        assert (decision.winner.model, decision.winner.answer) == (first, answer_of_first)
        assert {*(sample.draw for sample in decision.samples), *decision.unused} == {
            Draw(f"m{m}", i) for m in range(3) for i in range(5)
        }


if __name__ == "__main__":
    main("decision", rows)
