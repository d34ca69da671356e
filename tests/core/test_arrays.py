"""A recording as arrays: what is counted on them is what the race decides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import ArgumentError, Recording, RecordingError, Row, answers, replay
from slmmux.recording._arrays import arrays_of

ANSWERS = st.sampled_from([None, "1", "1.0", "2", "3", 1, 2.0])


@st.composite
def recordings(draw):
    """Draw a pool's samples on a few questions: answers, abstentions and failures, read by `number` or by nobody."""
    labels = [f"m{i}" for i in range(draw(st.integers(1, 4)))]
    ks = {label: draw(st.integers(1, 4)) for label in labels}
    by_number = draw(st.booleans())
    read = answers.reader("number")
    rows = []
    for q in range(draw(st.integers(1, 4))):
        gold = draw(st.sampled_from(["1", "2"]))
        for label in labels:
            for i in range(ks[label]):
                said = draw(ANSWERS)
                answer = read(str(said)) if by_number and said is not None else None
                rows.append(
                    Row(
                        question_id=f"q{q}",
                        model=label,
                        sample_index=i,
                        answer=answer.value if answer else said,
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
def test_a_members_votes_are_those_of_its_race(recording):
    """Count and rightness of every vote are those of a replay of that member alone."""
    arrays = arrays_of(recording)
    for m, model in enumerate(arrays.models):
        decisions = replay(recording, [model], wait="exhausted")
        for q, question in enumerate(arrays.questions):
            assert arrays.votes.count[m, q] == decisions[question].winner.count
            assert arrays.votes.right[m, q] == row_is_right(recording, decisions[question], question)


@given(recordings(), st.randoms())
def test_the_mux_on_arrays_is_the_mux_of_the_race(recording, random):
    """`decided_right` is Algorithm 1: the replay of the same members in the same rank is right on the same questions."""
    rank = list(recording.models)
    random.shuffle(rank)
    arrays = arrays_of(recording, rank)
    decisions = replay(recording, rank)
    expected = [row_is_right(recording, decisions[question], question) for question in arrays.questions]
    assert arrays.votes.decided_right(range(len(rank))).tolist() == expected


@given(recordings())
def test_codes_are_equal_where_answers_are(recording):
    """Two samples of one question have one code exactly when their answers are compared equal, whosever they are."""
    arrays = arrays_of(recording)
    for q, question in enumerate(arrays.questions):
        said = {}
        for m, model in enumerate(arrays.models):
            for i, row in enumerate(recording.by_question[question][model]):
                key = (row.kind, row.key) if row.key is not None else (type(row.answer), row.answer)
                if row.error is None and row.answer is not None:
                    said[m, i] = key
                else:
                    assert arrays.codes[m, q, i] == -1
        for a, one in said.items():
            for b, other in said.items():
                assert (arrays.codes[a[0], q, a[1]] == arrays.codes[b[0], q, b[1]]) == (one == other)


def rows(said, gold="1", question="q", **more):
    return [
        Row(question_id=question, model=model, sample_index=i, answer=answer, gold=gold, **more)
        for model, answers_ in said.items()
        for i, answer in enumerate(answers_)
    ]


def test_an_equality_of_ones_own_decides_votes_and_gold():
    """`same` merges the answers of a member, and of two members, and says who is right."""
    recording = Recording.of(rows({"a": ["1.0", "2", "1"], "b": ["01"]}))
    plain, merged = arrays_of(recording), arrays_of(recording, same=lambda x, y: float(x) == float(y))
    assert (plain.votes.count[0, 0], plain.votes.right[0, 0]) == (1, False)
    assert (merged.votes.count[0, 0], merged.votes.right[0, 0], merged.votes.right[1, 0]) == (2, True, True)
    assert merged.codes[0, 0, 0] == merged.codes[0, 0, 2] == merged.codes[1, 0, 0] != merged.codes[0, 0, 1]


def test_two_classes_of_a_member_stay_two():
    """An equality that is not transitive never joins what a member's own classes keep apart."""
    recording = Recording.of(rows({"a": ["1"], "b": ["0", "2"]}))
    arrays = arrays_of(recording, same=lambda x, y: abs(float(x) - float(y)) <= 1)
    assert len({arrays.codes[1, 0, 0], arrays.codes[1, 0, 1]}) == 2
    assert arrays.codes[1, 0, 0] == arrays.codes[0, 0, 0]


def test_where_equality_was_no_key_votes_are_those_of_the_groups():
    """With verdicts in the rows a vote is the largest group, as in the race."""
    said = [
        Row(
            question_id="q", model="a", sample_index=i, answer=f"t{i}", kind="text", key=f"t{i}", gold="t1", alike=alike
        )
        for i, alike in enumerate([{}, {}, {1: 0.95}])
    ]
    recording = Recording.of(said, {"agreement": "embedding"})
    arrays = arrays_of(recording)
    assert (arrays.votes.count[0, 0], bool(arrays.votes.right[0, 0])) == (2, True)
    assert arrays_of(recording, same=lambda x, y: x == y).votes.count[0, 0] == 1


def test_only_the_first_k_count_and_padding_is_no_answer():
    """k is the first k by index, for each member its own; beyond it there is no answer and no token."""
    recording = Recording.of(rows({"a": ["1", "2", "2"], "b": ["1"]}, input_tokens=3, output_tokens=2))
    arrays = arrays_of(recording, samples={"a": 2, "b": 1})
    assert arrays.codes.shape == (2, 1, 2)
    assert arrays.codes[1, 0, 1] == -1
    assert arrays.tokens.tolist() == [[10], [5]]
    assert arrays.votes.right[0, 0]  # 1 and 2 once each: the lower index


def test_tokens_of_all_or_of_none():
    """Where one member's tokens were not recorded, costs cannot be compared."""
    counted = rows({"a": ["1"]}, input_tokens=3)
    assert arrays_of(Recording.of(counted)).tokens.sum() == 3
    assert arrays_of(Recording.of(counted + rows({"b": ["1"]}))).tokens is None


def test_one_sample_of_a_shared_request_has_its_share_of_the_output():
    """Alone, a sample costs what was counted of it, and of a request that all share the input and one k-th."""
    own = rows({"a": ["1", "2"]}, input_tokens=3, output_tokens=2)
    shared = [
        Row(question_id="q", model="b", sample_index=i, answer="1", gold="1", input_tokens=t[0], output_tokens=t[1])
        for i, t in enumerate([(3, 8), (None, None)])
    ]
    arrays = arrays_of(Recording.of(own + shared))
    assert arrays.tokens.tolist() == [[10], [11]]
    assert arrays.tokens_alone.tolist() == [[5], [7]]


def test_what_is_missing_is_named_or_dropped():
    """A question that was not recorded in full of every model is an error that names it, or left out for all."""
    recording = Recording.of(
        rows({"a": ["1", "1"], "b": ["1"]}) + rows({"a": ["1", "1"], "b": ["1", "1"]}, question="p")
    )
    with pytest.raises(
        RecordingError, match=r"1 of 2 questions are not recorded in full: 'b' has 1 of 2 samples for quest"
    ):
        arrays_of(recording)
    assert arrays_of(recording, missing="drop").questions == ("p",)
    assert arrays_of(recording, samples=1).questions == ("q", "p")
    lone = Recording.of(rows({"a": ["1"]}) + rows({"b": ["1"]}, question="p"))
    with pytest.raises(RecordingError, match="no question was recorded in full of every model"):
        arrays_of(lone, missing="drop")


def test_gold_is_needed_and_is_one():
    """Without a gold answer nobody can be right, and two gold answers are one too many."""
    with pytest.raises(RecordingError, match="question 'q' has no gold answer, so nobody can be right"):
        arrays_of(Recording.of(rows({"a": ["1"]}, gold=None)))
    two = rows({"a": ["1"]}, gold="1") + rows({"b": ["1"]}, gold="2")
    with pytest.raises(RecordingError, match="question 'q' has two gold answers, '1' and '2'; keep one"):
        arrays_of(Recording.of(two))


def test_a_model_that_is_not_there_is_named():
    """An unknown model is refused as a replay refuses it."""
    with pytest.raises(ArgumentError, match="no model 'c' in this recording"):
        arrays_of(Recording.of(rows({"a": ["1"]})), ["c"])


def test_confidences_of_unequal_k_are_compared_as_fractions():
    """2 of 3 beats 3 of 5, and 2 of 4 ties with 1 of 2 and falls to the rank."""
    recording = Recording.of(rows({"a": ["2", "2", "2", "0", "3"], "b": ["1", "1", "0"]}))
    assert arrays_of(recording).votes.decided_right([0, 1]).tolist() == [True]
    tie = arrays_of(Recording.of(rows({"a": ["2", "2", "0", "3"], "b": ["1", "0"]}))).votes
    assert tie.decided_right([0, 1]).tolist() == [False]
    assert tie.decided_right([1, 0]).tolist() == [True]
    assert np.array_equal(tie.at(np.array([0])).of, tie.of)
