"""A pool of either framework put to many questions: one file, and replayed it gives what the live mux says."""

import asyncio
import json
from collections import Counter

import pytest
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike

import langchain_slmmux
import llamaindex_slmmux
from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import ArgumentError, ProfilingError, Recording, RecordingError, replay
from slmmux._decision.record import record
from slmmux.rereading import reread

from ..langchain.openai_server import Refused, serving

QUESTIONS = [{"question_id": f"q{i}", "question": f"{i} + {i}?", "gold": str(2 * i)} for i in range(4)]
SECRET = "sk-none-of-your-business"


class LangChain:
    """What differs between the frameworks, for a test of both."""

    mux, member, name = SLMMuxChatModel, ScriptedChatModel, "model_name"
    profile = staticmethod(langchain_slmmux.profile)

    @staticmethod
    def ask(mux, question):
        return mux.invoke(question).response_metadata["slmmux"]

    @staticmethod
    def openai(server, **options):
        return ChatOpenAI(base_url=server.url, api_key=SECRET, model="m", max_retries=0, **options)


class LangChainAsync(LangChain):
    @staticmethod
    def profile(*args, **options):
        return asyncio.run(langchain_slmmux.aprofile(*args, **options))


class LlamaIndex:
    mux, member, name = SLMMuxLLM, ScriptedLLM, "model"
    profile = staticmethod(llamaindex_slmmux.profile)

    @staticmethod
    def ask(mux, question):
        return mux.complete(question).raw["slmmux"]

    @staticmethod
    def openai(server, **options):
        return OpenAILike(api_base=server.url, api_key=SECRET, model="m", max_retries=0, is_chat_model=True, **options)


class LlamaIndexAsync(LlamaIndex):
    @staticmethod
    def profile(*args, **options):
        return asyncio.run(llamaindex_slmmux.aprofile(*args, **options))


WAYS = [LangChain, LangChainAsync, LlamaIndex, LlamaIndexAsync]
ALL = pytest.mark.parametrize("way", WAYS)
BOTH = pytest.mark.parametrize("way", [LangChain, LlamaIndex])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "samples.jsonl"


def by_question(table):
    """Return a script that gives each question's replies in turn; an exception among them is raised."""
    turns = Counter()

    def script(messages, _turn, _kwargs):
        question = messages[-1].content
        turns[question] += 1
        return table[question][(turns[question] - 1) % len(table[question])]

    return script


TABLE = {
    "a": {
        "0 + 0?": ["It is \\boxed{0}.", "0", "The answer is 0."],
        "1 + 1?": ["The answer is 2.", ValueError("no luck"), "The answer is 2.0"],
        "2 + 2?": ["Answer: (B)", "", "The answer is B."],
        "3 + 3?": ['{"sum": 6}', '{"sum": 6.0}', "<think>never ended \\boxed{6}"],
    },
    "b": {
        "0 + 0?": ["", "", ""],
        "1 + 1?": ["The answer is 2.", "The answer is 1,234", "Answer: 1234"],
        "2 + 2?": [ValueError("no luck")] * 3,
        "3 + 3?": ["six", "Six.", "seven"],
    },
}


def members(way, table=TABLE, **options):
    return {label: way.member(script=by_question(replies), **options) for label, replies in table.items()}


def profiled(way, path, models=None, **options):
    options = {"samples": 3, "progress": False, "concurrency": 1, **options}
    return way.profile(members(way) if models is None else models, QUESTIONS, recording=path, **options)


def without_time(recording):
    rows = [json.dumps({n: getattr(r, n) for n in r.__dataclass_fields__ if n != "latency_s"}) for r in recording.rows]
    return sorted(rows)


@ALL
def test_a_reply_that_was_cut_off_is_recorded_as_one(way, path):
    """The row says so, and read again it abstains as it did live; a whole reply's row says nothing of it."""
    replies = [{"content": "The answer is 12", "finish_reason": reason} for reason in ("length", "stop")]
    with serving(lambda _, count: replies[count % 2]) as server:
        recording = profiled(way, path, {"a": way.openai(server)}, samples=2)
    assert {(row.cut_off, row.answer) for row in recording.rows} == {(True, None), (None, "12")}
    assert reread(Recording.load(path)).rows == recording.rows


def test_both_frameworks_keep_the_same(tmp_path):
    """LangChain's members and LlamaIndex's, sync and async, give the same rows and the same settings."""
    recordings = [profiled(way, tmp_path / f"{way.__name__}.jsonl", temperature=0.5) for way in WAYS]
    assert len(recordings[0].rows) == 24
    for recording in recordings[1:]:
        assert without_time(recording) == without_time(recordings[0])
        assert recording.settings == recordings[0].settings
    row = recordings[0].by_question["q1"]["b"][1]
    assert (row.answer, row.kind, row.key, row.temperature) == ("1234", "number", "1234", 0.5)
    assert (row.text, row.input_tokens, row.output_tokens) == ("The answer is 1,234", 10, 2)
    assert recordings[0].settings["models"]["a"] == {"model": "scripted", "temperature": 0.5}


def check_replay(way, recording, live, **options):
    decisions = replay(recording, list(TABLE), wait="exhausted", **options)
    for question in QUESTIONS:
        said = way.ask(live, question["question"])
        again = record(
            decisions[question["question_id"]],
            plan="parallel",
            extractor=said["extractor"],
            usage=said["usage"],
        )
        for name in ("model", "answer", "confidence", "decided_by", "reason", "votes", "samples"):
            assert said[name] == again[name], (question, name)


@ALL
def test_replayed_it_says_what_the_live_mux_says(way, path):
    """Profile, then replay: the record of a live mux over members that reply the same, votes and failures included."""
    recording = profiled(way, path)
    live = way.mux(models=members(way), samples=3, wait="exhausted", max_concurrency=1)
    check_replay(way, recording, live)


def vector(text):
    return {"s": [1.0, 0.2], "t": [0.9, 0.5]}.get(text[:1].lower(), [0.1, 1.0])


@ALL
def test_with_agreement_by_meaning_too(way, path):
    """The neighbours that the live mux finds are kept with the samples, and replay votes by them without an embedding."""
    options = {"agreement": "embedding", "embedding": vector, "tau": 0.9, "extract": "text"}
    recording = profiled(way, path, **options)
    assert (recording.settings["agreement"], recording.settings["tau"]) == ("embedding", 0.9)
    assert any(row.alike for row in recording.rows)
    live = way.mux(models=members(way), samples=3, wait="exhausted", max_concurrency=1, **options)
    check_replay(way, recording, live)
    with pytest.raises(RecordingError, match=r"tau was 0\.9 and is 0\.8"):
        profiled(way, path, **{**options, "tau": 0.8})


@BOTH
def test_with_agreement_by_mathematics_too(way, path):
    """Equations that are one are one answer in the replay as they were live."""
    pytest.importorskip("math_verify")
    table = {"a": {q["question"]: [r"\boxed{(x+1)^2}", r"\boxed{x^2}", r"\boxed{x^2+2x+1}"] for q in QUESTIONS}}
    recording = profiled(way, path, members(way, table), agreement="math")
    (winner,) = {(d.winner.answer, d.winner.count) for d in replay(recording, ["a"], wait="exhausted").values()}
    assert winner == ("(x+1)^2", 2)


@ALL
def test_a_mux_is_asked_as_it_is(way, path):
    """Its own k, temperature, instruction, extractor and limits are taken; a k by label may be given."""
    models = members(way)
    mux = way.mux(
        models=models, samples={"a": 2, "b": 1}, temperature=0.3, system_prompt="Few words.", extract="number",
        max_concurrency=1, timeout=60,
    )  # fmt: skip
    recording = profiled(way, path, mux, samples=None)
    assert Counter(row.model for row in recording.rows) == {"a": 8, "b": 4}
    assert recording.settings == {
        "extract": "number",
        "agreement": "canonical",
        "tau": None,
        "system_prompt": "Few words.",
        "stop": None,
        "models": {label: {"model": "scripted", "temperature": 0.3} for label in "ab"},
    }
    asked = models["a"].calls[0]
    assert [message.content for message in asked] == ["Few words.", "0 + 0?"]
    assert len(profiled(way, path, mux, samples={"a": 2, "b": 3}).rows) == 20


@BOTH
def test_a_mux_has_limits_of_its_own(way, path):
    """A mux's time-out is a profile's, unless that is given one."""
    mux = way.mux(models=members(way), samples=1, timeout=0.5, max_concurrency=7)
    taken = {}

    class Stopped(Exception):
        pass

    def members_profile(members, *_, **options):
        taken.update(options)
        raise Stopped

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("slmmux._mux.offline.profile.profile_members", members_profile)
        with pytest.raises(Stopped):
            way.profile(mux, QUESTIONS, recording=path, progress=False)
        assert (taken["timeout"], taken["max_concurrency"]) == (0.5, 7)
        with pytest.raises(Stopped):
            way.profile(mux, QUESTIONS, recording=path, progress=False, timeout=None, max_concurrency=2)
        assert (taken["timeout"], taken["max_concurrency"]) == (None, 2)


@BOTH
def test_what_a_mux_says_itself_is_not_said_again(way, path):
    """An option beside a mux is refused, and one that nobody knows warned of as ever."""
    mux = way.mux(models=members(way), samples=1)
    with pytest.raises(ArgumentError, match=f"'temperature' is the mux's own; give it to {way.mux.__name__}"):
        profiled(way, path, mux, temperature=0.5)
    with pytest.raises(ArgumentError, match="samples names 'z', which is not a member"):
        profiled(way, path, mux, samples={"z": 1})
    with pytest.raises(ArgumentError, match="no members"):
        profiled(way, path, {})
    assert not path.exists()


@BOTH
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"temperature": 0.9}, r"models\.a\.temperature was 0\.5 and is 0\.9; models\.b\.temperature was"),
        ({"system_prompt": "Few words."}, "system_prompt was None and is 'Few words.'"),
        ({"extract": "number"}, "extract was 'auto' and is 'number'"),
        ({"stop": ["."]}, r"stop was None and is \['\.'\]"),
        ({"max_tokens": 9}, r"models\.a\.max_tokens was None and is 9"),
        ({"agreement": "math"}, "agreement was 'canonical' and is 'math'"),
    ],
)
def test_what_changed_is_refused(way, path, changed, sentence):
    """A recording made otherwise is not gone on with, and says what is other; another file may be."""
    profiled(way, path, temperature=0.5)
    before = path.read_bytes()
    with pytest.raises(RecordingError, match=sentence):
        profiled(way, path, **{"temperature": 0.5, **changed})
    assert path.read_bytes() == before


@ALL
@pytest.mark.parametrize("n", ["honoured", "ignored", "refused"])
def test_several_samples_of_one_request(way, path, n):
    """A member that takes `n` is asked once a question, its request's tokens counted once; one that does not, singly."""
    with serving(["4", "5", "6"], n=n) as server:
        recording = profiled(way, path, {"a": way.openai(server)})
    assert len(recording.rows) == 12
    wanted = [request.get("n") or 1 for request in server.requests]
    # Who was found not to take `n` is never asked for several again.
    assert wanted == {"honoured": [3] * 4, "ignored": [3] + [1] * 11, "refused": [3] + [1] * 12}[n]
    tokens = [
        [(row.input_tokens, row.output_tokens) for row in samples["a"]] for samples in recording.by_question.values()
    ]
    assert tokens == [[(10, 6), (None, None), (None, None)]] * 4 if n == "honoured" else [[(10, 2)] * 3] * 4


@ALL
def test_no_secret_is_kept(way, path, monkeypatch):
    """A key that an error quotes is struck out of the row, of the file and of what is raised; a fault that passes does."""
    monkeypatch.setattr("slmmux.profiling._campaign._pause", lambda attempt: 0.0)
    says = {"0": "0", "1": Refused(429, f"slow down, {SECRET}"), "2": Refused(400, f"bad {SECRET}"), "3": "6"}
    with serving(lambda body, _: says[body["messages"][-1]["content"][0]]) as server:
        recording = profiled(way, path, {"a": way.openai(server)}, samples=1, retries=1)
    errors = {row.question_id: row.error for row in recording.rows}
    assert (errors["q0"], errors["q3"]) == (None, None)
    assert "slow down, **********" in errors["q1"]
    assert "bad **********" in errors["q2"]
    assert SECRET not in path.read_text()
    asked = Counter(request["messages"][-1]["content"] for request in server.requests)
    assert (asked["1 + 1?"], asked["2 + 2?"]) == (2, 1)

    other = path.with_name("other.jsonl")
    with serving([Refused(401, f"wrong key {SECRET}")]) as server, pytest.raises(ProfilingError) as caught:
        profiled(way, other, {"a": way.openai(server)}, samples=1)
    assert SECRET not in str(caught.value) + repr(caught.value) + other.read_text()
    assert "wrong key **********" in str(caught.value)
    assert Recording.load(other).rows == ()


@ALL
def test_it_shows_what_it_does(way, path, capsys):
    """By default a table and bars go to the standard error, and nothing to the standard output."""
    profiled(way, path, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    for words in ("Planned", "member", "12/12", "failed"):
        assert words in err


@ALL
def test_a_list_is_labelled_by_the_models_names(way, path):
    """Members without labels go by their own names, as in a mux; five samples without a word."""
    member = way.member(script=["4"], **{way.name: "qwen"})
    recording = way.profile([member], QUESTIONS[:1], recording=path, progress=False)
    assert Counter(row.model for row in recording.rows) == {"qwen": 5}


@ALL
def test_the_trial_only(way, path):
    """The first three requests of each member, and no more."""
    assert len(profiled(way, path, trial_only=True).rows) == 6
