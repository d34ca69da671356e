"""How much the server takes on, how long it takes, and what it counts."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

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
