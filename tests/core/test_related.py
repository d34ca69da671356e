"""Groups of answers whose equality is no key: one outcome for one set of samples, and early stop that stays sound."""

import random
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmmux import Answer, Draw, NoAnswerError, Race
from slmmux._decision.groups import classes, neighbourhoods

GROUPS = pytest.mark.parametrize("group", [classes, neighbourhoods])


def text(value):
    return Answer(value, "text", value)


@st.composite
def relations(draw):
    """A symmetric relation over a few indices, with how alike those that agree are."""
    indices = draw(st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True))
    alike = {index: {} for index in indices}
    for a in indices:
        for b in indices:
            if a < b and draw(st.booleans()):
                alike[a][b] = alike[b][a] = draw(st.sampled_from([0.9, 0.95, 1.0]))
    return alike


@given(relations())
def test_classes_are_formed_in_index_order(alike):
    """Each sample joins the first class whose first sample it agrees with; the largest counts, then the lower index."""
    formed = []
    for index in sorted(alike):
        for members in formed:
            if members[0] in alike[index]:
                members.append(index)
                break
        else:
            formed.append([index])
    largest = max(len(members) for members in formed)
    assert classes(alike) == (largest, min(members[0] for members in formed if len(members) == largest))


@given(relations())
def test_support_is_one_and_the_neighbours(alike):
    """The largest support counts; of equal ones the most central speaks, then the lower index."""
    count, centre = neighbourhoods(alike)
    supports = {index: 1 + len(near) for index, near in alike.items()}
    assert count == supports[centre] == max(supports.values())
    equals = [index for index in alike if supports[index] == count]
    most = max(sum(alike[index].values()) for index in equals)
    assert centre == min(index for index in equals if sum(alike[index].values()) == most)


def arrivals(table, agree, order, **options):
    """Return the decision of a race told replies in an order, and how many it was told."""
    race = Race({model: len(replies) for model, replies in table.items()}, read=text, **options)
    race.ask()
    for requests, (model, index) in enumerate(order):
        try:
            if race.decision is not None:
                return race.decision, requests
        except NoAnswerError:
            return None, requests
        reply = table[model][index]
        if reply is None:
            race.fail(Draw(model, index), RuntimeError("failed"))
            continue
        answer = race.read(reply)
        earlier = race.answers(model)
        race.tell(Draw(model, index), reply, (answer, {i: 1.0 for i, o in earlier.items() if agree(answer, o)}))
    try:
        return race.decision, len(order)
    except NoAnswerError:
        return None, len(order)


@GROUPS
def test_arrival_and_early_stop_change_nothing(group):
    """Under any relation, transitive or not, every order of arrival gives (model, answer) of all samples together."""
    rng = random.Random(41)
    stopped_early = 0
    for _ in range(150):
        letters = "wxyz"
        pairs = {frozenset(p) for p in product(letters, letters) if rng.random() < 0.4}
        table = {
            model: [rng.choice([*letters, letters[0], None]) for _ in range(rng.randint(1, 4))]
            for model in "abc"[: rng.randint(1, 3)]
        }
        agree = lambda a, b, pairs=pairs: a == b or frozenset((a.value, b.value)) in pairs  # noqa: E731
        places = [(model, i) for model, replies in table.items() for i in range(len(replies))]
        complete, _ = arrivals(table, agree, places, group=group, wait="exhausted")
        for _ in range(8):
            rng.shuffle(places)
            decision, requests = arrivals(table, agree, places, group=group)
            stopped_early += requests < len(places)
            assert (decision is None) == (complete is None)
            if complete is not None:
                assert (decision.winner.model, decision.winner.answer) == (
                    complete.winner.model,
                    complete.winner.answer,
                )
                assert decision.sample == complete.sample
    assert stopped_early > 20  # or the claim says little


def test_a_relation_that_is_a_key_gives_what_keys_give():
    """Where agreeing is being equal, votes and decision are those of keys."""
    rng = random.Random(7)
    for _ in range(100):
        table = {m: [rng.choice(["x", "y", "z", None]) for _ in range(rng.randint(1, 4))] for m in "ab"}
        places = [(model, i) for model, replies in table.items() for i in range(len(replies))]
        grouped, _ = arrivals(table, lambda a, b: a == b, places, group=classes, wait="exhausted")
        keyed, _ = arrivals(table, lambda a, b: a == b, places, wait="exhausted")
        assert grouped == keyed or (grouped.votes, grouped.winner, grouped.sample, grouped.decided_by) == (
            keyed.votes, keyed.winner, keyed.sample, keyed.decided_by
        )  # fmt: skip


def test_what_is_not_transitive_gives_one_outcome():
    """With a~b, b~c and not a~c every order of arrival votes alike: classes {a, b} and {c}, b the centre of three."""
    agree = lambda a, b: a == b or {a.value, b.value} in ({"a", "b"}, {"b", "c"})  # noqa: E731
    for order in permutations([("m", 0), ("m", 1), ("m", 2)]):
        grouped, _ = arrivals({"m": ["a", "b", "c"]}, agree, order, group=classes, wait="exhausted")
        assert (grouped.winner.answer, grouped.winner.count) == ("a", 2)
        central, _ = arrivals({"m": ["a", "b", "c"]}, agree, order, group=neighbourhoods, wait="exhausted")
        assert (central.winner.answer, central.winner.count) == ("b", 3)


def test_a_deadline_decides_with_the_groups_there_are():
    """Stopped before all are in, the vote is that of the groups formed so far, and the rest is unused."""
    race = Race({"m": 4}, read=text, group=classes)
    race.ask()
    for index, (reply, alike) in enumerate([("1/2", {}), ("0.5", {0: 1.0}), ("3", {})]):
        race.tell(Draw("m", index), reply, (text(reply), alike))
    race.stop("deadline")
    winner = race.decision.winner
    assert (winner.answer, winner.count, winner.of, winner.unused) == ("1/2", 2, 4, 1)


def test_the_verdicts_are_kept_with_the_samples():
    """A decision's samples carry which earlier ones each agreed with."""
    decision, _ = arrivals({"m": ["x", "y", "x"]}, lambda a, b: a == b, [("m", 0), ("m", 1), ("m", 2)], group=classes)
    assert [dict(sample.alike) for sample in decision.samples] == [{}, {}, {0: 1.0}]


@settings(max_examples=30)
@given(st.lists(st.sampled_from([None, "x", "y"]), min_size=1, max_size=5))
def test_counts_add_up(replies):
    """Count, other answers, abstentions and failures are k; replies in which nothing was read abstain."""
    race = Race({"m": len(replies)}, read=lambda _: None, group=classes, wait="exhausted")
    for draw in race.ask():
        if replies[draw.index] is None:
            race.fail(draw, RuntimeError("failed"))
        else:
            race.tell(draw, replies[draw.index], (None, {}))
    failed = replies.count(None)
    if failed < len(replies):
        winner = race.decision.winner
        assert (winner.abstained, winner.failed, winner.count) == (len(replies) - failed, failed, 0)
        assert race.decision.reply == next(reply for reply in replies if reply is not None)
