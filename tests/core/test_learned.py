"""The learned rule: what it decides is exact, what it learns is right, and what it says of itself comes true."""

import os
import time
from dataclasses import replace
from fractions import Fraction
from math import exp, inf, lcm, log
from statistics import fmean

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slmmux import ArgumentError, Recording, Row
from slmmux._decision.rules import LearnedRule, WeightedRule
from slmmux._decision.types import Answer, text_of
from slmmux.baselines import AGENT_FOREST, baselines
from slmmux.learned import FEWEST, _learning, _logit, brier, evaluate, expected_calibration_error, fit, never_right
from slmmux.learned._answer_table import AnswerTable
from slmmux.learned._common_answers import common_answers
from slmmux.recording._arrays import Arrays, _votes, arrays_of
from slmmux.selection._held_out import in_rank_order

few = settings(max_examples=20, deadline=None)  # each of them learns, a tenth of a second, or counts a table

LABELS = ("ann", "bob", "cid", "dan", "eve")


def arrays_from(codes, gold, of=None, labels=LABELS):
    """Return arrays of answers by number, [m, q, n], of which `gold`, [q], are right."""
    codes = np.asarray(codes, dtype=np.int64)
    right = (codes == np.asarray(gold)[:, None]) & (codes >= 0)
    of = np.full(len(codes), codes.shape[2]) if of is None else np.asarray(of)
    questions = tuple(f"q{q:04}" for q in range(codes.shape[1]))
    return Arrays(tuple(labels[: len(codes)]), questions, codes, right, of, _votes(codes, right, of), None, None)


def drawn(seed, *, members=3, questions=60, k=5, answers=4, silent=0.1):
    """Return members of differing strength: right (answer 0) more or less often, else one of the wrong, or silent."""
    rng = np.random.default_rng(seed)
    shape = members, questions, k
    hard = rng.random(questions)[:, None]
    skill = np.linspace(0.9, 0.5, members)[:, None, None]
    codes = np.where(rng.random(shape) < skill * (1 - 0.6 * hard), 0, rng.integers(1, answers + 1, shape))
    codes[rng.random(shape) < silent] = -1
    return arrays_from(codes, np.zeros(questions))


def shares_of(arrays, q, models=None):
    """Return what `decide` takes, counted from the arrays: the samples of one question."""
    found = {}
    for m, label in enumerate(arrays.models):
        given = {}
        for i, code in enumerate(arrays.codes[m, q].tolist()):
            if code >= 0:
                count, first = given.get(code, (0, i))
                given[code] = count + 1, first
        if models is None or label in models:
            found[label] = given
    return found


def written_out(rule, shares, k):
    """Return (answer, speaker, probability) of the formulas, in fractions and over every answer."""
    given = {answer for of in shares.values() for answer in of}
    if not given:
        return None

    def share(label, answer):
        return Fraction(shares.get(label, {}).get(answer, (0, 0))[0], k[label])

    def score(answer):
        return Fraction(dict(rule.answers).get(str(answer), 0), 10**6) + sum(
            Fraction(w, 10**6) * share(label, answer) + Fraction(u, 10**6) * (share(label, answer) == 1)
            for label, w, u in zip(rule.models, rule.weights, rule.bonuses, strict=True)
        )

    def place(answer):
        return min(
            (rank, shares[label][answer][1])
            for rank, label in enumerate(rule.models)
            if answer in shares.get(label, {})
        )

    won = min(given, key=lambda answer: (-score(answer), place(answer)))
    gave = [(rank, label) for rank, label in enumerate(rule.models) if won in shares.get(label, {})]
    speaker = min(gave, key=lambda each: (-rule.weights[each[0]] * share(each[1], won), each[0]))[1]
    z = float(score(won)) - log(1 + sum(exp(score(answer)) for answer in given - {won}))
    a, b = rule.calibration
    return won, speaker, 1 / (1 + exp(-(a + b * z)))


# Few values, so that scores are often equal.
weights = st.sampled_from([0, 500_000, 1_000_000, 1_500_000, 3_000_000, -1_000_000, 1_234_567])


@st.composite
def rules(draw, members):
    models = tuple(draw(st.permutations(LABELS[:members])))
    w = draw(st.tuples(*[weights] * members))
    u = draw(st.tuples(*[st.sampled_from([0, 0, 500_000, -1_000_000])] * members))
    calibration = draw(st.tuples(st.floats(-3, 3), st.floats(-1, 3)))
    answers = draw(st.dictionaries(st.sampled_from("0123"), weights, max_size=2))
    return LearnedRule(models, w, u, calibration, 60, answers=tuple(answers.items()))


@st.composite
def recorded(draw):
    """A few questions of up to four members whose k differ, with silent samples, and a rule for them."""
    members = draw(st.integers(1, 4))
    of = draw(st.lists(st.integers(1, 4), min_size=members, max_size=members))
    questions, n = draw(st.integers(1, 4)), max(of)
    codes = draw(
        st.lists(
            st.lists(st.lists(st.integers(-1, 3), min_size=n, max_size=n), min_size=questions, max_size=questions),
            min_size=members,
            max_size=members,
        )
    )
    codes = np.array(codes)
    for m, k in enumerate(of):
        codes[m, :, k:] = -1
    gold = draw(st.lists(st.integers(0, 3), min_size=questions, max_size=questions))
    arrays = arrays_from(codes, gold, of)
    return replace(arrays, answers=(tuple("0123"),) * questions), draw(rules(members))


# What is decided


@given(recorded())
def test_the_decision_is_the_formula(case):
    """Winner, speaker and probability are those of the formulas in fractions, ties and unequal k included."""
    arrays, rule = case
    k = dict(zip(arrays.models, arrays.of.tolist(), strict=True))
    for q in range(len(arrays.questions)):
        shares = shares_of(arrays, q)
        expected, found = written_out(rule, shares, k), rule.decide(shares, k)
        assert (expected is None) == (found is None)
        if found is not None:
            assert found[:2] == expected[:2]
            assert found.probability == pytest.approx(expected[2], abs=1e-12)
            assert found.answer in shares[found.model], "an answer that its speaker did not give"
            assert 0 <= found.probability <= 1


@few
@given(recorded())
def test_evaluate_is_decide_on_every_question(case):
    """The arrays' outcomes are `decide`'s: the same sample is shown, and the probability is equal to the last bit."""
    arrays, rule = case
    k = dict(zip(arrays.models, arrays.of.tolist(), strict=True))
    # Any one sample right: so that the very sample shown is told from all others.
    for marked in np.ndindex(arrays.codes.shape):
        right = np.zeros(arrays.codes.shape, dtype=np.bool_)
        right[marked] = True
        found, probability = evaluate(replace(arrays, right=right), rule)
        for q in range(len(arrays.questions)):
            shares = shares_of(arrays, q)
            ruling = rule.decide(shares, k)
            if ruling is None:
                assert (found[q], probability[q]) == (False, 0)
            else:
                shown = arrays.models.index(ruling.model), q, shares[ruling.model][ruling.answer][1]
                assert (found[q], probability[q]) == (shown == marked, ruling.probability)


def test_scores_are_exact_where_floats_and_64_bits_are_not():
    """One part in 10^18 decides, in `decide` and on the arrays, with k whose least common multiple is large."""
    k = [97, 89, 83, 79, 73]
    w = [9 * 10**17, 10**17, 10**17, 10**17, 10**17]
    codes = np.full((5, 1, 97), -1)
    for m, of in enumerate(k):
        codes[m, 0, :of] = m % 2
    votes = [sum(weight * (m % 2 == y) for m, weight in enumerate(w)) for y in (0, 1)]
    w[1] += votes[0] - votes[1]  # answers 0 and 1 are equal now
    for more, winner in ((0, 0), (1, 1), (-1, 0)):
        rule = LearnedRule(LABELS, (w[0], w[1] + more, *w[2:]), (0,) * 5, (0.0, 1.0), 60)
        for y in (0, 1):
            arrays = arrays_from(codes, [y], k)
            shares = shares_of(arrays, 0)
            assert rule.decide(shares, dict(zip(LABELS, k, strict=True))).answer == winner
            assert evaluate(arrays, rule)[0].tolist() == [winner == y]
    assert lcm(*k) * max(w) > 2**63


def test_equal_scores_fall_to_the_rank_and_then_to_the_index():
    """Of answers of one score that of the better-ranked member wins, and of its own the one at the lower index."""
    rule = LearnedRule(("ann", "bob"), (10**6, 10**6), (0, 0), (0.0, 1.0), 60)
    assert rule.decide({"bob": {"x": (2, 0)}, "ann": {"y": (2, 1)}}, 3)[:2] == ("y", "ann")
    assert rule.decide({"ann": {"y": (1, 2), "x": (1, 1)}}, 3).answer == "x"
    both = {"ann": {"x": (1, 0), "y": (1, 1)}, "bob": {"y": (1, 0), "x": (1, 1)}}
    assert rule.decide(both, 2)[:2] == ("x", "ann")


def test_the_speaker_has_the_largest_weighted_share():
    """Who gave the answer most often does not speak when another's share weighs more; who did not give it never does."""
    rule = LearnedRule(("ann", "bob", "cid"), (10**6, 3 * 10**6, -(10**6)), (0, 0, 0), (0.0, 1.0), 60)
    assert rule.decide({"ann": {"x": (3, 0)}, "bob": {"x": (2, 1)}}, 3).model == "bob"
    assert rule.decide({"ann": {"x": (3, 0)}, "cid": {"x": (1, 0)}}, 3).model == "ann"
    assert rule.decide({"cid": {"x": (1, 2)}}, 3)[:2] == ("x", "cid")


@few
@given(recorded())
def test_all_weights_equal_is_one_vote_of_all(case):
    """With w as k and u = 0 the rule is the Agent Forest of `baselines`, ties and all."""
    arrays, _ = case
    rows = [
        Row(question_id=q, model=model, sample_index=i, answer=answer, gold="0")
        for m, model in enumerate(arrays.models)
        for j, q in enumerate(arrays.questions)
        for i, code in enumerate(arrays.codes[m, j, : arrays.of[m]].tolist())
        for answer in [None if code < 0 else str(code)]
    ]
    (forest,) = (row for row in baselines(Recording.of(rows)) if row.name == AGENT_FOREST)
    again = arrays_of(Recording.of(rows))
    of = dict(zip(again.models, again.of.tolist(), strict=True))
    rank = [label for row in baselines(Recording.of(rows)) if row.name == "SLM-MUX" for label in row.models]
    rule = LearnedRule(tuple(rank), tuple(of[m] * 10**6 for m in rank), (0,) * len(rank), (0.0, 1.0), 0)
    assert evaluate(again, rule)[0].tolist() == forest.right.tolist()


def test_nothing_read_decides_nothing():
    """Without any answer there is no ruling, and on arrays nothing is right, with probability 0."""
    rule = LearnedRule(("ann", "bob"), (10**6, 10**6), (0, 0), (5.0, 1.0), 60)
    assert rule.decide({}, 3) is None
    assert rule.decide({"ann": {}}, {"ann": 3, "bob": 1}) is None
    right, probability = evaluate(arrays_from(np.full((2, 3, 2), -1), [0, 0, 0]), rule)
    assert (right.tolist(), probability.tolist()) == ([False] * 3, [0.0] * 3)
    assert [len(of) for of in evaluate(drawn(0), replace(rule, models=("ann", "cid")), [])] == [0, 0]


def test_without_a_calibration_there_is_no_probability():
    """A rule that nothing was learned for decides as ever, and no probability is a number."""
    arrays = drawn(0, questions=20)
    rule = WeightedRule(("ann", "bob", "cid"), (10**6, 10**6, 10**6), (0, 0, 0))
    right, probability = evaluate(arrays, rule)
    said = LearnedRule(rule.models, rule.weights, rule.bonuses, (0.0, 1.0), 20)
    assert right.tolist() == evaluate(arrays, said)[0].tolist()
    assert np.isnan(probability).all()
    assert rule.decide(shares_of(arrays, 0), 5).probability is None


def test_a_stranger_is_refused():
    """A member that the rule does not weigh, or one without a k, is named; so is one without samples."""
    rule = LearnedRule(("ann", "bob"), (10**6, 10**6), (0, 0), (0.0, 1.0), 60)
    with pytest.raises(ArgumentError, match="the rule weighs 'ann', 'bob', and 'zoe' is not one of them"):
        rule.decide({"zoe": {"x": (1, 0)}}, 3)
    with pytest.raises(ArgumentError, match="'bob' is not one of them or has no k"):
        rule.decide({"ann": {"x": (1, 0)}}, {"ann": 3})
    with pytest.raises(ArgumentError, match="the rule weighs 'bob', of which there are no samples; there are ann"):
        evaluate(arrays_from([[[0]]], [0]), rule)


def test_a_probability_is_one_however_sure():
    """Scores beyond what a float's exponential holds give 0 and 1, without a warning."""
    for sign, expected in ((1, 1.0), (-1, 0.0)):
        rule = LearnedRule(("ann", "bob"), (10**10, 10**9), (0, 0), (0.0, float(sign)), 60)
        assert rule.decide({"ann": {"x": (3, 0)}, "bob": {"y": (3, 0)}}, 3).probability == expected


# What is learned


@given(recorded(), st.randoms(use_true_random=False))
def test_the_numbers_of_answers_have_no_part(case, rng):
    """With answers numbered anew the same sums are made in the same order, so that none differs in its last bit."""
    arrays, _ = case
    codes = arrays.codes.copy()
    for q in range(len(arrays.questions)):
        codes[:, q] = np.array([*rng.sample(range(4), 4), -1])[codes[:, q]]
    members, questions = range(len(arrays.models)), np.arange(len(arrays.questions))
    one = AnswerTable.of_arrays(arrays, members, questions)
    other = AnswerTable.of_arrays(replace(arrays, codes=codes), members, questions)
    for name in ("question", "count", "right"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_gradient_is_that_of_the_loss(seed, two_right):
    """Each slope is the difference of two values nearby; the curvature too, where one answer of a question is right."""
    rng = np.random.default_rng(seed)
    arrays = drawn(seed, questions=8)
    if two_right:
        arrays = replace(arrays, right=arrays.codes % 2 == 0)
    choices = AnswerTable.of_arrays(arrays, [0, 1, 2], np.arange(8)).choices()
    assume(choices.starts.size)
    at, prior, ridge, step = rng.normal(size=6), rng.normal(size=6), float(rng.uniform(0.1, 4)), 1e-5
    penalties = np.full(6, ridge)
    _, gradient, curvature = choices.loss(at, prior, penalties)
    for i, off in enumerate(np.eye(6) * step):
        (up, above, _), (down, below, _) = (choices.loss(at + way * off, prior, penalties) for way in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * step), abs=1e-6)
        if not two_right:
            assert curvature[i] == pytest.approx((above - below) / (2 * step), abs=1e-6)
    assert np.linalg.eigvalsh(curvature).min() >= ridge - 1e-9


@few
@given(st.integers(0, 2**32 - 1))
def test_what_is_learned_is_the_least(seed):
    """At the weights found the gradient is nothing, from any start, and where two answers are right too."""
    arrays = drawn(seed, questions=40)
    arrays = replace(arrays, right=arrays.codes % 3 == 0)
    choices = AnswerTable.of_arrays(arrays, [0, 1, 2], np.arange(40)).choices()
    prior = np.array([2.0, 1.5, 1.0, 0.0, 0.0, 0.0])
    penalties = np.full(6, 2.0)
    found = _logit.minimum(lambda weights: choices.loss(weights, prior, penalties), prior)
    assert np.abs(choices.loss(found, prior, penalties)[1]).max() < 1e-5


def test_a_step_too_far_is_halved_and_a_slow_descent_ends():
    """Newton's step alone would leap away from the least of log cosh; with a curvature too large it creeps, and ends."""

    def cosh(x):
        return float(np.logaddexp(x, -x)[0]), np.tanh(x), np.diag(1 - np.tanh(x) ** 2)

    assert _logit.minimum(cosh, np.array([3.0])) == pytest.approx([0.0], abs=1e-9)

    def slow(x):
        return float(x @ x), 2 * x, np.eye(1) * 100

    assert _logit.minimum(slow, np.array([1.0])) == pytest.approx([0.98**50])


def test_known_weights_are_recovered():
    """Where the right answer is drawn by the rule's own softmax, its weights and bonuses come back."""
    truth, bonus = np.array([3.0, 1.0, 0.4]), np.array([0.8, -0.5, 0.0])
    rng = np.random.default_rng(0)
    members, questions, k = 3, 6000, 4
    skew = rng.dirichlet([0.4] * 4, size=(members, questions))
    codes = (rng.random((members, questions, k, 1)) > skew.cumsum(axis=2)[:, :, None, :]).sum(axis=3).clip(max=3)
    share = (codes[..., None] == np.arange(4)).mean(axis=2)
    score = np.einsum("m,mqy->qy", truth, share) + np.einsum("m,mqy->qy", bonus, share == 1)
    score[~(share > 0).any(axis=0)] = -inf
    gold = (score + rng.gumbel(size=score.shape)).argmax(axis=1)
    rule = fit(arrays_from(codes, gold), ridge=0.01)
    places = [rule.models.index(label) for label in LABELS[:members]]
    assert np.array(rule.weights)[places] / 1e6 == pytest.approx(truth, abs=0.25)
    assert np.array(rule.bonuses)[places] / 1e6 == pytest.approx(bonus, abs=0.25)
    assert rule.questions == questions


def reordered(arrays, rng, *, samples):
    """Return the arrays with members, questions and the numbers of answers in another order, and samples where asked."""
    m, q, n = arrays.codes.shape
    members, questions = rng.permutation(m), rng.permutation(q)
    mixed = rng.random((m, q, n)).argsort(axis=2) if samples else np.broadcast_to(np.arange(n), (m, q, n))
    codes = arrays.codes.copy()
    for each in range(q):
        codes[:, each] = np.append(rng.permutation(codes.max() + 1), -1)[codes[:, each]]
    codes, right = (np.take_along_axis(a, mixed, axis=2)[members][:, questions] for a in (codes, arrays.right))
    return questions, replace(
        arrays,
        models=tuple(arrays.models[each] for each in members),
        questions=tuple(arrays.questions[each] for each in questions),
        codes=codes,
        right=right,
        of=arrays.of[members],
        votes=_votes(codes, right, arrays.of[members]),
    )


@few
@given(st.integers(0, 2**32 - 1))
def test_no_order_changes_what_is_learned(seed):
    """Members, questions, samples and the numbers of answers in another order: the same rule, to the last bit."""
    rng = np.random.default_rng(seed)
    arrays = drawn(seed, questions=30)
    rule = fit(arrays)
    assert rule is not None
    _, again = reordered(arrays, rng, samples=True)
    assert fit(again) == rule


@few
@given(st.integers(0, 2**32 - 1))
def test_no_order_changes_what_is_decided(seed):
    """Nor the outcome, to the last bit; only between equal scores the order of a member's samples has a say."""
    rng = np.random.default_rng(seed)
    arrays = drawn(seed, questions=30)
    rule = fit(arrays)
    right, probability = evaluate(arrays, rule)
    for samples in (False, True):
        questions, again = reordered(arrays, rng, samples=samples)
        right_again, probability_again = evaluate(again, rule)
        assert probability_again.tolist() == probability[questions].tolist()
        if not samples:
            assert right_again.tolist() == right[questions].tolist()


@few
@given(st.integers(0, 2**32 - 1))
def test_learning_looks_at_the_chosen_questions_only(seed):
    """What is learned on some questions is what is learned where there are no others."""
    arrays, chosen = drawn(seed, questions=60), np.arange(5, 45)
    alone = replace(
        arrays,
        questions=arrays.questions[5:45],
        codes=arrays.codes[:, 5:45],
        right=arrays.right[:, 5:45],
        votes=arrays.votes.at(chosen),
    )
    assert fit(arrays, chosen) == fit(arrays, chosen[::-1].tolist()) == fit(alone)


def teaching(questions, more=()):
    """Return one member right and one wrong on each question, then more questions: [member's samples, ...]."""
    codes = [[[0, 0]] * questions, [[1, 1]] * questions]
    for ann, bob in more:
        codes[0].append(ann)
        codes[1].append(bob)
    return arrays_from(codes, [0] * len(codes[0]))


def test_too_little_is_not_learned_from():
    """Below FEWEST questions with a right and a wrong answer seen nothing is learned, whatever others there are."""
    idle = [([0, 0], [0, 0]), ([1, 1], [2, 2]), ([-1, -1], [-1, -1])] * 20
    assert fit(teaching(FEWEST - 1, idle)) is None
    assert fit(teaching(FEWEST, idle)).questions == FEWEST + 60
    assert fit(teaching(FEWEST), range(FEWEST - 1)) is None
    assert fit(arrays_from(np.full((2, 30, 2), -1), [0] * 30)) is None
    assert fit(drawn(0), []) is None


def test_the_rank_is_accuracy_and_then_the_label():
    """The member whose vote is more often right stands first; a tie inside a vote counts in shares; equals by label."""
    rule = fit(teaching(FEWEST))
    assert rule.models == ("ann", "bob")
    assert fit(replace(teaching(FEWEST), models=("bob", "ann"))).models == ("bob", "ann")
    # ann is right on half the questions, bob ties between right and wrong on each: equals.
    codes = [[[0, 0], [1, 1]] * FEWEST, [[0, 1], [1, 0]] * FEWEST]
    for labels in (("ann", "bob"), ("bob", "ann")):
        assert fit(arrays_from(codes, [0] * 2 * FEWEST, labels=labels)).models == ("ann", "bob")


@pytest.mark.parametrize("by_odds", [False, True])
def test_with_a_large_ridge_the_weights_are_the_prior(by_odds, monkeypatch):
    """Held fast, weights are 3 accuracy + 0.5 or max(0.3, logit(accuracy) + 1.5) and bonuses 0, as is the calibration."""
    monkeypatch.setattr(_learning, "_chosen_settings", lambda _, ridge: _learning._Settings(ridge, by_odds=by_odds))
    arrays = drawn(3, members=3, questions=60, silent=0)
    rule = fit(arrays, ridge=1e12)
    accuracy = dict(zip(LABELS, arrays_accuracy(arrays), strict=False))
    # Half a question more on either side keeps the logit of 0 and of 1 finite.
    rights = {label: 60 * share for label, share in accuracy.items()}
    odds = {label: log((right + 0.5) / (60 - right + 0.5)) for label, right in rights.items()}
    priors = {label: max(0.3, odds[label] + 1.5) if by_odds else 3 * accuracy[label] + 0.5 for label in LABELS[:3]}
    assert rule.weights == tuple(round(10**6 * priors[label]) for label in rule.models)
    assert rule.bonuses == (0, 0, 0)
    assert rule.calibration == (0.0, 1.0)
    assert all(type(each) is int for each in (*rule.weights, *rule.bonuses))


def arrays_accuracy(arrays):
    """Return [m] the share of questions on which each member's vote is right, ties in shares, counted by hand."""
    found = []
    for m in range(len(arrays.models)):
        total = Fraction(0)
        for q in range(len(arrays.questions)):
            counts = [(arrays.codes[m, q] == code).sum() for code in range(arrays.codes.max() + 1)]
            top = [code for code, count in enumerate(counts) if count == max(counts) > 0]
            total += Fraction(sum(code == 0 for code in top), max(1, len(top)))
        found.append(float(total / len(arrays.questions)))
    return found


def test_answers_in_one_fold_only_are_learned_from():
    """Where every question with an answer is in one fold, the others learn nothing, and all is well."""
    silent = [([-1, -1], [-1, -1])]
    codes = [[], []]
    for q in range(5 * FEWEST):
        ann, bob = ([0, 0], [1, 1]) if q % 5 == 0 else silent[0]
        codes[0].append(ann)
        codes[1].append(bob)
    rule = fit(arrays_from(codes, [0] * 5 * FEWEST))
    assert rule.weights[0] > rule.weights[1]


def test_a_ridge_holds():
    """A ridge of 0, below or no number is refused: nothing would hold the weights of what was never seen."""
    for ridge in (0, -1.0, float("nan")):
        with pytest.raises(ArgumentError, match=f"ridge must be above 0, received {ridge!r}"):
            fit(drawn(0), ridge=ridge)


def test_the_probability_is_of_being_right_at_all():
    """Where all agree and are wrong half the time, the softmax is sure and the probability is a half."""
    rng = np.random.default_rng(0)
    codes = np.zeros((3, 400, 5), dtype=np.int64)
    codes[1, ::4, 0] = 1  # so that some questions teach
    gold = rng.integers(0, 2, 400) * 7
    arrays = arrays_from(codes, gold)
    right, probability = evaluate(arrays, fit(arrays, range(100)), range(100, 400))
    assert np.abs(probability - right.mean()).max() < 0.1


@few
@given(st.integers(0, 2**32 - 1), st.integers(0, 29))
def test_no_question_calibrates_what_it_taught(seed, q):
    """Under fixed settings a question's gold answer has no part in its own log-odds, which teach the calibration."""
    arrays, taken = drawn(seed, questions=30, silent=0), []
    other = arrays.right.copy()
    other[:, q] = arrays.codes[:, q] == 1
    calibrated = _learning.calibrated
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_learning, "calibrated", lambda *given: taken.append(given) or calibrated(*given))
        patched.setattr(_learning, "_chosen_settings", lambda _, ridge: _learning._Settings(ridge))
        fit(arrays)
        fit(replace(arrays, right=other))
    by_fold = [each for fold in range(5) for each in range(fold, 30, 5)]
    place = by_fold.index(q)
    (before, _, _), (after, _, _) = taken
    assert len(before) == 30
    assert before[place] == after[place]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_said_comes_true(seed):
    """On questions not learned on, probabilities are nearer to the truth than confidences are, and a rule pays."""
    arrays = drawn(seed, members=4, questions=1500, answers=2)
    validation, test = np.arange(100), np.arange(100, 1500)
    right, probability = evaluate(arrays, fit(arrays, validation), test)
    votes = arrays.votes.at(test)
    mux = votes.decided_right(in_rank_order(range(4), arrays.votes.right[:, validation].mean(axis=1)))
    assert right.mean() > mux.mean()
    assert expected_calibration_error(probability, right) < 0.08
    assert brier(probability, right) < brier((votes.count / 5).max(axis=0), mux)


def test_five_models_and_500_questions_are_learned_quickly():
    """A fit, penalties and all, takes less than 1 s of its thread, the quickest of some."""
    arrays, took = drawn(0, members=5, questions=500, answers=8), []
    for _ in range(5):
        begun = time.thread_time()
        fit(arrays)
        took.append(time.thread_time() - begun)
    assert min(took) < 1


# How far probabilities are off


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30), st.integers(1, 12))
def test_the_errors_are_plain_sums(said, bins):
    """ECE and Brier score are those of a loop over bins and questions."""
    total = 0.0
    for b in range(bins):
        inside = [(p, r) for p, r in said if (b < p * bins or (b == 0 and p == 0)) and p * bins <= b + 1]
        total += abs(sum(r for _, r in inside) - sum(p for p, _ in inside)) / len(said)
    p, r = zip(*said, strict=True)
    assert expected_calibration_error(p, r, bins) == pytest.approx(total, abs=1e-9)
    assert brier(p, r) == pytest.approx(fmean((p - r) ** 2 for p, r in said))


def test_what_is_sure_and_right_is_off_by_nothing():
    """Certain and right is 0, certain and wrong is 1, and no questions are off by 0."""
    assert (expected_calibration_error([1, 0], [True, False]), brier([1, 0], [True, False])) == (0, 0)
    assert (expected_calibration_error([1, 0], [False, True]), brier([1, 0], [False, True])) == (1, 1)
    assert expected_calibration_error([], []) == 0


# Answers that have a weight of their own


def unsure(questions, *, seed=0, kinds=4):
    """Return two members that often say "unknown", which is never right, on questions with a few answers.

    "unknown" is said most often where it is wrong to trust it: unanimously.
    """
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, kinds, questions)
    knows = rng.random((2, questions)) < 0.5
    silent = rng.random((2, questions)) < 0.35
    codes = np.where(knows, gold, rng.integers(0, kinds, (2, questions)))[:, :, None] + np.zeros(4, dtype=np.int64)
    slips = rng.random(codes.shape) < 0.25
    codes[slips] = rng.integers(0, kinds, codes.shape)[slips]
    codes[silent] = kinds
    texts = (*["mother", "uncle", "nephew", "cousin"][:kinds], "unknown")
    return replace(arrays_from(codes, gold), answers=(texts,) * questions)


def test_an_answer_that_is_never_right_does_not_win():
    """Said unanimously and right never, "unknown" loses to an answer that a member gives now and then."""
    arrays = unsure(600)
    rule = fit(arrays, range(200))
    worth = dict(rule.answers)
    assert worth["unknown"] < min(worth[text] for text in ("mother", "uncle", "nephew", "cousin"))
    right, probability = evaluate(arrays, rule, range(200, 600))
    plain = replace(rule, answers=())
    assert right.mean() > evaluate(arrays, plain, range(200, 600))[0].mean() + 0.1
    assert expected_calibration_error(probability, right) < 0.1
    assert never_right(arrays) == ("unknown",)


def test_open_answers_have_no_weight_of_their_own_but_what_is_never_right_has():
    """Over numbers that seldom recur nothing is learned by heart; "unknown" among them is still found out."""
    arrays = unsure(200)
    texts = tuple((*(f"{q}{y}" for y in range(4)), "unknown") for q in range(200))
    rule = fit(replace(arrays, answers=texts))
    assert [text for text, _ in rule.answers] == ["unknown"]
    assert rule.answers[0][1] < 0
    assert fit(replace(arrays, answers=())).answers == ()


def test_common_answers_are_few_frequent_and_given_on_some_questions():
    """At most 20, only where they cover 70 % of the samples, and none that fewer than five questions have."""
    codes = np.zeros((1, 100, 1), dtype=np.int64)
    codes[0, :4] = 1
    arrays = replace(arrays_from(codes, [0] * 100), answers=(("yes", "no"),) * 100)
    assert common_answers(AnswerTable.of_arrays(arrays, [0], np.arange(100))) == ("yes",)
    wide = replace(arrays, codes=np.arange(100).reshape(1, 100, 1) % 40, answers=(tuple(map(str, range(40))),) * 100)
    assert common_answers(AnswerTable.of_arrays(wide, [0], np.arange(100))) == ()


def test_never_right_is_said_only_where_chance_does_not_explain_it():
    """Where members are seldom right, many questions are needed before an answer is called never right."""
    arrays = unsure(40, seed=1)
    assert never_right(arrays) == ("unknown",)
    assert never_right(arrays, range(5)) == ()
    assert never_right(replace(arrays, right=np.zeros_like(arrays.right))) == ()
    assert never_right(replace(arrays, answers=())) == ()


@few
@given(st.integers(0, 2**32 - 1))
def test_no_order_changes_the_weights_of_answers(seed):
    """Members, questions, samples and the numbers of answers in another order: the same rule, answers included."""
    rng = np.random.default_rng(seed)
    arrays = unsure(40, seed=seed)
    rule = fit(arrays)
    numbers = rng.permutation(5)
    codes = numbers[arrays.codes]
    texts = tuple(np.array(arrays.answers[0])[np.argsort(numbers)].tolist())
    again = replace(
        arrays, codes=codes[::-1], right=arrays.right[::-1], models=arrays.models[::-1], answers=(texts,) * 40
    )
    assert fit(again) == rule


def test_an_answer_has_one_text_live_and_recorded():
    """As JSON in a recording without keys, with a key, and in other capitals an answer has one weight."""
    rule = WeightedRule(("a", "b"), (10**6, 10**6), (0, 0), answers=(("unknown", -9 * 10**6),))
    for unknown in (
        Answer("Unknown", "recorded", '"Unknown"'),
        Answer("unknown", "text", "unknown"),
        "unknown",
    ):
        assert rule.decide({"a": {unknown: (3, 0)}, "b": {"mother": (1, 0)}}, 3).answer == "mother"
    assert text_of(Answer("1,234", "number", "1234")) == "1234"
    assert text_of(Answer({"a": 1}, "json", '{"a":1}')) == '{"a":1}'


# On real samples


@pytest.fixture(scope="module")
def real():
    path = os.environ.get("SLMMUX_TEST_RECORDING")
    if not path:
        pytest.skip("SLMMUX_TEST_RECORDING names no recording; set it to a .jsonl.gz to learn from real samples")
    recording = Recording.load(path)
    return arrays_of(recording, [model for model in recording.models if model != "claude-instant-1"], 5, score="exact")


@pytest.mark.full
@pytest.mark.parametrize(
    ("size", "validation", "splits", "least"),
    [(3, 60, 2, 0.006), (5, 60, 2, 0.006), (3, 30, 4, 0.0013)],
)
def test_it_pays_on_real_samples(real, size, validation, splits, least):
    """25 random pools, some splits: better than the single model and Algorithm 1 by half of what was measured, or more.

    Over ten draws of 4 splits with 60 validation questions learned - single was 2.5 +- 0.4 points (five models: 2.7 +- 0.5),
    learned - Algorithm 1 1.2 +- 0.1 (1.6 +- 0.4), the pools below the single model 4 to 20 %, and the calibration error
    0.079 +- 0.005 against 0.35 of raw confidence. With 30 validation questions the draw of this test gives 0.3 points over
    the better of Algorithm 1 and one vote.
    """
    from bench.learned import outcomes, share_below_single

    found = outcomes(real, size, 25, splits, validation)
    every = [outcome for pool in found for outcome in pool]
    mean = {name: fmean(getattr(outcome, name) for outcome in every) for name in ("single", "mux", "pooled", "learned")}
    assert mean["learned"] - mean["single"] > 0.012
    assert mean["learned"] - max(mean["mux"], mean["pooled"]) > least
    assert share_below_single(found, "learned") <= min(0.2, share_below_single(found, "mux"))
    for i, most in enumerate((0.1, 0.22)):  # expected calibration error, Brier score
        assert fmean(outcome.said[i] for outcome in every) < most
        assert fmean(outcome.raw[i] for outcome in every) > 0.3
