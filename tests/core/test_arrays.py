"""A recording as arrays: counts on the arrays agree with the decisions of the race."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import ArgumentError, Recording, RecordingError, Row, answers, replay
from slmmux.recording import arrays_of

ANSWERS = st.sampled_from([None, "1", "1.0", "2", "3", 1, 2.0])


@st.composite
def recordings(draw):
    """Draw a pool's samples on a few questions: answers, abstentions and failures, with `number`'s keys or without."""
    labels = [f"m{i}" for i in range(draw(st.integers(1, 4)))]
    ks = {label: draw(st.integers(1, 4)) for label in labels}
    by_number = draw(st.booleans())
    reader = answers.reader("number")
    rows = []
    for q in range(draw(st.integers(1, 4))):
        gold = draw(st.sampled_from(["1", "2"]))
        for label in labels:
            for i in range(ks[label]):
                value = draw(ANSWERS)
                answer = reader(str(value)) if by_number and value is not None else None
                rows.append(
                    Row(
                        question_id=f"q{q}",
                        model=label,
                        sample_index=i,
                        answer=answer.value if answer else value,
                        kind=answer.kind if answer else None,
                        key=answer.key if answer else None,
                        gold=gold,
                        error="broken" if draw(st.integers(0, 5)) == 0 else None,
                    )
                )
    return Recording.of(draw(st.permutations(rows)))


def row_is_right(recording, decision, question):
    """Return whether a decision's answer is the gold one, by the recorded row it came from."""
    gold = next(row.gold for rows in recording.by_question[question].values() for row in rows)
    answer = next((s.answer for s in decision.samples if s.draw == decision.sample), None)
    return answer is not None and answers.right(answer, gold)


@given(recordings())
def test_a_member_has_the_votes_of_its_race(recording):
    """Each vote has the count and the rightness that a replay of the member alone gives."""
    arrays = arrays_of(recording)
    for m, model in enumerate(arrays.models):
        decisions = replay(recording, [model], wait="exhausted")
        for q, question in enumerate(arrays.questions):
            assert arrays.votes.count[m, q] == decisions[question].winner.count
            assert arrays.votes.right[m, q] == row_is_right(recording, decisions[question], question)


@given(recordings(), st.randoms())
def test_the_mux_on_arrays_is_the_mux_of_the_race(recording, random):
    """`decided_right` is Algorithm 1: a replay of the same members in the same rank is right on the same questions."""
    rank = list(recording.models)
    random.shuffle(rank)
    arrays = arrays_of(recording, rank)
    decisions = replay(recording, rank)
    expected = [row_is_right(recording, decisions[question], question) for question in arrays.questions]
    assert arrays.votes.decided_right(range(len(rank))).tolist() == expected


@given(recordings())
def test_codes_are_equal_exactly_if_answers_are(recording):
    """Two samples of one question have one code exactly if their answers are equal, also across members."""
    arrays = arrays_of(recording)
    for q, question in enumerate(arrays.questions):
        keys = {}
        for m, model in enumerate(arrays.models):
            for i, row in enumerate(recording.by_question[question][model]):
                key = (row.kind, row.key) if row.key is not None else (type(row.answer), row.answer)
                if row.error is None and row.answer is not None:
                    keys[m, i] = key
                else:
                    assert arrays.codes[m, q, i] == -1
        for a, one in keys.items():
            for b, other in keys.items():
                assert (arrays.codes[a[0], q, a[1]] == arrays.codes[b[0], q, b[1]]) == (one == other)


def rows(answers_by_model, gold="1", question="q", **more):
    return [
        Row(question_id=question, model=model, sample_index=i, answer=answer, gold=gold, **more)
        for model, answers_ in answers_by_model.items()
        for i, answer in enumerate(answers_)
    ]


def test_a_callers_equality_decides_votes_and_gold():
    """`same` merges equal answers within a member and across members, and decides which answers are right."""
    recording = Recording.of(rows({"a": ["1.0", "2", "1"], "b": ["01"]}))
    plain, merged = arrays_of(recording), arrays_of(recording, same=lambda x, y: float(x) == float(y))
    assert (plain.votes.count[0, 0], plain.votes.right[0, 0]) == (1, False)
    assert (merged.votes.count[0, 0], merged.votes.right[0, 0], merged.votes.right[1, 0]) == (2, True, True)
    assert merged.codes[0, 0, 0] == merged.codes[0, 0, 2] == merged.codes[1, 0, 0] != merged.codes[0, 0, 1]


def test_two_classes_of_a_member_stay_apart():
    """An equality that is not transitive never gives one code to two classes of one member."""
    recording = Recording.of(rows({"a": ["1"], "b": ["0", "2"]}))
    arrays = arrays_of(recording, same=lambda x, y: abs(float(x) - float(y)) <= 1)
    assert len({arrays.codes[1, 0, 0], arrays.codes[1, 0, 1]}) == 2
    assert arrays.codes[1, 0, 0] == arrays.codes[0, 0, 0]


def test_answers_compared_in_pairs_vote_by_groups():
    """If the rows hold pairwise verdicts, a vote counts the largest group, as in the race."""
    samples = [
        Row(
            question_id="q", model="a", sample_index=i, answer=f"t{i}", kind="text", key=f"t{i}", gold="t1", alike=alike
        )
        for i, alike in enumerate([{}, {}, {1: 0.95}])
    ]
    recording = Recording.of(samples, {"agreement": "embedding"})
    arrays = arrays_of(recording)
    assert (arrays.votes.count[0, 0], bool(arrays.votes.right[0, 0])) == (2, True)
    assert arrays_of(recording, same=lambda x, y: x == y).votes.count[0, 0] == 1


def test_only_the_first_k_count_and_padding_is_empty():
    """Each member has its own k, the first samples by index; places beyond it hold neither answers nor tokens."""
    recording = Recording.of(rows({"a": ["1", "2", "2"], "b": ["1"]}, input_tokens=3, output_tokens=2))
    arrays = arrays_of(recording, samples={"a": 2, "b": 1})
    assert arrays.codes.shape == (2, 1, 2)
    assert arrays.codes[1, 0, 1] == -1
    assert arrays.tokens.tolist() == [[10], [5]]
    assert arrays.votes.right[0, 0]  # 1 and 2 occur once each, so the lower index wins


def test_tokens_need_counts_of_every_member():
    """If one member has no token counts, `tokens` is `None`, since costs cannot be compared."""
    with_tokens = rows({"a": ["1"]}, input_tokens=3)
    assert arrays_of(Recording.of(with_tokens)).tokens.sum() == 3
    assert arrays_of(Recording.of(with_tokens + rows({"b": ["1"]}))).tokens is None


def test_one_sample_of_a_shared_request_has_its_share_of_the_output():
    """Alone, a sample costs its own tokens; in a request that brought all k, the input and one k-th of the output."""
    own_tokens = rows({"a": ["1", "2"]}, input_tokens=3, output_tokens=2)
    shared = [
        Row(question_id="q", model="b", sample_index=i, answer="1", gold="1", input_tokens=t[0], output_tokens=t[1])
        for i, t in enumerate([(3, 8), (None, None)])
    ]
    arrays = arrays_of(Recording.of(own_tokens + shared))
    assert arrays.tokens.tolist() == [[10], [11]]
    assert arrays.tokens_alone.tolist() == [[5], [7]]


def test_missing_samples_are_named_or_dropped():
    """A question that lacks samples of some model is an error that names it, or is left out for all models."""
    recording = Recording.of(
        rows({"a": ["1", "1"], "b": ["1"]}) + rows({"a": ["1", "1"], "b": ["1", "1"]}, question="p")
    )
    with pytest.raises(RecordingError, match=r"1 of 2 questions lack samples: 'b' has 1 of 2 samples for question 'q'"):
        arrays_of(recording)
    assert arrays_of(recording, missing="drop").questions == ("p",)
    assert arrays_of(recording, samples=1).questions == ("q", "p")
    lone = Recording.of(rows({"a": ["1"]}) + rows({"b": ["1"]}, question="p"))
    with pytest.raises(RecordingError, match="every question lacks samples of some model"):
        arrays_of(lone, missing="drop")


def test_each_question_needs_one_gold_answer():
    """A question without a gold answer is refused, and so is one with two different gold answers."""
    with pytest.raises(RecordingError, match="question 'q' has no gold answer, so nothing can be scored"):
        arrays_of(Recording.of(rows({"a": ["1"]}, gold=None)))
    two = rows({"a": ["1"]}, gold="1") + rows({"b": ["1"]}, gold="2")
    with pytest.raises(RecordingError, match="question 'q' has two gold answers, '1' and '2'; keep one"):
        arrays_of(Recording.of(two))


def test_an_unknown_model_is_named():
    """An unknown model is refused with the sentence that a replay gives."""
    with pytest.raises(ArgumentError, match="no model 'c' in this recording"):
        arrays_of(Recording.of(rows({"a": ["1"]})), ["c"])


def test_confidences_of_unequal_k_are_compared_as_fractions():
    """2 of 3 beats 3 of 5; 2 of 4 ties with 1 of 2, and then the rank decides."""
    recording = Recording.of(rows({"a": ["2", "2", "2", "0", "3"], "b": ["1", "1", "0"]}))
    assert arrays_of(recording).votes.decided_right([0, 1]).tolist() == [True]
    tie = arrays_of(Recording.of(rows({"a": ["2", "2", "0", "3"], "b": ["1", "0"]}))).votes
    assert tie.decided_right([0, 1]).tolist() == [False]
    assert tie.decided_right([1, 0]).tolist() == [True]
    assert np.array_equal(tie.at(np.array([0])).of, tie.of)
