"""Safe by default: who may ask, what is read, and what no reply and no log tells."""

import logging
import socket

import httpx
import pytest
import uvicorn

from langchain_slmmux import SLMMuxChatModel
from slmmux.cli import app as commands

from ..servers.loopback import Response
from ..servers.loopback import serving as serving_protocol
from ..servers.openai_chat import openai_chat
from ..servers.replies import Fault
from .support import QUESTION, app, chat_openai, serving

ASKED = {"model": "mux", "messages": QUESTION}


def test_a_key_is_asked_for_where_there_is_one():
    """Without it, or with another, everything but probes and the page is 401."""
    with serving(app(api_key="secret-1")) as url:
        for headers in ({}, {"authorization": "Bearer secret-2"}, {"authorization": "secret-1"}):
            for path in ("/v1/models", "/metrics"):
                assert httpx.get(url + path, headers=headers).status_code == 401
            reply = httpx.post(f"{url}/v1/chat/completions", json=ASKED, headers=headers)
            assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_api_key")
        assert [httpx.get(url + path).status_code for path in ("/health", "/ready", "/")] == [200, 200, 200]
        headers = {"authorization": "Bearer secret-1"}
        assert httpx.post(f"{url}/v1/chat/completions", json=ASKED, headers=headers).status_code == 200


def test_only_who_addresses_this_machine_as_itself_may_ask():
    """A web page whose name was pointed at loopback is refused, and no page elsewhere may send JSON."""
    with serving(app(local_only=True)) as url:
        assert httpx.get(f"{url}/v1/models").status_code == 200
        assert httpx.get(f"{url}/v1/models", headers={"host": "evil.example"}).status_code == 403
        asked = httpx.post(f"{url}/v1/chat/completions", content="{}", headers={"content-type": "text/plain"})
        assert asked.status_code == 415
        preflight = {"origin": "https://evil.example", "access-control-request-method": "POST"}
        assert httpx.options(f"{url}/v1/chat/completions", headers=preflight).status_code >= 400


def test_a_given_origin_may_ask():
    """CORS is off unless an origin is named, and then for that one alone."""
    with serving(app(cors=["https://good.example"])) as url:
        for origin, allowed in (("https://good.example", "https://good.example"), ("https://evil.example", None)):
            reply = httpx.get(f"{url}/v1/models", headers={"origin": origin})
            assert reply.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_read_to_its_bound(chunked):
    """Larger ones are refused, whether they state their length or not."""
    with serving(app(max_body=2000)) as url:
        content = b'{"a": "' + b"x" * 100_000 + b'"}'
        parts = (content[i : i + 1000] for i in range(0, len(content), 1000))
        headers = {"content-type": "application/json"}
        try:
            reply = httpx.post(f"{url}/v1/chat/completions", content=parts if chunked else content, headers=headers)
        except httpx.WriteError:  # it closed the connection while the client still sent
            assert chunked
        else:
            assert reply.status_code == 413


@pytest.mark.parametrize(("status", "becomes"), [(400, 400), (401, 502), (403, 502), (429, 429), (500, 502)])
def test_no_reply_and_no_log_tells_where_members_are(status, becomes, caplog):
    """The member quotes its address and key in its error; neither leaves, whole or streamed."""
    caplog.set_level(logging.DEBUG, "slmmux.serve")
    key = "sk-very-private-1"

    def leaking(request, take):
        quoted = key if status in {401, 403, 500} else "of yours"
        text = f"the key {quoted} is refused at internal.example, {request.headers['host']}"
        return Response.of({"error": {"message": text, "type": "x", "code": None}}, status)

    with serving_protocol(leaking, []) as member:
        chat = chat_openai(member.url, api_key=key)
        own = SLMMuxChatModel(models={"a": chat, "b": chat}, samples=1)
        with serving(app(own, log_questions=True)) as url:
            whole = httpx.post(f"{url}/v1/chat/completions", json=ASKED)
            streamed = httpx.post(f"{url}/v1/chat/completions", json=ASKED | {"stream": True})
            texts = [
                whole.text,
                streamed.text,
                *(httpx.get(url + p).text for p in ("/v1/models", "/metrics", "/ready")),
            ]
    assert whole.status_code == becomes
    assert '"error"' in streamed.text
    texts += [record.getMessage() for record in caplog.records if record.name == "slmmux.serve"]
    for text in texts:
        for private in (key, member.url.removeprefix("http://"), "internal.example"):
            assert private not in text


def test_a_prompt_that_is_too_long_is_the_clients_fault():
    """Agents shorten their history at this code."""
    with serving_protocol(openai_chat, [Fault("overflow")]) as member:
        chat = chat_openai(member.url)
        with serving(app(SLMMuxChatModel(models={"a": chat, "b": chat}, samples=1))) as url:
            reply = httpx.post(f"{url}/v1/chat/completions", json=ASKED)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_texts_are_logged_only_if_asked(caplog):
    """A request's text is its client's own."""
    caplog.set_level(logging.DEBUG)
    for log_questions in (False, True):
        caplog.clear()
        with serving(app(log_questions=log_questions)) as url:
            httpx.post(f"{url}/v1/chat/completions", json=ASKED)
        assert ("capital of Norway" in caplog.text) is log_questions


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "pass --api-key-env NAME with a key for clients, or --anyone-may-ask"),
        (["--api-key-env", "SLMMUX_NO_SUCH_KEY"], "SLMMUX_NO_SUCH_KEY is not set"),
        (["one.toml", "dir/one.toml"], "NAME=FILE"),
    ],
)
def test_the_command_refuses_what_is_not_safe(arguments, words, tmp_path, monkeypatch):
    """A host that others reach needs a key or the words that say otherwise, and each name is one file."""
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir").mkdir()
    for file in ("one.toml", "dir/one.toml"):
        (tmp_path / file).write_text('[models.a]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n')
    result = CliRunner().invoke(commands, ["serve", *arguments], env={"COLUMNS": "500"})
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


def test_the_address_takes_connections_as_soon_as_it_is_printed(tmp_path, monkeypatch):
    """A program that reads the line connects at once, and waits for the server instead of being refused."""
    from typer.testing import CliRunner

    def connected(_, sockets):
        socket.create_connection(sockets[0].getsockname(), timeout=5).close()

    monkeypatch.setattr(uvicorn.Server, "run", connected)
    file = tmp_path / "one.toml"
    file.write_text('[models.a]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n')
    result = CliRunner().invoke(commands, ["serve", str(file), "--port", "0"], env={"COLUMNS": "500"})
    assert result.exit_code == 0, result.exception
    assert "one at http://127.0.0.1:" in result.stderr


def test_an_empty_key_is_refused():
    """An empty text would let everybody in."""
    with pytest.raises(ValueError, match="key is empty"):
        app(api_key=" ")
