"""Real servers of other makers as members: vLLM, llama.cpp's own, LiteLLM's proxy, and Ollama's protocol.

vLLM and LiteLLM's proxy have environments of their own, which `.ci/full` makes and names in SLMMUX_VLLM and
SLMMUX_LITELLM (each the folder of a virtual environment); without them these tests are skipped with that sentence.
"""

import json
import os
import subprocess
from pathlib import Path

import httpx
import openai
import pytest
from langchain_ollama import ChatOllama

from langchain_slmmux import SLMMuxChatModel

from ..servers.loopback import serving as serving_protocol
from ..servers.ollama import ollama
from ..servers.openai_chat import openai_chat
from ..servers.replies import Call, Reply
from .real_servers import free_port, process
from .support import QUESTION, app, chat_openai, serving, until

CHOICE = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
PAINT = {"type": "function", "function": {"name": "paint", "description": "Paint it.", "parameters": CHOICE}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "colour", "schema": CHOICE, "strict": True}}


def environment(variable, program):
    """Return the folder of programs of an environment that another server is installed in."""
    folder = os.environ.get(variable)
    if folder is None:
        pytest.skip(f"{variable} does not name an environment with {program}; .ci/full makes one")
    return Path(folder) / "bin"


@pytest.fixture(scope="module")
def vllm(tmp_path_factory):
    """A vLLM on the CPU with a random model of two layers; yields its address."""
    programs = environment("SLMMUX_VLLM", "vLLM")
    folder = tmp_path_factory.mktemp("vllm")
    maker = Path(__file__).with_name("random_model.py")
    subprocess.run([programs / "python", maker, folder / "model"], check=True, capture_output=True)
    port = free_port()
    command = [
        str(programs / "vllm"), "serve", str(folder / "model"), "--served-model-name", "tiny", "--host", "127.0.0.1",
        "--port", str(port), "--dtype", "float32", "--max-model-len", "2048", "--enforce-eager",
        "--enable-auto-tool-choice", "--tool-call-parser", "hermes",
        "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    offline = {
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    with process(command, f"{url}/health", folder / "log", seconds=540, **offline):
        yield url


@pytest.fixture(scope="module")
def llama_cpp():
    """llama.cpp's own server with a small model; yields its address and key."""
    from slmmux.local import serve

    server = serve("smollm2-135m-instruct", parallel=4, context=1024)
    yield server
    server.close()


def member(url, **options):
    return chat_openai(url, model="tiny", timeout=300, **options)


def of_vllm(url, text):
    """Return the sum of a count of vLLM's own."""
    lines = [line for line in httpx.get(f"{url}/metrics").text.splitlines() if line.startswith(text)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.full
@pytest.mark.timeout(1500)
class TestVLLM:
    """vLLM below the server, at the wire and in vLLM's own counts."""

    @pytest.fixture(scope="class")
    def client(self, vllm):
        own = SLMMuxChatModel(
            models={"a": member(vllm, max_tokens=30), "b": member(vllm, max_tokens=30)}, samples=3, wait="exhausted"
        )
        with serving(app(own)) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=400) as client:
            yield client

    def test_samples_of_a_member_are_one_request(self, client, vllm):
        """Each member is asked once with n = 3, all six replies are counted, and their tokens are those of vLLM."""
        before = of_vllm(vllm, "vllm:request_params_n_sum"), of_vllm(vllm, "vllm:generation_tokens_total")
        reply = client.chat.completions.create(model="mux", messages=QUESTION, max_tokens=12)
        assert [row["of"] - row["failed"] - row["unused"] for row in reply.slmmux["votes"]] == [3, 3]
        until(lambda: of_vllm(vllm, "vllm:generation_tokens_total") - before[1] >= reply.usage.completion_tokens)
        assert of_vllm(vllm, "vllm:generation_tokens_total") - before[1] == reply.usage.completion_tokens
        assert of_vllm(vllm, "vllm:request_params_n_sum") - before[0] >= 6

    def test_a_schema_is_kept_and_voted_on(self, client):
        """vLLM constrains each sample; the answer is one of the two that the schema allows."""
        reply = client.chat.completions.create(model="mux", messages=QUESTION, response_format=SCHEMA)
        assert json.loads(reply.choices[0].message.content)["colour"] in {"red", "blue"}
        assert {row["abstained"] + row["failed"] for row in reply.slmmux["votes"]} == {0}

    def test_a_forced_tool_is_called(self, client):
        """The call is voted on and comes back as a call, whole and streamed."""
        asked = {
            "model": "mux",
            "messages": QUESTION,
            "tools": [PAINT],
            "tool_choice": {"type": "function", "function": {"name": "paint"}},
        }
        (whole,) = client.chat.completions.create(**asked).choices
        with client.chat.completions.stream(**asked) as stream:
            (streamed,) = stream.get_final_completion().choices
        for choice in (whole, streamed):
            (call,) = choice.message.tool_calls
            assert call.function.name == "paint"
            assert json.loads(call.function.arguments)["colour"] in {"red", "blue"}

    def test_one_sample_streams_its_own_tokens(self, vllm):
        """A reply of thirty tokens comes in many chunks, and its tokens are counted."""
        own = SLMMuxChatModel(models={"a": member(vllm, max_tokens=30, stream_usage=True)}, samples=1)
        with serving(app(own)) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            options = {"include_usage": True}
            stream = client.chat.completions.create(
                model="mux", messages=QUESTION, stream=True, stream_options=options, extra_body={"stop": None}
            )
            chunks = list(stream)
        assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks) > 3
        assert chunks[-1].usage.completion_tokens > 0

    def test_logprobs_of_the_winner_are_kept(self, vllm):
        """In Python a member's log-probabilities come with its message."""
        own = SLMMuxChatModel(models={"a": member(vllm, max_tokens=8, logprobs=True)}, samples=1)
        logprobs = own.invoke("2 + 2?").response_metadata["logprobs"]["content"]
        assert 0 < len(logprobs) <= 8
        assert all(each["logprob"] <= 0 for each in logprobs)

    def test_a_client_that_leaves_is_seen_by_vllm(self, vllm):
        """vLLM aborts the requests of a question whose client went away."""
        own = SLMMuxChatModel(models={"a": member(vllm, max_tokens=1900, extra_body={"ignore_eos": True})}, samples=2)
        aborted = 'vllm:request_success_total{engine="0",finished_reason="abort"'
        before = of_vllm(vllm, aborted)
        with serving(app(own)) as url:
            body = {"model": "mux", "messages": QUESTION, "stream": True}
            with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=60):
                until(lambda: of_vllm(vllm, "vllm:num_requests_running") > 0, 60)
            until(lambda: of_vllm(vllm, "vllm:num_requests_running") == 0, 60)
        assert of_vllm(vllm, aborted) > before


@pytest.mark.full
@pytest.mark.real_model
def test_llama_cpps_own_server(llama_cpp):
    """Tools, a schema, several samples, streaming and a client that leaves, at llama.cpp's own server."""
    own = {"api_key": llama_cpp.api_key, "model": llama_cpp.model, "base_url": llama_cpp.base_url, "max_tokens": 40}
    both = SLMMuxChatModel(models={"a": chat_openai("", **own), "b": chat_openai("", **own)}, samples=2)
    one = SLMMuxChatModel(models={"a": chat_openai("", **own)}, samples=1)
    with serving(app(both)) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=300) as client:
        reply = client.chat.completions.create(model="mux", messages=QUESTION)
        assert reply.slmmux["samples"]["planned"] == 4
        assert reply.usage.completion_tokens > 0
        schema = client.chat.completions.create(model="mux", messages=QUESTION, response_format=SCHEMA)
        assert json.loads(schema.choices[0].message.content)["colour"] in {"red", "blue"}
        tool = client.chat.completions.create(model="mux", messages=QUESTION, tools=[PAINT], tool_choice="required")
        (call,) = tool.choices[0].message.tool_calls
        assert json.loads(call.function.arguments)["colour"] in {"red", "blue"}
    with serving(app(one)) as url:
        body = {"model": "mux", "messages": QUESTION, "stream": True, "max_tokens": 900}
        with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=60) as response:
            lines = (line for line in response.iter_lines() if '"content":"' in line)
            assert [next(lines) for _ in range(4)]
        until(lambda: "questions_running 0.0" in httpx.get(f"{url}/metrics").text)
        headers = {"Authorization": f"Bearer {llama_cpp.api_key}"}
        slots = f"{llama_cpp.base_url.removesuffix('/v1')}/slots"
        if (state := httpx.get(slots, headers=headers)).status_code == 200:
            until(lambda: not any(s["is_processing"] for s in httpx.get(slots, headers=headers).json()), 60)
        else:
            assert state.status_code in {404, 501}  # builds without that address tell nothing


@pytest.mark.full
def test_litellms_proxy_below_the_server(tmp_path):
    """The proxy passes texts, calls and streams of a server of ours on to the mux."""
    programs = environment("SLMMUX_LITELLM", "litellm[proxy]")
    call = Reply(calls=(Call("paint", {"colour": "red"}),))
    with serving_protocol(openai_chat, [Reply("one two three"), Reply("one two three"), call]) as origin:
        config = tmp_path / "config.yaml"
        config.write_text(
            "model_list:\n  - model_name: tiny\n    litellm_params:\n      model: openai/tiny\n"
            f"      api_base: {origin.url}/v1\n      api_key: none\n"
        )
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [str(programs / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        with process(command, f"{url}/health/liveliness", tmp_path / "log", seconds=240, **offline):
            own = SLMMuxChatModel(models={"a": member(url)}, samples=1)
            with serving(app(own)) as served, openai.OpenAI(base_url=f"{served}/v1", api_key="none") as client:
                text = client.chat.completions.create(model="mux", messages=QUESTION)
                assert text.choices[0].message.content == "one two three"
                stream = client.chat.completions.create(model="mux", messages=QUESTION, stream=True)
                deltas = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
                assert "".join(deltas) == "one two three"
                tools = client.chat.completions.create(model="mux", messages=QUESTION, tools=[PAINT])
                assert tools.choices[0].message.tool_calls[0].function.name == "paint"


def test_members_that_speak_ollamas_protocol():
    """Ollama's own client package asks them; the answer, its tokens and a call reach the client in OpenAI's form."""
    call = Reply(calls=(Call("paint", {"colour": "red"}),))
    with serving_protocol(ollama, [Reply("4"), Reply("4"), call]) as server:
        chat = ChatOllama(model="tiny", base_url=server.url)
        own = SLMMuxChatModel(models={"a": chat}, samples=2, max_concurrency=1, wait="exhausted")
        with serving(app(own)) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            reply = client.chat.completions.create(model="mux", messages=QUESTION)
            tools = client.chat.completions.create(model="mux", messages=QUESTION, tools=[PAINT])
    assert (reply.choices[0].message.content, reply.slmmux["confidence"]) == ("4", 1.0)
    assert reply.usage.total_tokens > 0
    assert tools.choices[0].message.tool_calls[0].function.name == "paint"
    assert {request.path for request in server.requests} == {"/api/chat"}
