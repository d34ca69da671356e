"""No secret leaves the process, by what it is: kinds of secret x what leaves, in both frameworks.

The members are real clients; their server echoes everything that it was sent, as the text of an error or of a reply. A
new output is a function in `OUTPUTS`, a new kind of secret a function in `KINDS`.
"""

import json
import logging
import pickle
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import httpx
import openai
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import SecretStr

import langchain_slmmux
import llamaindex_slmmux
from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM
from slmmux import NoAnswerError

SECRET = "s3cr3t-0123456789-abcdef"


class Echo:
    """A server that answers with all it was sent: as an error, or every other time as a reply."""

    def __init__(self):
        echo = self
        self.replies = False
        self.seen = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                sent = f"{self.path} {dict(self.headers)} {body}"
                echo.seen.append(sent)
                if echo.replies and len(echo.seen) % 2:
                    message = {"role": "assistant", "content": f"The answer is {sent}"}
                    choice = {"index": 0, "message": message, "finish_reason": "stop"}
                    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
                    value = {
                        "id": "1",
                        "object": "chat.completion",
                        "created": 1,
                        "model": "m",
                        "choices": [choice],
                        "usage": usage,
                    }
                    status = 200
                else:
                    value, status = {"error": {"message": f"cannot: {sent}", "type": "bad", "code": None}}, 404
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def echo():
    one = Echo()
    yield one
    one.server.shutdown()
    one.server.server_close()


# --- kinds: (what both clients are made of, the arguments of a call) --------------------------------------------------


def a_key(host):
    return {"api_key": SECRET}, {}


def a_key_that_a_function_returns(host):
    return {"api_key": lambda: SECRET}, {}


def a_default_header(host):
    return {"default_headers": {"X-Auth": SECRET}}, {}


def a_cookie(host):
    return {"default_headers": {"Cookie": f"theme=dark; session={SECRET}"}}, {}


def a_header_of_a_call(host):
    return {}, {"extra_headers": {"X-Tenant": SECRET}}


def a_header_of_a_client_handed_in(host):
    return {"http_client": httpx.Client(headers={"X-Proxy": SECRET})}, {}


def a_password_in_the_address(host):
    return {"base_url": f"http://user:{SECRET}@{host}/v1"}, {}


def an_escaped_password_in_the_address(host):
    return {"base_url": f"http://user:{quote(SECRET + '/@', safe='')}@{host}/v1"}, {}


def a_query(host):
    return {"default_query": {"sig": SECRET}}, {}


KINDS = [
    a_key, a_key_that_a_function_returns, a_default_header, a_cookie, a_header_of_a_call,
    a_header_of_a_client_handed_in, a_password_in_the_address, an_escaped_password_in_the_address, a_query,
]  # fmt: skip


class LangChain:
    profile = staticmethod(langchain_slmmux.profile)

    def member(self, host, more):
        made = {"base_url": f"http://{host}/v1", "api_key": "none", **more}
        if isinstance(made["api_key"], str):
            made["api_key"] = SecretStr(made["api_key"])
        return ChatOpenAI(model="m", max_retries=0, use_responses_api=False, **made)

    def mux(self, member):
        return SLMMuxChatModel(models={"a": member}, samples=2)

    def ask(self, mux, arguments, handlers=()):
        return mux.invoke("hello", {"callbacks": list(handlers)}, **arguments)


class LlamaIndex:
    profile = staticmethod(llamaindex_slmmux.profile)

    def member(self, host, more):
        made = {"base_url": f"http://{host}/v1", "api_key": "none", **more}
        client = openai.OpenAI(max_retries=0, **made)
        return OpenAILike(model="m", max_retries=0, is_chat_model=True, api_key="none", openai_client=client)

    def mux(self, member):
        return SLMMuxLLM(models={"a": member}, samples=2)

    def ask(self, mux, arguments, handlers=()):
        return mux.complete("hello", **arguments)


# --- outputs: what leaves ---------------------------------------------------------------------------------------------


def error_of(framework, mux, arguments, handlers=()):
    with pytest.raises(NoAnswerError) as caught:
        framework.ask(mux, arguments, handlers)
    return caught.value


def an_error_and_its_chain(framework, mux, arguments, tmp_path, caplog):
    error = error_of(framework, mux, arguments)
    chain, texts = [error, *(each.cause for each in error.errors)], []
    for each in chain:
        texts += [str(each), repr(each), *map(str, vars(each).values()), str(getattr(each, "body", ""))]
        chain += [inner for inner in (each.__cause__, each.__context__) if inner is not None and inner not in chain]
    return texts


def a_traceback(framework, mux, arguments, tmp_path, caplog):
    return traceback.format_exception(error_of(framework, mux, arguments))


def a_pickled_error(framework, mux, arguments, tmp_path, caplog):
    return [pickle.dumps(error_of(framework, mux, arguments)).decode("latin-1")]


def a_log(framework, mux, arguments, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "slmmux")
    error_of(framework, mux, arguments)
    return [record.getMessage() for record in caplog.records if record.name == "slmmux"]


class Everything(BaseCallbackHandler):
    def __init__(self):
        self.texts = []

    def on_chat_model_start(self, *args, **kwargs):
        self.texts.append(repr((args, kwargs)))

    def on_llm_end(self, *args, **kwargs):
        pass  # the reply is the member's own words

    def on_llm_error(self, error, **kwargs):
        self.texts += [repr((error, kwargs)), *traceback.format_exception(error)]


def a_trace(framework, mux, arguments, tmp_path, caplog):
    everything = Everything()
    error_of(framework, mux, arguments, [everything])
    return everything.texts


def a_dump(framework, mux, arguments, tmp_path, caplog):
    return [repr(mux), mux.model_dump_json(), dumps(mux) if isinstance(mux, SLMMuxChatModel) else mux.to_json()]


def a_cache_key(framework, mux, arguments, tmp_path, caplog):
    if isinstance(mux, SLMMuxLLM):
        return [json.dumps(mux.to_dict(), default=str)]
    return [
        mux._get_llm_string(**arguments),
        repr(mux._identifying_params),
        repr(mux._get_invocation_params(**arguments)),
    ]


def a_recording(framework, mux, arguments, tmp_path, caplog):
    path = tmp_path / "samples.jsonl"
    questions = [{"question_id": f"q{i}", "question": f"{i}?", "gold": "1"} for i in range(4)]
    framework.profile(mux, questions, recording=path, concurrency=1, retries=0, progress=False)
    return [path.read_text()]


OUTPUTS = [an_error_and_its_chain, a_traceback, a_pickled_error, a_log, a_trace, a_dump, a_cache_key, a_recording]


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output.__name__)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("framework", [LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
def test_no_secret_leaves(framework, kind, output, echo, tmp_path, caplog):  # noqa: PLR0917 - a table of three
    """What was sent to a server that echoes it stands in nothing that leaves the process."""
    made, arguments = kind(echo.host)
    if output is a_recording and arguments:
        pytest.skip("a profile takes no arguments of a call")
    echo.replies = output is a_recording
    mux = framework.mux(framework.member(echo.host, made))
    texts = output(framework, mux, arguments, tmp_path, caplog)
    if output not in {a_dump, a_cache_key}:
        assert any(SECRET in sent or "Basic " in sent for sent in echo.seen)  # or the test would say nothing
    for text in texts:
        assert SECRET not in text
        assert "Basic dX" not in text  # user:... in base64


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {a_key, a_key_that_a_function_returns}])
def test_what_differs_in_a_secret_alone_has_a_cache_key_of_its_own(kind, monkeypatch):
    """A header or an address may say whose answers these are: two of them share no key, and the same one has one key."""
    keys = []
    for secret in (SECRET, "another-0123456789-abcdef", SECRET):
        monkeypatch.setitem(globals(), "SECRET", secret)
        made, arguments = kind("127.0.0.1:9")
        mux = LangChain().mux(LangChain().member("127.0.0.1:9", made))
        keys.append(mux._get_llm_string(**arguments))
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]
