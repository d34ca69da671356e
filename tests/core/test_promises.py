"""The promises of a selection, on simulated pools of known truth: coverage of the interval, and the verdicts."""

import os

import numpy as np
import pytest
from simulated import FRESH, KINDS, chooser, chosen, pool_of, true_gain

from slmmux.selection._held_out import held_out
from slmmux.selection._selection import Subset
from slmmux.selection._verdict import verdict_of

# The long form measures the coverage itself; the short one shows that nothing is grossly broken.
LONG = bool(os.environ.get("SLMMUX_TEST_LONG"))
RUNS = 200 if LONG else 12
WORTH = 0.01


def subset_of(arrays, rank, estimate):
    """Return the best subset of a selection, as far as a verdict looks at it."""
    models = tuple(arrays.models[m] for m in rank)
    figures = dict.fromkeys(("objective", "union", "contradiction", "floor", "ceiling", "accuracy"), 0.0)
    return Subset(models=models, samples={}, held_out=estimate, **figures)


def outcomes(kind, questions):
    """Yield the estimate of a run, the true gain of what is chosen in it, and the verdict's recommendation."""
    for run in range(RUNS):
        rng = np.random.default_rng([run, questions])
        pool = pool_of(kind, rng)
        arrays, fresh = pool.arrays(rng, questions), pool.arrays(rng, FRESH)
        size = 2 + run % 2
        rank, single = chosen(arrays, size)
        estimate = held_out(
            arrays.votes,
            chooser(arrays, size),
            size,
            folds=5,
            repeats=20 if LONG else 3,
            seed=run,
            n_resamples=100 if LONG else 20,
        )
        mux = subset_of(arrays, rank, estimate)
        alone = subset_of(arrays, [single], None)
        verdict = verdict_of(mux, {size: mux}, alone, "self-consistency", questions=questions, worth=WORTH)
        yield estimate, true_gain(fresh, rank, single), verdict.recommendation


@pytest.mark.parametrize("questions", [40, 100, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_covers_the_true_gain_and_the_verdicts_are_right(kind, questions):
    """At least 93 % of the 95 % intervals hold the gain of what was chosen, none has zero width, and verdicts are right.

    The gain is that of the models chosen on all questions over the single model chosen on them, on fresh questions.
    """
    covered, wrong, said = 0, 0, 0
    for estimate, gain, recommendation in outcomes(kind, questions):
        assert estimate.low < estimate.high
        covered += estimate.low <= gain <= estimate.high
        said += recommendation != "cannot tell yet"
        # Half a point for what the fresh questions themselves leave open.
        wrong += (recommendation == "mux" and gain < -0.005) or (
            recommendation == "do not mux" and gain > WORTH + 0.005
        )
    assert covered >= (0.93 * RUNS if LONG else RUNS - 3)
    assert wrong <= (0.05 * RUNS if LONG else 1), f"{wrong} of {said}"
