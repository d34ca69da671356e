"""Faults that pass: a call is made again by its member's own client or by the mux, never by both, and within the limits."""

import asyncio

import pytest

from slmmux import Answer, ArgumentError, NoAnswerError, Pool, Race, adrive, drive
from slmmux._decision import retries as _retries
from slmmux._decision.budget import Budget
from slmmux._decision.retries import retry_delay
from tests.frameworks import LangChain, LlamaIndex
from tests.servers.loopback import serving
from tests.servers.openai_chat import openai_chat
from tests.servers.replies import Fault, Reply

BOTH = pytest.mark.parametrize("framework", [LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
WAYS = pytest.mark.parametrize("way", ["sync", "async"])


class Refusal(Exception):
    """What a client raises for a status, with the headers of its response."""

    def __init__(self, status, **headers):
        super().__init__(f"status {status}")
        self.status_code = status
        self.response = type("Response", (), {"headers": {k.replace("_", "-"): v for k, v in headers.items()}})()


def failing(error, times):
    """Return a script that fails so often, and then says 4."""
    errors = [error] * times

    def script(*_):
        if errors:
            raise errors.pop()
        return "4"

    return script


def asked(framework, mux, way):
    return framework.ask(mux, "q") if way == "sync" else asyncio.run(framework.aask(mux, "q"))


@BOTH
@WAYS
@pytest.mark.parametrize("error", [Refusal(429, retry_after="0"), Refusal(503, retry_after="0.01")])
def test_a_call_whose_fault_passes_is_made_again(framework, way, error):
    """The sample gets its reply in the end; the record counts the calls that were made again."""
    member = framework.member(failing(error, 2))
    text, record = asked(
        framework, framework.mux({"a": member, "b": framework.member(["4"])}, samples=1, wait="exhausted"), way
    )
    assert text == "4"
    assert record["retried"] == {"a": 2}
    assert [vote["failed"] for vote in record["votes"]] == [0, 0]
    assert len(member.calls) == 3


@BOTH
@pytest.mark.parametrize(
    "error", [Refusal(400), Refusal(500), TimeoutError(), ConnectionRefusedError(), ValueError("no")]
)
def test_other_faults_are_not(framework, error):
    """A call that was refused, that timed out or that met nobody is not made again, and the record says nothing."""
    member = framework.member(failing(error, 1))
    _, record = framework.ask(
        framework.mux({"a": member, "b": framework.member(["4"])}, samples=1, wait="exhausted"), "q"
    )
    assert "retried" not in record
    assert len(member.calls) == 1


@BOTH
def test_max_retries_is_the_number_of_second_tries(framework):
    """`max_retries` of the mux holds for members that make no call again by themselves: 0 makes none again."""
    for most in (0, 1, 3):
        member = framework.member(failing(Refusal(503, retry_after="0"), 9))
        mux = framework.mux({"a": member, "b": framework.member(["4"])}, samples=1, wait="exhausted", max_retries=most)
        _, record = framework.ask(mux, "q")
        assert len(member.calls) == 1 + most
        assert record["lost"] == ["a"]


@BOTH
def test_numbers_that_nobody_means_are_sentences(framework):
    """Second tries without end, and replies longer than any model writes, are refused at construction."""
    for option, number in [("max_retries", -1), ("max_retries", 10**40), ("max_tokens", 0), ("max_tokens", 10**40)]:
        with pytest.raises(ArgumentError, match=rf"{option} must be a whole number from [01] to [0-9,]+, received"):
            framework.mux({"a": framework.member(["4"], max_tokens=5)}, samples=2, **{option: number})


@BOTH
def test_who_makes_calls_again_by_itself_is_left_to_it(framework):
    """A member whose class has `max_retries` of its own is asked once by the mux, whatever that is set to."""
    kind = type(framework.member(["4"]))

    class Retrying(kind):
        max_retries: int = 5

    member = Retrying(script=failing(Refusal(503, retry_after="0"), 9))
    mux = framework.mux({"a": member, "b": framework.member(["4"])}, samples=1, wait="exhausted")
    framework.ask(mux, "q")
    assert len(member.calls) == 1


def langchain_mistral(server, **options):
    package = pytest.importorskip("langchain_mistralai")
    return package.ChatMistralAI(base_url=f"{server.url}/v1", api_key="none", model="m", **options)


def llamaindex_mistral(server, **options):
    package = pytest.importorskip("llama_index.llms.mistralai")
    return package.MistralAI(endpoint=server.url, api_key="none", model="mistral-small-latest", **options)


MISTRALS = pytest.mark.parametrize(
    ("framework", "mistral"),
    [(LangChain(), langchain_mistral), (LlamaIndex(), llamaindex_mistral)],
    ids=["langchain", "llamaindex"],
)


@MISTRALS
@WAYS
def test_mistrals_classes_have_max_retries_and_make_no_call_again(framework, mistral, way, monkeypatch):
    """For a 429 the mux does it for them, and for a connection that broke off as well, where one of them would too."""
    monkeypatch.setattr(_retries, "_FIRST_S", 0.0)
    with serving(openai_chat, [Fault("rate_limit"), Reply("4", breaks="nothing"), Reply("4")]) as server:
        models = {"a": mistral(server), "b": framework.member(["4"])}
        _, record = asked(framework, framework.mux(models, samples=1, wait="exhausted"), way)
    assert server.error is None
    assert (record["retried"], len(server.requests)) == ({"a": 2}, 3)
    assert [vote["failed"] for vote in record["votes"]] == [0, 0]


@MISTRALS
def test_the_members_own_max_retries_is_the_most(framework, mistral, monkeypatch):
    """A user who wants no second try of a call gets none, and the mux's own `max_retries` comes before it."""
    monkeypatch.setattr(_retries, "_FIRST_S", 0.0)
    for options, requests in (({}, 1), ({"max_retries": 1}, 2)):
        with serving(openai_chat, [Fault("rate_limit")]) as server:
            models = {"a": mistral(server, max_retries=0), "b": framework.member(["4"])}
            framework.ask(framework.mux(models, samples=1, wait="exhausted", **options), "q")
        assert len(server.requests) == requests


@BOTH
def test_a_mux_of_one_is_its_member(framework):
    """One member with one sample fails as it would alone: at once."""
    member = framework.member(failing(Refusal(503, retry_after="0"), 1))
    with pytest.raises(NoAnswerError):
        framework.ask(framework.mux({"a": member}, samples=1), "q")
    assert len(member.calls) == 1


def read(reply):
    return Answer(reply, "text", reply)


def race_with(fault, times, way, **options):
    """Return the decision of a race whose only call fails so often, and the number of calls."""
    script, calls = failing(fault, times), []

    def call(draws):
        calls.append(draws)
        return [script()]

    async def acall(draws):
        return call(draws)

    race = Race({"a": 1, "b": 1}, read, wait="exhausted")
    options = {"retries": {"a": 2}, **options}
    if way == "sync":
        return drive(
            race, lambda draws: call(draws) if draws[0].model == "a" else ["4"], pool=Pool(4), **options
        ), calls

    async def other(draws):
        return await acall(draws) if draws[0].model == "a" else ["4"]

    return asyncio.run(adrive(race, other, slots=Pool(4), **options)), calls


@WAYS
def test_a_retry_that_would_miss_the_deadline_is_not_waited_for(way):
    """The sample fails at once if its server asks for more time than is left, and the answer does not wait."""
    decision, calls = race_with(Refusal(429, retry_after="50"), 1, way, deadline=40)
    assert len(calls) == 1
    assert decision.reason == "exhausted"
    assert decision.votes[0].failed == 1


@WAYS
def test_a_retry_is_a_call_of_the_budget(way):
    """Calls that are made again count, so that a budget of calls is never exceeded."""
    decision, calls = race_with(Refusal(429, retry_after="0"), 9, way, budget=Budget({"calls": 2}))
    assert len(calls) == 1
    decision, calls = race_with(Refusal(429, retry_after="0"), 9, way, budget=Budget({"calls": 3}))
    assert len(calls) == 2
    assert decision.retried == {"a": 1}


@WAYS
def test_the_wait_is_no_time_of_the_call(way):
    """A call that waits to be made again is not overdue."""
    decision, calls = race_with(Refusal(429, retry_after="0.2"), 1, way, timeout=30.0)
    assert len(calls) == 2
    assert decision.votes[0].failed == 0


def test_when_a_call_is_made_again():
    """After what the server asks for, if that is at most a minute; else after a time that doubles, samples apart."""
    assert retry_delay(Refusal(429, retry_after="3"), 0) == 3
    assert retry_delay(Refusal(429, retry_after="61"), 0) is None
    assert [retry_delay(Refusal(503), tries) for tries in range(2)] == [0.5, 1.0]
    assert retry_delay(Refusal(503), 0, index=2) == pytest.approx(0.6)
    wrapped = RuntimeError("connection error")
    wrapped.__cause__ = ConnectionResetError()
    assert retry_delay(wrapped, 0) == 0.5
    ring = RuntimeError()
    ring.__cause__ = ring
    assert retry_delay(ring, 0) is None
