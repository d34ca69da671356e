"""A replay compares answers as the live race did: by recorded keys, or by verdicts recorded with the samples."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import Answer, Draw, NoAnswerError, Race, Recording, Row, replay
from slmmux._decision.groups import classes, neighbourhoods
from slmmux.recording._replay import group_of

PLANS = st.sampled_from(["parallel", "cascade"])
WAITS = st.sampled_from(["settled", "exhausted"])
GROUPS = {"math": classes, "embedding": neighbourhoods}

# --- keys -------------------------------------------------------------------------------------------------------------

spellings = st.sampled_from(
    [
        Answer("1,234", "number", "1234"),
        Answer("1234", "number", "1234"),
        Answer("1234", "text", "1234"),
        Answer("B", "choice", "B"),
        Answer("b", "text", "b"),
        Answer({"b": 2.0}, "json", '{"b":2}'),
        Answer({"b": 2}, "json", '{"b":2}'),
    ]
)
FAILED = "refused"
outcomes = st.lists(spellings | st.sampled_from([None, FAILED]), min_size=1, max_size=4)
tables = st.lists(outcomes, min_size=1, max_size=3).map(lambda members: dict(zip("abc", members, strict=False)))


def rows_of(table, alike=None):
    return [
        Row(
            question_id="q",
            model=model,
            sample_index=i,
            answer=getattr(outcome, "value", None),
            kind=getattr(outcome, "kind", None),
            key=getattr(outcome, "key", None),
            error=FAILED if outcome is FAILED else None,
            alike=(alike or {}).get((model, i)),
        )
        for model, outcomes in table.items()
        for i, outcome in enumerate(outcomes)
    ]


def raced(table, order, *, compare=None, **options):
    """Return the live decision for one order of arrival, compared as a driver does; `None` without any reply."""
    race = Race({model: len(outcomes) for model, outcomes in table.items()}, lambda answer: answer, **options)
    outstanding = set()
    try:
        while (decision := race.decision) is None:
            outstanding |= set(race.ask())
            draw = next(draw for draw in order if draw in outstanding)
            outstanding.remove(draw)
            outcome = table[draw.model][draw.index]
            if outcome is FAILED:
                race.fail(draw, RuntimeError(FAILED))
            elif compare is None:
                race.tell(draw, outcome)
            else:
                alike = {} if outcome is None else compare(draw, race.answers(draw.model))
                race.tell(draw, outcome, (outcome, alike))
    except NoAnswerError:
        return None
    return decision


def draws(table):
    return [Draw(model, i) for model, outcomes in table.items() for i in range(len(outcomes))]


def key_of(decision):
    return next((s.answer.key for s in decision.samples if s.draw == decision.sample and s.answer), None)


def check_same(decision, live, wait):
    if live is None:
        assert decision.reply is None
        return
    # The spelling shown is the first of the samples that arrived before the stop; only the key is sure to be the same.
    assert (decision.winner.model, key_of(decision)) == (live.winner.model, key_of(live))
    assert decision.winner.kind == live.winner.kind
    if wait == "exhausted":
        assert decision.votes == live.votes
        assert (decision.winner, decision.sample) == (live.winner, live.sample)
        assert (decision.decided_by, decision.reason) == (live.decided_by, live.reason)


@given(tables.flatmap(lambda t: st.tuples(st.just(t), st.permutations(draws(t)))), PLANS, WAITS)
def test_rows_with_keys_are_compared_by_them(scripted, plan, wait):
    """As in the live race, spellings with one key are one answer, kinds differ, and the vote shows the text as read."""
    table, order = scripted
    decision = replay(Recording.of(rows_of(table)), list(table), plan=plan, wait=wait)["q"]
    check_same(decision, raced(table, order, plan=plan, wait=wait), wait)


def test_without_a_key_spellings_are_apart():
    """The same rows without kind and key are compared as written."""
    table = {"a": [Answer("1,234", "number", "1234"), Answer("1234", "number", "1234")]}
    rows = rows_of(table)
    bare = [replace(row, kind=None, key=None) for row in rows]
    counts = [replay(Recording.of(r), ["a"], wait="exhausted")["q"].winner.count for r in (rows, bare)]
    assert counts == [2, 1]


def test_same_comes_before_keys_and_verdicts():
    """A caller's `same` replaces keys and verdicts and receives the answers as written."""
    table = {"a": [Answer("x", "text", "k"), Answer("X", "text", "k"), Answer("y", "text", "k")]}
    recording = Recording.of(rows_of(table, {("a", 1): {0: 1.0}, ("a", 2): {0: 1.0, 1: 1.0}}), {"agreement": "math"})
    votes = [
        replay(recording, ["a"], wait="exhausted", same=same)["q"].winner.count
        for same in (None, lambda a, b: a.lower() == b.lower(), lambda a, b: a == b)
    ]
    assert votes == [3, 2, 1]


# --- verdicts ---------------------------------------------------------------------------------------------------------


@st.composite
def related(draw):
    """Draw samples, their pairwise likeness within a member, an order of recording and an order of arrival."""
    words = st.sampled_from(["u", "v", "w", "x", "y", "z"]).map(lambda word: Answer(word, "text", word))
    samples = st.lists(words | st.sampled_from([None, FAILED]), min_size=1, max_size=5)
    members = draw(st.lists(samples, min_size=1, max_size=3))
    table = dict(zip("abc", members, strict=False))
    likeness = {}
    for model, outcomes in table.items():
        words = sorted({outcome.key for outcome in outcomes if isinstance(outcome, Answer)})
        for i, one in enumerate(words):
            for other in words[i + 1 :]:
                if draw(st.booleans()):
                    likeness[model, frozenset({one, other})] = draw(st.sampled_from([0.9, 0.95, 1.0]))
    return table, likeness, draw(st.permutations(draws(table))), draw(st.permutations(draws(table)))


def comparing(table, likeness):
    """Return a comparison as drivers have it: equal keys agree, others if the relation, transitive or not, says so."""

    def compare(draw, others):
        answer = table[draw.model][draw.index]
        alike = {}
        for index, other in others.items():
            closeness = 1.0 if other == answer else likeness.get((draw.model, frozenset({answer.key, other.key})))
            if closeness:
                alike[index] = closeness
        return alike

    return compare


def verdicts(table, compare, order):
    """Return the verdicts that are recorded with each sample: on the samples before it in this order."""
    verdicts_of, before = {}, {model: {} for model in table}
    for draw in order:
        outcome = table[draw.model][draw.index]
        if isinstance(outcome, Answer):
            verdicts_of[draw.model, draw.index] = compare(draw, before[draw.model])
            before[draw.model][draw.index] = outcome
    return verdicts_of


@pytest.mark.parametrize("agreement", GROUPS)
@given(related(), PLANS, WAITS)
def test_kept_verdicts_give_the_live_decision(agreement, scripted, plan, wait):
    """Every order of recording and every order of arrival give the same decision."""
    table, likeness, recorded_in, order = scripted
    compare = comparing(table, likeness)
    rows = rows_of(table, verdicts(table, compare, recorded_in))
    recording = Recording.of(rows, {"agreement": agreement})
    assert group_of(recording) is GROUPS[agreement]
    decision = replay(recording, list(table), plan=plan, wait=wait)["q"]
    live = raced(table, order, compare=compare, plan=plan, wait=wait, group=GROUPS[agreement])
    check_same(decision, live, wait)


@pytest.mark.parametrize("agreement", GROUPS)
@given(related(), st.integers(1, 3))
def test_the_first_k_of_more_give_their_own_decision(agreement, scripted, k):
    """Verdicts on samples beyond k are ignored: a replay of the first k equals a live race of k."""
    table, likeness, recorded_in, order = scripted
    compare = comparing(table, likeness)
    rows = rows_of(table, verdicts(table, compare, recorded_in))
    samples = {model: min(k, len(outcomes)) for model, outcomes in table.items()}
    first = {model: outcomes[:k] for model, outcomes in table.items()}
    decision = replay(Recording.of(rows, {"agreement": agreement}), list(table), samples, wait="exhausted")["q"]
    live = raced(first, order, compare=compare, wait="exhausted", group=GROUPS[agreement])
    check_same(decision, live, "exhausted")


def test_the_verdict_may_stand_with_either_sample():
    """Three samples, a like b and b like c, give b three votes in every order of recording."""
    table = {"m": [Answer(word, "text", word) for word in "abc"]}
    compare = comparing(table, {("m", frozenset(pair)): 0.9 for pair in ("ab", "bc")})
    for order in permutations(draws(table)):
        rows = rows_of(table, verdicts(table, compare, order))
        winner = replay(Recording.of(rows, {"agreement": "embedding"}), ["m"])["q"].winner
        assert (winner.answer, winner.count) == ("b", 3)
        first = replay(Recording.of(rows, {"agreement": "math"}), ["m"])["q"].winner
        assert (first.answer, first.count) == ("a", 2)


def test_keys_are_compared_as_keys():
    """Without settings, or with agreement by keys, answers form no groups."""
    assert group_of(Recording.of([], {"agreement": "canonical"})) is None
    assert group_of(Recording.of([])) is None


@pytest.mark.parametrize("agreement", GROUPS)
def test_equal_keys_agree_without_a_verdict(agreement):
    """Samples without recorded verdicts, for example after a reread, agree exactly if their keys are equal."""
    table = {"m": [Answer("5", "number", "5"), Answer("4.0", "number", "4"), Answer("4", "number", "4")]}
    winner = replay(Recording.of(rows_of(table), {"agreement": agreement}), ["m"])["q"].winner
    assert (winner.answer, winner.count) == ("4.0", 2)
