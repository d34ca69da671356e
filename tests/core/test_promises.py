"""The promises of a selection, on simulated pools of known truth: coverage of the interval, and the verdicts."""

import numpy as np
import pytest
from simulated import FRESH, KINDS, chooser, chosen, pool_of, true_gain

from slmmux.selection._held_out import held_out
from slmmux.selection._selection import Subset
from slmmux.selection._verdict import verdict_of

WORTH = 0.01
SHORT = {"repeats": 3, "n_resamples": 20}
AS_BY_DEFAULT = {"repeats": 20, "n_resamples": 50}


def subset_of(arrays, rank, estimate):
    """Return the best subset of a selection, as far as a verdict looks at it."""
    models = tuple(arrays.models[m] for m in rank)
    figures = dict.fromkeys(("objective", "union", "contradiction", "floor", "ceiling", "accuracy"), 0.0)
    return Subset(models=models, samples={}, held_out=estimate, **figures)


def outcomes(kind, questions, runs, options):
    """Yield the estimate of a run, the true gain of what is chosen in it, and the verdict's recommendation."""
    for run in range(runs):
        rng = np.random.default_rng([run, questions])
        pool = pool_of(kind, rng)
        arrays, fresh = pool.arrays(rng, questions), pool.arrays(rng, FRESH)
        size = 2 + run % 2
        rank, single = chosen(arrays, size)
        estimate = held_out(arrays.votes, chooser(arrays, size), size, folds=5, seed=run, **options)
        mux = subset_of(arrays, rank, estimate)
        alone = subset_of(arrays, [single], None)
        verdict = verdict_of(mux, {size: mux}, alone, "self-consistency", questions=questions, worth=WORTH)
        yield estimate, true_gain(fresh, rank, single), verdict.recommendation


def tally(kind, questions, runs, options):
    """Return how many of the intervals hold the true gain, and how many of the verdicts are wrong."""
    covered, wrong = 0, 0
    for estimate, gain, recommendation in outcomes(kind, questions, runs, options):
        assert estimate.low < estimate.high
        covered += estimate.low <= gain <= estimate.high
        # Half a point for what the fresh questions themselves leave open.
        wrong += (recommendation == "mux" and gain < -0.005) or (
            recommendation == "do not mux" and gain > WORTH + 0.005
        )
    return covered, wrong


@pytest.mark.parametrize("questions", [60, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_covers_the_true_gain_and_the_verdicts_are_right(kind, questions):
    """Of 95 % intervals nearly all hold the gain of what was chosen, none has zero width, and verdicts are right.

    The gain is that of the models chosen on all questions over the single model chosen on them, on fresh questions.
    """
    covered, wrong = tally(kind, questions, 16, SHORT)
    # Of 16 intervals of 95 % fewer than 12 hold the gain once in a thousand times.
    assert covered >= 12
    assert wrong <= 2


@pytest.mark.full
@pytest.mark.parametrize("questions", [40, 100, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_covers_at_length(kind, questions):
    """With the resamples of a selection at least 93 % of 200 intervals hold the gain, and 95 % of verdicts are right."""
    covered, wrong = tally(kind, questions, 200, AS_BY_DEFAULT)
    assert covered >= 0.93 * 200
    assert wrong <= 0.05 * 200
