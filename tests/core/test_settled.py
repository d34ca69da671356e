"""`settled` against every completion, and the checks themselves against code that is wrong on purpose."""

import inspect
import random
import types
from collections import Counter
from itertools import product

import pytest
from reference import ABSTAINED, FAILED, algorithm_1, most_confident, most_frequent

from slmmux._decision import settled as _settled
from slmmux._decision import vote as _vote
from slmmux._decision.types import Answer, Draw, Sample

SEED = 2510_05077
STATES = 3000
UNSEEN = "unseen"


def tallied(module, table, order):
    """Return tallies of the outcomes in a table, told in the given order of (model, index)."""
    tallies = {model: module.Tally(model, len(outcomes)) for model, outcomes in table.items()}
    for model, index in order:
        outcome = table[model][index]
        answer = None if outcome is ABSTAINED or outcome is FAILED else Answer(outcome, "text", outcome)
        error = FAILED if outcome is FAILED else None
        tallies[model].add(Sample(Draw(model, index), reply=outcome, answer=answer, error=error))
    return list(tallies.values())


def a_state(rng):
    """Return a random table, which of its samples are in (in which order), and which are outstanding."""
    table = {
        model: [rng.choice([*"xyz"[: rng.randint(1, 3)], ABSTAINED, FAILED]) for _ in range(rng.randint(1, 6))]
        for model in "abcd"[: rng.randint(1, 4)]
    }
    if rng.random() < 0.5:  # confident members, as real ones are: else few states settle before the end
        table = {model: [rng.choice([outcome, "x"]) for outcome in samples] for model, samples in table.items()}
    places = [(model, i) for model, outcomes in table.items() for i in range(len(outcomes))]
    rng.shuffle(places)
    outstanding_ = rng.randint(0, min(4, len(places)))
    return table, places[outstanding_:], places[:outstanding_]


def outcomes_of_all_completions(table, outstanding):
    """Return every (model, answer) that some completion of the outstanding samples leads to.

    Votes never cross members, so each member's completions are reduced to the votes they lead to before they are
    combined: still all completions, in less time.
    """
    votes = {}
    for model, outcomes in table.items():
        open_ = [i for m, i in outstanding if m == model]
        votes[model] = set()
        for completion in product(*[["x", "y", "z", UNSEEN, ABSTAINED, FAILED]] * len(open_)):
            complete = list(outcomes)
            for i, outcome in zip(open_, completion, strict=True):
                complete[i] = outcome
            votes[model].add(most_frequent(complete))
    choices = (most_confident(dict(zip(votes, combined, strict=True))) for combined in product(*votes.values()))
    return {decision and decision[:2] for decision in choices}


def states():
    rng = random.Random(SEED)
    for _ in range(STATES):
        table, arrivals, outstanding = a_state(rng)
        yield table, arrivals, outstanding, outcomes_of_all_completions(table, outstanding)


@pytest.fixture(scope="module")
def completed():
    """Random states, each with all its completions' outcomes: worked out once, read by every check."""
    return list(states())


def first_wrong_state(completed, settled):
    """Return the first state on which `settled` is unsound or loose, or None."""
    for table, arrivals, outstanding, outcomes in completed:
        if settled(tallied(_vote, table, arrivals)) != (len(outcomes) == 1):
            return table, arrivals, outstanding, outcomes
    return None


def first_wrong_vote(completed, module):
    """Return the first complete table, told in random order, on which votes and choice are not Algorithm 1's."""
    for table, arrivals, outstanding, _ in completed:
        tallies = tallied(module, table, arrivals + outstanding)
        expected = algorithm_1(table)
        if expected is not None:
            winner, decided_by = module.choose([tally.vote() for tally in tallies])
            if (winner.model, winner.answer, decided_by) != (expected[0], expected[1], expected[3]):
                return table, arrivals + outstanding
    return None


def test_settled_is_exact(completed):
    """No random state is called settled too early (unsound) or too late (loose), over all its completions."""
    assert first_wrong_state(completed, _settled.is_settled) is None


def test_the_states_tried_are_of_every_kind(completed):
    """The brute force saw both verdicts plentifully, with samples outstanding, k unequal, abstentions and failures."""
    kinds = Counter()
    for table, arrivals, outstanding, outcomes in completed:
        is_in = [table[model][i] for model, i in arrivals]
        kinds["settled with samples outstanding"] += bool(outstanding) and len(outcomes) == 1
        kinds["open"] += len(outcomes) > 1
        kinds["complete"] += not outstanding
        kinds["k unequal"] += len({len(samples) for samples in table.values()}) > 1
        kinds["abstentions"] += ABSTAINED in is_in
        kinds["failures"] += FAILED in is_in
    assert len(completed) >= 2000
    assert min(kinds.values()) >= 300, kinds


def test_votes_are_algorithm_1_in_any_order_of_arrival(completed):
    """Tallies filled in random order vote and choose as the written-out rule does."""
    assert first_wrong_vote(completed, _vote) is None


def mutant(module, old, new):
    """Return a copy of a module with one piece of its source replaced."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{old!r} is there {source.count(old)} times; the mutant needs a new place"
    copy = types.ModuleType(module.__name__ + "_mutant")
    exec(compile(source.replace(old, new), f"<{copy.__name__}>", "exec"), copy.__dict__)
    return copy


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("return (reach, -first) <", "return (reach - 1, -first) <", id="margin-inside-too-small"),
        pytest.param("return (reach, -first) <", "return (reach + 1, -first) <", id="margin-inside-too-large"),
        pytest.param("limit = lead.count *", "limit = (lead.count + 1) *", id="margin-between-too-small"),
        pytest.param("limit = lead.count *", "limit = (lead.count - 1) *", id="margin-between-too-large"),
        pytest.param(" or (reach == limit and not ranks_first)", "", id="rank-dropped-unsound"),
        pytest.param("reach == limit and not ranks_first", "reach == limit", id="rank-dropped-loose"),
        pytest.param(" and _keeps_lead(lead, tallies)", "", id="rivals-dropped"),
        pytest.param("(rival.count + rival.outstanding)", "rival.count", id="rivals-outstanding-dropped"),
        pytest.param("(rival.count + rival.outstanding)", "rival.outstanding", id="rivals-count-dropped"),
        pytest.param(
            "min(lead.lowest_outstanding, lead.second.first if", "(lead.second.first if", id="lower-index-ignored"
        ),
    ],
)
def test_a_wrong_settled_is_caught(completed, old, new):
    """The brute force finds a state on which a settled condition with one fault is wrong."""
    wrong = mutant(_settled, old, new)
    assert first_wrong_state(completed, wrong.is_settled) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            "(self.count, -self.first) > (rival.count, -rival.first)",
            "self.count > rival.count",
            id="arrival-order-among-equals",
        ),
        pytest.param("if index < this.first:", "if False:", id="arrival-order-as-first-index"),
        pytest.param(
            "if rival.count * best.of > best.count * rival.of:",
            "if rival.count * best.of >= best.count * rival.of:",
            id="rank-reversed",
        ),
        pytest.param(
            "if rival.count * best.of > best.count * rival.of:", "if rival.count > best.count:", id="k-ignored"
        ),
    ],
)
def test_a_wrong_vote_is_caught(completed, old, new):
    """The written-out rule finds a table on which a count with one fault is wrong."""
    wrong = mutant(_vote, old, new)
    assert first_wrong_vote(completed, wrong) is not None
