"""The pool: at most `limit` at once, threads that end, and places that are never lost."""

import asyncio
import copy
import threading
from concurrent.futures import wait

import pytest

from slmmux._decision.pool import Pool

WAIT_S = 30


def sample_threads():
    return [thread for thread in threading.enumerate() if thread.name == "slmmux-sample"]


@pytest.fixture(autouse=True)
def release():
    """What a hanging call waits on; set at the end, when every thread must end."""
    event = threading.Event()
    yield event
    event.set()
    for thread in sample_threads():
        thread.join(WAIT_S)
    assert sample_threads() == []


def test_calls_run_in_the_order_they_were_queued():
    """On one thread the queue is first in, first out, and results and errors reach who waits."""
    order, pool = [], Pool(1)
    futures = [pool.submit(lambda i=i: order.append(i) or 1 // (i - 3)) for i in range(6)]
    wait(futures, WAIT_S)
    assert order == list(range(6))
    assert [type(future.exception()).__name__ for future in futures].index("ZeroDivisionError") == 3


def test_never_more_than_limit_and_no_thread_once_drained():
    """A hundred calls on four places: four run at once, and when the queue is empty the threads end by themselves."""
    inside, most, lock, pool = 0, 0, threading.Lock(), Pool(4)
    together = threading.Barrier(4)

    def call():
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        together.wait(WAIT_S)
        with lock:
            inside -= 1
        together.wait(WAIT_S)

    done, late = wait([pool.submit(call) for _ in range(100)], WAIT_S)
    assert (len(done), len(late), most) == (100, 0, 4)
    for thread in sample_threads():
        thread.join(WAIT_S)
    assert sample_threads() == []


def test_a_withdrawn_call_never_runs(release):
    """Abandoned while queued, a call is cancelled and skipped."""
    pool, ran = Pool(1), []
    first = pool.submit(release.wait)
    second, third = pool.submit(lambda: ran.append(2)), pool.submit(lambda: ran.append(3))
    pool.abandon(second)
    release.set()
    wait([first, third], WAIT_S)
    assert ran == [3]
    assert second.cancelled()


def test_an_abandoned_call_gives_its_place_to_the_next(release):
    """A running call that is given up no longer counts; when it does end, its place is not given twice."""
    pool, inside, two = Pool(1), [], threading.Event()
    hung = pool.submit(release.wait)
    pool.abandon(hung)
    following = pool.submit(lambda: "ran")
    assert following.result(WAIT_S) == "ran"
    again = pool.submit(two.wait)
    queued = pool.submit(lambda: inside.append(again.done()))
    release.set()
    assert hung.result(WAIT_S)
    two.set()
    wait([queued], WAIT_S)
    assert inside == [True]  # the end of the hung call started nothing beside `again`


def test_abandoning_several_starts_none_of_them(release):
    """Given up together, a running call's place does not go to one queued beside it that is given up too."""
    pool, ran = Pool(1), []
    futures = [pool.submit(release.wait), pool.submit(lambda: ran.append(1)), pool.submit(lambda: ran.append(2))]
    pool.abandon(*futures)
    release.set()
    assert pool.submit(lambda: "free").result(WAIT_S) == "free"
    assert ran == []


def test_abandoning_what_has_ended_changes_nothing():
    """A call that came back may be abandoned, more than once."""
    pool = Pool(1)
    future = pool.submit(lambda: 1)
    assert future.result(WAIT_S) == 1
    for thread in sample_threads():
        thread.join(WAIT_S)
    pool.abandon(future, future)
    assert pool.submit(lambda: 2).result(WAIT_S) == 2


def test_a_thread_that_cannot_start_costs_its_call_and_no_place(monkeypatch):
    """Where the system has no thread left the call fails with that error, and the pool goes on when there is one."""
    start, refusals = threading.Thread.start, [1, 1]

    def refuse(self):
        if self.name == "slmmux-sample" and refusals:
            refusals.pop()
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pool = Pool(1)
    futures = [pool.submit(lambda: "ran") for _ in range(3)]
    assert [str(future.exception(WAIT_S)) for future in futures[:2]] == ["can't start new thread"] * 2
    assert futures[2].result(WAIT_S) == "ran"


async def test_a_call_is_waited_for_on_the_event_loop():
    """`run` gives what the call returns or raises, and the loop is free meanwhile."""
    pool, met = Pool(2), threading.Event()
    waiting = asyncio.ensure_future(pool.run(lambda: met.wait(WAIT_S)))
    assert await pool.run(lambda: met.set() or "free") == "free"
    assert await waiting is True
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0)


async def test_who_stops_waiting_gives_the_place_up(release):
    """A cancelled wait leaves its call to end by itself, and its place to the next."""
    pool, begun = Pool(1), threading.Event()
    hanging = asyncio.ensure_future(pool.run(lambda: begun.set() or release.wait(WAIT_S)))
    while not begun.is_set():
        await asyncio.sleep(0)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert await pool.run(lambda: "next") == "next"


def test_a_deep_copy_is_a_pool_of_its_own():
    """A copied pool has as many places, and shares none."""
    pool, release_here = Pool(1), threading.Event()
    held = pool.submit(lambda: release_here.wait(WAIT_S))
    assert copy.deepcopy(pool).submit(lambda: "free").result(WAIT_S) == "free"
    release_here.set()
    assert held.result(WAIT_S)
