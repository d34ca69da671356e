"""Answers read again from recorded texts with another extractor."""

import pytest

from slmmux import Answer, Recording, RecordingError, Row, replay
from slmmux.rereading import reread


def row(index, text, **more):
    return Row(question_id="q", model="m", sample_index=index, answer="old", text=text, gold="5", **more)


def test_another_extractor_reads_the_same_texts():
    """Answers, kinds, keys and settings are the new extractor's; all else stays as it was."""
    recording = Recording.of(
        [row(0, r"4 or \boxed{5}", input_tokens=7), row(1, "no idea")], {"extract": "auto", "x": 1}
    )
    again = reread(recording, "boxed")
    assert [(r.answer, r.kind, r.key) for r in again.rows] == [("5", "boxed", "5"), (None, None, None)]
    assert again.settings == {"extract": "boxed", "agreement": "canonical", "x": 1}
    assert (again.rows[0].input_tokens, again.rows[0].text) == (7, recording.rows[0].text)


def test_an_extractor_that_raises_loses_only_the_sample():
    """An extractor that raises makes a failed sample; another extractor makes it a reply again."""

    def broken(text):
        raise ValueError("cannot")

    failed = reread(Recording.of([row(0, "5")]), broken)
    assert (failed.rows[0].answer, failed.rows[0].error) == (None, "ValueError: cannot")
    assert reread(failed, "number").rows[0].error is None
    call = Row(question_id="q", model="m", sample_index=0, answer=None, error="TimeoutError")
    assert reread(Recording.of([call]), "number").rows == (call,)


def test_pairwise_verdicts_are_made_again():
    """With a comparison of pairs, its verdicts are recorded, and a replay decides by them."""

    def near(answer: Answer, others):
        return {i: 1.0 for i, other in others.items() if abs(float(answer.value) - float(other.value)) <= 1}

    recording = Recording.of([row(0, "1"), row(1, "5"), row(2, "4")])
    again = reread(recording, "number", compare=("math", near))
    assert [r.alike for r in again.rows] == [{}, {}, {1: 1.0}]
    assert replay(again, ["m"], wait="exhausted")["q"].winner.count == 2
    assert replay(reread(recording, "number"), ["m"], wait="exhausted")["q"].winner.count == 1


def test_a_reply_without_its_text_is_refused():
    """The sentence names the sample."""
    with pytest.raises(RecordingError, match="sample 0 of 'm' for question 'q' was recorded without its text"):
        reread(Recording.of([Row(question_id="q", model="m", sample_index=0, answer="5")]))


def test_a_reply_that_was_cut_off_stays_one():
    """Read again, it has an answer only if that was complete before the cut; a whole one has the last words it says."""
    recording = Recording.of(
        [row(0, "The answer is 12", cut_off=True), row(1, "The answer is 5. So w", cut_off=True), row(2, "Answer: 12")]
    )
    assert [r.answer for r in reread(recording, "number").rows] == [None, "5", "12"]
    assert [r.cut_off for r in reread(recording, "number").rows] == [True, True, None]
