"""A stated risk: the chance that outstanding samples change the answer, and the cheapest order of samples."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import Answer, ArgumentError, Draw, Race, Recording, Row, replay
from slmmux._decision.risk import CONCENTRATION, DISCOUNT, chance_of_change
from slmmux._decision.types import Sample
from slmmux._decision.vote import Tally, leader
from slmmux.config import load_config

tables = st.lists(st.lists(st.sampled_from("xxyz"), min_size=1, max_size=5), min_size=1, max_size=3).map(
    lambda members: dict(zip("abc", members, strict=False))
)


def read(text):
    return Answer(text, "text", text)


def tallies_of(arrived, of):
    """Return tallies of members of which some samples have arrived, each a letter, or "-" without an answer."""
    tallies = []
    for model, letters in arrived.items():
        tally = Tally(model, of)
        for i, letter in enumerate(letters):
            tally.add(Sample(Draw(model, i), reply=letter, answer=None if letter == "-" else read(letter)))
        tallies.append(tally)
    return tallies


def chance_by_enumeration(arrived, of):
    """Return the chance of another answer, summed over every sequence of outcomes of every outstanding sample."""
    y = leader(tallies_of(arrived, of)).best.answer.value
    kept = 0.0
    for endings in product(*(list(_endings(m, arrived, of, y)) for m in arrived)):
        chance = 1.0
        complete = {}
        for model, (p, letters) in zip(arrived, endings, strict=True):
            chance *= p
            complete[model] = letters
        best = leader(tallies_of(complete, of)).best
        kept += chance * (best is not None and best.answer.value == y)
    return 1 - kept


def _endings(model, arrived, of, y):
    """Yield (chance, letters) of each way in which a member's samples can end, by the formula at the top of `risk`."""
    others = [letter for label, letters in arrived.items() if label != model for letter in letters]
    shared = others.count(y) / (len(others) + CONCENTRATION)
    stack = [(1.0, list(arrived[model]))]
    while stack:
        chance, letters = stack.pop()
        if len(letters) == of:
            yield chance, letters
            continue
        seen = dict.fromkeys(letters)
        total = len(letters) + CONCENTRATION
        anew = (CONCENTRATION + DISCOUNT * len(seen)) / total
        next_chances = {letter: (letters.count(letter) - DISCOUNT) / total for letter in seen}
        next_chances[y] = next_chances.get(y, 0.0) + anew * shared
        next_chances[f"new{len(letters)}"] = anew * (1 - shared)
        stack += [(chance * p, [*letters, letter]) for letter, p in next_chances.items() if p]


@pytest.mark.parametrize(
    "arrived",
    [
        {"a": "x"},
        {"a": "xx", "b": "y"},
        {"a": "x-", "b": "yx", "c": "z"},
        {"a": "xyz", "b": "xx"},
        {"a": "x-y", "b": "-x"},
    ],
    ids=str,
)
def test_the_chance_is_that_of_all_outcomes(arrived):
    """The sum over counts is the sum over every sequence of outcomes by the documented formula."""
    assert chance_of_change(tallies_of(arrived, 4)) == pytest.approx(chance_by_enumeration(arrived, 4), abs=1e-9)


@pytest.mark.parametrize(
    "arrived", [{"a": "", "b": "xx", "c": "x"}, {"a": "-", "b": "-x"}, {"a": "yz", "b": "xx"}], ids=str
)
def test_ties_are_counted_on_the_safe_side(arrived):
    """Where a member has yet to give the leading answer, the chance of a change is never below that of all outcomes."""
    chance, expected = chance_of_change(tallies_of(arrived, 4)), chance_by_enumeration(arrived, 4)
    assert expected - 1e-9 <= chance <= expected + 0.1


def test_nothing_is_known_before_the_first_answer():
    """Without an answer, or with more outstanding samples than can be summed up, the chance is 1."""
    assert chance_of_change(tallies_of({"a": "", "b": "-"}, 3)) == 1
    assert chance_of_change(tallies_of({"a": "x"}, 40)) == 1


@given(tables)
def test_a_settled_outcome_has_no_chance_to_change(table):
    """With every sample in, nothing can change, and the chance is 0."""
    tallies = []
    for model, letters in table.items():
        tally = Tally(model, len(letters))
        for i, letter in enumerate(letters):
            tally.add(Sample(Draw(model, i), reply=letter, answer=read(letter)))
        tallies.append(tally)
    assert chance_of_change(tallies) == pytest.approx(0, abs=1e-9)


def decided(table, **options):
    race = Race({model: len(letters) for model, letters in table.items()}, read, **options)
    while race.decision is None:
        for draw in race.ask():
            race.tell(draw, table[draw.model][draw.index])
    return race.decision


def test_a_race_stops_below_the_stated_risk():
    """A high risk ends earlier than a low one, with the reason "risk"; both end no later than "settled"."""
    table = dict.fromkeys("abc", "x" * 8)
    high, low = (decided(table, wait={"risk": risk}, plan="parallel") for risk in (0.2, 0.001))
    settled = decided(table, plan="parallel")
    assert (high.reason, high.winner.answer) == ("risk", "x")
    assert len(high.samples) < len(low.samples) <= len(settled.samples)


@given(tables, st.lists(st.sampled_from([0.0, 0.1, 1.0, 10.0, 100.0]), min_size=3, max_size=3))
def test_the_cheapest_order_changes_no_answer(table, amounts):
    """Whatever samples cost, plan="cheapest" decides for the model and answer of all samples."""
    costs = {model: amount for model, amount in zip("abc", amounts, strict=True) if model in table}
    cheap, all_in = decided(table, plan="cheapest", costs=costs), decided(table, wait="exhausted")
    assert (cheap.winner.model, cheap.winner.answer) == (all_in.winner.model, all_in.winner.answer)


def test_the_cheapest_order_asks_the_cheaper_of_two_ways():
    """If the leader's last sample and a rival's next one would both do, the cheaper member is asked."""
    table = {"a": "xyx", "b": "zzz"}  # after x, y, z, z either a's third sample or b's third may settle it

    def order(costs):
        race, models = Race({"a": 3, "b": 3}, read, plan="cheapest", costs=costs), ""
        while race.decision is None:
            (draw,) = race.ask()
            models += draw.model
            race.tell(draw, table[draw.model][draw.index])
        return models

    assert (order({"a": 1, "b": 100}), order({"a": 100, "b": 1})) == ("aabbab", "aabbb")


@pytest.mark.parametrize("wait", [{"risk": 0}, {"risk": 1}, {"risk": True}, {"chance": 0.1}, {}, "never"], ids=str)
def test_a_risk_is_a_chance(wait):
    """Anything but one of the names, or one risk between 0 and 1, is refused in one sentence."""
    with pytest.raises(ArgumentError, match="does not exist; "):
        Race({"a": 1}, read, wait=wait)


def test_a_risk_is_known_for_algorithm_1_alone():
    """Another rule, or an agreement that is no key, is refused when the mux is made."""
    with pytest.raises(ArgumentError, match='is known for rule="self-consistency"'):
        SLMMuxChatModel(models={"a": ScriptedChatModel(script=["4"])}, rule="pooled", wait={"risk": 0.01})
    with pytest.raises(ArgumentError, match='is known for rule="self-consistency"'):
        Race({"a": 2}, read, group="classes", wait={"risk": 0.01})


def test_a_mux_takes_a_risk(tmp_path):
    """The option reaches the race, from Python and from a mux.toml, and the record has the reason."""
    models = {label: ScriptedChatModel(script=["4"]) for label in "abc"}
    mux = SLMMuxChatModel(models=models, samples=5, wait={"risk": 0.2}, plan="adaptive")
    assert mux.invoke("2 + 2?").response_metadata["slmmux"]["reason"] == "risk"
    file = tmp_path / "mux.toml"
    file.write_text('wait = { risk = 0.05 }\n[models.a]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n', "utf-8")
    assert load_config(file).wait == {"risk": 0.05}
    assert SLMMuxChatModel.from_config(file).wait == {"risk": 0.05}


def test_a_replay_counts_costs_by_what_was_recorded():
    """plan="cheapest" is replayed with the recorded tokens and prices, and decides as the others do."""
    rows = [
        Row(question_id="q", model=m, sample_index=i, answer=a, input_tokens=10, output_tokens=1)
        for m, letters in {"a": "xyx", "b": "zzz"}.items()
        for i, a in enumerate(letters)
    ]
    prices = {"a": {"input": 1, "output": 1}, "b": {"input": 9, "output": 9}}
    for settings in ({}, {"prices": prices}):
        decision = replay(Recording.of(rows, settings), ["a", "b"], plan="cheapest")["q"]
        assert (decision.winner.model, decision.winner.answer) == ("b", "z")
