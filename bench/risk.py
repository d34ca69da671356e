"""What a stated risk saves, and how often it changed the answer, beside the Beta stop of other programs.

python -m bench.risk

With SLMMUX_TEST_RECORDING (a path) the shared recording of code execution is counted as well.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

from bench.cli import main
from bench.recorded import OWN_RANK, our_recording, shared, shared_pools
from bench.row import Row
from bench.synthetic import ACCURACIES, synthetic
from slmmux import Answer, Draw, Race, Recording
from slmmux._decision.race import Wait
from slmmux.recording._row import answer_of

__all__ = ["rows"]

RISKS = (0.01, 0.05)
SAMPLES = 5
SIGMA = 0.8  # of the lognormal latency
POOLS = 5
QUESTIONS = 1000
# Stands where the figure stands.
CHOSEN = " The rule's two constants were chosen after a look at this recording: no test of them on new questions."
BETA = 0.95  # the threshold of adaptive-consistency (Aggarwal and others, 2023), and of its_hub

Samples = Mapping[Draw, Answer | None]
Stop = Callable[[Samples, Sequence[Draw]], tuple[int, Answer | None]]


@dataclass
class Tally:
    """What one way to stop came to: questions, changed answers, samples that arrived and all of them, and times."""

    questions: int = 0
    changed: int = 0
    arrived: int = 0
    planned: int = 0
    end: float = 0.0
    last: float = 0.0


def rows(*, short: bool = False) -> list[Row]:
    """Return the changed answers, the samples and the time until the stop, over those of all samples."""
    if short:
        _tally(synthetic(60), [list(ACCURACIES)], _by_risk(0.05))
        _tally(our_recording(), [list(OWN_RANK)], _by_beta)
        return []
    cases = [
        ("synthetic", synthetic(QUESTIONS), [list(ACCURACIES)]),
        ("our own recording (cookbook/data)", our_recording(), [list(OWN_RANK)]),
    ]
    if (recording := shared()) is not None:
        cases.append((f"the shared recording, {POOLS} random pools", recording, shared_pools(recording, POOLS)))
    ways: list[tuple[str, Stop, float | None]] = [
        (f'wait={{"risk": {risk:g}}}', _by_risk(risk), 100 * risk) for risk in RISKS
    ]
    ways.append((f"the Beta stop at {BETA:g}, one vote of all samples", _by_beta, None))
    results = []
    for what, recording, pools in cases:
        for name, stop, goal in ways:
            tally = _tally(recording, pools, stop)
            results.append(
                Row(
                    f"answers changed by {name}, 3 members x {SAMPLES}: {what}",
                    100 * tally.changed / tally.questions,
                    goal,
                    unit="%",
                    note=f"{tally.questions:,} questions; {tally.arrived / tally.planned:.2f} of the samples, and "
                    f"{tally.end / tally.last:.2f} of the time until all are in (lognormal latency, sigma {SIGMA})."
                    + (CHOSEN if goal is not None and what != "synthetic" else ""),
                )
            )
    return results


def _tally(recording: Recording, pools: Sequence[Sequence[str]], stop: Stop) -> Tally:
    rng = random.Random(1)
    tally = Tally()
    for pool in pools:
        for by_model in recording.by_question.values():
            samples = {
                Draw(model, i): answer_of(row) for model in pool for i, row in enumerate(by_model[model][:SAMPLES])
            }
            latencies = {draw: rng.lognormvariate(0, SIGMA) for draw in samples}
            order = sorted(samples, key=lambda draw: latencies[draw])
            arrived, answer = stop(samples, order)
            tally.changed += answer != stop(samples, [])[1]
            tally.questions += 1
            tally.arrived += arrived
            tally.planned += len(order)
            tally.end += latencies[order[arrived - 1]]
            tally.last += latencies[order[-1]]
    return tally


def _by_risk(risk: float) -> Stop:
    """Return the stop of a race with a stated risk; without an order it waits for all samples."""

    def stop(samples: Samples, order: Sequence[Draw]) -> tuple[int, Answer | None]:
        wait: Wait = {"risk": risk} if order else "exhausted"
        k = Counter(draw.model for draw in samples)
        race = Race[Draw](dict(k), samples.get, wait=wait)
        race.ask()
        for draw in order or samples:
            race.tell(draw, draw)
            if (decision := race.decision) is not None:
                spoken = next(sample.answer for sample in decision.samples if sample.draw == decision.sample)
                return len(decision.samples), spoken
        raise AssertionError("the race has all samples but no decision")

    return stop


def _by_beta(samples: Samples, order: Sequence[Draw]) -> tuple[int, Answer | None]:
    """Stop once P(p1 > 1/2) > 0.95 for the two most frequent answers of all samples, p1 ~ Beta(n1 + 1, n2 + 1)."""
    votes: Counter[Answer] = Counter()
    arrived = 0
    for draw in order or samples:
        arrived += 1
        if (answer := samples[draw]) is not None:
            votes[answer] += 1
        first, second = ([count for _, count in votes.most_common(2)] + [0, 0])[:2]
        if order and _chance_of_majority(first, second) > BETA:
            break
    # Equal counts fall to the answer listed first among all samples, whatever arrived first.
    return arrived, max(filter(None, samples.values()), key=lambda answer: votes[answer], default=None)


def _chance_of_majority(first: int, second: int) -> float:
    """Return P(p > 1/2) for p ~ Beta(first + 1, second + 1): a sum of binomial terms, as both are whole numbers."""
    trials = first + second + 1
    return float(sum(comb(trials, i) for i in range(first + 1)) / 2**trials)


if __name__ == "__main__":
    main("risk", rows)
