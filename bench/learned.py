"""Learned weights on questions that they were not learned on, beside the best model, Algorithm 1 and one vote of all.

    python -m bench.learned RECORDING [--models A ... | --without A ...] [--triples 25] [--splits 4] [--validation 60]
                                      [--by-question]

Random pools of three and of five models. Each split draws other validation questions, which choose the single model,
the rank and the weights; every figure is measured on the remaining questions, as the mean over pools and splits.
--by-question adds the rule whose weights follow the question, by the texts recorded, and takes the extra `learned`.
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
    """One pool on one split: shares right on the test questions, and calibration errors there.

    Attributes:
        single: The model that is best on validation, with self-consistency.
        mux: Algorithm 1, ranked on validation.
        pooled: One vote of all samples, ties by that rank.
        learned: The learned rule; Algorithm 1 if nothing could be learned.
        by_question: The rule by question, likewise; `None` without vectors.
        oracle: The share of questions on which some model's vote is right.
        raw: Calibration errors (expected, Brier) of Algorithm 1's confidence.
        said: The same of the learned rule's probability.
        said_by_question: The same of the rule by question.
        seconds: The time that learning took; `None` if nothing could be learned.
        seconds_by_question: The time that learning by question took.
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
    rows, votes = list(members), arrays.votes
    return replace(
        arrays,
        models=tuple(arrays.models[m] for m in rows),
        codes=arrays.codes[rows],
        right=arrays.right[rows],
        of=arrays.of[rows],
        votes=Votes(votes.count[rows], votes.right[rows], votes.of[rows]),
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
        order = rng.permutation(questions)
        yield order[:validation], order[validation:]


def outcome(
    arrays: Arrays,
    validation: NDArray[np.int64],
    test: NDArray[np.int64],
    ridge: float | None = None,
    vectors: Vectors | None = None,
) -> Outcome:
    """Return the shares and errors of each way of answering on the test questions."""
    votes, tested = arrays.votes, arrays.votes.at(test)
    rank = in_rank_order(range(len(arrays.models)), votes.right[:, validation].mean(axis=1))
    mux = tested.decided_right(rank)
    confidence = (tested.count / tested.of[:, None]).max(axis=0)
    together, _ = evaluate(arrays, pooled({arrays.models[m]: int(arrays.of[m]) for m in rank}), test)

    def off(probability: NDArray[Any], right: NDArray[Any]) -> tuple[float, float]:
        return expected_calibration_error(probability, right), brier(probability, right)

    start = time.perf_counter()
    rule = fit(arrays, validation, ridge)
    seconds = time.perf_counter() - start
    right, probability = (mux, confidence) if rule is None else evaluate(arrays, rule, test)
    near = near_probability = seconds_near = None
    if vectors is not None:
        start = time.perf_counter()
        by_question = fit_by_question(arrays, vectors, validation, ridge)
        seconds_near = time.perf_counter() - start
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
    """Return the outcomes by pool and split."""
    halves = list(split(len(arrays.questions), validation, splits))
    muxes = [part(arrays, members) for members in pools(len(arrays.models), size, most)]
    return [[outcome(pool, *half, vectors=vectors) for half in halves] for pool in muxes]


def fell(results: Sequence[Sequence[Outcome]], name: str) -> float:
    """Return the share of pools whose mean over splits is more than half a point below the single model's."""
    return fmean(fmean(getattr(o, name) - o.single for o in pool) < -FALL for pool in results)


def table(size: int, results: Sequence[Sequence[Outcome]]) -> Table:
    """Return the figures of pools of one size."""
    every = [o for pool in results for o in pool]
    times = [
        f"{name} in {1e3 * median(seconds):.0f} ms"
        for name, of in (("learned", "seconds"), ("by question", "seconds_by_question"))
        if (seconds := [getattr(o, of) for o in every if getattr(o, of) is not None])
    ]
    figures = Table(
        title=f"{size} models; pools: {len(results)}, splits of each: {len(results[0])}",
        caption="fell: pools more than half a point below the best single. gap: the way from Algorithm 1 to "
        "the oracle, in %. ECE: expected calibration error. "
        f"Something was learned {sum(o.seconds is not None for o in every)} of {len(every)} times"
        f"{': ' if times else ''}{', '.join(times)}{' (median)' if times else ''}.",
    )
    mux, oracle = (fmean(getattr(o, name) for o in every) for name in ("mux", "oracle"))
    for column in ("", "right, %", "fell, %", "gap, %", "ECE", "Brier score"):
        figures.add_column(column, justify="right" if column else "left")
    for way, name in WAYS.items():
        if getattr(every[0], name) is None:
            continue
        right = fmean(getattr(o, name) for o in every)
        field = {"mux": "raw", "learned": "said", "by_question": "said_by_question"}.get(name)
        errors = [f"{fmean(getattr(o, field)[i] for o in every):.3f}" for i in (0, 1)] if field else ["", ""]
        below = "" if name in {"single", "oracle"} else f"{100 * fell(results, name):.0f}"
        gap = f"{100 * (right - mux) / (oracle - mux):.0f}" if oracle > mux else ""
        figures.add_row(way, f"{100 * right:.1f}", below, gap, *errors)
    return figures


def main() -> None:
    """Print the figures of a recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--models", nargs="+", help="the models; all without it")
    parser.add_argument("--without", nargs="+", default=[], help="models to leave out")
    parser.add_argument("--triples", type=int, default=25, help="the most pools of each size")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--validation", type=int, default=60, help="questions")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="k")
    parser.add_argument("--by-question", action="store_true", help="measure the rule by question, too")
    options = parser.parse_args()
    recording = Recording.load(options.recording)
    models = [model for model in options.models or recording.models if model not in options.without]
    arrays = arrays_of(recording, models, options.samples)
    tested = len(arrays.questions) - options.validation
    if tested < 1:
        parser.error(f"--validation {options.validation} leaves none of {len(arrays.questions)} questions to test on")
    vectors = None
    if options.by_question:
        texts = {row.question_id: row.question for row in recording.rows if row.question is not None}
        if lacking := [question for question in arrays.questions if question not in texts]:
            parser.error(f"--by-question compares texts, and {len(lacking)} questions have none, first {lacking[0]!r}")
        vectors = vectors_of([texts[question] for question in arrays.questions])
    print(f"{len(models)} models, k = {options.samples}, {options.validation} validation and {tested} test questions")
    for size in sorted({min(size, len(models)) for size in SIZES}):
        results = outcomes(arrays, size, options.triples, options.splits, options.validation, vectors=vectors)
        Console().print(table(size, results))


if __name__ == "__main__":
    main()
