"""One request for several completions (`n`): where a member takes it, what came back is counted, and paid for once."""

import asyncio

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import NoAnswerError

from .openai_server import Refused, call, serving
from .support import Seen

ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}


def openai(server, **options):
    return ChatOpenAI(base_url=server.url, api_key="sk-test", model="m", max_retries=0, **options)


def mux_over(server, k=3, **options):
    return SLMMuxChatModel(models={"a": openai(server)}, samples=k, wait="exhausted", **options)


@pytest.mark.parametrize("ask", [lambda mux: mux.invoke("q"), lambda mux: asyncio.run(mux.ainvoke("q"))])
def test_one_request_for_all_samples(ask):
    """k samples are one request with n=k, a vote each, and the request's tokens once: prompt once, completions all."""
    with serving(["4", "5", "5"]) as server:
        message = ask(mux_over(server))
    assert [request["n"] for request in server.requests] == [3]
    record = message.response_metadata["slmmux"]
    assert (message.text, record["votes"][0]["count"]) == ("5", 2)
    assert message.usage_metadata == record["usage"] == {"input_tokens": 10, "output_tokens": 6, "total_tokens": 16}
    assert message.response_metadata["model_name"] == "m"


def test_one_sample_is_asked_for_without_n():
    """k = 1 sends no `n`: not every server takes one."""
    with serving(["5"]) as server:
        assert mux_over(server, k=1).invoke("q").text == "5"
    assert "n" not in server.requests[0]


def test_handlers_count_the_request_once():
    """LangChain's usage handler, which adds up runs under their model's name, comes to what the request cost."""
    handler = UsageMetadataCallbackHandler()
    with serving(["5"]) as server:
        mux_over(server).invoke("q", {"callbacks": [handler]})
    assert {name: usage["total_tokens"] for name, usage in handler.usage_metadata.items()} == {"m": 16}


def test_each_completion_is_a_run():
    """The completions of one request are a run each, with its own text, all ended."""
    seen = Seen()
    with serving(["4", "5", "6"]) as server:
        mux_over(server).invoke("q", {"callbacks": [seen]})
    texts = {run.name: run.outputs["generations"][0][0]["text"] for run in seen.samples}
    assert texts == {"a[0]": "4", "a[1]": "5", "a[2]": "6"}
    assert seen.unclosed == []


@pytest.mark.parametrize("trace_samples", [True, False])
def test_a_server_that_ignores_n(trace_samples):
    """What is missing is asked for one by one, every token is counted, and the next question asks for no `n`."""
    with serving([*"455", *"455"], n="ignored") as server:
        mux = mux_over(server, trace_samples=trace_samples)
        first = mux.invoke("q")
        assert [request.get("n", 1) for request in server.requests] == [3, 1, 1]
        second = mux.invoke("q")
        assert [request.get("n", 1) for request in server.requests[3:]] == [1, 1, 1]
    for message in (first, second):
        assert message.text == "5"
        assert message.usage_metadata["total_tokens"] == 3 * 12


@pytest.mark.parametrize("ask", [lambda mux: mux.invoke("q"), lambda mux: asyncio.run(mux.ainvoke("q"))])
def test_a_server_that_refuses_n(ask):
    """HTTP 400 on `n` is no failure: the samples are asked for one by one, from then on at once."""
    with serving([*"455", *"455"], n="refused") as server:
        mux = mux_over(server)
        for _ in range(2):
            record = ask(mux).response_metadata["slmmux"]
            assert (record["answer"], record["votes"][0]["failed"]) == ("5", 0)
    assert [request.get("n", 1) for request in server.requests] == [3, 1, 1, 1, 1, 1, 1]


def test_a_refusal_that_is_not_about_n():
    """Where single requests are refused as well, each sample fails with the server's own words."""
    with serving([Refused(400, "the prompt is too long")]) as server, pytest.raises(NoAnswerError) as caught:
        mux_over(server).invoke("q")
    assert [error.index for error in caught.value.errors] == [0, 1, 2]
    assert "the prompt is too long" in str(caught.value)


def test_a_class_that_has_the_field_but_not_the_argument():
    """A model with a field `n` whose call does not take it is asked one by one."""

    class Odd(ScriptedChatModel):
        n: int | None = None

        def _generate(self, messages, stop=None, run_manager=None):
            return self._reply(messages, {})

    member = Odd(script=["5"])
    mux = SLMMuxChatModel(models={"a": member}, samples=3, wait="exhausted")
    assert mux.invoke("q").response_metadata["slmmux"]["votes"][0]["count"] == 3
    assert len(member.calls) == 3


def test_more_than_asked_for():
    """Completions nobody asked for have no vote."""

    class Generous(ScriptedChatModel):
        n: int | None = None

        def _reply(self, messages, kwargs):
            one = super()._reply(messages, kwargs).generations[0]
            return ChatResult(generations=[ChatGeneration(message=one.message) for _ in range(kwargs["n"] + 2)])

    mux = SLMMuxChatModel(models={"a": Generous(script=["5"])}, samples=3, wait="exhausted")
    assert mux.invoke("q").response_metadata["slmmux"]["votes"][0]["count"] == 3


def test_tools_with_n():
    """Tool calls of several completions are told apart, and voted on."""
    with serving([call("add", {"a": 1}), call("add", {"a": 2}), call("add", {"a": 2})]) as server:
        message = mux_over(server).bind_tools([ADD], tool_choice="any").invoke("q")
    assert [request["n"] for request in server.requests] == [3]
    assert server.requests[0]["tool_choice"] == "required"
    assert [c["args"] for c in message.tool_calls] == [{"a": 2}]


def test_cascade_asks_one_request_a_member():
    """Under the plan "cascade" the best member's samples are one request, and a second member's only if needed."""
    with serving(["5"]) as first, serving(["6"]) as second:
        mux = SLMMuxChatModel(models={"a": openai(first), "b": openai(second)}, samples=3, plan="cascade")
        assert mux.invoke("q").text == "5"
    assert ([request["n"] for request in first.requests], second.requests) == ([3], [])


@pytest.mark.parametrize("ask", [lambda mux: list(mux.stream("q")), lambda mux: asyncio.run(streamed(mux))])
@pytest.mark.parametrize("member", [lambda s: openai(s, streaming=True), lambda s: openai(s).bind(stream=True)])
def test_streaming_members_are_streamed_and_joined(member, ask):
    """A member built to stream is streamed, as its server may answer no other way, one sample a request, and joined."""
    with serving(["4", "5", "5"]) as server:
        mux = SLMMuxChatModel(models={"a": member(server)}, samples=3, wait="exhausted")
        (chunk,) = ask(mux)
    assert chunk.text == "5"
    assert [request["stream"] for request in server.requests] == [True, True, True]


async def streamed(mux):
    return [chunk async for chunk in mux.astream("q")]


def test_stream_as_an_argument_is_the_mux_s_own():
    """`stream=True`, as LangChain takes it at call time, is no argument for the members."""
    with serving(["5"]) as server:
        assert mux_over(server).invoke("q", stream=True).text == "5"
    assert [request["stream"] for request in server.requests] == [False]
