"""How much the server takes on, how long it takes, and what it counts."""

import asyncio
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.responses import Response
from starlette.routing import Route

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel

from .support import QUESTION, Held, app, mux, serving, until

ASKED = {"model": "mux", "messages": QUESTION}


def post(url, body=None, **options):
    return httpx.post(f"{url}/v1/chat/completions", json=body or ASKED, timeout=60, **options)


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_beyond_the_cap_and_its_queue_gets_429(stream):
    """One runs, one waits, the third is told when to come back; the first two are answered."""
    member = Held()
    own = SLMMuxChatModel(models={"a": member}, samples=2)
    with serving(app(own, max_questions=1, max_waiting=1)) as url, ThreadPoolExecutor(2) as threads:
        first = threads.submit(post, url)
        until(lambda: member.counts["running"] == 2)
        second = threads.submit(post, url)
        until(lambda: "waiting 1.0" in httpx.get(f"{url}/metrics").text)
        refused = post(url, ASKED | {"stream": stream})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert member.counts["begun"] == 2
        member.go.set()
        assert [each.result().status_code for each in (first, second)] == [200, 200]


def test_calls_in_flight_stay_below_the_files_limit():
    """Twelve questions of six samples never have more than `max_concurrency` calls in flight, narrowed ones included."""
    member = Held()
    own = SLMMuxChatModel(models={"a": member}, samples=6, max_concurrency=7)
    with serving(app(own)) as url, ThreadPoolExecutor(12) as threads:
        bodies = [ASKED | ({"slmmux": {"samples": 5, "members": ["a"]}} if i % 2 else {}) for i in range(12)]
        answers = [threads.submit(post, url, body) for body in bodies]
        until(lambda: member.counts["running"] == 7)
        member.go.set()
        assert {answer.result().status_code for answer in answers} == {200}
    assert member.counts["most"] == 7


def test_a_deadline_ends_with_the_best_answer_so_far():
    """A member that hangs costs its votes, not the answer."""
    models = {"hangs": Held(), "replies": ScriptedChatModel(script=["4"])}
    own = SLMMuxChatModel(models=models, samples=2)
    with serving(app(own)) as url:
        reply = post(url, ASKED | {"slmmux": {"deadline": 0.3}}).json()
        assert reply["choices"][0]["message"]["content"] == "4"
        assert reply["slmmux"]["reason"] == "deadline"
        alone = post(url, ASKED | {"slmmux": {"deadline": 0.2, "members": ["hangs"]}})
        assert (alone.status_code, alone.json()["error"]["code"]) == (504, "deadline")


def test_the_metrics_count_questions_samples_and_tokens_by_member():
    """They are text in the format of Prometheus, and nothing is counted twice."""
    with serving(app(mux())) as url:
        for _ in range(2):
            post(url)
        lines = httpx.get(f"{url}/metrics").text.splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
    assert values['slmmux_questions_total{model="mux",outcome="answered"}'] == 2
    assert values['slmmux_samples_total{member="unsure",model="mux",outcome="answered"}'] == 6
    assert values['slmmux_tokens_total{kind="input",member="sure",model="mux"}'] == 60
    assert values['slmmux_confidence_bucket{le="1.0",model="mux"}'] == 2
    assert values['slmmux_answer_seconds_count{model="mux"}'] == 2
    assert values['slmmux_member_resting{member="sure",model="mux"}'] == 0
    assert values["slmmux_questions_running"] == 0


def test_the_server_is_ready_until_every_member_rests():
    """Health is of the process; readiness is of the members."""
    own = SLMMuxChatModel(models={"a": ScriptedChatModel(script=[ConnectionError("down")])}, samples=1)
    with serving(app(own)) as url:
        assert httpx.get(f"{url}/ready").status_code == 200
        assert {post(url).status_code for _ in range(2)} == {502}
        assert httpx.get(f"{url}/ready").status_code == 503
        assert httpx.get(f"{url}/health").status_code == 200


def test_calls_cost_and_tokens_are_counted_by_member():
    """A call that runs at the decision is counted for the member that was asked, and a cost for the one that is paid."""
    member = Held()
    models = {"quick": ScriptedChatModel(script=["4"]), "slow": member}
    prices = {"quick": {"input": 1.0, "output": 2.0}, "slow": {"input": 0.0, "output": 0.0}}
    own = SLMMuxChatModel(models=models, samples={"quick": 3, "slow": 2}, prices=prices)
    with serving(app(own)) as url:
        assert post(url).json()["slmmux"]["abandoned"]["calls"] == 2
        lines = httpx.get(f"{url}/metrics").text.splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
    assert values['slmmux_calls_abandoned_total{member="slow",model="mux"}'] == 2
    assert values['slmmux_cost_total{member="quick",model="mux"}'] == pytest.approx(3 * (10 + 2 * 2) / 1e6)
    assert 'slmmux_cost_total{member="slow",model="mux"}' not in values


def test_a_large_body_is_read_beside_the_event_loop(monkeypatch):
    """While one is parsed, others are answered; it is read as a small one is."""
    from slmmux.serve import _body

    parsing, go, loads = threading.Event(), threading.Event(), _body._yielding_loads

    def held_loads(content):
        parsing.set()
        assert go.wait(20)
        return loads(content)

    monkeypatch.setattr(_body, "_yielding_loads", held_loads)
    body = {"model": "mux", "messages": [{"role": "user", "content": 'a "text" with é\n' * 30_000}]}
    with serving(app()) as url, ThreadPoolExecutor(1) as threads:
        large = threads.submit(post, url, body)
        assert parsing.wait(20)
        assert httpx.get(f"{url}/health").status_code == 200
        assert post(url).status_code == 200
        go.set()
        assert large.result().status_code == 200


@pytest.mark.parametrize("element", ["[]", "{}"])
def test_a_large_body_of_too_many_parts_is_refused(url, element):
    """Its objects would take a hundred times its size in memory."""
    body = f'{{"model": "mux", "messages": [{",".join([element] * 250_000)}]}}'
    reply = httpx.post(f"{url}/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    assert "200,000 lists and objects at the most" in reply.json()["error"]["message"]


def test_a_body_that_never_ends_is_given_up(monkeypatch):
    """A client that stops in the middle does not keep its connection for ever."""
    monkeypatch.setattr("slmmux.serve._body._LONGEST_S", 0.05)
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    with serving(app()) as url, socket.create_connection(url.removeprefix("http://").split(":"), 20) as client:
        client.sendall(head)
        assert client.recv(100).startswith(b"HTTP/1.1 408")


def test_an_older_client_is_answered(url):
    """HTTP/1.0, whole and streamed: the connection's end is the answer's."""
    for stream in (False, True):
        body = json.dumps(ASKED | {"stream": stream}).encode()
        head = f"POST /v1/chat/completions HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(url.removeprefix("http://").split(":"), 20) as client:
            client.sendall(head.encode() + body)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200")
        assert (b"[DONE]" in answer) is stream
        assert b"Transfer-Encoding" not in answer


def test_a_slash_at_the_end_is_the_same_address(url):
    """No redirect, which a proxy may not pass on; and a method that is not there names those that are."""
    reply = httpx.post(f"{url}/v1/chat/completions/", json=ASKED)
    assert (reply.status_code, reply.json()["model"]) == (200, "mux")
    assert httpx.get(f"{url}/v1/models/").json()["object"] == "list"
    assert httpx.head(f"{url}/v1/models").status_code == 200
    wrong = httpx.get(f"{url}/v1/chat/completions")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_clients_that_break_off_leave_nothing_behind():
    """Twenty questions, broken off at different moments, leave neither calls nor tasks nor places."""
    member = Held()
    own = SLMMuxChatModel(models={"a": member}, samples=3)
    tasks = []

    async def count(*_):
        tasks.append(len(asyncio.all_tasks()))
        return Response()

    served = app(own)
    served.router.routes.append(Route("/tasks", count))
    with serving(served) as url:
        with httpx.Client() as client:
            client.get(f"{url}/tasks")
        for i in range(20):
            body = json.dumps(ASKED | {"stream": bool(i % 2)}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            with socket.create_connection(url.removeprefix("http://").split(":"), 20) as broken:
                sent = head.encode() + body
                broken.sendall(sent[: len(sent) - 5] if i % 4 == 3 else sent)
                if i % 4 < 2:
                    until(lambda: member.counts["running"] > 0)
        until(lambda: member.counts["running"] == 0)
        until(lambda: "questions_running 0.0" in httpx.get(f"{url}/metrics").text)
        until(lambda: httpx.get(f"{url}/tasks").status_code == 200 and tasks[-1] <= tasks[0])
    assert member.counts["begun"] == member.counts["cancelled"]
