"""When answers agree: options that are refused, hand-made vectors, and drivers that compare off the race."""

import asyncio
import copy
import math
import threading

import pytest

from slmmux import ArgumentError, NoAnswerError, Pool, Race, adrive, drive
from slmmux._mux.agreement import agreement_of
from slmmux.answers import reader


def by_angle(text):
    """A vector for each text: an angle in degrees, as the text says."""
    degrees = float(text.split()[-1])
    return [3 * math.cos(math.radians(degrees)), 3 * math.sin(math.radians(degrees))]


def decided(replies, agreement, way="sync", *, read=None, wait="exhausted", **options):
    """Return the decision of one member's replies."""
    race = Race({"m": len(replies)}, read or reader("auto"), wait=wait, group=agreement.group)
    if way == "sync":
        return drive(
            race,
            lambda draws: [replies[draw.index] for draw in draws],
            pool=Pool(1),
            compare=agreement.compare,
            **options,
        )

    async def call(draws):
        return [replies[draw.index] for draw in draws]

    return asyncio.run(adrive(race, call, slots=asyncio.Semaphore(1), compare=agreement.compare, **options))


WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@WAYS
def test_neighbours_are_within_tau(way):
    """With vectors 0, 20 and 40 degrees and tau = cos 25 the middle one has both for neighbours and speaks."""
    agreement = agreement_of("embedding", by_angle, tau=math.cos(math.radians(25)))
    winner = decided(["at 0", "at 20", "at 40", "at 170"], agreement, way).winner
    assert (winner.answer, winner.count, winner.of) == ("at 20", 3, 4)


def test_of_equal_support_the_most_central_speaks():
    """With equal support the sample most alike to its neighbours speaks: the middle of a closer three."""
    agreement = agreement_of("embedding", by_angle, tau=math.cos(math.radians(25)))
    decision = decided(["at 0", "at 20", "at 40", "at 180", "at 182", "at 184"], agreement)
    assert (decision.winner.answer, decision.winner.count) == ("at 182", 3)
    assert decision.reply == "at 182"


def test_what_is_exact_stays_exact():
    """Numbers, boxes and choices are compared by their keys, whatever their vectors, and nothing is embedded."""
    agreement = agreement_of("embedding", lambda _: pytest.fail("embedded"), tau=0.5)
    assert decided(["Answer: 4", "Answer: 4.0", "Answer: 5"], agreement).winner.count == 2
    assert decided([r"\boxed{4}", "Answer: D"], agreement).winner.count == 1


def test_a_text_is_embedded_once():
    """Each text is asked for once, whoever it is compared with."""
    asked = []
    agreement = agreement_of("embedding", lambda text: asked.append(text) or by_angle(text), tau=0.9)
    decided(["at 0", "at 90", "at 0", "at 180"], agreement)
    assert sorted(asked) == ["at 0", "at 180", "at 90"]


@WAYS
@pytest.mark.parametrize(
    "vectors",
    [
        lambda text: 1 / 0 if "90" in text else by_angle(text),
        lambda text: [0.0, 0.0] if "90" in text else by_angle(text),
        lambda text: [] if "90" in text else by_angle(text),
        lambda text: [math.nan, 1] if "90" in text else by_angle(text),
        lambda text: [1.0, 2.0, 3.0] if "90" in text else by_angle(text),
    ],
    ids=["raises", "zero", "empty", "nan", "longer"],
)
def test_an_embedding_that_fails_costs_the_vote(vectors, way):
    """A sample that cannot be compared is a failed one, with the embedding's own error; the others decide."""
    decision = decided(["at 0", "at 5", "at 90"], agreement_of("embedding", vectors), way)
    assert (decision.winner.count, decision.winner.failed) == (2, 1)


def test_nothing_comparable_is_an_error_with_every_cause():
    """Where the first sample is all there is it needs no comparison; where all others fail, its vote stands."""

    def broken(_):
        raise OSError("no connection")

    decision = decided(["at 0", "at 5", "at 6"], agreement_of("embedding", broken))
    assert (decision.winner.answer, decision.winner.count, decision.winner.failed) == ("at 0", 1, 2)


@WAYS
def test_an_extractor_that_raises_costs_the_vote(way):
    """Reading is the driver's where it compares, and its faults cost the vote there too."""

    def read(_):
        raise ValueError("unreadable")

    with pytest.raises(NoAnswerError, match="unreadable"):
        decided(["a", "b"], agreement_of("embedding", by_angle), way, read=read)


@WAYS
def test_a_reply_without_an_answer_abstains(way):
    """Nothing read is nothing to compare."""
    decision = decided(["", "at 0"], agreement_of("embedding", by_angle), way)
    assert (decision.winner.answer, decision.winner.abstained) == ("at 0", 1)


async def test_comparing_leaves_the_event_loop_free():
    """On the event loop answers are compared in a thread: the loop goes on while a comparison waits for it."""
    free, here = threading.Event(), threading.get_ident()

    def embed(text):
        assert threading.get_ident() != here
        assert free.wait(30)
        return by_angle(text)

    agreement = agreement_of("embedding", embed)
    race = Race({"m": 2}, reader("auto"), group=agreement.group)

    async def call(draws):
        return ["at 0"] if draws[0].index else ["at 5"]

    running = asyncio.ensure_future(adrive(race, call, slots=asyncio.Semaphore(2), compare=agreement.compare))
    for _ in range(20):
        await asyncio.sleep(0)
    free.set()
    assert (await running).winner.count == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "embedding"}, "needs embedding="),
        ({"name": "embedding", "embedding": 5}, "embedding is a int"),
        ({"name": "embedding", "embedding": by_angle, "tau": 0}, "tau must be above 0"),
        ({"name": "embedding", "embedding": by_angle, "tau": 1.01}, "tau must be above 0"),
        ({"name": "math", "embedding": by_angle}, 'by agreement="embedding" alone'),
        ({"name": "canonical", "embedding": by_angle}, 'by agreement="embedding" alone'),
        ({"name": "meaning"}, "choose one of"),
    ],
)
def test_what_is_refused(options, words):
    """An agreement that cannot be had is a sentence that says what to write."""
    with pytest.raises(ArgumentError, match=words):
        agreement_of(**options)


class ByQuery:
    """An object with LangChain's method."""

    def embed_query(self, text):
        return by_angle(text)


class ByText:
    """An object with LlamaIndex's."""

    def get_text_embedding(self, text):
        return by_angle(text)


@pytest.mark.parametrize("embedding", [ByQuery(), ByText(), by_angle])
def test_whose_embedding(embedding, monkeypatch):
    """Objects with either framework's method, or a function; vectors are kept until there are too many."""
    monkeypatch.setattr("slmmux._mux.agreement._MOST_KEPT", 1)
    assert decided(["at 0", "at 5", "at 90"], agreement_of("embedding", embedding)).winner.count == 2


def test_keys_need_no_comparison():
    """The default compares by keys: nothing is asked of a driver."""
    agreement = agreement_of("canonical")
    assert (agreement.name, agreement.compare, agreement.group) == ("canonical", None, None)


def test_math_without_the_extra_is_an_error_that_names_it(monkeypatch):
    """Asked for by name and not installed, mathematics is refused, never a weaker vote in silence."""
    monkeypatch.setattr("slmmux.answers._mathematics.comparison.available", lambda: False)
    with pytest.raises(ArgumentError, match=r"slmmux\[math\]"):
        agreement_of("math")


@WAYS
def test_mathematics_agrees_where_forms_differ(way):
    """What says the same mathematics is one class, named by its first, a number among expressions too."""
    pytest.importorskip("math_verify")
    replies = [r"\boxed{(x+1)^2}", r"\boxed{x^2+2x+1}", r"\boxed{x^2}", "Answer: 4", r"\boxed{1+2x+x^2}"]
    decision = decided(replies, agreement_of("math"), way)
    assert (decision.winner.answer, decision.winner.count) == ("(x+1)^2", 3)
    assert decided(["Answer: 4", r"\boxed{2+2}", "#### D"], agreement_of("math"), way).winner.count == 2


def test_a_live_race_and_its_replay_agree():
    """Classes of a live race by mathematics are those that `replay` forms of the same answers with `answers.same`."""
    pytest.importorskip("math_verify")
    from slmmux import Recording, answers, replay
    from slmmux.recording import Row

    read = ["x^2", "(x+1)^2", "x x", "x^2+2x+1", "1+2x+x^2"]
    live = decided([rf"\boxed{{{text}}}" for text in read], agreement_of("math"))
    rows = [Row(question_id="q", model="m", sample_index=i, answer=text) for i, text in enumerate(read)]
    replayed = replay(Recording.of(rows), ["m"], same=answers.same, wait="exhausted")["q"]
    assert (live.winner.answer, live.winner.count) == (replayed.winner.answer, replayed.winner.count)


def test_a_copy_compares_alike():
    """A deep copy of an agreement is the agreement: its clients and vectors are shared."""
    agreement = agreement_of("embedding", by_angle)
    assert copy.deepcopy(agreement) is agreement
    assert agreement.identity != agreement_of("embedding", by_angle).identity
