"""Answers that are none: which texts are held, what becomes of their samples, and when a selection suggests them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import Answer, ArgumentError, Recording, Row, Selection, answers, replay, select_complementary
from slmmux.answers._no_answer import NoAnswers
from slmmux.recording import arrays_of
from slmmux.report import report

TEXTS = ["unknown", "I don't know"]


@pytest.mark.parametrize(
    "reply", ["unknown", "Unknown.", " UNKNOWN", "I don't know", "I don\u2019t  know.", "**unknown**"]
)
def test_they_are_held_in_any_case_and_dress(reply):
    """Case, spaces, a full stop, marks and the form of an apostrophe make no other answer of it."""
    assert NoAnswers(TEXTS).holds(answers.reader("auto")(reply))
    assert NoAnswers(TEXTS).holds(Answer(reply.strip("* "), "recorded", json.dumps(reply.strip("* "))))


@pytest.mark.parametrize("reply", ["the unknown soldier", "4", '{"answer": "unknown"}', "know"])
def test_only_a_whole_answer_is_compared(reply):
    """A text that has one of them as a part is an answer, and so is an object that holds one."""
    assert not NoAnswers(TEXTS).holds(answers.reader("auto")(reply))


@given(st.text())
def test_without_texts_every_answer_counts(text):
    """No list holds nothing, and no answer is held by no list."""
    assert not NoAnswers([])
    assert not NoAnswers([]).holds(Answer(text, "text", text))
    assert not NoAnswers(TEXTS).holds(None)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ("unknown", r'no_answer is a list of answers, received \'unknown\'; write \["unknown"\]'),
        ([""], "no_answer holds ''; write texts"),
        ([" . "], r"no_answer holds ' \. '; write texts"),
        ([4], "no_answer holds 4; write texts"),
    ],
)
def test_a_bad_list_gets_a_sentence(texts, sentence):
    """One string, an empty text and a number are refused, with an example."""
    with pytest.raises(ArgumentError, match=sentence):
        NoAnswers(texts)


def kin(questions=60):
    """Record a shy member that is right wherever it does not say "unknown", and a bold one that is sure and often wrong."""
    golds = ["aunt", "niece", "cousin", "uncle"]
    rows = []
    for q in range(questions):
        gold, other = golds[q % 4], golds[(q + 1) % 4]
        said = {
            "shy": ["unknown"] * 3 if q % 3 else [gold] * 3,
            "bold": [gold, gold, other] if q % 3 else [other] * 2 + [gold],
        }
        rows += [
            Row(question_id=f"q{q:02}", model=model, sample_index=i, answer=answer, gold=gold)
            for model, answered in said.items()
            for i, answer in enumerate(answered)
        ]
    return Recording.of(rows)


def test_their_samples_abstain_and_the_vote_goes_to_another():
    """Unanimous in "unknown" the shy member wins two thirds of the questions; abstaining it loses these, and all are right."""
    plain = replay(kin(), ["shy", "bold"])
    assert [plain[f"q{q:02}"].winner.answer for q in (1, 2)] == ["unknown", "unknown"]
    read = kin().abstaining(["unknown"])
    assert {row.answer for row in read.rows if row.model == "shy" and row.question_id == "q01"} == {None}
    decisions = replay(read, ["shy", "bold"], wait="exhausted")
    assert decisions["q01"].winner.model == "bold"
    assert decisions["q01"].votes[0].abstained == 3
    assert arrays_of(read).votes.decided_right([0, 1]).all()
    assert arrays_of(kin()).votes.decided_right([0, 1]).mean() == pytest.approx(1 / 3)
    assert read.history == kin().history


def test_a_selection_names_what_is_common_and_never_right_and_reads_it_as_none(tmp_path):
    """The suggestion is taken by `no_answer=`, which makes the mux right everywhere, and is kept in the file."""
    options = {"sizes": [2], "repeats": 1, "n_resamples": 0}
    plain = select_complementary(kin(), **options)
    assert (plain.never_right, plain.no_answer) == (("unknown",), ())
    selection = select_complementary(kin(), no_answer=plain.never_right, **options)
    assert (selection.never_right, selection.no_answer) == ((), ("unknown",))
    assert (plain.best.accuracy, selection.best.accuracy) == (pytest.approx(1 / 3), 1.0)
    assert selection.fingerprint == plain.fingerprint, "the samples are the same"
    selection.save(tmp_path / "selection.json")
    assert Selection.load(tmp_path / "selection.json") == selection


def test_without_any_answer_none_is_named():
    """A recording in which nobody answers suggests nothing."""
    silent = Recording.of(
        Row(question_id=f"q{q}", model="shy", sample_index=0, answer=None, gold="1") for q in range(30)
    )
    assert select_complementary(silent, sizes=[1], repeats=1, n_resamples=0).never_right == ()


def test_a_learned_rule_learns_that_it_is_none_by_itself():
    """An answer that is common and never right gets a weight below 0, so that it does not win although it is unanimous."""
    selection = select_complementary(kin(120), sizes=[2], repeats=1, n_resamples=0, rule="learned")
    weights = dict(selection.by_size[2].fitted["learned"].answers)
    assert weights["unknown"] < min(weights[answer] for answer in ("aunt", "niece", "cousin", "uncle"))
    assert selection.by_size[2].contest["learned"].accuracy > 0.9 > selection.by_size[2].accuracy


def test_the_report_says_what_it_read_as_none():
    """The page suggests the option, and with it names the answers."""
    options = {"sizes": [2], "repeats": 1, "n_resamples": 0}
    assert "Common and never right: &quot;unknown&quot;. If that is no answer," in report(kin(), **options)
    page = report(kin(), no_answer=["unknown"], **options)
    assert "Read as no answer: &quot;unknown&quot;." in page
    assert "Common and never right" not in page
