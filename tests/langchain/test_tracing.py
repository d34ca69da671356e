"""One run for the mux, one child for each sample, each closed once, whatever happens."""

import asyncio

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, UsageMetadataCallbackHandler, get_usage_metadata_callback
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import NoAnswerError

from .support import AsyncSeen, Seen, Waiting


def pair(**options):
    return SLMMuxChatModel(
        models={
            "a": ScriptedChatModel(script=["4"], model_name="A", tokens=(10, 1)),
            "b": ScriptedChatModel(script=["4", "5"], model_name="B", tokens=(20, 2)),
        },
        samples=3,
        wait="exhausted",
        **options,
    )


def test_one_child_a_sample_labelled_below_the_mux():
    """A trace shows one root, and below it one run for each sample, named by member and index."""
    seen = Seen()
    pair().invoke("q", {"callbacks": [seen]})
    (root,) = seen.roots
    assert root.name == "SLMMuxChatModel"
    assert sorted(run.name for run in root.child_runs) == [f"{m}[{i}]" for m in "ab" for i in range(3)]
    for run in root.child_runs:
        assert {"nostream", "slmmux:sample"} <= set(run.tags)
        assert f"{run.metadata['slmmux_member']}[{run.metadata['slmmux_sample']}]" == run.name
    assert seen.unclosed == []


def test_samples_are_children_of_the_mux_inside_a_chain():
    """Inside a chain the samples hang below the mux's run, not beside it."""
    seen = Seen()
    (RunnableLambda(lambda x: x) | pair()).invoke("q", {"callbacks": [seen]})
    (root,) = seen.roots
    mux = next(run for run in root.child_runs if run.name == "SLMMuxChatModel")
    assert len(root.child_runs) == 2
    assert len(mux.child_runs) == 6


async def test_async_handlers_see_the_same_runs():
    """An async handler gets a start and an end for the mux and for every sample."""
    seen = AsyncSeen()
    await pair().ainvoke("q", {"callbacks": [seen]})
    assert len(seen.begun) == 7
    assert seen.unclosed == []


def test_the_mux_does_not_lend_its_own_metadata_to_members():
    """A sample's ls_* metadata describe the member that was called, not the mux."""
    seen = Seen()
    SLMMuxChatModel(models={"a": ScriptedChatModel(script=["4"], model_name="A", temperature=0.5)}, samples=1).invoke(
        "q", {"callbacks": [seen], "metadata": {"mine": 1}}
    )
    (sample,) = seen.samples
    assert sample.metadata["ls_model_name"] == "A"
    assert sample.metadata["ls_temperature"] == 0.5
    assert sample.metadata["mine"] == 1
    assert seen.roots[0].metadata["ls_provider"] == "slmmux"


def test_usage_is_counted_once_everywhere():
    """A handler has each member's own tokens; the message has their total; nobody has twice that."""
    handler = UsageMetadataCallbackHandler()
    message = pair().invoke("q", {"callbacks": [handler]})
    assert {name: usage["total_tokens"] for name, usage in handler.usage_metadata.items()} == {"A": 33, "B": 66}
    assert message.usage_metadata["total_tokens"] == 99
    assert message.response_metadata["slmmux"]["usage"]["total_tokens"] == 99


async def test_usage_is_counted_once_through_the_context_hook():
    """`get_usage_metadata_callback()` counts the same, sync and async."""
    with get_usage_metadata_callback() as sync_count:
        pair().invoke("q")
    with get_usage_metadata_callback() as async_count:
        await pair().ainvoke("q")
    for count in (sync_count, async_count):
        assert {name: usage["total_tokens"] for name, usage in count.usage_metadata.items()} == {"A": 33, "B": 66}


def test_untraced_samples_leave_the_total_on_the_run_of_the_mux():
    """With samples untraced there is one run, and it carries the whole cost."""
    seen, handler = Seen(), UsageMetadataCallbackHandler()
    message = pair(trace_samples=False).invoke("q", {"callbacks": [seen, handler]})
    assert [run.name for run in seen.begun] == ["SLMMuxChatModel"]
    assert sum(usage["total_tokens"] for usage in handler.usage_metadata.values()) == 99
    assert message.usage_metadata["total_tokens"] == 99


def test_early_stop_closes_every_run_and_late_replies_change_nothing():
    """A sample still running when the answer is settled is closed as cancelled before invoke returns, and stays so."""
    seen, handler = Seen(), UsageMetadataCallbackHandler()
    slow = Waiting(script=["5"], model_name="S")
    mux = SLMMuxChatModel(models={"fast": ScriptedChatModel(script=["4"], model_name="F"), "slow": slow}, samples=2)
    message = mux.invoke("q", {"callbacks": [seen, handler]})
    assert message.response_metadata["slmmux"]["reason"] == "settled"
    assert seen.unclosed == []
    before = {run.name: run.error for run in seen.samples}
    slow.go.set()
    assert slow.ended.wait(30)
    assert {run.name: run.error for run in seen.samples} == before
    assert all("CancelledError" in error for name, error in before.items() if name.startswith("slow"))
    assert "S" not in handler.usage_metadata
    assert message.usage_metadata["total_tokens"] == handler.usage_metadata["F"]["total_tokens"]


def test_a_timed_out_sample_says_so_in_its_trace():
    """A sample that hangs past `timeout` is closed with the time-out, not left open."""
    seen = Seen()
    hung = Waiting(script=["5"])
    mux = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=["4"]), "hung": hung}, samples=1, wait="exhausted", timeout=0.05
    )
    mux.invoke("q", {"callbacks": [seen]})
    hung.go.set()
    assert seen.unclosed == []
    errors = {run.name: run.error for run in seen.samples}
    assert "no reply within 0.05 s" in errors["hung[0]"]
    assert errors["a[0]"] is None


def test_failure_closes_every_run():
    """When all members fail, the samples' runs and the mux's run are closed with their errors."""
    seen = Seen()
    mux = SLMMuxChatModel(models={"a": ScriptedChatModel(script=[RuntimeError("down")])}, samples=2)
    with pytest.raises(NoAnswerError):
        mux.invoke("q", {"callbacks": [seen]})
    assert seen.unclosed == []
    assert all("down" in run.error for run in seen.begun)


class Endless(ScriptedChatModel):
    """A member whose async calls never end by themselves."""

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        await asyncio.Event().wait()


@pytest.mark.parametrize("tracer", [Seen, AsyncSeen])
@pytest.mark.parametrize("way", ["ainvoke", "astream"])
async def test_async_cancellation_closes_every_run_and_leaves_no_task(tracer, way):
    """Cancelling a call or a stream that waits closes the mux's run and every sample's, and leaves no task behind."""
    seen = tracer()
    before = asyncio.all_tasks()
    mux = SLMMuxChatModel(models={"a": Endless(script=["4"]), "b": Endless(script=["4"])})
    config = {"callbacks": [seen]}
    task = asyncio.create_task(mux.ainvoke("q", config) if way == "ainvoke" else anext(mux.astream("q", config)))
    while len(seen.begun) < 7:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen.unclosed == []
    assert asyncio.all_tasks() == before


async def test_a_question_cancelled_twice_waits_for_handlers_without_blocking_the_loop():
    """The second time nobody waits for its tasks, whose handlers still have to end: on the loop that they need."""

    class Slow(AsyncCallbackHandler):
        runs, begun, ended = 0, 0, 0

        async def on_chat_model_start(self, *_, **__):
            self.runs += 1

        async def on_llm_error(self, error, **_):
            self.begun += 1
            await go.wait()
            self.ended += 1

    slow, go = Slow(), asyncio.Event()
    mux = SLMMuxChatModel(models={"a": Endless(script=["4"])}, samples=2)
    task = asyncio.create_task(mux.ainvoke("q", {"callbacks": [slow]}))
    while slow.runs < 3:
        await asyncio.sleep(0)
    task.cancel()
    while slow.begun < 2:
        await asyncio.sleep(0)
    task.cancel()
    for _ in range(20):  # steps, in which it comes to wait for the handlers
        await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.ended == 3


async def test_a_stream_broken_off_after_its_chunk_ends_as_decided():
    """Who stops reading once the chunk is there leaves no run open, and none in error: the answer was given."""
    seen = Seen()
    stream = SLMMuxChatModel(models={"a": ScriptedChatModel(script=["4"])}, samples=2).astream(
        "q", {"callbacks": [seen]}
    )
    assert (await anext(stream)).text == "4"
    await stream.aclose()
    assert seen.unclosed == []
    assert seen.roots[0].error is None


async def test_async_early_stop_and_time_out_close_every_run():
    """Settled and timed-out samples are closed on the event loop too."""
    seen = Seen()
    mux = SLMMuxChatModel(models={"a": ScriptedChatModel(script=["4"]), "b": Endless(script=["4"])}, samples=2)
    await mux.ainvoke("q", {"callbacks": [seen]})
    assert seen.unclosed == []
    seen = Seen()
    await mux.model_copy(update={"wait": "exhausted", "timeout": 0.05}).ainvoke("q", {"callbacks": [seen]})
    assert seen.unclosed == []
    assert sum("no reply within" in (run.error or "") for run in seen.samples) == 2


class Inside(ScriptedChatModel):
    """A member that asks another model inside itself, without passing its callbacks on."""

    inner: FakeListChatModel

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return super()._generate([AIMessage(self.inner.invoke(messages).text)], stop, run_manager, **kwargs)


def test_what_a_member_runs_inside_itself_is_a_child_of_its_sample():
    """A model called within a member hangs below that sample, tagged so that no stream shows it."""
    seen = Seen()
    mux = SLMMuxChatModel(models={"a": Inside(script=["4"], inner=FakeListChatModel(responses=["x"]))}, samples=1)
    RunnableLambda(lambda x: mux.invoke(x)).invoke("q", {"callbacks": [seen]})
    (sample,) = [run for run in seen.begun if run.name == "a[0]"]
    (inner,) = [run for run in seen.begun if run.name == "FakeListChatModel"]
    assert inner.parent_run_id == sample.id
    assert "nostream" in inner.tags


def test_a_members_own_callbacks_and_those_of_a_binding_are_kept():
    """Callbacks, tags and metadata a member brought along see its samples, and only its."""
    own, bound = UsageMetadataCallbackHandler(), Seen()
    member = ScriptedChatModel(script=["4"], model_name="A", callbacks=[own]).with_config(
        callbacks=[bound], tags=["mine"], metadata={"team": "x"}
    )
    mux = SLMMuxChatModel(models={"a": member, "b": ScriptedChatModel(script=["4"])}, samples=2, wait="exhausted")
    mux.invoke("q")
    assert list(own.usage_metadata) == ["A"]
    assert {run.name for run in bound.begun} == {"a[0]", "a[1]"}
    assert all("mine" in run.tags and run.metadata["team"] == "x" for run in bound.begun)


def test_a_handler_that_raises_costs_a_sample_not_the_answer():
    """A callback with raise_error set fails the samples it strikes; the others still answer."""

    class Picky(Seen):
        raise_error = True

        def on_chat_model_start(self, serialized, messages, *, name=None, **kwargs):
            if name == "a[0]":
                raise RuntimeError("not this one")
            return super().on_chat_model_start(serialized, messages, name=name, **kwargs)

    message = pair().invoke("q", {"callbacks": [Picky()]})
    assert message.response_metadata["slmmux"]["votes"][0]["failed"] == 1


class Told(ScriptedChatModel):
    """A member that keeps the runs it is told to report to."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        RUNS.append(run_manager)
        return super()._generate(messages, stop, run_manager, **kwargs)

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        RUNS.append(run_manager)
        return await super()._agenerate(messages, stop, run_manager, **kwargs)


RUNS = []


async def test_a_run_that_nobody_hears_has_no_handler():
    """A member is given a run, as alone, that tells it which sample it is; what nobody hears is never started."""
    RUNS.clear()
    mux = SLMMuxChatModel(models={"a": Told(script=["4"])}, samples=2, wait="exhausted")
    mux.invoke("q")
    await mux.ainvoke("q")
    assert [(run.handlers, run.metadata["slmmux_member"]) for run in RUNS] == [([], "a")] * 4
    assert [run.metadata["slmmux_sample"] for run in RUNS] == [0, 1] * 2
    mux.invoke("q", {"callbacks": [Seen()]})
    assert all(run.handlers for run in RUNS[4:])
    seen = Seen()
    RUNS.clear()
    SLMMuxChatModel(models={"a": Told(script=["4"], callbacks=[seen])}, samples=2, wait="exhausted").invoke("q")
    assert all(run.handlers for run in RUNS)
    assert len(seen.roots) == 2
