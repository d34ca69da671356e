"""The selection against its definitions, recounted in plain Python; what is held out, and what is said of it."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmmux import ArgumentError, Recording, RecordingError, Row, Selection, replay, select_complementary
from slmmux.recording._arrays import arrays_of
from slmmux.selection import _pool
from slmmux.selection._held_out import held_out, in_rank_order
from slmmux.selection._verdict import _more_questions
from tests.lengths import examples
from tests.pydantic_words import worded


def recorded(said, golds=None, **settings):
    """Make a recording of {model: [the samples' answers, a text a question]}; gold is the question's number."""
    rows = [
        Row(
            question_id=f"q{q}",
            model=model,
            sample_index=i,
            answer=None if answer == "-" else answer,
            gold=golds[q] if golds else str(q),
        )
        for model, questions in said.items()
        for q, answers in enumerate(questions)
        for i, answer in enumerate(answers)
    ]
    return Recording.of(rows, settings)


@st.composite
def pools(draw):
    models = draw(st.integers(1, 5))
    questions = draw(st.integers(1, 6))
    k = draw(st.integers(1, 3))
    letters = st.text(alphabet="0123-", min_size=k, max_size=k)
    said = {f"m{m}": [draw(letters) for _ in range(questions)] for m in range(models)}
    if draw(st.booleans()):
        said["clone"] = said["m0"]
    return recorded(said, golds=[draw(st.sampled_from("01")) for _ in range(questions)])


def recount(recording, members, correct, penalty):
    """Return (objective, union, contradiction, floor, ceiling) of a subset, by the definitions."""
    union = contradiction = sure = disputed = ceiling = 0
    for by_model in recording.by_question.values():
        right, wrong, unanimous, voted = [], [], [], []
        for model in members:
            rows = by_model[model]
            said = [row.answer for row in rows]
            gold = rows[0].gold
            given = [a for a in said if a is not None]
            top = max(given, key=lambda a: (given.count(a), -said.index(a)), default=None)
            all_one = top is not None and said.count(top) == len(said)
            voted.append(top == gold)
            unanimous.append(all_one and top == gold)
            wrong.append(all_one and top != gold)
            right.append(
                {"unanimous": unanimous[-1], "plurality": voted[-1]}.get(correct, said.count(gold) >= int(correct[-1]))
                if correct.startswith("at_least")
                else {"unanimous": unanimous[-1], "plurality": voted[-1]}[correct]
            )
        union += any(right)
        contradiction += any(right) and any(wrong)
        sure += any(unanimous)
        disputed += any(unanimous) and any(wrong)
        ceiling += any(voted)
    return union - Fraction(str(penalty)) * contradiction, union, contradiction, sure - disputed, ceiling


@settings(max_examples=examples(150))
@given(
    pools(),
    st.sampled_from(["unanimous", "plurality", "at_least:1", "at_least:2"]),
    st.sampled_from([0, 0.1, 0.5, 1.0, 2]),
)
def test_every_subset_is_counted_and_ordered_as_defined(recording, correct, penalty):
    """All subsets, with their figures, in the order objective, union, fewer models, names: recounted one by one."""
    pool = sorted(recording.models)
    every = [c for size in range(1, len(pool) + 1) for c in combinations(pool, size)]
    figures = {members: recount(recording, members, correct, penalty) for members in every}
    expected = sorted(every, key=lambda c: (-figures[c][0], -figures[c][1], len(c), c))
    selection = select_complementary(
        recording, range(1, len(pool) + 1), penalty, correct, keep=1000, folds=2, repeats=1
    )
    assert [tuple(sorted(subset.models)) for subset in selection.ranking] == expected
    questions = len(recording.questions)
    for subset in selection.ranking:
        counted = figures[tuple(sorted(subset.models))]
        got = (subset.objective, subset.union, subset.contradiction, subset.floor, subset.ceiling)
        assert got == pytest.approx([float(c / questions) for c in counted])
    assert selection.best == selection.ranking[0]
    assert all(selection.proved.values())


@settings(max_examples=examples(100))
@given(pools())
def test_algorithm_1_lies_between_floor_and_ceiling(recording):
    """The replayed accuracy of every subset is Algorithm 1's, at least its floor and at most its ceiling."""
    selection = select_complementary(recording, keep=1000, folds=2, repeats=1)
    for subset in selection.ranking:
        decisions = replay(recording, subset.models)
        golds = {q: rows[subset.models[0]][0].gold for q, rows in recording.by_question.items()}
        right = sum(decision.winner.answer == golds[q] for q, decision in decisions.items())
        assert subset.accuracy == pytest.approx(right / len(golds))
        assert subset.floor <= subset.accuracy + 1e-9
        assert subset.accuracy <= subset.ceiling + 1e-9


@settings(max_examples=examples(60))
@given(pools())
def test_samples_by_plan_are_those_a_race_asks_for(recording):
    """Expected samples: all of them for "parallel", those a replayed cascade asks, and the paper's first-round stop."""
    for subset in select_complementary(recording, keep=1000, folds=2, repeats=1).ranking:
        k = sum(max(len(rows[m]) for rows in recording.by_question.values()) for m in subset.models)
        assert subset.samples["parallel"] == k
        cascade = replay(recording, subset.models, plan="cascade")
        # Asked is a member's whole k, though what is settled on the way is cancelled.
        asked = [sum(vote.of for vote in decision.votes if vote.unused < vote.of) for decision in cascade.values()]
        assert subset.samples["cascade"] == pytest.approx(np.mean(asked))
        firsts = [{rows[m][0].answer for m in subset.models} for rows in recording.by_question.values()]
        if "adaptive" in subset.samples:
            one_by_one = replay(recording, subset.models, plan="adaptive")
            used = [k - len(decision.unused) for decision in one_by_one.values()]
            assert subset.samples["adaptive"] == pytest.approx(np.mean(used))
        early = [len(subset.models) if len(said) == 1 and None not in said else k for said in firsts]
        assert subset.samples["first_round"] == pytest.approx(np.mean(early))


def test_tokens_are_counted_and_the_cheaper_of_equals_is_better():
    """Of two clones the one that took fewer tokens comes first, whatever their names."""
    rows = [
        Row(question_id="q", model=m, sample_index=i, answer="1", gold="1", input_tokens=cost, output_tokens=1)
        for m, cost in (("a", 9), ("b", 4))
        for i in range(2)
    ]
    selection = select_complementary(Recording.of(rows), sizes=[1, 2])
    assert [subset.models for subset in selection.ranking] == [("b",), ("a",), ("a", "b")]
    assert selection.by_size[2].tokens == {"parallel": 30.0, "cascade": 20.0, "first_round": 15.0, "adaptive": 20.0}
    assert select_complementary(recorded({"a": ["00"]})).best.tokens is None


def test_the_rank_is_the_accuracy_of_the_vote_then_the_order_recorded():
    """Members of a subset stand best first, equal ones as they were recorded."""
    selection = select_complementary(recorded({"b": ["9", "1"], "a": ["0", "9"], "c": ["0", "1"]}), sizes=[3])
    assert selection.best.models == ("c", "b", "a")
    assert {m: p.accuracy for m, p in selection.models.items()} == {"b": 0.5, "a": 0.5, "c": 1.0}
    assert selection.single.models == ("c",)


@settings(max_examples=30, deadline=None)
@given(pools(), st.integers(2, 4), st.integers(1, 3), st.integers(0, 5))
def test_what_is_held_out_never_sees_the_test_fold(recording, folds, repeats, seed):
    """The chooser gets the other folds only, each question is tested once a repeat, and one seed gives one figure."""
    votes = arrays_of(recording).votes
    _, questions = votes.count.shape
    seen = []

    def choose(train):
        seen.append(train)
        return [0]

    estimate = held_out(votes, choose, folds=folds, repeats=repeats, seed=seed, n_resamples=2)
    if questions < 2:
        assert estimate is None
        return
    parts = min(folds, questions)
    assert len(seen) == parts * repeats + 2
    assert all(len({*half.tolist()}) == len(half) == questions // 2 for half in seen[-2:]), "halves, none twice"
    for r in range(repeats):
        tested = np.concatenate([np.setdiff1d(np.arange(questions), t) for t in seen[r * parts : (r + 1) * parts]])
        assert sorted(tested) == list(range(questions))
    assert estimate.accuracy == pytest.approx(votes.right[0].mean())
    assert estimate.gain == pytest.approx(estimate.accuracy - estimate.single)
    assert estimate.low <= estimate.gain <= estimate.high, "no gain is above 1"
    assert estimate.low < estimate.high
    assert held_out(votes, choose, folds=folds, repeats=repeats, seed=seed, n_resamples=2) == estimate
    plain = held_out(votes, choose, folds=folds, repeats=repeats, seed=seed)
    assert plain == replace(estimate, low=None, high=None, n_resamples=0), "the interval changes no estimate"
    assert plain.interval is None


def test_held_out_ranks_and_chooses_by_the_other_folds():
    """With a model that is right on a half and another on the other half, choosing the better one always loses.

    Held out, the one chosen is right nowhere, though in-sample each has half.
    """
    votes = arrays_of(recorded({"a": ["0", "9"], "b": ["9", "1"]})).votes
    estimate = held_out(votes, lambda train: [int(votes.right[:, train].sum(1).argmax())], folds=2, repeats=3, seed=0)
    assert (estimate.accuracy, estimate.single, estimate.gain) == (0.0, 0.0, 0.0)
    assert in_rank_order([1, 0], np.array([0.5, 0.5])) == [0, 1]


def test_a_choice_that_would_cost_more_than_the_search_is_by_beam_and_says_so(monkeypatch):
    """Where exact searches in all folds would take too long, a beam search chooses there; figure and verdict say so."""
    recording = recorded({"abcdef"[m]: [2 * "123456789"[(q * m) % 7] for q in range(30)] for m in range(6)}, ["1"] * 30)
    options = {"sizes": [1, 3], "n_resamples": 2, "rule": "pooled", "repeats": 2}
    exact = select_complementary(recording, **options)
    assert {estimate.search for s in exact.by_size.values() for estimate in (s.held_out, *s.contest.values())} == {
        "exact"
    }
    assert "beam" not in exact.verdict
    monkeypatch.setattr(_pool, "_MOST_WORDS", 10)
    quick = select_complementary(recording, **options)
    assert {size: subset.held_out.search for size, subset in quick.by_size.items()} == {1: "exact", 3: "beam"}
    assert {estimate.search for estimate in quick.by_size[3].contest.values()} == {"beam"}
    assert "for size 3 the held-out figures are of models that a beam search chose in each fold" in quick.verdict
    assert quick.ranking[0].models == exact.ranking[0].models, "on all questions the search is exact all the same"
    assert (quick.by_size[3].held_out.folds, quick.by_size[3].held_out.repeats) == (5, 2), "none is left out"


def test_out_of_time_the_selection_states_what_may_exist(tmp_path):
    """Without time for a proof the verdict gives the best objective and the most that any can have; the file too."""
    rng = np.random.default_rng(0)
    answers = {f"m{m:02}": ["1" if right else "2" for right in rng.random(200) < 0.5] for m in range(40)}
    told = []
    recording = recorded(answers, ["1"] * 200)
    options = {"sizes": [5], "n_resamples": 0, "repeats": 1, "keep": 3}
    late = select_complementary(recording, time_limit=0.0, closing=lambda *state: told.append(state), **options)
    assert late.proved == {5: False}
    assert late.bounds[5] >= late.best.objective
    assert (
        f"not proved within the time for size 5: the best subset has an objective of {100 * late.best.objective:.1f} %,"
        f" and none has more than {100 * late.bounds[5]:.1f} %" in late.verdict
    )
    late.save(tmp_path / "selection.json")
    assert Selection.load(tmp_path / "selection.json").bounds == late.bounds


def test_the_bound_closes_until_it_is_the_proof():
    """The most that a subset can have falls and never below the best one; at the end they are one."""
    rng = np.random.default_rng(1)
    answers = {f"m{m:02}": ["1" if right else "2" for right in rng.random(90) < 0.1 + m / 60] for m in range(25)}
    told = []
    options = {"sizes": [5], "n_resamples": 0, "repeats": 1, "keep": 1}
    selection = select_complementary(
        recorded(answers, ["1"] * 90), closing=lambda *state: told.append(state), **options
    )
    assert selection.proved == {5: True}
    assert selection.bounds[5] == pytest.approx(selection.ranking[0].objective)
    assert told
    assert {size for size, _, _ in told} == {5}
    assert [bound for _, _, bound in told] == sorted((bound for _, _, bound in told), reverse=True)
    assert all(best <= selection.ranking[0].objective <= bound + 1e-12 for _, best, bound in told)


def mux_of(answers, questions=60):
    """Record a pool of models that are all sure or all unsure of each question, as `answers(model, q)` says."""
    return recorded({m: [answers(m, q) for q in range(questions)] for m in "abc"}, golds=["1"] * questions)


def test_the_verdict_says_to_mux_where_models_complete_each_other():
    """Each model knows its own third and is unsure of the rest: the mux is right everywhere, and the verdict says so."""
    selection = select_complementary(mux_of(lambda m, q: "11" if q % 3 == "abc".index(m) else "23"))
    assert selection.best.models in {("a", "b", "c"), ("b", "a", "c")}
    assert selection.verdict.startswith("mux a + b + c: better than model a alone (100.0 % against ")
    assert "held out" in selection.verdict
    assert (selection.recommendation, selection.more_questions) == ("mux", None)


def test_the_verdict_says_not_to_mux_where_one_model_dominates():
    """One model is right but unsure, the others wrong and sure: the mux loses, and the verdict says by how much."""
    recording = mux_of(lambda m, q: ("112" if q % 2 else "111") if m == "a" else "222")
    selection = select_complementary(recording, sizes=[2, 3])
    assert selection.verdict.startswith("do not mux: model a alone is better than ")
    assert "against 100.0 %, -" in selection.verdict
    assert (selection.recommendation, selection.more_questions) == ("do not mux", None)


def test_no_difference_on_few_questions_is_not_proof_of_none():
    """Members that never part gain nothing on 60 questions, which does not show that they never will; 600 do."""
    few, many = (
        select_complementary(mux_of(lambda m, q: "11" if q % 2 else "22", questions), sizes=[2], repeats=2)
        for questions in (60, 600)
    )
    assert few.recommendation == "cannot tell yet"
    assert few.verdict.startswith("cannot tell yet whether a + b is better than model a alone: about ")
    assert many.recommendation == "do not mux"
    assert "less than 1 point worse" in many.verdict
    assert few.by_size[2].held_out.low < 0 < few.by_size[2].held_out.high


def test_members_that_never_part_need_about_as_many_questions_as_are_named():
    """Without any difference the interval narrows with the number of questions itself: half do not tell, twice do."""

    def alike(questions):
        recording = mux_of(lambda m, q: "11" if q % 2 else "22", questions)
        return select_complementary(recording, sizes=[2], repeats=2)

    total = 60 + alike(60).more_questions
    assert [alike(n).recommendation for n in (total // 2, 2 * total)] == ["cannot tell yet", "do not mux"]


def test_worth_is_the_gain_below_which_a_mux_does_not_pay():
    """The same interval says "do not mux" for a gain that is asked for, and cannot tell for a smaller one."""
    recording = mux_of(lambda m, q: "11" if q % 2 else "22", 300)
    high = select_complementary(recording, sizes=[2], repeats=2).by_size[2].held_out.high
    for worth, recommendation in ((high + 0.001, "do not mux"), (high - 0.001, "cannot tell yet")):
        options = {"sizes": [2], "repeats": 2, "worth": worth}
        assert select_complementary(recording, **options).recommendation == recommendation


def test_the_number_of_questions_that_would_tell_does():
    """With so many more questions alike, the verdict is there; a gain at the very border would take too many."""
    lucky = mux_of(lambda m, q: "11" if (m == "a" and q % 10 < 6) or (m == "b" and q % 10 in {0, 7}) else "23", 40)
    selection = select_complementary(lucky, sizes=[2])
    assert selection.recommendation == "cannot tell yet"
    questions = 40 + selection.more_questions
    more = mux_of(
        lambda m, q: "11" if (m == "a" and q % 10 < 6) or (m == "b" and q % 10 in {0, 7}) else "23", questions
    )
    assert select_complementary(more, sizes=[2], repeats=2).recommendation == "mux"
    assert f"about {selection.more_questions} more questions would" in selection.verdict
    assert _more_questions(0.005, 0.06, 60, 0.01) == 620
    assert _more_questions(0.0, 0.5, 6_000, 0.0) is None


def test_the_verdict_says_when_it_cannot_tell():
    """Nothing held out, no mux looked at and no interval are each said so, in the words that all verdicts begin with."""
    one = select_complementary(recorded({"a": ["00"], "b": ["00"]}))
    assert one.verdict.startswith("cannot tell yet: too few questions")
    alone = select_complementary(recorded({"a": ["0", "1"]}))
    assert alone.verdict.startswith("cannot tell yet: no mux was looked at")
    plain = select_complementary(mux_of(lambda m, q: "11" if q % 3 == "abc".index(m) else "23"), n_resamples=0)
    assert plain.verdict.startswith("cannot tell yet: a + b + c has 100.0 % against ")
    assert "without an interval; ask for one with n_resamples=50" in plain.verdict
    assert {each.recommendation for each in (one, alone, plain)} == {"cannot tell yet"}


def test_resamples_are_counted_for_whoever_waits():
    """Progress is called after each resample, of all sizes, up to the number of all."""
    calls = []
    recording = mux_of(lambda m, q: "11" if q % 3 == "abc".index(m) else "23", 20)
    select_complementary(
        recording, sizes=[1, 2], repeats=1, n_resamples=3, progress=lambda count, total: calls.append((count, total))
    )
    assert calls == [(n, 6) for n in range(1, 7)]


def test_answers_that_are_common_and_never_right_are_named():
    """An answer common and right on none stands in the selection; a right one and a number do not."""
    recording = recorded({"a": ["?" * 2 if q % 3 else "11" for q in range(60)], "b": ["12"] * 60}, golds=["1"] * 60)
    assert select_complementary(recording, n_resamples=0, repeats=1).never_right == ("?",)
    assert select_complementary(mux_of(lambda m, q: "11"), n_resamples=0, repeats=1).never_right == ()


def test_a_selection_without_the_newer_fields_is_read(tmp_path):
    """A file from before there were recommendations loads; what it does not say is `None` or empty."""
    plain = select_complementary(mux_of(lambda m, q: "11" if q % 3 == "abc".index(m) else "23"), repeats=1)
    file = tmp_path / "selection.json"
    plain.save(file)
    loaded = json.loads(file.read_text())
    for name in ("recommendation", "more_questions", "never_right"):
        del loaded["selection"][name]
    for subset in loaded["selection"]["by_size"].values():
        del subset["held_out"]["n_resamples"]
    file.write_text(json.dumps(loaded))
    old = Selection.load(file)
    assert (old.recommendation, old.more_questions, old.never_right) == (None, None, ())
    assert old.by_size[2].held_out.gain == plain.by_size[2].held_out.gain


def test_saved_and_loaded_it_is_the_same(tmp_path):
    """A selection that was saved is the selection that is loaded, settings and sizes included."""
    recording = recorded(
        {"a": ["00", "19"], "b": ["99", "11"]},
        extract="auto",
        agreement="canonical",
        system_prompt="short",
        models={"a": {"temperature": 0.7}},
    )
    selection = select_complementary(recording)
    assert (selection.extractor, selection.system_prompt) == ("auto", "short")
    assert selection.models["a"].settings == {"temperature": 0.7}
    file = tmp_path / "selection.json"
    selection.save(file)
    assert Selection.load(file) == selection
    assert json.loads(file.read_text())["slmmux_selection"] == 1


@pytest.mark.parametrize(
    ("text", "what"), [("{}", "slmmux_selection: <missing>"), ("[", "the file: <json_invalid error=>")]
)
def test_a_file_that_is_no_selection_is_said_to_be_none(tmp_path, text, what):
    """Whatever else a file holds, the error names it and says what makes one."""
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(ArgumentError, match=f"is no selection: {worded(what)}.*slmmux select"):
        Selection.load(file)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sizes": [3]}, r"sizes holds 3, but the pool has 2 models; ask for at most 2"),
        ({"sizes": []}, r"sizes is empty"),
        ({"sizes": [0]}, r"sizes holds 0; a size is a whole number of models, at least 1"),
        ({"sizes": ["2"]}, r"sizes holds '2'"),
        ({"penalty": -1}, r"penalty must be a number of at least 0, received -1; the paper's is 1"),
        ({"penalty": float("nan")}, r"penalty must be a number"),
        ({"correct": "mostly"}, r"correct must be \"unanimous\", \"plurality\" or \"at_least:2\" .* received 'mostly'"),
        ({"correct": "at_least:0"}, r"received 'at_least:0'"),
        ({"keep": 0}, r"keep must be at least 1, received 0"),
        ({"folds": 1}, r"folds must be at least 2, received 1"),
        ({"repeats": 0}, r"repeats must be at least 1, received 0"),
        ({"n_resamples": 1}, r"n_resamples must be a whole number of at least 2, or 0 for no interval, received 1"),
        ({"n_resamples": -3}, r"received -3; 50 is usual"),
        ({"worth": 1}, r"worth must be a share of at least 0 and below 1, received 1; for a point write 0.01"),
        ({"samples": 3}, r"samples=3 for 'a', but only 2 were recorded"),
    ],
)
def test_bad_input_gets_a_sentence(options, sentence):
    """What was wrong, what was found, what to write instead."""
    with pytest.raises(ArgumentError, match=sentence):
        select_complementary(recorded({"a": ["00"], "b": ["00"]}), **options)


def test_the_default_sizes_are_clipped_and_an_empty_recording_is_refused():
    """A pool of two has no subsets of three, silently; a recording without samples is an error."""
    assert list(select_complementary(recorded({"a": ["00"], "b": ["00"]})).by_size) == [1, 2]
    with pytest.raises(RecordingError, match="the recording holds no samples; record a pool first"):
        select_complementary(Recording.of([]))


@pytest.mark.parametrize(("failed", "says"), [(0, False), (1, False), (2, True)])
def test_a_selection_on_many_failures_says_so(failed, says):
    """If more than 1 % of a model's samples failed, the verdict names the model, the share and the remedy."""
    rows = [
        Row(
            question_id=f"q{q}", model=model, sample_index=i, gold="4", answer=None if fails else "4",
            error="TimeoutError: slow" if fails else None,
        )
        for model in ("a", "b")
        for q in range(50)
        for i in range(2)
        for fails in [model == "a" and q < failed and i == 0]
    ]  # fmt: skip
    verdict = select_complementary(Recording.of(rows), sizes=[1, 2], n_resamples=0).verdict
    assert (f"{failed} of 100 samples of a" in verdict and "--retry-failed" in verdict) is says
