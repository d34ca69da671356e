"""The expected accuracy for each k and K equals a count over all subsets in all orders."""

import os
from fractions import Fraction
from itertools import permutations, product
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import most_frequent

from slmmux import ArgumentError, Draw, Recording, RecordingError, Row, Sample, replay
from slmmux._decision.types import Answer
from slmmux._decision.vote import choose, vote
from slmmux.recording._arrays import arrays_of
from slmmux.scaling import expected_right, scaling
from tests.lengths import examples

GOLD = "x"


def rows(table, question="q1", gold=GOLD):
    return [
        Row(question_id=question, model=model, sample_index=i, answer=answer, gold=gold)
        for model, answers in table.items()
        for i, answer in enumerate(answers)
    ]


def recording_of(tables):
    return Recording.of(row for q, table in enumerate(tables) for row in rows(table, f"q{q}"))


def sampled(fewest, most):
    """Draw tables of each member's recorded answers: members differ in N, but not from question to question."""
    answer = st.sampled_from(["x", "y", "z", None])

    def of_sizes(sizes):
        question = st.tuples(*(st.lists(answer, min_size=n, max_size=n) for n in sizes))
        return st.lists(question.map(lambda members: dict(zip("abc", members, strict=False))), min_size=1, max_size=3)

    return st.lists(st.integers(fewest, most), min_size=1, max_size=3).flatmap(of_sizes)


def ordered_draws(answers, k):
    """Return {(count, right): probability} of a member's vote over every k of its samples in every order."""
    chances, orders = {}, list(permutations(answers, k))
    for order in orders:
        confidence, answer, _ = most_frequent(order)
        key = confidence * k, answer == GOLD
        chances[key] = chances.get(key, 0) + Fraction(1, len(orders))
    return chances


def enumerated(table, k):
    """Return the probability that a question is right, in fractions, by counting every draw."""
    total = Fraction(0)
    for outcome in product(*(ordered_draws(answers, k).items() for answers in table.values())):
        top = max(count for (count, _), _ in outcome)
        right = next(right for (count, right), _ in outcome if count == top)
        chance = Fraction(1)
        for _, p in outcome:
            chance *= p
        total += chance * right
    return total


@given(sampled(1, 5), st.data())
@settings(max_examples=examples(100))
def test_scaling_is_the_mean_over_all_subsets_in_all_orders(tables, data):
    """Accuracy and deviation for every number of members equal those of the enumeration in fractions."""
    members = list(tables[0])
    k = data.draw(st.integers(1, min(len(answers) for answers in tables[0].values())), label="k")
    points = scaling(recording_of(tables), members, k, sizes=range(1, len(members) + 1))
    for size, point in enumerate(points, 1):
        each = [enumerated({model: table[model] for model in members[:size]}, k) for table in tables]
        assert (point.models, point.samples) == (tuple(members[:size]), k)
        assert point.accuracy == pytest.approx(float(sum(each) / len(each)), abs=1e-12)
        variance = float(sum(p * (1 - p) for p in each))
        assert point.deviation == pytest.approx(sqrt(variance) / len(each), abs=1e-7)


@pytest.mark.parametrize("table", [{"a": "xyxz", "b": "yyxz"}, {"a": "xxyy", "b": "zxzx"}, {"a": "xyz", "b": "yyxx"}])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_scaling_is_the_mean_of_vote_and_choose(table, k):
    """The package's own vote() and choose(), over every pair of ordered subsets, have the same mean."""

    def votes(model):
        for order in permutations(table[model], k):
            yield vote(model, [Sample(Draw(model, i), "", Answer(a, "text", a)) for i, a in enumerate(order)], k)

    decided = [choose(pair)[0].answer == GOLD for pair in product(*(list(votes(model)) for model in table))]
    (point,) = scaling(Recording.of(rows(table)), list(table), k)
    assert point.accuracy == pytest.approx(sum(decided) / len(decided), abs=1e-12)


def test_scaling_is_the_mean_of_replay():
    """`replay` over every pair of ordered subsets, each recorded as a question, has the same mean."""
    table, k = {"a": ["x", "y", None, "x"], "b": ["z", "x", "z"]}, 2
    pairs = list(product(permutations(table["a"], k), permutations(table["b"], k)))
    every = recording_of([{"a": a, "b": b} for a, b in pairs])
    decided = [decision.winner.answer == GOLD for decision in replay(every, ["a", "b"]).values()]
    (point,) = scaling(Recording.of(rows(table)), ["a", "b"], k)
    assert point.accuracy == pytest.approx(sum(decided) / len(decided), abs=1e-12)


@given(sampled(4, 4))
def test_with_all_samples_only_ties_within_a_member_differ(tables):
    """At k = N a question without such a tie is right exactly if `Votes.decided_right` says so."""
    arrays = arrays_of(recording_of(tables))
    expected = expected_right(arrays, [4])[-1, 0]
    decided = arrays.votes.decided_right(range(len(arrays.models)))
    for q, table in enumerate(tables):
        counts = [sorted((answers.count(a) for a in {*answers} - {None}), reverse=True) for answers in table.values()]
        if not any(top[:1] == top[1:2] for top in counts if top):
            assert expected[q] == decided[q]


def test_a_tie_within_a_member_is_shared():
    """Of t top answers each has probability 1/t, for any recorded order, and the deviation shows it."""
    for answers, share in [("xy", 1 / 2), ("yx", 1 / 2), ("yzx", 1 / 3), ("yyxxz", 1 / 2)]:
        (point,) = scaling(Recording.of(rows({"a": answers})), ["a"], len(answers))
        assert point.accuracy == pytest.approx(share, abs=1e-15)
        assert point.deviation == pytest.approx(sqrt(share * (1 - share)), abs=1e-15)


def test_equal_confidence_falls_to_the_better_rank():
    """Of two equally confident members the first of `models` wins."""
    recording = Recording.of(rows({"a": "xx", "b": "yy"}))
    assert [scaling(recording, rank, 2)[0].accuracy for rank in (["a", "b"], ["b", "a"])] == [1, 0]


def test_samples_without_an_answer_count_in_k():
    """Abstentions and failed calls lower the confidence; a question without any answer is certainly wrong."""
    failed = [Row(question_id="q1", model="a", sample_index=1, answer="x", error="refused", gold=GOLD)]
    recording = Recording.of(rows({"a": "x"}) + failed + rows({"b": "yy"}))
    (alone, both) = scaling(recording, ["a", "b"], 2, sizes=(1, 2))
    assert (alone.accuracy, both.accuracy) == (1, 0)
    (nothing,) = scaling(Recording.of(rows({"a": [None] * 3, "b": [None] * 3})), ["a", "b"], 2)
    assert (nothing.accuracy, nothing.deviation) == (0, 0)


@given(sampled(2, 5))
def test_probabilities_stay_within_0_and_1(tables):
    """No probability leaves 0 to 1, even by rounding, so the deviation is always a number."""
    arrays = arrays_of(recording_of(tables))
    expected = expected_right(arrays, range(1, int(arrays.of.min()) + 1))
    assert expected.shape == (len(arrays.models), arrays.of.min(), len(tables))
    assert ((expected >= 0) & (expected <= 1)).all()


def test_one_sample_of_one_member_is_its_single_sample_accuracy():
    """With k = K = 1 the figure is the share of right samples, for four samples and for a hundred."""
    answers = ["x"] * 37 + ["y"] * 30 + [f"z{i}" for i in range(23)] + [None] * 10
    (one, all_of_them) = scaling(Recording.of(rows({"a": answers})), ["a"], (1, 100))
    assert (one.accuracy, all_of_them.accuracy) == (0.37, 1)
    (two,) = scaling(Recording.of(rows({"a": answers})), ["a"], 2)
    both, other = comb(37, 2), 37 * 53  # two right; or one, beside an answer with which it shares the tie
    assert two.accuracy == pytest.approx((both + other / 2 + 37 * 10) / comb(100, 2), abs=1e-15)


def test_a_same_that_is_not_transitive_is_weighed_by_the_first_drawn():
    """If a class holds right and wrong answers, each is equally likely to be the first drawn, which decides."""
    recording = Recording.of(rows({"a": ["1", "2", "2"]}, gold="1"))

    def same(a, b):
        return a == b or (a, b) == ("1", "2")  # one class, though only its first answer is the gold one

    (point,) = scaling(recording, ["a"], 2, same=same)
    assert point.accuracy == pytest.approx(1 / 3, abs=1e-15)


def test_the_default_is_clipped_and_the_points_are_in_order():
    """By default k runs from 2 to 9 or to the fewest recorded; explicit k and K keep their order."""
    recording = Recording.of(rows({"a": "xyxyxyxyxyx", "b": "xyxyxyxyxyx", "c": "xyx", "d": "x"}))

    def kinds(*models, **options):
        return [(len(p.models), p.samples) for p in scaling(recording, models, **options)]

    assert kinds("a", "b") == [(2, k) for k in range(2, 10)]
    assert kinds("a", "c") == [(2, 2), (2, 3)]
    assert kinds("a", "d") == [(2, 1)]
    assert kinds("a", "b", samples=(5, 11), sizes=(2, 1)) == [(2, 5), (2, 11), (1, 5), (1, 11)]
    assert kinds("a", "b", samples=3, sizes=1) == [(1, 3)]


@pytest.mark.parametrize(
    ("models", "options", "sentence"),
    [
        (["a", "b"], {"samples": (2, 3)}, "samples=3, but only 2 were recorded of 'b'; write at most 2"),
        (["a"], {"samples": (1, 0)}, "must be a whole number of at least 1, received 0"),
        (["a"], {"samples": True}, "received True"),
        (["a"], {"samples": []}, "samples is empty; write at least one k"),
        (["a", "b"], {"sizes": 3}, "sizes must be whole numbers from 1 to 2, the number of models, received 3"),
        (["a"], {"sizes": (1, 0)}, "received 0"),
        (["a"], {"sizes": True}, "received True"),
        (["a"], {"sizes": (1.0,)}, "received 1.0"),
        (["c"], {}, "no model 'c' in this recording"),
    ],
)
def test_bad_arguments_are_refused(models, options, sentence):
    """Each bad argument gets a sentence of its own."""
    with pytest.raises(ArgumentError, match=sentence):
        scaling(Recording.of(rows({"a": "xxx", "b": "xx"})), models, **options)


def test_gaps_are_an_error_or_dropped():
    """A question that lacks samples of a member is named, or left out for all."""
    recording = Recording.of(rows({"a": "xx", "b": "xx"}) + rows({"a": "yy", "b": "y"}, "q2"))
    with pytest.raises(RecordingError, match="'b' has 1 of 2 samples for question 'q2'"):
        scaling(recording, ["a", "b"], 1)
    assert scaling(recording, ["a", "b"], 1, missing="drop")[0].accuracy == 1


def test_answers_compared_in_pairs_need_same():
    """Groups that depend on the samples drawn cannot be counted by their sizes."""
    recording = Recording.of(rows({"a": ["1/2", "0.5", "3"]}, gold="1/2"), settings={"agreement": "math"})
    with pytest.raises(ArgumentError, match=r"compared in pairs \('math'\).*pass same="):
        scaling(recording, ["a"])
    half = {"1/2": 0.5, "0.5": 0.5, "3": 3}
    (point,) = scaling(recording, ["a"], 3, same=lambda a, b: half[a] == half[b])
    assert point.accuracy == 1


@pytest.fixture(scope="module")
def real():
    path = os.environ.get("SLMMUX_TEST_RECORDING")
    if not path:
        pytest.skip("SLMMUX_TEST_RECORDING names no recording; set it to a .jsonl.gz to scale real samples")
    return Recording.load(path)


@pytest.mark.full
def test_a_real_recording_scales(real):
    """On real samples, mean and deviation agree with 100 random draws."""
    models, k, times = ("phind", "deepseek-base-33b", "codellama-34b+cot"), 5, 100
    (point,) = scaling(real, models, k)
    arrays = arrays_of(real, models)
    random, accuracies = np.random.default_rng(0), []
    for _ in range(times):
        order = random.random(arrays.codes.shape).argsort(axis=-1)[..., :k]
        codes, right = (np.take_along_axis(x, order, axis=-1) for x in (arrays.codes, arrays.right))
        support = ((codes[..., :, None] == codes[..., None, :]) & (codes >= 0)[..., None]).sum(axis=-1)
        first = support.argmax(axis=-1)[..., None]
        count, is_right = (np.take_along_axis(x, first, axis=-1)[..., 0] for x in (support, right))
        accuracies.append(is_right[count.argmax(axis=0), np.arange(len(arrays.questions))].mean())
    assert np.mean(accuracies) == pytest.approx(point.accuracy, abs=4 * point.deviation / sqrt(times))
    assert np.std(accuracies) == pytest.approx(point.deviation, rel=0.25)
