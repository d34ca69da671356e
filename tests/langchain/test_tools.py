"""Tools are bound by each member in its own way, and what is voted on is which call is made with which arguments."""

from typing import Annotated, Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import MemberError, SLMMuxError

from .rules import RuleChatModel


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def plain(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: One.
        b: The other.
    """
    return a + b


class AddTool(BaseTool):
    name: str = "add_tool"
    description: str = "Add two numbers."

    def _run(self, a: int, b: int) -> int:
        return a + b


class Add(BaseModel):
    """Add two numbers."""

    a: int = Field(description="One.")
    b: int = Field(description="The other.")


class AddDict(TypedDict):
    """Add two numbers."""

    a: Annotated[int, ..., "One."]
    b: Annotated[int, ..., "The other."]


OPENAI = {
    "type": "function",
    "function": {
        "name": "openai_add",
        "description": "Add two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    },
}
ANTHROPIC = {
    "name": "anthropic_add",
    "description": "Add two numbers.",
    "input_schema": OPENAI["function"]["parameters"],
}
KINDS = {
    "decorated": add,
    "function": plain,
    "BaseTool": AddTool(),
    "StructuredTool": StructuredTool.from_function(plain, name="structured_add"),
    "pydantic": Add,
    "TypedDict": AddDict,
    "OpenAI": OPENAI,
    "Anthropic": ANTHROPIC,
    "JSON schema": Add.model_json_schema(),
}


def rules(**options):
    members = {"a": RuleChatModel(model_name="A"), "b": RuleChatModel(model_name="B")}
    return SLMMuxChatModel(models=members, samples=2, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tool(kind):
    """Whatever LangChain takes for a tool reaches the members as a tool, and the winner's call comes back."""
    message = rules().bind_tools([KINDS[kind]], tool_choice="any").invoke("3 and 4")
    (call,) = message.tool_calls
    assert call["name"] == convert_to_openai_tool(KINDS[kind])["function"]["name"]
    assert call["args"] == {"a": 3, "b": 3}


async def test_all_kinds_at_once_async():
    """All of them in one request, async."""
    message = await rules().bind_tools(list(KINDS.values()), tool_choice="openai_add").ainvoke("3 and 4")
    assert [call["name"] for call in message.tool_calls] == ["openai_add"]


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("any", "add"),
        ("required", "add"),
        (True, "add"),
        ("Add", "Add"),
        ({"type": "function", "function": {"name": "Add"}}, "Add"),
        ("none", None),
        (None, None),
        ("auto", None),
    ],
)
def test_tool_choice(choice, name):
    """The choice of a tool goes to the members as it was given."""
    message = rules().bind_tools([add, Add], tool_choice=choice).invoke("hello")
    assert [call["name"] for call in message.tool_calls] == ([name] if name else [])


class Own(ScriptedChatModel):
    """Binds tools in a way of its own, and keeps what it was bound to and called with."""

    bound: list = Field(default_factory=list, exclude=True)
    got: list = Field(default_factory=list, exclude=True)

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        self.bound.append((tools, kwargs))
        return self.bind(own_tools=len(tools), **kwargs)

    def _reply(self, messages, kwargs):
        self.got.append(kwargs)
        return super()._reply(messages, kwargs)


def test_each_member_binds_in_its_own_way():
    """A member's own `bind_tools` is what is called, with its options, and what it bound is what it is asked with."""
    member = Own(script=["5"])
    mux = SLMMuxChatModel(models={"a": member}, samples=1)
    mux.bind_tools([add], tool_choice="any", parallel_tool_calls=False, strict=True).invoke("q")
    options = {"tool_choice": "any", "parallel_tool_calls": False, "strict": True}
    assert member.bound == [([add], options)] * 2  # when bound, to see that it can; when asked
    assert member.got == [{"stop": None, "own_tools": 1, **options}]


def test_a_binding_as_member_keeps_its_arguments():
    """Call arguments of a binding that is a member stay where tools are bound to the mux."""
    member = Own(script=["5"])
    SLMMuxChatModel(models={"a": member.bind(top_p=0.5)}, samples=1).bind_tools([add]).invoke("q")
    assert member.got == [{"stop": None, "own_tools": 1, "top_p": 0.5}]


# --- the vote -------------------------------------------------------------------------------------------------------


def calls(*args, name="add"):
    """Return a message for each argument, that calls the tool with it; each under an id of its own."""
    return [AIMessage("", tool_calls=[{"name": name, "args": a, "id": f"call_{i}"}]) for i, a in enumerate(args)]


THREE = {"a": 1, "b": 2}


def two(one, other):
    """Return a message that makes two calls at once."""
    args = {"x": THREE, "y": {"a": 3, "b": 4}}
    return AIMessage(
        "",
        tool_calls=[{"name": "add", "args": args[which], "id": which + str(i)} for i, which in enumerate((one, other))],
    )


def vote_of(*messages, k=None, **options):
    """Return the one member's vote over these replies."""
    member = ScriptedChatModel(script=list(messages))
    mux = SLMMuxChatModel(models={"m": member}, samples=k or len(messages), wait="exhausted", **options)
    return mux.bind_tools([add, Add]).invoke("q")


@pytest.mark.parametrize(
    "same",
    [
        calls({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1.0, "b": 2}),
        calls({"a": 1, "b": 2}, {"a": "1", "b": "2.0"}),
        [*calls(THREE), AIMessage("I shall add.", tool_calls=[{"name": "add", "args": THREE, "id": "other"}])],
        [*calls(THREE), AIMessage('<tool_call>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool_call>')],
        [two("x", "y"), two("y", "x")],
    ],
)
def test_the_same_call_however_written(same):
    """Calls are one answer whatever their ids, their order and their arguments', 1 or "1", or the text beside them."""
    vote = vote_of(*same).response_metadata["slmmux"]["votes"][0]
    assert (vote["count"], vote["of"]) == (len(same), len(same))


@pytest.mark.parametrize(
    "different",
    [
        calls(THREE, {"a": 1, "b": 3}),
        [*calls(THREE), *calls(THREE, name="Add")],
        [*calls(THREE), AIMessage("add 1 and 2")],
        [two("x", "y"), two("x", "x")],
    ],
)
def test_different_calls(different):
    """Another tool, another value, or a text that only speaks of the call: different answers."""
    vote = vote_of(*different).response_metadata["slmmux"]["votes"][0]
    assert (vote["count"], vote["abstained"]) == (1, 0)


@pytest.mark.parametrize("args", [{"a": 1}, {"a": 1, "b": None}, {"a": True, "b": 2}, {"a": "one", "b": 2}, {}])
def test_a_call_that_does_not_fit_abstains(args):
    """A call whose arguments the tool's schema refuses has no vote: a member that makes fitting ones speaks."""
    members = {
        "m": ScriptedChatModel(script=calls(args, args)),
        "n": ScriptedChatModel(script=calls({"a": 1, "b": 2}, {"a": 3, "b": 4})),
    }
    message = SLMMuxChatModel(models=members, samples=2, wait="exhausted").bind_tools([add]).invoke("q")
    assert message.response_metadata["slmmux"]["votes"][0]["abstained"] == 2
    assert message.tool_calls[0]["args"] == {"a": 1, "b": 2}


def test_a_written_call_is_made():
    """A call that the winner wrote into its text comes back as one that an agent can run, beside the text."""
    written = '{"name": "add", "parameters": {"a": 1, "b": 2}}'
    message = vote_of(AIMessage(written), AIMessage("[add(a=1, b=2)]"))
    assert message.text == written
    (call,) = message.tool_calls
    assert (call["name"], call["args"]) == ("add", {"a": 1, "b": 2})
    assert call["id"]
    assert message.response_metadata["slmmux"]["confidence"] == 1


def test_the_only_sample_stays_as_it_is():
    """A mux of one sample is its member: what that wrote is not made a call."""
    written = '{"name": "add", "parameters": {"a": 1, "b": 2}}'
    assert vote_of(AIMessage(written)).tool_calls == []


def test_the_winner_keeps_its_own_call():
    """The message that comes back is the first of the winning answer, with its own id."""
    message = vote_of(*calls({"a": 9}, {"a": 1, "b": 2}, {"b": 2.0, "a": 1}))
    assert message.tool_calls == [{"name": "add", "args": {"a": 1, "b": 2}, "id": "call_1", "type": "tool_call"}]
    assert message.response_metadata["slmmux"]["answer"] == '[{"args":{"a":1,"b":2},"name":"add"}]'
    assert message.response_metadata["slmmux"]["extractor"] == "tool_calls"


def test_the_most_confident_member_calls():
    """Between members the one that agrees with itself most makes its call, and nobody else's is made."""
    members = {
        "wavers": ScriptedChatModel(script=calls({"a": 1, "b": 0}, {"a": 2, "b": 0}, {"a": 3, "b": 0})),
        "sure": ScriptedChatModel(script=calls(*[{"a": 4, "b": 0}] * 3)),
    }
    message = SLMMuxChatModel(models=members, samples=3).bind_tools([add]).invoke("q")
    assert message.response_metadata["slmmux"]["model"] == "sure"
    assert [call["args"] for call in message.tool_calls] == [{"a": 4, "b": 0}]


def test_text_is_read_as_text_where_tools_are_bound():
    """With tools bound a reply without a call is its whole text: a marked number in it is not taken out."""
    record = vote_of(AIMessage("The answer is 4"), AIMessage("Answer: 4")).response_metadata["slmmux"]
    assert (record["extractor"], record["votes"][0]["count"]) == ("text", 1)
    mux = SLMMuxChatModel(models={"m": ScriptedChatModel(script=["The answer is 4", "Answer: 4"])}, samples=2)
    assert mux.invoke("q").response_metadata["slmmux"]["answer"] == "4"


def test_tools_come_before_an_extractor():
    """A request with tools is read as calls even where the mux was given an extractor for its texts."""
    record = vote_of(*calls(THREE, THREE), extract="boxed").response_metadata["slmmux"]
    assert (record["extractor"], record["votes"][0]["count"]) == ("tool_calls", 2)


def test_calls_without_bound_tools_are_read_too():
    """Left to itself ("auto") the mux reads calls that a member was given tools for on its own."""
    mux = SLMMuxChatModel(models={"m": ScriptedChatModel(script=calls({"a": 1}, {"a": 1})).bind(tools=[OPENAI])})
    assert mux.invoke("q").response_metadata["slmmux"]["extractor"] == "tool_calls"


def test_broken_calls_reach_the_user_as_invalid():
    """A call whose arguments are no JSON has no vote; where nothing else came it is handed over as invalid."""
    broken = AIMessage("", invalid_tool_calls=[{"name": "add", "args": "{a:", "id": "c", "error": "no JSON"}])
    message = vote_of(broken, broken)
    assert message.response_metadata["slmmux"]["answer"] is None
    assert [call["args"] for call in message.invalid_tool_calls] == ["{a:"]
    good = vote_of(broken, broken, *calls(THREE))
    assert [call["args"] for call in good.tool_calls] == [THREE]


async def test_a_round_of_tools():
    """Call, tool, answer: the messages of a round go through the mux as through any model."""
    mux = rules().bind_tools([add])
    asked = ["human", "please add 3"]
    first = await mux.ainvoke([asked])
    (call,) = first.tool_calls
    result = add.invoke(call)
    assert isinstance(result, ToolMessage)
    assert (await mux.ainvoke([asked, first, result])).tool_calls == []


# --- a member that cannot -------------------------------------------------------------------------------------------


def test_a_member_without_tools_is_named_at_once():
    """`bind_tools` names the member that has no tool calling, before any model is called."""
    able = ScriptedChatModel(script=["5"])
    mux = SLMMuxChatModel(models={"able": able, "parrot": FakeListChatModel(responses=["x"])})
    with pytest.raises(MemberError, match=r"member 'parrot' \(FakeListChatModel\) cannot bind these tools"):
        mux.bind_tools([add])
    assert able.calls == []


def test_the_reason_a_member_gives_is_quoted():
    """A member that refuses these tools is named with its own reason, without its secrets."""

    class Strict(ScriptedChatModel):
        api_key: str = "sk-very-secret"

        def bind_tools(self, tools, **kwargs):
            raise ValueError(f"no tool called add with key {self.api_key}")

    mux = SLMMuxChatModel(models={"strict": Strict(script=["5"])})
    with pytest.raises(SLMMuxError, match=r"member 'strict'.*no tool called add") as caught:
        mux.bind_tools([add])
    assert "sk-very-secret" not in str(caught.value)
    assert "sk-very-secret" not in str(caught.value.__cause__)


def test_what_is_no_tool_is_refused():
    """Something that is no tool at all is refused when it is bound, in LangChain's words."""
    with pytest.raises(ValueError) as own:  # noqa: PT011 - compared below
        convert_to_openai_tool(3)
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        rules().bind_tools([3])
    assert str(own.value) in str(refused.value)
