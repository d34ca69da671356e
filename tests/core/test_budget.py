"""What an answer may cost: never exceeded, and the best decision from what is in."""

import asyncio
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmmux import Answer, ArgumentError, Draw, NoAnswerError, Pool, Race, adrive, drive
from slmmux._decision.budget import Budget, check_budget
from slmmux._decision.price import Price
from slmmux._errors import SampleTimeoutError

PLANS = ["parallel", "cascade", "adaptive", "cheapest", "first_round"]


def read(reply):
    return Answer(reply[0], "text", reply[0])


def in_one_request(draws):
    """Group all draws of a member."""
    by_model = {}
    for draw in draws:
        by_model.setdefault(draw.model, []).append(draw)
    return [tuple(group) for group in by_model.values()]


def one_by_one(draws):
    return [(draw,) for draw in draws]


class Member:
    """Members that say what they are told to, and count the requests and tokens."""

    def __init__(self, tokens=10):
        self.requests = Counter()
        self.samples = 0
        self.spent = 0
        self._tokens = tokens

    def __call__(self, draws):
        self.requests[draws[0].model] += 1
        self.samples += len(draws)
        self.spent += self._tokens * len(draws)
        return [(f"{draw.model}{draw.index % 2}", self._tokens) for draw in draws]

    async def later(self, draws):
        await asyncio.sleep(0)
        return self(draws)


def decided(race, asked, budget, group, *, on_tasks):
    if not on_tasks:
        return drive(race, asked, pool=Pool(4), group=group, budget=budget)

    async def run():
        return await adrive(race, asked.later, slots=asyncio.Semaphore(4), group=group, budget=budget)

    return asyncio.run(run())


ways = st.booleans()
groups = st.sampled_from([one_by_one, in_one_request])


@given(st.sampled_from(PLANS), st.integers(1, 8), st.integers(1, 3), st.integers(1, 3), groups, ways)
def test_a_budget_of_calls_is_never_exceeded(  # noqa: PLR0917
    plan, calls, members, k, group, on_tasks
):
    """No more requests begin than the budget has, and the decision is made of what they brought, marked so."""
    asked = Member()
    race = Race(dict.fromkeys("abc"[:members], k), read, plan=plan, wait="exhausted")
    decision = decided(race, asked, Budget({"calls": calls}), group, on_tasks=on_tasks)
    assert asked.requests.total() <= calls
    if decision.unused and decision.reason != "first-round":
        assert (decision.reason, asked.requests.total()) == ("budget", calls)
    else:
        assert decision.reason in {"exhausted", "first-round"}


@given(st.sampled_from(PLANS), st.integers(1, 120), st.integers(1, 3), st.integers(1, 3), groups, ways)
def test_a_budget_of_tokens_with_what_is_in_flight_set_aside_is_never_exceeded(  # noqa: PLR0917
    plan, tokens, members, k, group, on_tasks
):
    """Where the longest reply is known no token more is spent, and what fits is asked for."""
    asked = Member()
    race = Race(dict.fromkeys("abc"[:members], k), read, plan=plan, wait="exhausted")
    budget = Budget({"tokens": tokens}, reserve=lambda _: 10, spent=lambda reply: reply[1])
    if tokens < 10:
        with pytest.raises(NoAnswerError, match="no member replied: budget reached"):
            decided(race, asked, budget, group, on_tasks=on_tasks)
        return
    decision = decided(race, asked, budget, group, on_tasks=on_tasks)
    assert asked.spent <= tokens
    if decision.reason == "budget":
        assert asked.spent > tokens - 10
    else:
        assert decision.reason in {"exhausted", "first-round"}


def test_what_nobody_knows_of_a_reply_can_overrun_by_the_calls_in_flight():
    """Without max_tokens one request more than fits may be in flight, and none after it."""
    asked = Member(tokens=10)
    race = Race({"a": 5}, read, plan="adaptive", wait="exhausted")
    decision = drive(race, asked, pool=Pool(4), budget=Budget({"tokens": 15}, spent=lambda reply: reply[1]))
    assert (decision.reason, asked.spent, len(decision.unused)) == ("budget", 20, 3)


def test_a_request_nobody_counted_costs_what_was_set_aside():
    """A member that reports no usage is charged its longest reply; a failed one nothing."""
    budget = Budget({"tokens": 30}, reserve=lambda _: 10, spent=lambda _: 0)
    a, b = (Draw("a", 0),), (Draw("a", 1),)
    budget.begin(a)
    budget.begin(b)
    assert budget.fits((Draw("a", 2), Draw("a", 3))) == 1
    budget.end(a, ["x"])
    budget.end(b, [])
    assert budget.fits((Draw("a", 2), Draw("a", 3), Draw("a", 4))) == 2


def test_settled_first_is_settled():
    """A race that is settled before its budget is spent says so."""
    race = Race({"a": 2, "b": 2}, lambda reply: Answer("x", "text", "x"), plan="cascade")
    assert drive(race, Member(), pool=Pool(4), budget=Budget({"calls": 2})).reason == "settled"


def test_a_request_that_is_given_up_is_not_in_flight_any_more():
    """A task over its time-out is cancelled and frees what was set aside for it, so that the next is asked."""

    async def call(draws):
        if draws[0].index == 0:
            await asyncio.Event().wait()
        return [("x", 10) for _ in draws]

    async def run():
        race = Race({"a": 2}, read, plan="adaptive", wait="exhausted")
        budget = Budget({"tokens": 10}, reserve=lambda _: 10, spent=lambda reply: reply[1])
        return await adrive(race, call, slots=asyncio.Semaphore(1), timeout=0.01, budget=budget)

    decision = asyncio.run(run())
    assert (decision.sample.index, decision.reason) == (1, "exhausted")
    assert isinstance(decision.samples[0].error, SampleTimeoutError)


@pytest.mark.parametrize("limits", [{"tokens": 15}, {"cost": 15e-6}], ids=["tokens", "cost"])
def test_a_call_that_runs_on_is_in_the_budget_until_it_ends(limits):
    """A thread over its time-out cannot be stopped: what it may cost stays set aside, so the next call does not fit."""
    over = threading.Event()

    def call(draws):
        over.wait(30)
        return [("x", 10)]

    budget = Budget(limits, reserve=lambda _: 10, prices={"slow": Price(1.0, 1.0), "next": Price(1.0, 1.0)})
    with pytest.raises(NoAnswerError, match="budget reached") as caught:
        drive(Race({"slow": 1, "next": 1}, read), call, pool=Pool(2), timeout=0.02, budget=budget)
    over.set()
    assert [error.model for error in caught.value.errors] == ["slow"]


def test_a_call_that_ended_late_cost_what_it_reports():
    """What was set aside for an overdue call becomes its tokens when it ends, or is free again if it failed."""
    budget = Budget({"tokens": 30}, reserve=lambda _: 10, spent=lambda reply: reply[1], prompt=lambda _: 0)
    first, second, more = (Draw("a", 0),), (Draw("a", 1),), tuple(Draw("a", i) for i in range(2, 6))
    for draws in (first, second):
        budget.begin(draws)
        budget.keep(draws)
    assert budget.fits(more) == 1
    budget.end(second, [])
    assert budget.fits(more) == 2
    budget.end(first, [("x", 11)])
    assert budget.fits(more) == 1


def test_a_first_call_that_hangs_does_not_keep_the_others_from_being_asked():
    """The first call tells the size of the prompt; if it runs over its time-out, another one does."""
    over = threading.Event()

    def call(draws):
        if draws[0].model == "slow":
            over.wait(30)
        return [("x", 10)]

    budget = Budget({"tokens": 100}, reserve=lambda _: 10, prompt=lambda _: 5)
    decision = drive(Race({"slow": 1, "next": 2}, read), call, pool=Pool(2), timeout=0.02, budget=budget)
    over.set()
    assert decision.winner.model == "next"


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (
            10,
            r"expected a budget of \"calls\", \"tokens\" or \"cost\", received 10; write budget=\{\"calls\": 10\}, budget=",
        ),
        ({}, r"received \{\}; write"),
        ({"seconds": 3}, r"received \{'seconds': 3\}; write"),
        ({"calls": 0}, r"a budget of calls must be a whole number of at least 1, received 0"),
        ({"tokens": 1.5}, r"a budget of tokens must be a whole number of at least 1, received 1.5"),
        ({"calls": True}, r"received True"),
    ],
)
def test_an_unusable_budget_is_refused(limits, sentence):
    """Each sentence has the value received and what to write instead."""
    with pytest.raises(ArgumentError, match=sentence):
        check_budget(limits)


def test_a_budget_with_units_is_accepted():
    """Calls, tokens, both, or no budget at all."""
    for limits in (None, {"calls": 1}, {"tokens": 1}, {"calls": 3, "tokens": 2000}):
        check_budget(limits)


@given(
    tokens=st.integers(1, 300),
    prompt=st.integers(0, 60),
    plan=st.sampled_from(PLANS),
    on_tasks=st.booleans(),
    group=st.sampled_from([one_by_one, in_one_request]),
)
def test_only_the_first_prompt_can_overrun_a_budget_of_tokens(tokens, prompt, plan, on_tasks, group):
    """Replies of 10 tokens after prompts of one size: what is spent stays within the budget and one prompt."""
    race = Race({"a": 3, "b": 3}, read, plan=plan, wait="exhausted")
    member = Prompted(prompt)
    budget = Budget(
        {"tokens": tokens}, reserve=lambda _: 10, spent=lambda reply: reply[1], prompt=lambda reply: reply[2]
    )
    try:
        decided(race, member, budget, group, on_tasks=on_tasks)
    except NoAnswerError:
        assert tokens < 10
    assert member.spent <= max(tokens, 10) + (prompt if tokens >= 10 else 0)


class Prompted(Member):
    """The same members, each request with a prompt, whose tokens stand on its first reply."""

    def __init__(self, prompt):
        super().__init__()
        self._prompt = prompt

    def __call__(self, draws):
        replies = super().__call__(draws)
        self.spent += self._prompt
        return [
            (answer, tokens + (0 if i else self._prompt), 0 if i else self._prompt)
            for i, (answer, tokens) in enumerate(replies)
        ]


def test_a_server_that_reports_less_than_nothing_does_not_undo_a_budget():
    """A reply of -1,500 tokens costs what was set aside for it, or nothing: it never gives tokens back."""
    member = Member()
    budget = Budget({"tokens": 30}, reserve=lambda _: 10, spent=lambda _: -1500)
    decision = decided(Race({"a": 9}, read, wait="exhausted"), member, budget, one_by_one, on_tasks=False)
    assert (decision.reason, member.samples) == ("budget", 3)
    counted = [10, -1500] * 9
    budget = Budget({"tokens": 30}, spent=lambda _: counted.pop(0))
    decision = drive(Race({"a": 9}, read, wait="exhausted", plan="adaptive"), Member(), pool=Pool(1), budget=budget)
    assert decision.reason == "budget"
