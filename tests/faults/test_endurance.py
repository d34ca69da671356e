"""Long and rough use: thousands of answers, storms of cancellations, forks and kills with calls running, little memory.

Each says what it counted (`pytest -s`), and fails only for what grows, hangs or is lost.
"""

import asyncio
import gc
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from slmmux import Recording
from tests.frameworks import LangChain, LlamaIndex
from tests.lengths import AT_LENGTH

from .muxes import FRAMEWORKS
from .server import serving

BOTH = pytest.mark.parametrize("framework", [LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
ANSWERS = 5000 if AT_LENGTH else 500


def state():
    """Return (kilobytes, threads, files) of this process, once what can be collected was."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (
        pages * resource.getpagesize() // 1024,
        threading.active_count(),
        len(list(Path("/proc/self/fd").iterdir())),
    )


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@BOTH
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_answers_by_the_thousand_leave_nothing(framework, way):
    """After thousands of answers there are as many threads and files as before, and memory does not grow with them."""
    models = {label: framework.member(["4", "5", "4"]) for label in ("a", "b")}
    mux = framework.mux(models, samples=3, timeout=60, deadline=60)

    async def ask(number):
        for _ in range(number):
            framework.ask(mux, "q") if way == "sync" else await framework.aask(mux, "q")
        for model in models.values():
            model.calls.clear()  # the members of the test keep every question

    await ask(200)
    before = state()
    await ask(ANSWERS)
    after = state()
    growth = (after[0] - before[0]) / ANSWERS * 1000
    print(f"\n{ANSWERS} answers, {way}: {growth:+.0f} kB per 1,000, {before[1:]} -> {after[1:]} threads and files")
    assert after[2] <= before[2] + 2
    assert after[1] <= before[1] + 2
    assert after[0] - before[0] < 20_000  # what an allocator keeps; 4 kB an answer would be more at length


@pytest.mark.full
@BOTH
async def test_a_storm_of_cancellations_leaves_nothing(framework):
    """Questions that are cancelled at any moment leave no task and no place taken: the next question is answered."""
    chance = random.Random(0)

    def slow(*_):
        time.sleep(0.002)
        return "4"

    mux = framework.mux({"a": framework.member(slow), "b": framework.member(["4"])}, samples=3, max_concurrency=4)
    answered = 0
    for _ in range(2000 if AT_LENGTH else 200):
        question = asyncio.ensure_future(framework.aask(mux, "q"))
        await asyncio.sleep(chance.random() * 0.01)
        question.cancel()
        try:
            await question
            answered += 1
        except asyncio.CancelledError:
            pass
    print(f"\n{answered} were answered before they were cancelled")
    text, _ = await framework.aask(mux, "q")
    assert text == "4"
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
@BOTH
def test_a_fork_with_calls_running_asks_by_itself(framework):
    """A child that is forked while its parent's calls run and wait answers its own question, and none of the parent's."""
    let_go = threading.Event()
    calls = []

    def held(messages, number, _):
        calls.append(str(messages[-1].content))
        if calls[-1] == "parent" and os.getpid() == parent:
            let_go.wait(60)
        return "4"

    parent = os.getpid()
    mux = framework.mux({"a": framework.member(held), "b": framework.member(held)}, samples=4, max_concurrency=2)
    threads = [threading.Thread(target=framework.ask, args=(mux, "parent")) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(calls) < 2:
        time.sleep(0.005)
    if (child := os.fork()) == 0:
        try:
            del calls[:]
            text, _ = framework.ask(mux, "child")
            time.sleep(0.05)  # for what would be called besides
            os._exit(0 if text == "4" and {*calls} == {"child"} and len(calls) <= 8 else 1)
        finally:
            os._exit(2)
    until = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    let_go.set()
    for thread in threads:
        thread.join(60)
    assert ended[0] == child, "the child hung"
    assert os.waitstatus_to_exitcode(ended[1]) == 0


@pytest.mark.full  # a landing has the tests of accounting in tests/parity
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_what_the_records_say_is_what_the_server_counted():
    """By every way of asking, both frameworks: calls, tokens and the window, abandoned and cancelled ones included."""
    number, cancelled = ("5000", "1000") if AT_LENGTH else ("5", "10")
    soak = [sys.executable, "-m", "bench.soak", "--answers", number, "--cancellations", cancelled]
    table = subprocess.run(soak, check=True, cwd=Path.cwd(), capture_output=True, text=True).stdout
    print(f"\n{table}")
    assert table.count("\n| L") == 8
    assert table.count("cancelled at random times") == 2


_PROFILED = """
import sys, time
from slmmux.profiling import profile
questions = [{"question_id": f"q{i}", "question": str(i), "gold": "4"} for i in range(200)]
def slow(question):
    time.sleep(0.002)
    return question
print("ready", flush=True)
profile({"a": slow, "b": slow}, questions, recording=sys.argv[1], samples=3, concurrency=4)
"""


@pytest.mark.full
def test_a_profile_that_is_killed_again_and_again_is_whole_in_the_end(tmp_path):
    """Twenty kills lose no sample that was recorded, and no sample is recorded twice."""
    path = tmp_path / "samples.jsonl"
    chance = random.Random(0)
    for _ in range(20 if AT_LENGTH else 5):
        with subprocess.Popen([sys.executable, "-c", _PROFILED, str(path)], stdout=-1, cwd=Path.cwd()) as process:
            process.stdout.readline()
            time.sleep(chance.random() * 0.4)
            process.kill()
    subprocess.run([sys.executable, "-c", _PROFILED, str(path)], check=True, cwd=Path.cwd(), stdout=subprocess.DEVNULL)
    rows = Recording.load(path).rows
    assert len({(row.question_id, row.model, row.sample_index) for row in rows}) == len(rows) == 200 * 2 * 3
    assert all(row.answer == row.question for row in rows)


_BOUNDED = """
import resource, sys
from tests.faults.muxes import FRAMEWORKS, QUESTION
kind = FRAMEWORKS[sys.argv[2]]()
models = {name: kind.member_at(sys.argv[1], name, several=False) for name in ("huge body", "sound")}
kind.ask(kind.mux({"sound": models["sound"]}, samples=1), QUESTION)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (600 << 20), -1))
for _ in range(10):
    text, record = kind.ask(kind.mux(models, samples=2, deadline=60), QUESTION)
    assert text == "The answer is 4.", text[:50]
"""


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_huge_replies_are_answered_over_in_little_memory(framework):
    """With 600 MB to spare, replies of megabytes neither end the process nor pile up."""
    with serving() as server:
        subprocess.run([sys.executable, "-c", _BOUNDED, server.url, framework], check=True, cwd=Path.cwd())
