"""The pool: at most `limit` at once, threads that end, and places that are never lost."""

import asyncio
import copy
import gc
import pickle
import threading
from concurrent.futures import wait
from weakref import WeakSet

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

    ended, late = wait([pool.submit(call) for _ in range(100)], WAIT_S)
    assert (len(ended), len(late), most) == (100, 0, 4)
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


def test_an_abandoned_call_holds_its_place_until_it_ends(release):
    """A thread cannot be stopped: the next call begins when the abandoned one has ended, and not before."""
    pool, order = Pool(1), []
    hung = pool.submit(lambda: release.wait(WAIT_S) and order.append("hung"))
    pool.abandon(hung)
    following = pool.submit(lambda: order.append("following"))
    assert not following.running()
    release.set()
    wait([following], WAIT_S)
    assert order == ["hung", "following"]


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


async def begun(event):
    """Wait for a thread's event without blocking the loop."""
    while not event.is_set():
        await asyncio.sleep(0)


async def test_a_cancelled_wait_leaves_the_call_in_its_place(release):
    """The call goes on after its task was cancelled, holds the place, and reports its result to `late`."""
    pool, began, results = Pool(1), threading.Event(), []
    hanging = asyncio.ensure_future(
        pool.run(lambda: began.set() or (release.wait(WAIT_S) and "paid for"), late=results.append)
    )
    await begun(began)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    following = asyncio.ensure_future(pool.run(lambda: [*results]))
    await asyncio.sleep(0)
    assert results == []
    release.set()
    await following
    while not results:
        await asyncio.sleep(0)
    assert results == ["paid for"]


async def test_a_result_in_time_is_not_late():
    """`late` is for calls whose task was cancelled, and for results: an error has no cost to report."""
    pool, results = Pool(1), []
    assert await pool.run(lambda: 1, late=results.append) == 1
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0, late=results.append)
    assert results == []


async def test_a_task_and_its_thread_are_one_call(release):
    """A member without async methods runs in its task's place; the place is free once both have ended."""
    pool, began = Pool(1), threading.Event()

    async def call():
        place = await pool.place("a")
        try:
            await pool.run(lambda: began.set() or release.wait(WAIT_S))
        finally:
            pool.give_back(place)

    task = asyncio.create_task(call())
    await begun(began)  # with one place in all, the thread has begun in the place of the task
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    following = asyncio.create_task(pool.place("a"))
    await asyncio.sleep(0)
    assert not following.done()
    release.set()
    pool.give_back(await following)


async def test_a_cancelled_task_leaves_the_queue():
    """A task that is cancelled while it waits takes no place, also if the place was granted in the same moment."""
    pool = Pool(1)
    first = await pool.place("a")
    waiting = [asyncio.create_task(pool.place("a")) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    pool.give_back(first)  # granted to the second, or to the first, whose cancellation is on its way
    await asyncio.gather(*waiting, return_exceptions=True)
    pool.give_back(waiting[1].result())
    pool.give_back(await pool.place("a"))


async def test_threads_and_tasks_share_the_places(release):
    """A call on a thread and one on a task wait for each other in either order."""
    pool = Pool(1)
    thread = pool.submit(lambda: release.wait(WAIT_S))
    task = asyncio.create_task(pool.place("a"))
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    place = await task
    following = pool.submit(lambda: "after")
    assert thread.done()
    assert not following.running()
    pool.give_back(place)
    assert await asyncio.wrap_future(following) == "after"


def test_no_event_loop_is_kept():
    """Five hundred event loops, each with a task that waited: all of them are collected."""
    pool, loops = Pool(1), WeakSet()

    async def go():
        loops.add(asyncio.get_running_loop())

        async def call():
            place = await pool.place("a")
            await asyncio.sleep(0)
            pool.give_back(place)

        await asyncio.gather(*(call() for _ in range(3)))

    for _ in range(500):
        asyncio.run(go())
    gc.collect()
    assert len(loops) <= 1  # asyncio itself may keep the last one


def test_a_deep_copy_is_a_pool_of_its_own():
    """A copied pool has as many places, and shares none."""
    pool, release_here = Pool(1), threading.Event()
    first_call = pool.submit(lambda: release_here.wait(WAIT_S))
    assert copy.deepcopy(pool).submit(lambda: "free").result(WAIT_S) == "free"
    release_here.set()
    assert first_call.result(WAIT_S)


def test_a_pool_in_another_process_has_places_of_its_own():
    """A pickle holds the limit, and neither threads nor places."""
    assert pickle.loads(pickle.dumps(Pool(3))).window.limit == 3


def no_thread(self):
    raise RuntimeError("can't start new thread")


def test_a_system_without_threads_costs_the_call_and_not_its_place(monkeypatch):
    """Its future has the error, and the next call runs in the place."""
    pool = Pool(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        assert isinstance(pool.submit(int).exception(WAIT_S), RuntimeError)
    assert pool.submit(int).result(WAIT_S) == 0


async def test_a_system_without_threads_costs_the_call_of_a_task_and_not_its_place(monkeypatch):
    """The task that holds the place hears of it, and gives the place back once."""
    pool = Pool(1)
    place = await pool.place("a")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError, match="new thread"):
            await pool.run(int)
    pool.give_back(place)
    assert pool.submit(int).result(WAIT_S) == 0


def test_a_call_that_is_cancelled_before_its_thread_runs_is_not_made(monkeypatch):
    """Its place goes to the next call."""
    pool, threads, calls = Pool(1), [], []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", lambda thread: threads.append(thread))
        future = pool.submit(lambda: calls.append("cancelled"))
    following = pool.submit(lambda: calls.append("next"))
    assert future.cancel()
    threads[0].start()
    following.result(WAIT_S)
    assert calls == ["next"]
