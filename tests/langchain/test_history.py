"""Histories in pools of several makers, and errors that shorten them."""

import json

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import HumanMessage, messages_from_dict, messages_to_dict
from langchain_openai import ChatOpenAI

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux._from_config import member
from slmmux._mux.from_config import Endpoint
from tests.servers.anthropic import anthropic
from tests.servers.loopback import Request, Response, serving
from tests.servers.openai_chat import openai_chat
from tests.servers.replies import Reply


@pytest.mark.parametrize("through_json", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_goes_back_to_its_own_maker_alone(through_json, streamed):
    """On the second turn Anthropic gets its signed thinking back and OpenAI the text alone, also out of JSON."""
    with (
        serving(anthropic, [Reply("Oslo", reasoning="I must think.")]) as one,
        serving(openai_chat, [Reply("")]) as two,
    ):
        thinking = {"type": "enabled", "budget_tokens": 2000}
        first = ChatAnthropic(model="claude-next", api_key="sk-1", base_url=one.url, max_tokens=3000, thinking=thinking)
        second = ChatOpenAI(model="gpt-4.1-mini", api_key="sk-2", base_url=f"{two.url}/v1")
        mux = SLMMuxChatModel(models={"a": first, "b": second}, samples=1, wait="exhausted")
        question = HumanMessage("Capital of Norway?")
        message = next(iter(mux.stream([question]))) if streamed else mux.invoke([question])
        assert message.response_metadata["slmmux"]["model"] == "a"
        if through_json:
            (message,) = messages_from_dict(json.loads(json.dumps(messages_to_dict([message]))))
        mux.invoke([question, message, HumanMessage("Sure?")])
    assert [block["type"] for block in one.requests[-1].body["messages"][1]["content"]] == ["thinking", "text"]
    assert "think" not in str(two.requests[-1].body)
    assert two.requests[-1].body["messages"][1]["content"] == "Oslo"


def _too_long(_: Request, __: object) -> Response:
    """Answer as llama.cpp's server does to a prompt that does not fit."""
    fault = {
        "code": 400,
        "message": "request (12 tokens) exceeds the available context size (10 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 12,
        "n_ctx": 10,
    }
    return Response.of({"error": fault}, 400)


async def _ask(mux: SLMMuxChatModel, way: str) -> None:
    if way == "ainvoke":
        await mux.ainvoke("?")
    elif way == "astream":
        [chunk async for chunk in mux.astream("?")]
    elif way == "stream":
        list(mux.stream("?"))
    else:
        getattr(mux, way)("?" if way == "invoke" else ["?"])


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream", "batch"])
async def test_an_overflow_of_llama_cpp_is_the_frameworks(way, samples):
    """However it is asked, a prompt too long for llama.cpp raises the framework's own error, which can be caught."""
    with serving(_too_long, []) as server:
        chat = ChatOpenAI(model="q", api_key="sk-1", base_url=f"{server.url}/v1", max_retries=0)
        mux = SLMMuxChatModel(models={"a": chat}, samples=samples)
        with pytest.raises(ContextOverflowError) as caught:
            await _ask(mux, way)
    assert caught.value.status_code == 400


def test_a_local_member_has_a_profile():
    """A member that we serve says how long a prompt it takes, and the mux says the least of its members."""
    at = {"url": "http://127.0.0.1:9/v1", "model": "q", "api_key": "none", "temperature": None, "max_tokens": None}
    rest = {"stop": (), "timeout": None, "concurrency": None, "requests_per_minute": None, "local": True}
    models = {str(context): member(Endpoint(**at, **rest, context=context)) for context in (4096, 2048)}
    assert models["4096"].profile["max_input_tokens"] == 4096
    assert SLMMuxChatModel(models=models).profile["max_input_tokens"] == 2048
