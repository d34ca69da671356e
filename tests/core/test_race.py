"""What holds of every race, whatever comes back and in whatever order."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import ABSTAINED, FAILED, algorithm_1

from slmmux._decision.race import Race
from slmmux._decision.types import Answer, Draw
from slmmux._errors import ArgumentError, NoAnswerError

PLANS = ("parallel", "cascade", "adaptive", "cheapest")  # the lossless ones

outcomes = st.lists(st.sampled_from(["x", "y", "z", ABSTAINED, FAILED]), min_size=1, max_size=6)
tables = st.lists(outcomes, min_size=1, max_size=5).map(lambda members: dict(zip("abcde", members, strict=False)))
silent = st.lists(st.sampled_from([ABSTAINED, FAILED]), min_size=1, max_size=4)
silent_tables = st.lists(silent, min_size=1, max_size=4).map(lambda members: dict(zip("abcd", members, strict=False)))
seeds = st.integers(0, 2**32)
plans = st.sampled_from(PLANS)
waits = st.sampled_from(["settled", "exhausted"])


def read(reply):
    _, outcome = reply
    return None if outcome is ABSTAINED else Answer(outcome, "text", outcome)


def a_race(table, plan="parallel", wait="settled"):
    return Race({model: len(samples) for model, samples in table.items()}, read, plan=plan, wait=wait)


def tell(race, table, draw):
    outcome = table[draw.model][draw.index]
    if outcome is FAILED:
        race.fail(draw, FAILED)
    else:
        race.tell(draw, (draw, outcome))


def run(race, table, rng=None, most=1000):
    """Tell a race at most `most` outcomes, in random order or as asked; return what was asked and not told."""
    pending = race.ask()
    for _ in range(most):
        if race.decision is not None:
            break
        tell(race, table, pending.pop(rng.randrange(len(pending)) if rng else 0))
        pending += race.ask()
    return pending


def decide(table, seed=None, plan="parallel", wait="settled"):
    """Return the decision, or the error of a race without a reply."""
    race = a_race(table, plan, wait)
    try:
        run(race, table, None if seed is None else Random(seed))
    except NoAnswerError as error:
        return error
    return race.decision


def model_and_answer(decision):
    return None if isinstance(decision, NoAnswerError) else (decision.winner.model, decision.winner.answer)


@given(tables, plans, seeds)
def test_stopping_early_changes_neither_model_nor_answer(table, plan, seed):
    """A race that stops once settled names the model and answer of the race that waited for everything."""
    early, late = decide(table, seed, plan), decide(table, seed, plan, "exhausted")
    assert model_and_answer(early) == model_and_answer(late)


@given(tables, plans, seeds, seeds)
def test_arrival_order_changes_neither_model_nor_answer(table, plan, one, other):
    """Two orders of arrival lead to the same model and answer, though they may settle at different samples."""
    assert model_and_answer(decide(table, one, plan)) == model_and_answer(decide(table, other, plan))


@given(tables, plans, seeds, seeds)
def test_arrival_order_changes_nothing_once_all_is_in(table, plan, one, other):
    """Waiting for everything, two orders of arrival give equal decisions in every field, or equal errors."""
    first, second = (decide(table, seed, plan, "exhausted") for seed in (one, other))
    if isinstance(first, NoAnswerError):
        assert str(first) == str(second)
        assert [(e.model, e.index) for e in first.errors] == [(e.model, e.index) for e in second.errors]
    else:
        assert first == second


@given(tables, plans, waits, seeds)
def test_every_lossless_plan_is_algorithm_1(table, plan, wait, seed):
    """Each plan and wait gives what the written-out rule gives; waiting for all gives its reply and reason too."""
    decision, expected = decide(table, seed, plan, wait), algorithm_1(table)
    if expected is None:
        assert isinstance(decision, NoAnswerError)
        return
    model, answer, index, decided_by = expected
    assert model_and_answer(decision) == (model, answer)
    assert decision.reply == (decision.sample, answer)
    if wait == "exhausted":
        assert (decision.sample, decision.decided_by) == (Draw(model, index), decided_by)
        assert decision.reason == "exhausted"


@given(tables, plans, waits, seeds)
def test_votes_add_up(table, plan, wait, seed):
    """One vote a member in rank order; its samples fall into answers, abstained, failed and unused, and are k."""
    decision = decide(table, seed, plan, wait)
    if isinstance(decision, NoAnswerError):
        return
    assert [vote.model for vote in decision.votes] == list(table)
    for vote in decision.votes:
        answers = [s.answer.value for s in decision.samples if s.draw.model == vote.model and s.answer]
        later = len(answers) - answers.count(vote.answer)
        assert vote.count == answers.count(vote.answer)
        assert vote.of == len(table[vote.model])
        assert vote.count + later + vote.abstained + vote.failed + vote.unused == vote.of
        assert vote.kind == ("text" if vote.answer else None)
        assert vote.confidence == vote.count / vote.of
    assert decision.winner in decision.votes


@given(tables, plans, waits, seeds)
def test_unused_is_what_was_not_told(table, plan, wait, seed):
    """`samples` and `unused` part the planned draws, each in rank and index order."""
    decision = decide(table, seed, plan, wait)
    if isinstance(decision, NoAnswerError):
        return
    planned = [Draw(model, i) for model, samples in table.items() for i in range(len(samples))]
    arrivals = [sample.draw for sample in decision.samples]
    assert list(decision.unused) == [draw for draw in planned if draw not in arrivals]
    assert arrivals == [draw for draw in planned if draw not in decision.unused]
    assert decision.unused == () or decision.reason == "settled"


@given(silent_tables, plans, waits, seeds)
def test_without_any_answer_the_rank_decides(table, plan, wait, seed):
    """Replies that could not be read: the best-ranked member that replied speaks its first reply, at confidence 0."""
    decision = decide(table, seed, plan, wait)
    repliers = [(model, samples.index(ABSTAINED)) for model, samples in table.items() if ABSTAINED in samples]
    if repliers:
        assert (decision.winner.model, decision.sample.index) == repliers[0]
        assert (decision.winner.answer, decision.winner.confidence, decision.decided_by) == (None, 0, "rank")
        assert decision.reply == (decision.sample, ABSTAINED)
    else:
        assert isinstance(decision, NoAnswerError)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 4), min_size=1), plans, waits, seeds)
def test_all_failing_raises_every_error(samples, plan, wait, seed):
    """No reply at all is one error that carries each call's, in rank and index order, and quotes each cause once."""
    error = decide({model: [FAILED] * k for model, k in samples.items()}, seed, plan, wait)
    assert isinstance(error, NoAnswerError)
    assert [(e.model, e.index) for e in error.errors] == [(m, i) for m, k in samples.items() for i in range(k)]
    assert {e.cause for e in error.errors} == {FAILED}
    assert str(error).count("refused") == 1
    assert all(model in str(error) for model in samples)


@given(tables, plans, seeds, st.integers(0, 12))
def test_a_deadline_gives_the_best_of_what_is_in(table, plan, seed, arrivals):
    """Stopped anywhere, the decision is Algorithm 1 over what came, k unchanged; later replies change nothing."""
    race = a_race(table, plan)
    try:
        pending = run(race, table, Random(seed), most=arrivals)
        if race.decision is not None:
            return
    except NoAnswerError:
        return
    race.stop("deadline")
    arrived = {
        model: [outcome if race.sample(Draw(model, i)) else FAILED for i, outcome in enumerate(samples)]
        for model, samples in table.items()
    }
    expected = algorithm_1(arrived)
    if expected is None:
        with pytest.raises(NoAnswerError, match="deadline reached"):
            _ = race.decision
        return
    decision = race.decision
    assert (*model_and_answer(decision), decision.sample.index, decision.decided_by) == expected
    assert decision.reason == "deadline"
    for draw in pending:
        tell(race, table, draw)
    assert race.decision is decision
    assert race.ask() == []


@given(tables, plans, seeds)
def test_late_replies_change_nothing(table, plan, seed):
    """What comes after the decision is taken without complaint and leaves decision and errors as they were."""
    race = a_race(table, plan)
    try:
        pending = run(race, table, Random(seed))
    except NoAnswerError:
        return
    decision, errors = race.decision, [str(error) for error in race.errors]
    for draw in pending:
        tell(race, table, draw)
    race.stop("budget")
    assert race.decision is decision
    assert [str(error) for error in race.errors] == errors
    assert all(race.sample(draw) is None for draw in pending)


def test_settled_stays_settled_when_a_deadline_follows():
    """A race that had settled before `stop` says so, though nobody had read its decision yet."""
    race = a_race({"a": ["x"], "b": ["y"]})
    pending = race.ask()
    tell(race, {"a": ["x"]}, pending[0])
    race.stop("deadline")
    assert race.decision.reason == "settled"


def test_the_first_reason_to_stop_counts():
    """A second `stop` does not change why the race ended."""
    race = a_race({"a": ["x", "x", "x"]})
    race.ask()
    tell(race, {"a": ["x", "x", "x"]}, Draw("a", 0))
    race.stop("budget")
    race.stop("deadline")
    assert race.decision.reason == "budget"


@given(tables, plans, waits, seeds)
def test_each_draw_is_asked_once(table, plan, wait, seed):
    """Over a whole race no draw is asked twice, none beyond the plan, and a decided race asks nothing."""
    race, rng, requests, pending = a_race(table, plan, wait), Random(seed), [], []
    try:
        while race.decision is None:
            new = race.ask()
            requests += new
            pending += new
            tell(race, table, pending.pop(rng.randrange(len(pending))))
    except NoAnswerError:
        pass
    assert len(requests) == len(set(requests))
    assert set(requests) <= {Draw(model, i) for model, samples in table.items() for i in range(len(samples))}
    assert race.ask() == []


@given(tables)
@settings(max_examples=50)
def test_a_unanimous_first_member_spares_the_others_in_a_cascade(table):
    """Cascade never asks the second member when the first is unanimous."""
    table = {**table, "a": ["x"] * len(table["a"])}
    decision = decide(table, plan="cascade")
    assert model_and_answer(decision) == ("a", "x")
    assert {sample.draw.model for sample in decision.samples} == {"a"}


def test_members_take_turns_in_parallel():
    """The parallel plan asks every member's first sample before any second, so that all servers have work."""
    assert a_race({"a": ["x"] * 3, "b": ["x"]}).ask() == [Draw("a", 0), Draw("b", 0), Draw("a", 1), Draw("a", 2)]


def test_the_answer_is_shown_as_the_lowest_index_wrote_it():
    """Equal answers written differently: the vote shows, and the reply is, the one at the lowest index."""
    race = Race({"a": 2}, read=lambda text: Answer(text, "number", "1234"))
    race.ask()
    race.tell(Draw("a", 1), "1234")
    race.tell(Draw("a", 0), "1,234")
    assert (race.decision.winner.answer, race.decision.reply, race.decision.winner.count) == ("1,234", "1,234", 2)


def test_answers_of_different_kinds_are_never_equal():
    """A boxed 4 and a number 4 are two answers; nothing but an answer equals an answer."""
    boxed, number = Answer("4", "boxed", "4"), Answer("4", "number", "4")
    assert boxed != number
    assert boxed != "4"
    assert hash(number) == hash(Answer("4.0", "number", "4"))


def test_a_reply_that_cannot_be_read_costs_its_vote():
    """An extractor that raises fails that sample, with its error, and nothing else."""

    def touchy(text):
        if text == "bad":
            raise ValueError("cannot read that")
        return Answer(text, "text", text)

    race = Race({"a": 1, "b": 1}, read=touchy, wait="exhausted")
    race.ask()
    race.tell(Draw("a", 0), "bad")
    race.tell(Draw("b", 0), "good")
    assert race.decision.winner.model == "b"
    assert race.decision.votes[0].failed == 1
    assert [str(error) for error in race.errors] == ["a[0]: ValueError: cannot read that"]
    assert race.sample(Draw("a", 0)).error is race.errors[0].cause


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (Draw("a", 0), "is counted already"),
        (Draw("b", 0), "was never requested"),
        (Draw("c", 0), "was never requested"),
    ],
)
def test_only_what_was_asked_can_be_told(draw, sentence):
    """Telling a draw twice, or one that was not asked, is refused with a sentence."""
    race = a_race({"a": ["x", "x"], "b": ["x"]}, plan="cascade")
    race.ask()
    race.tell(Draw("a", 0), (Draw("a", 0), "x"))
    with pytest.raises(ArgumentError, match=sentence):
        race.tell(draw, (draw, "x"))


@pytest.mark.parametrize(
    ("samples", "options", "sentence"),
    [
        ({}, {}, "no members.*pass models="),
        ({"a": 0}, {}, "'a' must be a whole number of at least 1, received 0"),
        ({"a": True}, {}, "received True"),
        ({"a": 1.5}, {}, "received 1.5"),
        (
            {"a": 1},
            {"plan": "paralel"},
            "plan='paralel' does not exist; choose one of 'parallel', 'cascade', 'adaptive', 'cheapest', 'first_round'",
        ),
        ({"a": 1}, {"wait": "never"}, "wait='never' does not exist; write \"settled\", "),
    ],
)
def test_a_race_that_cannot_be_run_is_refused(samples, options, sentence):
    """Each bad argument is refused at construction, saying what was found and what to pass."""
    with pytest.raises(ArgumentError, match=sentence):
        Race(samples, read, **options)
