"""Query engines and response synthesizers take the mux for any LLM, and what they say is what the winner said."""

import asyncio

import pytest
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import QueryEngineTool
from pydantic import BaseModel

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM

from .support import CompletionOnly, calling, outvoting

# LlamaIndex looks whether an embedding model or an LLM is LangChain's, and imports langchain-community for it.
pytestmark = pytest.mark.filterwarnings("ignore:.langchain-community. is being sunset:DeprecationWarning")

QUESTION = "What is the weather in Bern?"
FACTS = ["Bern: 7 degrees.", "Chur: snow."]
WAYS = ["plain", "streaming", "async", "async streaming"]

ways = pytest.mark.parametrize("how", WAYS)


def weather(messages, turn, kwargs):
    """Answer, and a second time refine what was answered."""
    return "It is 7 degrees, and dry." if "It is 7 degrees." in messages[-1].content else "It is 7 degrees."


def nodes():
    return [NodeWithScore(node=TextNode(text=text), score=1.0) for text in FACTS]


def an_index(**options):
    return VectorStoreIndex([TextNode(text=text) for text in FACTS], embed_model=MockEmbedding(embed_dim=3), **options)


async def answered(response):
    """Return a response's text, and whether it was streamed."""
    if isinstance(response, AsyncStreamingResponse):
        return "".join([piece async for piece in response.async_response_gen()]), True
    if isinstance(response, StreamingResponse):
        return "".join(response.response_gen), True
    return str(response.response), False


async def synthesized(synthesizer, how):
    """Ask in one of the ways; sync ones in a thread, since some of them start an event loop."""
    if "async" in how:
        return await answered(await synthesizer.asynthesize(QUESTION, nodes()))
    return await answered(await asyncio.to_thread(synthesizer.synthesize, QUESTION, nodes()))


def decisions(events):
    """Return the records of the mux's own calls: a sample's event has a tag."""
    ends = events.of("LLMChatEndEvent", "LLMCompletionEndEvent")
    return [event.response.raw["slmmux"] for event in ends if "slmmux_member" not in event.tags]


@ways
async def test_a_retriever_query_engine_answers_with_the_winner(how):
    """Over an index, in every way of asking, the answer is the winner's text and the members see what was retrieved."""
    mux, sure = outvoting(weather)
    synthesizer = get_response_synthesizer(llm=mux, streaming="streaming" in how)
    engine = RetrieverQueryEngine(an_index().as_retriever(similarity_top_k=2), response_synthesizer=synthesizer)
    response = await (engine.aquery(QUESTION) if "async" in how else asyncio.to_thread(engine.query, QUESTION))
    assert await answered(response) == ("It is 7 degrees.", "streaming" in how)
    assert len(response.source_nodes) == 2
    assert all(text in sure.calls[0][-1].content for text in [QUESTION, *FACTS])


# How many times each mode asks the LLM about two short texts, and what it makes of the replies.
MODES = {
    ResponseMode.REFINE: (2, "It is 7 degrees, and dry."),
    ResponseMode.COMPACT: (1, "It is 7 degrees."),
    ResponseMode.SIMPLE_SUMMARIZE: (1, "It is 7 degrees."),
    ResponseMode.TREE_SUMMARIZE: (1, "It is 7 degrees."),
    ResponseMode.GENERATION: (1, "It is 7 degrees."),
    ResponseMode.NO_TEXT: (0, ""),
    ResponseMode.CONTEXT_ONLY: (0, "Bern: 7 degrees.\n\nChur: snow."),
    ResponseMode.ACCUMULATE: (
        2,
        "Response 1: It is 7 degrees.\n---------------------\nResponse 2: It is 7 degrees.",
    ),
    ResponseMode.COMPACT_ACCUMULATE: (1, "Response 1: It is 7 degrees."),
}
UNSTREAMED = {ResponseMode.NO_TEXT, ResponseMode.CONTEXT_ONLY, ResponseMode.ACCUMULATE, ResponseMode.COMPACT_ACCUMULATE}


def test_every_mode_is_tried():
    """No response mode of LlamaIndex is left out below."""
    assert set(MODES) == set(ResponseMode)


@pytest.mark.parametrize(
    ("mode", "how"),
    [(mode, how) for mode in MODES for how in WAYS if "streaming" not in how or mode not in UNSTREAMED],
)
async def test_every_mode_gets_the_winners_text(mode, how, seen):
    """Each response mode asks the mux as often as it asks any LLM, and works with the winner's text."""
    mux, _ = outvoting(weather)
    Settings.llm = mux  # the modes that ask nothing are handed no LLM, and take this one
    asked, text = MODES[mode]
    synthesizer = get_response_synthesizer(llm=mux, response_mode=mode, streaming="streaming" in how)
    assert await synthesized(synthesizer, how) == (text, "streaming" in how)
    assert [record["model"] for record in decisions(seen[0])] == ["sure"] * asked


def test_a_sync_synthesizer_that_asks_async():
    """`use_async=True` runs the mux's async calls on an event loop of its own, question after question."""
    mux, _ = outvoting(weather)
    synthesizer = get_response_synthesizer(llm=mux, response_mode=ResponseMode.ACCUMULATE, use_async=True)
    for _ in range(2):
        assert str(synthesizer.synthesize(QUESTION, nodes())) == MODES[ResponseMode.ACCUMULATE][1]


class Weather(BaseModel):
    """The weather."""

    city: str
    degrees: float
    answer: str = "mild"


def weather_calls(messages, turn, kwargs):
    """Say the same value in two spellings."""
    return calling("Weather", city="Bern", degrees=7 if turn % 2 else 7.0)


@pytest.mark.parametrize("mode", [ResponseMode.REFINE, ResponseMode.COMPACT, ResponseMode.TREE_SUMMARIZE])
@pytest.mark.parametrize("how", ["plain", "async"])
async def test_a_synthesizer_with_a_schema_returns_the_value(mode, how, seen):
    """With `output_cls` the synthesizer's response is the value most agreed on, of the schema's class."""
    mux, _ = outvoting(weather_calls)
    synthesizer = get_response_synthesizer(llm=mux, response_mode=mode, output_cls=Weather)
    if how == "async":
        response = await synthesizer.asynthesize(QUESTION, nodes())
    else:
        response = await asyncio.to_thread(synthesizer.synthesize, QUESTION, nodes())
    assert response.response == Weather(city="Bern", degrees=7)
    assert {record["extractor"] for record in decisions(seen[0])} == {"structured"}


@pytest.mark.parametrize("mode", [ResponseMode.ACCUMULATE, ResponseMode.COMPACT_ACCUMULATE])
@pytest.mark.parametrize("how", ["plain", "async"])
async def test_an_accumulator_with_a_schema_lists_the_values(mode, how):
    """With `output_cls` an accumulating synthesizer lists one voted value for each text it asks about."""
    mux, _ = outvoting(weather_calls)
    text, _ = await synthesized(get_response_synthesizer(llm=mux, response_mode=mode, output_cls=Weather), how)
    assert text.count("city='Bern' degrees=7.0") == MODES[mode][0]


@pytest.mark.parametrize("how", ["streaming", "async streaming"])
async def test_a_streaming_synthesizer_with_a_schema(how):
    """Streamed with `output_cls`, a refining synthesizer gives the answer field of the voted value."""
    mux, _ = outvoting(weather_calls)
    synthesizer = get_response_synthesizer(
        llm=mux, response_mode=ResponseMode.COMPACT, output_cls=Weather, streaming=True
    )
    assert await synthesized(synthesizer, how) == ("mild", True)


def filtered(messages, turn, kwargs):
    known = "Bern" in messages[-1].content.split("Given")[0]
    return calling("StructuredRefineResponse", query_satisfied=known, answer="7 degrees" if known else "unknown")


@ways
async def test_structured_answer_filtering(how):
    """Filtering of answers goes through the mux's tool calls: a text that does not satisfy is passed over."""
    mux, _ = outvoting(filtered)
    synthesizer = get_response_synthesizer(
        llm=mux,
        response_mode=ResponseMode.REFINE,
        structured_answer_filtering=True,
        streaming="streaming" in how,
    )
    assert await synthesized(synthesizer, how) == ("7 degrees", "streaming" in how)


def test_prompts_fit_the_smallest_member():
    """A prompt is packed for the member with the smallest context window, so that no member overflows."""
    roomy, narrow = (ScriptedLLM(script=["It rains."], context_window=size, max_tokens=100) for size in (8000, 600))
    mux = SLMMuxLLM(models={"roomy": roomy, "narrow": narrow}, samples=1, wait="exhausted")
    synthesizer = get_response_synthesizer(llm=mux, response_mode=ResponseMode.TREE_SUMMARIZE)
    long = [NodeWithScore(node=TextNode(text="It rains in Bern. " * 200), score=1.0)]
    assert str(synthesizer.synthesize(QUESTION, long)) == "It rains."
    sizes = [len(Settings.tokenizer(messages[-1].content)) for messages in narrow.calls]
    assert len(sizes) > 2  # the leaves, and then their summary
    assert max(sizes) <= 500


def test_a_completion_only_member_takes_part():
    """A member that only completes texts answers a query engine's question like the others."""
    member = CompletionOnly(script=["It is 7 degrees."])
    mux = SLMMuxLLM(models={"c": member, "w": ScriptedLLM(script=["Is it 1?", "Is it 2?"])}, samples=2)
    response = an_index().as_query_engine(llm=mux).query(QUESTION)
    assert str(response) == "It is 7 degrees."
    assert QUESTION in member.prompts[0]


# --- what LlamaIndex sets on an LLM ----------------------------------------------------------------------------------


def test_a_synthesizers_callbacks_stay_on_the_mux():
    """A synthesizer assigns its callback manager to its LLM: the mux reports there once a question, members nothing."""
    mux, sure = outvoting(weather)
    own = {label: llm.callback_manager for label, llm in mux.models.items()}
    handler = LlamaDebugHandler(print_trace_on_end=False)
    manager = CallbackManager([handler])
    synthesizer = get_response_synthesizer(llm=mux, callback_manager=manager, response_mode=ResponseMode.COMPACT)
    synthesizer.synthesize(QUESTION, nodes())
    assert mux.callback_manager is manager
    assert all(mux.models[label].callback_manager is before for label, before in own.items())
    assert len(handler.get_llm_inputs_outputs()) == 1
    assert len(sure.calls) == 3


async def test_settings_llm():
    """`Settings.llm = mux` makes it the LLM of whatever is given none, and its callbacks those of `Settings`."""
    mux, _ = outvoting(weather)
    handler = LlamaDebugHandler(print_trace_on_end=False)
    Settings.callback_manager = CallbackManager([handler])
    Settings.llm = mux
    assert Settings.llm is mux
    assert str(await an_index().as_query_engine().aquery(QUESTION)) == "It is 7 degrees."
    assert len(handler.get_llm_inputs_outputs()) == 1


async def test_a_query_engine_as_a_tool():
    """A query engine over the mux is a tool like any other."""
    mux, _ = outvoting(weather)
    tool = QueryEngineTool.from_defaults(an_index().as_query_engine(llm=mux), name="weather", description="Weather.")
    assert (await tool.acall(input=QUESTION)).content == "It is 7 degrees."
