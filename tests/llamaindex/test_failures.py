"""What fails costs its own votes; only when all fail is there an error, and it carries every cause."""

import asyncio
import threading

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import CompletionResponse
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, Field

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import NoAnswerError, SampleTimeoutError

from .support import ASYNC, SYNC, CompletionOnly, Hanging, Waiting, aask, ask, text_of, user

WAYS = SYNC + ASYNC


class Junk(ScriptedLLM):
    """A member that returns no ChatResponse."""

    def chat(self, messages, **kwargs):
        return "4"

    async def achat(self, messages, **kwargs):
        return "4"


class JunkText(CompletionOnly):
    """A member that returns no CompletionResponse."""

    def complete(self, prompt, formatted=False, **kwargs):
        return None


class RateLimited(Exception):
    status_code = 429


FAULTS = {
    "raises": ScriptedLLM(script=[RuntimeError("down")]),
    "rate limited": ScriptedLLM(script=[RateLimited("slow down")]),
    "cancelled": ScriptedLLM(script=[asyncio.CancelledError("gone")]),
    "exits": ScriptedLLM(script=[SystemExit(1)]),
    "junk": Junk(script=[""]),
}


def beside(bad, **options):
    """A member at fault and a good one, asked to the end."""
    return SLMMuxLLM(
        models={"bad": bad, "good": ScriptedLLM(script=["4"])},
        **{"samples": 2, "wait": "exhausted", "max_retries": 0, **options},
    )


def rest():
    """Wait until every thread of a sample has ended."""
    for thread in threading.enumerate():
        if thread.name == "slmmux-sample":
            thread.join(30)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("name", "way"),
    # SystemExit in a task ends the event loop whatever we do, so that fault is a sync one.
    [(name, way) for name in FAULTS for way in WAYS if (name, way in ASYNC) != ("exits", True)],
)
def test_a_failing_member_costs_its_votes_only(name, way):
    """The others answer; the record counts the failures, and the cost is that of the replies."""
    (response,) = ask(beside(FAULTS[name]), way)
    bad, good = response.raw["slmmux"]["votes"]
    assert (text_of(response), bad["failed"], good["count"]) == ("4", 2, 2)
    assert response.raw["usage"]["total_tokens"] == 24


@pytest.mark.parametrize("way", WAYS)
def test_all_failing_raises_one_error_with_every_cause(way):
    """One error, at the call and not in the stream, has one cause a failed call, and quotes each cause once."""
    mux = SLMMuxLLM(
        models={"a": ScriptedLLM(script=[RuntimeError("down")]), "b": ScriptedLLM(script=[OSError("off")])}, samples=3
    )
    with pytest.raises(NoAnswerError) as caught:
        ask(mux, way)
    assert [(e.model, e.index, str(e.cause)) for e in caught.value.errors] == [
        *(("a", i, "down") for i in range(3)),
        *(("b", i, "off") for i in range(3)),
    ]
    assert str(caught.value).count("down") == str(caught.value).count("off") == 1


@pytest.mark.parametrize(
    ("member", "way", "message"),
    [
        *((Junk(script=[""]), way, "the member returned str, not a ChatResponse") for way in WAYS),
        *(
            (JunkText(), way, "the member returned NoneType, not a CompletionResponse")
            for way in WAYS
            if way.endswith("complete")
        ),
    ],
)
def test_a_reply_that_is_none_fails_with_its_label(member, way, message):
    """A member that returns something else than its response fails, and the error says which member and what."""
    with pytest.raises(NoAnswerError, match=f"odd: TypeError: {message}"):
        ask(SLMMuxLLM(models={"odd": member}, samples=2), way)


# --- limits of time -------------------------------------------------------------------------------------------------


def test_a_hanging_member_costs_its_votes_after_timeout():
    """A sync call that never returns is given up after `timeout`; the answer comes from the others."""
    hung = Waiting(script=["5"])
    response = beside(hung, timeout=0.3).chat(user("q"))
    hung.go.set()
    assert response.message.content == "4"
    assert response.raw["slmmux"]["votes"][0]["failed"] == 2


class WaitingText(CompletionOnly):
    """A member without async calls, whose calls wait until the test lets go."""

    go: threading.Event = Field(default_factory=threading.Event, exclude=True)

    def complete(self, prompt, formatted=False, **kwargs):
        self.prompts.append(prompt)
        self.go.wait(10)
        return CompletionResponse(text="5")


@pytest.mark.parametrize("way", ASYNC)
@pytest.mark.parametrize("kind", [Hanging, WaitingText])
async def test_an_async_hanging_member_costs_its_votes_after_timeout(way, kind):
    """On an event loop too, whether the member waits there or on a thread."""
    hung = kind(script=["5"])
    (response,) = await aask(beside(hung, timeout=0.3), way)
    if kind is WaitingText:
        hung.go.set()
    assert text_of(response) == "4"
    assert response.raw["slmmux"]["votes"][0]["failed"] == 2


@pytest.mark.parametrize("way", ["chat", "achat"])
def test_timeouts_are_causes(way):
    """A time-out is a SampleTimeoutError in the error's causes."""
    hung = Waiting(script=["5"]) if way == "chat" else Hanging(script=["5"])
    with pytest.raises(NoAnswerError) as caught:
        ask(SLMMuxLLM(models=[hung], samples=2, timeout=0.02), way)
    if way == "chat":
        hung.go.set()
    assert [type(error.cause) for error in caught.value.errors] == [SampleTimeoutError] * 2


def test_hung_calls_do_not_use_the_mux_up():
    """Calls given up no longer count against max_concurrency: the next question is still answered."""
    hung = Waiting(script=["5"])
    mux = SLMMuxLLM(
        models={"a": ScriptedLLM(script=["4"]), "hung": hung},
        samples=2,
        timeout=0.3,
        wait="exhausted",
        max_concurrency=2,
    )
    assert [mux.complete("q").text for _ in range(2)] == ["4"] * 2
    hung.go.set()


@pytest.mark.parametrize("way", ["chat", "achat"])
def test_a_deadline_answers_from_what_is_in(way):
    """At the deadline the best decision so far is returned, marked, at the cost of what came in."""
    hung = Waiting(script=["5"]) if way == "chat" else Hanging(script=["5"])
    (response,) = ask(beside(hung, deadline=0.5), way)
    if way == "chat":
        hung.go.set()
    record = response.raw["slmmux"]
    assert (record["model"], record["reason"], record["votes"][0]["unused"]) == ("good", "deadline", 2)
    assert response.raw["usage"]["total_tokens"] == 24


@pytest.mark.parametrize("way", ["chat", "achat"])
def test_a_deadline_with_nothing_in_is_a_clear_error(way):
    """Without any reply the deadline raises, and says so."""
    hung = Waiting(script=["5"]) if way == "chat" else Hanging(script=["5"])
    with pytest.raises(NoAnswerError, match="deadline"):
        ask(SLMMuxLLM(models={"hung": hung}, samples=2, deadline=0.05), way)
    if way == "chat":
        hung.go.set()


# --- early settles and cancellation ---------------------------------------------------------------------------------


def test_late_replies_cost_nothing():
    """What replies after the answer is settled is in nobody's bill: not the response's, not a counter's."""
    counter, slow = TokenCountingHandler(tokenizer=str.split), Waiting(script=["5"])
    mux = SLMMuxLLM(
        models={"fast": ScriptedLLM(script=["4"]), "slow": slow},
        samples=2,
        callback_manager=CallbackManager([counter]),
    )
    response = mux.chat(user("q"))
    assert response.raw["slmmux"]["reason"] == "settled"
    slow.go.set()
    rest()
    assert response.raw["usage"]["total_tokens"] == response.raw["slmmux"]["usage"]["total_tokens"] == 24
    assert counter.total_llm_token_count == 24


def test_queued_calls_never_begin_after_the_decision():
    """With one call at a time, what is queued behind the call at work when the answer is settled is never asked."""
    slow = Waiting(script=["5"])
    mux = SLMMuxLLM(
        models={"fast": ScriptedLLM(script=["4"]), "slow": slow}, samples={"fast": 1, "slow": 9}, max_concurrency=1
    )
    mux.chat(user("q"))
    slow.go.set()
    rest()
    assert len(slow.calls) <= 1


@pytest.mark.parametrize("kind", [Hanging, WaitingText])
async def test_queued_tasks_never_begin_after_the_decision(kind):
    """The same on an event loop, for tasks and for the threads of members without async calls."""
    slow = kind(script=["5"])
    mux = SLMMuxLLM(
        models={"fast": ScriptedLLM(script=["4"]), "slow": slow}, samples={"fast": 1, "slow": 9}, max_concurrency=1
    )
    before = asyncio.all_tasks()
    response = await mux.achat(user("q"))
    assert (response.message.content, asyncio.all_tasks()) == ("4", before)
    if kind is Hanging:
        assert len(slow.begun) <= 1
    else:
        slow.go.set()
        rest()
        assert len(slow.prompts) <= 1


class Total(BaseModel):
    """A total."""

    total: int


@pytest.mark.parametrize("way", [*ASYNC, "astructured_predict", "astream_structured_predict"])
async def test_cancelling_a_call_cancels_its_samples(way):
    """Cancelling a call, or a stream before it is there, cancels every sample at once and leaves no task behind."""
    members = [Hanging(script=[], model=name) for name in "ab"]
    mux = SLMMuxLLM(models=members)
    before = asyncio.all_tasks()
    given = {"achat": user("q"), "astream_chat": user("q")}.get(way, "q")
    asked = (
        getattr(mux, way)(Total, PromptTemplate("q"))
        if way.endswith("structured_predict")
        else getattr(mux, way)(given)
    )
    task = asyncio.create_task(asked)
    while sum(len(member.begun) for member in members) < 6:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [len(member.cancelled) for member in members] == [3, 3]
    assert asyncio.all_tasks() == before


# --- extractors -----------------------------------------------------------------------------------------------------


def choosy(text):
    if text == "bad":
        raise KeyError("no answer")
    return text


@pytest.mark.parametrize("way", WAYS)
def test_an_extractor_that_raises_costs_the_vote(way):
    """A reply on which the extractor raises is no vote of its member; the others answer."""
    (response,) = ask(beside(ScriptedLLM(script=["bad"]), extract=choosy), way)
    bad, good = response.raw["slmmux"]["votes"]
    assert (text_of(response), bad["count"], bad["answer"], good["count"]) == ("4", 0, None, 2)
    assert bad["failed"] + bad["abstained"] == 2
