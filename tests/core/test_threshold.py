"""The probability to act on: its definition, and the promise it makes for questions not seen yet."""

from math import comb

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slmmux import ArgumentError
from slmmux.selection._threshold import _critical, threshold
from tests.lengths import AT_LENGTH, examples

few = settings(max_examples=examples(60), deadline=None)  # enough for a formula

shares = st.fractions(0, 1, max_denominator=20).filter(lambda share: 0 < share < 1).map(float)


@st.composite
def foretold(draw, most=60):
    """Probabilities of up to 60 questions, often equal, and whether each answer was right."""
    size = draw(st.integers(1, most))
    probability = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))
    return (
        draw(st.lists(probability, min_size=size, max_size=size)),
        draw(st.lists(st.booleans(), min_size=size, max_size=size)),
    )


def at_or_above(p, probability, right):
    return [each for own, each in zip(probability, right, strict=True) if own >= p]


def kept_or_none(pair, **options):
    try:
        return threshold(*pair, **options)
    except ArgumentError:
        return None


def crossing(numbers, target, z):
    """Return the probability that a walk meets the line, counted path by path in a table of all of them."""
    paths, crossed = {0: 1.0}, 0.0
    for n in range(1, max(numbers) + 1):
        after = {}
        for count, chance in paths.items():
            after[count] = after.get(count, 0) + chance * (1 - target)
            after[count + 1] = after.get(count + 1, 0) + chance * target
        if n in numbers:
            line = n * target + z * (n * target * (1 - target)) ** 0.5
            crossed += sum(chance for count, chance in after.items() if count >= line - 1e-9)
            after = {count: chance for count, chance in after.items() if count < line - 1e-9}
        paths = after
    return crossed


# The definition


@few
@given(st.sets(st.integers(1, 60), min_size=1, max_size=8), shares, st.sampled_from([0.5, 0.8, 0.9, 0.99]))
def test_the_line_is_met_as_seldom_as_the_confidence_says(numbers, target, confidence):
    """z is the least for which a walk of right answers with the target's chance meets the line that seldom."""
    z = _critical(tuple(sorted(numbers)), target, confidence)
    assert crossing(numbers, target, z) <= 1 - confidence + 1e-9
    if z > 1e-3:
        assert crossing(numbers, target, z - 1e-3) > 1 - confidence - 1e-9


@few
@given(foretold(), shares)
def test_an_accuracy_is_kept_with_its_bound(pair, target):
    """What is returned is one of the probabilities, answers at least a twentieth, and has its bound at the target."""
    result = kept_or_none(pair, target_accuracy=target)
    assume(result is not None)
    right = at_or_above(result.p, *pair)
    assert result.p in pair[0]
    assert result.accuracy == sum(right) / len(right)
    assert result.answered == len(right) / len(pair[0]) >= 0.05
    assert result.questions == len(pair[0])
    assert target - 1e-9 <= result.bound <= result.accuracy


@few
@given(foretold(), shares, st.sampled_from([0.5, 0.8, 0.9, 0.99]))
def test_a_budget_takes_the_highest_rank_within_it(pair, budget, confidence):
    """The k-th lowest probability, for the largest k that so many of the questions fall under with the confidence."""
    probability, n = sorted(pair[0]), len(pair[0])

    def at_least(k):
        return sum(comb(n, i) * budget**i * (1 - budget) ** (n - i) for i in range(k, n + 1))

    ranks = [k for k in range(1, n + 1) if at_least(k) >= confidence - 1e-9]
    result = threshold(*pair, budget=budget, confidence=confidence)
    assert result.p == (probability[ranks[-1] - 1] if ranks else 0.0)
    assert result.answered == sum(p >= result.p for p in probability) / n
    assert result.bound <= budget + 1e-6
    assert result.confidence == confidence


def test_a_budget_of_everything_answers_the_surest_alone():
    """If all may be given up, p is the highest probability."""
    result = threshold([0.2, 0.5, 0.9], [False, True, True], budget=1)
    assert (result.p, result.answered) == (0.9, pytest.approx(1 / 3))
    assert result.bound == pytest.approx(0.9 ** (1 / 3), abs=1e-5)


@few
@given(foretold(), shares, shares)
def test_a_larger_budget_answers_less(pair, one, other):
    """A larger budget never lowers p, and a higher confidence never raises it."""
    low, high = sorted((one, other))
    assert threshold(*pair, budget=low).p <= threshold(*pair, budget=high).p
    assert threshold(*pair, budget=low, confidence=0.99).p <= threshold(*pair, budget=low, confidence=0.5).p


def test_more_confidence_and_more_accuracy_answer_less():
    """On many questions a higher target or a higher confidence raises p."""
    rng = np.random.default_rng(0)
    probability = rng.random(500)
    pair = probability.tolist(), (rng.random(500) < probability).tolist()
    by_target = [threshold(*pair, target_accuracy=target).p for target in (0.5, 0.6, 0.7, 0.8)]
    assert by_target == sorted(by_target)
    by_confidence = [threshold(*pair, target_accuracy=0.75, confidence=c).p for c in (0.5, 0.9, 0.99)]
    assert by_confidence == sorted(by_confidence)
    assert by_confidence[0] < by_confidence[2]


@few
@given(foretold(), shares, st.randoms(use_true_random=False))
def test_the_order_of_questions_changes_nothing(pair, share, random):
    """The same questions in another order give the same threshold, its intervals to the last bit."""
    mixed = list(zip(*pair, strict=True))
    random.shuffle(mixed)
    mixed = list(zip(*mixed, strict=True))
    assert threshold(*mixed, budget=share) == threshold(*pair, budget=share)
    assert kept_or_none(mixed, target_accuracy=share) == kept_or_none(pair, target_accuracy=share)


@few
@given(foretold(), shares)
def test_the_figures_lie_within_their_intervals(pair, budget):
    """Both intervals are of shares, and have the figure itself between their ends."""
    result = threshold(*pair, budget=budget)
    for low, figure, high in (
        (result.low, result.accuracy, result.high),
        (result.answered_low, result.answered, result.answered_high),
    ):
        assert 0 <= low <= high <= 1
        assert low <= figure <= high


def test_a_few_that_are_all_right_are_not_proof():
    """Eleven of eleven keep no 95 %, though all are right; 90 % of many more are needed for 80 %."""
    pair = [0.9] * 11 + [0.1] * 20, [True] * 11 + [False] * 20
    with pytest.raises(ArgumentError, match=r"target_accuracy=0.95 is kept from no probability on"):
        threshold(*pair, target_accuracy=0.95)
    result = threshold(*pair, target_accuracy=0.7)
    assert (result.p, result.accuracy, result.high) == (0.9, 1.0, 1.0)
    assert result.low == pytest.approx(11 / (11 + 1.959964**2))


def test_the_most_that_is_kept_is_named():
    """Where a target is not kept the error names the highest that is, which is then kept."""
    rng = np.random.default_rng(1)
    probability = rng.random(200)
    pair = probability, rng.random(200) < 0.3 + 0.5 * probability
    with pytest.raises(ArgumentError, match="the highest that is kept is") as caught:
        threshold(*pair, target_accuracy=0.95)
    most = float(str(caught.value).split("the highest that is kept is ")[1][:4])
    assert threshold(*pair, target_accuracy=most).bound >= most
    with pytest.raises(ArgumentError, match=f"the highest that is kept is {most:.2f}"):
        threshold(*pair, target_accuracy=most + 0.01)


# Intervals


def test_the_intervals_hold_the_truth_as_often_as_they_say():
    """For a p that was not chosen on the questions, some 95 % of the intervals hold accuracy and share."""
    rng = np.random.default_rng(3)
    inside = np.zeros(2)
    trials = 1000 if AT_LENGTH else 250
    for _ in range(trials):
        sure = rng.random(200) < 0.6
        right = rng.random(200) < 0.8
        result = threshold(np.where(sure, 0.9, 0.1), right, budget=0.99)  # from 0.9 on: 80 % right of 60 %
        inside += (result.low <= 0.8 <= result.high, result.answered_low <= 0.6 <= result.answered_high)
    spread = 4 * (0.95 * 0.05 / trials) ** 0.5  # four standard errors
    assert 0.95 - spread <= (inside / trials).min() <= (inside / trials).max() <= 0.95 + spread


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "takes one of target_accuracy and budget, received neither; write one of them"),
        ({"target_accuracy": 0.9, "budget": 0.1}, "received both"),
        (
            {"target_accuracy": 90},
            r"target_accuracy must be a share above 0 and at most 1, received 90; for 90 % write 0.9",
        ),
        ({"target_accuracy": 0}, "target_accuracy must be a share above 0"),
        ({"budget": -0.5}, "budget must be a share above 0 and at most 1, received -0.5"),
        ({"budget": float("nan")}, "budget must be a share .* received nan"),
        ({"budget": True}, "budget must be a share .* received True"),
        ({"budget": "0.1"}, "budget must be a share .* received '0.1'"),
        ({"budget": 0.1, "confidence": 1}, "confidence must be between 0 and 1, received 1; for 90 % write 0.9"),
        ({"budget": 0.1, "confidence": 90}, "confidence must be between 0 and 1, received 90"),
        ({"target_accuracy": 1.0}, "target_accuracy=1 is kept from no probability on, with a confidence of 0.9: on 4 "),
    ],
)
def test_bad_input_gets_a_sentence(options, sentence):
    """What was wrong, what was received, what to write instead."""
    with pytest.raises(ArgumentError, match=sentence):
        threshold([0.9, 0.8, 0.5, 0.1], [False, True, True, False], **options)
