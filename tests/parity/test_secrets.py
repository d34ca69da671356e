"""No secret leaves the process, by what it is: kinds of secret x what leaves, in both frameworks.

The members are real clients; their server echoes everything that it was sent, as the text of an error or of a reply. A
new output is a function in `OUTPUTS`, a new kind of secret a function in `KINDS`.
"""

import asyncio
import json
import logging
import pickle
import threading
import traceback
import warnings
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

import langchain_slmmux.testing
import llamaindex_slmmux.testing
from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM
from slmmux import NoAnswerError, explain, observe_samples
from slmmux._mux.offline.profile import Members
from slmmux._mux.secrets import secrets_of
from slmmux.serve import create_app
from slmmux.store import Store, put_plan, status, work
from tests.spans import spans

SECRET = "s3cr3t-0123456789-abcdef"
FROM_ENVIRONMENT = object()  # in place of a key: the client reads OPENAI_API_KEY
ENVIRONMENT = "environment"  # variables that are set before anything is made
HANDED_IN = "handed in"  # what the clients of httpx are made of that a member is handed


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
    return {HANDED_IN: {"headers": {"X-Proxy": SECRET}}}, {}


def a_cookie_of_a_client_handed_in(host):
    return {HANDED_IN: {"cookies": {"session": SECRET}}}, {}


def a_password_of_a_client_handed_in(host):
    return {HANDED_IN: {"auth": ("user", SECRET)}}, {}


def a_proxy_of_a_client_handed_in(host):
    return {HANDED_IN: {"proxy": f"http://user:{SECRET}@{host}"}}, {}


def a_header_for_the_proxy_of_a_client_handed_in(host):
    return {HANDED_IN: {"proxy": httpx.Proxy(f"http://{host}", headers={"X-Proxy": SECRET})}}, {}


def a_proxy_in_the_environment(host):
    return {ENVIRONMENT: {"http_proxy": f"http://user:{SECRET}@{host}", "no_proxy": ""}}, {}


def a_password_in_the_address(host):
    return {"base_url": f"http://user:{SECRET}@{host}/v1"}, {}


def an_escaped_password_in_the_address(host):
    return {"base_url": f"http://user:{quote(SECRET + '/@', safe='')}@{host}/v1"}, {}


def a_query(host):
    return {"default_query": {"sig": SECRET}}, {}


def a_key_in_the_environment(host):
    return {"api_key": FROM_ENVIRONMENT}, {}


KINDS = [
    a_key, a_key_in_the_environment, a_key_that_a_function_returns, a_default_header, a_cookie, a_header_of_a_call,
    a_header_of_a_client_handed_in, a_cookie_of_a_client_handed_in, a_password_of_a_client_handed_in,
    a_proxy_of_a_client_handed_in, a_header_for_the_proxy_of_a_client_handed_in, a_proxy_in_the_environment,
    a_password_in_the_address, an_escaped_password_in_the_address, a_query,
]  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Make what a kind is made of, with the environment that it asks for."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)

    def make(kind, host):
        made, arguments = kind(host)
        for name, value in made.pop(ENVIRONMENT, {}).items():
            monkeypatch.setenv(name, value)
        return made, arguments

    return make


KEYS = {a_key, a_key_in_the_environment, a_key_that_a_function_returns}  # two of them ask the same model


def without_key(made):
    """Return what a client is made of, without a key if it takes the key from the environment."""
    return {name: value for name, value in made.items() if value is not FROM_ENVIRONMENT}


def as_coroutine(key):
    """Return a function that returns a key as an async client awaits it."""

    async def call():
        return key()

    return call


class LangChain:
    profile = staticmethod(langchain_slmmux.profile)
    compare = staticmethod(langchain_slmmux.compare)

    def member(self, host, more):
        made = without_key({"base_url": f"http://{host}/v1", "api_key": "none", **more})
        if isinstance(made.get("api_key"), str):
            made["api_key"] = SecretStr(made["api_key"])
        if (options := made.pop(HANDED_IN, None)) is not None:
            made |= {"http_client": httpx.Client(**options), "http_async_client": httpx.AsyncClient(**options)}
        return ChatOpenAI(model="m", max_retries=0, use_responses_api=False, **made)

    def mux(self, member, **others):
        models = {label: langchain_slmmux.testing.ScriptedChatModel(script=[text]) for label, text in others.items()}
        return SLMMuxChatModel(models={"a": member, **models}, samples=2, wait="exhausted")

    def ask(self, mux, arguments, handlers=()):
        return mux.invoke("hello", {"callbacks": list(handlers)}, **arguments)

    async def aask(self, mux, arguments):
        return await mux.ainvoke("hello", **arguments)


class LlamaIndex:
    profile = staticmethod(llamaindex_slmmux.profile)
    compare = staticmethod(llamaindex_slmmux.compare)

    def member(self, host, more):
        made = without_key({"base_url": f"http://{host}/v1", "api_key": "none", **more})
        options = made.pop(HANDED_IN, None)
        more = dict(made)
        if options is not None:
            made["http_client"], more["http_client"] = httpx.Client(**options), httpx.AsyncClient(**options)
        if callable(key := more.get("api_key")):
            more["api_key"] = as_coroutine(key)
        clients = {
            "openai_client": openai.OpenAI(max_retries=0, **made),
            "async_openai_client": openai.AsyncOpenAI(max_retries=0, **more),
        }
        return OpenAILike(model="m", max_retries=0, is_chat_model=True, api_key="none", **clients)

    def mux(self, member, **others):
        models = {label: llamaindex_slmmux.testing.ScriptedLLM(script=[text]) for label, text in others.items()}
        return SLMMuxLLM(models={"a": member, **models}, samples=2, wait="exhausted")

    def ask(self, mux, arguments, handlers=()):
        return mux.complete("hello", **arguments)

    async def aask(self, mux, arguments):
        return await mux.acomplete("hello", **arguments)


# --- outputs: what leaves ---------------------------------------------------------------------------------------------


class Everything(BaseCallbackHandler):
    """A handler that keeps all it hears, but the replies, which are the member's own words."""

    def __init__(self):
        self.texts = []

    def on_chat_model_start(self, *args, **kwargs):
        self.texts.append(repr((args, kwargs)))

    def on_llm_error(self, error, **kwargs):
        self.texts += [repr((error, kwargs)), *traceback.format_exception(error)]


class Asked:
    """A mux whose server failed with all that it was sent: the errors of both ways, and what was heard meanwhile."""

    def __init__(self, framework, mux, arguments):
        self.framework, self.mux, self.arguments = framework, mux, arguments
        self.heard = Everything()
        with spans() as exporter:
            with pytest.raises(NoAnswerError) as caught:
                framework.ask(mux, arguments, [self.heard])
            with pytest.raises(NoAnswerError) as caught_on_a_loop:
                asyncio.run(framework.aask(mux, arguments))
        self.spans = [span for span in exporter.get_finished_spans() if span.name.startswith("SLMMux")]
        self.errors = [caught.value, caught_on_a_loop.value]


def an_error_and_its_chain(asked):
    chain, texts = [*asked.errors], []
    for each in chain:
        texts += [str(each), repr(each), *map(str, vars(each).values()), str(getattr(each, "body", ""))]
        inner = [each.__cause__, each.__context__, *(failed.cause for failed in getattr(each, "errors", ()))]
        chain += [one for one in inner if isinstance(one, BaseException) and one not in chain]
    return texts


def a_traceback(asked):
    return [line for error in asked.errors for line in traceback.format_exception(error)]


def a_pickled_error(asked):
    return [pickle.dumps(error).decode("latin-1") for error in asked.errors]


def a_trace(asked):
    return asked.heard.texts


def a_span(asked):
    """Return the mux's own spans of OpenTelemetry; OpenInference is here for LlamaIndex alone."""
    assert bool(asked.spans) == isinstance(asked.mux, SLMMuxLLM)
    return [span.to_json() for span in asked.spans]


def a_dump(asked):
    mux = asked.mux
    return [repr(mux), mux.model_dump_json(), dumps(mux) if isinstance(mux, SLMMuxChatModel) else mux.to_json()]


def a_cache_key(asked):
    mux = asked.mux
    if isinstance(mux, SLMMuxLLM):
        return [json.dumps(mux.to_dict(), default=str)]
    return [
        mux._get_llm_string(**asked.arguments),
        repr(mux._identifying_params),
        repr(mux._get_invocation_params(**asked.arguments)),
    ]


def a_served_error(asked):
    """Return what `slmmux serve` answers to a client whose question failed; it has muxes of LangChain alone."""
    if isinstance(asked.mux, SLMMuxLLM):
        return []
    body = {"model": "mux", "messages": [{"role": "user", "content": "hello"}]}

    async def post():
        transport = httpx.ASGITransport(create_app({"mux": asked.mux}))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            replies = [
                await client.post("/v1/chat/completions", json=more) for more in (body, {**body, "stream": True})
            ]
            return [f"{reply.status_code} {reply.headers} {reply.text}" for reply in replies]

    texts = asyncio.run(post())
    assert not texts[0].startswith("200")
    return texts


OUTPUTS = [an_error_and_its_chain, a_traceback, a_pickled_error, a_trace, a_span, a_dump, a_cache_key, a_served_error]


# OpenInference's own; as an error it would be swallowed, and a span with it.
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:openinference")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("framework", [LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
def test_no_secret_leaves(framework, kind, echo, environment, caplog):
    """What was sent to a server that echoes it stands in nothing that leaves the process, our logs included."""
    caplog.set_level(logging.DEBUG, "slmmux")
    made, arguments = environment(kind, echo.host)
    asked = Asked(framework, framework.mux(framework.member(echo.host, made)), arguments)
    assert all(SECRET in sent or "Basic " in sent for sent in echo.seen)  # or the test would say nothing
    for output in OUTPUTS:
        check(output.__name__, output(asked))
    check("a log", [record.getMessage() for record in caplog.records if record.name == "slmmux"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("framework", [LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
def test_no_secret_leaves_with_an_answer(framework, kind, echo, environment):
    """A member that fails beside one that replies: its warning, the record, the explanation, whoever watches samples."""
    made, arguments = environment(kind, echo.host)
    mux = framework.mux(framework.member(echo.host, made), other="4")
    samples = []
    with warnings.catch_warnings(record=True) as caught, observe_samples(samples.append):
        warnings.simplefilter("always")
        reply = framework.ask(mux, arguments)
    record = reply.response_metadata["slmmux"] if isinstance(mux, SLMMuxChatModel) else reply.raw["slmmux"]
    assert record["lost"] == ["a"]
    explained = explain(reply)
    check("a warning", [str(each.message) for each in caught])
    check("the record", [json.dumps(record)])
    check("an explanation", [str(explained), repr(explained), explained._repr_html_()])
    failed = [sample.error for sample in samples if sample.draw.model == "a"]
    assert len(failed) == 2
    check("an observed sample", [repr(samples), *(line for one in failed for line in traceback.format_exception(one))])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not a_header_of_a_call], ids=lambda k: k.__name__)
@pytest.mark.parametrize("framework", [LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
def test_no_secret_reaches_a_store(framework, kind, echo, environment, tmp_path):
    """Plan, tasks, samples and errors of a campaign, and its status, hold nothing that the members were made with."""
    made, _ = environment(kind, echo.host)
    echo.replies = True
    pool = Members(framework.mux(framework.member(echo.host, made)))
    store = Store(str(tmp_path / "store.db"))
    put_plan(store, pool, [{"question_id": f"q{i}", "question": f"{i}?", "gold": "1"} for i in range(2)])
    work(store, pool, concurrency=1, retries=0)
    check("the status", [repr(status(store))])
    store.close()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    for file in files:
        check(file.name, [file.read_bytes().decode("latin-1")])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not a_header_of_a_call], ids=lambda k: k.__name__)
@pytest.mark.parametrize("framework", [LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
def test_no_secret_is_recorded(framework, kind, echo, environment, tmp_path):
    """A server that echoes what it was sent gets no secret into a recording, nor into those of a comparison."""
    made, _ = environment(kind, echo.host)
    echo.replies = True
    mux = framework.mux(framework.member(echo.host, made))
    questions = [{"question_id": f"q{i}", "question": f"{i}?", "gold": "1"} for i in range(2)]
    path = tmp_path / "samples.jsonl"
    framework.profile(mux, questions, recording=path, concurrency=1, retries=0, progress=False)
    folder = tmp_path / "compared"
    framework.compare(mux, questions, folder=folder, methods=["single", "fuse"], concurrency=1, progress=False)
    assert any(SECRET in sent or "Basic " in sent for sent in echo.seen)
    files = [path, *(file for file in folder.rglob("*") if file.is_file())]
    assert len(files) > 1
    for file in files:
        check(file.name, [file.read_text("utf-8")])


def check(output, texts):
    """Fail if a secret is in one of the texts; name the output."""
    for text in texts:
        assert SECRET not in text, output
        assert "Basic dX" not in text, output  # user:... in base64


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in KEYS])
def test_what_differs_in_a_secret_alone_has_a_cache_key_of_its_own(kind, environment, monkeypatch):
    """A header or an address may say whose answers these are: two of them share no key, and the same one has one key."""
    keys = []
    for secret in (SECRET, "another-0123456789-abcdef", SECRET):
        monkeypatch.setitem(globals(), "SECRET", secret)
        made, arguments = environment(kind, "127.0.0.1:9")
        mux = LangChain().mux(LangChain().member("127.0.0.1:9", made))
        keys.append(mux._get_llm_string(**arguments))
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


class Credentials:
    """The keys of a cloud as its clients hold them: plain texts of an object."""

    def __init__(self):
        self.access_key, self.secret_key, self.token = "AKIA-ONE", SECRET, "session-token"


@pytest.mark.parametrize(
    ("values", "secrets"),
    [
        ({"cert": ("/keys/client.pem", "/keys/client.key", SECRET)}, {"/keys/client.pem", "/keys/client.key", SECRET}),
        ({"auth": ("user", SECRET)}, {SECRET}),
        ({"client_kwargs": {"auth": httpx.DigestAuth("user", SECRET)}}, {SECRET}),
        ({"client_kwargs": {"cookies": {"session": SECRET}}}, {SECRET}),
        ({"client_kwargs": {"proxy": f"http://user:{SECRET}@127.0.0.1:9"}}, {SECRET}),
        ({"client_kwargs": {"transport": httpx.HTTPTransport(proxy=f"http://user:{SECRET}@127.0.0.1:9")}}, {SECRET}),
        ({"aws_access_key_id": "AKIA-ONE", "aws_secret_access_key": SECRET}, {"AKIA-ONE", SECRET}),
        ({"aws_session_token": SECRET, "key_passphrase": "pass-phrase"}, {SECRET, "pass-phrase"}),
        ({"credentials": Credentials()}, {"AKIA-ONE", SECRET, "session-token"}),
    ],
)
def test_what_a_member_is_made_of_is_known_as_secret(values, secrets):
    """Certificates, logins, proxies and a cloud's keys, in plain fields and in what a client is made of."""
    assert secrets <= {*secrets_of(values)}
