"""Every call accounted for, in both frameworks: rate limiters, abandoned calls, and the tokens that arrive late."""

import asyncio
import threading
import time
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.rate_limiters import BaseRateLimiter as LangChainLimiter
from llama_index.core.base.llms.types import CompletionResponse
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.rate_limiter import BaseRateLimiter as LlamaIndexLimiter

from langchain_slmmux.testing import ScriptedChatModel

from ..frameworks import LangChain, LlamaIndex
from ..llamaindex.support import CompletionOnly


class Permits(LangChainLimiter):
    """Grants so many requests, and later as many as are added."""

    def __init__(self, count):
        self.semaphore = threading.Semaphore(count)

    def acquire(self, *, blocking=True):
        return self.semaphore.acquire(blocking=blocking)

    async def aacquire(self, *, blocking=True):
        raise AssertionError("the mux asks before the call begins")


class BlockingPermits(LlamaIndexLimiter):
    """The same for LlamaIndex, whose limiters can only be waited for."""

    def __init__(self, count):
        self.semaphore = threading.Semaphore(count)

    def acquire(self, num_tokens=0):
        self.semaphore.acquire()

    async def async_acquire(self, num_tokens=0):
        raise AssertionError("the mux asks before the call begins")


class SyncChatModel(ScriptedChatModel):
    """A scripted member without an async method of its own."""

    _agenerate = BaseChatModel._agenerate


class SyncLLM(CompletionOnly):
    """The same for LlamaIndex."""

    reply: Any = None

    @llm_completion_callback()
    def complete(self, prompt, formatted=False, **kwargs):
        usage = {"prompt_tokens": 10, "completion_tokens": 2}
        return CompletionResponse(text=self.reply(prompt, 0, kwargs), raw={"usage": usage})


class LimitedLangChain(LangChain):
    limiter = Permits

    def sync_member(self, script):
        return SyncChatModel(script=script)


class LimitedLlamaIndex(LlamaIndex):
    limiter = BlockingPermits

    def sync_member(self, script):
        return SyncLLM(reply=script)


@pytest.fixture(params=[LimitedLangChain(), LimitedLlamaIndex()], ids=["langchain", "llamaindex"])
def framework(request):
    return request.param


@pytest.fixture(params=["threads", "loop"])
def ask(request, framework):
    """Asks a mux, and returns the record."""
    if request.param == "threads":
        return lambda mux: framework.ask(mux, "2 + 2?")[1]
    return lambda mux: asyncio.run(framework.aask(mux, "2 + 2?"))[1]


def test_a_request_that_waits_for_its_limiter_never_begins_after_the_decision(framework, ask):
    """Three samples, two permits, two equal answers: the third request is never made, also when there is a permit."""
    limiter = framework.limiter(2)
    member = framework.member(["4"], rate_limiter=limiter)
    record = ask(framework.mux({"a": member}, samples=3))
    limiter.semaphore.release(5)
    assert (record["samples"], record["abandoned"]["calls"]) == ({"planned": 3, "used": 2}, 0)
    time.sleep(0.1)  # a request that was queued would begin by now
    assert len(member.calls) == 2


def test_the_wait_for_a_limiter_is_no_time_of_the_call(framework, ask):
    """A permit that comes after the time-out of a call costs no vote."""
    limiter = framework.limiter(1)
    threading.Timer(1.0, limiter.semaphore.release).start()
    record = ask(
        framework.mux({"a": framework.member(["4"], rate_limiter=limiter)}, samples=2, timeout=0.6, wait="exhausted")
    )
    assert [vote["failed"] for vote in record["votes"]] == [0]


def test_a_limiter_is_asked_once_for_each_request(framework, ask):
    """Five samples take five permits of exactly five, whichever way they wait for them."""
    limiter = framework.limiter(5)
    record = ask(framework.mux({"a": framework.member(["4"], rate_limiter=limiter)}, samples=5, wait="exhausted"))
    assert record["votes"][0]["count"] == 5
    assert not limiter.semaphore.acquire(blocking=False)


def test_a_mux_of_one_that_streams_through_waits_for_the_limiter(framework):
    """One member, one sample: its stream begins after one permit, as it would alone."""
    limiter = framework.limiter(1)
    mux = framework.mux({"a": framework.member(["4"], rate_limiter=limiter)}, samples=1)
    assert list(framework.stream(mux, "2 + 2?"))
    assert not limiter.semaphore.acquire(blocking=False)


def record_of(streamed):
    """Return the record on the last part of a stream, of either framework."""
    return getattr(streamed, "response_metadata", None) or streamed.raw


def test_a_stream_that_goes_straight_through_is_read_as_any_reply(framework):
    """An answer that is none abstains in the record of a stream, as it does without one."""
    mux = framework.mux({"a": framework.member(["unknown"])}, samples=1, no_answer=["unknown"])
    record = record_of(list(framework.stream(mux, "2 + 2?"))[-1])["slmmux"]
    assert (record["answer"], record["votes"][0]["abstained"]) == (None, 1)


def test_calls_that_run_at_the_decision_are_abandoned_and_counted(framework):
    """On threads they go on: the record has their number, and `on_abandoned` hears of their tokens."""
    release, reports, reported = threading.Event(), [], threading.Event()

    def slow(messages, turn, kwargs):
        release.wait(30)
        return "5"

    def report(label, usage):
        reports.append((label, usage["total_tokens"]))
        reported.set()

    models = {"sure": framework.member(["4"]), "slow": framework.member(slow)}
    _, record = framework.ask(framework.mux(models, samples={"sure": 2, "slow": 1}, on_abandoned=report), "2 + 2?")
    assert record["abandoned"] == {"calls": 1, "usage": None}
    assert not reports
    release.set()
    assert reported.wait(30)
    assert reports == [("slow", 12)]


def test_on_an_event_loop_a_sync_member_is_abandoned_like_on_a_thread(framework):
    """A member without async methods runs on a thread: its late reply is reported there too."""
    release, reports, reported = threading.Event(), [], threading.Event()

    def slow(messages, turn, kwargs):
        release.wait(30)
        return "5"

    def report(label, usage):
        reports.append((label, usage["total_tokens"]))
        reported.set()

    member = framework.sync_member(slow)
    models = {"sure": framework.member(["4"]), "slow": member}
    mux = framework.mux(models, samples={"sure": 2, "slow": 1}, on_abandoned=report)
    _, record = asyncio.run(framework.aask(mux, "2 + 2?"))
    assert record["abandoned"]["calls"] == 1
    release.set()
    assert reported.wait(30)
    assert reports == [("slow", 12)]


def test_a_server_that_is_down_is_asked_on_two_questions_and_rests(framework, ask):
    """From the third question on it is not asked, the record names it, and the others answer."""
    down, up = framework.member([ConnectionError("refused")]), framework.member(["4"])
    mux = framework.mux({"down": down, "up": up}, samples=2, wait="exhausted")
    records = [ask(mux) for _ in range(4)]
    assert [record["resting"] for record in records] == [[], [], ["down"], ["down"]]
    assert [record["lost"] for record in records] == [["down"]] * 4
    assert [record["model"] for record in records] == ["up"] * 4
    assert (len(down.calls), len(up.calls)) == (4, 8)


def test_a_member_that_misses_two_deadlines_rests(framework, ask):
    """Two questions waited for it in vain: each names it, the third does not wait, and the others answer all three."""
    release = threading.Event()

    def hang(messages, turn, kwargs):
        release.wait(30)
        return "5"

    try:
        models = {"hangs": framework.sync_member(hang), "up": framework.member(["4"])}
        mux = framework.mux(models, samples=1, deadline=0.2)
        records = [ask(mux) for _ in range(3)]
    finally:
        release.set()
    assert [record["answer"] for record in records] == ["4"] * 3
    assert [record.get("silent") for record in records] == [["hangs"], ["hangs"], None]
    assert [record["resting"] for record in records] == [[], [], ["hangs"]]
    assert [record["reason"] for record in records] == ["deadline", "deadline", "exhausted"]


def test_a_lone_member_is_always_asked(framework, ask):
    """Nobody could answer in its place, so its own error is what its user gets, each time."""
    down = framework.member([ConnectionError("refused")])
    mux = framework.mux({"down": down}, samples=1)
    for _ in range(4):
        with pytest.raises(ConnectionError, match="refused"):
            ask(mux)
    assert len(down.calls) == 4
