"""What learned weights bring on questions not learned on, beside the best model, Algorithm 1 and one vote of all.

    python -m bench.learned RECORDING [--models A ... | --without A ...] [--triples 25] [--splits 4] [--validation 60]
                                      [--by-question]

Random pools of three and of five models. Each split draws validation questions anew: they choose the single model, the
rank and the weights; every figure is of the other questions, the mean over pools and splits. --by-question adds the
rule whose weights follow the question, by the texts recorded, and takes the extra `learned`.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from slmmux import Recording
from slmmux._decision.rules import pooled
from slmmux.by_question import Vectors, evaluate_by_question, fit_by_question, vectors_of
from slmmux.learned import brier, evaluate, expected_calibration_error, fit
from slmmux.recording._arrays import Arrays, Votes, arrays_of
from slmmux.selection._held_out import in_rank_order

__all__ = ["Outcome", "fell", "outcomes", "pools", "split", "table"]

SAMPLES = 5
SIZES = (3, 5)
FALL = 0.005  # half a point
WAYS = {
    "best single": "single",
    "Algorithm 1": "mux",
    "one vote of all": "pooled",
    "learned": "learned",
    "learned by question": "by_question",
    "some vote right (oracle)": "oracle",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One pool on one split: shares right on the test questions, and how far what was said of them is off.

    Attributes:
        single: The model that is best on validation, with self-consistency.
        mux: Algorithm 1, ranked on validation.
        pooled: One vote of all samples, ties by that rank.
        learned: The learned rule; Algorithm 1 where nothing could be learned.
        by_question: The one by question, likewise; `None` without vectors.
        oracle: Some model's vote is right.
        raw: Calibration errors (expected, Brier) of Algorithm 1's confidence.
        said: Those of the learned rule's probability.
        said_by_question: Those of the one by question.
        seconds: What learning took; `None` where nothing could be learned.
        seconds_by_question: What learning by question took.
    """

    single: float
    mux: float
    pooled: float
    learned: float
    by_question: float | None
    oracle: float
    raw: tuple[float, float]
    said: tuple[float, float]
    said_by_question: tuple[float, float] | None
    seconds: float | None
    seconds_by_question: float | None


def part(arrays: Arrays, members: Sequence[int]) -> Arrays:
    """Return some members' samples."""
    chosen, votes = list(members), arrays.votes
    return replace(
        arrays,
        models=tuple(arrays.models[m] for m in chosen),
        codes=arrays.codes[chosen],
        right=arrays.right[chosen],
        of=arrays.of[chosen],
        votes=Votes(votes.count[chosen], votes.right[chosen], votes.of[chosen]),
        tokens=None,
        tokens_alone=None,
    )


def pools(models: int, size: int, most: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Return random pools of a size, or every one where there are no more."""
    if comb(models, size) <= most:
        return list(combinations(range(models), size))
    rng = random.Random(seed)
    return [tuple(sorted(rng.sample(range(models), size))) for _ in range(most)]


def split(
    questions: int, validation: int, splits: int, seed: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the places of validation and test questions."""
    rng = np.random.default_rng(seed)
    for _ in range(splits):
        drawn = rng.permutation(questions)
        yield drawn[:validation], drawn[validation:]


def outcome(
    arrays: Arrays,
    validation: NDArray[np.int64],
    test: NDArray[np.int64],
    ridge: float = 2.0,
    vectors: Vectors | None = None,
) -> Outcome:
    """Return what each way of answering brings on the test questions."""
    votes, tested = arrays.votes, arrays.votes.at(test)
    rank = in_rank_order(range(len(arrays.models)), votes.right[:, validation].mean(axis=1))
    mux = tested.decided_right(rank)
    confidence = (tested.count / tested.of[:, None]).max(axis=0)
    together, _ = evaluate(arrays, pooled({arrays.models[m]: int(arrays.of[m]) for m in rank}), test)

    def off(probability: NDArray[Any], right: NDArray[Any]) -> tuple[float, float]:
        return expected_calibration_error(probability, right), brier(probability, right)

    begun = time.perf_counter()
    rule = fit(arrays, validation, ridge)
    seconds = time.perf_counter() - begun
    right, probability = (mux, confidence) if rule is None else evaluate(arrays, rule, test)
    near = near_probability = seconds_near = None
    if vectors is not None:
        begun = time.perf_counter()
        by_question = fit_by_question(arrays, vectors, validation, ridge)
        seconds_near = time.perf_counter() - begun
        near, near_probability = mux, confidence
        if by_question is not None:
            near, near_probability = evaluate_by_question(arrays, vectors, by_question, test)
    return Outcome(
        single=float(tested.right[rank[0]].mean()),
        mux=float(mux.mean()),
        pooled=float(together.mean()),
        learned=float(right.mean()),
        by_question=None if near is None else float(near.mean()),
        oracle=float(tested.right.any(axis=0).mean()),
        raw=off(confidence, mux),
        said=off(probability, right),
        said_by_question=None if near is None or near_probability is None else off(near_probability, near),
        seconds=None if rule is None else seconds,
        seconds_by_question=None if rule is None else seconds_near,
    )


def outcomes(
    arrays: Arrays, size: int, most: int, splits: int, validation: int, *, vectors: Vectors | None = None
) -> list[list[Outcome]]:
    """Return what came out by pool and split."""
    halves = list(split(len(arrays.questions), validation, splits))
    drawn = [part(arrays, members) for members in pools(len(arrays.models), size, most)]
    return [[outcome(pool, *half, vectors=vectors) for half in halves] for pool in drawn]


def fell(found: Sequence[Sequence[Outcome]], name: str) -> float:
    """Return the share of pools whose mean over splits is more than half a point below the single model's."""
    return fmean(fmean(getattr(o, name) - o.single for o in pool) < -FALL for pool in found)


def table(size: int, found: Sequence[Sequence[Outcome]]) -> Table:
    """Return the figures of pools of one size: what an answer's confidence or probability says stands beside it."""
    every = [o for pool in found for o in pool]
    took = [
        f"{name} in {1e3 * median(seconds):.0f} ms"
        for name, of in (("learned", "seconds"), ("by question", "seconds_by_question"))
        if (seconds := [getattr(o, of) for o in every if getattr(o, of) is not None])
    ]
    shown = Table(
        title=f"{size} models; pools: {len(found)}, splits of each: {len(found[0])}",
        caption="fell: pools more than half a point below the best single. ECE: expected calibration error. "
        f"Something was learned {sum(o.seconds is not None for o in every)} of {len(every)} times"
        f"{': ' if took else ''}{', '.join(took)}{' (median)' if took else ''}.",
    )
    for column in ("", "right, %", "fell, %", "ECE", "Brier score"):
        shown.add_column(column, justify="right" if column else "left")
    for way, name in WAYS.items():
        if getattr(every[0], name) is None:
            continue
        right = f"{100 * fmean(getattr(o, name) for o in every):.1f}"
        said = {"mux": "raw", "learned": "said", "by_question": "said_by_question"}.get(name)
        errors = [f"{fmean(getattr(o, said)[i] for o in every):.3f}" for i in (0, 1)] if said else ["", ""]
        shown.add_row(way, right, "" if name in {"single", "oracle"} else f"{100 * fell(found, name):.0f}", *errors)
    return shown


def main() -> None:
    """Print the figures of a recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--models", nargs="+", help="which; all, where none is named")
    parser.add_argument("--without", nargs="+", default=[], help="which to leave out")
    parser.add_argument("--triples", type=int, default=25, help="pools of each size, at most")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--validation", type=int, default=60, help="questions")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="k")
    parser.add_argument("--by-question", action="store_true", help="the rule whose weights follow the question, too")
    given = parser.parse_args()
    recording = Recording.load(given.recording)
    models = [model for model in given.models or recording.models if model not in given.without]
    arrays = arrays_of(recording, models, given.samples)
    tested = len(arrays.questions) - given.validation
    if tested < 1:
        parser.error(f"--validation {given.validation} leaves none of {len(arrays.questions)} questions to test on")
    vectors = None
    if given.by_question:
        texts = {row.question_id: row.question for row in recording.rows if row.question is not None}
        if lacking := [question for question in arrays.questions if question not in texts]:
            parser.error(f"--by-question compares texts, and {len(lacking)} questions have none, first {lacking[0]!r}")
        vectors = vectors_of([texts[question] for question in arrays.questions])
    print(f"{len(models)} models, k = {given.samples}, {given.validation} validation and {tested} test questions")
    for size in sorted({min(size, len(models)) for size in SIZES}):
        found = outcomes(arrays, size, given.triples, given.splits, given.validation, vectors=vectors)
        Console().print(table(size, found))


if __name__ == "__main__":
    main()
