"""The accuracy of learned weights on new questions, with the best model, Algorithm 1 and one vote for comparison.

    python -m bench.learned RECORDING [--models A ... | --without A ...] [--triples 25] [--splits 4] [--validation 60]
                                      [--by-question]

Random pools of three and of five models. Each split draws new validation questions, which give the best single model,
the rank and the weights; all figures are for the other questions, as the mean over pools and splits. --by-question adds
the rule whose weights depend on the question; it needs the recorded texts and the extra `learned`.
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

__all__ = ["SIZES", "Outcome", "Task", "outcomes", "pools", "share_below_single", "split", "table", "task_of"]

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
    """One pool on one split: the share right of each way on the test questions, and calibration errors.

    Attributes:
        single: The model that is best on validation questions, by self-consistency.
        mux: Algorithm 1, with the rank of the validation questions.
        pooled: One vote of all samples, with ties broken by that rank.
        learned: The learned rule; Algorithm 1 if there were too few questions to learn from.
        by_question: The rule by question, likewise; `None` without vectors.
        oracle: Any model's vote is right.
        raw: Calibration errors (expected, Brier) of Algorithm 1's confidence.
        said: Calibration errors of the learned rule's probability.
        said_by_question: Calibration errors of the rule by question.
        seconds: The seconds of learning; `None` if there were too few questions.
        seconds_by_question: The seconds of learning by question.
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
    """Return the arrays of some members."""
    indices, votes = list(members), arrays.votes
    return replace(
        arrays,
        models=tuple(arrays.models[m] for m in indices),
        codes=arrays.codes[indices],
        right=arrays.right[indices],
        of=arrays.of[indices],
        votes=Votes(votes.count[indices], votes.right[indices], votes.of[indices]),
        tokens=None,
        tokens_alone=None,
    )


def pools(models: int, size: int, most: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Return random pools of a size, or all of them if there are at most `most`."""
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
    vectors: Vectors | None = None,
) -> Outcome:
    """Return the accuracy and calibration of each way to answer on the test questions."""
    votes, test_votes = arrays.votes, arrays.votes.at(test)
    rank = in_rank_order(range(len(arrays.models)), votes.right[:, validation].mean(axis=1))
    mux = test_votes.decided_right(rank)
    confidence = (test_votes.count / test_votes.of[:, None]).max(axis=0)
    together, _ = evaluate(arrays, pooled({arrays.models[m]: int(arrays.of[m]) for m in rank}), test)

    def calibration_errors(probability: NDArray[Any], right: NDArray[Any]) -> tuple[float, float]:
        return expected_calibration_error(probability, right), brier(probability, right)

    start_time = time.perf_counter()
    rule = fit(arrays, validation)
    seconds = time.perf_counter() - start_time
    right, probability = (mux, confidence) if rule is None else evaluate(arrays, rule, test)
    near = near_probability = seconds_near = None
    if vectors is not None:
        start_time = time.perf_counter()
        by_question = fit_by_question(arrays, vectors, validation)
        seconds_near = time.perf_counter() - start_time
        near, near_probability = mux, confidence
        if by_question is not None:
            near, near_probability = evaluate_by_question(arrays, vectors, by_question, test)
    return Outcome(
        single=float(test_votes.right[rank[0]].mean()),
        mux=float(mux.mean()),
        pooled=float(together.mean()),
        learned=float(right.mean()),
        by_question=None if near is None else float(near.mean()),
        oracle=float(test_votes.right.any(axis=0).mean()),
        raw=calibration_errors(confidence, mux),
        said=calibration_errors(probability, right),
        said_by_question=None
        if near is None or near_probability is None
        else calibration_errors(near_probability, near),
        seconds=None if rule is None else seconds,
        seconds_by_question=None if rule is None else seconds_near,
    )


def outcomes(
    arrays: Arrays, size: int, most: int, splits: int, validation: int, *, vectors: Vectors | None = None
) -> list[list[Outcome]]:
    """Return an outcome for each pool and split."""
    halves = list(split(len(arrays.questions), validation, splits))
    pool_arrays = [part(arrays, members) for members in pools(len(arrays.models), size, most)]
    return [[outcome(pool, *half, vectors=vectors) for half in halves] for pool in pool_arrays]


def share_below_single(outcomes_by_pool: Sequence[Sequence[Outcome]], name: str) -> float:
    """Return the share of pools whose mean over splits is more than half a point below the single model's."""
    return fmean(fmean(getattr(o, name) - o.single for o in pool) < -FALL for pool in outcomes_by_pool)


def table(size: int, outcomes_by_pool: Sequence[Sequence[Outcome]]) -> Table:
    """Return a table for the pools of one size, with calibration errors for ways that give a probability."""
    every = [o for pool in outcomes_by_pool for o in pool]
    durations = [
        f"{name} in {1e3 * median(seconds):.0f} ms"
        for name, of in (("learned", "seconds"), ("by question", "seconds_by_question"))
        if (seconds := [getattr(o, of) for o in every if getattr(o, of) is not None])
    ]
    output = Table(
        title=f"{size} models; pools: {len(outcomes_by_pool)}, splits of each: {len(outcomes_by_pool[0])}",
        caption="below: pools more than half a point below the best single model. gap: the way from Algorithm 1 to "
        "the oracle. ECE: expected calibration error. "
        f"A rule was learned {sum(o.seconds is not None for o in every)} of {len(every)} times"
        f"{': ' if durations else ''}{', '.join(durations)}{' (median)' if durations else ''}.",
    )
    mux, oracle = (fmean(getattr(o, name) for o in every) for name in ("mux", "oracle"))
    for column in ("", "right, %", "below, %", "gap, %", "ECE", "Brier score"):
        output.add_column(column, justify="right" if column else "left")
    for way, name in WAYS.items():
        if getattr(every[0], name) is None:
            continue
        right = fmean(getattr(o, name) for o in every)
        field = {"mux": "raw", "learned": "said", "by_question": "said_by_question"}.get(name)
        errors = [f"{fmean(getattr(o, field)[i] for o in every):.3f}" for i in (0, 1)] if field else ["", ""]
        output.add_row(
            way,
            f"{100 * right:.1f}",
            "" if name in {"single", "oracle"} else f"{100 * share_below_single(outcomes_by_pool, name):.0f}",
            f"{100 * (right - mux) / (oracle - mux):.0f}" if oracle > mux else "",
            *errors,
        )
    return output


@dataclass(frozen=True, slots=True)
class Task:
    """What a command line asks for.

    Attributes:
        arrays: The samples.
        triples: The most pools of each size.
        splits: The splits of each pool.
        validation: The validation questions of each split.
        vectors: The questions' vectors; `None` without the rule by question.
    """

    arrays: Arrays
    triples: int
    splits: int
    validation: int
    vectors: Vectors | None


def task_of(description: str | None) -> Task:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--models", nargs="+", help="the models; by default all")
    parser.add_argument("--without", nargs="+", default=[], help="models to leave out")
    parser.add_argument("--triples", type=int, default=25, help="the largest number of pools of each size")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--validation", type=int, default=60, help="the number of validation questions")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="k")
    parser.add_argument("--by-question", action="store_true", help="add the rule whose weights depend on the question")
    args = parser.parse_args()
    recording = Recording.load(args.recording)
    models = [model for model in args.models or recording.models if model not in args.without]
    arrays = arrays_of(recording, models, args.samples)
    test_questions = len(arrays.questions) - args.validation
    if test_questions < 1:
        parser.error(f"--validation {args.validation} leaves no test questions of {len(arrays.questions)}")
    vectors = None
    if args.by_question:
        texts = {row.question_id: row.question for row in recording.rows if row.question is not None}
        if missing_ids := [question for question in arrays.questions if question not in texts]:
            parser.error(
                f"--by-question compares texts, and {len(missing_ids)} questions have none, first {missing_ids[0]!r}"
            )
        vectors = vectors_of([texts[question] for question in arrays.questions])
    print(f"{len(models)} models, k = {args.samples}, {args.validation} validation and {test_questions} test questions")
    return Task(arrays, args.triples, args.splits, args.validation, vectors)


def main() -> None:
    """Print the figures of a recording."""
    task = task_of(__doc__)
    for size in sorted({min(size, len(task.arrays.models)) for size in SIZES}):
        outcomes_by_pool = outcomes(task.arrays, size, task.triples, task.splits, task.validation, vectors=task.vectors)
        Console().print(table(size, outcomes_by_pool))


if __name__ == "__main__":
    main()
