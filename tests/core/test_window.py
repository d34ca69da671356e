"""The window: never more than `limit` calls, a share for each member, and rest for a member that hangs.

Time is virtual, and no thread or task takes part: a granted place is a label in a list.
"""

import copy
import os
import threading
from math import inf
from random import Random

import pytest

from slmmux._decision import window as _window
from slmmux._decision.window import MOST_CALLS, Place, Window
from slmmux._errors import ArgumentError


class Clock:
    """A clock that only moves when a test moves it."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_window, "time", clock)
    return clock


class Desk:
    """A window, and the places that it has granted so far."""

    def __init__(self, limit, *members):
        self.window = Window(limit)
        self.window.enter(members)
        self.granted = []

    def queue(self, *labels):
        places = [Place(label, self.granted.append) for label in labels]
        for place in places:
            self.window.queue(place)
        return places

    def end(self, *places):
        for place in places:
            place.has_returned = True
            self.window.wake_all(self.window.end(place))

    @property
    def labels(self):
        return [place.label for place in self.granted]


def overdue(*places, at=1.0, patience=1.0):
    for place in places:
        place.due, place.patience = at, patience


def test_places_are_granted_in_the_order_of_the_queue():
    """With one member the window is a queue: first come, first served, `limit` at once."""
    desk = Desk(2, "a")
    first, second, third, fourth = desk.queue("a", "a", "a", "a")
    assert desk.granted == [first, second]
    desk.end(second)
    assert desk.granted == [first, second, third]
    desk.end(first, third)
    assert desk.granted == [first, second, third, fourth]


def test_a_member_without_replies_keeps_to_its_share(clock):
    """Two members, four places: one that has never replied holds two, however long its queue is."""
    desk = Desk(4, "a", "b")
    desk.queue(*"aaaaaa")
    assert desk.labels == ["a", "a"]
    desk.queue("b", "b")
    assert desk.labels == ["a", "a", "b", "b"]


def test_a_member_that_replies_borrows_what_nobody_waits_for(clock):
    """After a reply in time a member may hold more than its share, but one place stays free for the other."""
    desk = Desk(4, "a", "b")
    first, *_ = desk.queue(*"aaaaaa")
    desk.end(first)
    assert desk.labels == ["a"] * 4  # one of them has ended: three run, and the fourth place is for b
    desk.queue("b")
    assert desk.labels == ["a"] * 4 + ["b"]


def test_a_loan_ends_with_the_call(clock):
    """While another member waits below its share, a place that comes free is its own."""
    desk = Desk(4, "a", "b")
    places = desk.queue(*"aaaaaaaa")
    desk.end(places[0])
    desk.queue("b", "b")
    assert desk.labels == [*"aaaa", "b"]
    desk.end(places[1])
    assert desk.labels == [*"aaaa", "b", "b"]


def test_a_member_with_an_overdue_call_borrows_nothing(clock):
    """One call past its time-out is enough, whatever the member did before."""
    desk = Desk(6, "a", "b")
    first, hanging, *_ = desk.queue(*"aaa")
    overdue(hanging)
    desk.end(first)
    clock.now = 2.0
    desk.queue(*"aaaa")
    assert sum(place.label == "a" for place in desk.granted) - 1 == 3


def test_a_late_reply_is_no_reliability(clock):
    """A member whose last call returned after its time-out is back to its share."""
    desk = Desk(4, "a", "b")
    first, second, *_ = desk.queue(*"aaaa")
    overdue(second)
    desk.end(first)  # in time: a third call may begin
    assert len(desk.granted) == 4
    clock.now = 2.0
    desk.end(second)
    desk.queue("a", "a")
    assert len(desk.granted) == 4  # two run, which is the share


def test_a_cancelled_call_is_no_reliability(clock):
    """A call that never returned, because it was cancelled, does not let its member borrow."""
    desk = Desk(4, "a", "b")
    first, *_ = desk.queue(*"aaaa")
    desk.window.wake_all(desk.window.end(first))
    assert desk.labels == ["a"] * 3  # one has ended, two run


def test_a_member_whose_share_hangs_rests(clock):
    """Its calls are refused with the reason, those of the others begin, and it begins again once a call has ended."""
    desk = Desk(4, "a", "b")
    hanging = desk.queue("a", "a")
    waiting = desk.queue("a")
    overdue(*hanging)
    assert desk.window.refusal("a") is None
    assert desk.window.next_refusal() == 1.0
    clock.now = 1.0
    assert "calls past their timeout hold this member's whole share of max_concurrency=4" in desk.window.refusal("a")
    assert desk.window.refusal("b") is None
    desk.queue("b")
    assert desk.labels == ["a", "a", "b"]
    desk.end(hanging[0])
    assert desk.granted[-1] is waiting[0]
    assert desk.window.refusal("a") is None


def end_silently(desk, *places):
    for place in places:
        desk.window.wake_all(desk.window.end(place))


def test_a_silent_call_counts_though_its_place_is_free(clock):
    """Overdue calls that were cancelled keep their member from the next calls, as hanging threads do, not the others."""
    desk = Desk(4, "a", "b")
    hanging = desk.queue("a", "a")
    waiting = desk.queue("a")
    overdue(*hanging, at=1.0, patience=1.0)
    clock.now = 1.0
    end_silently(desk, *hanging)
    assert desk.granted == hanging
    assert desk.window.refusal("a").endswith("whole share of max_concurrency=4 (2 of them)")
    desk.queue(*"bbb")
    assert desk.labels == ["a", "a", "b", "b"]
    clock.now = 2.0  # as long again as they ran
    assert desk.window.refusal("a") is None
    desk.queue("b")
    assert waiting[0] in desk.granted


def test_a_place_that_the_shares_leave_over_is_not_for_a_member_that_rests(clock):
    """Of five places two members have two each: the fifth is no loan for whoever's share hangs."""
    desk = Desk(5, "a", "b")
    hanging = desk.queue("a", "a")
    overdue(*hanging)
    clock.now = 1.0
    desk.queue("a")
    assert desk.granted == hanging
    end_silently(desk, *hanging)
    desk.queue("a")
    assert desk.granted == hanging


@pytest.mark.parametrize("error", [None, ValueError("no such model"), ConnectionError("refused")])
def test_whatever_a_member_returns_ends_its_silence(clock, error):
    """A reply, even a late one, or an error other than a time-out: the member is there, and its next call begins."""
    desk = Desk(4, "a", "b")
    hanging, late = desk.queue("a", "a")
    overdue(hanging, late)
    waiting = desk.queue("a")
    clock.now = 1.0
    end_silently(desk, hanging)
    assert desk.window.refusal("a")
    late.note(error)
    end_silently(desk, late)
    assert desk.window.refusal("a") is None
    assert waiting[0] in desk.granted


def test_a_call_that_is_not_needed_any_more_is_not_silent(clock):
    """Quicker members settle question after question: their slow companion is no suspect, whatever its age."""
    desk = Desk(4, "a", "b")
    for _ in range(9):
        clock.now += 2.9
        (slow,) = desk.queue("a")
        overdue(slow, at=clock.now + 3.0, patience=3.0)
        clock.now += 2.9
        end_silently(desk, slow)
    assert desk.window.refusal("a") is None
    assert len(desk.granted) == 9


def test_a_call_that_ends_with_its_overdue_companion_is_silent_too(clock):
    """The first time-out of a question's calls settles it, and cancels the others a moment before theirs."""
    desk = Desk(4, "a", "b")
    first, second = desk.queue("a", "a")
    overdue(first, at=1.0)
    overdue(second, at=1.1)
    clock.now = 1.05
    end_silently(desk, first, second)
    assert desk.window.refusal("a")


def test_a_young_call_beside_an_overdue_one_is_not_silent(clock):
    """It had less than half of its time-out: nobody knows what it would have brought."""
    desk = Desk(4, "a", "b")
    first, second = desk.queue("a", "a")
    overdue(first, at=1.0)
    second.begun = 0.9
    overdue(second, at=1.9)
    clock.now = 1.0
    end_silently(desk, first, second)
    assert desk.window.refusal("a") is None


def test_a_client_that_gives_up_by_itself_is_silent(clock):
    """Its own time-out is as good as the mux's: the call counts for as long again as it ran."""
    desk = Desk(2, "a", "b")
    (hanging,) = desk.queue("a")
    clock.now = 5.0
    hanging.note(TimeoutError("read"))
    end_silently(desk, hanging)
    assert desk.window.refusal("a")
    clock.now = 10.0
    assert desk.window.refusal("a") is None


def test_a_window_full_of_hanging_calls_refuses_everybody(clock):
    """Where all places hang past twice their time-out no call waits for ever: each is refused with the reason."""
    desk = Desk(1, "a", "b")
    (hanging,) = desk.queue("a")
    desk.queue("b")
    overdue(hanging, at=1.0, patience=5.0)
    clock.now = 5.9
    assert desk.window.refusal("b") is None
    assert desk.window.next_refusal() == 6.0
    clock.now = 6.0
    assert "hold all places of max_concurrency=1" in desk.window.refusal("b")
    desk.end(hanging)
    assert desk.labels == ["a", "b"]


def test_without_time_outs_nobody_is_refused(clock):
    """A call without a time-out may run for ever: it is never overdue."""
    desk = Desk(1, "a", "b")
    desk.queue("a", "b")
    clock.now = 1e9
    assert desk.window.next_refusal() == inf
    assert desk.window.refusal("a") is None
    assert desk.window.refusal("b") is None


def test_shares_grow_when_a_question_ends():
    """Members that no question asks have no share."""
    desk = Desk(4, "a", "b")
    desk.queue(*"aaaa")
    assert len(desk.granted) == 2
    desk.window.leave(["b"])
    assert len(desk.granted) == 4


def test_withdrawn_calls_are_never_granted():
    """Taken out together, none of them gets a place that another gave back; the share of the others may grow."""
    desk = Desk(2, "a")
    running, *waiting = desk.queue("a", "b", "b")
    desk.end(running)
    assert desk.labels == ["a", "b"]  # one of two places: a share of one for each
    desk.window.withdraw(*waiting)
    assert desk.labels == ["a", "b"]
    desk.end(waiting[0])
    assert desk.queue("a", "a") == desk.granted[2:]


def test_a_place_is_held_until_its_last_holder_ends():
    """A thread started by a task holds the task's place: the next call begins only after both have ended."""
    desk = Desk(1, "a")
    place, following = desk.queue("a", "a")
    assert desk.window.hold(place)
    desk.end(place)
    assert desk.granted == [place]
    desk.end(place)
    assert desk.granted == [place, following]
    assert not desk.window.hold(place)


def test_a_place_is_given_back_once():
    """Whatever is ended twice frees one place."""
    desk = Desk(1, "a")
    place, *_ = desk.queue("a", "a", "a")
    desk.end(place, place, place)
    assert len(desk.granted) == 2


def test_a_call_that_cannot_be_woken_gives_its_place_to_the_next():
    """No thread, or a closed event loop: the next in the queue begins."""

    def refuse(_):
        raise RuntimeError

    desk = Desk(1, "a")
    (running,) = desk.queue("a")
    desk.window.queue(Place("a", refuse))
    (last,) = desk.queue("a")
    desk.end(running)
    assert desk.granted == [running, last]


def test_never_more_than_the_limit_and_nobody_starves(clock):
    """Random storms of calls over random members: the bound holds at each step, and every call begins in the end."""
    for seed in range(200):
        random = Random(seed)
        limit, members = random.randint(1, 8), "abcd"[: random.randint(1, 4)]
        desk, running, places = Desk(limit, *members), [], []
        for _ in range(60):
            clock.now += 1.0
            if random.random() < 0.5:
                places += desk.queue(random.choice(members))
            elif running:
                desk.end(running.pop(random.randrange(len(running))))
            running = [
                place for place in desk.granted if place in {p for h in desk.window._by_label.values() for p in h}
            ]
            assert len(running) <= limit
        while running:
            desk.end(*running)
            running = [
                place for place in desk.granted if place in {p for h in desk.window._by_label.values() for p in h}
            ]
            assert len(running) <= limit
        assert sorted(map(id, desk.granted)) == sorted(map(id, places))


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "4", MOST_CALLS + 1, 10**12, None])
def test_a_limit_out_of_range_is_a_sentence(limit):
    """A window of no places, or of more than a machine has, is refused at construction."""
    with pytest.raises(ArgumentError, match="max_concurrency must be a whole number from 1 to 10,000, received"):
        Window(limit)


def test_a_copy_has_places_of_its_own():
    """A copied window has as many places, all of them free."""
    desk = Desk(1, "a")
    desk.queue("a")
    other = copy.deepcopy(desk.window)
    granted = []
    other.queue(Place("a", granted.append))
    assert len(granted) == other.limit == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_all_places():
    """The threads that hold places do not exist in the child, nor does the one that holds the lock in that moment."""
    desk = Desk(1, "a")
    (place,) = desk.queue("a")
    desk.queue("a")
    reading, writing = os.pipe()
    with desk.window._lock:  # as if another thread were in the middle of something
        child = os.fork()
        if child == 0:
            desk.granted.clear()
            desk.window.wake_all(desk.window.end(place))  # of the parent: changes nothing
            desk.queue("a", "a")
            os.write(writing, bytes([len(desk.granted)]))
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 1) == b"\x01"
    os.close(reading)
    os.close(writing)
    assert len(desk.granted) == 1
    assert threading.active_count() >= 1


def test_places_that_the_shares_leave_over_are_used():
    """Of five places two members have two each by right, and the fifth goes to whoever comes first."""
    granted = []
    window = Window(5)
    for label in "aaabbb":
        window.queue(Place(label, lambda place: granted.append(place.label)))
    assert sorted(granted) == ["a", "a", "a", "b", "b"]


def test_after_a_fork_every_window_is_empty():
    """The child's windows are empty, for the threads that hold the places exist in the parent alone."""
    window, granted = Window(1), []
    window.queue(Place("a", granted.append))
    window._renew()
    window.queue(Place("b", granted.append))
    assert [place.label for place in granted] == ["a", "b"]
