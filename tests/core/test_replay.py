"""A replay is the same race: it equals the written-out rule on random tables and on a real recording."""

import os
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import ABSTAINED, FAILED, algorithm_1

from slmmux import Recording, Row, replay
from slmmux._errors import ArgumentError
from tests.lengths import short_form

outcomes = st.lists(st.sampled_from(["x", "y", ABSTAINED, FAILED]), min_size=1, max_size=5)
tables = st.lists(outcomes, min_size=1, max_size=4).map(lambda members: dict(zip("abcd", members, strict=False)))
plans = st.sampled_from(["parallel", "cascade"])
waits = st.sampled_from(["settled", "exhausted"])


def rows(table, question="q1"):
    return [
        Row(question_id=question, model=model, sample_index=i, answer=None, error="refused")
        if outcome is FAILED
        else Row(question_id=question, model=model, sample_index=i, answer=outcome)
        for model, samples in table.items()
        for i, outcome in enumerate(samples)
    ]


def one(table, models=None, **options):
    return replay(Recording.of(rows(table)), models or list(table), **options)["q1"]


@given(tables, plans, waits)
def test_replay_is_algorithm_1(table, plan, wait):
    """A replay gives the rule's model and answer and, once exhausted, its reply; without any reply it does not raise."""
    decision, expected = one(table, plan=plan, wait=wait), algorithm_1(table)
    if expected is None:
        assert (decision.winner.model, decision.winner.answer, decision.winner.confidence) == ("a", None, 0)
        assert (decision.reply, decision.decided_by, decision.reason) == (None, "rank", "exhausted")
        assert [vote.failed for vote in decision.votes] == [len(samples) for samples in table.values()]
        assert len(decision.samples) == sum(map(len, table.values()))
        return
    model, answer, index, decided_by = expected
    assert (decision.winner.model, decision.winner.answer) == (model, answer)
    assert (decision.reply.model, decision.reply.answer) == (model, answer)
    if wait == "exhausted":
        assert (decision.reply.sample_index, decision.decided_by) == (index, decided_by)


def test_models_are_the_rank():
    """Among equal confidences the first of `models` wins, for any order of the recording."""
    table = {"a": ["x"], "b": ["y"]}
    assert one(table, ["a", "b"]).winner.model == "a"
    assert one(table, ["b", "a"]).winner.model == "b"
    assert [vote.model for vote in one(table, ["b", "a"]).votes] == ["b", "a"]


def test_gold_is_never_read():
    """The same rows with other gold answers give the same votes."""
    table = {"a": ["x", "y", "y"], "b": ["z", "z", None]}
    with_gold = [
        Row(question_id=r.question_id, model=r.model, sample_index=r.sample_index, answer=r.answer, gold="z")
        for r in rows(table)
    ]
    assert replay(Recording.of(with_gold), ["a", "b"])["q1"].votes == one(table).votes


def test_k_means_the_first_k_by_sample_index():
    """k is one for all or one by label; the order of rows in the file does not matter."""
    recording = Recording.of(reversed(rows({"a": ["x", "y", "y"], "b": ["z", "w", "w", "w"]})))
    assert replay(recording, ["a"], samples=1)["q1"].winner.answer == "x"
    votes = replay(recording, ["a", "b"], samples={"b": 4, "a": 3}, wait="exhausted")["q1"].votes
    assert [(vote.answer, vote.count, vote.of) for vote in votes] == [("y", 2, 3), ("w", 3, 4)]
    assert [vote.of for vote in replay(recording, ["b", "a"])["q1"].votes] == [4, 3]


def test_missing_rows_count_as_failed():
    """By default k is the largest number recorded for any question; a question with fewer rows has failed samples."""
    recording = Recording.of(rows({"a": ["x"] * 3, "b": ["y"]}) + rows({"a": ["x"]}, "q2"))
    decision = replay(recording, ["b", "a"], wait="exhausted")["q2"]
    assert [(vote.of, vote.count, vote.failed) for vote in decision.votes] == [(1, 0, 1), (3, 1, 2)]
    assert str(decision.samples[0].error) == "not recorded"


def test_a_row_with_an_error_fails_and_one_without_is_a_reply():
    """A row with a null answer abstains; a row with an error, even an empty one, fails even if it holds an answer."""
    recording = Recording.of(
        [
            Row(question_id="q1", model="a", sample_index=0, answer=None),
            Row(question_id="q1", model="a", sample_index=1, answer="x", error="refused"),
            Row(question_id="q1", model="a", sample_index=2, answer="x", error=""),
        ]
    )
    decision = replay(recording, ["a"])["q1"]
    assert (decision.winner.count, decision.winner.abstained, decision.winner.failed) == (0, 1, 2)
    assert (decision.reply.sample_index, decision.decided_by) == (0, "rank")
    assert str(decision.samples[1].error) == "refused"


def test_answers_are_compared_as_recorded():
    """The text 4, the numbers 4 and 4.0, and true and 1 all differ; the order of an object's keys does not matter."""
    for answers, count in [
        (["4", 4, 4.0], 1),
        ([1, True], 1),
        (["x", "x "], 1),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], 2),
        ([[1, 2], [1, 2], [2, 1]], 2),
    ]:
        assert one({"a": answers}, wait="exhausted").winner.count == count


def test_same_forms_classes_within_one_member_in_index_order():
    """With `same`, a class is shown by its first answer; if `same` is not transitive, the first class that fits wins."""
    table = {"a": ["10", "12", "1.0e1", "10"], "b": ["7", "7", "8", "9"]}
    assert one(table, same=lambda a, b: float(a) == float(b)).winner.answer == "10"
    near = one({"a": ["1", "2", "3", "2"]}, same=lambda a, b: abs(int(a) - int(b)) <= 1, wait="exhausted")
    assert (near.winner.answer, near.winner.count) == ("1", 3)  # 1, 2, 2: 3 is near 2, but not near the first, 1


def test_same_compares_only_answers_of_one_member():
    """`same` never sees an abstention, a failed row's answer, rows beyond k, or answers of two members."""
    compared = []

    def same(a, b):
        compared.append((a, b))
        return False

    recording = Recording.of(
        [*rows({"a": ["a0", None, "a2", "a0", "a4"], "b": ["b0", FAILED, "b2", "b3"]})],
    )
    replay(recording, ["a", "b"], samples=4, same=same)
    assert compared == [("a0", "a2"), ("b0", "b2"), ("b0", "b3"), ("b2", "b3")]


@pytest.mark.parametrize(
    ("models", "options", "sentence"),
    [
        ([], {}, "models is empty; name at least one"),
        (["quen"], {}, "no model 'quen' in this recording; did you mean 'qwen'"),
        (["zzz"], {}, "no model 'zzz' in this recording; its models are 'qwen', 'phi'"),
        ("zzz", {}, "no model 'zzz'"),
        (["phi", "phi"], {}, "'phi' is listed twice"),
        (["phi"], {"samples": 0}, "'phi' must be a whole number of at least 1, received 0"),
        (["phi"], {"samples": True}, "received True"),
        (["phi"], {"samples": 4}, "samples=4 for 'phi', but only 3 were recorded"),
        (["qwen", "phi"], {"samples": {"phi": 2, "qwen": 3}}, "samples=3 for 'qwen', but only 2 were recorded"),
        (["phi"], {"samples": {"phi": 1, "quen": 1}}, "samples has 'quen', which models has not"),
        (["qwen", "phi"], {"samples": {"phi": 1}}, "samples has no k for 'qwen'"),
        (["phi"], {"plan": "all"}, "plan='all' does not exist"),
    ],
)
def test_bad_arguments_are_refused(models, options, sentence):
    """Each bad argument gets a sentence of its own."""
    recording = Recording.of(rows({"qwen": ["x", "y"], "phi": ["x", "y", "z"]}))
    with pytest.raises(ArgumentError, match=sentence):
        replay(recording, models, **options)


def test_a_single_label_need_not_be_a_list():
    """A single label is one member, not its letters."""
    assert replay(Recording.of(rows({"phi": ["x"]})), "phi")["q1"].winner.model == "phi"


POOLS = [
    {"phi-2": 10, "codellama-7b": 10},
    {"codellama-13b": 3, "starcoder-16b": 5, "mistral-7b": 4},
    {"wizard-13b": 5, "phi-1.5": 2, "claude-instant-1": 10, "deepseek-base-6.7b": 7},
    {"deepseek-instruct-33b": 9, "phind": 4, "codellama-34b+cot": 10, "magicoder-ds-6.7b": 3, "phi-1": 1},
]


@pytest.fixture(scope="module")
def real():
    path = os.environ.get("SLMMUX_TEST_RECORDING")
    if not path:
        pytest.skip("SLMMUX_TEST_RECORDING names no recording; set it to a .jsonl.gz to replay real samples")
    return Recording.load(path)


@pytest.mark.parametrize(
    ("pool", "plan", "wait"),
    short_form(product(POOLS, ["parallel", "cascade"], ["settled", "exhausted"]), lambda case: case[0] == POOLS[0]),
)
def test_a_real_recording_replays_to_algorithm_1(real, pool, plan, wait):
    """On every question of the recording, a replay and the written-out rule decide alike over the same first k."""
    decisions = replay(real, list(pool), samples=pool, plan=plan, wait=wait)
    assert len(decisions) == 479
    for question, decision in decisions.items():
        table = {model: [None] * k for model, k in pool.items()}
        for model, k in pool.items():
            for row in real.by_question[question][model]:
                if row.sample_index < k:
                    table[model][row.sample_index] = row.answer
        model, answer, index, decided_by = algorithm_1(table)
        assert (decision.winner.model, decision.winner.answer) == (model, answer)
        if wait == "exhausted":
            assert (decision.reply.sample_index, decision.decided_by) == (index, decided_by)
            assert sum(vote.unused for vote in decision.votes) == 0


def test_a_real_recording_is_complete(real):
    """Every model has every sample of every question."""
    assert (len(real.models), len(real.questions), len(real.rows)) == (33, 479, 158_070)
