"""What each part of the learned rule is worth: the rule whole, without one part at a time, and without all of them.

    python -m bench.ablation RECORDING [--validation 150] [--by-question] [...]
    python -m bench.ablation

The options are those of `bench.learned`, and so are pools, splits and figures. Without a recording the pools are
simulated, of known truth: the gain over the single model that is best on the validation questions, on 1,500 others. A
part is taken away by putting what the rule had before in its place: a prior that always grows linearly with accuracy,
the twelve nearest questions, no weights of answers; without the guard a change is taken for any gain in log loss.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.learned import FALL, SIZES, Outcome, Task, outcomes, share_below_single, task_of
from bench.simulated import pool_of
from slmmux.learned import _kernel, _learning, evaluate, fit
from slmmux.learned._neighbours import nearest_advantage

__all__ = ["PARTS", "simulated", "table", "without"]

_FRESH = 1500  # simulated questions that stand for all there are
_SIMULATED = {  # variant -> the parts that it has not; simulated answers have no texts
    "whole": (),
    "without prior of log-odds": ("prior of log-odds",),
}


@dataclass(frozen=True)
class _Nearest:
    """The twelve nearest questions in the place of kernel ridge: it has the face of `KernelRidge`."""

    kernel: NDArray[np.float64]
    rights: NDArray[np.float64]
    penalty: float

    def __call__(self, among: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return [q, m] how much more reliable each member is near each question, which itself is left out."""
        return np.array([self._at(q, among) for q in range(len(self.kernel))])

    def coefficients(self, members: list[int]) -> NDArray[np.int64]:
        """Return no coefficients: such a rule goes by its nearest questions."""
        return np.zeros((0, len(members)), dtype=np.int64)

    @cached_property
    def _millionths(self) -> NDArray[np.float64]:
        return np.rint(self.rights * 10**6)

    def _at(self, q: int, among: NDArray[np.bool_]) -> NDArray[np.float64]:
        others = among.copy()
        others[q] = False
        return nearest_advantage(self.kernel[q : q + 1, others], self._millionths[others])[0]


PARTS: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "prior of log-odds": ((_learning, "_prior_by_odds", _learning.prior_weights),),
    "guard": ((_learning, "_GUARD", 0.0),),
    "weights of answers": ((_learning, "common_answers", lambda table: ()),),  # noqa: ARG005 - as the function it replaces
    "kernel ridge": ((_kernel, "KernelRidge", _Nearest), (_kernel, "PENALTIES", (1.0,))),
}
"""The parts: the names to replace, and what replaces them."""


@contextmanager
def without(*parts: str) -> Iterator[None]:
    """Take parts of the rule away while the block runs."""
    with ExitStack() as stack:
        for part in parts:
            for module, name, substitute in PARTS[part]:
                stack.enter_context(patch.object(module, name, substitute))
        yield


def table(task: Task, size: int) -> Table:
    """Return a table of the rule with and without its parts, on the pools of one size."""
    output = Table(title=f"{size} models, {task.validation} validation questions")
    for column in ("rule", "right, %", "below, %", "gap, %", "ECE", "Brier"):
        output.add_column(column, justify="left" if column == "rule" else "right")
    applicable = [part for part in PARTS if part != "kernel ridge" or task.vectors is not None]
    variants = {"whole": (), **{f"without {part}": (part,) for part in applicable}, "without all": tuple(applicable)}
    for variant, parts in variants.items():
        with without(*parts):
            pools = outcomes(task.arrays, size, task.triples, task.splits, task.validation, vectors=task.vectors)
        for name in ("learned", *(["by_question"] if task.vectors is not None else ())):
            if name == "learned" and parts == ("kernel ridge",):
                continue  # that rule has none
            output.add_row(f"{variant}{', by question' if name == 'by_question' else ''}", *_cells(pools, name))
    for name, label in (("single", "best single model"), ("mux", "Algorithm 1")):
        output.add_row(label, f"{100 * fmean(getattr(o, name) for pool in pools for o in pool):.2f}", "", "", "", "")
    return output


def simulated(kind: str, questions: int, runs: int) -> Iterator[tuple[str, float, float]]:
    """Yield each variant of the rule, its mean gain on simulated pools, and the share of pools that it is below in."""
    gains: dict[str, list[float]] = {}
    validation, test = np.arange(questions), np.arange(questions, questions + _FRESH)
    for run in range(runs):
        rng = np.random.default_rng([run, questions, 7])
        arrays = pool_of(kind, rng).arrays(rng, questions + _FRESH)
        single = arrays.votes.right[arrays.votes.right[:, validation].mean(axis=1).argmax(), test].mean()
        for variant, parts in _SIMULATED.items():
            with without(*parts):
                rule = fit(arrays, validation)
            right = single if rule is None else evaluate(arrays, rule, test)[0].mean()
            gains.setdefault(variant, []).append(float(right - single))
    for variant, each in gains.items():
        yield variant, fmean(each), fmean(gain < -FALL for gain in each)


def _simulated_table(runs: int) -> Table:
    output = Table(title=f"simulated pools of six members, {runs} of each kind")
    for column in ("pool", "questions", "rule", "gain, points", "below, %"):
        output.add_column(column)
    for kind in ("dominant", "similar"):
        for questions in (40, 100):
            for variant, gain, below in simulated(kind, questions, runs):
                output.add_row(kind, str(questions), variant, f"{100 * gain:+.2f}", f"{100 * below:.0f}")
    return output


def _cells(pools: Sequence[Sequence[Outcome]], name: str) -> Iterator[str]:
    every = [outcome for pool in pools for outcome in pool]
    right, mux, oracle = (fmean(getattr(o, field) for o in every) for field in (name, "mux", "oracle"))
    yield f"{100 * right:.2f}"
    yield f"{100 * share_below_single(pools, name):.0f}"
    yield f"{100 * (right - mux) / (oracle - mux):.0f}" if oracle > mux else ""
    field = {"learned": "said", "by_question": "said_by_question"}[name]
    for place in (0, 1):
        yield f"{fmean(getattr(o, field)[place] for o in every):.3f}"


def main() -> None:
    """Print the tables of a recording, or of simulated pools."""
    if len(sys.argv) == 1:
        Console().print(_simulated_table(25))
        return
    task = task_of(__doc__)
    for size in sorted({min(size, len(task.arrays.models)) for size in SIZES}):
        Console().print(table(task, size))


if __name__ == "__main__":
    main()
