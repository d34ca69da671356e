"""A deadline is a deadline: whatever is done with a reply, the best of what is in is returned in time.

What hangs in these tests hangs until they let it go, so that a driver which waited for it would never end.
"""

import asyncio
import threading
import time
from itertools import product

import pytest

from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux._decision.rules import UNIT
from slmmux._mux.replies.reading import LONGEST
from slmmux.by_question import ByQuestionRule, Vectors
from tests.frameworks import LangChain, LlamaIndex
from tests.lengths import short_form


def is_in_turn(framework, way):
    """Return whether a case is one of the short form."""
    return isinstance(framework, LangChain) is (way == "sync")


DEADLINE_S = 2.0  # what has to be in by then is, on a busy machine too
BOTH = pytest.mark.parametrize("framework", [LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
WAYS = pytest.mark.parametrize("way", ["sync", "async"])
# What hangs until the deadline takes that long: in the short form each framework is asked in one way.
BOTH_IN_TURN = pytest.mark.parametrize(
    ("framework", "way"),
    short_form(product((LangChain(), LlamaIndex()), ("sync", "async")), lambda case: is_in_turn(*case)),
    ids=lambda each: each if isinstance(each, str) else type(each).__name__.lower(),
)


@pytest.fixture
def hang():
    """An event that is never set while the test runs."""
    event = threading.Event()
    yield event
    event.set()


async def ask(framework, mux, way, question="What is 2 + 2?"):
    return framework.ask(mux, question) if way == "sync" else await framework.aask(mux, question)


@BOTH_IN_TURN
async def test_an_extractor_that_never_returns_costs_its_samples_vote(framework, way, hang):
    """Its sample abstains as late at the deadline, and the answer comes from the samples that were read."""

    def extract(text):
        if text == "hang":
            hang.wait()
        return text

    models = {"slow": framework.member(["hang"]), "quick": framework.member(["4"])}
    mux = framework.mux(models, samples=1, extract=extract, deadline=DEADLINE_S, wait="exhausted")
    text, record = await ask(framework, mux, way)
    assert (text, record["reason"], record["unread"]) == ("4", "deadline", {"too_long": 0, "late": 1})
    assert [vote["abstained"] for vote in record["votes"]] == [1, 0]


@BOTH_IN_TURN
async def test_an_embedding_that_never_returns_leaves_the_first_reply(framework, way, hang):
    """Where nothing could be compared in time, all replies abstain and the best-ranked member's first one is returned."""

    def embed(text):
        hang.wait()
        return [1.0]

    models = {"a": framework.member(["grass is green", "the sea is deep"]), "b": framework.member(["one", "two"])}
    mux = framework.mux(models, samples=2, extract="text", agreement="embedding", embedding=embed, deadline=DEADLINE_S)
    text, record = await ask(framework, mux, way)
    assert (text, record["reason"]) == ("grass is green", "deadline")
    assert record["unread"]["late"] > 0


@BOTH_IN_TURN
async def test_a_rule_whose_embedding_never_returns_gives_way_to_algorithm_1(framework, way, hang):
    """It has half of the deadline; then the most confident member speaks, without a probability, as the record says."""
    vectors = Vectors("embedding", ((127, 0), (0, 127)))
    rule = ByQuestionRule(
        ("a", "b"), (UNIT, UNIT), (0, 0), UNIT, vectors, ((UNIT, 0), (0, UNIT)), calibration=(0.0, 1.0)
    )
    models = {"a": framework.member(["1", "2"]), "b": framework.member(["4"])}
    mux = framework.mux(models, samples=2, rule=rule, embedding=lambda _: hang.wait(), deadline=DEADLINE_S)
    text, record = await ask(framework, mux, way)
    assert (text, record["rule"], record["probability"], record["reason"]) == (
        "4", "self-consistency", None, "exhausted",
    )  # fmt: skip


@BOTH
@WAYS
async def test_a_reply_beyond_the_longest_abstains_and_the_record_counts_it(framework, way):
    """A reply longer than is read has no vote, says why in the record, and leaves the answer to the others."""
    long = "The answer is 5. " * (LONGEST // 17 + 1)
    mux = framework.mux(
        {"long": framework.member([long]), "short": framework.member(["4"])}, samples=1, wait="exhausted"
    )
    text, record = await ask(framework, mux, way)
    assert (text, record["unread"]) == ("4", {"too_long": 1, "late": 0})


@BOTH
async def test_reading_leaves_the_loop_free(framework):
    """While an extractor works, other tasks of the event loop go on: it ends only once one of them let it go."""
    let_go = threading.Event()

    def extract(text):
        return text if let_go.wait(60) else None

    mux = framework.mux({"a": framework.member(["4"])}, samples=2, extract=extract, wait="exhausted")
    question = asyncio.ensure_future(framework.aask(mux, "q"))
    await asyncio.sleep(0.05)
    let_go.set()
    text, record = await question
    assert (text, record["confidence"]) == ("4", 1.0)


class _Swallowing:
    """A member that ignores its cancellation until it is let go."""

    async def _wait(self):
        while not self.script["let go"].is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue


class SwallowingChatModel(_Swallowing, ScriptedChatModel):
    async def _agenerate(self, *args, **kwargs):
        await self._wait()
        raise ConnectionError("late")


class SwallowingLLM(_Swallowing, ScriptedLLM):
    async def achat(self, *args, **kwargs):
        await self._wait()
        raise ConnectionError("late")


@BOTH
async def test_a_member_that_swallows_its_cancellation_does_not_hold_the_answer(framework):
    """The answer of the others comes at the deadline; the member's task ends by itself, without a complaint."""
    swallowing = SwallowingChatModel if isinstance(framework, LangChain) else SwallowingLLM
    let_go = asyncio.Event()
    models = {"a": swallowing(script={"let go": let_go}), "b": framework.member(["4"])}
    mux = framework.mux(models, samples=1, deadline=DEADLINE_S, wait="exhausted")
    text, record = await framework.aask(mux, "q")
    assert (text, record["reason"], record["abandoned"]["calls"]) == ("4", "deadline", 1)
    let_go.set()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await asyncio.wait(others, timeout=60)
    assert all(task.done() for task in others)


@BOTH
def test_after_a_cancellation_the_loop_ends_though_an_extractor_hangs(framework, hang):
    """Nothing of a reply's reading is on the loop's own threads, which `asyncio.run` waits for in the end."""

    async def cancelled():
        mux = framework.mux({"a": framework.member(["4"])}, extract=lambda _: hang.wait())
        question = asyncio.ensure_future(framework.aask(mux, "q"))
        await asyncio.sleep(0.05)
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question

    asyncio.run(cancelled())
    assert not hang.is_set()


@pytest.mark.full
@BOTH
@WAYS
async def test_a_hundred_thousand_samples_stop_at_the_deadline(framework, way):
    """Asking for more than could ever be asked returns at the deadline with the best of what is in."""
    models = {label: framework.member(["4"]) for label in ("a", "b")}
    await ask(framework, framework.mux(models, samples=1), way)  # what is imported at the first call takes its time
    mux = framework.mux(models, samples=100_000, deadline=2 * DEADLINE_S, wait="exhausted")
    begun = time.monotonic()
    text, record = await ask(framework, mux, way)
    assert (text, record["reason"]) == ("4", "deadline")
    assert record["samples"]["planned"] == 200_000
    assert time.monotonic() - begun < 60  # it took minutes, on any machine


@BOTH
@WAYS
@pytest.mark.parametrize("limit", ["deadline", "timeout"])
@pytest.mark.parametrize("seconds", [float("inf"), 1e10, 1e300])
async def test_a_limit_beyond_any_clock_is_no_limit(framework, way, limit, seconds):
    """Infinity and thirty centuries mean what `None` means, on threads and on an event loop."""
    mux = framework.mux({"a": framework.member(["4"])}, wait="exhausted", **{limit: seconds})
    text, record = await ask(framework, mux, way)
    assert (text, record["reason"]) == ("4", "exhausted")
