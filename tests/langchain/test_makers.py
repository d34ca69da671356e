"""Agents of three turns over members of several makers: what one did, each other's server takes in the next turn."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy
from langchain_anthropic import ChatAnthropic
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from langchain_slmmux import SLMMuxChatModel
from tests.servers.anthropic import anthropic
from tests.servers.gemini import gemini
from tests.servers.loopback import Loopback, serving
from tests.servers.ollama import ollama
from tests.servers.openai_chat import openai_chat
from tests.servers.replies import Call, Reply

THINKING = {"type": "enabled", "budget_tokens": 2000}


class City(BaseModel):
    """A city."""

    name: str
    people: int


@tool
def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"7 degrees in {city}"


TURNS = (
    Reply(calls=(Call("weather", {"city": "Oslo"}, "call_1"),), reasoning="I must look."),
    Reply("And Bergen.", calls=(Call("weather", {"city": "Bergen"}, "call_2"),), reasoning="Again."),
    Reply("7 degrees in both."),
)


def claude(url: str) -> ChatAnthropic:
    return ChatAnthropic(model="claude-next", api_key="k", base_url=url, max_tokens=3000, thinking=THINKING)


def gpt(url: str) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4.1-mini", api_key="k", base_url=f"{url}/v1", max_retries=0)


MAKERS = {
    "anthropic": (anthropic, claude),
    "gemini": (gemini, lambda url: ChatGoogleGenerativeAI(model="gemini-2.5-flash", api_key="k", base_url=url)),
    "ollama": (ollama, lambda url: ChatOllama(model="qwen3:4b", base_url=url, reasoning=True)),
    "openai": (openai_chat, gpt),
}


@contextlib.contextmanager
def pool(*makers: str, turns: tuple[Reply, ...] = TURNS) -> Iterator[tuple[SLMMuxChatModel, dict[str, Loopback]]]:
    """Yield a mux of members of these makers, of whom each in turn is the only one that says anything."""
    with contextlib.ExitStack() as stack:
        servers, models = {}, {}
        for place, maker in enumerate(makers):
            protocol, build = MAKERS[maker]
            script = [turn if i % len(makers) == place else Reply("") for i, turn in enumerate(turns)]
            servers[maker] = stack.enter_context(serving(protocol, script))
            models[maker] = build(servers[maker].url)
        yield SLMMuxChatModel(models=models, samples=1, wait="exhausted"), servers


# Google's client makes a session of a class that aiohttp warns of.
@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "makers",
    [
        ("openai", "anthropic", "ollama"),
        pytest.param(("ollama", "anthropic"), marks=pytest.mark.full),
        pytest.param(("anthropic", "gemini", "openai"), marks=pytest.mark.full),
    ],
)
async def test_each_member_takes_what_the_others_did(makers, streamed):
    """However the turns change hands, with memory and streamed or not, no server refuses a turn of the agent."""
    with pool(*makers) as (mux, _):
        agent = create_agent(mux, [weather], checkpointer=InMemorySaver())
        config: Any = {"configurable": {"thread_id": "1"}}
        question = {"messages": [HumanMessage("Weather in Oslo and Bergen?")]}
        if streamed:
            [step async for step in agent.astream(question, config, stream_mode=["messages", "updates"])]
        else:
            agent.invoke(question, config)
        messages = agent.get_state(config).values["messages"]
    records = [m.response_metadata["slmmux"] for m in messages if isinstance(m, AIMessage)]
    assert [record["model"] for record in records] == [makers[turn % len(makers)] for turn in range(3)]
    assert [vote["model"] for record in records for vote in record["votes"] if vote["failed"]] == []
    assert messages[-1].text == "7 degrees in both."


def test_a_maker_that_signs_thoughts_is_told_others_turns_in_words():
    """Anthropic with thinking gets another's call and its reply as text, Ollama the same two as a call and its reply."""
    with pool("ollama", "anthropic") as (mux, servers):
        create_agent(mux, [weather]).invoke({"messages": [HumanMessage("Weather?")]})
        told = servers["anthropic"].requests[1].body["messages"]
        called = servers["ollama"].requests[1].body["messages"]
    assert [message["role"] for message in told] == ["user", "assistant", "user"]
    assert 'I called the tool weather with {"city": "Oslo"}.' in str(told[1])
    assert "The tool weather replied:\\n7 degrees in Oslo" in str(told[2])
    assert called[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": {"city": "Oslo"}}
    assert called[2]["role"] == "tool"


def test_a_picture_that_a_tool_returned_is_told_too():
    """A reply in blocks keeps its blocks, under the line that says which tool it is of."""
    with pool("ollama", "anthropic") as (mux, servers):
        first = mux.bind_tools([weather]).invoke("Weather?")
        seen = [{"type": "text", "text": "7 degrees"}]
        answered = ToolMessage(seen, tool_call_id=first.tool_calls[0]["id"])
        mux.bind_tools([weather]).invoke([HumanMessage("Weather?"), first, answered])
        told = servers["anthropic"].requests[1].body["messages"][2]["content"]
    assert [block["text"] for block in told] == ["The tool weather replied:", "7 degrees"]


def test_a_member_that_thinks_can_fill_a_schema():
    """Anthropic with thinking cannot be made to call: of several samples one without a call abstains, the others vote."""
    script = [
        Reply("I do not know."),
        *[Reply(calls=(Call("City", {"name": "Oslo", "people": 7}),), reasoning="Hm.")] * 2,
    ]
    with serving(anthropic, script) as server:
        mux = SLMMuxChatModel(models=[claude(server.url)], samples=3, wait="exhausted", max_concurrency=1)
        with pytest.warns(UserWarning, match="thinking"):
            structured = mux.with_structured_output(City, include_raw=True)
        raw = structured.invoke("Where?")
    assert raw["parsed"] == City(name="Oslo", people=7)
    (vote,) = raw["raw"].response_metadata["slmmux"]["votes"]
    assert (vote["count"], vote["abstained"]) == (2, 1)


def test_what_a_member_that_thinks_refuses_is_raised():
    """Where no sample calls, the error is the member's own."""
    with serving(anthropic, [Reply("I do not know.")]) as server:
        mux = SLMMuxChatModel(models=[claude(server.url)], samples=2)
        with pytest.warns(UserWarning, match="thinking"):
            structured = mux.with_structured_output(City)
        with pytest.raises(OutputParserException, match="thinking"):
            structured.invoke("Where?")


@pytest.mark.parametrize("samples", [1, 2])
def test_a_response_format_beside_tools_forms_the_tools(samples):
    """`ProviderStrategy` beside tools asks OpenAI for strict ones, without which its client sends no such request."""
    turns = [TURNS[0]] * samples + [Reply('{"name": "Oslo", "people": 7}')] * samples
    with serving(openai_chat, turns) as server:
        mux = SLMMuxChatModel(models=[gpt(server.url)], samples=samples, wait="exhausted")
        agent = create_agent(mux, [weather], response_format=ProviderStrategy(City))
        state = agent.invoke({"messages": [HumanMessage("Weather?")]})
    assert state["structured_response"] == City(name="Oslo", people=7)
    assert all(request.body["tools"][0]["function"]["strict"] for request in server.requests)


def test_a_cache_of_prompts_is_asked_for_on_the_member():
    """The mark that a user binds to ChatAnthropic reaches its server with each request of an agent on the mux."""
    with serving(anthropic, [Reply("Oslo")]) as server:
        member = ChatAnthropic(model="claude-next", api_key="k", base_url=server.url, max_retries=0)
        mux = SLMMuxChatModel(models={"claude": member.bind(cache_control={"type": "ephemeral"})}, samples=2)
        create_agent(mux, tools=[weather]).invoke({"messages": [("user", "Capital of Norway?")]})
    assert [request.body["cache_control"] for request in server.requests] == [{"type": "ephemeral"}] * 2
