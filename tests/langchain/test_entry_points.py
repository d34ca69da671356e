"""Every way LangChain has of calling a model leads to the same decision, and shows the winner once and no sample."""

import asyncio
import threading
from contextlib import aclosing

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.tools import tool
from pydantic import Field

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel

from .rules import SyncOnly

# The v3 event stream is beta in langchain-core and warns of it.
beta = pytest.mark.filterwarnings("ignore:The (method|function) .* is in beta:langchain_core._api.LangChainBetaWarning")


def by_question(replies):
    """Reply to a question with its own answers in turn, however many questions are asked side by side."""
    turns = {}
    lock = threading.Lock()

    def script(messages, turn, kwargs):
        with lock:
            question = messages[-1].text
            turns[question] = turns.get(question, -1) + 1
            return replies[turns[question] % len(replies)]

    return script


def pair(**options):
    """Two members, of which the second agrees with itself: "5" wins 3 of 3 against 2 of 3."""
    return SLMMuxChatModel(
        **{
            "models": {
                "wavers": ScriptedChatModel(script=by_question(["4", "6", "4"]), model_name="W"),
                "sure": ScriptedChatModel(script=by_question(["5"]), model_name="S"),
            },
            "samples": 3,
            "wait": "exhausted",
            **options,
        }
    )


def won(message):
    """Assert that the message is the winner's, whole and with its record; return (model, answer)."""
    record = message.response_metadata["slmmux"]
    assert message.text == record["answer"]
    assert record["confidence"] == 1.0
    assert message.id.startswith("lc_run--")
    # Six samples at 10 tokens in and 2 out, wherever the message comes from.
    assert message.usage_metadata == {"input_tokens": 60, "output_tokens": 12, "total_tokens": 72}
    return record["model"], record["answer"]


async def all_of(stream):
    return [item async for item in stream]


ENTRY_POINTS = {
    "invoke": lambda mux: [mux.invoke("q")],
    "ainvoke": lambda mux: [asyncio.run(mux.ainvoke("q"))],
    "batch": lambda mux: mux.batch(["q", "r", "s"]),
    "abatch": lambda mux: asyncio.run(mux.abatch(["q", "r", "s"])),
    "batch_as_completed": lambda mux: [message for _, message in mux.batch_as_completed(["q", "r", "s"])],
    "abatch_as_completed": lambda mux: [m for _, m in asyncio.run(all_of(mux.abatch_as_completed(["q", "r", "s"])))],
    "stream": lambda mux: list(mux.stream("q")),
    "astream": lambda mux: asyncio.run(all_of(mux.astream("q"))),
    "messages": lambda mux: [mux.invoke([SystemMessage("Be short."), HumanMessage("q")])],
    "chain": lambda mux: [(ChatPromptTemplate.from_messages([("human", "{x}")]) | mux).invoke({"x": "q"})],
    "with_retry": lambda mux: [mux.with_retry().invoke("q")],
    "with_fallbacks": lambda mux: [mux.with_fallbacks([FakeListChatModel(responses=["no"])]).invoke("q")],
    "with_config": lambda mux: [mux.with_config(tags=["t"]).invoke("q")],
    "bind": lambda mux: [mux.bind(stop=["\n"]).invoke("q")],
    "configurable": lambda mux: [
        mux.configurable_fields(samples=ConfigurableField("k")).invoke("q", {"configurable": {"k": 3}})
    ],
}


@pytest.mark.parametrize("trace_samples", [True, False])
@pytest.mark.parametrize("way", ENTRY_POINTS)
def test_all_ways_give_the_same_model_and_answer(way, trace_samples):
    """However the mux is called, the same scripts give the same winner, its text, the whole cost and the run's id."""
    messages = ENTRY_POINTS[way](pair(trace_samples=trace_samples))
    assert {won(message) for message in messages} == {("sure", "5")}


def test_generate_gives_a_message_a_prompt():
    """`generate`, which chains of old call, gives one generation for each prompt."""
    result = pair().generate([[HumanMessage("q")], [HumanMessage("r")]])
    assert [[g.text for g in generations] for generations in result.generations] == [["5"], ["5"]]


def test_the_id_is_the_run():
    """The message's id is LangChain's own for a run, streamed or not: what LangGraph knows a streamed message by."""
    run_id = "0196a1b2-0000-7000-8000-000000000001"
    assert pair().invoke("q", {"run_id": run_id}).id == f"lc_run--{run_id}-0"
    assert [chunk.id for chunk in pair().stream("q", {"run_id": run_id})] == [f"lc_run--{run_id}-0"]


# --- streams --------------------------------------------------------------------------------------------------------


def calling(name, args):
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": "call_1"}])


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_stream_is_one_chunk(way):
    """A stream is one chunk, marked as the last, with tool calls as chunks of their own."""
    mux = pair(models=[ScriptedChatModel(script=[calling("add", {"a": 1})])])
    (chunk,) = ENTRY_POINTS[way](mux)
    assert isinstance(chunk, AIMessageChunk)
    assert chunk.chunk_position == "last"
    assert [(c["name"], c["args"], c["index"]) for c in chunk.tool_call_chunks] == [("add", '{"a": 1}', 0)]
    assert chunk.tool_calls == [{"name": "add", "args": {"a": 1}, "id": "call_1", "type": "tool_call"}]
    assert chunk.usage_metadata["total_tokens"] == 36


def from_root(events, name):
    return [event for event in events if event["event"] == name]


@pytest.mark.parametrize("trace_samples", [True, False])
async def test_event_stream_of_the_mux(trace_samples):
    """astream_events shows the mux's start, its one chunk and its end, in this order; samples stream nothing."""
    events = await all_of(pair(trace_samples=trace_samples).astream_events("q", version="v2"))
    mux = [event for event in events if event["name"] == "SLMMuxChatModel"]
    assert [event["event"] for event in mux] == ["on_chat_model_start", "on_chat_model_stream", "on_chat_model_end"]
    assert [event["name"] for event in from_root(events, "on_chat_model_stream")] == ["SLMMuxChatModel"]
    chunk, whole = mux[1]["data"]["chunk"], mux[2]["data"]["output"]
    assert won(chunk) == ("sure", "5")
    assert (whole.text, whole.id, whole.response_metadata) == (chunk.text, chunk.id, chunk.response_metadata)
    # A handler adds up what runs end with: where samples are runs, the mux's own run must not end with their sum.
    assert (whole.usage_metadata is None) == trace_samples


class Streams(ScriptedChatModel):
    """A member that can stream, and must not be."""

    def _stream(self, *args, **kwargs):
        raise AssertionError("a sample was streamed")

    async def _astream(self, *args, **kwargs):
        raise AssertionError("a sample was streamed")
        yield


@pytest.mark.parametrize("trace_samples", [True, False])
async def test_samples_are_never_streamed(trace_samples):
    """A member that LangChain would stream wherever a handler listens for tokens is asked for whole replies."""
    mux = pair(
        models={"wavers": Streams(script=["4", "6"]), "sure": Streams(script=["5"])}, trace_samples=trace_samples
    )
    events = await all_of(mux.astream_events("q", version="v2"))
    assert [event["data"]["chunk"].text for event in from_root(events, "on_chat_model_stream")] == ["5"]
    assert [vote["failed"] for vote in events[-1]["data"]["output"].response_metadata["slmmux"]["votes"]] == [0, 0]


async def test_event_stream_of_a_chain():
    """Inside a chain the one chunk of the mux is streamed once, and so is what the parser makes of it."""
    chain = ChatPromptTemplate.from_messages([("human", "{x}")]) | pair() | StrOutputParser()
    events = await all_of(chain.astream_events({"x": "q"}, version="v2"))
    streamed = from_root(events, "on_chat_model_stream")
    assert [(event["name"], event["data"]["chunk"].text) for event in streamed] == [("SLMMuxChatModel", "5")]
    assert [event["data"]["chunk"] for event in from_root(events, "on_chain_stream") if not event["parent_ids"]] == [
        "5"
    ]
    assert [event["data"]["output"].text for event in from_root(events, "on_chat_model_end")].count("5") == 4


async def test_event_stream_of_an_invoked_mux():
    """A node that only invokes the mux still shows its chunk to whoever streams events."""
    events = await all_of(RunnableLambda(lambda q: pair().invoke(q)).astream_events("q", version="v2"))
    assert [event["data"]["chunk"].text for event in from_root(events, "on_chat_model_stream")] == ["5"]


@beta
@pytest.mark.parametrize("trace_samples", [True, False])
def test_events_v3(trace_samples):
    """The v3 protocol gets one message: its text once, and the decided message as its output."""
    stream = pair(trace_samples=trace_samples).stream_events("q", version="v3")
    texts = [event for event in stream if event["event"] == "content-block-finish"]
    assert [event["content"]["text"] for event in texts] == ["5"]
    assert decided(stream.output, trace_samples)


@beta
@pytest.mark.parametrize("trace_samples", [True, False])
async def test_async_events_v3(trace_samples):
    """The same for the async v3 protocol."""
    stream = await pair(trace_samples=trace_samples).astream_events("q", version="v3")
    events = await all_of(stream)
    assert [e["content"]["text"] for e in events if e["event"] == "content-block-finish"] == ["5"]
    assert decided(await stream.output, trace_samples)


def decided(message, trace_samples):
    # The run ends with this very message: where samples are runs, only the record may hold the sum of their usage.
    record, total = message.response_metadata["slmmux"], (message.usage_metadata or {}).get("total_tokens")
    return (message.text, record["model"], record["usage"]["total_tokens"], total) == (
        "5",
        "sure",
        72,
        None if trace_samples else 72,
    )


async def test_breaking_off_a_stream_leaves_nothing_running():
    """Closing an async stream before it has its message cancels the samples and leaves no task behind."""
    begun, cancelled = asyncio.Event(), []

    class Hanging(ScriptedChatModel):
        async def _agenerate(self, *args, **kwargs):
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

    mux = SLMMuxChatModel(models=[Hanging(script=[])], samples=3)
    before = asyncio.all_tasks()
    stream = mux.astream("q")
    first = asyncio.ensure_future(anext(stream))
    await begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await stream.aclose()
    assert len(cancelled) == 3
    assert asyncio.all_tasks() == before


async def test_breaking_off_a_stream_after_its_chunk_ends_the_run():
    """A consumer that leaves after the chunk leaves no task and an ended stream."""
    before = asyncio.all_tasks()
    async with aclosing(pair().astream("q")) as stream:
        async for chunk in stream:
            assert won(chunk) == ("sure", "5")
            break
    assert asyncio.all_tasks() == before


async def test_breaking_off_an_event_stream_leaves_nothing_running():
    """Leaving an event stream at its first event leaves no task either."""
    before = asyncio.all_tasks()
    async with aclosing(pair().astream_events("q", version="v2")) as stream:
        async for event in stream:
            assert event["event"] == "on_chat_model_start"
            break
    assert asyncio.all_tasks() == before


# --- what LangChain puts around a model -----------------------------------------------------------------------------


def test_retry_asks_again_when_no_member_replied():
    """`with_retry` around a mux repeats the question when every call failed."""
    member = ScriptedChatModel(script=[ConnectionError("down"), ConnectionError("down"), "5"])
    mux = SLMMuxChatModel(models=[member], samples=2)
    message = mux.with_retry(stop_after_attempt=2, wait_exponential_jitter=False).invoke("q")
    assert message.text == "5"
    assert len(member.calls) == 4


def test_fallbacks_answer_when_no_member_replied():
    """`with_fallbacks` around a mux answers in its place when every call failed."""
    mux = SLMMuxChatModel(models=[ScriptedChatModel(script=[ConnectionError("down")])], samples=2)
    assert mux.with_fallbacks([FakeListChatModel(responses=["spare"])]).invoke("q").text == "spare"


def test_fallbacks_outlive_bind_tools():
    """`with_fallbacks(...).bind_tools(...)` binds the tools to the mux and to its fallback, which still steps in."""

    @tool
    def add(a: int) -> int:
        """Add."""
        return a

    def script(messages, turn, kwargs):
        return calling(kwargs["tools"][0]["function"]["name"], {"a": 1})

    mux = SLMMuxChatModel(models=[ScriptedChatModel(script=[ConnectionError("down")])], samples=2)
    spare = ScriptedChatModel(script=script)
    bound = mux.with_fallbacks([spare]).bind_tools([add])
    assert bound.invoke("q").tool_calls[0]["name"] == "add"


def test_samples_and_plan_are_configurable():
    """`configurable_fields` changes k and plan for one call, and leaves the mux as it was."""
    mux = pair()
    configured = mux.configurable_fields(samples=ConfigurableField("k"), plan=ConfigurableField("plan"))
    record = configured.invoke("q", {"configurable": {"k": 1, "plan": "cascade"}}).response_metadata["slmmux"]
    assert (record["plan"], record["samples"]["planned"]) == ("cascade", 2)
    assert (mux.plan, mux.samples) == ("parallel", 3)
    assert configured.invoke("q").response_metadata["slmmux"]["samples"]["planned"] == 6


def test_alternatives_are_configurable():
    """`configurable_alternatives` exchanges the mux for another model by name."""
    either = pair().configurable_alternatives(ConfigurableField("model"), one=FakeListChatModel(responses=["one"]))
    assert either.invoke("q").text == "5"
    assert either.invoke("q", {"configurable": {"model": "one"}}).text == "one"


async def test_a_mux_may_be_a_member():
    """A mux is a chat model, so it may be a member; what it cost is counted."""
    inner = pair(models=[ScriptedChatModel(script=["5"])])
    one = ScriptedChatModel(script=by_question(["7", "8"]))
    outer = SLMMuxChatModel(models={"inner": inner, "one": one}, samples=2, wait="exhausted")
    for message in (outer.invoke("q"), await outer.ainvoke("r")):
        assert message.response_metadata["slmmux"]["model"] == "inner"
        assert message.text == "5"
        assert message.usage_metadata["total_tokens"] == 2 * 36 + 2 * 12


# --- what reaches the members ---------------------------------------------------------------------------------------


class Keeping(ScriptedChatModel):
    """Keeps the call arguments it got."""

    got: list = Field(default_factory=list, exclude=True)

    def _reply(self, messages, kwargs):
        self.got.append(kwargs)
        return super()._reply(messages, kwargs)


async def test_the_system_prompt_goes_first_where_there_is_none():
    """`system_prompt` is put in front of a request without a system message, and never beside another."""
    member = ScriptedChatModel(script=["5"])
    mux = SLMMuxChatModel(models=[member], samples=1, system_prompt="Be short.")
    mux.invoke("q")
    await mux.ainvoke("q")
    mux.invoke([SystemMessage("Be long."), HumanMessage("q")])
    said = [[(m.type, m.text) for m in messages] for messages in member.calls]
    assert said == [[("system", "Be short."), ("human", "q")]] * 2 + [[("system", "Be long."), ("human", "q")]]


async def test_stop_and_unknown_arguments_go_to_the_members():
    """A stop sequence and arguments the mux does not know reach every member, from call, binding and constructor."""
    member = Keeping(script=["5"])
    mux = SLMMuxChatModel(models=[member], samples=1, stop=["own"])
    mux.invoke("q")
    mux.invoke("q", stop=["call"], logit_bias={1: 2})
    await mux.ainvoke("q", stop=["call"], logit_bias={1: 2})
    mux.bind(top_p=0.5).invoke("q")
    assert member.got == [
        {"stop": ["own"]},
        {"stop": ["call"], "logit_bias": {1: 2}},
        {"stop": ["call"], "logit_bias": {1: 2}},
        {"stop": ["own"], "top_p": 0.5},
    ]


async def test_a_binding_keeps_its_own_stop_unless_the_call_has_one():
    """A member given as `model.bind(stop=...)` keeps that stop; one named by the call comes before it."""
    member = Keeping(script=["5"])
    mux = SLMMuxChatModel(models={"a": member.bind(stop=["bound"], top_p=0.5)}, samples=1)
    mux.invoke("q")
    await mux.ainvoke("q")
    mux.invoke("q", stop=["call"], top_p=0.7)
    assert member.got == [{"stop": ["bound"], "top_p": 0.5}] * 2 + [{"stop": ["call"], "top_p": 0.7}]


def test_images_reach_the_members_as_they_are():
    """Content blocks of a message reach every member unchanged."""
    member = ScriptedChatModel(script=["a cat"])
    message = HumanMessage(
        [{"type": "text", "text": "What is it?"}, {"type": "image", "url": "https://x.test/cat.png"}]
    )
    SLMMuxChatModel(models=[member], samples=2).invoke([message])
    assert [messages[0].content for messages in member.calls] == [message.content] * 2


async def test_members_are_never_changed():
    """Neither building nor calling a mux changes a field of the models passed in."""

    def fields():
        return [{k: (id(v), repr(v)) for k, v in member.__dict__.items()} for member in members]

    members = [ScriptedChatModel(script=["5"], model_name=name, temperature=0.5) for name in "ab"]
    before = fields()
    mux = SLMMuxChatModel(models=members, samples=2, temperature=0.9, max_tokens=7)
    mux.invoke("q")
    await mux.ainvoke("q")
    mux.bind_tools([{"name": "add", "description": "Add.", "parameters": {}}]).invoke("q")
    assert fields() == before
    assert [member.temperature for member in members] == [0.5, 0.5]


async def test_sync_only_members_run_beside_each_other():
    """Forty calls of a member without an async call meet at a barrier, which one after another never would.

    The loop's own executor, where LangChain would run them, has at most 32 threads, on two cores 6.
    """
    k = 40
    barrier = threading.Barrier(k, timeout=60)

    def script(messages, turn, kwargs):
        barrier.wait()
        return "5"

    mux = SLMMuxChatModel(models=[SyncOnly(script=script)], samples=k, wait="exhausted")
    message = await mux.ainvoke("q")
    assert message.response_metadata["slmmux"]["votes"][0]["count"] == k


async def test_sync_only_members_leave_the_loop_free():
    """While a member without an async call is at work, the event loop goes on."""
    loop = asyncio.get_running_loop()

    def script(messages, turn, kwargs):
        return asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "from the loop"), loop).result(60)

    message = await SLMMuxChatModel(models=[SyncOnly(script=script)], samples=2).ainvoke("q")
    assert message.text == "from the loop"


# --- what the mux says of itself ------------------------------------------------------------------------------------


def with_profile(name, **profile):
    return ScriptedChatModel(script=["5"], model_name=name, profile=profile)


def test_the_profile_is_what_every_member_can_do():
    """Flags hold where they hold for all, limits are the least, and what one does not say is not said."""
    mux = SLMMuxChatModel(
        models=[
            with_profile("a", tool_calling=True, image_inputs=True, max_input_tokens=100, max_output_tokens=5),
            with_profile("b", tool_calling=True, image_inputs=False, max_input_tokens=50),
        ]
    )
    assert mux.profile == {"tool_calling": True, "image_inputs": False, "max_input_tokens": 50}


def test_the_profile_is_unknown_where_a_member_has_none():
    """One member without a profile: nothing is known of them all."""
    mux = SLMMuxChatModel(models=[with_profile("a", tool_calling=True), ScriptedChatModel(script=["5"])])
    assert mux.profile is None


class Counting(ScriptedChatModel):
    """Counts a fixed number of tokens for each letter."""

    per_letter: int = 1

    def get_num_tokens(self, text):
        if not self.per_letter:
            raise ImportError("no tokenizer")
        return self.per_letter * len(text)

    def get_num_tokens_from_messages(self, messages, tools=None):
        return sum(self.get_num_tokens(m.text) for m in messages)


def test_tokens_are_the_most_any_member_counts():
    """What fits for the member that counts most fits for all; one without a tokenizer is estimated."""
    members = [Counting(script=["5"], model_name=str(n), per_letter=n) for n in (1, 3, 0)]
    mux = SLMMuxChatModel(models=members)
    assert mux.get_num_tokens("abc") == 9
    assert mux.get_num_tokens_from_messages([HumanMessage("abc"), HumanMessage("d")]) == 12
    assert SLMMuxChatModel(models=members[2:]).get_num_tokens("abc " * 40) > 20
    assert SLMMuxChatModel(models=members, custom_get_token_ids=lambda text: [0] * 99).get_num_tokens("abc") == 99


def test_the_rate_limiter_of_the_mux_is_asked_once_a_question():
    """A rate limiter given to the mux counts questions, not samples."""
    limiter = InMemoryRateLimiter(requests_per_second=1000, max_bucket_size=1)
    asked = []
    acquire = limiter.acquire
    limiter.acquire = lambda **kwargs: asked.append(1) or acquire(**kwargs)
    pair(rate_limiter=limiter).invoke("q")
    assert len(asked) == 1
