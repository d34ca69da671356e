"""Every call accounted for, in both drivers: which of them run, which never begin, and what became of the rest.

Each test is written once, over `Threads` and `Tasks`. Calls hang on events, never on the clock.
"""

import asyncio
import logging
import multiprocessing
import os
import threading
from math import inf

import pytest

from slmmux._decision import clock as _clock
from slmmux._decision import drive as _drive
from slmmux._decision import window as _window
from slmmux._decision.drive import adrive, drive
from slmmux._decision.pool import Pool
from slmmux._decision.race import MOST_SAMPLES, Race
from slmmux._decision.record import Escalation, compact, record
from slmmux._decision.types import Answer, Draw
from slmmux._errors import ArgumentError, NoAnswerError, SampleTimeoutError

WAIT_S = 30  # how long a test waits for what must happen; only a broken driver uses it up


def read(reply):
    return Answer(reply, "text", reply)


def a_race(samples, **options):
    return Race(samples, read, **options)


class Threads:
    """The sync driver; a member is a function of its draws and of an event that ends its calls."""

    def __init__(self, limit):
        self.pool = Pool(limit)
        self.release = threading.Event()

    def run(self, race, member, **options):
        return drive(race, lambda draws: member(draws, lambda: self.release.wait(WAIT_S)), pool=self.pool, **options)

    def settle(self):
        """Let everything that hangs end, and wait until it has."""
        self.release.set()
        for thread in threading.enumerate():
            if thread.name == "slmmux-sample":
                thread.join(WAIT_S)
                assert not thread.is_alive()


class Tasks:
    """The async driver over members without async methods: each call is a task and the thread it starts."""

    def __init__(self, limit):
        self.pool = Pool(limit)
        self.release = threading.Event()

    def run(self, race, member, *, late=None, **options):
        async def call(draws):
            return await self.pool.run(
                lambda: member(draws, lambda: self.release.wait(WAIT_S)),
                late=None if late is None else lambda replies: late(draws, replies),
            )

        return asyncio.run(adrive(race, call, slots=self.pool, **options))

    settle = Threads.settle


@pytest.fixture(params=[Threads, Tasks], ids=["threads", "tasks"])
def driver(request):
    drivers = []

    def make(limit):
        drivers.append(request.param(limit))
        return drivers[-1]

    yield make
    for each in drivers:
        each.settle()


class Server:
    """A member's server: the calls that are in it now, the most there ever were, and all that began."""

    def __init__(self):
        self.lock = threading.Lock()
        self.inside = self.most = 0
        self.began = []

    def __call__(self, draws, hang):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.began += draws
        try:
            if draws[0].model == "hangs":
                hang()
            return ["x" for _ in draws]
        finally:
            with self.lock:
                self.inside -= 1


def test_abandoned_calls_count_in_the_window(driver):
    """Ten questions, each decided while one member hangs: never more calls at once than the window has places."""
    server, desk = Server(), driver(4)
    for _ in range(10):
        assert desk.run(a_race({"works": 3, "hangs": 3}), server).winner.model == "works"
        assert server.inside <= 4
    assert server.most <= 4
    assert sum(draw.model == "works" for draw in server.began) == 30
    assert sum(draw.model == "hangs" for draw in server.began) <= 2  # its share of four places


def test_a_member_whose_share_hangs_rests_while_the_others_go_on(driver):
    """Its later samples fail at once with the reason, no question waits for it, and the others' samples all come."""
    server, desk = Server(), driver(4)
    for question in range(5):
        race = a_race({"works": 3, "hangs": 3}, wait="exhausted")
        decision = desk.run(race, server, timeout=0.1)
        assert [(vote.count, vote.failed) for vote in decision.votes] == [(3, 0), (0, 3)]
        sentences = [str(error.cause) for error in race.errors]
        assert all(isinstance(error.cause, SampleTimeoutError) for error in race.errors)
        assert sum("no reply within 0.1 s" in sentence for sentence in sentences) == (2 if question == 0 else 0)
        assert sum("hold this member's whole share" in sentence for sentence in sentences) == (
            1 if question == 0 else 3
        )
    assert sum(draw.model == "hangs" for draw in server.began) == 2
    assert server.most <= 4


def test_a_member_is_back_once_its_calls_have_ended(driver):
    """The rest ends with the calls that hang: the next question gets this member's samples again."""
    server, desk = Server(), driver(2)
    desk.run(a_race({"works": 1, "hangs": 2}, wait="exhausted"), server, timeout=0.1)
    desk.settle()
    decision = desk.run(a_race({"works": 1, "hangs": 2}, wait="exhausted"), server, timeout=WAIT_S)
    assert [vote.count for vote in decision.votes] == [1, 2]


def test_a_window_full_of_hanging_calls_ends_in_an_error(driver):
    """One place, and it hangs: nobody waits for ever, and the error says what to do."""
    desk = driver(1)
    with pytest.raises(NoAnswerError, match="give the members' clients a timeout of their own"):
        desk.run(a_race({"hangs": 1, "works": 1}), Server(), timeout=0.1)


def test_calls_that_run_at_the_decision_are_listed(driver):
    """The decision has every request that was begun and not used, and the record counts them."""
    server, desk = Server(), driver(3)
    decision = desk.run(a_race({"works": 3, "hangs": 9}), server)
    hanging = {draw for draw in server.began if draw.model == "hangs"}
    assert {draw for draws in decision.abandoned for draw in draws} == hanging
    assert hanging <= set(decision.unused)
    kept = record(decision, plan="parallel", extractor="auto", usage={})
    assert kept["abandoned"] == {"calls": len(hanging), "usage": None}
    assert kept["samples"]["used"] + kept["abandoned"]["calls"] == len(server.began)


def test_nothing_is_listed_if_everything_was_used(driver):
    """All samples in: no call is abandoned."""
    decision = driver(2).run(a_race({"works": 5}, wait="exhausted"), Server())
    assert decision.abandoned == ()


def test_what_abandoned_calls_bring_is_reported(driver):
    """The hook hears the replies of abandoned calls when they end, with their draws, and nothing else."""
    reports, desk = [], driver(3)
    decision = desk.run(
        a_race({"works": 3, "hangs": 2}), Server(), late=lambda draws, replies: reports.append((draws, replies))
    )
    assert reports == []
    desk.settle()
    assert {draws for draws, _ in reports} == set(decision.abandoned)
    assert all(replies == ["x"] for _, replies in reports)


async def test_a_cancelled_task_brings_nothing():
    """A call that its cancellation ended has no reply to report."""
    reports, began = [], asyncio.Event()

    async def call(draws):
        if draws[0].model == "hangs":
            began.set()
            await asyncio.Event().wait()
        await began.wait()
        return ["x"]

    race = a_race({"works": 2, "hangs": 1})
    decision = await adrive(race, call, slots=Pool(3), late=lambda *report: reports.append(report))
    assert len(decision.abandoned) == 1
    await asyncio.sleep(0)
    assert not reports


def test_what_overdue_calls_bring_is_reported(driver):
    """A call past its time-out is paid for as well: its replies are reported when it ends, and its vote stays failed."""
    reports, desk = [], driver(2)
    decision = desk.run(
        a_race({"works": 1, "hangs": 1}, wait="exhausted"),
        Server(),
        timeout=0.1,
        late=lambda draws, replies: reports.append((draws, replies)),
    )
    assert decision.votes[1].failed == 1
    assert decision.abandoned == ()  # the record counts this one as failed
    desk.settle()
    assert reports == [((Draw("hangs", 0),), ["x"])]


def test_a_fault_in_the_hook_is_the_hooks_own(driver):
    """`late` may raise whatever it likes: the thread goes on with its next call."""
    desk = driver(2)
    desk.run(a_race({"works": 1, "hangs": 1}), Server(), late=lambda *_: 1 // 0)
    desk.settle()
    assert desk.run(a_race({"works": 1}), Server()).winner.count == 1


def test_queued_calls_never_begin_after_the_decision(driver):
    """Ten calls wait for a place at the decision; none of them begins when the place comes free."""
    server, desk = Server(), driver(2)
    desk.run(a_race({"works": 1, "hangs": 10}), server)
    desk.settle()
    assert [draw for draw in server.began if draw.model == "hangs"] == [Draw("hangs", 0)]


@pytest.mark.parametrize("seconds", [WAIT_S, 1e-4])
def test_calls_in_a_rate_limiter_never_begin_after_the_decision(driver, seconds):
    """A limiter holds all calls of a member back but one: at the decision they are withdrawn, and nobody pays for them."""
    server, desk = Server(), driver(8)

    def pace(draws):
        return seconds if draws[0].model == "hangs" and draws[0].index else 0.0

    decision = desk.run(a_race({"works": 3, "hangs": 5}), server, pace=pace)
    desk.settle()
    hanging = [draw for draw in server.began if draw.model == "hangs"]
    assert hanging in ([], [Draw("hangs", 0)])
    assert [draw for draws in decision.abandoned for draw in draws] == hanging


def test_a_rate_limiter_is_asked_again_and_holds_no_place(driver):
    """A call that has to wait lets others pass in the only place, and begins when its time has come."""
    turns, server, desk = [], Server(), driver(1)

    def pace(draws):
        turns.append(draws[0].model)
        return 0.001 if draws[0].model == "limited" and turns.count("limited") < 3 else 0.0

    decision = desk.run(a_race({"limited": 1, "works": 2}, wait="exhausted"), server, pace=pace)
    assert [vote.count for vote in decision.votes] == [1, 2]
    assert turns.count("limited") == 3
    assert server.began.index(Draw("works", 0)) < server.began.index(Draw("limited", 0))


def test_a_rate_limiter_that_fails_costs_the_sample(driver):
    """What `pace` raises is the request's error."""

    def pace(draws):
        if draws[0].model == "limited":
            raise ConnectionError("no limiter")
        return 0

    race = a_race({"limited": 1, "works": 1}, wait="exhausted")
    assert driver(2).run(race, Server(), pace=pace).winner.model == "works"
    assert str(race.errors[0].cause) == "no limiter"


class Clock:
    """A clock that only moves when a test moves it."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        for module in (_drive, _clock):
            monkeypatch.setattr(module, "time", self)
        monkeypatch.setattr(_window, "time", self)

    def monotonic(self):
        return self.now


def test_time_in_the_queue_is_no_time_of_the_call(driver, monkeypatch):
    """Five calls of 40 s one after the other in one place: none is late at a time-out of 60 s."""
    clock = Clock(monkeypatch)

    def member(draws, _):
        clock.now += 40
        return ["x" for _ in draws]

    decision = driver(1).run(a_race({"a": 5}, wait="exhausted"), member, timeout=60)
    assert decision.winner.count == 5


def test_time_in_a_rate_limiter_is_no_time_of_the_call(driver, monkeypatch):
    """A limiter that takes 1,000 s leaves a time-out of 60 s untouched."""
    clock = Clock(monkeypatch)

    def pace(_):
        clock.now += 1000
        return 0.0

    decision = driver(1).run(a_race({"a": 3}, wait="exhausted"), Server(), timeout=60, pace=pace)
    assert decision.winner.count == 3


@pytest.mark.parametrize("never", [inf, 1e10, 1e300])
def test_a_limit_that_is_never_reached_is_none(driver, never):
    """Infinite and absurdly long limits wait like none at all, instead of overflowing the clocks of threads."""
    decision = driver(2).run(a_race({"a": 3}, wait="exhausted"), Server(), timeout=never, deadline=never)
    assert decision.winner.count == 3


def test_samples_have_an_upper_bound():
    """A billion samples are refused with a sentence before anything is built of them."""
    with pytest.raises(ArgumentError, match="samples for 'a' must be at most 100,000, received 1000000000"):
        a_race({"a": 10**9})
    assert a_race({"a": MOST_SAMPLES}).decision is None


# --- observe ---------------------------------------------------------------------------------------------------------


def test_the_observer_sees_each_sample_as_it_is_counted(driver):
    """Replies, answers and errors, each once, in the order in which the race counted them."""
    samples = []

    def member(draws, _):
        if draws[0].index == 1:
            raise ConnectionError("refused")
        return [f"{draws[0].model}{draws[0].index}"]

    race = Race({"a": 3}, lambda reply: None if reply == "a2" else read(reply), wait="exhausted")
    decision = driver(1).run(race, member, observe=samples.append)
    assert [sample.draw for sample in samples] == [Draw("a", i) for i in range(3)]
    assert tuple(samples) == decision.samples
    assert [sample.answer and sample.answer.value for sample in samples] == ["a0", None, None]
    assert [type(sample.error).__name__ for sample in samples] == ["NoneType", "ConnectionError", "NoneType"]


def test_the_observer_sees_time_outs_and_no_late_samples(driver):
    """A call past its time-out is seen as failed; replies after the decision are not seen."""
    samples, desk = [], driver(2)
    desk.run(a_race({"works": 1, "hangs": 1}, wait="exhausted"), Server(), timeout=0.1, observe=samples.append)
    desk.settle()
    assert [(sample.draw.model, type(sample.error)) for sample in samples] == [
        ("works", type(None)),
        ("hangs", SampleTimeoutError),
    ]
    desk = driver(2)
    samples.clear()
    desk.run(a_race({"works": 1, "hangs": 1}), Server(), observe=samples.append)
    desk.settle()
    assert [sample.draw.model for sample in samples] == ["works"]


def test_the_observer_cannot_take_the_answer_down(driver, caplog):
    """Its exceptions are logged by their type alone: their text may hold anything."""

    def observe(sample):
        raise ValueError("secret")

    with caplog.at_level(logging.WARNING, logger="slmmux"):
        assert driver(1).run(a_race({"a": 2}, wait="exhausted"), Server(), observe=observe).winner.count == 2
    assert [entry.message for entry in caplog.records] == [
        "observe= raised ValueError; the answer does not depend on it"
    ] * 2


def test_the_observer_sees_the_verdicts_of_an_equality_that_is_no_key(driver):
    """Where answers are compared in pairs, the sample has the earlier ones that agree."""
    samples = []
    driver(1).run(
        Race({"a": 2}, read, wait="exhausted", group="classes"),
        Server(),
        compare=lambda answer, earlier: dict.fromkeys(earlier, 1.0),
        observe=samples.append,
    )
    assert [dict(sample.alike) for sample in samples] == [{}, {0: 1.0}]


# --- tasks alone -----------------------------------------------------------------------------------------------------


async def test_tasks_that_are_cancelled_are_listed_too():
    """A request that was cancelled on its way is paid for like one on a thread."""
    never = asyncio.Event()

    async def call(draws):
        if draws[0].model == "hangs":
            await never.wait()
        return ["x"]

    pool = Pool(2)
    decision = await adrive(a_race({"works": 1, "hangs": 4}), call, slots=pool)
    assert decision.abandoned == ((Draw("hangs", 0),),)
    pool.give_back(await pool.place("hangs"))  # ended with the answer: nothing holds a place
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_plain_semaphore_bounds_tasks_as_before():
    """Without a pool there are no shares; calls are bounded, listed and reported all the same."""
    never = asyncio.Event()

    async def call(draws):
        if draws[0].model == "hangs":
            await never.wait()
        return ["x"]

    decision = await adrive(a_race({"works": 1, "hangs": 4}), call, slots=asyncio.Semaphore(2))
    assert set(decision.abandoned) <= {(Draw("hangs", 0),), (Draw("hangs", 1),)}
    assert decision.abandoned


async def test_a_cancelled_race_leaves_no_place_taken():
    """Cancelled from outside at any moment, all places are free again."""
    pool = Pool(2)
    for steps in range(12):

        async def call(draws):
            await asyncio.Event().wait()

        task = asyncio.create_task(adrive(a_race({"a": 4, "b": 4}), call, slots=pool))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.window._total == 0
        assert not pool.window._queued
        assert not pool.window._present


# --- processes -------------------------------------------------------------------------------------------------------


def answer_in_child(pool, results):
    results.put(drive(a_race({"a": 3}, wait="exhausted"), lambda draws: ["x"], pool=pool).winner.count)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_answers_with_the_same_pool():
    """Forked while every place is held by a thread of the parent: the child has them all."""
    pool, release, context = Pool(1), threading.Event(), multiprocessing.get_context("fork")
    hanging = pool.submit(lambda: release.wait(WAIT_S))
    results = context.SimpleQueue()
    child = context.Process(target=answer_in_child, args=(pool, results))
    child.start()
    child.join(WAIT_S)
    release.set()
    assert child.exitcode == 0
    assert results.get() == 3
    assert hanging.result(WAIT_S)


# --- the record ------------------------------------------------------------------------------------------------------


def decided(**options):
    race = a_race({"a": 1}, **options)
    for draw in race.ask():
        race.tell(draw, "4")
    return race.decision


def entry_of(decision, **options):
    kept = record(decision, plan="parallel", extractor="auto", usage={}, **options)
    return {name: kept[name] for name in ("model", "answer", "outcome", "withheld", "escalation")}


USAGE = {"input_tokens": 2, "output_tokens": 1, "total_tokens": 3}


def test_the_record_has_the_outcome():
    """Answered, abstained and escalated: who speaks, what is withheld, and what the bigger model's call came to."""
    withheld = {"model": "a", "answer": "4"}
    assert entry_of(decided()) == {
        "model": "a", "answer": "4", "outcome": "answered", "withheld": None, "escalation": None,
    }  # fmt: skip
    assert entry_of(decided(), outcome="abstained") == {
        "model": "a", "answer": None, "outcome": "abstained", "withheld": withheld, "escalation": None,
    }  # fmt: skip
    assert entry_of(decided(), outcome="escalated", escalation=Escalation("large", USAGE, "5")) == {
        "model": "large", "answer": "5", "outcome": "escalated", "withheld": withheld,
        "escalation": {"model": "large", "usage": USAGE, "error": None},
    }  # fmt: skip


def test_the_record_has_a_bigger_model_that_failed():
    """It failed, so the members speak or the mux abstains; the record has its error beside that."""
    failed = Escalation("large", USAGE, error="refused")
    escalation = {"model": "large", "usage": USAGE, "error": "refused"}
    assert entry_of(decided(), escalation=failed) == {
        "model": "a", "answer": "4", "outcome": "answered", "withheld": None, "escalation": escalation,
    }  # fmt: skip
    assert entry_of(decided(), outcome="abstained", escalation=failed)["escalation"] == escalation


def test_the_record_withholds_nothing_if_no_member_replied():
    """No member replied and the bigger model did: there is no answer of the members to withhold."""
    race = a_race({"a": 1})
    for draw in race.ask():
        race.fail(draw, ConnectionError())
    kept = entry_of(race.without_reply, outcome="escalated", escalation=Escalation("large", USAGE, "5"))
    assert (kept["model"], kept["answer"], kept["withheld"]) == ("large", "5", None)


def test_the_record_counts_the_tokens_of_abandoned_calls():
    """Tokens that are known when the record is written stand beside the number of calls."""
    kept = record(decided(), plan="parallel", extractor="auto", usage={}, abandoned_usage=USAGE)
    assert kept["abandoned"] == {"calls": 0, "usage": USAGE}


def test_a_request_whose_limiter_outlasts_the_decision_never_begins():
    """It asks its limiter while the deadline passes, and its call is not made."""
    asked, passed, calls = threading.Event(), threading.Event(), []

    def pace(draws):
        asked.set()
        passed.wait(WAIT_S)
        return 0

    desk = Threads(1)
    with pytest.raises(NoAnswerError, match="deadline"):
        desk.run(a_race({"a": 1}), lambda draws, hang: calls.append(draws), pace=pace, deadline=0.2)
    assert asked.is_set()
    passed.set()
    desk.settle()
    assert not calls


def test_a_compact_record_shortens_what_is_withheld_and_why_the_bigger_model_failed():
    """Every long text is marked with its length; what cannot be made small enough is as short as it gets."""
    race = Race({"a": 1}, lambda reply: Answer(reply, "text", reply))
    (draw,) = race.ask()
    race.tell(draw, "word " * 900)
    escalation = Escalation("large", {}, error="fault " * 900)
    whole = record(
        race.decision, plan="parallel", extractor="auto", usage={}, outcome="abstained", escalation=escalation
    )
    small = compact(whole)
    assert small["withheld"]["answer"].endswith("(4,500 characters)")
    assert small["escalation"]["error"].endswith("(5,400 characters)")
    assert small["shortened"]
    votes = [{**whole["votes"][0], "answers": [[f"{'word ' * 900}{i}", 1] for i in range(200)]}]
    assert compact({**whole, "votes": votes})["votes"][0]["answers"][199][0].endswith("characters)")
    assert compact({**whole, "withheld": None, "escalation": None})["shortened"]
