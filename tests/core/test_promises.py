"""The promises of a selection on simulated pools of known truth: coverage, verdicts and thresholds."""

from math import ceil

import pytest

from bench.simulated import KINDS, SHAPES, broken_promises, outcomes
from tests.lengths import short_form


def within_chance(runs, share=0.1):
    """Return the most of some runs that may break a promise which is broken with this share: three deviations."""
    return ceil(runs * share + 3 * (runs * share * (1 - share)) ** 0.5)


def counts(kind, questions, runs, **options):
    """Return how many of the intervals hold the true gain, and how many verdicts are wrong; none has zero width."""
    every = list(outcomes(kind, questions, runs, **options))
    assert all(each.estimate.low < each.estimate.high for each in every)
    return sum(each.is_covered for each in every), sum(each.is_wrong for each in every)


@pytest.mark.parametrize("questions", short_form([60, 200], lambda questions: questions == 60))
@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_covers_the_true_gain_and_the_verdicts_are_right(kind, questions):
    """Of 95 % intervals nearly all hold the gain of what was chosen, none has zero width, and verdicts are right.

    The gain is that of the models chosen on all questions over the single model chosen on them, on fresh questions.
    """
    covered, wrong = counts(kind, questions, 16, repeats=3, n_resamples=20)
    # Of 16 intervals of 95 % fewer than 12 hold the gain once in a thousand times.
    assert covered >= 12
    assert wrong <= 2


@pytest.mark.full
@pytest.mark.parametrize("questions", [40, 100, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_covers_at_length(kind, questions):
    """With the resamples of a selection at least 93 % of 200 intervals hold the gain, and 95 % of verdicts are right."""
    covered, wrong = counts(kind, questions, 200, repeats=20, n_resamples=50)
    assert covered >= 0.93 * 200
    assert wrong <= 0.05 * 200


@pytest.mark.parametrize("questions", short_form([60, 300], lambda questions: questions == 60))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("confidence", short_form([0.8, 0.9], lambda confidence: confidence == 0.9))
def test_a_threshold_is_kept_on_fresh_questions(questions, shape, confidence):
    """On questions drawn afresh as many thresholds as promised keep their accuracy and budget, whatever the pool."""
    promises = broken_promises(questions, shape, 60, confidence=confidence)
    broken = {name: count for name, (count, _) in promises.items()}
    assert max(broken.values()) <= within_chance(60, 1 - confidence), broken


@pytest.mark.full
@pytest.mark.parametrize("questions", [40, 60, 150, 400])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_threshold_is_kept_at_length(questions, shape):
    """The same over 1,000 runs of each, where a promise broken by 13 % of the thresholds would show."""
    broken = {name: count for name, (count, _) in broken_promises(questions, shape, 1000).items()}
    assert max(broken.values()) <= within_chance(1000), broken
