"""Scores in place of counts: how they decide, and what recorded confidences are worth beside self-consistency."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from slmmux import ArgumentError, Race, Recording, RecordingError, Row, replay
from slmmux._decision.scored import by_scores
from slmmux._decision.types import Answer, Draw
from slmmux.cli import app
from slmmux.report import report
from slmmux.selection import compare_confidences

MODELS = ("a", "b", "c")
ANSWERS = st.sampled_from(["1", "2", "3", None])


def decided(replies, *, failing=()):
    """Return the decision by counts among replies: {model: [answer, ...]}."""
    race = Race(
        {model: len(of) for model, of in replies.items()},
        lambda text: None if text == "" else Answer(text, "text", text),
        wait="exhausted",
    )
    while race.decision is None:
        for draw in race.ask():
            if draw in failing:
                race.fail(draw, RuntimeError("down"))
            else:
                race.tell(draw, replies[draw.model][draw.index] or "")
    return race.decision


@given(
    replies=st.dictionaries(st.sampled_from(MODELS), st.lists(ANSWERS, min_size=1, max_size=4), min_size=1),
    data=st.data(),
)
def test_equal_scores_are_algorithm_1(replies, data):
    """With one score for all samples the model, its answer, its reply and how it was decided are those by counts."""
    decision = decided(replies)
    score = data.draw(st.sampled_from([0.25, 0.5, 1.0]))
    scored = by_scores(decision, {sample.draw: score for sample in decision.samples})
    assert (scored.winner.model, scored.winner.answer) == (decision.winner.model, decision.winner.answer)
    assert (scored.sample, scored.reply, scored.decided_by) == (decision.sample, decision.reply, decision.decided_by)


SCORES = st.sampled_from([0.0, 0.125, 0.5, 0.75, 1.0])


@given(
    replies=st.dictionaries(st.sampled_from(MODELS), st.lists(ANSWERS, min_size=1, max_size=4), min_size=1),
    data=st.data(),
)
def test_the_definition_decides(replies, data):
    """The winner has the highest sum of scores / k of all members and answers; equals fall to index and rank."""
    decision = decided(replies)
    scores = {sample.draw: data.draw(SCORES) for sample in decision.samples}
    scored = by_scores(decision, scores)
    shares = {
        (model, answer): Fraction(
            sum(Fraction(scores[Draw(model, i)]) for i, other in enumerate(of) if other == answer), len(of)
        )
        for model, of in replies.items()
        for answer in of
        if answer is not None
    }
    if not shares:
        assert scored is decision
        return
    # Dictionaries keep the order of rank and index, and the first of several maxima is the one that max() returns.
    best = max(shares, key=shares.__getitem__)
    assert (scored.winner.model, scored.winner.answer) == best
    assert scored.winner.score == pytest.approx(float(shares[best]))
    assert scored.sample == Draw(best[0], replies[best[0]].index(best[1]))
    tops = {model: max(shares[each] for each in shares if each[0] == model) for model, _ in shares}
    assert (scored.decided_by == "tie-break") == (list(tops.values()).count(shares[best]) > 1)


def test_a_sample_without_a_score_is_neutral():
    """A missing score counts as the mean of the question's; without any, nothing changes."""
    decision = decided({"a": ["1", "1"], "b": ["2", "2"]})
    scored = by_scores(decision, {Draw("b", 0): 0.5, Draw("b", 1): 0.7})
    assert [vote.score for vote in scored.votes] == pytest.approx([0.6, 0.6])
    assert scored.winner.model == "a"
    assert by_scores(decision, {}) is decision


def test_failed_samples_and_silence_have_no_score():
    """A member that failed or abstained has no score, and a share of 1 of k still counts as that."""
    decision = decided({"a": ["1", "1"], "b": ["2", None]}, failing={Draw("a", 0), Draw("a", 1)})
    scored = by_scores(decision, {Draw("b", 0): 1.0})
    assert [vote.score for vote in scored.votes] == [None, 0.5]
    assert scored.winner.confidence == 0.5


# --- recordings -------------------------------------------------------------------------------------------------------


def rows(questions=12, **more):
    """Return rows in which the log-probability knows which of two members is right, and consistency does not."""
    return [
        Row(
            question_id=f"q{q:02}",
            model=model,
            sample_index=i,
            answer="right" if (q + m) % 2 else "wrong",
            gold="right",
            text="right" if (q + m) % 2 else "wrong",
            confidences={"logprob": 0.9 if (q + m) % 2 else 0.2, **more},
        )
        for q in range(questions)
        for m, model in enumerate(("a", "b"))
        for i in range(2)
    ]


def test_a_recording_keeps_confidences(tmp_path):
    """Every format brings them back, and what is no share of 1 is refused with the place and the form."""
    pytest.importorskip("pyarrow")
    recording = Recording.of([*rows(), Row(question_id="q99", model="a", sample_index=0, answer=None, gold="x")])
    for name in ("r.jsonl", "r.jsonl.gz", "r.parquet"):
        recording.save(tmp_path / name)
        assert Recording.load(tmp_path / name).rows == recording.rows
    line = {"question_id": "q", "model": "m", "sample_index": 0, "answer": "4"}
    for bad in ({"logprob": 1.5}, {"logprob": "high"}, [0.5], {"logprob": None}):
        file = tmp_path / "bad.jsonl"
        file.write_text(json.dumps({**line, "confidences": bad}) + "\n")
        with pytest.raises(RecordingError, match="confidences"):
            Recording.load(file)


def test_a_parquet_file_of_others_is_checked(tmp_path):
    """A column of confidences that is no JSON of shares is refused with a sentence that says what it should hold."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for bad in ("[]", '{"logprob": 2}', '{"logprob": true}', "no JSON"):
        table = arrow.table(
            {"question_id": ["q"], "model": ["m"], "sample_index": [0], "answer": ["4"], "confidences": [bad]}
        )
        parquet.write_table(table, tmp_path / "bad.parquet")
        with pytest.raises(RecordingError, match="numbers from 0 to 1"):
            _ = Recording.load(tmp_path / "bad.parquet").rows


def test_a_replay_ranks_by_a_recorded_confidence():
    """With confidence= the replay decides as the live mux would, and without it nothing reads the field."""
    recording = Recording.of(rows())
    plain = replay(recording, ["a", "b"])
    assert {decision.winner.model for decision in plain.values()} == {"a"}
    by_logprob = replay(recording, ["a", "b"], confidence="logprob")
    assert {decision.winner.answer for decision in by_logprob.values()} == {"right"}
    assert by_logprob["q00"].winner.confidence == 0.9


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"confidence": "judge"}, "recorded are logprob"),
        ({"confidence": "logprob", "rule": "pooled"}, "leave out the rule"),
    ],
)
def test_a_replay_says_what_does_not_fit(options, sentence):
    """A confidence that was not recorded, or another rule beside one, is refused."""
    with pytest.raises(ArgumentError, match=sentence):
        replay(Recording.of(rows()), ["a", "b"], **options)
    with pytest.raises(ArgumentError, match="none was recorded"):
        replay(Recording.of([Row(question_id="q", model="a", sample_index=0, answer="4")]), ["a"], confidence="judge")


def test_pairwise_answers_have_no_scores():
    """Answers that were compared in pairs form groups, which scores do not rank: only self-consistency is compared."""
    recording = Recording.of(rows(), {"agreement": "math"})
    with pytest.raises(ArgumentError, match="leave out the rule"):
        replay(recording, ["a", "b"], confidence="logprob")
    assert [each.confidence for each in compare_confidences(recording, ["a", "b"])] == ["consistency"]


def test_the_comparison_counts_what_happened():
    """Each figure is that of the definition, on samples where a confidence knows the truth and where it is blind."""
    one, logprob, reward = compare_confidences(Recording.of(rows(reward=0.5)), ["a", "b"])
    assert (one.confidence, one.accuracy, one.stated, one.separation, one.gain) == ("consistency", 0.5, 1.0, 0.5, 0)
    assert one.error == pytest.approx(0.5)
    assert (logprob.accuracy, logprob.gain, logprob.questions, logprob.scored) == (1.0, 0.5, 12, 1.0)
    assert logprob.error == pytest.approx(0.1)
    assert logprob.brier == pytest.approx(0.01)
    assert logprob.separation is None
    assert 0 < logprob.low < 0.5 < logprob.high
    assert (reward.accuracy, reward.gain, reward.separation) == (0.5, 0, 0.5)
    assert reward.low < 0 < reward.high


def test_the_comparison_is_honest_on_odd_recordings():
    """Two questions, no answers at all, and samples that failed: nothing is NaN but a share of nothing."""
    silent = [
        Row(question_id=f"q{q}", model="a", sample_index=0, answer=None, gold="4", confidences={"judge": 0.5})
        for q in range(2)
    ]
    one, judge = compare_confidences(Recording.of(silent), ["a"])
    assert (one.accuracy, judge.accuracy, judge.stated, judge.separation) == (0.0, 0.0, 0.0, None)
    assert judge.scored is None
    failed = [
        Row(question_id="q0", model="a", sample_index=0, answer=None, gold="4", error="down"),
        Row(question_id="q0", model="b", sample_index=0, answer="4", gold="4", confidences={"judge": 0.5}),
    ]
    _, judge = compare_confidences(Recording.of(failed), ["a", "b"])
    assert (judge.accuracy, judge.stated, judge.scored) == (1.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("rating", "prices", "tokens", "cost"),
    [
        ((100, 10), {"a": {"input": 1, "output": 2}, "judge": {"input": 10, "output": 20}}, 135, 30e-6 + 1200e-6),
        ((100, 10), {"a": {"input": 1, "output": 2}}, 135, None),
        ((100, 10), None, 135, None),
        ((None, None), {"a": {"input": 1, "output": 2}}, None, None),
    ],
    ids=["priced", "judge without a price", "no prices", "not counted"],
)
def test_a_judges_tokens_are_those_of_its_confidence(rating, prices, tokens, cost):
    """They and their cost are added for "judge" alone; if they were not counted, its tokens are unknown and not fewer."""
    sent, received = rating
    rated = [
        Row(question_id=f"q{q}", model="a", sample_index=0, answer="4", gold="4", input_tokens=20, output_tokens=5,
            confidences={"judge": 0.5}, judge_input_tokens=sent, judge_output_tokens=received)
        for q in range(4)
    ]  # fmt: skip
    settings = None if prices is None else {"prices": prices}
    consistency, judge = compare_confidences(Recording.of(rated, settings), ["a"])
    assert (consistency.tokens, consistency.cost) == (25, None if prices is None else pytest.approx(30e-6))
    assert (judge.tokens, judge.cost) == (tokens, None if cost is None else pytest.approx(cost))


def test_select_and_report_compare_confidences(tmp_path):
    """The command prints the table, and has it in its JSON; the page has the section; without any, neither has it."""
    file = tmp_path / "r.jsonl"
    Recording.of(rows()).save(file)
    runner = CliRunner()
    text = runner.invoke(app, ["select", str(file), "--resamples", "0"])
    assert text.exit_code == 0, text.output
    assert "by confidence" in text.output
    assert "logprob" in text.output
    as_json = json.loads(runner.invoke(app, ["select", str(file), "--resamples", "0", "--json"]).stdout)
    assert [each["confidence"] for each in as_json["confidences"]] == ["consistency", "logprob"]
    assert "Other confidences" in report(Recording.load(file), n_resamples=0)
    Recording.of(
        [
            Row(question_id=r.question_id, model=r.model, sample_index=r.sample_index, answer=r.answer, gold=r.gold)
            for r in rows()
        ]
    ).save(file)
    assert "by confidence" not in runner.invoke(app, ["select", str(file), "--resamples", "0"]).output
    assert "confidences" not in json.loads(
        runner.invoke(app, ["select", str(file), "--resamples", "0", "--json"]).stdout
    )
    assert "Other confidences" not in report(Recording.load(file), n_resamples=0)


@pytest.mark.parametrize("field", [{"gold": float("nan")}, {"gold": ["4", float("nan")]}, {"answer": float("nan")}])
def test_a_row_in_memory_holds_no_nan(field):
    """A NaN would count every answer as wrong without a word; rows in memory are refused as those of a file are."""
    row = Row(**{"question_id": "q", "model": "a", "sample_index": 0, "answer": "4", **field})
    with pytest.raises(RecordingError, match="row 0: the answer or the gold answer is NaN"):
        Recording.of([row])
