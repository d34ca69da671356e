"""Agents run on the mux: the winner's tool calls are run once, and nobody else's."""

import json

import pytest
from llama_index.core.agent.workflow import AgentStream, AgentWorkflow, FunctionAgent, ReActAgent, ToolCallResult
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai.utils import to_openai_message_dicts
from llama_index.llms.openai_like import OpenAILike

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import MemberError

from ..langchain.openai_server import call, serving
from .support import CompletionOnly, calling, outvoting, user

# ReActAgent asks its workflow something that the workflow no longer likes to be asked.
pytestmark = pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning")

QUESTION = "2 + 3?"
SAME = ({"a": 2, "b": 3}, {"b": 3.0, "a": 2}, {"a": 2.0, "b": 3})
OTHERS = ({"a": 9, "b": 9}, {"a": 8, "b": 8}, {"a": 7, "b": 7})

streaming = pytest.mark.parametrize("streaming", [True, False])


def adder():
    """Return a tool, and the list of the arguments it ran with."""
    ran = []

    def add(a: int, b: int) -> int:
        """Add."""
        ran.append((a, b))
        return a + b

    return FunctionTool.from_defaults(add), ran


def adds(*args, final="It is 5."):
    """Call the tool with one of these arguments, in turn; once a tool has run, say the final text."""

    def script(messages, turn, kwargs):
        if messages[-1].role == "tool" and "5" in messages[-1].content:
            return final.format(turn)
        return calling("add", f"call_{turn}", **args[turn % len(args)])

    return script


def reacts(*args, final="It is 5."):
    """Do the same in words."""

    def script(messages, turn, kwargs):
        if "Observation: 5" in messages[-1].content:
            return f"Thought: I can answer without using any more tools.\nAnswer: {final.format(turn)}"
        return f"Thought: I need a tool.\nAction: add\nAction Input: {json.dumps(args[turn % len(args)])}"

    return script


def a_mux(script=adds, **members):
    """Two members: one that calls with something else each time, one that means the same each time."""
    wavers = ScriptedLLM(script=script(*OTHERS, final="Perhaps {}."))
    sure = ScriptedLLM(script=script(*SAME))
    return SLMMuxLLM(models={"wavers": wavers, "sure": sure, **members}, samples=3, wait="exhausted")


async def run(agent, question=QUESTION):
    """Run an agent; return its result and its events."""
    handler = agent.run(user_msg=question)
    events = [event async for event in handler.stream_events()]
    return await handler, events


def calls_of(response):
    return [
        (block.tool_name, block.tool_kwargs) for block in response.message.blocks if isinstance(block, ToolCallBlock)
    ]


@streaming
async def test_a_function_agent_runs_the_winners_call(streaming):
    """The call with the same name and arguments, however spelled and numbered, wins, and runs once; no other runs."""
    tool, ran = adder()
    result, events = await run(FunctionAgent(tools=[tool], llm=a_mux(), streaming=streaming))
    assert str(result) == "It is 5."
    assert ran == [(2, 3)]
    (ended,) = [event for event in events if isinstance(event, ToolCallResult)]
    assert ended.tool_output.raw_output == 5
    vote = result.raw["slmmux"]["votes"][1]
    assert (vote["model"], vote["count"], result.raw["slmmux"]["model"]) == ("sure", 3, "sure")


@pytest.mark.parametrize(("script", "agent"), [(adds, FunctionAgent), (reacts, ReActAgent)])
async def test_what_an_agent_streams_is_json(script, agent):
    """Each turn is streamed once, with the winner's text, and its raw reply can be written as JSON."""
    tool, _ = adder()
    _, events = await run(agent(tools=[tool], llm=a_mux(script)))
    turns = [event for event in events if isinstance(event, AgentStream)]
    assert len(turns) == 2
    assert turns[-1].delta == turns[-1].response
    assert turns[-1].response.endswith("It is 5.")
    assert [json.loads(json.dumps(turn.raw))["slmmux"]["model"] for turn in turns] == ["sure", "sure"]


@streaming
async def test_parallel_calls(streaming):
    """A reply with two calls is one answer, and an agent runs both."""

    def both(messages, turn, kwargs):
        if messages[-1].role == "tool":
            return "They are 5 and 7."
        blocks = [*calling("add", f"{turn}a", a=2, b=3).blocks, *calling("add", f"{turn}b", a=3, b=4).blocks]
        return ChatMessage(role="assistant", blocks=blocks)

    tool, ran = adder()
    mux = SLMMuxLLM(
        models={"one": ScriptedLLM(script=adds(*OTHERS, final="Perhaps {}.")), "both": ScriptedLLM(script=both)},
        samples=3,
    )
    result, _ = await run(FunctionAgent(tools=[tool], llm=mux, streaming=streaming))
    assert (str(result), sorted(ran)) == ("They are 5 and 7.", [(2, 3), (3, 4)])


@streaming
@pytest.mark.parametrize("calls_functions", [True, False])
async def test_a_react_agent(streaming, calls_functions):
    """An agent that asks in words runs the winner's action, whether or not members call functions."""
    tool, ran = adder()
    member = (
        CompletionOnly(script=["I do not know."]) if not calls_functions else ScriptedLLM(script=["I do not know?"])
    )
    mux = a_mux(reacts, plain=member)
    result, _ = await run(ReActAgent(tools=[tool], llm=mux, streaming=streaming))
    assert (str(result), ran) == ("It is 5.", [(2, 3)])


@pytest.mark.parametrize("agent", [FunctionAgent, ReActAgent])
async def test_equal_arguments_of_another_tool_are_another_answer(agent):
    """The same input for two tools is two answers: the tool that most samples name is the one that runs."""
    ran = []
    tools = [
        FunctionTool.from_defaults(lambda a, n=n: ran.append(n) or 5, name=n, description=n) for n in ("up", "down")
    ]

    def script(messages, turn, kwargs):
        if "5" in messages[-1].content:
            return "Thought: I can answer without using any more tools.\nAnswer: It is 5."
        name = "up" if turn == 0 else "down"
        if agent is FunctionAgent:
            return calling(name, f"call_{turn}", a=1)
        return f'Thought: I need a tool.\nAction: {name}\nAction Input: {{"a": 1}}'

    await run(agent(tools=tools, llm=SLMMuxLLM(models={"a": ScriptedLLM(script=script)}, samples=3)), question="Which?")
    assert ran == ["down"]


async def test_a_workflow_hands_over():
    """Two agents, each on a mux of its own: the first one's winner hands over, the second one's answers."""
    tool, ran = adder()
    handing, _ = outvoting(lambda m, turn, k: calling("handoff", f"h{turn}", to_agent="adds", reason="a sum"))
    workflow = AgentWorkflow(
        agents=[
            FunctionAgent(name="asks", description="Asks.", tools=[], llm=handing),
            FunctionAgent(name="adds", description="Adds.", tools=[tool], llm=a_mux()),
        ],
        root_agent="asks",
    )
    result, _ = await run(workflow)
    assert (str(result), result.current_agent_name, ran) == ("It is 5.", "adds", [(2, 3)])


# --- members that call no functions ----------------------------------------------------------------------------------


def mixed(script=reacts):
    return a_mux(script, plain=ScriptedLLM(script=["I do not know."], calls_functions=False))


@pytest.mark.parametrize("within", ["alone", "workflow"])
async def test_a_function_agent_refuses_by_name(within):
    """FunctionAgent cannot use a member without function calling, and the refusal says which member that is."""
    agent = FunctionAgent(tools=[adder()[0]], llm=mixed())
    with pytest.raises(MemberError, match=r"FunctionAgent cannot .* member 'plain' \(ScriptedLLM\) calls no functions"):
        await run(AgentWorkflow(agents=[agent]) if within == "workflow" else agent)


async def test_a_workflow_of_tools_falls_back_to_words():
    """`AgentWorkflow.from_tools_or_functions` takes a ReActAgent for such a mux and a FunctionAgent for others."""
    tool, ran = adder()
    workflow = AgentWorkflow.from_tools_or_functions([tool], llm=mixed())
    assert [type(agent) for agent in workflow.agents.values()] == [ReActAgent]
    result, _ = await run(workflow)
    assert (str(result), ran) == ("It is 5.", [(2, 3)])
    others = AgentWorkflow.from_tools_or_functions([tool], llm=a_mux()).agents.values()
    assert [type(agent) for agent in others] == [FunctionAgent]


@pytest.mark.parametrize("how", ["chat_with_tools", "stream_chat_with_tools"])
def test_tools_are_refused_by_name(how):
    """Binding tools to such a mux is refused before anyone is asked, with the member's label."""
    mux = mixed()
    with pytest.raises(MemberError, match="member 'plain'"):
        getattr(mux, how)([adder()[0]], QUESTION)
    assert mux.models["plain"].calls == []


# --- tools without an agent ------------------------------------------------------------------------------------------

tool_calls = pytest.mark.parametrize(
    "how", ["chat_with_tools", "achat_with_tools", "stream_chat_with_tools", "astream_chat_with_tools"]
)


async def with_tools(mux, how, *args, **kwargs):
    """Ask in one of the four ways, and return the last response."""
    response = getattr(mux, how)(*args, **kwargs)
    if how.startswith("a"):
        response = await response
        return [part async for part in response][-1] if "stream" in how else response
    return list(response)[-1] if "stream" in how else response


@tool_calls
async def test_calls_are_voted_on(how):
    """In each way of asking, the winner's calls are in the message and in what LlamaIndex reads out of it."""
    mux, tool = a_mux(), adder()[0]
    response = await with_tools(mux, how, [tool], QUESTION)
    assert calls_of(response) == [("add", {"a": 2, "b": 3})]
    (selected,) = mux.get_tool_calls_from_response(response)
    assert (selected.tool_name, selected.tool_kwargs) == ("add", {"a": 2, "b": 3})
    assert selected.tool_id in {"call_0", "call_1", "call_2"}
    assert response.raw["slmmux"]["extractor"] == "tool_calls"


@tool_calls
async def test_what_is_asked_of_tools_reaches_the_members(how):
    """The history, the question, the tools, `tool_required`, `tool_choice` and the rest reach every sample alike."""
    asked = []

    def script(messages, turn, kwargs):
        asked.append(([message.content for message in messages], kwargs))
        return calling("add", **SAME[0])

    mux = SLMMuxLLM(models={"a": ScriptedLLM(script=script)}, samples=2, wait="exhausted")
    history = user("Hello.")
    tool = adder()[0]
    await with_tools(
        mux, how, [tool], QUESTION, history, tool_required=True, tool_choice="add", temperature=0.5, verbose=False
    )
    told = (
        ["Hello.", QUESTION],
        {
            "tools": [tool.metadata.to_openai_tool()],
            "tool_required": True,
            "tool_choice": "add",
            "temperature": 0.5,
        },
    )
    assert asked == [told, told]
    assert [message.content for message in history] == ["Hello."]


async def test_an_agents_first_tool_choice_reaches_the_members():
    """`initial_tool_choice` is asked of the members in the first turn, and not in the second."""
    choices = []

    def script(messages, turn, kwargs):
        choices.append(kwargs.get("tool_choice"))
        return adds(*SAME)(messages, turn, kwargs)

    mux = SLMMuxLLM(models={"a": ScriptedLLM(script=script)}, samples=1)
    await run(FunctionAgent(tools=[adder()[0]], llm=mux, initial_tool_choice="add"))
    assert choices == ["add", None]


@pytest.mark.parametrize("how", ["predict_and_call", "apredict_and_call"])
async def test_predict_and_call(how):
    """The tool is run once, with the winner's arguments, and its result is the response."""
    tool, ran = adder()
    response = getattr(a_mux(), how)([tool], user_msg=QUESTION)
    response = await response if how.startswith("a") else response
    assert (float(response.response), response.sources[0].raw_output, ran) == (5, 5, [(2, 3)])


@pytest.mark.parametrize("how", ["predict_and_call", "apredict_and_call"])
async def test_predict_and_call_where_no_call_is_made(how):
    """Where the winner calls nothing it is an error that says so, unless the caller can do without."""
    mux, _ = outvoting(["It is 5."])

    async def ask(**options):
        response = getattr(mux, how)([adder()[0]], user_msg=QUESTION, **options)
        return await response if how.startswith("a") else response

    assert (await ask(error_on_no_tool_call=False)).response == "It is 5."
    with pytest.raises(ValueError, match="the winner made none"):
        await ask()


# --- what leaves -----------------------------------------------------------------------------------------------------


def test_the_message_can_be_sent_on_to_openai():
    """The winner's message is a history that OpenAI's protocol takes: one tool call, under its id."""
    message = a_mux().chat_with_tools([adder()[0]], QUESTION).message
    (sent,) = to_openai_message_dicts([message], model="m")
    (made,) = sent["tool_calls"]
    assert (sent["role"], made["type"], made["function"]["name"]) == ("assistant", "function", "add")
    assert made["id"] in {"call_0", "call_1", "call_2"}
    assert json.loads(made["function"]["arguments"]) == {"a": 2, "b": 3}


@streaming
async def test_an_agent_over_http(streaming):
    """Members behind an OpenAI-compatible address get the winner's call and the tool's result back in the next turn."""

    def script(body, turn):
        if body["messages"][-1]["role"] == "tool":
            return "It is 5."
        return call("add", SAME[turn % 3], f"call_{turn}")

    tool, ran = adder()
    with serving(script) as server:
        member = OpenAILike(
            model="m", api_base=server.url, api_key="k", is_chat_model=True, is_function_calling_model=True
        )
        mux = SLMMuxLLM(models={"a": member}, samples=2, wait="exhausted")
        result, _ = await run(FunctionAgent(tools=[tool], llm=mux, streaming=streaming))
    assert (str(result), ran) == ("It is 5.", [(2, 3)])
    assert [tool["function"]["name"] for tool in server.requests[0]["tools"]] == ["add"]
    asked, called, observed = server.requests[-1]["messages"]
    assert asked["content"] == QUESTION
    (made,) = called["tool_calls"]
    assert (made["function"]["name"], json.loads(made["function"]["arguments"])) == ("add", {"a": 2, "b": 3})
    assert (observed["content"], observed["tool_call_id"]) == ("5", made["id"])


@tool_calls
async def test_the_events_of_a_tool_call_are_json(how, seen):
    """Every event of a request with tools, the mux's and the samples', can be written as JSON."""
    await with_tools(a_mux(), how, [adder()[0]], QUESTION)
    events = seen[0].of("LLMChatStartEvent", "LLMChatInProgressEvent", "LLMChatEndEvent")
    assert len(events) >= 2 + 2 * 6
    asked, *_ = [json.loads(event.model_dump_json()) for event in events]
    assert "slmmux_member" not in asked["tags"]
    assert asked["additional_kwargs"]["tools"][0]["function"]["name"] == "add"
