"""Answers read anew from recorded texts."""

import pytest

from slmmux import Answer, Recording, RecordingError, Row, replay
from slmmux.rereading import reread


def row(index, text, **more):
    return Row(question_id="q", model="m", sample_index=index, answer="old", text=text, gold="5", **more)


def test_another_extractor_reads_the_same_texts():
    """Answers, kinds and keys are the new extractor's, the settings say so, and all else stays as it was."""
    recording = Recording.of(
        [row(0, r"4 or \boxed{5}", input_tokens=7), row(1, "no idea")], {"extract": "auto", "x": 1}
    )
    again = reread(recording, "boxed")
    assert [(r.answer, r.kind, r.key) for r in again.rows] == [("5", "boxed", "5"), (None, None, None)]
    assert again.settings == {"extract": "boxed", "agreement": "canonical", "x": 1}
    assert (again.rows[0].input_tokens, again.rows[0].text) == (7, recording.rows[0].text)


def test_a_fault_of_an_extractor_costs_the_sample_and_can_be_mended():
    """What an extractor fails on is a failed sample; read by one that does not fail, it is a reply again."""

    def broken(text):
        raise ValueError("cannot")

    failed = reread(Recording.of([row(0, "5")]), broken)
    assert (failed.rows[0].answer, failed.rows[0].error) == (None, "ValueError: cannot")
    assert reread(failed, "number").rows[0].error is None
    call = Row(question_id="q", model="m", sample_index=0, answer=None, error="TimeoutError")
    assert reread(Recording.of([call]), "number").rows == (call,)


def test_verdicts_are_made_anew():
    """Where equality is no key the verdicts are the given comparison's, and a replay decides by them."""

    def near(answer: Answer, others):
        return {i: 1.0 for i, other in others.items() if abs(float(answer.value) - float(other.value)) <= 1}

    recording = Recording.of([row(0, "1"), row(1, "5"), row(2, "4")])
    again = reread(recording, "number", compare=("math", near))
    assert [r.alike for r in again.rows] == [{}, {}, {1: 1.0}]
    assert replay(again, ["m"], wait="exhausted")["q"].winner.count == 2
    assert replay(reread(recording, "number"), ["m"], wait="exhausted")["q"].winner.count == 1


def test_without_its_text_a_reply_cannot_be_read_anew():
    """The sentence names the sample."""
    with pytest.raises(RecordingError, match="sample 0 of 'm' for question 'q' was recorded without its text"):
        reread(Recording.of([Row(question_id="q", model="m", sample_index=0, answer="5")]))
