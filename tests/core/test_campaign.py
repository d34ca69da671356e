"""The order of a campaign's requests, on a simulated clock and with every kind of fault."""

import heapq
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from slmmux import Draw
from slmmux._decision.passing import passes, retry_after, status_of
from slmmux.profiling._campaign import Bounds, Campaign, PlannedRequest


class Fault(Exception):
    """A fault as an HTTP client raises it."""

    def __init__(self, status, retry_after=None):
        super().__init__(f"HTTP {status}")
        self.status_code = status
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        self.response = SimpleNamespace(headers=headers)


# The outcome of a request and its seconds, which are whole, so that both clocks add up without rounding.
outcomes = st.tuples(
    st.sampled_from(["all", "all", "all", "fewer", "passing", "asked to wait", "lasting"]), st.integers(0, 9)
)
bounds = st.builds(
    Bounds,
    concurrency=st.integers(1, 3),
    interval=st.sampled_from([0, 0, 1, 4]),
    retries=st.integers(0, 3),
    timeout=st.sampled_from([None, None, 3]),
)
pools = st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(1, 4), bounds, st.booleans()), min_size=1)


class Simulation:
    """A driver on a simulated clock that checks, at every step, the promises of a campaign."""

    def __init__(self, pool, questions, most, trial, weather, done=frozenset()):  # noqa: PLR0917 - hypothesis draws them in this order
        self.samples = {model: k for model, (k, _, _) in pool.items()}
        self.bounds = {model: b for model, (_, b, _) in pool.items()}
        self.several = {model: n for model, (_, _, n) in pool.items()}
        self.most, self.trial, self.weather = most, trial, weather
        self.campaign = Campaign(self.samples, questions, done, self.group, self.bounds, most=most, trial=trial)
        self.every_sample = {
            (q, Draw(m, i)) for m, k in self.samples.items() for q in range(questions) for i in range(k)
        } - done
        self.now = 0
        self.running = {}  # each request -> the time it began
        self.events = []  # heap: (time, number, request, outcome)
        self.number = 0
        self.arrived = []
        self.lost = []
        self.starts = {model: [] for model in pool}
        self.first_attempts = Counter()  # first attempts in the trial
        self.not_before = dict.fromkeys(pool, 0)

    def group(self, draws):
        return [tuple(draws)] if self.several[draws[0].model] else [(draw,) for draw in draws]

    def run(self):
        for _ in range(5000):
            if self.campaign.finished:
                assert not self.running
                if not self.trial:
                    return self
                self.trial = 0
                self.campaign.go_on()
                continue
            self.begin()
            self.check()
            self.turn()
        raise AssertionError("the campaign does not end")

    def begin(self):
        for request in self.campaign.start(self.now):
            model = request.model
            assert request not in self.running
            assert self.now >= self.not_before[model], "a pause or a rate was not kept"
            if self.trial and request.attempt == 0:
                self.first_attempts[model] += 1
                assert self.first_attempts[model] <= self.trial
            assert request.attempt <= self.bounds[model].retries
            self.not_before[model] = max(self.not_before[model], self.now + self.bounds[model].interval)
            self.running[request] = self.now
            self.starts[model].append(self.now)
            self.number += 1
            what, takes = self.weather[self.number % len(self.weather)]
            heapq.heappush(self.events, (self.now + takes, self.number, request, what))

    def check(self):
        """Check the limits, and that no member waits while it may send a request."""
        at_once = Counter(request.model for request in self.running)
        assert at_once.total() <= self.most
        planned = self.campaign.planned
        for model, b in self.bounds.items():
            room = 1 if self.trial else b.concurrency
            assert at_once[model] <= room
            waiting = planned[model][1] - sum(len(r.draws) for r in self.running if r.model == model)
            if not self.trial and waiting and at_once[model] < room and at_once.total() < self.most:
                assert self.now < self.not_before[model], f"{model} may send a request and does not"
        finished = len(self.arrived) + len(self.lost)
        assert finished + sum(samples for _, samples in planned.values()) == len(self.every_sample)

    def turn(self):
        """Advance the clock to the next event and report it."""
        wait = self.campaign.wait(self.now)
        ends = [self.events[0][0]] if self.events else []
        if wait is not None:
            assert wait >= 0
            ends.append(self.now + wait)
        assert ends, "nothing runs, and there is nothing to wait for"
        before, self.now = self.now, min(ends)
        late = self.campaign.overdue(self.now)
        limits = {request: self.bounds[request.model].timeout for request in self.running}
        assert set(late) == {r for r, limit in limits.items() if limit and self.now - self.running[r] >= limit}
        assert all(self.now - self.running[r] == limits[r] for r in late), "woke up too late"
        for request in late:
            self.events = [event for event in self.events if event[2] != request]
            heapq.heapify(self.events)
            self.fail(request, TimeoutError("late"))
        if self.events and self.events[0][0] <= self.now:
            _, _, request, what = heapq.heappop(self.events)
            self.tell(request, what)
        elif not late:
            assert self.now > before or self.campaign.start(self.now) == [], "woke up for nothing"

    def tell(self, request, what):
        if what in {"all", "fewer"}:
            samples = len(request.draws) - (what == "fewer" and len(request.draws) > 1)
            self.several[request.model] &= samples == len(request.draws)
            del self.running[request]
            self.campaign.came(request, samples)
            self.arrived += [(request.question, draw) for draw in request.draws[:samples]]
        else:
            fault = {"passing": Fault(503), "asked to wait": Fault(429, 7), "lasting": Fault(401)}[what]
            self.fail(request, fault)

    def fail(self, request, error):
        del self.running[request]
        retried = self.campaign.failed(request, error, self.now)
        assert retried == (passes(error) and request.attempt < self.bounds[request.model].retries)
        if retried:
            seconds = retry_after(error)
            pause = 2**request.attempt if seconds is None else seconds
            self.not_before[request.model] = max(self.not_before[request.model], self.now + pause)
        else:
            self.lost += [(request.question, draw) for draw in request.draws]


@given(pools, st.integers(0, 4), st.integers(1, 5), st.sampled_from([0, 0, 1, 3]), st.lists(outcomes, min_size=1))
@example({"a": (4, Bounds(3), True)}, 3, 5, 0, [("fewer", 1)])
@example({"a": (2, Bounds(1, timeout=3, retries=2), False), "b": (1, Bounds(2), False)}, 2, 2, 1, [("all", 9)])
def test_every_sample_comes_once_and_every_bound_is_kept(pool, questions, most, trial, weather):
    """For all outcomes of requests, each sample comes or is lost exactly once, and every limit, rate and pause is kept.

    No member waits while it may send a request: the pause, rate or trouble of one member never delays another.
    """
    simulation = Simulation(pool, questions, most, trial, weather).run()
    ended = simulation.arrived + simulation.lost
    assert len(ended) == len(set(ended))
    assert set(ended) == simulation.every_sample
    for model, b in simulation.bounds.items():
        starts = simulation.starts[model]
        assert all(later - earlier >= b.interval for earlier, later in pairwise(starts))
    event("lost some" if simulation.lost else "all came")


@given(st.sets(st.tuples(st.integers(0, 2), st.builds(Draw, st.sampled_from("ab"), st.integers(0, 3)))), st.booleans())
def test_recorded_samples_are_not_requested_again(done, several):
    """A continued campaign requests the missing samples and no others."""
    pool = {model: (3, Bounds(2), several) for model in "ab"}
    simulation = Simulation(pool, 3, 4, 0, [("all", 1)], frozenset(done)).run()
    assert set(simulation.arrived) == simulation.every_sample
    assert not set(simulation.arrived) & done


def of(samples, questions=9, **options):
    options = {"most": 64, "bounds": {model: Bounds(2) for model in samples}, **options}
    bounds = options.pop("bounds")
    group = options.pop("group", lambda draws: [(draw,) for draw in draws])
    return Campaign(samples, questions, set(), group, bounds, **options)


def test_members_take_turns_for_the_places_of_the_pool():
    """If the pool's limit is the narrower one, no member takes all places."""
    campaign = of({"a": 9, "b": 9, "c": 9}, most=4, bounds={m: Bounds(9) for m in "abc"})
    assert Counter(request.model for request in campaign.start(0)) == {"a": 2, "b": 1, "c": 1}
    assert campaign.wait(0) is None  # full: only a reply can change that


def test_a_rate_is_an_interval_between_starts():
    """At one request in three seconds, the second starts three seconds after the first, though there is room."""
    campaign = of({"a": 2}, bounds={"a": Bounds(8, interval=3)})
    assert [len(campaign.start(now)) for now in (0, 1, 2.9, 3, 4)] == [1, 0, 0, 1, 0]
    assert campaign.wait(4) == 2


def test_pauses_double_up_to_a_minute():
    """After temporary faults the whole member pauses for 1, 2, 4 ... and at most 60 seconds."""
    campaign = of({"a": 1}, bounds={"a": Bounds(1, retries=9)})
    now, pauses = 0, []
    for _ in range(9):
        (request,) = campaign.start(now)
        assert campaign.failed(request, TimeoutError(), now)
        pauses.append(campaign.wait(now))
        assert campaign.start(now + pauses[-1] - 0.1) == []
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    (request,) = campaign.start(now)
    assert not campaign.failed(request, TimeoutError(), now)


def test_retry_after_replaces_the_pause():
    """Retry-After replaces our own pause, also if it is shorter; one pause never shortens another."""
    campaign = of({"a": 2}, bounds={"a": Bounds(2)})
    first, second = campaign.start(0)
    campaign.failed(first, Fault(429, 30), 0)
    assert campaign.wait(0) == 30
    campaign.failed(second, Fault(503, 0.5), 1)
    assert campaign.wait(1) == 29
    campaign = of({"a": 1})
    campaign.failed(campaign.start(0)[0], Fault(429, 0.25), 0)
    assert campaign.wait(0) == 0.25


def test_one_members_pause_is_its_own():
    """While one member pauses, another sends requests."""
    campaign = of({"a": 9, "b": 9}, bounds={m: Bounds(1) for m in "ab"})
    a, b = campaign.start(0)
    campaign.failed(a, Fault(429, 100), 0)
    campaign.came(b, 1)
    assert [request.model for request in campaign.start(1)] == ["b"]


def test_a_shared_request_is_retried_for_the_same_draws():
    """A failed request for several draws is retried for all, or singly if the member no longer takes several."""
    several = [True]
    group = lambda draws: [tuple(draws)] if several[0] else [(draw,) for draw in draws]  # noqa: E731
    campaign = of({"a": 3}, 1, group=group, bounds={"a": Bounds(3)})
    (request,) = campaign.start(0)
    campaign.failed(request, TimeoutError(), 0)
    assert campaign.start(1) == [PlannedRequest(0, request.draws, 1)]
    campaign.failed(PlannedRequest(0, request.draws, 1), TimeoutError(), 1)
    several[0] = False
    assert campaign.start(9) == [PlannedRequest(0, (draw,), 2) for draw in request.draws]


def test_the_trial_is_the_first_requests_one_at_a_time():
    """Until `go_on`, a campaign makes this many requests of each member and then is finished."""
    campaign = of({"a": 1, "b": 1}, trial=2)
    for _ in range(2):
        begun = campaign.start(0)
        assert [request.model for request in begun] == ["a", "b"]
        assert not campaign.finished
        for request in begun:
            campaign.came(request, 1)
    assert campaign.finished
    assert campaign.start(0) == []
    assert campaign.planned == {"a": (7, 7), "b": (7, 7)}
    campaign.go_on()
    assert not campaign.finished
    assert len(campaign.start(0)) == 4


def test_retries_belong_to_the_trial():
    """A request of the trial with a temporary fault is retried within the trial, until its outcome is final."""
    campaign = of({"a": 1}, trial=1, bounds={"a": Bounds(1, retries=2)})
    now = 0
    for attempt in range(3):
        assert not campaign.finished
        (request,) = campaign.start(now)
        assert request.attempt == attempt
        assert campaign.failed(request, TimeoutError(), now) == (attempt < 2)
        now += 10
    assert campaign.finished


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        *[(Fault(status), True) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)],
        *[(Fault(status), False) for status in (400, 401, 403, 404, 413, 422)],
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (type("APIConnectionError", (Exception,), {})(), True),
        (type("Mine", (type("TransportError", (Exception,), {}),), {})(), True),
        (type("OpenAIRateLimitError", (RuntimeError,), {})("cleaned of a key"), True),
        (type("ConnectionError", (OSError,), {})("of requests"), True),
        (ValueError("no such model"), False),
        (KeyboardInterrupt(), False),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_temporary_faults_pass(error, passing):
    """Time-outs, broken connections and servers in trouble pass; wrong keys, bad requests and bugs do not."""
    assert passes(error) is passing


def test_a_response_may_know_the_status():
    """The status may be on the error or on its response; a status that is not a number is ignored."""
    error = Exception("refused")
    error.response = SimpleNamespace(status_code=503)
    assert passes(error)
    error.status_code = "503"
    assert passes(error)
    error.response = None
    assert not passes(error)


class Said(Exception):
    """A fault with attributes, as the clients give them to theirs."""

    def __init__(self, cause=None, **attributes):
        super().__init__("said")
        vars(self).update(attributes)
        self.__cause__ = cause


HEADERS = {"retry-after": "7"}


@pytest.mark.parametrize(
    "error",
    [
        Said(status_code=429, headers=HEADERS),
        Said(code=429, response=SimpleNamespace(status_code=429, headers=HEADERS)),
        Said(response=SimpleNamespace(status=429, headers=HEADERS)),
        Said(status=429, headers=HEADERS),
        Said(status_code=429, raw_response=SimpleNamespace(headers=HEADERS)),
        Said(cause=Said(code=429, response=SimpleNamespace(headers=HEADERS))),
    ],
    ids=["on it", "Google", "aiohttp's response", "aiohttp", "Mistral", "its cause"],
)
def test_every_client_keeps_status_and_header_elsewhere(error):
    """Both are found on the error, its response and its cause, under the names of the clients."""
    assert (status_of(error), retry_after(error), passes(error)) == (429, 7, True)


def test_what_only_looks_like_a_status_is_none():
    """An exit code, a success and the fault in whose handling an error was raised are no status of it."""
    assert status_of(SystemExit(1)) is status_of(Said(code=200)) is status_of(Said(code=True)) is None
    error = ValueError("a bug")
    error.__context__ = Said(status_code=503)
    assert status_of(error) is None


def test_retry_after_may_be_a_date():
    """The seconds until a date are waited for; one that has passed is no wait."""
    later = datetime.now(UTC) + timedelta(seconds=50)
    assert 48 <= retry_after(Fault(429, format_datetime(later, usegmt=True))) <= 50
    assert retry_after(Fault(429, "Wed, 21 Oct 2015 07:28:00 GMT")) == 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0.5", 0.5), ("0", 0), ("9999", 120), ("inf", 120), ("-3", None), ("nan", None), ("Wed, 21 Oct", None)],
)
def test_retry_after_is_at_most_two_minutes(header, seconds):
    """Retry-After in seconds is kept, up to two minutes; other values are ignored."""
    assert retry_after(Fault(429, header)) == seconds


def test_without_retry_after_the_pause_is_ours():
    """Without the header, or without a response, `retry_after` is `None`."""
    assert retry_after(Fault(429)) is None
    assert retry_after(TimeoutError()) is None
