"""The cost of the exact search for complementary models: pools by sizes, the best of a few runs.

python -m bench.search
"""

import itertools
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from slmmux.selection._search import search

Pool = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def random(models: int, questions: int, share: float) -> Pool:
    """Return models that are right on a share of the questions and confidently wrong on a fifth, all independent."""
    rng = np.random.default_rng(0)
    right = rng.random((models, questions)) < share
    return right, ~right & (rng.random(right.shape) < 0.2 / (1 - share))


def clones(models: int, questions: int) -> Pool:
    """Return one model many times."""
    right, wrong = random(1, questions, 0.5)
    return np.repeat(right, models, axis=0), np.repeat(wrong, models, axis=0)


def tied(models: int, questions: int) -> Pool:
    """Return models of which each is right on questions that all others get wrong."""
    right = np.arange(questions) * models // questions == np.arange(models)[:, None]
    return right, np.zeros_like(right)


def alike(models: int, questions: int, *, right: bool) -> Pool:
    """Return models that are right on all questions, or on none."""
    all_right = np.full((models, questions), right)
    return all_right, ~all_right


def dominant(models: int, questions: int) -> Pool:
    """Return random models among which one is right on nine questions of ten."""
    right, wrong = random(models, questions, 0.3)
    right[models // 2], wrong[models // 2] = (row[0] for row in random(1, questions, 0.79))
    return right, wrong


def score_all(right: NDArray[np.bool_], wrong: NDArray[np.bool_], sizes: tuple[int, ...]) -> None:
    """Score every subset with Python sets."""
    rights = [set(np.flatnonzero(row).tolist()) for row in right]
    wrongs = [set(np.flatnonzero(row).tolist()) for row in wrong]
    for size in sizes:
        rows = []
        for members in itertools.combinations(range(len(rights)), size):
            some_right = set().union(*(rights[i] for i in members))
            contradiction = len(some_right & set().union(*(wrongs[i] for i in members)))
            rows.append((Fraction(contradiction) - len(some_right), -len(some_right), members))
        rows.sort()


def quickest(run: Callable[[], object], times: int) -> float:
    """Return the seconds of the quickest of several runs."""
    durations = []
    for _ in range(times):
        start_time = time.perf_counter()
        run()
        durations.append(time.perf_counter() - start_time)
    return min(durations)


def main() -> None:
    """Print the table."""
    few, five = (2, 3, 4, 5), (5,)
    cases: list[tuple[str, Pool, tuple[int, ...], int]] = [
        ("random, right on 30 %", random(10, 500, 0.3), few, 100),
        ("random, right on 60 %", random(10, 500, 0.6), few, 100),
        ("random, right on 60 %", random(30, 5000, 0.6), few, 3),
        ("random, right on 30 %", random(100, 500, 0.3), five, 2),
        ("random, right on 60 %", random(100, 500, 0.6), five, 2),
        ("one dominant", dominant(100, 500), five, 2),
        ("clones", clones(100, 500), five, 2),
        ("all tied", tied(100, 500), five, 2),
        ("all right", alike(100, 500, right=True), five, 2),
        ("nothing right", alike(100, 500, right=False), five, 2),
    ]
    table = Table("pool", "models x questions", "sizes", "subsets", "milliseconds", "plain Python / this")
    for name, (right, wrong), sizes, times in cases:
        names = [f"{i:03}" for i in range(len(right))]
        subsets = sum(search(right, wrong, size, names=names, time_limit=0.0).subsets for size in sizes)

        def run(right: NDArray[np.bool_] = right, wrong: NDArray[np.bool_] = wrong) -> None:
            for size in sizes:  # noqa: B023 - run at once
                search(right, wrong, size, names=names)  # noqa: B023

        seconds = quickest(run, times)
        ratio = f"{quickest(lambda: score_all(right, wrong, sizes), 5) / seconds:,.0f}" if len(right) <= 10 else ""  # noqa: B023, PLR2004
        shape = f"{right.shape[0]} x {right.shape[1]:,}"
        table.add_row(name, shape, ", ".join(map(str, sizes)), f"{subsets:,}", f"{seconds * 1e3:,.1f}", ratio)
    Console().print(table)


if __name__ == "__main__":
    main()
