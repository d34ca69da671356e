"""Inside LangGraph and create_agent the user sees the winner once and no sample, and a tool runs once."""

import operator
from typing import Annotated

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import wrap_model_call
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel
from typing_extensions import TypedDict

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel

from .rules import MethodsChatModel


class Weather(BaseModel):
    """The weather."""

    city: str
    degrees: int


def agent_script(*args, final="It is 7 degrees."):
    """Call the weather tool with one of these arguments, in turn; once a tool has run, say the final text."""

    def script(messages, turn, kwargs):
        if isinstance(messages[-1], ToolMessage):
            return final
        call = {"name": "weather", "args": args[turn % len(args)], "id": f"call_{turn}"}
        return AIMessage("Let me see.", tool_calls=[call])

    return script


def an_agent_mux(**options):
    """Two members: one that calls the tool with something else each time, one that always asks for Bern."""
    wavering = agent_script({"city": "Basel"}, {"city": "Chur"}, {"city": "Genf"}, final="It is warm.")
    return SLMMuxChatModel(
        models={
            "wavers": ScriptedChatModel(script=wavering),
            "sure": ScriptedChatModel(script=agent_script({"city": "Bern"})),
        },
        samples=3,
        accuracies={"wavers": 0.1, "sure": 0.9},
        **options,
    )


def weather_tool():
    """Return the tool, and the list of the cities it ran for."""
    ran = []

    @tool
    def weather(city: str) -> str:
        """The weather in a city."""
        ran.append(city)
        return "7 degrees"

    return weather, ran


QUESTION = {"messages": [{"role": "user", "content": "What is the weather in Bern?"}]}


@pytest.mark.parametrize("trace_samples", [True, False])
@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_the_winners_call_runs_once(how, trace_samples):
    """An agent runs the call that won, once, and ends with the winner's text; nothing of a sample is in its messages."""
    weather, ran = weather_tool()
    agent = create_agent(an_agent_mux(trace_samples=trace_samples), [weather])
    result = agent.invoke(QUESTION) if how == "invoke" else await agent.ainvoke(QUESTION)
    assert ran == ["Bern"]
    _, called, observed, said = result["messages"]
    assert [call["args"] for call in called.tool_calls] == [{"city": "Bern"}]
    assert (observed.content, observed.tool_call_id) == ("7 degrees", called.tool_calls[0]["id"])
    assert said.text == "It is 7 degrees."
    assert all(message.response_metadata["slmmux"]["model"] == "sure" for message in (called, said))
    assert called.usage_metadata["total_tokens"] == called.response_metadata["slmmux"]["usage"]["total_tokens"] > 0


def test_an_agents_model_has_a_name():
    """create_agent writes the agent's name on the message: ours is fresh and takes it, the member's stays as it was."""
    weather, _ = weather_tool()
    result = create_agent(an_agent_mux(), [weather], name="forecaster").invoke(QUESTION)
    assert [m.name for m in result["messages"] if isinstance(m, AIMessage)] == ["forecaster", "forecaster"]


async def streamed(agent, how, **options):
    if how == "stream":
        return list(agent.stream(QUESTION, **options))
    return [part async for part in agent.astream(QUESTION, **options)]


ways = pytest.mark.parametrize("how", ["stream", "astream"])
traced = pytest.mark.parametrize("trace_samples", [True, False])


@ways
@traced
async def test_stream_mode_messages(how, trace_samples):
    """Token by token the user sees the call, the tool's result and the answer once each, and no sample."""
    weather, ran = weather_tool()
    agent = create_agent(an_agent_mux(trace_samples=trace_samples), [weather])
    parts = await streamed(agent, how, stream_mode="messages")
    seen = [message for message, _ in parts if not (isinstance(message, AIMessageChunk) and is_empty(message))]
    assert [(m.type.removesuffix("MessageChunk").lower(), m.text) for m in seen] == [
        ("ai", "Let me see."),
        ("tool", "7 degrees"),
        ("ai", "It is 7 degrees."),
    ]
    assert [call["args"] for call in seen[0].tool_calls] == [{"city": "Bern"}]
    assert ran == ["Bern"]
    assert {metadata["langgraph_node"] for _, metadata in parts} == {"model", "tools"}
    assert not any("slmmux_member" in metadata for _, metadata in parts)


def is_empty(chunk):
    return not chunk.content and not chunk.tool_call_chunks


@ways
async def test_stream_mode_updates(how):
    """Node by node: the model, the tool, the model."""
    weather, _ = weather_tool()
    parts = await streamed(create_agent(an_agent_mux(), [weather]), how, stream_mode="updates")
    said = [(node, [m.text for m in update["messages"]]) for part in parts for node, update in part.items()]
    assert said == [("model", ["Let me see."]), ("tools", ["7 degrees"]), ("model", ["It is 7 degrees."])]


@ways
async def test_stream_mode_values(how):
    """State by state: one message more each time."""
    weather, _ = weather_tool()
    parts = await streamed(create_agent(an_agent_mux(), [weather]), how, stream_mode="values")
    assert [len(part["messages"]) for part in parts] == [1, 2, 3, 4]


@ways
async def test_all_stream_modes_at_once(how):
    """Streamed and returned messages are one and the same: same ids, same text."""
    weather, _ = weather_tool()
    agent = create_agent(an_agent_mux(), [weather])
    parts = await streamed(agent, how, stream_mode=["messages", "updates", "values"])
    token_ids = [m.id for mode, part in parts if mode == "messages" for m in part[:1] if isinstance(m, AIMessageChunk)]
    final = [part for mode, part in parts if mode == "values"][-1]
    assert list(dict.fromkeys(token_ids)) == [m.id for m in final["messages"] if isinstance(m, AIMessage)]


class State(TypedDict):
    messages: Annotated[list[AnyMessage], operator.add]


@traced
@pytest.mark.parametrize("call", ["invoke", "stream"])
@ways
async def test_a_node_of_ones_own(how, call, trace_samples):
    """A node that invokes or streams the mux itself shows its message once in "messages"."""
    mux = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=["5"]), "b": ScriptedChatModel(script=["6", "7"])},
        samples=3,
        trace_samples=trace_samples,
    )

    def ask(state):
        if call == "invoke":
            return {"messages": [mux.invoke(state["messages"])]}
        (chunk,) = mux.stream(state["messages"])
        return {"messages": [chunk]}

    async def aask(state):
        if call == "invoke":
            return {"messages": [await mux.ainvoke(state["messages"])]}
        return {"messages": [chunk async for chunk in mux.astream(state["messages"])]}

    graph = StateGraph(State)
    graph.add_node("ask", ask if how == "stream" else aask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    parts = await streamed(graph.compile(), how, stream_mode="messages")
    assert "".join(message.text for message, _ in parts) == "5"


def test_langgraphs_own_tool_nodes():
    """A graph made of a node that calls the mux, ToolNode and tools_condition, with memory, goes round and remembers."""
    weather, ran = weather_tool()
    mux = an_agent_mux().bind_tools([weather])
    graph = StateGraph(MessagesState)
    graph.add_node("ask", lambda state: {"messages": [mux.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([weather]))
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", tools_condition)
    graph.add_edge("tools", "ask")
    compiled = graph.compile(checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    assert compiled.invoke(QUESTION, thread)["messages"][-1].text == "It is 7 degrees."
    compiled.invoke(QUESTION, thread)
    assert (len(compiled.get_state(thread).values["messages"]), ran) == (8, ["Bern", "Bern"])


# --- structured answers ---------------------------------------------------------------------------------------------


def value(degrees):
    return AIMessage("", tool_calls=[{"name": "Weather", "args": {"city": "Bern", "degrees": degrees}, "id": "c"}])


def test_tool_strategy():
    """`response_format=ToolStrategy(...)`: the structured response is the value most agreed on, of the schema's class."""
    mux = SLMMuxChatModel(
        models={
            "wavers": ScriptedChatModel(script=[value(1), value(2), value(3)]),
            "sure": ScriptedChatModel(script=[value(7)]),
        },
        samples=3,
    )
    result = create_agent(mux, [], response_format=ToolStrategy(Weather)).invoke(QUESTION)
    assert result["structured_response"] == Weather(city="Bern", degrees=7)


@pytest.mark.parametrize("tools", [[], [weather_tool()[0]]])
def test_provider_strategy(tools):
    """`response_format=ProviderStrategy(...)`: members get the schema as response format, and are voted on by value."""
    formats = []

    def script(*texts):
        def answer(messages, turn, kwargs):
            formats.append(kwargs["response_format"]["type"])
            return texts[turn % len(texts)]

        return answer

    wavers = script('{"city": "Bern", "degrees": 1}', '{"city": "Bern", "degrees": 2}')
    sure = script('{"city": "Bern", "degrees": 7}', '{"degrees": 7, "city": "Bern"}')
    mux = SLMMuxChatModel(
        models={"wavers": MethodsChatModel(script=wavers), "sure": MethodsChatModel(script=sure)}, samples=2
    )
    result = create_agent(mux, tools, response_format=ProviderStrategy(Weather)).invoke(QUESTION)
    assert result["structured_response"] == Weather(city="Bern", degrees=7)
    assert set(formats) == {"json_schema"}


@pytest.mark.parametrize("native", [True, False])
def test_a_bare_schema_follows_the_profile(native):
    """A bare schema is asked for natively only where every member's profile says it can; else by a tool."""
    asked = []

    def script(messages, turn, kwargs):
        asked.append("response_format" in kwargs)
        return '{"city": "Bern", "degrees": 7}' if native else value(7)

    profile = {"structured_output": True}
    members = {
        "a": ScriptedChatModel(script=script, profile=profile),
        "b": ScriptedChatModel(script=script, profile=profile if native else None),
    }
    mux = SLMMuxChatModel(models=members, samples=1, wait="exhausted")
    result = create_agent(mux, [], response_format=Weather).invoke(QUESTION)
    assert result["structured_response"] == Weather(city="Bern", degrees=7)
    assert asked == [native, native]


@ways
async def test_structured_output_in_a_node(how):
    """`with_structured_output` inside a node: the value is the state's, and no sample shows in "messages"."""
    member = MethodsChatModel(script=['{"city": "Bern", "degrees": 7}', '{"degrees": 7.0, "city": "Bern"}'])
    chain = SLMMuxChatModel(models={"a": member}, samples=2).with_structured_output(Weather)

    class Found(MessagesState):
        weather: Weather

    graph = StateGraph(Found)

    async def afind(state):
        return {"weather": await chain.ainvoke(state["messages"])}

    graph.add_node("find", (lambda state: {"weather": chain.invoke(state["messages"])}) if how == "stream" else afind)
    graph.add_edge(START, "find")
    parts = await streamed(graph.compile(), how, stream_mode=["messages", "updates"])
    found = [part["find"]["weather"] for mode, part in parts if mode == "updates"]
    assert found == [Weather(city="Bern", degrees=7)]
    texts = [part[0].text for mode, part in parts if mode == "messages"]
    assert [text for text in texts if text] == ['{"city": "Bern", "degrees": 7}']


def test_the_model_of_an_agent_may_be_exchanged():
    """Middleware that calls the agent's model with another mux gets that mux's answer, its tools bound."""
    weather, ran = weather_tool()
    other = SLMMuxChatModel(models={"o": ScriptedChatModel(script=agent_script({"city": "Olten"}))}, samples=2)

    @wrap_model_call
    def exchanged(request, handler):
        return handler(request.override(model=other))

    create_agent(an_agent_mux(), [weather], middleware=[exchanged]).invoke(QUESTION)
    assert ran == ["Olten"]
