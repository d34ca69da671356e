"""Real clients ask the server as they ask any other: by its base URL and a model's name."""

import json

import httpx
import openai
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel

from .support import OSLO, QUESTION, WEATHER, app, chat_openai, mux, serving


class City(BaseModel):
    """A city."""

    city: str
    reason: str


class Place(BaseModel):
    """Where to look."""

    city: str


def weather(city: str) -> str:
    """Return the weather of a city."""
    return "sunny"


def test_the_openai_sdk_reads_an_answer_with_its_record_and_tokens(client):
    """The winner's text, the record in the extra field, the confidence in a header, and the tokens of all samples."""
    raw = client.chat.completions.with_raw_response.create(model="mux", messages=QUESTION)
    reply = raw.parse()
    assert reply.choices[0].message.content == OSLO
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == "mux"
    assert (reply.slmmux["model"], reply.slmmux["confidence"]) == ("sure", 1.0)
    assert raw.headers["x-slmmux-confidence"] == "1"
    assert reply.usage.prompt_tokens == reply.slmmux["usage"]["input_tokens"] > 0


async def test_the_async_sdk_streams_the_winner_in_several_pieces(url):
    """The pieces join to the winner's text; the last chunk of the choice has the record, the one after it the tokens."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
        stream = await client.chat.completions.create(
            model="mux", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(filter(None, pieces)) == OSLO
    assert len(list(filter(None, pieces))) > 1
    assert chunks[-2].slmmux["model"] == "sure"
    assert chunks[-1].usage.total_tokens > 0
    assert chunks[-1].choices == []


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "weather"}}])
def test_the_sdk_gets_the_voted_tool_call_whole_and_as_deltas(client, choice):
    """Whole and streamed, the call has a name, an id and arguments, and ends for its sake."""
    asked = {"model": "mux", "messages": QUESTION, "tools": [WEATHER], "tool_choice": choice}
    (made,) = client.chat.completions.create(**asked).choices
    with client.chat.completions.stream(**asked) as stream:
        (streamed,) = stream.get_final_completion().choices
    for each in (made, streamed):
        (call,) = each.message.tool_calls
        assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Oslo"})
        assert call.id
        assert each.finish_reason == "tool_calls"


def test_tool_choice_none_gets_a_text(client):
    """Tools that must not be used are not."""
    reply = client.chat.completions.create(model="mux", messages=QUESTION, tools=[WEATHER], tool_choice="none")
    assert reply.choices[0].message.tool_calls is None
    assert reply.choices[0].message.content == OSLO


def test_a_schema_is_parsed_and_voted_on_by_its_decisive_fields(client):
    """Each sample gives another reason, and still they are one answer."""
    reply = client.chat.completions.parse(model="mux", messages=QUESTION, response_format=City)
    assert reply.choices[0].message.parsed.city == "Oslo"
    assert reply.slmmux["confidence"] == 1.0
    plain = client.chat.completions.create(model="mux", messages=QUESTION, response_format={"type": "json_object"})
    assert json.loads(plain.choices[0].message.content)["city"] == "Oslo"


def test_n_choices_are_n_questions_each_with_its_record(client):
    """Two choices cost the samples of two questions."""
    one = client.chat.completions.create(model="mux", messages=QUESTION)
    two = client.chat.completions.create(model="mux", messages=QUESTION, n=2)
    assert [choice.message.content for choice in two.choices] == [OSLO, OSLO]
    assert [choice.slmmux["model"] for choice in two.choices] == ["sure", "sure"]
    assert two.usage.total_tokens == sum(choice.slmmux["usage"]["total_tokens"] for choice in two.choices)
    assert two.usage.total_tokens > one.usage.total_tokens


def test_the_responses_of_the_sdk_have_text_calls_and_schemas(client):
    """The newer form brings the same answers, whole and streamed, and takes a call's output back."""
    assert client.responses.create(model="mux", input="Capital?", instructions="Be brief.").output_text == OSLO
    with client.responses.stream(model="mux", input="Capital?") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert "".join(deltas) == stream.get_final_response().output_text == OSLO
    assert len(deltas) > 1
    assert client.responses.parse(model="mux", input="Capital?", text_format=City).output_parsed.city == "Oslo"
    tool = {"type": "function", "strict": False, **WEATHER["function"]}
    (call,) = client.responses.create(model="mux", input="Weather?", tools=[tool]).output
    assert json.loads(call.arguments) == {"city": "Oslo"}
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    history = [{"role": "user", "content": "Weather?"}, call.model_dump(), output]
    assert client.responses.create(model="mux", input=history, tools=[tool]).output_text == "It is sunny in Oslo."


async def test_the_async_sdk_parses_both_forms_and_several_choices(url):
    """`parse` and `stream` with a schema, whole and streamed, for chat completions and for responses."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        chat, asked = client.chat.completions, {"model": "mux", "messages": QUESTION, "response_format": City}
        whole = [choice.message.parsed for choice in (await chat.parse(**asked, n=2)).choices]
        async with chat.stream(**asked, n=2) as stream:
            streamed = [choice.message.parsed for choice in (await stream.get_final_completion()).choices]
        newer = {"model": "mux", "input": "Capital?", "text_format": City}
        whole.append((await client.responses.parse(**newer)).output_parsed)
        async with client.responses.stream(**newer) as stream:
            streamed.append((await stream.get_final_response()).output_parsed)
        tool = openai.pydantic_function_tool(Place, name="weather")
        (choice,) = (await chat.parse(model="mux", messages=QUESTION, tools=[tool])).choices
    assert [city.city for city in whole + streamed] == ["Oslo"] * 6
    assert choice.message.tool_calls[0].function.parsed_arguments == Place(city="Oslo")


@pytest.mark.parametrize(
    "tools", [[], [{"type": "function", "strict": False, **WEATHER["function"]}]], ids=["text", "call"]
)
def test_the_events_of_a_response_stand_in_openais_order(client, tools):
    """Each opens before it is filled and closes in the opposite order; the numbers count; each is one of OpenAI's."""
    events = list(client.responses.create(model="mux", input="Capital?", tools=tools, stream=True))
    kinds = [event.type.removeprefix("response.") for event in events]
    inner = ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"]
    if tools:
        inner = ["function_call_arguments.delta", "function_call_arguments.done"]
    order = ["created", "in_progress", "output_item.added", *inner, "output_item.done", "completed"]
    assert list(dict.fromkeys(kinds)) == order
    assert [event.sequence_number for event in events] == list(range(len(events)))
    for event in events:  # the SDK reads events leniently; each has to fit the type that it was read as
        type(event).model_validate(event.model_dump(exclude_unset=True))


def test_llamaindexs_client_of_responses_asks_by_a_name_that_it_knows():
    """It refuses names that are not OpenAI's, so the model is served under one of them."""
    from llama_index.llms.openai import OpenAIResponses

    from slmmux.serve import create_app

    with serving(create_app({"gpt-4o": mux()})) as url, httpx.Client() as http:
        own = {"model": "gpt-4o", "api_base": f"{url}/v1", "api_key": "none", "http_client": http, "max_retries": 0}
        llm = OpenAIResponses(**own)
        assert llm.chat([ChatMessage("Capital?")]).message.content == OSLO
        parts = [part.delta for part in llm.stream_chat([ChatMessage("Capital?")])]
        assert "".join(filter(None, parts)) == OSLO


def test_a_refusal_arrives_as_one_and_is_taken_back():
    """Both forms have a field of its own for it, whole and streamed, and a history may hold it."""
    own = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=[AIMessage("", additional_kwargs={"refusal": "Not this."})])}, samples=1
    )
    with serving(app(own)) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        (choice,) = client.chat.completions.create(model="mux", messages=QUESTION).choices
        whole = client.responses.create(model="mux", input="Capital?")
        with client.responses.stream(model="mux", input="Capital?") as stream:
            deltas = [event.delta for event in stream if event.type == "response.refusal.delta"]
            streamed = stream.get_final_response()
        refusals = [reply.output[0].content[0].refusal for reply in (whole, streamed)]
        assert [choice.message.refusal, *refusals, "".join(deltas)] == ["Not this."] * 4
        history = [{"role": "user", "content": "Capital?"}, whole.output[0].model_dump(), QUESTION[0]]
        assert client.responses.create(model="mux", input=history).status == "completed"


def test_models_are_listed_and_described(client):
    """A name that is not served is 404 in OpenAI's shape."""
    assert [model.id for model in client.models.list()] == ["mux"]
    assert client.models.retrieve("mux").slmmux["members"] == {"sure": 3, "unsure": 3}
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("other")
    assert raised.value.code == "model_not_found"


async def test_chat_openai_is_a_client_with_tools_and_every_kind_of_schema(url):
    """LangChain's own client reads texts, streams, calls and structured output."""
    chat = chat_openai(url)
    assert (await chat.ainvoke("Capital?")).text == OSLO
    assert "".join([str(chunk.text) async for chunk in chat.astream("Capital?")]) == OSLO
    (call,) = (await chat.bind_tools([weather]).ainvoke("Weather?")).tool_calls
    assert call["args"] == {"city": "Oslo"}
    for method in ("json_schema", "json_mode"):
        city = await chat.with_structured_output(City, method=method).ainvoke("Capital, as json?")
        assert city.city == "Oslo"


@pytest.mark.parametrize("streaming", [False, True])
async def test_chat_openai_is_a_client_of_responses_too(url, streaming):
    """The same through `use_responses_api`: texts, streams, calls, schemas and an agent."""
    chat = chat_openai(url, use_responses_api=True, streaming=streaming)
    assert (await chat.ainvoke("Capital?")).text == OSLO
    assert "".join([str(chunk.text) async for chunk in chat.astream("Capital?")]) == OSLO
    (call,) = (await chat.bind_tools([weather], tool_choice="required").ainvoke("Weather?")).tool_calls
    assert call["args"] == {"city": "Oslo"}
    for method in ("json_schema", "json_mode"):
        city = await chat.with_structured_output(City, method=method).ainvoke("Capital, as json?")
        assert city.city == "Oslo"
    state = await create_agent(chat, [weather]).ainvoke({"messages": [HumanMessage("Weather?")]})
    assert state["messages"][-1].text == "It is sunny in Oslo."


async def test_an_agent_of_langchain_runs_over_the_server(url):
    """The call, its result and the last text travel through the server, streamed as agents stream."""
    chat = chat_openai(url, streaming=True)
    agent = create_agent(chat, [weather])
    state = await agent.ainvoke({"messages": [HumanMessage("Weather?")]})
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][-1].text == "It is sunny in Oslo."


async def test_llamaindex_asks_and_its_agent_runs_over_the_server(url):
    """`OpenAILike` chats and streams; a function agent calls its tool and answers."""
    options = {"is_chat_model": True, "is_function_calling_model": True}
    with httpx.Client() as http:
        async with httpx.AsyncClient() as async_http:
            llm = OpenAILike(
                model="mux",
                api_base=f"{url}/v1",
                api_key="none",
                http_client=http,
                async_http_client=async_http,
                **options,
            )
            assert (await llm.achat([ChatMessage("Capital?")])).message.content == OSLO
            parts = [part.delta for part in llm.stream_chat([ChatMessage("Capital?")])]
            assert "".join(filter(None, parts)) == OSLO
            assert len(parts) > 1
            reply = await FunctionAgent(tools=[weather], llm=llm).run("Weather?")
    assert str(reply) == "It is sunny in Oslo."


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning")  # LiteLLM's own types
def test_litellm_asks_the_server(url, monkeypatch):
    """LiteLLM's SDK, whole and streamed, by an OpenAI-compatible address."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it fetches a list from elsewhere
    litellm = pytest.importorskip("litellm")
    asked = {"model": "openai/mux", "api_base": f"{url}/v1", "api_key": "none", "messages": QUESTION}
    assert litellm.completion(**asked).choices[0].message.content == OSLO
    chunks = litellm.completion(**asked, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == OSLO
    (choice,) = litellm.completion(**asked, tools=[WEATHER], tool_choice="required").choices
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"city": "Oslo"}
    with pytest.raises(litellm.BadRequestError, match="logprobs is not supported"):
        litellm.completion(**asked, logprobs=True)
    del asked["messages"]
    assert litellm.responses(**asked, input="Capital?").output[0].content[0].text == OSLO
    kinds = [event.type for event in litellm.responses(**asked, input="Capital?", stream=True)]
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_a_mux_of_a_mux(url):
    """A server can be a member, asked for several samples in one request."""
    outer = SLMMuxChatModel(
        models={"inner": chat_openai(url)},
        samples=3,
        wait="exhausted",
    )
    message = outer.invoke("Capital?")
    assert message.text == OSLO
    assert message.response_metadata["slmmux"]["votes"][0]["count"] == 3


def test_what_a_coding_agent_sends_is_understood(url):
    """Always tools, always streamed, contents in parts, defaults spelt out, its own earlier call in the history."""
    body = {
        "model": "mux",
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [WEATHER, {"type": "function", "function": {"name": "stop"}}],
        "parallel_tool_calls": True,
        "max_tokens": 4096,
        "logprobs": False,
        "store": False,
        "service_tier": "auto",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "You are an agent."}]},
            {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "text", "text": "Now."}]},
            {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "annotations": [],
                "audio": None,
                "tool_calls": [
                    {"id": "call_1", "index": 0, "type": "function", "function": {"name": "weather", "arguments": "{"}}
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ],
    }
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        chunks = list(client.chat.completions.create(**body))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "It is sunny in Oslo."


def test_several_models_are_several_names():
    """Each name is answered by its own mux."""
    from slmmux.serve import create_app

    apps = create_app({"one": mux(lambda *_: "1"), "two": mux(lambda *_: "2")})
    with serving(apps) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        for name, text in (("one", "1"), ("two", "2")):
            reply = client.chat.completions.create(model=name, messages=QUESTION)
            assert (reply.model, reply.choices[0].message.content) == (name, text)


def test_an_application_needs_a_mux_of_langchain():
    """Anything else is refused with a sentence."""
    with pytest.raises(ValueError, match="must be an SLMMuxChatModel, received str"):
        app("mux.toml")
