"""Whether a selection's promises come true: on simulated pools of known truth, or on the rest of a recording.

    python -m bench.promises [--runs 200]
    python -m bench.promises RECORDING [--without A ...] [--pools 20] [--splits 1] [--models 5] [--validation 150]
                                       [--rule learned] [--resamples 50]

Without a recording the pools are simulated, and the truth about each is known. With one they are random pools of a few
models, each chosen on some of the questions, in one or several splits: the interval of its gain, its verdict and its
thresholds stand against the outcome on the other questions. Those are few as well: "allowing for noise" widens the
interval by the standard error of their own gain.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import sqrt
from pathlib import Path
from statistics import fmean

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.learned import part, pools
from bench.simulated import BUDGET, KINDS, SHAPES, WORTH, Outcome, broken_promises, outcomes, told
from slmmux import ArgumentError, Recording
from slmmux.learned import evaluate, fit
from slmmux.recording._arrays import Arrays, Bools, Floats, Ints, arrays_of
from slmmux.selection._contest import Foretold, Rule, contest, learners
from slmmux.selection._held_out import HeldOut, in_rank_order
from slmmux.selection._pool import PoolFigures
from slmmux.selection._selection import Subset
from slmmux.selection._threshold import threshold
from slmmux.selection._verdict import verdict_of

__all__ = ["Check", "checks", "simulated_intervals", "simulated_thresholds", "table"]

TARGETS = (0.6, 0.7, 0.8, 0.9)
CONFIDENCES = (0.8, 0.9)


@dataclass(frozen=True, slots=True)
class Check:
    """One pool, chosen on one part and checked on the other.

    Attributes:
        estimate: The held-out figures.
        gain: The gain on the fresh questions.
        error: Its standard error.
        recommendation: The verdict.
        kept: By confidence, for each target that a threshold promised to keep, whether it did; allowing for noise
            beside it.
        within: By confidence, whether the budget was kept; allowing for noise beside it.
    """

    estimate: HeldOut
    gain: float
    error: float
    recommendation: str
    kept: Mapping[float, Sequence[tuple[bool, bool]]]
    within: Mapping[float, tuple[bool, bool]]


def checks(
    arrays: Arrays, models: int, most: int, *, splits: int = 1, validation: int, resamples: int, rule: Rule
) -> Iterator[Check]:
    """Yield a check for each pool of some models, each split of the questions, and each size of two and three."""
    rng = np.random.default_rng(0)
    for _, members in product(range(splits), pools(len(arrays.models), models, most)):
        pool = part(arrays, members)
        order = rng.permutation(len(arrays.questions))
        train, fresh = np.sort(order[:validation]), np.sort(order[validation:])
        for size in sorted({2, min(3, models)}):
            yield _check(pool, size, _on(pool, train), fresh=fresh, resamples=resamples, rule=rule)


def _check(pool: Arrays, size: int, own: Arrays, *, fresh: Ints, resamples: int, rule: Rule) -> Check:
    votes = own.votes
    choose = PoolFigures(own, votes.unanimous & votes.right, 1.0, 1, 60.0).chooser(size, 1)[0]
    rank = in_rank_order(choose(np.arange(len(own.questions))), votes.right.mean(axis=1))
    result = contest(own, rule, learners(rule, list), rank, choose, folds=5, repeats=4, seed=0, n_resamples=resamples)
    assert result.estimates is not None
    estimate = result.estimates[result.rule]
    mux = part(pool, rank)
    chosen = fit(part(own, rank)) if result.rule == "learned" else None
    if chosen is None:
        right, probability = pool.votes.at(fresh).decided_right(rank), None
    else:
        right, probability = evaluate(mux, chosen, fresh)
    alone = pool.votes.right[int(votes.right.mean(axis=1).argmax()), fresh]
    difference = right.astype(float) - alone
    figures = dict.fromkeys(("objective", "union", "contradiction", "floor", "ceiling", "accuracy"), 0.0)
    subset = Subset(models=mux.models, samples={}, held_out=estimate, **figures)
    verdict = verdict_of(
        subset, {size: subset} if size > 1 else {2: subset}, subset, rule, questions=len(own.questions), worth=WORTH
    )
    kept: dict[float, list[tuple[bool, bool]]] = {}
    within: dict[float, tuple[bool, bool]] = {}
    if result.foretold is not None and probability is not None:
        for confidence in CONFIDENCES:
            kept[confidence] = [*_targets(result.foretold, confidence, right, probability)]
            within[confidence] = _budget(result.foretold, confidence, probability)
    error = float(difference.std(ddof=1) / sqrt(difference.size))
    return Check(estimate, float(difference.mean()), error, verdict.recommendation, kept, within)


def _targets(foretold: Foretold, confidence: float, right: Bools, probability: Floats) -> Iterator[tuple[bool, bool]]:
    for target in TARGETS:
        try:
            p = threshold(foretold.probability, foretold.right, target_accuracy=target, confidence=confidence).p
        except ArgumentError:  # it is kept from no probability on
            continue
        answered = right[probability >= p]
        if answered.size:
            noise = sqrt(target * (1 - target) / answered.size)
            yield bool(answered.mean() >= target), bool(answered.mean() >= target - 1.645 * noise)


def _budget(foretold: Foretold, confidence: float, probability: Floats) -> tuple[bool, bool]:
    promise = threshold(
        foretold.probability, foretold.right, budget=BUDGET, confidence=confidence, served=foretold.served
    )
    given_up = float((probability < promise.p).mean())
    noise = sqrt(BUDGET * (1 - BUDGET) / probability.size)
    return given_up <= BUDGET, given_up <= BUDGET + 1.645 * noise


def _on(arrays: Arrays, questions: Ints) -> Arrays:
    """Return the samples on some questions."""
    return replace(
        arrays,
        questions=tuple(arrays.questions[q] for q in questions),
        codes=arrays.codes[:, questions],
        right=arrays.right[:, questions],
        votes=arrays.votes.at(questions),
        answers=tuple(arrays.answers[q] for q in questions),
    )


def table(results: list[Check]) -> Table:
    """Return how often each promise was kept."""
    intervals = [check.estimate.interval or (0.0, 0.0) for check in results]
    half = [(high - low) / 2 for low, high in intervals]
    middle = [(high + low) / 2 for low, high in intervals]
    figures = Table("promise", "kept, %", "allowing for noise, %", "of")
    raw = [low <= check.gain <= high for check, (low, high) in zip(results, intervals, strict=True)]
    allowing = [
        abs(check.gain - m) <= sqrt(h * h + (1.96 * check.error) ** 2)
        for check, m, h in zip(results, middle, half, strict=True)
    ]
    figures.add_row("95 % interval of the gain", _percent(raw), _percent(allowing), str(len(results)))
    figures.add_row("intervals without width", str(sum(h == 0 for h in half)), "", str(len(results)))
    figures.add_row("mean half-width, points", f"{100 * fmean(half):.1f}", "", "")
    for recommendation, is_right in (
        ("mux", lambda check, slack: check.gain > -slack),
        ("do not mux", lambda check, slack: check.gain < WORTH + slack),
    ):
        these = [check for check in results if check.recommendation == recommendation]
        figures.add_row(
            f'verdict "{recommendation}"',
            _percent([is_right(check, 0.0) for check in these]),
            _percent([is_right(check, 1.645 * check.error) for check in these]),
            str(len(these)),
        )
    unsure = sum(check.recommendation == "cannot tell yet" for check in results)
    figures.add_row('verdict "cannot tell yet"', "", "", str(unsure))
    for confidence in CONFIDENCES:
        kept = [pair for check in results for pair in check.kept.get(confidence, ())]
        within = [check.within[confidence] for check in results if confidence in check.within]
        for name, pairs in (("target accuracy", kept), (f"budget {BUDGET:g}", within)):
            if pairs:
                label = f"{name} at {100 * confidence:g} %"
                figures.add_row(
                    label, _percent([a for a, _ in pairs]), _percent([b for _, b in pairs]), str(len(pairs))
                )
    return figures


def _percent(kept: Sequence[bool]) -> str:
    return f"{100 * fmean(kept):.0f}" if kept else "-"


def simulated_intervals(runs: int) -> Table:
    """Return how often the interval holds the true gain, and how often each verdict is given and wrong."""
    figures = Table("pool", "questions", "95 % interval holds, %", "half-width, points", "mux", "do not mux",
                    "cannot tell yet", "wrong verdicts", "of", "told with as many more, %", "of")  # fmt: skip
    for kind in KINDS:
        for questions in (40, 100, 300):
            every = list(outcomes(kind, questions, runs, repeats=20, n_resamples=50))
            with_more, those = told(kind, questions, runs // 4, repeats=5, n_resamples=20)
            share = f"{100 * with_more / those:.0f}" if those else "-"
            figures.add_row(kind, str(questions), *_cells(every), share, str(those))
    return figures


def _cells(every: Sequence[Outcome]) -> Iterator[str]:
    yield _percent([each.is_covered for each in every])
    yield f"{50 * fmean((each.estimate.high or 0) - (each.estimate.low or 0) for each in every):.1f}"
    for recommendation in ("mux", "do not mux", "cannot tell yet"):
        yield str(sum(each.recommendation == recommendation for each in every))
    yield str(sum(each.is_wrong for each in every))
    yield str(len(every))


def simulated_thresholds(runs: int) -> Table:
    """Return how often thresholds at each confidence break their promise."""
    figures = Table("confidence", "chance of being right", "questions", "target", "promised", "broken", "of")
    for confidence in CONFIDENCES:
        for shape in SHAPES:
            for questions in (60, 150, 400):
                broken_of = broken_promises(questions, shape, runs, confidence=confidence)
                for name, (broken, promised) in broken_of.items():
                    cells = (f"{confidence:g}", f"beta{shape}", str(questions), name)
                    figures.add_row(*cells, str(promised), str(broken), str(runs))
    return figures


def main() -> None:
    """Print the tables of simulated pools, or the table of a recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, nargs="?", help="a recording; without one, pools are simulated")
    parser.add_argument("--runs", type=int, default=200, help="simulated selections of each kind")
    parser.add_argument("--without", nargs="+", default=[], help="models to leave out")
    parser.add_argument("--models", type=int, default=5, help="models of a pool")
    parser.add_argument("--pools", type=int, default=20, help="the most pools")
    parser.add_argument("--splits", type=int, default=1, help="splits of the questions for each pool")
    parser.add_argument("--validation", type=int, default=150, help="questions to choose on")
    parser.add_argument("--samples", type=int, default=5, help="k")
    parser.add_argument("--resamples", type=int, default=50)
    parser.add_argument("--rule", choices=("self-consistency", "learned"), default="learned")
    options = parser.parse_args()
    if options.recording is None:
        Console().print(simulated_intervals(options.runs))
        Console().print(simulated_thresholds(options.runs))
        return
    recording = Recording.load(options.recording)
    arrays = arrays_of(recording, [m for m in recording.models if m not in options.without], options.samples)
    models = min(options.models, len(arrays.models))
    results = list(
        checks(
            arrays,
            models,
            options.pools,
            splits=options.splits,
            validation=options.validation,
            resamples=options.resamples,
            rule=options.rule,
        )
    )
    Console().print(table(results))


if __name__ == "__main__":
    main()
