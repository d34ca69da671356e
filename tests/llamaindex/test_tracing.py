"""What tracers and token counters see: the mux once, each sample once below it, every token once."""

import asyncio

import pytest
from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.callbacks import TokenCountingHandler as Counter
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags
from pydantic import BaseModel

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import NoAnswerError

from .support import ASYNC, SYNC, Hanging, aask, calling, user

TOOLS = ("chat_with_tools", "achat_with_tools")
STRUCTURED = (
    "structured_predict",
    "astructured_predict",
    "stream_structured_predict",
    "astream_structured_predict",
)
WAYS = SYNC + ASYNC + TOOLS + STRUCTURED
SAMPLES = sorted((member, index) for member in "ab" for index in range(3))
# Six samples at 10 tokens in and 2 out.
COST = 72


class Total(BaseModel):
    """A total."""

    total: int


def total() -> int:
    """Say the total."""
    return 4


def script(messages, turn, kwargs):
    return calling(kwargs["tools"][0]["function"]["name"], total=4) if kwargs.get("tools") else "4"


def pair(managers=(None, None), cls=ScriptedLLM, **options):
    """Two members, asked to the end."""
    models = {
        label: cls(script=script, **({} if manager is None else {"callback_manager": manager}))
        for label, manager in zip("ab", managers, strict=True)
    }
    return SLMMuxLLM(**{"models": models, "samples": 3, "wait": "exhausted", **options})


async def call(mux, way):
    """Ask in any way, and read a stream to its end."""
    if way in SYNC + ASYNC:
        await aask(mux, way)
        return
    asked = getattr(mux, way)
    came = asked([FunctionTool.from_defaults(total)], "q") if way in TOOLS else asked(Total, PromptTemplate("q"))
    if way.startswith("a"):
        came = await came
    if "stream" in way:
        assert [value async for value in came] if way.startswith("a") else list(came)


# --- events and spans -----------------------------------------------------------------------------------------------


def family(way):
    return "Completion" if way.endswith("complete") else "Chat"


@pytest.mark.parametrize("way", WAYS)
async def test_one_pair_of_events_for_the_mux_and_one_for_each_sample(way, seen):
    """A start and an end, of the family asked for, tell of the mux; a start and an end of each sample, with its tags."""
    events, _ = seen
    await call(pair(), way)
    told = events.of("LLMChatStartEvent", "LLMChatEndEvent", "LLMCompletionStartEvent", "LLMCompletionEndEvent")
    of_mux = [type(event).__name__ for event in told if "slmmux_member" not in event.tags]
    assert of_mux == [f"LLM{family(way)}StartEvent", f"LLM{family(way)}EndEvent"]
    for name in ("LLMChatStartEvent", "LLMChatEndEvent"):
        tags = [event.tags for event in events.of(name) if "slmmux_member" in event.tags]
        assert sorted((each["slmmux_member"], each["slmmux_sample"]) for each in tags) == SAMPLES


@pytest.mark.parametrize("way", WAYS)
async def test_samples_spans_lie_below_the_mux(way, seen):
    """There is one root for the question, the mux's span; all of each sample lies below it; and all spans are left."""
    events, spans = seen
    await call(pair(), way)
    roots = [id_ for id_, parent in spans.parents.items() if parent is None]
    # A chat with tools is no span to LlamaIndex, but preparing it is one, beside the chat it makes.
    names = ["_prepare_chat_with_tools", way.removesuffix("_with_tools")] if way in TOOLS else [way]
    assert [root.split("-")[0] for root in roots] == [f"SLMMuxLLM.{name}" for name in names]
    of_samples = {id_: tags for id_, tags in spans.tags.items() if "slmmux_member" in tags}
    assert sorted({(tags["slmmux_member"], tags["slmmux_sample"]) for tags in of_samples.values()}) == SAMPLES
    for id_, tags in of_samples.items():
        above = spans.above(id_)
        assert above[-1] == roots[-1]
        # Nothing of another sample stands between.
        assert {str(spans.tags[each]) for each in above if each in of_samples} <= {str(tags)}
    assert (spans.unclosed, spans.dropped) == ([], {})
    # An event names the span it happened in.
    for event in events.of("LLMChatStartEvent"):
        assert spans.tags[event.span_id].get("slmmux_sample") == event.tags.get("slmmux_sample")


@pytest.mark.parametrize("way", ["chat", "achat", "complete", "acomplete", "structured_predict", "astructured_predict"])
async def test_outer_tags_are_kept(way, seen):
    """Tags set around the call stand on every event and span, and the samples' tags do not stay behind."""
    events, spans = seen
    with instrument_tags({"mine": 1}):
        await call(pair(), way)
        assert active_instrument_tags.get() == {"mine": 1}
    assert len(events.of("LLMChatEndEvent")) >= 6
    assert {event.tags.get("mine") for event in events.events} == {1}
    assert {tags.get("mine") for tags in spans.tags.values()} == {1}


async def test_an_early_settle_leaves_no_span_open(seen):
    """On an event loop the samples that are no longer needed are cancelled, and their spans are dropped."""
    _, spans = seen
    mux = SLMMuxLLM(models={"fast": ScriptedLLM(script=["4"]), "slow": Hanging(script=["5"])}, samples=2)
    response = await mux.achat(user("q"))
    assert response.raw["slmmux"]["reason"] == "settled"
    assert spans.unclosed == []
    assert {spans.tags[id_]["slmmux_member"] for id_ in spans.dropped} == {"slow"}
    assert {type(error) for error in spans.dropped.values()} == {asyncio.CancelledError}


@pytest.mark.parametrize("way", ["chat", "achat", "stream_complete", "astream_complete"])
async def test_failure_drops_every_span(way, seen):
    """When all members fail, the samples' spans and the mux's are dropped with their errors, and none stays open."""
    _, spans = seen
    mux = SLMMuxLLM(models={"a": ScriptedLLM(script=[RuntimeError("down")])}, samples=2)
    with pytest.raises(NoAnswerError):
        await aask(mux, way)
    assert spans.unclosed == []
    assert sorted(type(error).__name__ for error in spans.dropped.values()) == [
        "NoAnswerError",
        "RuntimeError",
        "RuntimeError",
    ]


async def test_cancellation_leaves_no_span_open(seen):
    """Cancelling a call that waits drops the mux's span and every sample's."""
    _, spans = seen
    member = Hanging(script=[])
    task = asyncio.create_task(SLMMuxLLM(models=[member], samples=3).achat(user("q")))
    while len(member.begun) < 3:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spans.unclosed == []
    assert len(spans.dropped) == 4


# --- callbacks of old -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_a_counter_on_the_mux_shows_the_whole_cost_once(way):
    """A token counter on the mux alone is told once, of every sample's tokens."""
    counter = Counter(tokenizer=str.split)
    await call(pair(callback_manager=CallbackManager([counter])), way)
    assert [count.total_token_count for count in counter.llm_token_counts] == [COST]
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (60, 12)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shared", ["manager", "counter", "settings"])
async def test_a_counter_shared_with_the_members_counts_once(way, shared):
    """A token counter that the mux and its members share, by hand or through Settings, counts every token once."""
    counter = Counter(tokenizer=str.split)
    manager = CallbackManager([counter])
    if shared == "settings":
        Settings.callback_manager = manager
        Settings.llm = pair()
        assert all(member.callback_manager.handlers == [counter] for member in Settings.llm.models.values())
        await call(Settings.llm, way)
    else:
        own = [manager if shared == "manager" else CallbackManager([counter]) for _ in range(2)]
        await call(pair(own, callback_manager=manager), way)
    assert counter.total_llm_token_count == COST


@pytest.mark.parametrize("way", ["chat", "achat", "complete", *TOOLS, "structured_predict", "astructured_predict"])
async def test_a_counter_shared_through_two_muxes_counts_once(way):
    """A counter on a mux, on a mux that is its member, and on that one's members counts every token once."""
    manager = CallbackManager([Counter(tokenizer=str.split)])
    inner = pair([manager] * 2, callback_manager=manager)
    outer = SLMMuxLLM(models={"inner": inner}, samples=1, callback_manager=manager)
    await call(outer, way)
    assert manager.handlers[0].total_llm_token_count == COST


@pytest.mark.parametrize("way", ["chat", "achat", *TOOLS, "structured_predict", "astructured_predict"])
@pytest.mark.parametrize("counted", [False, True])
async def test_members_handlers_see_their_own_calls(way, counted):
    """Each member's own handlers are told of its own calls, whoever counts on the mux, and its callbacks are kept."""
    counter = Counter(tokenizer=str.split)
    handlers = [LlamaDebugHandler(print_trace_on_end=False) for _ in "ab"]
    own = [CallbackManager([handler, counter] if counted else [handler]) for handler in handlers]
    kept = [list(manager.handlers) for manager in own]
    mux = pair(own, callback_manager=CallbackManager([counter]))
    members = list(mux.models.values())
    await call(mux, way)
    for handler in handlers:
        pairs = handler.get_event_pairs(CBEventType.LLM)
        assert len(pairs) == 3
        assert all(start.id_ == end.id_ and EventPayload.RESPONSE in end.payload for start, end in pairs)
    assert [manager.handlers for manager in own] == kept
    assert all(member.callback_manager is manager for member, manager in zip(members, own, strict=True))


async def test_a_members_own_counter_counts_the_member():
    """A counter that only one member has counts that member's tokens, beside the mux's counter of them all."""
    of_one, of_all = Counter(tokenizer=str.split), Counter(tokenizer=str.split)
    mux = pair([CallbackManager([of_one]), None], callback_manager=CallbackManager([of_all]))
    mux.chat(user("q"))
    await mux.achat(user("q"))
    assert (of_one.total_llm_token_count, of_all.total_llm_token_count) == (COST, 2 * COST)
