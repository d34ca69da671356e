"""What each plan asks for, and what it saves: the adaptive order and the paper's first-round stop."""

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import ABSTAINED, FAILED, algorithm_1

from slmmux import Answer, Draw, NoAnswerError, Pool, Race, Sample, adrive, drive
from slmmux._decision.groups import classes
from slmmux._decision.plans import PLANS
from slmmux._decision.vote import Tally

outcomes = st.lists(st.sampled_from(["x", "y", "z", ABSTAINED, FAILED]), min_size=1, max_size=5)
tables = st.lists(outcomes, min_size=1, max_size=4).map(lambda members: dict(zip("abcd", members, strict=False)))
equal_k = (
    st.integers(1, 4)
    .flatmap(lambda k: st.lists(st.lists(st.sampled_from("xyz"), min_size=k, max_size=k), min_size=1, max_size=4))
    .map(lambda members: dict(zip("abcd", members, strict=False)))
)


def read(outcome):
    return None if outcome is ABSTAINED else Answer(outcome, "text", outcome)


def a_race(table, plan, **options):
    return Race({model: len(samples) for model, samples in table.items()}, read, plan=plan, **options)


def steps(table, plan, **options):
    """Return (the draws of each step, the decision or None without a reply)."""
    race, requests = a_race(table, plan, **options), []
    try:
        while race.decision is None:
            requests.append(race.ask())
            for draw in requests[-1]:
                outcome = table[draw.model][draw.index]
                if outcome is FAILED:
                    race.fail(draw, FAILED)
                else:
                    race.tell(draw, outcome)
    except NoAnswerError:
        return requests, None
    return requests, race.decision


@pytest.mark.parametrize("plan", ["parallel", "cascade", "first_round"])
@given(tables)
def test_a_plan_s_steps_are_every_draw_once(plan, table):
    """Taken to their end the steps of a plan ask for each planned sample once, and then for nothing."""
    tallies = [Tally(model, len(samples)) for model, samples in table.items()]
    requests = [draw for step in PLANS[plan](tallies) for draw in step]
    assert sorted(requests, key=str) == sorted(
        (Draw(model, i) for model, samples in table.items() for i in range(len(samples))), key=str
    )


@given(tables)
def test_adaptive_ends_when_nothing_is_outstanding(table):
    """Where nothing is ever settled it asks for every planned sample once, and then for nothing."""
    tallies = {model: Tally(model, len(samples)) for model, samples in table.items()}
    requests = []
    for (draw,) in PLANS["adaptive"](list(tallies.values())):
        requests.append(draw)
        tallies[draw.model].add(Sample(draw, reply="x", answer=read("x")))
    assert len(requests) == len(set(requests)) == sum(map(len, table.values()))


@given(tables)
def test_adaptive_asks_for_one_sample_at_a_time_of_who_promises_most(table):
    """Each step is one draw, of the member whose count and outstanding samples together are the highest share of its k.

    Equals fall to the better-ranked; a member's samples come in index order.
    """
    requests, _ = steps(table, "adaptive")
    arrived = {model: [] for model in table}
    for step in requests:
        (draw,) = step

        def promise(model):
            given_ = [o for o in arrived[model] if o is not FAILED and o is not ABSTAINED]
            top = max(map(given_.count, given_), default=0)
            return (top + len(table[model]) - len(arrived[model])) / len(table[model])

        able = [model for model in table if len(arrived[model]) < len(table[model])]
        assert promise(draw.model) == pytest.approx(max(map(promise, able)))
        assert draw.model == next(m for m in able if promise(m) == pytest.approx(promise(draw.model)))
        assert draw.index == len(arrived[draw.model])
        arrived[draw.model].append(table[draw.model][draw.index])


def test_adaptive_spares_what_cannot_matter():
    """A unanimous best-ranked member is all that is asked; a rival that cannot win any more is left alone."""
    requests, decision = steps({"a": "xxx", "b": "yyy", "c": "zzz"}, "adaptive")
    assert sum(map(len, requests)) == 3
    assert (decision.winner.model, decision.reason) == ("a", "settled")
    # a falls to 2 of 3 at its second sample, b to 2 of 3 as well, c is unanimous: 2 + 2 + 3 samples, not 9.
    requests, decision = steps({"a": "xyx", "b": "yzy", "c": "zzz"}, "adaptive")
    assert [draw.model for (draw,) in requests] == ["a", "a", "b", "b", "c", "c", "c"]
    assert decision.winner.model == "c"


def test_adaptive_knows_no_more_of_an_equality_that_is_no_key():
    """Where answers are compared in pairs a member's samples are asked in order, each once."""
    race = Race({"a": 3, "b": 3}, read, plan="adaptive", group=classes)
    requests = []
    while race.decision is None:
        (draw,) = race.ask()
        requests.append(draw)
        race.tell(draw, "x", (read("x"), dict.fromkeys(race.answers(draw.model), 1.0)))
    assert requests == [Draw("a", 0), Draw("a", 1), Draw("a", 2)]


@given(tables)
def test_first_round_stops_where_all_members_first_say_one_thing(table):
    """One answer in all first samples ends the race with it; otherwise it is Algorithm 1 on all samples."""
    requests, decision = steps(table, "first_round", wait="exhausted")
    firsts = {samples[0] for samples in table.values()}
    further = any(len(samples) > 1 for samples in table.values())
    if len(firsts) == 1 and not firsts & {ABSTAINED, FAILED} and further:
        assert [len(step) for step in requests] == [len(table)]
        assert (decision.reason, decision.winner.answer) == ("first-round", firsts.pop())
        assert {vote.count for vote in decision.votes} == {1}
    else:
        expected = algorithm_1(table)
        assert (decision and (decision.winner.model, decision.winner.answer)) == (expected and expected[:2])


def test_first_round_can_change_the_outcome():
    """It is lossy: first samples that agree by chance end the race before the sure answer is heard."""
    table = {"a": "xyy", "b": "xyy"}
    assert steps(table, "first_round")[1].winner.answer == "x"
    assert steps(table, "parallel")[1].winner.answer == "y"


@given(equal_k)
def test_first_round_asks_each_member_once_and_then_for_all_the_rest(table):
    """Its two steps are the samples of index 0 and all the others."""
    race = a_race(table, "first_round", wait="exhausted")
    assert race.ask() == [Draw(model, 0) for model in table]
    assert race.ask() == []


@pytest.mark.parametrize("plan", ["adaptive", "first_round"])
@given(tables, st.integers(0, 2**32))
def test_the_drivers_follow_the_plan(plan, table, seed):
    """On threads and on tasks the decision is that of the plan's own steps, whatever the timing."""
    _, expected = steps(table, plan)
    rng = Random(seed)

    def one(draw):
        outcome = table[draw.model][draw.index]
        if outcome is FAILED:
            raise FAILED
        return outcome

    async def call(draws):
        for _ in range(rng.randrange(3)):
            await asyncio.sleep(0)
        return [one(draw) for draw in draws]

    async def on_tasks():
        return await adrive(a_race(table, plan), call, slots=asyncio.Semaphore(8))

    def on_threads():
        return drive(a_race(table, plan), lambda draws: [one(draw) for draw in draws], pool=Pool(8))

    for way in (on_threads, lambda: asyncio.run(on_tasks())):
        try:
            decision = way()
        except NoAnswerError:
            decision = None
        assert (decision and (decision.winner.model, decision.winner.answer)) == (
            expected and (expected.winner.model, expected.winner.answer)
        )
