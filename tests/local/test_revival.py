"""A local server under a running mux: killed or hanging, it is there again at the next call, at the same address.

The processes are real; what they serve instead of a model is a script in llama.cpp's place.
"""

import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from slmmux import LearnedRule, Pool
from slmmux._mux.kept import kept_alive
from slmmux._mux.limiter import no_limit, wait_for
from slmmux._mux.rest import Rest
from slmmux.local import serve, server
from tests.frameworks import LangChain, LlamaIndex

SERVER = """
import json, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace as Bag

llama_pooling_type = Bag(LLAMA_POOLING_TYPE_MEAN=1)

def CommonParams():
    return Bag(model=Bag(path=None), cpuparams=Bag(), cpuparams_batch=Bag(), n_batch=1)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer({"status": "ok"})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != "Bearer " + Handler.key:
            self.send_error(401)
            return
        message = {"role": "assistant", "content": "4"}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        self._answer({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice] * 2, "usage": usage})
    def _answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

def Server(params):
    Handler.key = params.api_keys[0]
    http = ThreadingHTTPServer(("127.0.0.1", params.port), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    return Bag(listening_address=f"http://127.0.0.1:{http.server_port}")
"""


@pytest.fixture
def running(tmp_path, monkeypatch, gguf):
    """A running server."""
    package = tmp_path / "instead" / "xllamacpp"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SERVER)
    monkeypatch.syspath_prepend(package.parent)
    file = tmp_path / "own.gguf"
    file.write_bytes(gguf())
    one = serve(file, parallel=2)
    yield one
    one.close()


def langchain(one, **options):
    from langchain_openai import ChatOpenAI

    member = ChatOpenAI(base_url=one.base_url, api_key=one.api_key, model=one.model, max_retries=0)
    mux = SLMMuxChatModel(models={"a": member}, samples=2, wait="exhausted", **options)
    return lambda: mux.invoke("q").text


def llamaindex(one, **options):
    from llama_index.llms.openai_like import OpenAILike

    member = OpenAILike(api_base=one.base_url, api_key=one.api_key, model=one.model, max_retries=0, is_chat_model=True)
    mux = SLMMuxLLM(models={"a": member}, samples=2, wait="exhausted", **options)
    return lambda: mux.complete("q").text


BOTH = pytest.mark.parametrize("framework", [langchain, llamaindex])


@BOTH
def test_a_server_that_was_killed_is_started_again_at_the_next_call(running, framework):
    """Each of three kills costs no answer: the same mux, address and key go on."""
    ask = framework(running)
    assert ask() == "4"
    for _ in range(3):
        os.kill(running._process.pid, signal.SIGKILL)
        running._process.wait()
        assert ask() == "4"


@BOTH
def test_a_server_that_hangs_is_replaced_after_it_failed(running, framework):
    """A stopped process costs the question that finds it; the next one is asked of a new process at its address."""
    ask = framework(running, timeout=1.0)
    assert ask() == "4"
    hanging, address = running._process, running.base_url
    os.kill(hanging.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        ask()
    running_answers = running.answers
    running.answers = lambda: running_answers(patience_s=0.2)
    assert ask() == "4"
    assert running._process is not hanging
    assert running.base_url == address
    assert hanging.poll() is not None


@pytest.mark.parametrize("framework", [LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
def test_a_stream_that_goes_straight_through_notes_a_failure(framework):
    """After a stream that failed the member's server is asked for its health, until a stream brings something."""

    def script(messages, turn, kwargs):
        if turn == 0:
            raise ConnectionError("refused")
        return "4"

    mux = framework.mux({"a": framework.member(script)}, samples=1)
    (member,) = mux._members.values()
    with pytest.raises(ConnectionError):
        list(framework.stream(mux, "q"))
    assert member.memory.rest.failures == 1
    assert list(framework.stream(mux, "q"))
    assert member.memory.rest.failures == 0


def test_the_bigger_models_server_is_started_again(running):
    """The server of the model that is escalated to is looked after like a member's."""
    from langchain_openai import ChatOpenAI

    rule = LearnedRule(("a", "b"), (2_000_000, 1_000_000), (0, 0), (0.0, 1.0), 60)
    bigger = ChatOpenAI(base_url=running.base_url, api_key=running.api_key, model=running.model, max_retries=0)
    models = {label: ScriptedChatModel(script=["5"]) for label in "ab"}
    mux = SLMMuxChatModel(models=models, samples=1, rule=rule, escalate_to=bigger, escalate_below=1.0)
    running._process.kill()
    running._process.wait()
    message = mux.invoke("q")
    assert (message.text, message.response_metadata["slmmux"]["outcome"]) == ("4", "escalated")


def test_a_closed_server_stays_closed(running):
    """What its user ended is not started again behind their back."""
    running.close()
    running.revive()
    assert not running.running


@pytest.fixture
def starting(monkeypatch):
    """Two events: a server has begun to start; it may go on."""
    started, go_on = threading.Event(), threading.Event()
    ask = server._ask

    def slow_ask(process, spec):
        started.set()
        go_on.wait(60)
        return ask(process, spec)

    monkeypatch.setattr(server, "_ask", slow_ask)
    yield started, go_on
    go_on.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
def test_a_child_does_not_wait_for_a_revival_of_its_parent(running, starting):
    """A call in a child that was forked during a revival begins at once: nobody there would end that revival."""
    started, go_on = starting
    pace = kept_alive(SimpleNamespace(base_url=running.base_url), Rest(), no_limit, Pool(1))
    running._process.kill()
    running._process.wait()
    assert pace() > 0
    assert started.wait(60)
    if (child := os.fork()) == 0:
        os._exit(pace() > 0)
    go_on.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    wait_for(pace)
    assert running.running


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
def test_a_server_that_is_starting_outlives_no_parent_through_a_fork(running, starting):
    """A child that is forked while a server starts holds no end of its pipe: the server would outlive its parent."""
    started, go_on = starting
    running._process.kill()
    running._process.wait()
    thread = threading.Thread(target=running.revive)
    thread.start()
    assert started.wait(60)
    pipes = {os.fstat(process.stdin.fileno()).st_ino for process in server._processes if process.stdin}
    if (child := os.fork()) == 0:
        descriptors = [each for each in Path("/proc/self/fd").iterdir() if each.exists()]
        os._exit(len(pipes & {each.stat().st_ino for each in descriptors}))
    go_on.set()
    thread.join()
    assert pipes
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert running.running
