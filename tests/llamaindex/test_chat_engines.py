"""Chat engines hold a conversation with the mux as with any LLM."""

import asyncio

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.chat_engine import (
    CondensePlusContextChatEngine,
    CondenseQuestionChatEngine,
    ContextChatEngine,
    SimpleChatEngine,
)
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.schema import TextNode

from slmmux import NoAnswerError

from .support import outvoting, user

# LlamaIndex looks whether an embedding model or an LLM is LangChain's, and imports langchain-community for it.
pytestmark = pytest.mark.filterwarnings("ignore:.langchain-community. is being sunset:DeprecationWarning")

FACT = "Bern: 7 degrees. Chur: snow."
ENGINES = {
    ChatMode.SIMPLE: SimpleChatEngine,
    ChatMode.CONDENSE_QUESTION: CondenseQuestionChatEngine,
    ChatMode.CONTEXT: ContextChatEngine,
    ChatMode.CONDENSE_PLUS_CONTEXT: CondensePlusContextChatEngine,
    ChatMode.BEST: CondensePlusContextChatEngine,
}
CONDENSES = {ChatMode.CONDENSE_QUESTION, ChatMode.CONDENSE_PLUS_CONTEXT, ChatMode.BEST}
RETRIEVES = set(ENGINES) - {ChatMode.SIMPLE}

modes = pytest.mark.parametrize("mode", ENGINES)
ways = pytest.mark.parametrize("how", ["chat", "achat", "stream_chat", "astream_chat"])


def weather(messages, turn, kwargs):
    """Condense, or answer the last question."""
    asked = messages[-1].content
    if "tandalone" in asked:
        return "What is the weather in Chur?"
    return "There is snow." if "Chur?" in asked else "It is 7 degrees."


def an_engine(mux, mode, **options):
    index = VectorStoreIndex([TextNode(text=FACT)], embed_model=MockEmbedding(embed_dim=3))
    memory = ChatMemoryBuffer.from_defaults(llm=mux)  # the default one leaves a database connection open
    return index.as_chat_engine(chat_mode=mode, llm=mux, memory=memory, **options)


async def says(engine, how, text, *history):
    """Say something in one of the ways, and return the reply's text; sync ones in a thread, as a user's script does."""

    def sync():
        response = getattr(engine, how)(text, *history)
        return "".join(response.response_gen) if how == "stream_chat" else response.response

    if not how.startswith("a"):
        return await asyncio.to_thread(sync)
    response = await getattr(engine, how)(text, *history)
    return "".join([t async for t in response.async_response_gen()]) if how == "astream_chat" else response.response


def shown(member):
    """Return everything the member was last shown."""
    return "\n".join(message.content for message in member.calls[-1])


@modes
@ways
async def test_two_turns(mode, how, seen):
    """Each engine, in each way, answers twice with the winner's text, and the second turn knows the first."""
    mux, sure = outvoting(weather)
    engine = an_engine(mux, mode)
    assert type(engine) is ENGINES[mode]
    assert await says(engine, how, "What is the weather in Bern?") == "It is 7 degrees."
    assert await says(engine, how, "And in Chur?") == "There is snow."
    assert [(message.role.value, message.content) for message in engine.chat_history] == [
        ("user", "What is the weather in Bern?"),
        ("assistant", "It is 7 degrees."),
        ("user", "And in Chur?"),
        ("assistant", "There is snow."),
    ]
    ends = seen[0].of("LLMChatEndEvent", "LLMCompletionEndEvent")
    winners = [event.response.raw["slmmux"]["model"] for event in ends if "slmmux_member" not in event.tags]
    assert winners == ["sure"] * (3 if mode in CONDENSES else 2)
    condensing = ["\n".join(m.content for m in call) for call in sure.calls if "tandalone" in call[-1].content]
    assert len(condensing) == (3 if mode in CONDENSES else 0)
    assert all("It is 7 degrees." in text for text in condensing or [shown(sure)])
    assert (FACT in shown(sure)) is (mode in RETRIEVES)


def spoils(messages, turn, kwargs):
    """Answer, and then rewrite what was asked, as some integrations do to fit their API."""
    said = weather([message.model_copy(deep=True) for message in messages], turn, kwargs)
    for message in messages:
        message.blocks[0].text = "spoilt"
    return said


@modes
@ways
async def test_the_users_history_is_theirs(mode, how):
    """A history that the user hands over is used, and keeps its messages even where a member rewrites its own."""
    mux, _ = outvoting(spoils)
    mux.models["wavers"].script = spoils
    engine = an_engine(mux, mode)
    history = [*user("What is the weather in Bern?"), ChatMessage(role="assistant", content="It is 5 degrees.")]
    before = [message.model_dump() for message in history]
    assert await says(engine, how, "And in Chur?", history) == "There is snow."
    assert [message.model_dump() for message in history[:2]] == before  # behind them a memory may put the new ones


@pytest.mark.parametrize("mode", [ChatMode.SIMPLE, ChatMode.CONTEXT, ChatMode.CONDENSE_PLUS_CONTEXT])
async def test_an_engines_system_prompt_comes_first(mode):
    """The engine's system prompt reaches the members as their one system message, and the mux's own stays behind."""
    mux, sure = outvoting(weather, system_prompt="Of the mux.")
    engine = an_engine(mux, mode, system_prompt="Of the engine.")
    assert await says(engine, "achat", "What is the weather in Bern?") == "It is 7 degrees."
    systems = [message.content for message in sure.calls[0] if message.role == "system"]
    assert len(systems) == 1
    assert "Of the engine." in systems[0]
    assert "Of the mux." not in shown(sure)


async def test_a_failing_stream_raises_where_it_is_asked_for():
    """Where no member replies a streamed chat raises at once, with every cause, and not in a thread nobody looks at."""
    mux, _ = outvoting([RuntimeError("out of memory")], samples={"wavers": 1, "sure": 1}, temperature=None)
    mux.models["wavers"].script = [RuntimeError("switched off")]
    engine = an_engine(mux, ChatMode.SIMPLE)
    with pytest.raises(NoAnswerError, match=r"(?s)switched off.*out of memory"):
        await engine.astream_chat("What is the weather in Bern?")
