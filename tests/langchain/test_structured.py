"""Structured output is asked for and parsed by each member in its own way, and voted on by the value."""

import json
from typing import Annotated

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import TypedDict

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import MemberError, NoAnswerError

from .openai_server import Refused, call, serving
from .rules import MethodsChatModel

METHODS = ["function_calling", "json_mode", "json_schema"]


class City(BaseModel):
    """A city."""

    name: str = Field(description="What it is called.")
    people: float = Field(description="Millions of people.")


class CityDict(TypedDict):
    """A city."""

    name: Annotated[str, ..., "What it is called."]
    people: Annotated[float, ..., "Millions of people."]


CITY = {
    "title": "City",
    "description": "A city.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "number"}},
    "required": ["name", "people"],
}
SCHEMAS = {"pydantic": City, "TypedDict": CityDict, "JSON schema": CITY}


def reply(method, text, tool="City"):
    """Return what a model that was asked by this method replies: the text, or a call with it as arguments."""
    if method != "function_calling":
        return AIMessage(text)
    try:
        return AIMessage("", tool_calls=[{"name": tool, "args": json.loads(text), "id": "call_1"}])
    except ValueError:
        return AIMessage(text)


def mux_of(method, *texts, tool="City", **options):
    """One member that says these texts in turn, and another that never says the same twice."""
    replies = [reply(method, text, tool) for text in texts]
    rest = [reply(method, json.dumps({"name": f"No {i}", "people": i}), tool) for i in range(len(texts))]
    return SLMMuxChatModel(
        models={"vague": MethodsChatModel(script=rest), "sure": MethodsChatModel(script=replies)},
        samples=len(texts),
        wait="exhausted",
        **options,
    )


def mux_chain(method, schema, *, tool="City", include_raw=False):
    """The chain of a mux where "Bern, 1" wins, spelled in three ways."""
    mux = mux_of(method, *SAME, tool=tool)
    return mux.with_structured_output(schema, method=method, include_raw=include_raw)


SAME = ('{"name": "Bern", "people": 1}', '{"people": 1.0, "name": "Bern"}', '{ "name":"Bern","people":1.00 }')


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", SCHEMAS)
async def test_values_are_voted_on_not_their_spelling(kind, method):
    """By each method and for each kind of schema, one value spelled three ways is one answer; its class is the schema's."""
    schema = SCHEMAS[kind]
    tool = "CityDict" if schema is CityDict else "City"
    chain, again = (mux_chain(method, schema, tool=tool, include_raw=True) for _ in range(2))
    for result in (chain.invoke("q"), await again.ainvoke("q")):
        record = result["raw"].response_metadata["slmmux"]
        assert (record["model"], record["votes"][1]["count"]) == ("sure", 3)
        assert record["answer"] == {"name": "Bern", "people": 1.0}
        assert result["parsed"] == (City(name="Bern", people=1) if schema is City else {"name": "Bern", "people": 1})
        assert type(result["parsed"]) is (City if schema is City else dict)
        assert result["parsing_error"] is None


def test_other_values_are_other_answers():
    """Two values that differ in one field are two answers."""
    chain = mux_of("json_schema", '{"name": "Bern", "people": 1}', '{"name": "Bern", "people": 2}')
    result = chain.with_structured_output(CITY, include_raw=True).invoke("q")
    assert [vote["count"] for vote in result["raw"].response_metadata["slmmux"]["votes"]] == [1, 1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", SCHEMAS)
def test_without_raw_the_value_itself_comes_back(kind, method):
    """`include_raw=False` gives the parsed value and nothing around it."""
    schema = SCHEMAS[kind]
    tool = "CityDict" if schema is CityDict else "City"
    value = mux_chain(method, schema, tool=tool).invoke("q")
    assert dict(value) == {"name": "Bern", "people": 1}
    assert isinstance(value, City if schema is City else dict)


@pytest.mark.parametrize("method", METHODS)
def test_what_does_not_parse_abstains(method):
    """A reply that does not parse, or does not fit the schema, has no vote; the others of its member count."""
    chain = mux_of(method, "junk", '{"name": "Bern"}', SAME[0], SAME[1]).with_structured_output(
        City, method=method, include_raw=True
    )
    result = chain.invoke("q")
    vote = result["raw"].response_metadata["slmmux"]["votes"][1]
    assert (vote["count"], vote["abstained"], vote["failed"]) == (2, 2, 0)
    assert result["parsed"] == City(name="Bern", people=1)


@pytest.mark.parametrize("method", ["json_mode", "json_schema"])
def test_nothing_parses(method):
    """Where no reply parses, the parser's own error is raised; with `include_raw` it is handed over with the reply."""
    mux = SLMMuxChatModel(models={"a": MethodsChatModel(script=["junk"])}, samples=2)
    with pytest.raises(OutputParserException, match="junk"):
        mux.with_structured_output(City, method=method).invoke("q")
    result = mux.with_structured_output(City, method=method, include_raw=True).invoke("q")
    assert isinstance(result["parsing_error"], OutputParserException)
    assert (result["parsed"], result["raw"].text) == (None, "junk")
    assert result["raw"].response_metadata["slmmux"]["answer"] is None


def test_no_call_is_no_value():
    """Asked by function calling, replies without a call give `None`, as LangChain's own parser does."""
    mux = SLMMuxChatModel(models={"a": MethodsChatModel(script=["junk"])}, samples=2)
    assert mux.with_structured_output(City, method="function_calling").invoke("q") is None


def test_each_member_has_its_own_default():
    """Without `method` each member is asked in its own default way: here one by JSON schema, one by a tool."""
    asked = {}

    def script(label, text):
        def answer(messages, turn, kwargs):
            asked[label] = set(kwargs) - {"stop"}
            return text

        return answer

    class Tools(ScriptedChatModel):
        """LangChain's own way, for a model that has only tools."""

    members = {
        "schema": MethodsChatModel(script=script("schema", SAME[0])),
        "tools": Tools(script=script("tools", reply("function_calling", SAME[0]))),
    }
    mux = SLMMuxChatModel(models=members, samples=2, wait="exhausted")
    result = mux.with_structured_output(City, include_raw=True).invoke("q")
    assert asked == {"schema": {"response_format"}, "tools": {"tools", "tool_choice"}}
    # Two members that were asked in different ways, and one canonical value.
    assert {json.dumps(v["answer"]) for v in result["raw"].response_metadata["slmmux"]["votes"]} == {
        '{"name": "Bern", "people": 1.0}'
    }


def test_options_reach_the_members():
    """`method` and `strict` go to each member as given; nothing is sent that only traces are to know."""
    seen = []

    class Asked(MethodsChatModel):
        def with_structured_output(self, schema, **options):
            seen.append(options)
            return super().with_structured_output(schema, **options)

        def _reply(self, messages, kwargs):
            seen.append(set(kwargs))
            return super()._reply(messages, kwargs)

    mux = SLMMuxChatModel(models={"a": Asked(script=[SAME[0]])}, samples=1)
    mux.with_structured_output(City, method="json_schema", strict=True).invoke("q")
    assert seen == [{"method": "json_schema", "strict": True, "include_raw": True}, {"response_format", "stop"}]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_run_of_the_mux_says_what_was_asked_for(kind):
    """The mux's own run, whether its samples are traced or not, carries the schema in the way LangSmith reads it."""

    class Options(BaseCallbackHandler):
        def __init__(self):
            self.seen = []

        def on_chat_model_start(self, serialized, messages, *, options, tags=None, **kwargs):
            if "slmmux:sample" not in tags:
                self.seen.append(options)

    handler = Options()
    chain = mux_of("json_schema", *SAME).with_structured_output(SCHEMAS[kind], method="json_schema")
    chain.invoke("q", {"callbacks": [handler]})
    (options,) = handler.seen
    assert options["ls_structured_output_format"]["schema"] == convert_to_json_schema(SCHEMAS[kind])
    assert options["ls_structured_output_format"]["kwargs"]["method"] == "json_schema"


async def test_it_streams_its_value():
    """A chain over structured output streams the value once, sync and async."""
    assert list(mux_chain("json_schema", City).stream("q")) == [City(name="Bern", people=1)]
    assert [value async for value in mux_chain("json_schema", City).astream("q")] == [City(name="Bern", people=1)]


def test_structured_output_leaves_the_mux_as_it_was():
    """The schema belongs to the runnable that `with_structured_output` returned, not to the mux."""
    mux = mux_of("json_schema", *SAME)
    mux.with_structured_output(City)
    assert mux.invoke("q").response_metadata["slmmux"]["extractor"] == "json"


# --- members that cannot --------------------------------------------------------------------------------------------


def test_a_member_without_structured_output_is_named():
    """The member that has none is named when the schema is bound, with its reason."""
    mux = SLMMuxChatModel(models={"able": MethodsChatModel(script=["x"]), "parrot": FakeListChatModel(responses=["x"])})
    with pytest.raises(MemberError, match=r"member 'parrot' \(FakeListChatModel\) refuses this structured output"):
        mux.with_structured_output(City)


def test_an_option_a_member_refuses_is_named():
    """A combination of options a member refuses is said with its label and its words."""
    mux = SLMMuxChatModel(models={"a": MethodsChatModel(script=["x"])})
    with pytest.raises(MemberError, match=r"member 'a'.*strict is not supported with json_mode"):
        mux.with_structured_output(City, method="json_mode", strict=True)


def test_a_chain_that_cannot_be_taken_apart_is_refused():
    """A member whose structured output is no binding and parser is refused with what to do instead."""

    class Odd(ScriptedChatModel):
        def with_structured_output(self, schema, **options) -> Runnable:
            return RunnableLambda(lambda _: {"raw": None, "parsed": None, "parsing_error": None})

    mux = SLMMuxChatModel(models={"odd": Odd(script=["x"])})
    with pytest.raises(MemberError, match=r"member 'odd' builds .* RunnableLambda.*bind_tools\(\[schema\]\)"):
        mux.with_structured_output(City)


# --- ChatOpenAI, over HTTP ------------------------------------------------------------------------------------------


def openai(server, **options):
    return ChatOpenAI(base_url=server.url, api_key="sk-test", model="m", max_retries=0, **options)


def openai_reply(method, text):
    if method != "function_calling":
        return text
    return call("City", text)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["pydantic", "JSON schema"])
async def test_openai(kind, method):
    """ChatOpenAI is asked by each method as it asks on its own, in one request; junk abstains and costs nobody else."""
    junk = '{"name": "Be'
    texts = [junk, *SAME]
    with serving([openai_reply(method, text) for text in texts * 2]) as server:
        mux = SLMMuxChatModel(models={"a": openai(server)}, samples=4, wait="exhausted")
        chain = mux.with_structured_output(SCHEMAS[kind], method=method, include_raw=True)
        for result in (chain.invoke("q"), await chain.ainvoke("q")):
            vote = result["raw"].response_metadata["slmmux"]["votes"][0]
            # LangChain's lenient JSON parser completes what was cut off; a schema that asks for more refuses it.
            lenient = kind == "JSON schema" and method != "function_calling"
            assert (vote["count"], vote["abstained"], vote["failed"]) == (3, 0 if lenient else 1, 0)
            value = result["parsed"]
            assert value == (City(name="Bern", people=1) if kind == "pydantic" else {"name": "Bern", "people": 1})
            assert result["raw"].usage_metadata["total_tokens"] == 10 + 4 * 2
        requests = list(server.requests)
        openai(server).with_structured_output(SCHEMAS[kind], method=method, include_raw=True).invoke("q")
        alone = server.requests[-1]
    assert [request["n"] for request in requests] == [4, 4]
    for request in requests:
        assert {k: v for k, v in request.items() if k != "n"} == alone


def test_openai_cut_short():
    """A completion that hit the length limit, on which OpenAI's SDK raises, abstains; the others of its request count."""
    short = {"content": '{"name": "Be', "finish_reason": "length"}
    with serving([short, SAME[0], SAME[1]]) as server:
        mux = SLMMuxChatModel(models={"a": openai(server)}, samples=3, wait="exhausted")
        result = mux.with_structured_output(City, include_raw=True).invoke("q")
        assert len(server.requests) == 1
    record = result["raw"].response_metadata["slmmux"]
    assert (record["votes"][0]["count"], record["votes"][0]["abstained"]) == (2, 1)
    assert record["usage"] == {"input_tokens": 10, "output_tokens": 6, "total_tokens": 16}
    assert result["parsed"] == City(name="Bern", people=1)


async def test_openai_cut_short_async():
    """The same where each completion is a request of its own, async."""
    short = {"content": '{"name": "Be', "finish_reason": "length"}
    with serving([short, SAME[0], SAME[1]]) as server:
        mux = SLMMuxChatModel(models={"a": openai(server).bind(n=1)}, samples=3, wait="exhausted")
        result = await mux.with_structured_output(City, include_raw=True).ainvoke("q")
        assert len(server.requests) == 3
    record = result["raw"].response_metadata["slmmux"]
    assert (record["votes"][0]["count"], record["votes"][0]["abstained"]) == (2, 1)


def test_openai_refuses():
    """A refusal has no vote; where all refuse, the error is the one that the member alone raises."""
    with serving([{"content": None, "refusal": "I must not."}]) as server:
        errors = []
        for model in (openai(server), SLMMuxChatModel(models={"a": openai(server)}, samples=2)):
            with pytest.raises(Exception, match="I must not") as caught:
                model.with_structured_output(City).invoke("q")
            errors.append(caught.value)
    alone, mux = errors
    assert type(mux) is type(alone)
    assert str(mux) == str(alone)


def test_openai_nothing_parses():
    """Where nothing fits the class, its own validation error is raised."""
    with serving(["junk"]) as server:
        mux = SLMMuxChatModel(models={"a": openai(server)}, samples=2)
        with pytest.raises(ValidationError, match="City"):
            mux.with_structured_output(City).invoke("q")


def test_openai_fails():
    """An HTTP error is a failure, not an abstention: all of them raise the error that carries each."""
    with serving([Refused(500, "broken")]) as server:
        mux = SLMMuxChatModel(models={"a": openai(server)}, samples=2)
        with pytest.raises(NoAnswerError, match="broken"):
            mux.with_structured_output(City).invoke("q")
