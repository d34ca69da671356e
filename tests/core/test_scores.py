"""Scoring by name: when a reply is right, and what select, scale, report and the plots make of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import Recording, answers, select_complementary
from slmmux._errors import ArgumentError, RecordingError
from slmmux.answers import includes, scored
from slmmux.baselines import MUX, baselines
from slmmux.plots import attribution
from slmmux.recording import Row, arrays_of
from slmmux.report import report
from slmmux.scaling import scaling
from slmmux.selection import _scores

QUESTION = "What is the capital of Peru?"


@pytest.mark.parametrize(
    ("reply", "gold"),
    [
        ("The capital of Peru is Lima.", "Lima"), ("LIMA!", "lima"), ("Lima, Peru", "Lima"), ("I think it is Lima.", "Lima"),
        ("It lies on the river Amazon.", ["Marañón", "the Amazon"]), ("It is Marañon", ["Marañón", "Amazon"]),
        ("A spider has eight legs.", 8), ("1,234 people", "1234"), ("It rose by 20%.", "0.2"), ("a half", 0.5),
        ("The answer is (B).", "B"), ("利马是秘鲁的首都", "利马"), ("Yes, it is.", "yes"), ("Yes.", True),
        (r"\boxed{\frac12}", "0.5"), ("Answer: x + 1", "x+1"), ("the U.S. did", "US"),
    ],
)  # fmt: skip
def test_what_a_reply_includes(reply, gold):
    """A reply includes gold where it plainly says it: as whole words, a number by value, a letter by the choice."""
    assert includes(reply, gold)
    assert scored(reply, gold, "includes")


@pytest.mark.parametrize(
    ("reply", "gold"),
    [
        ("It is not Lima.", "Lima"), ("Lima or Cusco", "Lima"), ("Cusco", "Lima"), ("Malawi", "Mali"), ("", "Lima"),
        ("<think>Lima</think>Cusco", "Lima"), ("There are 18 legs.", 8), ("The answer is 5. I had 8.", "8"), ("-8", "8"),
        ("B is a letter. Answer: C", "B"), ("No.", True), ("I don't know", "Lima"), ("Lima", []), ("Lima", None),
        ("Peruvian", "Peru"), ("limab", "Lima"),
    ],
)  # fmt: skip
def test_what_a_reply_does_not_include(reply, gold):
    """Parts of words, other values, what is denied, thought of or offered with another are not said."""
    assert not includes(reply, gold)


def test_words_of_the_question_say_nothing():
    """Gold that stands in the question is said only where it is the whole answer."""
    asked = "Which is larger, a lynx or a puma?"
    assert includes("A puma", "puma", asked)
    assert not includes("A lynx and a puma are cats.", "puma", asked)
    assert not includes("80 and 84 are even", "80", "What is 80 + 84?")
    assert includes("164", "164", "What is 80 + 84?")


@pytest.mark.parametrize(
    ("score", "right", "wrong"),
    [
        ("exact", "Lima.", "The capital of Peru is Lima, I think."),
        ("includes", "The capital of Peru is Lima, I think.", "Cusco"),
        ("math", r"\boxed{1 + 1/2}", r"\boxed{2}"),
        ("choice", "(B) fits best, I think", "Answer: C"),
        (lambda reply, gold: reply.endswith(gold), "so Lima", "Lima so"),
    ],
)
def test_each_form(score, right, wrong):
    """Each form of scoring tells a right reply from a wrong one, against one gold answer or several."""
    gold = {"math": "3/2", "choice": "B"}.get(score, "Lima") if isinstance(score, str) else "Lima"
    if score == "math":
        pytest.importorskip("math_verify")
    for accepted in (gold, ["nothing", gold]):
        assert scored(right, accepted, score)
        assert not scored(wrong, accepted, score)


@pytest.mark.parametrize(
    ("score", "says"),
    [("exakt", "did you mean 'exact'"), ("rouge", "write one of"), ("recorded", "a reply alone has none")],
)
def test_no_such_form(score, says):
    """A name that is no form of scoring, or one that a reply alone cannot have, is refused in a sentence."""
    with pytest.raises(ArgumentError, match=says):
        scored("Lima", "Lima", score)


@given(
    st.text("Lima 7ñ利不,.?\n", max_size=40),
    st.text("Lima 7ñ利", max_size=8) | st.integers() | st.booleans(),
    st.text("Lima7 ?", max_size=20),
)
def test_nothing_raises(reply, gold, question):
    """Whatever is replied, a reply includes gold or not; what is exactly right is included."""
    said = includes(reply, gold, question)
    assert said or not scored(reply, gold, "exact", question=question)


def recording_of(replies, gold="Lima", *, score=None, questions=4, extract="text"):
    """Return a recording of each model's replies: the same ones to each question."""
    read = answers.reader(extract)
    return Recording.of(
        Row(question_id=f"q{q}", question="Where?", model=model, sample_index=i, gold=gold, text=text, score=score,
            answer=read(text).value, kind=read(text).kind, key=read(text).key)
        for model, texts in replies.items() for q in range(questions) for i, text in enumerate(texts)
    )  # fmt: skip


WORDY, TERSE, WRONG = "It is Lima as far as I know", "Lima", "Cusco"


def accuracy(recording, **options):
    arrays = arrays_of(recording, **options)
    return dict(zip(arrays.models, arrays.votes.right.mean(axis=1).tolist(), strict=True))


def test_texts_are_scored_by_what_they_include():
    """Without a name a reply that is read as a text includes gold, and by exact only the terse model is right."""
    recording = recording_of({"wordy": [WORDY] * 2, "terse": [TERSE] * 2, "wrong": [WRONG] * 2})
    assert accuracy(recording) == accuracy(recording, score="includes") == {"wordy": 1, "terse": 1, "wrong": 0}
    assert accuracy(recording, score="exact") == {"wordy": 0, "terse": 1, "wrong": 0}
    assert (arrays_of(recording).score, arrays_of(recording, score="exact").score) == ("includes", "exact")


def test_other_kinds_are_scored_by_their_equality():
    """Without a name a number is right where it equals gold, whatever else its reply says."""
    recording = recording_of({"m": ["7 or so, in all 8"]}, gold="7", extract="number")
    assert arrays_of(recording).score == "exact"
    assert accuracy(recording) == {"m": 0}


def test_recorded_scores():
    """By "recorded" the other program's verdict counts, without gold; a sample without one is named."""
    recording = recording_of({"m": [WRONG]}, gold=None, score=1.0)
    assert accuracy(recording, score="recorded") == {"m": 1}
    with pytest.raises(RecordingError, match="sample 0 of 'm' for question 'q0' has no recorded score"):
        arrays_of(recording_of({"m": [WRONG]}), score="recorded")


def test_select_names_the_score_and_where_forms_part():
    """The selection carries its form of scoring, and its verdict gives both figures of a model that they tell apart."""
    recording = recording_of({"wordy": [WORDY] * 2, "terse": [TERSE] * 2})
    by_exact = select_complementary(recording, sizes=[1], score="exact")
    assert by_exact.score == "exact"
    assert by_exact.single.models == ("terse",)
    assert (
        "scored by exact and by includes: wordy 0.0 % and 100.0 %; all other figures are by exact" in by_exact.verdict
    )
    terse = select_complementary(recording_of({"terse": [TERSE] * 2, "wrong": [WRONG] * 2}), sizes=[1])
    assert "scored by" not in terse.verdict


def test_on_many_samples_the_forms_are_compared_on_some_questions(monkeypatch):
    """Reading every reply of millions would take longer than the choice: the sentence says on how many it is based."""
    monkeypatch.setattr(_scores, "_MOST_SAMPLES", 8)
    recording = recording_of({"wordy": [WORDY] * 2, "terse": [TERSE] * 2})
    verdict = select_complementary(recording, sizes=[1], score="exact").verdict
    assert "by exact and by includes (on 2 of the questions): wordy 0.0 % and 100.0 %" in verdict


def test_every_figure_takes_the_score():
    """Scaling, baselines, plots and the report count by the form that they are given."""
    recording = recording_of({"wordy": [WORDY] * 2, "terse": [WRONG] * 2})
    for score, share in (("exact", 0.0), ("includes", 1.0)):
        assert scaling(recording, ["wordy", "terse"], 2, score=score)[0].accuracy == share
        assert next(row.accuracy for row in baselines(recording, ["wordy"], score=score) if row.name == MUX) == share
        assert sum(spoken.right for spoken in attribution(recording, ["wordy"], score=score)) == share
        pytest.importorskip("matplotlib")
        assert f"Scored by {score}" in report(recording, score=score)


def test_a_selection_is_saved_with_its_score(tmp_path):
    """The file of a selection holds the form of scoring, and an older file without one was scored by exact."""
    from slmmux import Selection

    path = tmp_path / "selection.json"
    selection = select_complementary(recording_of({"wordy": [WORDY] * 2, "terse": [TERSE] * 2}), sizes=[1])
    selection.save(path)
    assert Selection.load(path).score == "includes"
    older = json.loads(path.read_text())
    del (older.get("selection") or older)["score"]
    path.write_text(json.dumps(older))
    assert Selection.load(path).score == "exact"
