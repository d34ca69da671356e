"""A `mux.toml` becomes a mux whose members ask as it says, over a real server on loopback."""

import threading

import pytest

from langchain_slmmux import SLMMuxChatModel
from slmmux import ConfigError, NoAnswerError

from .openai_server import serving


def load(tmp_path, text, **options):
    file = tmp_path / "mux.toml"
    file.write_text(text, encoding="utf-8")
    return SLMMuxChatModel.from_config(file, **options)


def test_what_a_member_sends_is_what_the_file_says(tmp_path, monkeypatch):
    """Model, key, temperature, max_tokens and the system prompt reach the server; the key comes from the environment."""
    monkeypatch.setenv("MY_KEY", "sk-from-the-environment")
    with serving(["4"]) as server:
        text = f"""
        samples = 2
        temperature = 0.7
        system_prompt = "Be brief."
        max_tokens = 9
        [models.a]
        url = "{server.url}"
        model = "m"
        api_key_env = "MY_KEY"
        temperature = 0.3
        """
        assert load(tmp_path, text).invoke("2 + 2?").text == "4"
    body = server.requests[0]
    assert (body["model"], body["temperature"], body["max_completion_tokens"]) == ("m", 0.3, 9)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert headers["authorization"] == "Bearer sk-from-the-environment"


def test_accuracies_give_the_rank_and_options_come_first(tmp_path):
    """The file's accuracies order the members; arguments of from_config come before the file's."""
    with serving(["4"]) as server:
        members = "".join(
            f'[models.{name}]\nurl = "{server.url}"\nmodel = "m"\naccuracy = {value}\n'
            for name, value in (("a", 0.5), ("b", 0.9))
        )
        mux = load(tmp_path, "samples = 3\n" + members, samples=1, wait="exhausted")
        record = mux.invoke("q").response_metadata["slmmux"]
    assert [(vote["model"], vote["of"]) for vote in record["votes"]] == [("b", 1), ("a", 1)]


def test_concurrency_bounds_the_calls_of_a_member(tmp_path):
    """With concurrency = 2 a member's server never has three requests at once, and none is lost."""
    lock, now, most = threading.Lock(), [0], [0]

    def script(body, turn):
        return "4"

    class Counting:
        def __enter__(self):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])

        def __exit__(self, *_):
            with lock:
                now[0] -= 1

    with serving(script, n="refused") as server:
        original = server.reply

        def reply(body, headers):
            with Counting():
                threading.Event().wait(0.01)  # long enough for others to overlap, were they let in
                return original(body, headers)

        server.reply = reply
        text = f'samples = 8\nwait = "exhausted"\n[models.a]\nurl = "{server.url}"\nmodel = "m"\nconcurrency = 2\ntimeout = 20\n'
        record = load(tmp_path, text).invoke("q").response_metadata["slmmux"]
    assert record["votes"][0]["count"] == 8
    assert most[0] == 2


def test_a_rate_limit_and_a_time_out_are_the_members_own(tmp_path):
    """requests_per_minute makes a rate limiter, timeout the client's; neither is the mux's."""
    text = '[models.a]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\nrequests_per_minute = 120\ntimeout = 7\n'
    mux = load(tmp_path, text)
    member = mux.models["a"]
    assert member.rate_limiter.requests_per_second == 2
    assert member.root_client.timeout.read == 7
    assert mux.timeout is None


def test_an_address_that_does_not_answer_is_named(tmp_path):
    """A closed port costs the member's votes; alone it is the error, under its label."""
    text = 'samples = 1\n[models.gone]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    with pytest.raises(NoAnswerError, match=r"gone: .*ConnectionError"):
        load(tmp_path, text, max_retries=0).invoke("q")


def test_a_variable_that_is_not_set_is_named(tmp_path, monkeypatch):
    """The sentence names the variable to export."""
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(ConfigError, match="MY_KEY is not set"):
        load(tmp_path, '[models.a]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\napi_key_env = "MY_KEY"\n')


def test_a_request_of_one_kind_does_not_spoil_another():
    """A template that ends an answer at its line break does not end JSON there, unless the call says where to stop."""
    from langchain_slmmux._llama import ChatLlama

    with serving(["4"]) as server:
        member = ChatLlama(
            model="m", base_url=server.url, api_key="k", stop_sequences=["\n", "Q:"], stop_in_lines=["Q:"]
        )
        member.invoke("q")
        member.invoke("Answer in JSON.")
        member.invoke("q", response_format={"type": "json_object"})
        member.invoke("Answer in JSON.", stop=["END"])
    assert [body["stop"] for body in server.requests] == [["\n", "Q:"], ["Q:"], ["Q:"], ["END"]]
