"""A stream begins at once, stays alive, tells samples if asked, and ends its work when the client leaves."""

import asyncio
import json
import threading
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import PrivateAttr

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import LearnedRule

from ..servers.loopback import serving as serving_protocol
from ..servers.openai_chat import openai_chat
from ..servers.replies import Reply
from .support import OSLO, QUESTION, Held, app, chat_openai, mux, serving, until

ASKED = {"model": "mux", "messages": QUESTION, "stream": True}
RULE = LearnedRule(("a",), (1_000_000,), (0,), (0.0, 1.0), 60)


def lines(response):
    return (line for line in response.iter_lines() if line)


def data(line):
    return json.loads(line.removeprefix("data: "))


def held(**options):
    member = Held()
    return member, SLMMuxChatModel(**{"models": {"a": member}, "samples": 3, **options})


def test_the_first_byte_comes_before_any_member_replied():
    """Then comments keep the connection alive, until the members are let go."""
    member, own = held()
    with (
        serving(app(own, keep_alive=0.02)) as url,
        httpx.stream("POST", f"{url}/v1/chat/completions", json=ASKED, timeout=30) as response,
    ):
        stream = lines(response)
        assert data(next(stream))["choices"][0]["delta"]["role"] == "assistant"
        assert [next(stream)[0] for _ in range(3)] == [":", ":", ":"]
        member.go.set()
        rest = [line for line in stream if line[0] != ":"]
    assert "".join(data(line)["choices"][0]["delta"].get("content", "") for line in rest[:-1]) == "4"
    assert rest[-1] == "data: [DONE]"


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_samples_are_told_if_asked_and_never_as_text(path):
    """Each sample that counted is told with its member, index and answer; the text is the winner's alone."""
    body = {**ASKED, "input": "hi"}
    body = {k: v for k, v in body.items() if k != ("input" if path == "chat/completions" else "messages")}
    with serving(app()) as url:
        streams = []
        for progress in (True, False):
            asked = body | {"slmmux": {"progress": progress}}
            with httpx.stream("POST", f"{url}/v1/{path}", json=asked, timeout=30) as response:
                streams.append([data(line) for line in lines(response) if line.startswith("data: {")])
    loud, quiet = streams
    samples = [
        chunk.get("slmmux", chunk).get("sample") for chunk in loud if "sample" in str(chunk.get("slmmux", chunk))
    ]
    samples = [sample for sample in samples if isinstance(sample, dict)]
    assert {(s["model"], s["index"]) for s in samples} == {(m, i) for m in ("sure", "unsure") for i in range(3)}
    assert {s["answer"] for s in samples if s["model"] == "sure"} == {"Oslo"}
    assert len(loud) == len(quiet) + 6
    assert "Bergen" not in "".join(str(chunk.get("choices") or chunk.get("delta")) for chunk in loud)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_cancels_its_samples(stream):
    """The calls that run are cancelled, and the place in the server is free again."""
    member, own = held()
    with serving(app(own, keep_alive=0.02, max_questions=1, max_waiting=0)) as url:
        asking = httpx.Client(timeout=30 if stream else 0.3)
        request = asking.build_request("POST", f"{url}/v1/chat/completions", json=ASKED | {"stream": stream})
        if stream:
            response = asking.send(request, stream=True)
            until(lambda: member.counts["running"] == 3)
            response.close()
        else:
            with pytest.raises(httpx.ReadTimeout):
                asking.send(request)
        asking.close()
        until(lambda: "questions_running 0.0" in httpx.get(f"{url}/metrics").text)
        assert member.counts["running"] == 0
        assert member.counts["cancelled"] == 3
        member.go.set()
        answer = httpx.post(f"{url}/v1/chat/completions", json=ASKED | {"stream": False}, timeout=30)
        assert answer.status_code == 200


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
async def test_a_client_that_left_before_the_first_byte_cancels_its_samples(path):
    """It sent its request and went: the stream never begins, and nothing is left running."""
    member, own = held()
    body = {"model": "mux", "stream": True} | ({"input": "hi"} if path == "responses" else {"messages": QUESTION})
    events = iter([{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}])
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/v1/{path}",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }

    async def receive():
        return next(events, {"type": "http.disconnect"})

    async def send(message):
        await asyncio.sleep(0)

    await app(own)(scope, receive, send)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert member.counts["running"] == 0


def test_an_error_after_the_beginning_is_an_event():
    """The status is sent already, so the error comes in OpenAI's shape, and the stream ends."""
    own = SLMMuxChatModel(models={"a": ScriptedChatModel(script=[RuntimeError("http://10.0.0.1/ broke")])}, samples=1)
    with serving(app(own)) as url, httpx.stream("POST", f"{url}/v1/chat/completions", json=ASKED) as response:
        *_, last = lines(response)
    assert data(last)["error"]["type"] == "server_error"
    assert "10.0.0.1" not in last


@pytest.mark.parametrize("error", [RuntimeError("http://10.0.0.1/ broke"), LookupError("x")])
def test_a_response_that_fails_after_the_beginning_says_so_to_each_client(error):
    """The SDK reads an error and a failed response; LangChain's client raises, and takes nothing for an answer."""
    own = SLMMuxChatModel(models={"a": ScriptedChatModel(script=[error])}, samples=1)
    with serving(app(own)) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        *_, told, failed = client.responses.create(model="mux", input="hi", stream=True)
        with pytest.raises(ValueError, match="no member replied"):
            list(chat_openai(url, use_responses_api=True).stream("hi"))
    assert (told.type, told.code, failed.type, failed.response.status) == (
        "error", "no_answer", "response.failed", "failed",
    )  # fmt: skip
    assert "no member replied" in told.message
    assert failed.response.error.message == told.message
    assert failed.response.error.code == "server_error"
    assert "10.0.0.1" not in told.message


def test_a_single_members_own_tokens_come_through():
    """With one member and one sample nothing has to be decided: its chunks are the stream, the record at the end."""
    with serving_protocol(openai_chat, [Reply("one two three")]) as member:
        chat = chat_openai(member.url, streaming=True)
        own = SLMMuxChatModel(models={"a": chat}, samples=1)
        with serving(app(own)) as url, httpx.stream("POST", f"{url}/v1/chat/completions", json=ASKED) as response:
            chunks = [data(line) for line in lines(response) if line.startswith("data: {")]
        assert member.requests[0].body["stream"] is True
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "one two three"
    assert chunks[-1]["slmmux"]["model"] == "a"


class Slow(ScriptedChatModel):
    """A bigger model that streams word by word, each when the test lets it, and may break off."""

    words: tuple[str, ...] = ("Oslo ", "it ", "is.")
    breaks_off: bool = False

    _go: threading.Semaphore = PrivateAttr(default_factory=lambda: threading.Semaphore(0))

    @property
    def go(self) -> threading.Semaphore:
        return self._go

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        for word in self.words:
            while not self._go.acquire(blocking=False):  # the test is on another thread
                await asyncio.sleep(0.002)
            yield ChatGenerationChunk(message=AIMessageChunk(word))
        if self.breaks_off:
            raise ConnectionError("gone")
        usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
        end = {"finish_reason": "length"}
        yield ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=usage), generation_info=end)


def escalating(bigger, **options):
    members = {"a": ScriptedChatModel(script=[ConnectionError("down")])}
    prices = {label: {"input": 1.0, "output": 1.0} for label in ("a", "escalate_to")}
    return SLMMuxChatModel(
        models=members, samples=2, rule=RULE, escalate_to=bigger, escalate_below=0.5, prices=prices, **options
    )


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_the_bigger_models_tokens_come_as_they_come(path):
    """Each word arrives before the next one is spoken; the end says that it was cut off, and its tokens are counted."""
    bigger = Slow(script=["never"])
    body = {"model": "mux", "stream": True} | ({"input": "hi"} if path == "responses" else {"messages": QUESTION})
    with (
        serving(app(escalating(bigger))) as url,
        httpx.stream("POST", f"{url}/v1/{path}", json=body, timeout=30) as response,
    ):
        stream = (data(line) for line in lines(response) if line.startswith("data: {"))
        arrived = []
        for word in bigger.words:
            bigger.go.release()
            text = ""
            while not text:
                chunk = next(stream)
                text = chunk.get("delta") or (chunk.get("choices") or [{"delta": {}}])[0]["delta"].get("content")
            arrived.append(text)
            assert text == word
        last = list(stream)[-1]
        metrics = httpx.get(f"{url}/metrics").text
    record = last["slmmux"] if path == "chat/completions" else last["response"]["slmmux"]
    assert record["outcome"] == "escalated"
    ending = last["choices"][0]["finish_reason"] if path == "chat/completions" else last["response"]["status"]
    assert ending == ("length" if path == "chat/completions" else "incomplete")
    assert 'slmmux_tokens_total{kind="output",member="escalate_to",model="mux"} 3.0' in metrics
    assert 'slmmux_cost_total{member="escalate_to",model="mux"} 1e-05' in metrics


def test_a_bigger_model_that_breaks_off_ends_the_stream_with_an_error():
    """A part of its answer was sent: no other answer may follow it."""
    bigger = Slow(script=["never"], breaks_off=True)
    own = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=["4"])}, samples=1, rule=RULE, escalate_to=bigger, escalate_below=1.0
    )
    for _ in bigger.words:
        bigger.go.release()
    with serving(app(own)) as url, httpx.stream("POST", f"{url}/v1/chat/completions", json=ASKED) as response:
        *_, last = lines(response)
    assert "broke off" in data(last)["error"]["message"]


def test_the_only_sample_streams_within_a_deadline():
    """A deadline ends it, and does not hold its tokens back."""
    member = Slow(script=["never"])
    own = SLMMuxChatModel(models={"a": member}, samples=1, deadline=20)
    with serving(app(own)) as url, httpx.stream("POST", f"{url}/v1/chat/completions", json=ASKED) as response:
        stream = lines(response)
        next(stream)
        for word in member.words:
            member.go.release()
            assert data(next(stream))["choices"][0]["delta"]["content"] == word


def test_a_mux_inside_of_a_mux_is_not_heard():
    """Its answer is a sample: its bigger model's tokens are no part of the outer answer."""
    bigger = Slow(script=["never"])
    for _ in range(2 * len(bigger.words)):
        bigger.go.release()
    own = SLMMuxChatModel(models={"inner": escalating(bigger)}, samples=2, wait="exhausted")
    with serving(app(own)) as url, httpx.stream("POST", f"{url}/v1/chat/completions", json=ASKED) as response:
        chunks = [data(line) for line in lines(response) if line.startswith("data: {")]
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "never"  # its whole reply


def test_a_whole_answer_and_a_streamed_one_say_the_same():
    """The pieces join to the text, and the records differ in time alone."""
    with serving(app(mux(plan="cascade"))) as url:
        whole = httpx.post(f"{url}/v1/chat/completions", json=ASKED | {"stream": False}).json()
        with httpx.stream("POST", f"{url}/v1/chat/completions", json=ASKED) as response:
            chunks = [data(line) for line in lines(response) if line.startswith("data: {")]
    assert whole["choices"][0]["message"]["content"] == OSLO
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == OSLO
    assert {**chunks[-1]["slmmux"], "seconds": 0} == {**whole["slmmux"], "seconds": 0}
