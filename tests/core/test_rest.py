"""A member whose server is down rests: it costs its time-out on two questions, and is asked again in time."""

import asyncio
import copy

import pytest

from slmmux import Answer, MemberRestsError, Pool, Race, SampleTimeoutError, adrive, drive
from slmmux._mux import rest as _rest
from slmmux._mux.rest import FIRST_REST_S, LONGEST_REST_S, Rest, note_failures, resting

FAULT = ConnectionError("refused")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    time = Clock()
    monkeypatch.setattr(_rest, "time", time)
    return time


def a_resting_member():
    rest = Rest()
    rest.fail(FAULT)
    rest.fail(FAULT)
    return rest


def test_one_bad_question_is_no_reason_to_rest():
    """The member rests from the second failure in a row on; a reply between them starts the count anew."""
    rest = Rest()
    rest.fail(FAULT)
    assert rest.error() is None
    rest.recover()
    rest.fail(FAULT)
    assert rest.error() is None
    rest.fail(FAULT)
    assert isinstance(rest.error(), MemberRestsError)
    assert isinstance(rest.error(), ConnectionError)  # whoever retries on the members' own class retries on this too
    assert "refused" in str(rest.error())


def test_after_the_rest_one_question_asks_again(clock):
    """The first question after its end gets no error, and the others do until there is a result."""
    rest = a_resting_member()
    clock.now += FIRST_REST_S - 0.1
    assert rest.error() is not None
    clock.now += 0.2
    assert rest.error() is None
    assert rest.error() is not None
    rest.recover()
    assert rest.error() is None
    assert rest.error() is None


def test_each_further_failure_doubles_the_rest_up_to_its_limit(clock):
    """10 s, 20 s, 40 s, and never longer than 5 minutes."""
    rest, lengths = a_resting_member(), []
    for _ in range(8):
        begin = clock.now
        while rest.is_resting():
            clock.now += 1
        lengths.append(clock.now - begin)
        rest.fail(FAULT)
    assert lengths == [min(LONGEST_REST_S, FIRST_REST_S * 2**i) for i in range(8)]


def test_many_questions_at_once_are_one_outage(clock):
    """Questions that were asked before the member rested do not lengthen its rest; the one that asks again does."""
    rest = Rest()
    for _ in range(15):
        rest.fail(FAULT)
    clock.now += FIRST_REST_S
    assert rest.error() is None
    rest.fail(FAULT)
    rest.fail(FAULT)
    clock.now += 2 * FIRST_REST_S - 0.1
    assert rest.is_resting()
    clock.now += 0.2
    assert not rest.is_resting()


def test_if_all_would_rest_all_are_asked():
    """An answer from a server that may be back is better than none."""
    rests = {"a": a_resting_member(), "b": Rest()}
    assert list(resting(rests)) == ["a"]
    rests["b"] = a_resting_member()
    assert resting(rests) == {}


def test_a_copy_of_a_mux_has_rests_of_its_own():
    """Its members are other clients."""
    assert copy.deepcopy(a_resting_member()).error() is None


def race_of(samples, **options):
    return Race(samples, lambda reply: Answer(reply, "text", reply), wait="exhausted", **options)


def drive_on_threads(race, call, **options):
    return drive(race, call, pool=Pool(4), **options)


def drive_on_a_loop(race, call, **options):
    async def acall(draws):
        return call(draws)

    return asyncio.run(adrive(race, acall, slots=Pool(4), **options))


@pytest.mark.parametrize("driver", [drive_on_threads, drive_on_a_loop])
@pytest.mark.parametrize("plan", ["parallel", "cascade", "adaptive", "first_round"])
def test_a_resting_member_is_not_asked(driver, plan):
    """Its samples fail at once with the reason, whatever the plan, and the others' samples decide."""
    labels = []

    def call(draws):
        labels.append(draws[0].model)
        return ["4"]

    error = MemberRestsError("not asked")
    decision = driver(race_of({"down": 2, "up": 2}, plan=plan), call, resting={"down": error})
    assert (decision.winner.model, set(labels)) == ("up", {"up"})
    assert {sample.error for sample in decision.samples if sample.draw.model == "down"} == {error}


@pytest.mark.parametrize(
    ("faults", "rests"),
    [
        ([FAULT, FAULT], True),
        ([SampleTimeoutError("no reply within 5 s"), FAULT], True),
        ([FAULT, None], False),
        ([FAULT, ValueError("no such model")], False),
        ([None, None], False),
    ],
)
def test_only_faults_that_may_pass_on_all_samples_count(faults, rests):
    """A wrong request fails for its own reasons, and a member that replied once is there."""

    def call(draws):
        fault = faults[draws[0].index] if draws[0].model == "a" else None
        if fault is not None:
            raise fault
        return ["4"]

    member = Rest()
    for _ in range(2):
        note_failures(drive_on_threads(race_of({"a": 2, "b": 1}), call), {"a": member}, ["a"])
    assert (member.error() is not None) == rests
