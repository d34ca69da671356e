"""A campaign in a database: the plan, the leases, the samples, the status and the recording."""

import dataclasses
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from slmmux import ArgumentError, ProfilingError, Recording
from slmmux.profiling import profile
from slmmux.store import Store, _database, pull, put_plan, status, work

from .scripted import QUESTIONS, SAMPLES, Members

PLANNED = len(QUESTIONS) * sum(SAMPLES.values())
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(url):
    store = Store(url, patience=60)
    yield store
    store.close()


@pytest.fixture
def stores(url):
    """Four connections to one campaign, as four workers have."""
    stores = [Store(url, patience=60) for _ in range(4)]
    yield stores
    for store in stores:
        store.close()


@pytest.fixture
def workers(tmp_path):
    """Start worker processes on a store; those that still run at the end are killed."""
    running = []

    def start(url, name, seconds="0.002"):
        command = [sys.executable, "-m", "tests.store.scripted", url, name, ",".join(SAMPLES), start.log, seconds]
        running.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True))
        return running[-1]

    start.log = str(tmp_path / "asked")
    start.asked = lambda: Path(start.log).read_text().splitlines()
    yield start
    for process in running:
        if process.poll() is None:
            kill(process)


def kill(process):
    process.kill()
    process.communicate()


def finish(process):
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def contents(recording):
    """Return what of each sample does not depend on when it was made."""
    rows = (dataclasses.replace(row, latency_s=None) for row in recording.rows)
    return sorted(rows, key=lambda row: (row.question_id, row.model, row.sample_index))


@pytest.fixture(scope="module")
def of_one_process(tmp_path_factory):
    """The recording of a profile in one process, without a store."""
    return profile(Members(), QUESTIONS, recording=tmp_path_factory.mktemp("one") / "samples.jsonl")


def check_complete(store, of_one_process):
    """Every planned sample is there exactly once, and the recording is that of one process."""
    recording = pull(store)
    samples = Counter((row.question_id, row.model, row.sample_index) for row in recording.rows)
    assert set(samples.values()) == {1}
    assert len(samples) == len(of_one_process.rows)
    assert contents(recording) == contents(of_one_process)
    assert recording.fingerprint == of_one_process.fingerprint
    assert recording.settings == of_one_process.settings


def until(store, samples):
    """Wait until some samples are there."""
    while sum(member.done for member in status(store).members) < samples:
        time.sleep(0.02)


def test_one_worker_makes_the_recording_of_one_process(store, of_one_process, tmp_path):
    """Samples, settings and fingerprint are those of a profile without a store, in every format that is pulled."""
    assert put_plan(store, Members(), QUESTIONS)
    assert work(store, Members()) == PLANNED
    check_complete(store, of_one_process)
    for name in ("samples.parquet", "samples.jsonl", "samples.jsonl.gz"):
        assert pull(store, tmp_path / name) == PLANNED
        assert contents(Recording.load(tmp_path / name)) == contents(of_one_process)
    assert work(store, Members()) == 0


def test_each_worker_may_have_other_members(store, of_one_process):
    """A member is asked where it is named, and the others wait for their workers."""
    put_plan(store, Members(), QUESTIONS)
    only = Members(samples={"one": 3}, settings={"models": {"one": {"temperature": 0.5}}})
    assert work(store, only) == 3 * len(QUESTIONS)
    state = status(store)
    assert [(member.label, member.done, member.planned) for member in state.members] == [
        ("one", 36, 36), ("several", 0, 48), ("failing", 0, 24),
    ]  # fmt: skip
    assert not state.finished
    work(store, Members(), ["several", "failing"])
    check_complete(store, of_one_process)
    assert status(store).finished


def test_a_plan_is_put_in_once(store):
    """The same plan again changes nothing; another one is refused, and so is work without a plan."""
    with pytest.raises(ArgumentError, match="holds no plan; write one with `slmmux profile"):
        work(store, Members())
    assert put_plan(store, Members(), QUESTIONS)
    assert not put_plan(store, Members(), QUESTIONS)
    for pool, questions in ((Members(samples={"one": 3}), QUESTIONS), (Members(), QUESTIONS[:3])):
        with pytest.raises(ArgumentError, match="the plan of another campaign"):
            put_plan(store, pool, questions)


@pytest.mark.parametrize(
    ("changes", "samples", "sentence"),
    [
        ({"extract": "boxed"}, SAMPLES, "extract was 'number' and is 'boxed'"),
        ({"models": {"one": {"temperature": 0.9}}}, {"one": 3}, "models.one.temperature was 0.5 and is 0.9"),
        ({}, {**SAMPLES, "one": 5}, "samples of one was 3 and is 5"),
        ({}, {"other": 1}, "the plan has no member 'other'"),
    ],
)
def test_a_worker_with_other_settings_is_refused(store, changes, samples, sentence):
    """The error names each setting that differs, and nothing is asked."""
    put_plan(store, Members(), QUESTIONS)
    with pytest.raises(ArgumentError, match=sentence):
        work(store, Members(settings=changes, samples=samples))
    assert not sum(member.done for member in status(store).members)


def test_texts_can_be_kept_out(store):
    """With texts=False no reply reaches the store; answers do."""
    put_plan(store, Members(), QUESTIONS, texts=False)
    work(store, Members())
    recording = pull(store)
    assert {row.text for row in recording.rows} == {None}
    assert any(row.answer for row in recording.rows)
    rows = store.database.run(lambda execute: execute("SELECT content FROM sample"))
    assert not any("The answer is" in content for (content,) in rows)


def test_a_member_that_is_down_is_given_up(store):
    """Three failures without a success end a member's work with an error; nothing of it is written, others go on."""

    class Down(Members):
        def call(self, question, draws):
            if draws[0].model == "one":
                raise ValueError("not found")
            return super().call(question, draws)

    put_plan(store, Members(), QUESTIONS)
    with pytest.raises(ProfilingError, match="not found"):
        work(store, Down())
    assert [member.done for member in status(store).members] == [0, 48, 24]
    assert work(store, Members()) == 36


def test_few_questions_are_enough_to_give_a_member_up(store):
    """A member that is down ends a worker also if there are fewer tasks than first requests, and nothing is written."""

    class Down(Members):
        def call(self, question, draws):
            raise ValueError("not found")

    put_plan(store, Down(samples={"one": 1}), QUESTIONS[:2])
    with pytest.raises(ProfilingError, match="not found"):
        work(store, Down(samples={"one": 1}))
    assert status(store).members[0].done == status(store).members[0].running == 0


def test_a_member_that_succeeds_in_another_worker_is_not_given_up(stores):
    """A worker whose first requests all fail waits for those of others, and goes on if one has a sample."""
    replies = threading.Event()

    class Slow(Members):
        def call(self, question, draws):
            began.set()
            assert replies.wait(60)
            return super().call(question, draws)

    class Unlucky(Members):
        failures = 0

        def call(self, question, draws):
            self.failures += 1
            if self.failures <= 3:
                raise ValueError("no such luck")
            return super().call(question, draws)

    began, only = threading.Event(), {"one": 1}
    put_plan(stores[0], Members(samples=only), QUESTIONS)
    slow = threading.Thread(target=work, args=(stores[0], Slow(samples=only)), kwargs={"concurrency": 1})
    slow.start()
    assert began.wait(60)

    def reply_once_given_back():
        # The slow worker has one task in the trial; the other has none any more once it waits.
        while unlucky.failures < 3 or status(stores[2]).members[0].running > 1:
            time.sleep(0.01)
        replies.set()

    unlucky = Unlucky(samples=only)
    helper = threading.Thread(target=reply_once_given_back)
    helper.start()
    try:
        work(stores[1], unlucky, concurrency=1)
    finally:
        replies.set()
        helper.join()
        slow.join()
    member = status(stores[0]).members[0]
    assert (member.done, member.running) == (len(QUESTIONS), 0)
    assert member.failed in {0, 1, 2, 3}  # whoever was first with each of the three questions


def test_requests_that_wait_for_their_turn_are_neither_late_nor_failed(store):
    """The time-out of a request begins with its turn; a request that never had one leaves no sample."""
    put_plan(store, Members(), QUESTIONS[:1], requests_per_minute={"one": 60})
    work(store, Members(), ["one"], timeout=0.9, retries=0)
    member = status(store).members[0]
    assert (member.done, member.failed) == (3, 0)


def test_a_worker_that_stops_writes_no_failure_of_requests_that_waited(store):
    """Requests that still wait for their turn when a worker stops were never made, and are no failed samples."""
    put_plan(store, Members(), QUESTIONS, requests_per_minute={"one": 1})

    first = threading.Event()

    def came(label, samples, failed):
        if label == "one":
            first.set()  # its other two requests now wait for a minute each
        else:
            assert first.wait(60)
            time.sleep(0.2)
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        work(store, Members(), ["one", "several"], came=came)
    member = status(store).members[0]
    assert (member.done, member.failed) == (1, 0)


def test_two_workers_never_take_one_task(stores):
    """Tasks that are taken at once by many are each taken by one, and all are taken."""
    put_plan(stores[0], Members(), QUESTIONS)
    taken = []

    def take(name, store):
        while tasks := store.take(name, "one", 2, 60.0):
            taken.extend(task.id for task in tasks)

    threads = [threading.Thread(target=take, args=(str(i), store)) for i, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == len(QUESTIONS)


def test_a_rate_holds_over_all_workers(stores):
    """Starts of a member's requests are handed out one after another, whoever asks."""
    first, second, *_ = stores
    put_plan(first, Members(), QUESTIONS, requests_per_minute={"one": 60})
    begin = time.monotonic()
    waits = [store.reserve("one") for store in (first, second) * 3]
    passed = time.monotonic() - begin
    assert all(i - passed - 0.1 <= wait <= i + 0.1 for i, wait in enumerate(waits))
    first.pause("one", 100)
    assert second.reserve("one") > 90
    assert second.reserve("several") == second.reserve("several") == 0.0


def kills(store, url, workers, questions, *, times, expected):
    """Four workers of which one is killed with -9 again and again: every sample is there once in the end."""
    rng = random.Random(times)
    put_plan(store, Members(), questions, lease=1.0)
    running = [workers(url, f"w{i}", "0.02") for i in range(4)]
    killed = 0
    while killed < times and not status(store).finished:
        time.sleep(rng.random() * 0.3)
        at = rng.randrange(4)
        kill(running[at])
        killed += 1
        running[at] = workers(url, f"w{at}", "0.02")
    for process in running:
        finish(process)
    check_complete(store, expected)
    # A sample is asked for again only if a worker that had its task was killed, or was too late.
    asked = Counter(workers.asked())
    assert len(asked) == sum(SAMPLES.values()) * len(questions)
    again = sum(asked.values()) - len(asked)
    at_once = 2 * (1 + SAMPLES["several"] + 1)  # the samples of the requests that one worker has running
    assert again <= killed * at_once + sum(member.twice for member in status(store).members)
    return killed


def test_workers_that_are_killed_lose_nothing(url, store, workers, of_one_process):
    """After kills with -9 every planned sample is there once, equal to those of one process."""
    assert kills(store, url, workers, QUESTIONS, times=2, expected=of_one_process) >= 1


@pytest.mark.full
@pytest.mark.timeout(600)
def test_workers_that_are_killed_fifty_times_lose_nothing(url, store, workers, tmp_path):
    """The same with ten times the questions, killed fifty times."""
    questions = [{"question_id": f"q{i}", "question": f"{i} + {i}?", "gold": str(2 * i)} for i in range(400)]
    expected = profile(Members(), questions, recording=tmp_path / "one.jsonl", concurrency=32)
    assert kills(store, url, workers, questions, times=50, expected=expected) == 50


@pytest.mark.full
def test_a_worker_that_was_frozen_doubles_nothing(url, store, workers, of_one_process):
    """A worker that stops past its lease and wakes up writes no sample that another has written since; it is counted."""
    put_plan(store, Members(), QUESTIONS, lease=0.5)
    frozen = workers(url, "frozen", "0.05")
    until(store, 3)
    # In a transaction: the worker is in none then, with which it would lock a SQLite file until it wakes up.
    store.database.run(lambda _: os.kill(frozen.pid, signal.SIGSTOP))
    time.sleep(1.0)  # past the lease
    finish(workers(url, "other"))
    assert status(store).finished
    os.kill(frozen.pid, signal.SIGCONT)
    finish(frozen)
    check_complete(store, of_one_process)
    state = status(store)
    extra = len(workers.asked()) - PLANNED
    assert 0 <= extra == sum(member.twice for member in state.members)
    assert {worker.name.split()[0] for worker in state.workers} == {"frozen", "other"}
    assert sum(worker.samples for worker in state.workers) == PLANNED


def test_an_interrupted_worker_gives_its_tasks_back(url, store, workers, of_one_process):
    """Ctrl-C ends a worker with 130; the next one need not wait for its lease."""
    put_plan(store, Members(), QUESTIONS, lease=3600)
    process = workers(url, "stopped", "0.05")
    until(store, 3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not sum(member.running for member in status(store).members)
    work(store, Members())
    check_complete(store, of_one_process)


@pytest.mark.full
def test_a_database_that_restarts_is_waited_for(server, workers, of_one_process):
    """PostgreSQL that goes away twice, in the middle of work, costs time alone: nothing is lost or doubled."""
    url = server.database()
    store = Store(url, patience=60)
    put_plan(store, Members(), QUESTIONS, lease=5)
    processes = [workers(url, f"w{i}", "0.03") for i in range(2)]
    for samples in (5, 30):
        until(store, samples)
        server.stop()
        time.sleep(0.3)
        server.start()
    for process in processes:
        finish(process)
    check_complete(store, of_one_process)
    store.close()


def test_a_password_is_never_shown(tmp_path):
    """The address in a repr and in an error has no password; a store that is away is a sentence."""
    store = Store("postgresql://me:secret@127.0.0.1:1/campaign", patience=0)
    assert "secret" not in repr(store)
    with pytest.raises(ArgumentError, match="the store cannot be reached") as raised:
        status(store)
    assert "secret" not in str(raised.value)
    with pytest.raises(ArgumentError, match="received 'mysql://me:\\*\\*\\*@host/db'"):
        Store("mysql://me:secret@host/db")
    (tmp_path / "text.db").write_text("no database, and longer than a header of one" * 9)
    with pytest.raises(ArgumentError, match="is no SQLite database"):
        status(Store(str(tmp_path / "text.db")))


def test_a_file_that_cannot_be_a_store_is_refused_at_once(tmp_path):
    """No file is made by a wrong name; neither a missing folder nor a file without permission is waited for."""
    with pytest.raises(ArgumentError, match="holds no plan"):
        status(Store(str(tmp_path / "absent.db")))
    assert not (tmp_path / "absent.db").exists()
    with pytest.raises(ArgumentError, match=r"x\.db cannot be opened as a file; name one in a folder that exists"):
        put_plan(Store(str(tmp_path / "no" / "x.db"), patience=10**6), Members(), QUESTIONS)
    with closing(Store(str(tmp_path / "store.db"), patience=10**6)) as store:
        put_plan(store, Members(), QUESTIONS)
        # Another user's file, as SQLite sees it; the tests may run as one who can write everywhere.
        store.database.run(lambda execute: execute("SELECT 1"))
        store.database._engine._connection.execute("PRAGMA query_only = 1")
        with pytest.raises(ArgumentError, match=r"store\.db cannot be written; change its permissions"):
            work(store, Members())


def test_a_store_of_another_version_is_refused(store):
    """Neither a worker nor a pull reads tables that it does not know."""
    put_plan(store, Members(), QUESTIONS)
    store.database.run(lambda execute: execute("UPDATE campaign SET version = 9"))
    for use in (status, pull, lambda store: work(store, Members())):
        with pytest.raises(ArgumentError, match="was planned by another version of slmmux; install that one"):
            use(store)


def test_a_host_that_does_not_exist_is_refused_at_once(monkeypatch):
    """A wrong address is no fault of the network, unless the database was there before."""

    def unknown(*_, **__):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ArgumentError, match=r"failed to resolve host.*check the address"):
        status(Store("postgresql://me@db.invalid/campaign", patience=10**6))


def test_a_recording_can_be_pulled_in_the_middle_of_a_campaign(store):
    """What is there so far is a recording; pulling it takes nothing from the workers that go on."""
    put_plan(store, Members(), QUESTIONS)
    assert len(pull(store)) == 0
    work(store, Members(), ["one"])
    early = pull(store)
    assert (set(early.models), len(early)) == ({"one"}, len(QUESTIONS) * SAMPLES["one"])
    work(store, Members())
    assert len(pull(store)) == PLANNED


def test_a_transaction_that_hangs_holds_nobody_up(server, monkeypatch):
    """PostgreSQL ends the transaction of a worker that is frozen in the middle of it; the worker repeats it later."""
    monkeypatch.setattr(_database, "_LONGEST_IDLE_S", 0.2)
    url = server.database()
    with closing(Store(url)) as first, closing(Store(url)) as second:
        put_plan(first, Members(), QUESTIONS)
        tries = []

        def hang(execute):
            execute("UPDATE member SET pace = pace")
            tries.append(second.reserve("one") if not tries else 0.0)  # waits for the lock of the first
            return len(tries)

        assert first.database.run(hang) == 2


def test_a_worker_that_ends_does_not_wait_for_a_database_that_is_away():
    """Tasks are given back at once or not at all: without the database, their leases end by themselves."""
    store = Store("postgresql://me@127.0.0.1:1/campaign", patience=10**6)
    with pytest.raises(ArgumentError, match="the store cannot be reached"):
        store.release("me", patience=0.0)


def test_without_psycopg_the_extra_is_named(monkeypatch):
    """A PostgreSQL store without psycopg is an error that names the extra."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ArgumentError, match=r'pip install "slmmux\[postgres\]"'):
        Store("postgresql://me@host/db")


def test_costs_are_counted_by_member_and_worker(store):
    """Tokens and costs of all requests are in the status, by member and by worker."""
    put_plan(store, Members(), QUESTIONS, prices={"one": {"input": 1.0, "output": 2.0}})
    work(store, Members(), ["one"], worker="me")
    state = status(store)
    assert state.members[0].cost == pytest.approx(36 * (7 * 1.0 + 5 * 2.0) / 1_000_000)
    assert state.workers[0].cost == state.members[0].cost
    assert (state.members[0].input_tokens, state.members[0].output_tokens) == (36 * 7, 36 * 5)
    assert state.members[1].cost is None
    assert state.workers[0].members == ("one",)


def test_prices_are_no_part_of_a_plan(store):
    """Prices are those of the pool's settings; other ones change neither the plan nor who may work on it."""
    prices = {"one": {"input": 1.0, "output": 2.0}, "several": {"input": 3.0, "output": 4.0}}
    assert put_plan(store, Members(settings={"prices": prices}), QUESTIONS)
    only = {"prices": {"one": prices["one"]}, "models": {"one": {"temperature": 0.5}}}
    work(store, Members(samples={"one": 3}, settings=only))
    assert status(store).members[0].cost == pytest.approx(36 * (7 * 1.0 + 5 * 2.0) / 1_000_000)
    prices["one"] = {"input": 2.0, "output": 4.0}
    assert not put_plan(store, Members(settings={"prices": prices}), QUESTIONS)
    assert status(store).members[0].cost == pytest.approx(2 * 36 * (7 * 1.0 + 5 * 2.0) / 1_000_000)
    assert pull(store).settings["prices"] == prices
    with pytest.raises(ArgumentError, match="must be a price per million tokens"):
        put_plan(store, Members(), QUESTIONS, prices={"one": {"input": 1.0}})
