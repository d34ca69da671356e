"""The probability to act on: found among all, monotone in what is asked for, with the interval it says."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slmmux import ArgumentError
from slmmux.selection._threshold import threshold

few = settings(max_examples=40, deadline=None)  # enough for a formula

shares = st.fractions(0, 1, max_denominator=20).filter(bool).map(float)


@st.composite
def foretold(draw):
    """What was foretold of up to 30 questions, often equal, and whether it came true."""
    size = draw(st.integers(1, 30))
    said = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))
    return (
        draw(st.lists(said, min_size=size, max_size=size)),
        draw(st.lists(st.booleans(), min_size=size, max_size=size)),
    )


def at_or_above(p, said, came):
    return [right for probability, right in zip(said, came, strict=True) if probability >= p]


def reachable(said, came, target):
    """Return the candidates, one by one, whose questions at or above have the accuracy."""
    kept = {p: at_or_above(p, said, came) for p in said}
    return [p for p, right in kept.items() if sum(right) / len(right) >= target]


@few
@given(foretold(), shares)
def test_a_target_takes_the_lowest_probability_that_reaches_it(told, target):
    """Of all probabilities foretold, tried one by one, it is the lowest; where none reaches it the best is named."""
    said, came = told
    good = reachable(said, came, target)
    if not good:
        best = max(sum(right) / len(right) for p in said if (right := at_or_above(p, said, came)))
        with pytest.raises(ArgumentError, match=f"is reached from no probability on; the best is {best:.3f}, from p="):
            threshold(said, came, target_accuracy=target)
        return
    found = threshold(said, came, target_accuracy=target)
    right = at_or_above(min(good), said, came)
    assert (found.p, found.accuracy) == (min(good), sum(right) / len(right))
    assert found.answered == len(right) / len(said)
    assert found.questions == len(said)


@few
@given(foretold(), shares)
def test_a_budget_takes_the_highest_probability_within_it(told, budget):
    """Of all probabilities foretold, tried one by one, it is the highest below which no more than the budget is."""
    said, came = told
    within = [p for p in said if sum(each < p for each in said) / len(said) <= budget]
    found = threshold(said, came, budget=budget)
    assert found.p == max(within)
    assert 1 - found.answered <= budget + 1e-12
    right = at_or_above(found.p, said, came)
    assert found.accuracy == sum(right) / len(right)


@few
@given(foretold(), shares, shares)
def test_asking_for_more_answers_less(told, one, other):
    """A higher target never lowers p nor answers more, and a larger budget never lowers p nor answers more."""
    low, high = sorted((one, other))
    loose, strict = threshold(*told, budget=low), threshold(*told, budget=high)
    assert loose.p <= strict.p
    assert loose.answered >= strict.answered
    assume(reachable(*told, high))
    loose, strict = threshold(*told, target_accuracy=low), threshold(*told, target_accuracy=high)
    assert loose.p <= strict.p
    assert loose.answered >= strict.answered


@few
@given(foretold(), shares, st.randoms(use_true_random=False))
def test_the_order_of_questions_changes_nothing(told, budget, random):
    """The same questions in another order give the same threshold, its intervals to the last bit."""
    pairs = list(zip(*told, strict=True))
    random.shuffle(pairs)
    assert threshold(*zip(*pairs, strict=True), budget=budget) == threshold(*told, budget=budget)


@few
@given(foretold(), shares)
def test_the_figures_lie_within_their_intervals(told, budget):
    """Both intervals are of shares, and have the figure itself between their ends."""
    found = threshold(*told, budget=budget)
    for low, figure, high in (
        (found.low, found.accuracy, found.high),
        (found.answered_low, found.answered, found.answered_high),
    ):
        assert 0 <= low <= high <= 1
        assert low <= figure <= high


def test_the_intervals_hold_the_truth_as_often_as_they_say():
    """Of many samples of questions whose accuracy and share are known, some 95 % of the intervals have them inside."""
    rng = np.random.default_rng(3)
    inside = np.zeros(2)
    for _ in range(1000):
        sure = rng.random(200) < 0.6
        right = rng.random(200) < 0.8
        found = threshold(np.where(sure, 0.9, 0.1), right, budget=0.99)  # from 0.9 on: 80 % right of 60 %
        inside += (found.low <= 0.8 <= found.high, found.answered_low <= 0.6 <= found.answered_high)
    assert 920 <= inside.min() <= inside.max() <= 980


def test_a_few_that_are_all_right_are_not_proof():
    """Eleven of eleven is no 100 %: the interval says how few they were, as Wilson's formula does written out."""
    found = threshold([0.9] * 11 + [0.1] * 20, [True] * 11 + [False] * 20, target_accuracy=1.0)
    assert (found.accuracy, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(11 / (11 + 1.959964**2))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "takes one of target_accuracy and budget, and neither was given; write one of them"),
        ({"target_accuracy": 0.9, "budget": 0.1}, "and both were given"),
        (
            {"target_accuracy": 90},
            r"target_accuracy must be a share above 0 and at most 1, received 90; for 90 % write 0.9",
        ),
        ({"target_accuracy": 0}, "target_accuracy must be a share above 0"),
        ({"budget": -0.5}, "budget must be a share above 0 and at most 1, received -0.5"),
        ({"budget": float("nan")}, "budget must be a share .* received nan"),
        ({"budget": True}, "budget must be a share .* received True"),
        ({"budget": "0.1"}, "budget must be a share .* received '0.1'"),
        (
            {"target_accuracy": 0.9},
            "target_accuracy=0.9 is reached from no probability on; the best is 0.667, from p=0.500 on, with 75 % of the ",
        ),
    ],
)
def test_bad_input_gets_a_sentence(asked, sentence):
    """What was wrong, what was found, what to write instead."""
    with pytest.raises(ArgumentError, match=sentence):
        threshold([0.9, 0.8, 0.5, 0.1], [False, True, True, False], **asked)
