"""Histories in pools of several makers."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentOutput, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ThinkingBlock
from llama_index.core.llms import ChatResponse
from llama_index.core.tools import FunctionTool
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux._messages import history_of
from tests.servers.anthropic import anthropic
from tests.servers.loopback import Loopback, serving
from tests.servers.ollama import ollama
from tests.servers.openai_chat import openai_chat
from tests.servers.replies import Call, Reply


@pytest.mark.parametrize("through_json", [False, True])
@pytest.mark.parametrize("way", ["chat", "achat", "stream_chat"])
async def test_thinking_goes_back_to_its_own_maker_alone(way, through_json):
    """On the second turn a member gets its own thinking back and another maker's the text alone, also out of JSON."""
    thought = Reply("Oslo", reasoning="I must think.")
    with serving(ollama, [thought]) as one, serving(openai_chat, [Reply("")]) as two:
        first = Ollama(model="qwen3:4b", base_url=one.url, context_window=4096, thinking=True)
        second = OpenAILike(model="q", api_key="sk-2", api_base=f"{two.url}/v1", is_chat_model=True)
        mux = SLMMuxLLM(models={"a": first, "b": second}, samples=1, wait="exhausted")
        question = ChatMessage(content="Capital of Norway?")
        response: ChatResponse
        if way == "achat":
            response = await mux.achat([question])
        else:
            response = mux.chat([question]) if way == "chat" else list(mux.stream_chat([question]))[-1]
        message = response.message
        assert any(isinstance(block, ThinkingBlock) for block in message.blocks)
        if through_json:
            message = ChatMessage.model_validate_json(message.model_dump_json())
        mux.chat([question, message, ChatMessage(content="Sure?")])
    mine, others = (server.requests[-1].body["messages"][1] for server in (one, two))
    assert (mine["thinking"].strip(), mine["content"]) == ("I must think.", "Oslo")
    assert "think" not in str(others)
    assert "slmmux" not in f"{mine} {others}"


def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"7 degrees in {city}"


def a_call(city: str, text: str = "") -> Reply:
    """Return a reply that calls the tool."""
    return Reply(text, calls=(Call("weather", {"city": city}, f"call_{city}"),), reasoning="I must look.")


THINKING = {"type": "enabled", "budget_tokens": 2000}
MAKERS: dict[str, Any] = {
    "anthropic": (
        anthropic,
        lambda url: Anthropic(
            model="claude-sonnet-4-5", api_key="k", base_url=url, max_tokens=3000, thinking_dict=THINKING
        ),
    ),
    "ollama": (ollama, lambda url: Ollama(model="qwen3:4b", base_url=url, context_window=4096, thinking=True)),
    "openai": (openai_chat, lambda url: OpenAI(model="gpt-4.1-mini", api_key="k", api_base=f"{url}/v1")),
}


@contextlib.contextmanager
def pool(*makers: str) -> Iterator[tuple[SLMMuxLLM, dict[str, Loopback]]]:
    """Yield a mux of members of these makers, of whom each in turn is the only one that says anything."""
    turns = (a_call("Oslo"), a_call("Bergen", "And Bergen."), Reply("7 degrees in both."))
    with contextlib.ExitStack() as stack:
        servers, llms = {}, {}
        for place, maker in enumerate(makers):
            protocol, build = MAKERS[maker]
            script = [turn if i % len(makers) == place else Reply("") for i, turn in enumerate(turns)]
            servers[maker] = stack.enter_context(serving(protocol, script))
            llms[maker] = build(servers[maker].url)
        yield SLMMuxLLM(models=llms, samples=1, wait="exhausted"), servers


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "makers", [pytest.param(("ollama", "anthropic"), marks=pytest.mark.full), ("openai", "anthropic", "ollama")]
)
async def test_each_member_takes_what_the_others_did(makers, streaming):
    """However the turns change hands, streamed or not, no server refuses a turn of an agent."""
    with pool(*makers) as (mux, servers):
        tool = FunctionTool.from_defaults(weather)
        run = FunctionAgent(tools=[tool], llm=mux, streaming=streaming).run("Weather?")
        records = [event.raw["slmmux"] async for event in run.stream_events() if isinstance(event, AgentOutput)]
        assert str(await run) == "7 degrees in both."
        told = servers["anthropic"].requests[1].body["messages"]
    assert [record["model"] for record in records] == [makers[turn % len(makers)] for turn in range(3)]
    assert [vote["model"] for record in records for vote in record["votes"] if vote["failed"]] == []
    assert 'I called the tool weather with {"city": "Oslo"}.' in str(told[1])
    assert "The tool weather replied:" in str(told[2])
    assert "7 degrees in Oslo" in str(told[2])


def turn_of(*ids: str | None, arguments: Any = None) -> ChatMessage:
    """Return a message with a call for each id."""
    block = {"block_type": "tool_call", "tool_name": "weather", "tool_kwargs": arguments or {}}
    return ChatMessage(role="assistant", blocks=[{**block, "tool_call_id": each} for each in ids])


def reply_to(call_id: str | None, content: str) -> ChatMessage:
    return ChatMessage(role="tool", content=content, additional_kwargs={"tool_call_id": call_id})


@pytest.mark.parametrize("same", ["weather", "", None])
def test_calls_of_the_same_id_are_told_apart(same):
    """Ollama's class names each call by its tool; other makers get ids that stand once, each with its own reply."""
    first, last = turn_of(same, same), turn_of(same)
    messages = [first, reply_to(same, "a"), reply_to(same, "b"), last, reply_to(same, "c"), reply_to("other", "d")]
    history = history_of(messages, "a", signed_calls_only=False)
    assert [b.tool_call_id for m in history for b in m.blocks if b.block_type == "tool_call"] == [
        "call_1",
        "call_2",
        "call_3",
    ]
    replies = [(m.content, m.additional_kwargs["tool_call_id"]) for m in history if m.role.value == "tool"]
    assert replies == [("a", "call_1"), ("b", "call_2"), ("c", "call_3"), ("d", "other")]
    assert first.blocks[0].tool_call_id == same


def test_calls_that_have_ids_keep_them():
    """Ids that stand once are those that the tools' replies name, and stay."""
    messages = [turn_of("x", "y"), reply_to("x", "a"), reply_to("y", "b")]
    history = history_of(messages, "a", signed_calls_only=False)
    assert [block.tool_call_id for block in history[0].blocks] == ["x", "y"]


def test_a_members_own_call_is_never_told_in_words():
    """A maker that signs thoughts gets its own call back as it made it, also where it did not think."""
    message = turn_of("x")
    message.additional_kwargs["slmmux_speaker"] = "a"
    (own,), (others,) = (history_of([message], label, signed_calls_only=True) for label in "ab")
    assert own.blocks[0].block_type == "tool_call"
    assert others.content == "I called the tool weather with {}."
