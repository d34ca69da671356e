"""One request for several completions (`n`): where a member takes it, what came back is counted, and paid for once."""

import asyncio

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux._several import takes_several
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import NoAnswerError

from ..langchain.openai_server import Refused, call, serving
from .support import user


def openai(server, **options):
    settings = {"is_chat_model": True, "is_function_calling_model": True, "max_retries": 0, **options}
    return OpenAILike(api_base=server.url, api_key="sk-test", model="m", **settings)


def mux_over(server, k=3, **options):
    return SLMMuxLLM(models={"a": openai(server)}, samples=k, wait="exhausted", **options)


WAYS = pytest.mark.parametrize(
    "ask",
    [lambda mux: mux.chat(user("q")), lambda mux: asyncio.run(mux.achat(user("q"))), lambda mux: mux.complete("q")],
)


@WAYS
def test_one_request_for_all_samples(ask):
    """k samples are one request with n=k, a vote each, and the request's tokens once: prompt once, completions all."""
    with serving(["4", "5", "5"]) as server:
        response = ask(mux_over(server))
    assert [request["n"] for request in server.requests] == [3]
    record = response.raw["slmmux"]
    assert (record["answer"], record["votes"][0]["count"]) == ("5", 2)
    assert response.raw["usage"] == {"input_tokens": 10, "output_tokens": 6, "total_tokens": 16}


def test_one_sample_is_asked_for_without_n():
    """k = 1 sends no `n`: not every server takes one."""
    with serving(["5"]) as server:
        assert mux_over(server, k=1).complete("q").text == "5"
    assert "n" not in server.requests[0]


def test_each_completion_is_an_event_of_its_own(seen):
    """The completions of one request are an event pair each, with its own text and tags, below the mux's span."""
    events, spans = seen
    with serving(["4", "5", "6"]) as server:
        mux_over(server).chat(user("q"))
    (above,) = [id_ for id_ in spans.parents if id_.startswith("SLMMuxLLM.chat")]
    for name in ("LLMChatStartEvent", "LLMChatEndEvent"):
        samples = [e for e in events.of(name) if "slmmux_member" in e.tags]
        assert sorted(e.tags["slmmux_sample"] for e in samples) == [0, 1, 2]
        assert all(e.span_id == above or above in spans.above(e.span_id) for e in samples)
    texts = {e.tags.get("slmmux_sample"): e.response.message.content for e in events.of("LLMChatEndEvent")}
    assert (texts[0], texts[1], texts[2]) == ("4", "5", "6")
    assert spans.unclosed == []


def test_a_counter_counts_the_request_once():
    """A token counter on the mux comes to what the request cost."""
    counter = TokenCountingHandler(tokenizer=str.split)
    with serving(["5"]) as server:
        mux_over(server, callback_manager=CallbackManager([counter])).chat(user("q"))
    assert counter.total_llm_token_count == 16


def test_a_server_that_ignores_n(seen):
    """What is missing is asked for one by one, every token is counted, and the next question asks for no `n`."""
    events, _ = seen
    with serving([*"455", *"455"], n="ignored") as server:
        mux = mux_over(server)
        first = mux.chat(user("q"))
        assert [request.get("n", 1) for request in server.requests] == [3, 1, 1]
        assert len([e for e in events.of("LLMChatEndEvent") if "slmmux_member" in e.tags]) == 3
        second = mux.chat(user("q"))
        assert [request.get("n", 1) for request in server.requests[3:]] == [1, 1, 1]
    for response in (first, second):
        assert response.raw["slmmux"]["answer"] == "5"
        assert response.raw["usage"]["total_tokens"] == 3 * 12


@WAYS
def test_a_server_that_refuses_n(ask):
    """HTTP 400 on `n` is no failure: the samples are asked for one by one, from then on at once."""
    with serving([*"455", *"455"], n="refused") as server:
        mux = mux_over(server)
        for _ in range(2):
            record = ask(mux).raw["slmmux"]
            assert (record["answer"], record["votes"][0]["failed"]) == ("5", 0)
            for member in mux.models.values():
                member._aclient = None  # a client of its own for each loop, as for any OpenAI LLM
    assert [request.get("n", 1) for request in server.requests] == [3, 1, 1, 1, 1, 1, 1]


def test_a_refusal_that_is_not_about_n():
    """Where single requests are refused as well, each sample fails with the server's own words."""
    with serving([Refused(400, "the prompt is too long")]) as server, pytest.raises(NoAnswerError) as caught:
        mux_over(server).chat(user("q"))
    assert [error.index for error in caught.value.errors] == [0, 1, 2]
    assert "the prompt is too long" in str(caught.value)


def test_a_failed_request_fails_all_its_samples(seen):
    """HTTP 401 costs every sample of the request its vote, and each is reported under its own tags."""
    events, _ = seen
    with serving([Refused(401, "wrong key")]) as server, pytest.raises(NoAnswerError) as caught:
        mux_over(server).chat(user("q"))
    assert len(server.requests) == 1
    assert [error.index for error in caught.value.errors] == [0, 1, 2]
    assert {e.tags.get("slmmux_sample") for e in events.of("SpanDropEvent", "ExceptionEvent")} >= {0, 1, 2}


def test_an_n_of_the_users_own_is_left_alone():
    """A member with an `n` of the user's own is asked once a sample, with that."""
    with serving(["5"]) as server:
        mux = SLMMuxLLM(models={"a": openai(server, additional_kwargs={"n": 2})}, samples=3, wait="exhausted")
        mux.chat(user("q"))
    assert [request["n"] for request in server.requests] == [2, 2, 2]


def test_who_takes_several():
    """Members of OpenAI's class that chat are asked for several at once, and no others."""
    with serving(["5"]) as server:
        assert takes_several(openai(server))
        assert not takes_several(openai(server, is_chat_model=False))
        assert not takes_several(ScriptedLLM(script=["5"]))


def test_tools_with_n():
    """Tool calls of several completions are told apart, and voted on."""

    def add(a: int) -> int:
        """Add."""
        return a

    with serving([call("add", {"a": 1}), call("add", {"a": 2}), call("add", {"a": 2})]) as server:
        mux = mux_over(server)
        response = mux.chat_with_tools([FunctionTool.from_defaults(add)], "q", tool_required=True)
    assert [request["n"] for request in server.requests] == [3]
    assert server.requests[0]["tool_choice"] == "required"
    assert [c.tool_kwargs for c in mux.get_tool_calls_from_response(response)] == [{"a": 2}]


def test_cascade_asks_one_request_a_member():
    """Under the plan "cascade" the best member's samples are one request, and a second member's only if needed."""
    with serving(["5"]) as first, serving(["6"]) as second:
        mux = SLMMuxLLM(models={"a": openai(first), "b": openai(second)}, samples=3, plan="cascade")
        assert mux.complete("q").text == "5"
    assert ([request["n"] for request in first.requests], second.requests) == ([3], [])
