"""What fails costs its own votes; only when all fail is there an error, and it carries every cause."""

import asyncio
import signal
import threading

import pytest
from langchain_core.outputs import ChatResult

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import NoAnswerError, SampleTimeoutError

from .support import Seen, Waiting


class Junk(ScriptedChatModel):
    """A member that returns no ChatResult."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return None

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        return None


class Empty(ScriptedChatModel):
    """A member that returns no generation."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return ChatResult(generations=[])

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        return ChatResult(generations=[])


class RateLimited(Exception):
    status_code = 429


FAULTS = {
    "raises": ScriptedChatModel(script=[RuntimeError("down")]),
    "rate limited": ScriptedChatModel(script=[RateLimited("slow down")]),
    "cancelled": ScriptedChatModel(script=[asyncio.CancelledError("gone")]),
    "exits": ScriptedChatModel(script=[SystemExit(1)]),
    "junk": Junk(script=[""]),
    "empty": Empty(script=[""]),
}


@pytest.mark.parametrize(
    ("name", "way"),
    # SystemExit in a task ends the event loop whatever we do, so that fault is a sync one.
    [(name, way) for name in FAULTS for way in ("sync", "async") if (name, way) != ("exits", "async")],
)
async def test_a_failing_member_costs_its_votes_only(name, way):
    """The others answer; the record counts the failures; every run is closed."""
    seen = Seen()
    mux = SLMMuxChatModel(
        models={"bad": FAULTS[name], "good": ScriptedChatModel(script=["4"])}, samples=2, wait="exhausted"
    )
    config = {"callbacks": [seen]}
    message = mux.invoke("q", config) if way == "sync" else await mux.ainvoke("q", config)
    bad, good = message.response_metadata["slmmux"]["votes"]
    assert (message.text, bad["failed"], good["count"]) == ("4", 2, 2)
    assert seen.unclosed == []


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_all_failing_raises_one_error_with_every_cause(way):
    """One error carries one cause a failed call, and its text quotes each cause once."""
    mux = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=[RuntimeError("down")]), "b": ScriptedChatModel(script=[OSError("off")])},
        samples=3,
    )
    with pytest.raises(NoAnswerError) as caught:
        mux.invoke("q") if way == "sync" else await mux.ainvoke("q")
    assert [(e.model, e.index, str(e.cause)) for e in caught.value.errors] == [
        *(("a", i, "down") for i in range(3)),
        *(("b", i, "off") for i in range(3)),
    ]
    assert str(caught.value).count("down") == str(caught.value).count("off") == 1


def test_a_hanging_member_costs_its_votes_after_timeout():
    """A call that never returns is given up after `timeout`; the answer comes from the others."""
    hung = Waiting(script=["5"])
    mux = SLMMuxChatModel(
        models={"hung": hung, "a": ScriptedChatModel(script=["4"])}, samples=2, timeout=0.05, wait="exhausted"
    )
    message = mux.invoke("q")
    hung.go.set()
    assert message.text == "4"
    assert message.response_metadata["slmmux"]["votes"][0]["failed"] == 2


def test_hung_calls_do_not_use_the_mux_up():
    """Calls given up no longer count against max_concurrency: the next question is still answered."""
    hung = Waiting(script=["5"])
    mux = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=["4"]), "hung": hung},
        samples=2,
        timeout=0.05,
        wait="exhausted",
        max_concurrency=2,
    )
    assert [mux.invoke("q").text for _ in range(3)] == ["4"] * 3
    hung.go.set()


def test_a_deadline_answers_from_what_is_in():
    """At the deadline the best decision so far is returned and marked."""
    hung = Waiting(script=["5"])
    mux = SLMMuxChatModel(
        models={"hung": hung, "a": ScriptedChatModel(script=["4"])}, samples=2, deadline=0.2, wait="exhausted"
    )
    record = mux.invoke("q").response_metadata["slmmux"]
    hung.go.set()
    assert (record["model"], record["reason"], record["votes"][0]["unused"]) == ("a", "deadline", 2)


def test_a_deadline_with_nothing_in_is_a_clear_error():
    """Without any reply the deadline raises, and says so."""
    hung = Waiting(script=["5"])
    with pytest.raises(NoAnswerError, match="deadline"):
        SLMMuxChatModel(models={"hung": hung}, samples=2, deadline=0.05).invoke("q")
    hung.go.set()


async def test_async_timeouts_carry_their_cause():
    """A time-out is a SampleTimeoutError in the error's causes."""

    class Endless(ScriptedChatModel):
        async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
            await asyncio.Event().wait()

    with pytest.raises(NoAnswerError) as caught:
        await SLMMuxChatModel(models={"a": Endless(script=["4"])}, samples=2, timeout=0.02).ainvoke("q")
    assert all(isinstance(e.cause, SampleTimeoutError) for e in caught.value.errors)


def test_ctrl_c_returns_at_once_and_closes_every_run(interruptible):
    """Ctrl-C during invoke raises KeyboardInterrupt while the members still hang, with no run left open."""
    seen = Seen()
    hung = Waiting(script=["4"])
    mux = SLMMuxChatModel(models={"hung": hung}, samples=3, max_concurrency=2)

    def interrupt():
        hung.begun.wait(30)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        mux.invoke("q", {"callbacks": [seen]})
    thread.join()
    assert seen.unclosed == []
    assert not hung.ended.is_set()
    assert len(hung.calls) == 0
    hung.go.set()
    assert hung.ended.wait(30)


def test_queued_calls_never_start_after_the_decision():
    """With one call at a time, what is queued behind the call at work when the answer is settled is never asked."""
    slow = Waiting(script=["5"])
    mux = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=["4"]), "b": slow}, samples={"a": 1, "b": 9}, max_concurrency=1
    )
    mux.invoke("q")
    slow.go.set()
    if slow.begun.is_set():
        assert slow.ended.wait(30)
    assert len(slow.calls) <= 1


async def test_a_batch_survives_a_failing_question():
    """return_exceptions keeps the answers of the other questions."""

    def script(messages, turn, kwargs):
        if "bad" in messages[-1].text:
            raise RuntimeError("down")
        return "4"

    mux = SLMMuxChatModel(models={"a": ScriptedChatModel(script=script)}, samples=2)
    for results in (
        mux.batch(["good", "bad", "good"], return_exceptions=True),
        await mux.abatch(["good", "bad", "good"], return_exceptions=True),
    ):
        first, failed, last = results
        assert (first.text, last.text) == ("4", "4")
        assert isinstance(failed, NoAnswerError)
        assert isinstance(failed, RuntimeError)  # the class that all its causes share
