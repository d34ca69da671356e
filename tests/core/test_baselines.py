"""Every baseline equals a plain count over the same rows."""

import os
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import algorithm_1, most_frequent

from slmmux import ArgumentError, Recording, RecordingError, Row, replay
from slmmux.baselines import (
    AGENT_FOREST,
    BEST_SELF_CONSISTENCY,
    BEST_SINGLE,
    FIRST_ROUND,
    MEAN_SINGLE,
    MUX,
    ORACLE_SAMPLE,
    ORACLE_VOTE,
    SELF_CONSISTENCY,
    SINGLE,
    baselines,
)

GOLD = "x"


def recording_of(tables, settings=None):
    return Recording.of(
        (
            Row(question_id=f"q{q}", model=model, sample_index=i, answer=answer, gold=GOLD)
            for q, table in enumerate(tables)
            for model, answers in table.items()
            for i, answer in enumerate(answers)
        ),
        settings,
    )


def of_sizes(sizes):
    answer = st.sampled_from(["x", "y", "z", None])
    question = st.tuples(*(st.lists(answer, min_size=n, max_size=n) for n in sizes))
    return st.lists(question.map(lambda members: dict(zip("abc", members, strict=False))), min_size=1, max_size=5)


tables_drawn = st.lists(st.integers(1, 4), min_size=1, max_size=3).flatmap(of_sizes)


def mean(values):
    values = list(values)
    return Fraction(sum(values)) / len(values)


def single(tables, model):
    return [mean(answer == GOLD for answer in table[model]) for table in tables]


def consistent(tables, model):
    return [most_frequent(table[model])[1] == GOLD for table in tables]


def mux_right(tables, rank):
    decisions = [algorithm_1({model: table[model] for model in rank}) for table in tables]
    return [decision is not None and decision[1] == GOLD for decision in decisions]


def plain_rows(tables):
    """Return [(name, models, samples, right by question)], each row written out over the answers."""
    labels = list(tables[0])
    rank = sorted(labels, key=lambda model: -sum(consistent(tables, model)))
    every = {model: len(tables[0][model]) for model in labels}
    best = max(rank, key=lambda model: mean(single(tables, model)))  # max returns the first of equals
    pooled = [[answer for model in rank for answer in table[model]] for table in tables]
    firsts = [{table[model][0] for model in rank} for table in tables]
    stops = [len(first) == 1 and first != {None} for first in firsts]
    after = zip(stops, firsts, mux_right(tables, rank), strict=True)
    k = sum(every.values())
    return [
        (MEAN_SINGLE, rank, 1, [mean(of) for of in zip(*(single(tables, m) for m in rank), strict=True)]),
        *[(SINGLE, [model], 1, single(tables, model)) for model in rank],
        (BEST_SINGLE, [best], 1, single(tables, best)),
        *[(SELF_CONSISTENCY, [model], every[model], consistent(tables, model)) for model in rank],
        (BEST_SELF_CONSISTENCY, rank[:1], every[rank[0]], consistent(tables, rank[0])),
        (AGENT_FOREST, rank, k, [most_frequent(answers)[1] == GOLD for answers in pooled]),
        (
            FIRST_ROUND,
            rank,
            mean(len(rank) if stop else k for stop in stops),
            [first == {GOLD} if stop else mux for stop, first, mux in after],
        ),
        (MUX, rank, k, mux_right(tables, rank)),
        (ORACLE_VOTE, rank, k, [any(of) for of in zip(*(consistent(tables, m) for m in rank), strict=True)]),
        (ORACLE_SAMPLE, rank, k, [GOLD in answers for answers in pooled]),
    ]


@given(tables_drawn)
def test_each_row_is_a_plain_count(tables):
    """Names, members, cost, accuracy and each question's share equal the plain count, in the same order."""
    rows, expected = baselines(recording_of(tables)), plain_rows(tables)
    assert [(row.name, row.models) for row in rows] == [(name, tuple(models)) for name, models, _, _ in expected]
    for row, (_, _, samples, right) in zip(rows, expected, strict=True):
        assert row.samples == pytest.approx(float(samples))
        assert row.right == pytest.approx([float(share) for share in right])
        assert row.accuracy == pytest.approx(float(mean(right)))


@given(tables_drawn)
def test_the_mux_is_replay_scored_row_by_row(tables):
    """SLM-MUX is right exactly if `replay`, with the members in the row's order, returns the gold answer."""
    recording = recording_of(tables)
    (mux,) = (row for row in baselines(recording) if row.name == MUX)
    decided = [decision.winner.answer == GOLD for decision in replay(recording, mux.models).values()]
    assert mux.right.tolist() == decided


@given(tables_drawn)
def test_no_choice_between_votes_beats_the_union(tables):
    """On each question mux and self-consistency are at most any vote, and any vote at most any sample."""
    rows = baselines(recording_of(tables))
    (vote,), (sample,) = ([row.right for row in rows if row.name == name] for name in (ORACLE_VOTE, ORACLE_SAMPLE))
    for row in rows:
        assert ((row.right >= 0) & (row.right <= 1)).all()
        if row.name in {MUX, SELF_CONSISTENCY, BEST_SELF_CONSISTENCY}:
            assert (row.right <= vote).all()
        assert (row.right <= np.ceil(sample)).all()


@given(of_sizes([3]))
def test_one_model_is_its_own_self_consistency(tables):
    """With one member the mux, Agent Forest and the union equal its vote, and the best single sample the mean."""
    rows = {row.name: row for row in baselines(recording_of(tables))}
    for name in (MUX, AGENT_FOREST, ORACLE_VOTE, BEST_SELF_CONSISTENCY):
        assert rows[name].right.tolist() == rows[SELF_CONSISTENCY].right.tolist()
    assert rows[BEST_SINGLE].accuracy == rows[MEAN_SINGLE].accuracy == rows[SINGLE].accuracy


def by_name(tables, **options):
    return {row.name: row for row in baselines(recording_of(tables), **options)}


def test_equal_counts_in_the_forest_fall_to_the_first_by_rank():
    """If x and y occur twice each, the better-ranked member's first sample wins, then the lower index."""
    ranked_b = {"a": "zzz", "b": "xxx"}  # a second question, which ranks b first
    assert by_name([{"a": "yyz", "b": "xxq"}, ranked_b])[AGENT_FOREST].right.tolist() == [1, 1]
    assert by_name([{"a": "xxz", "b": "yyq"}, ranked_b, ranked_b])[AGENT_FOREST].right.tolist() == [0, 1, 1]
    assert by_name([{"a": "zyx", "b": "xqy"}, ranked_b])[AGENT_FOREST].right.tolist() == [1, 1]


def test_the_first_round_ends_only_if_all_agree():
    """Agreement ends a question after one sample each, right or wrong; else Algorithm 1 goes on."""
    tables = [
        {"a": ["y", "x", "x"], "b": ["y", "x", "x"]},  # agreed, and wrong: what two more would have put right
        {"a": ["x", "y", "y"], "b": ["x", "y", "y"]},  # agreed, and right
        {"a": [None, "x", "x"], "b": ["x", "x", "x"]},
        {"a": [None, "x", "x"], "b": [None, "x", "x"]},
    ]
    rows = by_name(tables)
    assert rows[FIRST_ROUND].right.tolist() == [0, 1, 1, 1]
    assert rows[MUX].right.tolist() == [1, 0, 1, 1]
    assert (rows[FIRST_ROUND].samples, rows[MUX].samples) == ((2 + 2 + 6 + 6) / 4, 6)


def test_the_rank_is_by_self_consistency_and_then_as_given():
    """The better voter ranks first; equal ones keep the order of `models`, or of the recording."""
    better_last = [{"a": "xy", "b": "yx", "c": "xx"}, {"a": "yy", "b": "xx", "c": "xx"}]
    assert by_name(better_last)[MUX].models == ("c", "a", "b")
    assert by_name(better_last, models=["b", "a", "c"])[MUX].models == ("c", "b", "a")
    assert by_name(better_last, models=["b", "a"])[MUX].models == ("b", "a")
    many = {f"m{i}": ["xyz"[i % 3]] for i in range(60)}
    right_first = [model for model, (answer,) in many.items() if answer == GOLD]
    assert list(by_name([many])[MUX].models) == right_first + [model for model in many if model not in right_first]


def test_the_best_single_sample_is_not_the_best_vote():
    """The best member by single sample and the best by vote may differ; each row names its own."""
    rows = by_name(
        [{"a": "xxx", "b": "xxy"}, {"a": "yyy", "b": "xxy"}, {"a": "xxx", "b": "yyy"}, {"a": "xxy", "b": "xxy"}]
    )
    assert rows[BEST_SELF_CONSISTENCY].models == ("a",)
    rows = by_name([{"a": "xxyzw", "b": "xxxxx"}, {"a": "xxyzw", "b": "yyyyx"}])
    assert (rows[BEST_SELF_CONSISTENCY].models, rows[BEST_SINGLE].models) == (("a",), ("b",))


def test_k_is_the_first_samples_and_may_differ_by_member():
    """k is one for all or one by label, as in replay; samples beyond it are ignored."""
    tables = [{"a": "yyxx", "b": "zzz"}]
    rows = by_name(tables, samples=2)
    assert (rows[ORACLE_SAMPLE].accuracy, rows[MUX].samples) == (0, 4)
    rows = by_name(tables, samples={"a": 4, "b": 1})
    assert (rows[ORACLE_SAMPLE].accuracy, rows[MUX].samples, rows[MEAN_SINGLE].accuracy) == (1, 5, 0.25)


def test_in_sample_rows_are_marked():
    """Rows whose model or rank was chosen on these questions are marked; plain counts are not."""
    marked = {row.name for row in baselines(recording_of([{"a": "xy", "b": "yy"}])) if row.in_sample}
    assert marked == {BEST_SINGLE, BEST_SELF_CONSISTENCY, AGENT_FOREST, FIRST_ROUND, MUX}


def test_rows_are_compared_without_their_questions():
    """Two tables of one recording are equal and hashable, and the repr of a row is short."""
    tables = [{"a": "xy", "b": "yy"}] * 3
    assert baselines(recording_of(tables)) == baselines(recording_of(tables))
    assert len({*baselines(recording_of(tables))} | {*baselines(recording_of(tables))}) == 12
    assert "right=" not in repr(baselines(recording_of(tables)))


def test_answers_compared_in_pairs_leave_out_two_rows():
    """Without `same`, rows that compare answers of two models are left out; the others stay."""
    tables = [{"a": "xy", "b": "yx"}]
    names = [row.name for row in baselines(recording_of(tables, settings={"agreement": "math"}))]
    everything = [row.name for row in baselines(recording_of(tables))]
    assert names == [name for name in everything if name not in {AGENT_FOREST, FIRST_ROUND}]
    given_same = baselines(recording_of(tables, settings={"agreement": "math"}), same=lambda a, b: a == b)
    assert [row.name for row in given_same] == everything


def test_gaps_and_unknown_models_are_refused():
    """The sentences are those of `arrays_of`, and a gap can be left out."""
    tables = [{"a": "xx", "b": "xx"}, {"a": "xx", "b": "x"}]
    with pytest.raises(RecordingError, match="'b' has 1 of 2 samples for question 'q1'"):
        baselines(recording_of(tables))
    assert len(by_name(tables, missing="drop")[MUX].right) == 1
    with pytest.raises(ArgumentError, match="no model 'c'"):
        baselines(recording_of(tables), models=["c"])


@pytest.fixture(scope="module")
def real():
    path = os.environ.get("SLMMUX_TEST_RECORDING")
    if not path:
        pytest.skip("SLMMUX_TEST_RECORDING names no recording; set it to a .jsonl.gz to score real samples")
    return Recording.load(path)


@pytest.mark.full
def test_a_real_recording_has_its_baselines(real):
    """On real samples each row equals the plain count over the file's own rows."""
    models, k = ("phind", "deepseek-base-33b", "codellama-34b+cot"), 5
    # The gold answer takes the name that the count looks for; the recording has none so called.
    tables = [
        {model: [GOLD if row.answer == row.gold else row.answer for row in by_model[model][:k]] for model in models}
        for by_model in real.by_question.values()
    ]
    rows = baselines(real, models, k)
    for row, (name, expected, samples, right) in zip(rows, plain_rows(tables), strict=True):
        assert (row.name, row.models, row.samples) == (name, tuple(expected), pytest.approx(float(samples)))
        assert row.accuracy == pytest.approx(float(mean(right)))
