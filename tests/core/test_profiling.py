"""A profile records every sample, for all outcomes of members, extractors and interruptions."""

import asyncio
import io
import json
import math
import threading
from collections import Counter
from concurrent import futures
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from slmmux import Answer, ArgumentError, Draw, ProfilingError, Recording, RecordingError, answers
from slmmux import profiling as profiling_module
from slmmux._mux.generation import generation_settings
from slmmux.answers._reader import extractor_name
from slmmux.profiling import Completion, Question, aprofile, profile, read_questions
from slmmux.profiling import _campaign as campaign_module
from slmmux.profiling._pressing import split
from slmmux.profiling._progress import Bars, watching
from slmmux.profiling._run import Effort, Run
from tests.pydantic_words import worded

QUESTIONS = [{"question_id": f"q{i}", "question": f"{i} + {i}?", "gold": str(2 * i)} for i in range(5)]


def run_aprofile(*args, **options):
    return asyncio.run(aprofile(*args, **options))


BOTH = pytest.mark.parametrize("run_profile", [profile, run_aprofile], ids=["threads", "tasks"])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "samples.jsonl"


def double(question):
    return f"The answer is {2 * int(question.split()[0])}."


class TemporaryFault(Exception):
    """A temporary fault whose retry needs no wait."""

    status_code = 503
    response = SimpleNamespace(headers={"retry-after": "0"})


class Members:
    """Members by script: (question, draws) -> texts, or raises; on threads and on tasks alike."""

    def __init__(self, reply, samples, *, several=False, compare=None, settings=None, extract="auto"):
        self.reply = reply
        self.samples = samples
        self.several = several
        self.compare = compare
        self.settings = {"extract": "auto", "models": {label: {} for label in samples}, **(settings or {})}
        self.read = answers.reader(extract)
        self.calls = []

    def group(self, draws):
        return [tuple(draws)] if self.several else [(draw,) for draw in draws]

    def call(self, question, draws):
        self.calls.append((question, draws))
        return [self.completion(text) for text in self.reply(question, draws)]

    async def acall(self, question, draws):
        self.calls.append((question, draws))
        texts = self.reply(question, draws)
        return [self.completion(text) for text in (await texts if asyncio.iscoroutine(texts) else texts)]

    def completion(self, text):
        return Completion(text, lambda: self.read(text), 10, 2)


class Observer:
    """An observer of a profile that keeps all it received."""

    def __init__(self):
        self.events = []

    def begins(self, efforts):
        self.events.append(("begins", list(efforts)))

    def estimated(self, efforts):
        self.events.append(("estimated", list(efforts)))

    def came(self, model, samples, failed, tokens):
        self.events.append(("came", model, samples, failed, tokens))

    def waits(self, model, error):
        self.events.append(("waits", model, str(error)))


def contents(recording):
    """Return the fields of a recording that do not depend on when it was made."""
    return sorted(
        (r.question_id, r.question, r.gold, r.model, r.sample_index, r.answer, r.kind, r.key, r.text, r.error or "")
        for r in recording.rows
    )


# --- recorded samples -------------------------------------------------------------------------------------------------


@BOTH
def test_every_sample_is_a_row(run_profile, path):
    """A row has question, gold, kind, key, text, tokens and seconds; the result equals the file."""
    members = Members(lambda q, _: [double(q)], {"a": 2, "b": 3}, settings={"models": {"a": {"temperature": 0.5}}})
    questions = [{**question, "dataset": "sums"} for question in QUESTIONS]
    recording = run_profile(members, questions, recording=path)
    assert recording == Recording.load(path)
    assert Counter(row.model for row in recording.rows) == {"a": 10, "b": 15}
    row = recording.by_question["q3"]["a"][1]
    assert (row.question, row.gold, row.dataset, row.text) == ("3 + 3?", "6", "sums", "The answer is 6.")
    assert (row.answer, row.kind, row.key, row.error, row.alike) == ("6", "number", "6", None, None)
    assert (row.input_tokens, row.output_tokens, row.temperature) == (10, 2, 0.5)
    assert row.latency_s >= 0
    assert recording.by_question["q3"]["b"][2].temperature is None


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), min_size=1), st.lists(st.booleans(), min_size=1))
def test_threads_and_tasks_record_the_same(tmp_path_factory, samples, falls):
    """Sync and async give the same file, except for order and time."""

    def reply(question, draws):
        number = int(question.split()[0])
        if number and falls[(number + draws[0].index) % len(falls)]:
            raise ValueError(f"no luck with {question}")
        return [double(question) for _ in draws]

    folder = tmp_path_factory.mktemp("both")
    one, other = (
        run_profile(Members(reply, samples), QUESTIONS[:3], recording=folder / f"{name}.jsonl")
        for name, run_profile in (("sync", profile), ("async", run_aprofile))
    )
    assert contents(one) == contents(other)
    assert one.settings == other.settings
    assert len(one.rows) == 3 * sum(samples.values())


def test_functions_are_members(path):
    """A function of the question is a member; k may differ by label, and the settings name the extractor."""
    recording = profile(
        {"a": double, "b": lambda _: "no idea"}, QUESTIONS, samples={"b": 1, "a": 2}, extract="number", recording=path
    )
    assert Counter((row.model, row.answer is None) for row in recording.rows) == {("a", False): 10, ("b", True): 5}
    assert recording.settings == {"extract": "number", "agreement": "canonical", "models": {"a": {}, "b": {}}}


def test_functions_on_a_loop(path):
    """From an event loop, functions run in threads."""
    observer = set()

    def member(question):
        observer.add(threading.current_thread().name)
        return double(question)

    assert len(run_aprofile({"a": member}, QUESTIONS, samples=1, recording=path).rows) == 5
    assert threading.main_thread().name not in observer


@BOTH
def test_failed_calls_are_rows_with_an_error(run_profile, path):
    """A member that sometimes fails abstains there, and the row has the reason, also in the trial."""

    def reply(question, draws):
        if draws[0].index == 0:
            raise ValueError(f"refused {question}")
        return [double(question)]

    recording = run_profile(Members(reply, {"a": 2}), QUESTIONS, recording=path)
    errors = [row.error for row in recording.rows]
    assert Counter(error is None for error in errors) == {True: 5, False: 5}
    failed = recording.by_question["q0"]["a"][0]
    assert (failed.error, failed.answer, failed.text) == ("ValueError: refused 0 + 0?", None, None)
    assert failed.latency_s >= 0


@BOTH
def test_an_extractor_that_raises_loses_only_the_answer(run_profile, path):
    """The sample is failed, as live, but has its text, so that its answer can be read again."""

    def extract(text):
        if "4" in text:
            raise ZeroDivisionError("four")
        return text

    recording = run_profile({"a": double}, QUESTIONS, samples=1, recording=path, extract=extract)
    row = recording.by_question["q2"]["a"][0]
    assert (row.answer, row.kind, row.key) == (None, None, None)
    assert (row.error, row.text) == ("ZeroDivisionError: four", "The answer is 4.")


@BOTH
def test_a_member_that_always_fails_ends_the_profile(run_profile, path):
    """The error names each cause once; the samples of others are recorded, and after a fix the profile continues."""

    def reply(question, draws):
        if draws[0].model == "b":
            raise PermissionError("wrong key")
        return [double(question)]

    members = Members(reply, {"a": 1, "b": 1})
    with pytest.raises(ProfilingError, match=r"^b failed at every one of the first requests") as raised:
        run_profile(members, QUESTIONS, recording=path)
    assert str(raised.value).count("PermissionError: wrong key") == 1
    assert [(e.model, type(e.cause)) for e in raised.value.errors] == [("b", PermissionError)] * 3
    assert Counter(row.model for row in Recording.load(path).rows) == {"a": 3}
    members.reply = lambda question, _: [double(question)]
    members.calls.clear()
    assert len(run_profile(members, QUESTIONS, recording=path).rows) == 10
    assert len(members.calls) == 7


def test_failures_of_a_member_that_once_replied_are_rows(path):
    """If the file has a reply of the member, the failures of its first requests are recorded."""
    members = Members(lambda question, _: [double(question)], {"a": 1})
    profile(members, QUESTIONS[:1], recording=path)

    def reply(question, _):
        raise ValueError("no luck")

    members.reply = reply
    assert [row.error for row in profile(members, QUESTIONS, recording=path).rows[1:]] == ["ValueError: no luck"] * 4


@BOTH
def test_temporary_faults_are_retried(run_profile, path):
    """A retried fault leaves no row and the observer is told; after the last retry it is recorded."""
    tries = Counter()

    def reply(question, draws):
        tries[question] += 1
        if tries[question] <= 2 or question.startswith("4"):
            raise TemporaryFault("busy")
        return [double(question)]

    observer = Observer()
    members = Members(reply, {"a": 1})
    recording = run_profile(members, QUESTIONS, recording=path, retries=2, watch=observer)
    assert [row.error for row in recording.rows].count(None) == 4
    assert recording.by_question["q4"]["a"][0].error == "TemporaryFault: busy"
    assert tries == dict.fromkeys((q["question"] for q in QUESTIONS), 3)
    assert observer.events.count(("waits", "a", "busy")) == 10
    tries.clear()
    assert len(run_profile(members, QUESTIONS, recording=path.with_name("unseen.jsonl"), retries=2).rows) == 5


@BOTH
def test_several_samples_of_one_request(run_profile, path):
    """Missing samples of a request are requested one by one; a single one that stays missing is failed."""

    def reply(question, draws):
        if question.startswith("1") and len(draws) == 1:
            return []
        return [double(question)] * 9 if question.startswith("2") else [double(question)] * min(len(draws), 2)

    members = Members(reply, {"a": 3}, several=True)
    recording = run_profile(members, QUESTIONS, recording=path)
    assert len(recording.rows) == 15
    assert [row.error for row in recording.rows if row.error] == ["RuntimeError: the member returned no completion"]
    draws = tuple(Draw("a", i) for i in range(3))
    assert {d for q, d in members.calls if q == "0 + 0?"} == {draws, draws[2:]}
    assert [d for q, d in members.calls if q == "2 + 2?"] == [draws]


# --- continuing ---------------------------------------------------------------------------------------------------------


@BOTH
def test_recorded_samples_are_not_requested(run_profile, path):
    """A second call makes no requests; with more questions or samples, only the missing ones are requested."""
    members = Members(lambda question, _: [double(question)], {"a": 2})
    run_profile(members, QUESTIONS[:3], recording=path)
    before = path.read_bytes()
    for questions, k, more in [(3, 2, 0), (3, 1, 0), (5, 2, 4), (2, 3, 2)]:
        members.calls.clear()
        members.samples = {"a": k}
        run_profile(members, QUESTIONS[:questions], recording=path)
        assert len(members.calls) == more
        assert path.read_bytes().startswith(before)
    assert len(Recording.load(path).rows) == 12


def test_other_questions_are_refused(path):
    """A question or gold answer that changed under its id is named; another id is a new question."""
    profile({"a": double}, QUESTIONS, samples=1, recording=path)
    before = path.read_bytes()
    for changed, sentence in [
        ({"question": "1 + 1 = ?"}, "the text of question 'q1' was '1 \\+ 1\\?' and is '1 \\+ 1 = \\?'; give the new"),
        ({"gold": "3"}, "the gold answer of question 'q1' was '2' and is '3'; .* or write to a new file"),
    ]:
        questions = [QUESTIONS[0], {**QUESTIONS[1], **changed}]
        with pytest.raises(RecordingError, match=sentence):
            profile({"a": double}, questions, samples=1, recording=path)
        assert path.read_bytes() == before
        with pytest.raises(RecordingError):  # the run before released the file
            profile({"a": double}, questions, samples=1, recording=path)
    profile({"a": double}, [{**QUESTIONS[1], "question_id": "q1b", "question": "1 + 2"}], samples=1, recording=path)


def test_other_settings_and_a_second_writer_are_refused(path):
    """One file has one set of settings and one writer."""
    profile({"a": double}, QUESTIONS, samples=1, recording=path)
    with pytest.raises(RecordingError, match=r"extract was 'auto' and is 'number'; set them back, or write to a new"):
        profile({"a": double}, QUESTIONS, samples=1, recording=path, extract="number")

    def member(question):
        with pytest.raises(RecordingError, match="is being written by another process"):
            profile({"a": double}, QUESTIONS, samples=2, recording=path)
        return double(question)

    profile({"a": member}, QUESTIONS, samples=2, recording=path)
    with pytest.raises(RecordingError, match=r"a \.gz file cannot be continued"):
        profile({"a": double}, QUESTIONS, recording=path.with_suffix(".jsonl.gz"))


class Interrupted(BaseException):
    """An interruption like Ctrl-C."""


class Interrupting(Observer):
    """An observer that interrupts the profile after so many samples."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def came(self, *what, **more):
        super().came(*what, **more)
        if sum(event[0] == "came" for event in self.events) == self.after:
            raise Interrupted


@BOTH
@pytest.mark.parametrize("after", [1, 4, 9])
def test_an_interrupted_profile_continues(run_profile, path, after):
    """Samples that came are in the file, the rest is requested in the next run, and the file is released."""
    members = Members(lambda question, _: [double(question)], {"a": 3})
    with pytest.raises(Interrupted):
        run_profile(members, QUESTIONS, recording=path, watch=Interrupting(after), concurrency=1)
    assert len(Recording.load(path).rows) == after
    members.calls.clear()
    assert len(run_profile(members, QUESTIONS, recording=path).rows) == 15
    assert len(members.calls) == 15 - after


def test_an_observer_may_refuse_at_once(path):
    """An error from `begins` ends the profile before the first request and releases the file."""
    watch = Observer()
    watch.begins = lambda efforts: (_ for _ in ()).throw(Interrupted)
    with pytest.raises(Interrupted):
        profile({"a": double}, QUESTIONS, samples=1, recording=path, watch=watch)
    assert len(profile({"a": double}, QUESTIONS, samples=1, recording=path).rows) == 5


# --- the loop ---------------------------------------------------------------------------------------------------------


async def test_a_cancelled_profile_leaves_no_task(path):
    """A cancelled aprofile has ended all its tasks, also those past their time-out, and released the file."""
    begun, ended = [], []

    async def reply(question, draws):
        if question.startswith("0"):
            return [double(question)]
        begun.append(draws)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(draws)

    before = asyncio.all_tasks()
    task = asyncio.ensure_future(aprofile(Members(reply, {"a": 3}), QUESTIONS, recording=path, concurrency=3))
    while len(begun) < 3:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
    assert sorted(begun, key=repr) == sorted(ended, key=repr)
    assert len(Recording.load(path).rows) == 3
    members = Members(lambda question, _: [double(question)], {"a": 3})
    assert len((await aprofile(members, QUESTIONS, recording=path)).rows) == 15


async def test_nothing_that_may_block_runs_on_the_event_loop(path):
    """Replies are read, and samples counted and written, on threads: the loop is free for whatever else it has to do."""
    places = []

    class Watching(Observer):
        def came(self, *counts):
            places.append(threading.current_thread())
            super().came(*counts)

    members = Members(lambda question, _: [double(question)], {"a": 2})
    members.read = lambda text: places.append(threading.current_thread())
    await aprofile(members, QUESTIONS, recording=path, watch=Watching())
    assert len(places) == 2 * 10
    assert threading.current_thread() not in places


async def test_a_profile_that_is_cancelled_while_it_opens_releases_its_file(path):
    """A cancellation waits for the thread that opens the file, which is then free for the next profile."""
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        go_on.wait(60)
        yield from QUESTIONS

    members = Members(lambda question, _: [double(question)], {"a": 1})
    task = asyncio.ensure_future(aprofile(members, slow(), recording=path))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len((await aprofile(members, QUESTIONS, recording=path)).rows) == 5


async def test_a_task_past_its_time_out_has_ended_on_return(path):
    """A call past its time-out is a row with an error, and its task has ended without an asyncio warning."""
    ended = []

    async def reply(question, draws):
        if not question.startswith("1"):
            return [double(question)]
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append(draws)
            raise ValueError("while it was cancelled") from None

    before = asyncio.all_tasks()
    members = Members(reply, {"a": 1})
    recording = await aprofile(members, QUESTIONS[:2], recording=path, timeout=0.02, retries=0)
    assert [row.error for row in recording.rows] == [None, "SampleTimeoutError: no reply within 0.02 s"]
    assert asyncio.all_tasks() == before
    assert len(ended) == 1


async def test_a_task_that_ignores_its_cancellation_is_left_behind(path, monkeypatch):
    """A member that swallows its cancellation delays the return only for a moment."""
    monkeypatch.setattr(profiling_module, "_GRACE_S", 0.01)
    free = asyncio.Event()

    async def reply(question, _):
        while question.startswith("1") and not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue
        return [double(question)]

    before = asyncio.all_tasks()
    members = Members(reply, {"a": 1})
    recording = await aprofile(members, QUESTIONS[:2], recording=path, timeout=0.02, retries=0)
    assert [bool(row.error) for row in recording.rows] == [False, True]
    free.set()
    while asyncio.all_tasks() != before:
        await asyncio.sleep(0.001)


async def test_a_member_that_cancels_its_own_call_fails(path):
    """Such a call is a failed sample and does not end the profile."""

    async def reply(question, _):
        if question.startswith("1"):
            raise asyncio.CancelledError
        return [double(question)]

    recording = await aprofile(Members(reply, {"a": 1}), QUESTIONS[:2], recording=path)
    assert recording.rows[1].error == "CancelledError: the call was cancelled"


def test_a_hanging_thread_is_abandoned(path):
    """A call past its time-out is retried or recorded as an error; its late reply is ignored."""
    gate, late_reply = threading.Event(), threading.Event()

    def reply(question, _):
        if question.startswith("1"):
            gate.wait(60)
            late_reply.set()
            return ["too late"]
        if question.startswith("2"):
            gate.set()
            late_reply.wait(60)
        return [double(question)]

    members = Members(reply, {"a": 1})
    recording = profile(members, QUESTIONS, recording=path, timeout=0.5, retries=0, concurrency=1)
    assert recording.by_question["q1"]["a"][0].error == "SampleTimeoutError: no reply within 0.5 s"
    assert len(recording.rows) == 5
    assert "too late" not in path.read_text()


@BOTH
def test_a_reply_that_came_in_time_is_not_overdue(run_profile, path, monkeypatch):
    """While a slow comparison runs, calls that already returned do not time out."""
    clock, calls = [0.0], []
    monkeypatch.setattr("slmmux.profiling._run.time", SimpleNamespace(monotonic=lambda: clock[0]))
    submit = profiling_module.Pool.submit
    monkeypatch.setattr(
        profiling_module.Pool, "submit", lambda pool, call: calls.append(submit(pool, call)) or calls[-1]
    )

    def compare(answer, others):
        futures.wait(calls)
        clock[0] += 10
        return {}

    members = Members(lambda question, _: [double(question)], {"a": 4}, compare=compare)
    recording = run_profile(members, QUESTIONS, recording=path, timeout=5, retries=0, concurrency=4)
    assert [row.error for row in recording.rows] == [None] * 20


@BOTH
def test_a_rate_is_kept(run_profile, path, monkeypatch):
    """Requests start no closer than the rate allows, also on an event loop."""
    began = []
    start = campaign_module.Campaign.start

    def record_time(campaign, now):
        requests = start(campaign, now)
        began.extend(now for _ in requests)
        return requests

    monkeypatch.setattr(campaign_module.Campaign, "start", record_time)
    run_profile({"a": double}, QUESTIONS, samples=1, recording=path, requests_per_minute=60 / 0.03)
    assert len(began) == 5
    assert all(later - earlier >= 0.0299 for earlier, later in pairwise(began))


@BOTH
def test_no_more_at_once_than_allowed(run_profile, path):
    """The limit of a member and of the pool are kept, and the pool's is used in full."""
    lock, at_once, most = threading.Lock(), Counter(), Counter()
    full = threading.Event()

    def member(label):
        def reply(question):
            with lock:
                at_once[label] += 1
                at_once["all"] += 1
                most[label] = max(most[label], at_once[label])
                most["all"] = max(most["all"], at_once["all"])
            if question.startswith("3"):
                if at_once["all"] == 3:
                    full.set()
                assert full.wait(60)  # continues only once three calls run together
            with lock:
                at_once[label] -= 1
                at_once["all"] -= 1
            return double(question)

        return reply

    run_profile(
        {label: member(label) for label in "ab"},
        QUESTIONS[:4],
        samples=6,
        recording=path,
        concurrency={"a": 2},
        max_concurrency=3,
        watch=None,
    )
    assert most["a"] <= 2
    assert most["all"] <= 3


# --- answers that are compared in pairs -------------------------------------------------------------------------------


def first_letter(answer, others):
    return {index: 0.95 for index, other in others.items() if other.value[0] == answer.value[0]}


@BOTH
def test_verdicts_are_recorded_and_reused(run_profile, path):
    """Each pair of a member's samples is compared once, also across runs, and its verdict is recorded."""
    texts = {"a": ["Anna", "Bert", "Alma", "Ada"], "b": ["Bern", "Ulm", "", "Basel"]}
    pairs = []

    def compare(answer, others):
        pairs.extend(frozenset({answer.value, other.value}) for other in others.values())
        return first_letter(answer, others)

    def reply(_, draws):
        return [texts[draws[0].model][draws[0].index]]

    members = Members(reply, {"a": 4, "b": 4}, compare=compare, extract="text")
    with pytest.raises(Interrupted):
        run_profile(members, QUESTIONS[:1], recording=path, watch=Interrupting(6), concurrency=1)
    rows = run_profile(members, QUESTIONS[:1], recording=path, concurrency=1).by_question["q0"]
    assert [row.alike for row in rows["a"]] == [{}, {}, {0: 0.95}, {0: 0.95, 2: 0.95}]
    assert [row.alike for row in rows["b"]] == [{}, {}, None, {0: 0.95}]
    assert len(pairs) == len(set(pairs)) == 6 + 3


def test_a_comparison_that_fails_loses_the_answer(path):
    """As live, the sample fails; its text is recorded."""

    def compare(answer, others):
        if others:
            raise ValueError("no vector")
        return {}

    members = Members(lambda question, _: [double(question)], {"a": 2}, compare=compare)
    rows = profile(members, QUESTIONS[:1], recording=path, concurrency=1).rows
    assert [(row.error, row.answer, row.text) for row in rows] == [
        (None, "0", "The answer is 0."),
        ("ValueError: no vector", None, "The answer is 0."),
    ]


# --- observers -----------------------------------------------------------------------------------------------------


def test_an_observer_receives_plan_samples_and_estimate(path):
    """First the work ahead, then every sample, and after the first few requests the estimate."""

    def reply(question, draws):
        if question.startswith("1"):
            raise ValueError("no")
        return [double(question) for _ in draws]

    observer = Observer()
    members = Members(reply, {"a": 3, "b": 2}, several=True)
    profile(members, QUESTIONS[:4], recording=path, watch=observer, trial_only=True)
    assert [event[0] for event in observer.events] == ["begins", *["came"] * 15, "estimated"]
    assert observer.events[0][1] == [Effort("a", 4, 12, 0), Effort("b", 4, 8, 0)]
    a, b = observer.events[-1][1]
    assert (a.requests, a.samples, a.there, a.tokens) == (1, 3, 6, 36)
    assert (b.requests, b.samples, b.there, b.tokens) == (1, 2, 4, 24)
    assert a.seconds >= 0
    came = [event[1:] for event in observer.events if event[0] == "came"]
    assert Counter(came) == {("a", 1, 0, 12): 6, ("a", 1, 1, 0): 3, ("b", 1, 0, 12): 4, ("b", 1, 1, 0): 2}

    observer.events.clear()
    profile(members, QUESTIONS[:4], recording=path, watch=observer)
    assert observer.events[0][1] == [Effort("a", 1, 3, 9), Effort("b", 1, 2, 6)]
    assert [(e.requests, e.samples) for e in observer.events[-1][1]] == [(0, 0), (0, 0)]
    assert len(Recording.load(path).rows) == 20


def test_the_trial_is_recorded(path):
    """trial_only makes only the first few requests of each member, and their samples are in the file."""
    members = Members(lambda question, _: [double(question)], {"a": 2, "b": 1})
    assert len(profile(members, QUESTIONS, recording=path, trial_only=True).rows) == 6
    assert len(profile(members, QUESTIONS, recording=path).rows) == 15
    assert len(members.calls) == 15


def test_an_estimate_keeps_to_rate_and_concurrency(path):
    """A rate sets the time of the rest, however fast the calls are."""
    observer = Observer()
    options = {"recording": path, "watch": observer, "trial_only": True, "requests_per_minute": 60 / 0.01}
    profile(Members(lambda q, _: [double(q)], {"a": 1}), QUESTIONS, **options)
    assert observer.events[-1][1][0].seconds >= 0.02


@BOTH
def test_the_bars(run_profile, path):
    """The terminal shows the plan, the estimate and a bar for each member with counts, tokens and failures."""
    tries = Counter()

    def reply(question, draws):
        tries[question] += 1
        if question.startswith("1"):
            raise ValueError("no")
        if question.startswith("2") and tries[question] == 1:
            raise TemporaryFault("[bold]busy\x1b")
        return [double(question)]

    screen = io.StringIO()
    with watching(progress=True, console=Console(file=screen, width=160)) as bars:
        run_profile(Members(reply, {"[red]a": 1, "b\x1b": 1}), QUESTIONS, recording=path, watch=bars, concurrency=1)
    text = screen.getvalue()
    for words in (
        "Planned",
        "Remaining, estimated from the first few requests",
        "recorded before",
        "5/5",
        "48 tokens",
        "1 failed",
        "[red]a",
    ):
        assert words in text
    assert "pauses: TemporaryFault: [bold]busy" in text
    assert "\x1b" not in text

    again = io.StringIO()
    with watching(progress=True, console=Console(file=again, width=160)) as bars:
        run_profile(Members(reply, {"[red]a": 1, "b\x1b": 1}), QUESTIONS, recording=path, watch=bars)
    assert "Planned" in again.getvalue()
    assert "Remaining" not in again.getvalue()  # nothing is: no table, no bars
    assert "5/5" not in again.getvalue()


def test_the_bars_show_rate_and_time():
    """A rate is shown once there is one; times are in seconds, minutes or hours."""
    screen = io.StringIO()
    bars = Bars(Console(file=screen, width=160))
    times = [12.4, 300, 9000, None]
    bars.begins([Effort(f"m{i}", 1, 2000, 0, 1234567, seconds) for i, seconds in enumerate(times)])
    for _ in range(3):
        bars.came("m0", 500, 0, 10)
    bars.stop()
    bars.stop()
    text = screen.getvalue()
    for words in ("12 s", "5 min", "2.5 h", "?", "about 1,234,567", "2,000", "/s"):
        assert words in text


def test_watching_accepts_false_true_or_an_observer():
    """False gives `None`, an observer is used itself, and True draws bars on standard error."""
    with watching(progress=False) as nobody:
        assert nobody is None
    observer = Observer()
    with watching(observer) as same:
        assert same is observer
    with watching(progress=True) as bars:
        assert bars._console.stderr


# --- what it refuses --------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"concurrency": 0}, "concurrency must be a whole number above 0, received 0"),
        ({"concurrency": 1.5}, "concurrency must be a whole number above 0, received 1.5"),
        ({"concurrency": {"a": True}}, "concurrency must be a whole number above 0, received True"),
        ({"concurrency": {"z": 1}}, "concurrency names 'z', which is not a member; the members are 'a'"),
        ({"requests_per_minute": 0}, "requests_per_minute must be a number above 0, received 0"),
        ({"requests_per_minute": "9"}, "requests_per_minute must be a number above 0, received '9'"),
        ({"requests_per_minute": {"a": math.nan}}, "requests_per_minute must be a number above 0, received nan"),
        ({"max_concurrency": -1}, "max_concurrency must be a whole number above 0, received -1"),
        ({"retries": -1}, "retries must be a whole number of at least 0, received -1"),
        ({"retries": True}, "retries must be a whole number of at least 0, received True"),
        ({"retries": 0.5}, "retries must be a whole number of at least 0, received 0.5"),
        ({"timeout": 0}, "timeout must be a number above 0, received 0"),
        (
            {"concurency": 1},
            "'concurency' is not an option of a profile; the options are 'concurrency', 'requests_per_minute'",
        ),
        ({"samples": 0}, "samples for 'a' must be a whole number of at least 1, received 0"),
        ({"samples": {"b": 1}}, "samples names 'b', which is not a member"),
        ({"samples": {}}, "samples does not name 'a'; give every member a value"),
        ({"extract": "nothing"}, "nothing"),
        ({"models": {}}, "no members: a race needs at least one model"),
        ({"models": {1: double}}, "a member's label must be a text, received 1"),
        ({"models": [double]}, "models must be functions by label, received list; for chat models, use the `profile`"),
        ({"questions": []}, "the list has no questions; write at least one"),
        ({"questions": 5}, "expected questions as a .jsonl file or a list, received int"),
        ({"questions": QUESTIONS[0]}, "expected questions as a .jsonl file or a list, received dict"),
        ({"questions": ["2 + 2?"]}, "question 0 is a str; write question_id, question and, to select with, gold"),
        ({"questions": [{"question": "2?"}]}, "question 0: question_id: <missing>; write question_id, question"),
        ({"questions": [{"question_id": 1, "question": "2?"}]}, "question 0: question_id: <string_type>"),
        ({"questions": [Question(question_id=1, question="")]}, "question 0: question_id: <string_type>"),
        ({"questions": [{**QUESTIONS[0], "gold": {1, 2}}]}, "question 0: Object of type set is not JSON"),
        ({"questions": [QUESTIONS[0], QUESTIONS[0]]}, "question 1: the question_id 'q0' occurs twice; give each"),
    ],
)
def test_bad_arguments_are_refused_before_the_first_request(run_profile, path, options, sentence):
    """Each bad argument gets a sentence of its own, and no file is made."""
    options = {"models": {"a": double}, "questions": QUESTIONS, **options}
    with pytest.raises(ArgumentError) as raised:
        run_profile(options.pop("models"), options.pop("questions"), recording=path, **options)
    assert worded(sentence) in str(raised.value)
    assert not path.exists()


@BOTH
def test_infinite_limits_are_accepted(run_profile, path):
    """None and infinity mean no limit; a time-out may exceed the clock's range."""
    options = {"timeout": math.inf, "requests_per_minute": None, "concurrency": {}}
    assert len(run_profile({"a": double}, QUESTIONS, samples=1, recording=path, **options).rows) == 5
    options = {"timeout": 1e300, "requests_per_minute": {}}
    assert len(run_profile({"a": double}, QUESTIONS, samples=2, recording=path, **options).rows) == 10


def test_a_wait_has_an_end(path):
    """A wait that a rate asks for may exceed a lock's range, so the loop wakes up earlier."""
    members = Members(lambda question, _: [double(question)], {"a": 1})
    run = Run(members, QUESTIONS, path, None, {"requests_per_minute": 1e-9}, trial_only=False)
    with run:
        (request,) = run.start()
        run.take(request, members.call("1", request.draws))
        assert run.wait() == 3600


@BOTH
def test_a_reply_that_is_not_a_text_fails(run_profile, path):
    """If a function returns something else, the row has an error that says so."""
    members = {"a": lambda question: None if question.startswith("1") else double(question)}
    row = run_profile(members, QUESTIONS[:2], samples=1, recording=path).by_question["q1"]["a"][0]
    assert row.error == "TypeError: a returned a NoneType, not a text"


# --- questions --------------------------------------------------------------------------------------------------------


def test_questions_of_a_file(tmp_path):
    """One question on each line; blank lines, a byte-order mark and unknown fields are ignored."""
    file = tmp_path / "questions.jsonl"
    lines = [{**QUESTIONS[0], "mine": 1}, {"question_id": "x", "question": "\u00fc", "gold": ["a"], "dataset": "d"}]
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n\n".join(map(json.dumps, lines)).encode())
    questions = read_questions(file)
    assert questions == (
        Question(question_id="q0", question="0 + 0?", gold="0"),
        Question(question_id="x", question="\u00fc", gold=["a"], dataset="d"),
    )
    assert read_questions(str(file)) == questions
    assert len(profile({"a": lambda _: "4"}, file, samples=1, recording=tmp_path / "samples.jsonl").rows) == 2


def test_questions_pass_through_json(path):
    """A tuple becomes a list, so a continued file has the same question."""
    questions = [Question(question_id="q", question="which?", gold=("a", "b"))]
    for _ in range(2):
        assert profile({"a": lambda _: "a"}, questions, samples=1, recording=path).rows[0].gold == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"question_id": "q"}', 'line 1: question: <missing>; write {"question_id": "q1", "question": "2 + 2?"'),
        ('\n{"question_id": "q", "question": "?"}\nhello', "line 3: the line: <json_invalid error=>"),
        ("[1]", "item 0: the line: <object>"),
        ('{"question_id": "q", "question": "?"}\n' * 2, "line 2: the question_id 'q' occurs twice; give each"),
        ("\n", "has no questions; write at least one"),
    ],
)
def test_a_bad_file_of_questions_is_refused(tmp_path, text, sentence):
    """The sentence names the file, the line and the form to write."""
    file = tmp_path / "questions.jsonl"
    file.write_text(text)
    with pytest.raises(ArgumentError) as raised:
        read_questions(file)
    assert worded(sentence) in str(raised.value)
    assert str(raised.value).startswith(str(file))
    with pytest.raises(FileNotFoundError):
        read_questions(tmp_path / "none.jsonl")


# --- the fingerprint of a member --------------------------------------------------------------------------------------


def test_settings_of_a_model_that_affect_generation():
    """Name, sampling options and options of each call are kept; addresses, keys and other objects never are."""
    model = SimpleNamespace(
        model_name="", model="qwen", temperature=0.7, top_p=None, seed=3, stop=["a"], tools=[object()],
        api_key="sk-secret", base_url="http://here", timeout=3, model_kwargs={"top_k": 5, "api_key": "sk-secret"},
        extra_body={"reasoning": {"effort": ["low", {"of": 1}]}, "system": {1: 2}}, options="none",
    )  # fmt: skip
    assert generation_settings(model, {"temperature": 0.9, "n": 3, "max_tokens": 24}) == {
        "model": "qwen",
        "temperature": 0.9,
        "seed": 3,
        "stop": ["a"],
        "top_k": 5,
        "reasoning": {"effort": ["low", {"of": 1}]},
        "max_tokens": 24,
    }
    assert generation_settings(SimpleNamespace(temperature=0)) == {"model": "SimpleNamespace", "temperature": 0}


def test_the_name_of_an_extractor():
    """A name, an extractor's own name, a function's or a class's."""

    class Mine:
        def __call__(self, text):
            return text

    assert extractor_name("boxed") == "boxed"
    assert extractor_name(answers.regex(r"(\d+)")) == answers.regex(r"(\d+)").name
    assert extractor_name(double) == "double"
    assert extractor_name(Mine()).endswith("Mine")


def test_options_are_split():
    """Limits of the profile and options of the mux are separated."""
    assert split({"timeout": 1, "plan": "cascade"}) == ({"timeout": 1}, {"plan": "cascade"})


def test_a_members_reading_is_recorded_with_its_key(path):
    """The answer that a completion reads is recorded with kind and key, and is not read again."""
    members = Members(lambda question, _: ["x"], {"a": 1})
    members.read = lambda text: Answer({"of": [text]}, "structured", "the key")
    row = profile(members, QUESTIONS[:1], recording=path).rows[0]
    assert (row.answer, row.kind, row.key) == ({"of": ["x"]}, "structured", "the key")
