"""The two drivers: the race's own result whatever the timing, and nothing left behind.

Order is made with events, never with sleeps; what hangs is let go at the end of each test.
"""

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import ABSTAINED, FAILED, algorithm_1

from slmmux._decision import clock as _clock
from slmmux._decision import drive as _drive
from slmmux._decision.drive import adrive, drive
from slmmux._decision.pool import Pool
from slmmux._decision.race import Race
from slmmux._decision.types import Answer, Draw
from slmmux._errors import NoAnswerError, SampleTimeoutError

outcomes = st.lists(st.sampled_from(["x", "y", ABSTAINED, FAILED]), min_size=1, max_size=4)
tables = st.lists(outcomes, min_size=1, max_size=4).map(lambda members: dict(zip("abcd", members, strict=False)))
plans = st.sampled_from(["parallel", "cascade"])
waits = st.sampled_from(["settled", "exhausted"])
seeds = st.integers(0, 2**32)
WAIT_S = 30  # how long a test waits for what must happen; only a broken driver uses it up


def read(reply):
    return None if reply is ABSTAINED else Answer(reply, "text", reply)


def a_race(samples, **options):
    return Race(samples, read, **options)


def planned(table):
    return {model: len(samples) for model, samples in table.items()}


def in_pairs(draws):
    """Group as a member would that returns several completions a request."""
    calls = []
    for draw in draws:
        if calls and len(calls[-1]) == 1 and calls[-1][0].model == draw.model:
            calls[-1] += (draw,)
        else:
            calls.append((draw,))
    return calls


def one_after_another(table, plan, seed, event):
    """Return (gates, next gate): a random order in which a table's calls end, by stage, each opening the next."""
    rng, gates, after = Random(seed), {}, {}
    draws = [Draw(model, i) for model, samples in table.items() for i in range(len(samples))]
    stages = [draws] if plan == "parallel" else [[d for d in draws if d.model == model] for model in table]
    for stage in stages:
        rng.shuffle(stage)
        for draw, following in zip(stage, [*stage[1:], None], strict=True):
            gates[draw], after[draw] = event(), following
        gates[stage[0]].set()
    return gates, after


def check(decision, table):
    expected = algorithm_1(table)
    if expected is None:
        assert decision is None
    else:
        assert (decision.winner.model, decision.winner.answer) == expected[:2]


@pytest.fixture(autouse=True)
def hang():
    """What a hanging call waits on; set at the end, when every sample thread must end too."""
    release = threading.Event()
    yield release
    release.set()
    for thread in threading.enumerate():
        if thread.name == "slmmux-sample":
            thread.join(WAIT_S)
            assert not thread.is_alive()


@given(tables, plans, waits, seeds)
@settings(max_examples=60)
def test_threads_in_any_order_give_algorithm_1(table, plan, wait, seed):
    """Calls on threads, ending in a random order: model and answer are the written-out rule's."""
    gates, after = one_after_another(table, plan, seed, threading.Event)

    def call(draws):
        (draw,) = draws
        assert gates[draw].wait(WAIT_S)
        try:
            if (outcome := table[draw.model][draw.index]) is FAILED:
                raise FAILED
            return [outcome]
        finally:
            if after[draw]:
                gates[after[draw]].set()

    try:
        decision = drive(a_race(planned(table), plan=plan, wait=wait), call, pool=Pool(16))
    except NoAnswerError:
        decision = None
    check(decision, table)


@given(tables, plans, waits, seeds)
@settings(max_examples=60)
def test_tasks_in_any_order_give_algorithm_1(table, plan, wait, seed):
    """Calls on tasks, ending in a random order: model and answer are the written-out rule's, and no task is left."""

    async def go():
        gates, after = one_after_another(table, plan, seed, asyncio.Event)

        async def call(draws):
            (draw,) = draws
            await gates[draw].wait()
            if after[draw]:
                gates[after[draw]].set()
            if (outcome := table[draw.model][draw.index]) is FAILED:
                raise FAILED
            return [outcome]

        try:
            decision = await adrive(a_race(planned(table), plan=plan, wait=wait), call, slots=asyncio.Semaphore(16))
        except NoAnswerError:
            decision = None
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return decision

    check(asyncio.run(go()), table)


@given(tables, plans, waits, st.integers(1, 3), st.sampled_from([_drive.one_by_one, in_pairs]))
@settings(max_examples=60)
def test_few_slots_and_groups_change_nothing(table, plan, wait, limit, group):
    """With one to three calls at once, grouped or not, both drivers still give the written-out rule's result."""

    def call(draws):
        outcomes = [table[draw.model][draw.index] for draw in draws]
        if FAILED in outcomes:
            if len(outcomes) == 1:
                raise FAILED
            return outcomes[: outcomes.index(FAILED)]  # the others are asked again one by one
        return outcomes

    async def acall(draws):
        return call(draws)

    async def go():
        return await adrive(
            a_race(planned(table), plan=plan, wait=wait), acall, slots=asyncio.Semaphore(limit), group=group
        )

    for run in (
        lambda: drive(a_race(planned(table), plan=plan, wait=wait), call, pool=Pool(limit), group=group),
        lambda: asyncio.run(go()),
    ):
        try:
            decision = run()
        except NoAnswerError:
            decision = None
        check(decision, table)


def test_queued_calls_never_start_once_decided(hang):
    """Two slots: one hangs, one brought the decision; whatever was still queued by then never runs."""
    began = []

    def call(draws):
        began.append(draws[0])
        if draws[0].model == "slow":
            hang.wait(WAIT_S)
        return ["x"]

    # fast answers on one thread, which then takes slow[1]; the rest waits in the queue.
    decision = drive(a_race({"fast": 1, "slow": 9}), call, pool=Pool(2))
    assert decision.winner.model == "fast"
    hang.set()
    for thread in threading.enumerate():
        if thread.name == "slmmux-sample":
            thread.join(WAIT_S)
    assert set(began) <= {Draw("fast", 0), Draw("slow", 0), Draw("slow", 1)}


def test_queued_calls_never_start_after_the_deadline(hang):
    """A deadline that strikes with the last overdue call gives its place to nobody."""
    began = []

    def call(draws):
        began.append(draws[0])
        hang.wait(WAIT_S)
        return ["x"]

    with pytest.raises(NoAnswerError, match="deadline reached"):
        drive(a_race({"slow": 3}), call, pool=Pool(1), timeout=0.2, deadline=0.2)
    hang.set()
    for thread in threading.enumerate():
        if thread.name == "slmmux-sample":
            thread.join(WAIT_S)
    assert began == [Draw("slow", 0)]


def test_a_hanging_call_costs_its_vote_and_its_members_place(hang):
    """Past `timeout` a call has failed and holds its place; the other member goes on in its own."""

    def call(draws):
        if draws[0].model == "hangs":
            hang.wait(WAIT_S)
        return ["x"]

    race = a_race({"hangs": 1, "works": 5}, wait="exhausted")
    decision = drive(race, call, pool=Pool(2), timeout=0.2)
    assert decision.winner.model == "works"
    assert [(vote.count, vote.failed) for vote in decision.votes] == [(0, 1), (5, 0)]
    (error,) = race.errors
    assert isinstance(error.cause, SampleTimeoutError)
    assert str(error.cause) == "no reply within 0.2 s"


async def test_a_hanging_task_costs_its_vote_and_no_place():
    """The same on tasks, where the overdue call is cancelled."""
    cancelled = []

    async def call(draws):
        if draws[0] == Draw("hangs", 0):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(draws[0])
                raise
        return ["x"]

    race = a_race({"hangs": 2, "works": 1}, wait="exhausted")
    decision = await adrive(race, call, slots=asyncio.Semaphore(1), timeout=1)
    assert [(vote.count, vote.failed) for vote in decision.votes] == [(1, 1), (1, 0)]
    assert isinstance(race.errors[0].cause, SampleTimeoutError)
    assert cancelled == [Draw("hangs", 0)]


STAGGER_S = 0.1  # between the first question and the others, so that not all time-outs fall together


def ask_often(call, hang, questions, members=("hangs", "works"), k=2, **options):
    """Put questions at once to a member that never replies and one that does; return the decisions, on threads."""
    pool, decisions = Pool(4), []

    def make(draws):
        if call(draws) == "hang":
            hang.wait(WAIT_S)
        return ["x"]

    def ask(number):
        time.sleep(STAGGER_S * min(number, 1))
        decisions.append(drive(a_race(dict.fromkeys(members, k)), make, pool=pool, **options))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(questions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    return decisions


def aask_often(call, hang, questions, members=("hangs", "works"), k=2, **options):
    """The same on tasks."""
    pool = Pool(4)

    async def make(draws):
        if call(draws) == "hang":
            await asyncio.Event().wait()
        return ["x"]

    async def ask(number):
        await asyncio.sleep(STAGGER_S * min(number, 1))
        return await adrive(a_race(dict.fromkeys(members, k)), make, slots=pool, **options)

    async def go():
        return await asyncio.gather(*map(ask, range(questions)))

    return asyncio.run(go())


@pytest.mark.parametrize("ask", [ask_often, aask_often])
def test_questions_at_once_do_not_wait_in_turn_for_a_member_that_hangs(hang, ask):
    """After the time-outs of its share its waiting calls are refused: on tasks, too, whose places are free at once."""
    begun = []

    def call(draws):
        begun.append(draws[0].model)
        return "hang" if draws[0].model == "hangs" else "reply"

    decisions = ask(call, hang, 12, k=1, timeout=0.2)
    assert [decision.winner.model for decision in decisions] == ["works"] * 12
    assert begun.count("hangs") < 6  # two, unless this machine stands still for whole time-outs
    assert all(decision.votes[0].failed for decision in decisions)


@pytest.mark.parametrize("ask", [ask_often, aask_often])
def test_a_member_that_is_silent_at_the_deadline_is_named(hang, ask):
    """Nothing came of its call, which ran all the time; the others' answer is the best of what is in."""
    decisions = ask(lambda draws: "hang" if draws[0].model == "hangs" else "reply", hang, 1, deadline=0.2)
    assert [(each.winner.model, each.reason, each.silent) for each in decisions] == [("works", "deadline", ("hangs",))]


@pytest.mark.parametrize("ask", [ask_often, aask_often])
def test_a_member_that_nobody_waits_for_is_not_silent(hang, ask):
    """The others settle the question, and nothing is known of a call that was not needed."""
    members = ("works", "hangs")  # the rank decides, so that the second one can change nothing
    decisions = ask(lambda d: "hang" if d[0].model == "hangs" else "reply", hang, 4, members, timeout=30, deadline=30)
    assert [each.silent for each in decisions] == [()] * 4


def test_a_refused_call_does_not_wait_for_an_arrival(hang):
    """Where hanging calls hold all places no reply would ever wake the driver: it refuses before it waits."""
    pool = Pool(1)
    for _ in range(3):
        with pytest.raises(NoAnswerError, match="1 failed"):
            drive(a_race({"hangs": 1}), lambda _: hang.wait(WAIT_S), pool=pool, timeout=0.05)


class Clock:
    """A clock that stands still until the first answer is read, and then jumps past every deadline."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def read(self, reply):
        self.now += 1000
        return read(reply)


def test_a_deadline_gives_the_best_of_what_is_in(hang, monkeypatch):
    """At the deadline the answer that came is the decision, though an outstanding one could still change it."""
    clock = Clock()
    for module in (_drive, _clock):
        monkeypatch.setattr(module, "time", clock)

    def call(draws):
        if draws[0].model == "slow":
            hang.wait(WAIT_S)
        return ["x"]

    decision = drive(Race({"slow": 1, "fast": 1}, clock.read), call, pool=Pool(2), deadline=500)
    assert (decision.winner.model, decision.reason, decision.unused) == ("fast", "deadline", (Draw("slow", 0),))


def test_a_call_that_came_back_is_never_overdue(monkeypatch):
    """A reply that is in before `timeout` strikes counts, however late the driver comes to look."""
    clock = Clock()
    for module in (_drive, _clock):
        monkeypatch.setattr(module, "time", clock)
    decision = drive(Race({"a": 1}, clock.read), lambda _: ["x"], pool=Pool(1), timeout=500)
    assert (decision.winner.count, decision.winner.failed, decision.reason) == (1, 0, "exhausted")


async def test_no_reply_is_read_after_the_deadline(monkeypatch):
    """Of replies that arrive together, those that are not read at the deadline stay unread."""
    clock = Clock()
    for module in (_drive, _clock):
        monkeypatch.setattr(module, "time", clock)

    async def call(draws):
        return ["x"]

    decision = await adrive(Race({"a": 3}, clock.read, wait="exhausted"), call, slots=Pool(3), deadline=500)
    assert decision.reason == "deadline"
    assert [sample.is_unread for sample in decision.samples] == [False, True, True]


async def test_replies_that_arrive_together_cost_one_look_at_the_race():
    """A driver asks the race for more draws once for all replies that have arrived, not once for each of them."""
    looks = []

    class Watched(Race):
        def ask(self, most=None):
            looks.append(most)
            return super().ask(most)

    async def call(draws):
        return ["x"]

    decision = await adrive(Watched({"a": 5, "b": 5}, read, wait="exhausted"), call, slots=Pool(10))
    assert (decision.reason, len(decision.samples)) == ("exhausted", 10)
    assert len(looks) <= 3


async def test_a_deadline_on_tasks_gives_the_best_of_what_is_in(monkeypatch):
    """The same on tasks, and the outstanding call is cancelled."""
    clock = Clock()
    for module in (_drive, _clock):
        monkeypatch.setattr(module, "time", clock)

    async def call(draws):
        if draws[0].model == "slow":
            await asyncio.Event().wait()
        return ["x"]

    race = Race({"slow": 1, "fast": 1}, clock.read)
    decision = await adrive(race, call, slots=asyncio.Semaphore(2), deadline=500)
    assert (decision.winner.model, decision.reason, decision.unused) == ("fast", "deadline", (Draw("slow", 0),))
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), asyncio.CancelledError(), CancelledError(), SystemExit(3), KeyboardInterrupt(), StopIteration()],
)
def test_whatever_a_thread_raises_costs_its_vote_only(error):
    """Errors, cancellations and exits raised by a member fail its sample and reach nobody else."""

    def call(draws):
        if draws[0].model == "bad":
            raise error
        return ["x"]

    race = a_race({"bad": 1, "good": 1}, wait="exhausted")
    assert drive(race, call, pool=Pool(2)).winner.model == "good"
    assert race.errors[0].cause is error


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError(), CancelledError()])
async def test_whatever_a_task_raises_costs_its_vote_only(error):
    """A member that raises, or cancels its own call, fails its sample; the mux itself is not cancelled."""

    async def call(draws):
        if draws[0].model == "bad":
            raise error
        return ["x"]

    race = a_race({"bad": 1, "good": 1}, wait="exhausted")
    decision = await adrive(race, call, slots=asyncio.Semaphore(2))
    assert decision.winner.model == "good"
    assert isinstance(race.errors[0].cause, type(error))


def test_all_failing_is_one_error():
    """When every call fails `drive` raises, with every call's error."""

    def call(draws):
        raise ConnectionError(draws[0].model)

    with pytest.raises(NoAnswerError) as caught:
        drive(a_race({"a": 2, "b": 1}), call, pool=Pool(1))
    assert [str(error) for error in caught.value.errors] == [
        "a[0]: ConnectionError: a",
        "a[1]: ConnectionError: a",
        "b[0]: ConnectionError: b",
    ]


def returning(replies):
    """Return (call, calls): calls of a group return what `replies` says; single ones what they are asked for."""
    calls = []

    def call(draws):
        calls.append(draws)
        return replies if len(draws) > 1 else ["x"]

    return call, calls


@pytest.mark.parametrize(
    ("replies", "again"),
    [
        ([], [0, 1, 2]),
        (["x"], [1, 2]),
        (["x", "x", "x"], []),
        (["x", "x", "x", "y", "y", "y", "y"], []),
    ],
)
def test_a_group_is_topped_up_one_by_one(replies, again):
    """Draws a request returned nothing for are asked again, singly; replies beyond the draws are dropped."""
    call, calls = returning(replies)
    decision = drive(
        a_race({"a": 3}, wait="exhausted"), call, pool=Pool(1), group=lambda draws: [tuple(draws)] if draws else []
    )
    assert (decision.winner.answer, decision.winner.count) == ("x", 3)
    assert calls[1:] == [(Draw("a", i),) for i in again]


async def test_a_group_of_tasks_is_topped_up_one_by_one():
    """The same on tasks."""
    call, calls = returning(["x"])

    async def acall(draws):
        return call(draws)

    decision = await adrive(
        a_race({"a": 3}, wait="exhausted"),
        acall,
        slots=asyncio.Semaphore(1),
        group=lambda draws: [tuple(draws)] if draws else [],
    )
    assert decision.winner.count == 3
    assert calls[1:] == [(Draw("a", 1),), (Draw("a", 2),)]


def test_a_single_call_that_returns_nothing_fails():
    """One draw, no reply: that is a failure, not a reason to ask for ever."""
    with pytest.raises(NoAnswerError, match="a: LookupError: the call returned no reply"):
        drive(a_race({"a": 1}), lambda _: [], pool=Pool(1))


async def test_cancelling_cancels_every_child_at_once():
    """Cancelled, `adrive` cancels each running call, starts no queued one, and leaves no task."""
    began, ended, all_began = [], [], asyncio.Event()

    async def call(draws):
        began.append(draws[0])
        if len(began) == 3:
            all_began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(draws[0])
            raise

    outer = asyncio.create_task(adrive(a_race({"a": 4, "b": 4}), call, slots=asyncio.Semaphore(3)))
    await all_began.wait()
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    assert len(began) == 3
    assert sorted(ended, key=str) == sorted(began, key=str)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_early_decision_cancels_what_runs():
    """Once settled the rest is cancelled and awaited before the answer is returned; what it raises concerns nobody."""
    complaints, cancelled = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def call(draws):
        if draws[0].model == "slow":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(draws[0])
                if draws[0].index:
                    raise ValueError("on the way out") from None
                raise
        return ["x"]

    decision = await adrive(a_race({"fast": 1, "slow": 2}), call, slots=asyncio.Semaphore(3))
    assert (decision.winner.model, decision.reason) == ("fast", "settled")
    assert cancelled == [Draw("slow", 0), Draw("slow", 1)]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    assert complaints == []


async def test_a_task_that_swallows_its_cancellation_does_not_hold_the_answer(monkeypatch):
    """Beyond the grace the answer is returned, though a member refuses to end."""
    monkeypatch.setattr(_drive, "_GRACE_S", 0.01)
    release = asyncio.Event()

    async def call(draws):
        if draws[0].model == "stubborn":
            try:
                await release.wait()
            except asyncio.CancelledError:
                await release.wait()
        return ["x"]

    decision = await adrive(a_race({"fast": 1, "stubborn": 1}), call, slots=asyncio.Semaphore(2))
    assert decision.winner.model == "fast"
    (survivor,) = asyncio.all_tasks() - {asyncio.current_task()}
    release.set()
    await survivor


def test_calls_see_the_callers_context():
    """A context variable set before `drive` is seen on its threads, and one set there is not seen outside."""
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("by the caller")
    values = []

    def call(draws):
        values.append(variable.get())
        variable.set("by a call")
        return ["x"]

    drive(a_race({"a": 3}, wait="exhausted"), call, pool=Pool(2))
    assert values == ["by the caller"] * 3
    assert variable.get() == "by the caller"


async def test_tasks_see_the_callers_context():
    """The same on tasks."""
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("by the caller")
    values = []

    async def call(draws):
        values.append(variable.get())
        variable.set("by a call")
        return ["x"]

    await adrive(a_race({"a": 3}, wait="exhausted"), call, slots=asyncio.Semaphore(2))
    assert values == ["by the caller"] * 3
    assert variable.get() == "by the caller"


class Meter:
    """How many calls were inside at once, at most."""

    def __init__(self):
        self.inside = self.most = 0
        self.lock = threading.Lock()

    def __enter__(self):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_):
        with self.lock:
            self.inside -= 1


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_shared_pool_bounds_several_races_together(limit):
    """Three races on one pool never have more than `limit` calls running between them, and reach it."""
    meter, pool = Meter(), Pool(limit)
    full = threading.Barrier(limit)

    def call(draws):
        with meter:
            if draws[0].index < limit:
                full.wait(WAIT_S)  # passes only once `limit` calls are inside together
            return ["x"]

    racers = [
        threading.Thread(target=drive, args=(a_race({"a": 10}, wait="exhausted"), call), kwargs={"pool": pool})
        for _ in range(3)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(WAIT_S)
        assert not racer.is_alive()
    assert meter.most == limit


async def test_shared_slots_bound_several_races_together():
    """The same on tasks."""
    meter, slots = Meter(), asyncio.Semaphore(2)

    async def call(draws):
        with meter:
            await asyncio.sleep(0)
            return ["x"]

    await asyncio.gather(*(adrive(a_race({"a": 10}, wait="exhausted"), call, slots=slots) for _ in range(3)))
    assert meter.most == 2


INTERRUPTED = """
import os, signal, threading
from slmmux import Answer, Pool, Race, drive

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell has it ignored

def call(draws):
    if draws[0].index == 1:
        os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()

try:
    drive(Race({"a": 3}, read=lambda t: Answer(t, "text", t)), call, pool=Pool(2))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal the POSIX way")
def test_ctrl_c_returns_at_once_and_the_process_ends():
    """Interrupted while calls hang for ever, `drive` raises KeyboardInterrupt, and the interpreter still exits."""
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "interrupted\n"
    assert ended.stderr == ""
