"""What the decision alone costs a sample: no call, no waiting, every sample told in a fixed shuffled order.

python -m bench.decision
"""

import random
import statistics

from bench.cli import main
from bench.measure import cpu, interleaved
from bench.row import Row
from slmmux import Answer, Race, vote
from slmmux._race import Wait
from slmmux._types import Draw, Sample

__all__ = ["rows"]

GOAL = 5.0  # microseconds
SHAPES = ((3, 5), (3, 100), (1, 10_000))
WHY = (
    "Between half and two thirds of it is asking anew after each sample whether the race is over, which `tell`, "
    "`decision` and `ask` each do; the rest is the sample's and the draw's own records."
)


class Told:
    """A race of members by samples, and what it is told: a third of each of three answers, shuffled."""

    def __init__(self, members: int, samples: int, wait: Wait = "exhausted") -> None:
        self.race = Race[Answer]({f"m{i}": samples for i in range(members)}, lambda answer: answer, wait=wait)
        answers = [Answer(text, "text", text) for text in "xyz"]
        rng = random.Random(0)
        self.told = [(draw, rng.choice(answers)) for draw in self.race.ask()]
        rng.shuffle(self.told)

    def run(self) -> int:
        """Tell it sample by sample until it has decided; return how many that took."""
        for count, (draw, answer) in enumerate(self.told, 1):
            self.race.tell(draw, answer)
            if self.race.decision is not None:
                return count
        raise AssertionError("told everything and not decided")


def rows(*, short: bool = False) -> list[Row]:
    """Return microseconds a sample told, the decision asked for after each."""
    if short:
        _check_order_is_nothing()
        return []
    empty = statistics.median(cpu(_nothing) for _ in range(5)) * 1e6 / CALLS
    found = []
    for members, samples in SHAPES:
        races = max(1, 3000 // (members * samples))
        for wait in ("settled", "exhausted"):
            # Whether it can be settled is asked only where it may end early.
            cost = interleaved({"": lambda m=members, k=samples, w=wait, n=races: _cost(m, k, w, n)}, rounds=9)  # type: ignore[misc]
            found.append((members, samples, wait, statistics.median(cost[""])))
    return [
        Row(
            f'CPU of the decision alone, {members} members x {samples:,} samples, wait="{wait}", a sample told',
            seconds * 1e6,
            GOAL,
            unit="µs",
            note=f"{seconds * 1e6 / empty:.0f} times an empty function call, which takes {empty:.3f} µs here.",
            why=WHY,
        )
        for members, samples, wait, seconds in found
    ]


CALLS = 200_000


def _nothing() -> None:
    def empty() -> None:
        pass

    for _ in range(CALLS):
        empty()


def _cost(members: int, samples: int, wait: Wait, races: int) -> float:
    made = [Told(members, samples, wait) for _ in range(races)]
    told = 0

    def run() -> None:
        nonlocal told
        told = sum(one.run() for one in made)

    return cpu(run) / told


def _check_order_is_nothing() -> None:
    """Settled or exhausted, the decision is that of the votes counted plainly, whatever the order of arrival."""
    settled = Told(3, 5, "settled")
    assert settled.run() <= len(settled.told)
    whole = Told(3, 5)
    assert whole.run() == len(whole.told)
    plain = {
        model: vote(model, (Sample(draw, answer, answer) for draw, answer in whole.told if draw.model == model), 5)
        for model in ("m0", "m1", "m2")
    }
    for made in (settled, whole):
        decision = made.race.decision
        assert decision is not None
        winner = decision.winner
        assert (winner.model, winner.answer) == (
            max(plain.values(), key=lambda v: (v.count, -int(v.model[1:]))).model,
            plain[winner.model].answer,
        )
        assert {*(sample.draw for sample in decision.samples), *decision.unused} == {
            Draw(f"m{m}", i) for m in range(3) for i in range(5)
        }


if __name__ == "__main__":
    main("decision", rows)
