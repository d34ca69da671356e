"""Every fault of a server x both frameworks x threads and tasks x one request a sample and one for all.

Whatever the fault: the answer comes from the rest, before any limit of the whole, nothing is left behind, and the
record says what happened.
"""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from tests.lengths import short_form

from .muxes import FRAMEWORKS, QUESTION
from .server import ANSWERS, EITHER, FAULTS, HANGING, serving

SAMPLES = 2
TIMEOUT_S = 2.0  # of calls to a server that hangs; the sound one beside it needs some of it on a busy machine
# A case of each family in each run; the table itself is for .ci/full.
SHORT = {
    ("status 500", "langchain", "sync", True), ("status 429", "llamaindex", "async", False),
    ("reset in the body", "langchain", "async", False), ("truncated", "llamaindex", "sync", True),
    ("hangs", "langchain", "sync", False), ("dribbles", "llamaindex", "async", True),
    ("redirects to itself", "llamaindex", "sync", False),
    ("JSON null", "langchain", "sync", False), ("choices null", "llamaindex", "async", True),
    ("too few choices", "langchain", "async", True), ("too few choices", "llamaindex", "sync", True),
    ("huge body", "langchain", "async", False), ("deep body", "llamaindex", "sync", True),
    ("usage negative", "langchain", "sync", True), ("usage a text", "llamaindex", "async", False),
}  # fmt: skip
CASES = [
    (fault, framework, way, several)
    for fault in FAULTS
    for framework in FRAMEWORKS
    for way in ("sync", "async")
    for several in (False, True)
]


@pytest.fixture(scope="module")
def server():
    with serving() as one:
        yield one


def descriptors():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def own_threads():
    return sum(thread.name.startswith("slmmux") for thread in threading.enumerate())


def soon(condition):
    """Wait until something holds: what ends by itself needs a moment on a busy machine."""
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize(("fault", "framework", "way", "several"), short_form(CASES, lambda case: case in SHORT))
def test_a_faulty_member_costs_its_own_vote_alone(server, fault, framework, way, several):
    """The sound member answers in time; threads, tasks and sockets end; and the record counts every sample once."""
    kind = FRAMEWORKS[framework]()
    models = {
        "faulty": kind.member_at(server.url, fault, several=several),
        "sound": kind.member_at(server.url, "sound", several=several),
    }
    timeout = TIMEOUT_S if fault in HANGING else 60
    mux = kind.mux(models, samples=SAMPLES, timeout=timeout, deadline=120, wait="exhausted")
    kind.ask(
        kind.mux({"sound": models["sound"]}, samples=1), QUESTION
    )  # what is imported at the first call is no fault's
    # A server that dribbles keeps the threads of an earlier case.
    before, threads = descriptors(), own_threads()
    if way == "sync":
        text, record = kind.ask(mux, QUESTION)
    else:
        text, record = asyncio.run(_with_nothing_left(kind, mux))
    assert "4" in text
    assert record["answer"] == "4"
    assert record["reason"] == "exhausted"
    votes = {vote["model"]: vote for vote in record["votes"]}
    assert votes["sound"]["count"] == SAMPLES
    faulty = votes["faulty"]
    assert faulty["count"] + faulty["abstained"] + faulty["failed"] == faulty["of"] == SAMPLES
    if fault in ANSWERS:
        assert faulty["count"] == SAMPLES
    elif fault in EITHER:
        assert {faulty["count"], faulty["failed"]} == {0, SAMPLES}
    else:
        assert faulty["count"] == 0
        assert record["model"] == "sound"
    assert all(0 <= count < 10**40 for count in record["usage"].values())
    assert (record["lost"] == ["faulty"]) is (faulty["failed"] == SAMPLES)
    if fault == "dribbles" and way == "sync":
        return  # no read takes long, so that the client never gives up, and nobody can stop its thread
    assert soon(lambda: own_threads() <= threads), f"{own_threads() - threads} threads are left"
    for client in kind.clients:
        client.close()
    assert soon(lambda: descriptors() <= before + 2), f"{descriptors() - before} files are left"


async def _with_nothing_left(kind, mux):
    outcome = await kind.aask(mux, QUESTION)
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 60)
    return outcome


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("way", ["sync", "async"])
def test_if_every_server_fails_the_error_names_each_cause_once(server, framework, way):
    """Without a single reply there is no answer, and the error says why for each member."""
    kind = FRAMEWORKS[framework]()
    models = {name: kind.member_at(server.url, name, several=False) for name in ("status 500", "JSON null", "reset")}
    mux = kind.mux(models, samples=SAMPLES, timeout=30)
    with pytest.raises(Exception, match="no member replied") as caught:
        kind.ask(mux, QUESTION) if way == "sync" else asyncio.run(kind.aask(mux, QUESTION))
    assert {error.model for error in caught.value.errors} == set(models)
    assert len(caught.value.errors) == SAMPLES * len(models)
    assert str(caught.value).count("\n") <= len(models)
