"""What a record says was paid is what members got: calls too late to be sent, sent twice, or of no record at all."""

import asyncio
import threading
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike

from slmmux import ArgumentError, NoAnswerError
from slmmux._decision.rules import LearnedRule
from slmmux._mux.dispatch import Dispatch

from ..langchain.openai_server import Refused, serving
from .test_accounting import LimitedLangChain, LimitedLlamaIndex

WAIT_S = 30  # how long a test waits for what must happen; only a fault uses it up
DOUBTFUL = LearnedRule(("sure",), (10**6,), (0,), (-5.0, 0.0), 60)


class OverLangChain(LimitedLangChain):
    def over(self, server: Any) -> Any:
        return ChatOpenAI(base_url=server.url, api_key="none", model="m", max_retries=0)

    def cancelled(self, mux: Any) -> Any:
        return mux.ainvoke("q")


class OverLlamaIndex(LimitedLlamaIndex):
    def over(self, server: Any) -> Any:
        return OpenAILike(model="m", api_base=server.url, api_key="none", max_retries=0, is_chat_model=True)

    def cancelled(self, mux: Any) -> Any:
        return mux.acomplete("q")


@pytest.fixture(params=[OverLangChain(), OverLlamaIndex()], ids=["langchain", "llamaindex"])
def framework(request):
    return request.param


@pytest.fixture(params=["threads", "loop"])
def ask(request, framework):
    """Asks a mux, and returns the record."""
    if request.param == "threads":
        return lambda mux: framework.ask(mux, "q")[1]
    return lambda mux: asyncio.run(framework.aask(mux, "q"))[1]


@pytest.fixture
def hang():
    """What a call waits for; let go at the end, when the threads of the test end too."""
    release, before = threading.Event(), threading.enumerate()
    yield release
    release.set()
    join_all(before)


def join_all(before):
    """Wait for the samples' threads, but for those that other tests left behind."""
    for thread in threading.enumerate():
        if thread.name == "slmmux-sample" and thread not in before:
            thread.join(WAIT_S)


def paid(record):
    """Return how many calls a record says were sent."""
    return record.get("calls", record["samples"]["used"] + record["abandoned"]["calls"])


def test_a_call_that_is_too_late_to_be_sent_is_neither_sent_nor_counted(framework, ask, monkeypatch):
    """Its thread had a place at the decision, and was held up on its way to the member."""
    over, ended, asked = threading.Event(), threading.Event(), []
    send, close = Dispatch.send, Dispatch.close

    def held_up(dispatch, draws):
        if draws[0].model == "slow":
            assert over.wait(WAIT_S)
        try:
            send(dispatch, draws)
        finally:
            if draws[0].model == "slow":
                ended.set()

    def closed(dispatch):
        close(dispatch)
        over.set()

    monkeypatch.setattr(Dispatch, "send", held_up)
    monkeypatch.setattr(Dispatch, "close", closed)
    slow = framework.sync_member(lambda messages, turn, kwargs: asked.append(turn) or "5")
    models = {"sure": framework.member(["4"]), "slow": slow}
    record = ask(framework.mux(models, samples={"sure": 2, "slow": 1}))
    assert ended.wait(WAIT_S)
    assert record["abandoned"] == {"calls": 0, "usage": None}
    assert paid(record) == record["samples"]["used"] == 2
    assert asked == []


def test_a_call_of_the_bigger_model_is_in_the_record(framework, ask, hang):
    """One that hangs at the deadline is abandoned like a member's; one that replies is counted beside the samples."""

    def hanging(messages, turn, kwargs):
        hang.wait(WAIT_S)
        return "5"

    options = {"samples": 1, "rule": DOUBTFUL, "escalate_below": 0.9, "deadline": 0.25}
    models = {"sure": framework.member(["4"])}
    record = ask(framework.mux(models, escalate_to=framework.sync_member(hanging), **options))
    assert (record["answer"], record["samples"]["used"], record["abandoned"]["calls"]) == ("4", 1, 1)
    options["deadline"] = None
    record = ask(framework.mux(models, escalate_to=framework.member(["5"]), **options))
    assert (record["outcome"], record["abandoned"]["calls"], paid(record)) == ("escalated", 0, 2)


def test_a_judges_calls_are_in_the_record(framework, ask, hang):
    """A judge that hangs at the deadline has abandoned calls, and self-consistency decides."""

    def hanging(messages, turn, kwargs):
        hang.wait(WAIT_S)
        return "90"

    models = {"a": framework.member(["4"]), "b": framework.member(["5"])}
    judge = framework.sync_member(hanging)
    record = ask(framework.mux(models, samples=1, confidence="judge", judge=judge, deadline=0.25))
    assert (record["samples"]["used"], record["abandoned"]["calls"], paid(record)) == (2, 2, 4)


def test_what_ends_without_a_record_is_reported_whole(framework, hang):
    """A cancelled question: the replies that it had go to `on_abandoned`, and so does the one that comes later."""
    reports, late, first = [], threading.Event(), threading.Event()

    def slow(messages, turn, kwargs):
        first.set()
        hang.wait(WAIT_S)
        return "5"

    def report(label, usage):
        reports.append((label, usage["total_tokens"]))
        if label == "slow":
            late.set()

    models = {"sure": framework.member(["4"], tokens=(10, 2)), "slow": framework.sync_member(slow)}
    mux = framework.mux(models, samples=1, wait="exhausted", on_abandoned=report)

    async def cancelled():
        task = asyncio.ensure_future(framework.cancelled(mux))
        while not first.is_set() or len(models["sure"].calls) < 1:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)  # the reply that is there has a moment to be counted
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancelled())
    assert reports == [("sure", 12)]
    hang.set()
    assert late.wait(WAIT_S)
    assert reports == [("sure", 12), ("slow", 12)]


def test_the_late_reply_of_a_question_without_an_answer_is_reported(framework, hang):
    """On threads: the deadline ends in an error, and the tokens of the call that runs on are told all the same."""
    reports, late = [], threading.Event()

    def slow(messages, turn, kwargs):
        hang.wait(WAIT_S)
        return "5"

    def report(label, usage):
        reports.append((label, usage["total_tokens"]))
        late.set()

    mux = framework.mux(
        {"slow": framework.member(slow), "slower": framework.member(slow)},
        samples={"slow": 1, "slower": 1}, deadline=0.1, max_concurrency=1, on_abandoned=report,
    )  # fmt: skip
    with pytest.raises(NoAnswerError):
        framework.ask(mux, "q")
    assert not reports
    hang.set()
    assert late.wait(WAIT_S)
    assert reports == [("slow", 12)]


def test_a_hook_that_fails_costs_nothing(framework, hang, caplog):
    """What `on_abandoned` raises is logged, by its class alone, and the question ends as it would."""

    def slow(messages, turn, kwargs):
        hang.wait(WAIT_S)
        return "5"

    failed, before = threading.Event(), threading.enumerate()

    def report(label, usage):
        failed.set()
        raise ArgumentError("a word of the user's own")

    models = {"sure": framework.member(["4"]), "slow": framework.member(slow)}
    framework.ask(framework.mux(models, samples={"sure": 2, "slow": 1}, on_abandoned=report), "q")
    hang.set()
    assert failed.wait(WAIT_S)
    join_all(before)
    assert "on_abandoned= raised ArgumentError" in caplog.text
    assert "a word of" not in caplog.text


@pytest.mark.parametrize(
    ("fault", "requests"), [(500, [3, 1, 1, 1]), (400, [3, 1, 1, 1])], ids=["failed whole", "refuses several"]
)
def test_requests_made_for_several_samples_are_counted_as_the_server_counts(framework, ask, fault, requests):
    """One that failed is paid like the single ones after it: the record has `calls`, and a budget of calls holds."""

    def script(body, number):
        return Refused(fault, "not so many") if (body.get("n") or 1) > 1 else "4"

    for most in (None, 2):
        with serving(script) as server:
            mux = framework.mux(
                {"a": framework.over(server)}, samples=3, wait="exhausted", budget=most and {"calls": most}
            )
            record = ask(mux)
        assert [request.get("n") or 1 for request in server.requests] == requests[:most]
        assert paid(record) == len(server.requests)
        assert record["samples"]["used"] == len(server.requests) - 1
    with serving(script) as server, pytest.raises(NoAnswerError, match="no member replied"):
        ask(framework.mux({"a": framework.over(server)}, samples=3, budget={"calls": 1}))
    assert len(server.requests) == 1


def test_the_second_call_for_one_sample_waits_for_the_limiter_in_nobodys_time(framework, ask, hang):
    """A doubtful 400 under a limiter of one permit: the deadline ends the wait, and no call is made after it."""
    limiter = framework.limiter(1)

    def script(body, number):
        return Refused(400, "not so many") if (body.get("n") or 1) > 1 else "4"

    with serving(script) as server:
        limited = framework.over(server).model_copy(update={"rate_limiter": limiter})
        models = {"a": limited, "b": framework.member(["4"])}
        record = ask(framework.mux(models, samples={"a": 3, "b": 2}, timeout=0.2, deadline=0.5, wait="exhausted"))
        limiter.semaphore.release(5)
        # At the deadline the samples of the first are outstanding, none of them failed by the time-out of a call.
        assert [vote["failed"] for vote in record["votes"]] == [0, 0]
        assert record["reason"] == "deadline"
        assert len(server.requests) == 1
        assert paid(record) == 3
