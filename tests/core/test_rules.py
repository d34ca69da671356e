"""Rules that weigh all members together: what they decide, against the formula written out, and when that is settled."""

import random
from fractions import Fraction
from itertools import product

import pytest

from slmmux import Answer, ArgumentError, Draw, NoAnswerError, Race, Recording, Row, replay
from slmmux._decision.groups import classes
from slmmux._decision.rules import UNIT, LearnedRule, WeightedRule, check_rule, name_of_rule, pooled, rule_at
from slmmux._decision.settled import is_settled_by
from slmmux._decision.types import Sample
from slmmux._decision.vote import Tally
from tests.lengths import AT_LENGTH

SEED = 7
ABSTAINED = None


def answer(text):
    return None if text is ABSTAINED else Answer(text, "text", text)


def a_rule(rng, models):
    """Return a rule with weights and bonuses of either sign, from few values, so that scores are often equal."""
    small = rng.random() < 0.5
    span = [-2, -1, 0, 1, 2, 3] if small else list(range(-50, 120))
    bonuses = [0] * len(models) if rng.random() < 0.3 else [rng.choice(span) for _ in models]
    texts = rng.sample(["x", "y", "z", "unseen"], rng.randint(1, 3)) if rng.random() < 0.3 else []
    return WeightedRule(
        tuple(models),
        tuple(rng.choice(span) * UNIT for _ in models),
        tuple(b * UNIT for b in bonuses),
        (-0.5, 1.0),
        answers=tuple((text, rng.choice(span) * UNIT) for text in texts),
    )


def written_out(rule, table):
    """Return (answer, model, sample) by the formula, in fractions: slow, and as it is said."""
    counts = [a for model in rule.models for a in table[model] if a is not ABSTAINED]
    if not counts:
        return None
    share = {m: {a: Fraction(table[m].count(a), len(table[m])) for a in counts} for m in rule.models}

    def score(a):
        return dict(rule.answers).get(a, 0) + sum(
            w * share[m][a] + (u if share[m][a] == 1 else 0)
            for m, w, u in zip(rule.models, rule.weights, rule.bonuses, strict=True)
        )

    def first_given(a):
        return next((rank, table[m].index(a)) for rank, m in enumerate(rule.models) if a in table[m])

    won = min(set(counts), key=lambda a: (-score(a), first_given(a)))
    weighted = dict(zip(rule.models, rule.weights, strict=True))
    givers = [m for m in rule.models if won in table[m]]
    speaker = max(givers, key=lambda m: (weighted[m] * share[m][won], -rule.models.index(m)))
    return won, speaker, table[speaker].index(won)


def decided(race):
    decision = race.decision
    return decision.winner.answer, decision.winner.model, decision.sample.index


def arrivals(rule, table, order, *, wait="settled"):
    """Return a race told the samples of a table in an order until it is decided."""
    race = Race({m: len(table[m]) for m in rule.models}, answer, rule=rule, wait=wait)
    race.ask()
    for model, index in order:
        race.tell(Draw(model, index), table[model][index])
        if race.decision is not None:
            break
    return race


def a_table(rng):
    table = {
        model: [rng.choice([*"xyz"[: rng.randint(1, 3)], ABSTAINED]) for _ in range(rng.randint(1, 4))]
        for model in "abc"[: rng.randint(1, 3)]
    }
    if rng.random() < 0.5:  # confident members, as real ones are: else few states settle before the end
        table = {model: [rng.choice([outcome, "x"]) for outcome in samples] for model, samples in table.items()}
    places = [(model, i) for model, outcomes in table.items() for i in range(len(outcomes))]
    rng.shuffle(places)
    return table, places


def tallied(table, order):
    tallies = {model: Tally(model, len(outcomes)) for model, outcomes in table.items()}
    for model, index in order:
        tallies[model].add(Sample(Draw(model, index), reply=table[model][index], answer=answer(table[model][index])))
    return list(tallies.values())


def completions(rule, table, outstanding):
    """Return every (answer, model) that some completion of the outstanding samples leads to."""
    found = set()
    for completion in product(["x", "y", "z", "unseen", ABSTAINED], repeat=len(outstanding)):
        complete = {model: list(outcomes) for model, outcomes in table.items()}
        for (model, i), outcome in zip(outstanding, completion, strict=True):
            complete[model][i] = outcome
        decision = written_out(rule, complete)
        found.add(decision and decision[:2])
    return found


def states(count):
    rng = random.Random(SEED)
    for _ in range(count):
        table, places = a_table(rng)
        rule = pooled({m: len(s) for m, s in table.items()}) if rng.random() < 0.3 else a_rule(rng, list(table))
        missing = rng.randint(0, min(4, len(places)))
        yield rule, table, places[missing:], places[:missing]


def test_what_settled_holds_holds_under_every_completion():
    """Sound: where the bound says settled, no completion of the outstanding samples changes (model, answer)."""
    early, number = 0, 3000 if AT_LENGTH else 1000
    for rule, table, order, outstanding in states(number):
        if is_settled_by(rule, tallied(table, order)):
            assert len(completions(rule, table, outstanding)) == 1, (rule, table, order)
            early += bool(outstanding)
    assert early > number / 20


def test_with_nothing_outstanding_it_is_settled():
    """All in, nothing can change: also where no sample has an answer."""
    for said in (["x", "y"], [ABSTAINED, ABSTAINED]):
        assert is_settled_by(pooled({"a": 2}), tallied({"a": said}, [("a", 0), ("a", 1)]))


def test_settled_is_late_for_equal_scores_only():
    """Exact otherwise: where all completions lead to one outcome and it says open, some completion draws level."""
    late = exact = 0
    for rule, table, order, outstanding in states(400):
        # With negative weights an answer that nobody gives, of score 0, is held against a leader below 0.
        # And an answer not given yet is taken for the best of those that the rule gives a worth of their own.
        positive = min(*rule.weights, *rule.bonuses) >= 0 and not rule.answers
        if positive and outstanding and len(completions(rule, table, outstanding)) == 1:
            if is_settled_by(rule, tallied(table, order)):
                exact += 1
            else:
                late += 1
                assert draws_level(rule, table, outstanding), (rule, table, order)
    assert exact > 5 * late


def draws_level(rule, table, outstanding):
    """Return whether a completion gives two answers one score."""
    for completion in product(["x", "y", "z", "unseen", ABSTAINED], repeat=len(outstanding)):
        complete = {model: list(outcomes) for model, outcomes in table.items()}
        for (model, i), outcome in zip(outstanding, completion, strict=True):
            complete[model][i] = outcome
        shares = {m: {a: (s.count(a), s.index(a)) for a in s if a is not ABSTAINED} for m, s in complete.items()}
        ruling = rule.decide(shares, {m: len(s) for m, s in complete.items()})
        if ruling is None or ruling.tied:
            return True
    return False


@pytest.mark.parametrize("seed", range(5))
def test_a_race_decides_as_the_formula_says(seed):
    """The race's (answer, model, sample) is the formula's, whatever order samples come in and however they end."""
    rng = random.Random(seed)
    for _ in range(200):
        table, places = a_table(rng)
        rule = a_rule(rng, list(table))
        expected = written_out(rule, table)
        for _ in range(3):
            rng.shuffle(places)
            race = arrivals(rule, table, places, wait="exhausted")
            if expected is None:
                assert race.decision.decided_by == "rank"
                assert race.decision.probability == 0.0
            else:
                assert decided(race) == expected
                early = arrivals(rule, table, places)
                assert decided(early)[:2] == expected[:2]


@pytest.mark.parametrize("plan", ["parallel", "cascade", "adaptive"])
@pytest.mark.parametrize("wait", ["settled", "exhausted"])
def test_no_plan_changes_what_a_rule_decides(plan, wait):
    """Under a rule, too, stopping early and asking in another order change neither model nor answer."""
    rng = random.Random(SEED)
    for _ in range(150):
        table, _ = a_table(rng)
        rule = a_rule(rng, list(table))
        rows = [
            Row(question_id="q", model=m, sample_index=i, answer=a)
            for m, answers in table.items()
            for i, a in enumerate(answers)
        ]
        recording = Recording.of(rows)
        expected = replay(recording, list(table), rule=rule, wait="exhausted")["q"].winner
        questions = replay(recording, list(table), rule=rule, plan=plan, wait=wait)["q"].winner
        assert (questions.model, questions.answer) == (expected.model, expected.answer)


def test_the_probability_is_that_of_all_samples_or_of_none():
    """A probability is calibrated on all k samples, so that a race that ended early gives none."""
    rule = LearnedRule(("a", "b"), (3 * UNIT, UNIT), (0, 0), (0.0, 1.0), 40)
    table = {"a": ["x", "x", "x"], "b": ["x", "y", "y"]}
    order = [(m, i) for m in table for i in range(3)]
    assert arrivals(rule, table, order).decision.reason == "settled"
    assert arrivals(rule, table, order).decision.probability is None
    unit = arrivals(rule, table, order, wait="exhausted").decision
    shares = {"a": {"x": (3, 0)}, "b": {"x": (1, 0), "y": (2, 1)}}
    assert unit.probability == rule.decide(shares, 3).probability
    assert 0.5 < unit.probability < 1


def test_the_winner_is_the_speakers_share_of_the_answer_that_won():
    """The vote rows stay each member's own; the winner's count is that of the answer that won, not of its own vote."""
    table = {"a": ["x", "x", "y"], "b": ["y", "z", "z"], "c": ["y", "v", "v"]}
    rule = pooled({"a": 3, "b": 3, "c": 3})
    order = [(m, i) for m in table for i in range(3)]
    for _ in range(20):
        random.Random(SEED).shuffle(order)
        decision = arrivals(rule, table, order, wait="exhausted").decision
        assert (decision.winner.model, decision.winner.answer, decision.winner.count) == ("a", "y", 1)
        assert decision.sample == Draw("a", 2)
    assert [(v.answer, v.count) for v in decision.votes] == [("x", 2), ("z", 2), ("v", 2)]
    assert decision.winner.answers == (("x", 2), ("y", 1))


def test_pooled_is_one_vote_of_all_samples():
    """Every sample counts one, whosever it is and whatever its member's k."""
    rng = random.Random(SEED)
    for _ in range(300):
        table, _ = a_table(rng)
        rule = pooled({m: len(s) for m, s in table.items()})
        counts = [a for s in table.values() for a in s if a is not ABSTAINED]
        expected = written_out(rule, table)
        if counts:
            assert counts.count(expected[0]) == max(map(counts.count, counts))


def test_all_failing_under_a_rule_is_still_the_one_error():
    """No rule makes an answer of no reply."""
    race = Race({"a": 1}, answer, rule=pooled({"a": 1}))
    race.ask()
    race.fail(Draw("a", 0), ValueError("down"))
    with pytest.raises(NoAnswerError, match="down"):
        _ = race.decision


def test_a_rule_of_others_is_refused():
    """A rule weighs exactly the members of the race; the sentence names who is missing or too many."""
    with pytest.raises(ArgumentError, match="'c' is not one of them"):
        Race({"a": 1, "c": 1}, answer, rule=pooled({"a": 1, "b": 1}))
    with pytest.raises(ArgumentError, match="'b'"):
        Race({"a": 1}, answer, rule=pooled({"a": 1, "b": 1}))


def test_a_rule_where_equality_is_no_key_is_refused():
    """Groups are formed within one member, so that no vote of several can count them."""
    with pytest.raises(ArgumentError, match='agreement="canonical"'):
        Race({"a": 1}, answer, rule=pooled({"a": 1}), group=classes)


def test_what_is_no_rule_is_refused_with_what_to_write():
    """An unknown name lists the rules; the name of a fitted one says where it is fitted."""
    with pytest.raises(ArgumentError, match="'self-consistency', 'pooled', 'learned', 'learned-by-question'"):
        check_rule("majority")
    with pytest.raises(ArgumentError, match="select_complementary"):
        check_rule("learned")


def test_a_rule_by_question_is_asked_with_the_question():
    """A rule by question sees the recorded question, and what it gives for that one decides."""

    class ByKind:
        models = ("a", "b")

        def at(self, question):
            w = (3, 1) if "sum" in question else (1, 3)
            return WeightedRule(self.models, (w[0] * UNIT, w[1] * UNIT), (0, 0))

    said = {"a": "1", "b": "2"}
    recording = Recording.of(
        Row(question_id=q, question=q, model=m, sample_index=0, answer=said[m])
        for q in ("a sum", "a city")
        for m in "ab"
    )
    decisions = replay(recording, ["a", "b"], rule=ByKind())
    assert [d.winner.answer for d in decisions.values()] == ["1", "2"]
    assert name_of_rule(ByKind()) == "learned-by-question"
    assert name_of_rule(pooled({"a": 1})) == "learned"  # weights are weights, whoever chose them
    assert name_of_rule("pooled") == "pooled"
    assert rule_at("self-consistency", {"a": 1}, str) is None
