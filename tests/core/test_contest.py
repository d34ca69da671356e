"""The rules of a subset: held out fold by fold, the one asked for served, and its held-out probabilities."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmmux import ArgumentError, Recording, RecordingError, Row, Selection, select_complementary
from slmmux._decision.rules import LearnedRule
from slmmux._mux.from_selection import selected_arguments
from slmmux.baselines import AGENT_FOREST, baselines
from slmmux.learned import FEWEST, evaluate, fit
from slmmux.recording._arrays import arrays_of
from slmmux.selection._contest import REPEATS, RULES, Learner, _pooled, contest, learners

some = settings(max_examples=25, deadline=None)  # each selects, and with rules


def recorded(said, **settings):
    """Make a recording of {model: [the samples' answers, a text a question]}; the gold answer is "1" everywhere."""
    return Recording.of(
        [
            Row(question_id=f"q{q:03}", model=model, sample_index=i, answer=None if a == "-" else a, gold="1")
            for model, questions in said.items()
            for q, answers in enumerate(questions)
            for i, a in enumerate(answers)
        ],
        settings,
    )


def reversed_questions(recording):
    return Recording.of(sorted(recording.rows, key=lambda row: row.question_id, reverse=True), recording.settings)


@st.composite
def pools(draw, least=2, most=14):
    """Up to three models of differing strength on a few questions, with silent samples."""
    members, k = draw(st.integers(2, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    questions = draw(st.integers(least, most))
    return recorded(
        {f"m{m}": ["".join(rng.choice(list("11123-"), size=k)) for _ in range(questions)] for m in range(members)}
    )


def turned(recording, answers):
    """Rename the answers of each question by its place, so that none of them is right more often than another."""

    def turn(answer, question):
        return None if answer is None else str((int(answer) + int(question[1:])) % answers + 1)

    return Recording.of(
        replace(row, answer=turn(row.answer, row.question_id), gold=turn(row.gold, row.question_id))
        for row in recording.rows
    )


def liar(questions=60, seed=0):
    """Record a model that is always sure and mostly wrong, and two that waver and show in their shares when they know.

    Algorithm 1 believes the liar; so does one vote of all samples where only one of the two knows.
    """
    rng = np.random.default_rng(seed)
    knows = rng.random((2, questions)) < 0.65
    pool = {
        "liar": ["1" * 5 if rng.random() < 0.2 else "2" * 5 for _ in range(questions)],
        "ann": ["11134" if each else "33514" for each in knows[0]],
        "bob": ["11167" if each else "66718" for each in knows[1]],
    }
    return turned(recorded(pool), 8)


TOPICS = {"rivers": [1.0, 0.0], "primes": [0.0, 1.0]}


def by_topic(text):
    return TOPICS[text.split()[0]]


def topics(questions=80):
    """Record a model that knows rivers and one that knows primes; both waver alike, and nothing but the topic tells."""
    said = {"ann": ["1123" if q % 2 else "2213" for q in range(questions)]}
    said["bob"] = ["2213" if q % 2 else "1123" for q in range(questions)]
    rows = turned(recorded(said), 3).rows
    name = list(TOPICS)
    return Recording.of(
        [replace(row, question=f"{name[int(row.question_id[1:]) % 2]} {row.question_id}") for row in rows]
    )


def selected(recording, rule="learned", **options):
    options = {"repeats": 2, "folds": 3, "keep": 3, "rule": rule, "n_resamples": 0, **options}
    return select_complementary(recording, **options)


def scripted(fitted=None, said=0.5):
    """Return a learner that keeps what it was given, fits nothing, and decides like the pooled vote."""
    calls = []

    def fit_nothing(arrays, questions):
        calls.append(("fit", arrays.models, tuple(questions.tolist())))
        return LearnedRule(arrays.models, (10**6,) * len(arrays.models), (0,) * len(arrays.models), (0.0, 1.0), 1)

    def decide(arrays, rule, questions):
        calls.append(("decide", arrays.models, tuple(questions.tolist())))
        return np.ones(questions.size, dtype=bool), np.full(questions.size, said) + len(calls) / 10**6

    return Learner(fitted or fit_nothing, decide), calls


# What is held out


@some
@given(pools(), st.integers(2, 4), st.integers(1, 6), st.integers(0, 5))
def test_its_self_consistency_is_what_is_held_out_without_a_rule(recording, folds, repeats, seed):
    """On the same splits the entry of Algorithm 1 is `held_out` to the last bit, and "single" is its `single`."""
    options = {"folds": folds, "seed": seed, "n_resamples": 3}
    mux = selected(recording, "pooled", repeats=repeats, **options)
    plain = select_complementary(recording, repeats=min(repeats, REPEATS), **options)
    for size, subset in mux.by_size.items():
        expected = plain.by_size[size].held_out
        assert subset.contest["self-consistency"] == expected
        alone = subset.contest["single"]
        assert (alone.accuracy, alone.gain) == (expected.single, 0)
        assert alone.low < 0 < alone.high, "even where two never differ, n questions only say so much"
        assert {each.single for each in subset.contest.values()} == {expected.single}
        assert replace(subset, contest=None, rule="self-consistency") == replace(
            plain.by_size[size], held_out=subset.held_out
        )


def test_a_rule_never_sees_the_questions_it_is_held_against():
    """In every fold the subset, its rank and the rule come from the other folds; each question is tested once a repeat.

    What is foretold of a question is what was said in the first repeat, in the order recorded.
    """
    recording = liar(23)
    arrays = arrays_of(recording)
    learner, calls = scripted()
    chosen = iter([[2, 1], [0, 1], [1, 2], [0, 2], [2, 0], [1, 0]])
    trained = []

    def choose(train):
        trained.append(tuple(train.tolist()))
        return next(chosen)

    outcome = contest(arrays, "learned", {"learned": learner}, [0, 1], choose, folds=3, repeats=2, seed=5)
    (_, whole, everything), *folds, served = calls
    assert (whole, everything) == (("liar", "ann"), tuple(range(23)))
    assert served == ("decide", whole, everything), "the rule that is served, on all questions"
    assert len(folds) == 2 * len(trained) == 12
    accuracy = arrays.votes.right
    for f, train in enumerate(trained):
        (fitting, models, seen), (deciding, same_models, test) = folds[2 * f : 2 * f + 2]
        assert (fitting, deciding, seen, models) == ("fit", "decide", train, same_models)
        assert sorted(seen + test) == list(range(23))
        members = [arrays.models.index(model) for model in models]
        assert set(members) == set([[2, 1], [0, 1], [1, 2], [0, 2], [2, 0], [1, 0]][f])
        share = accuracy[:, list(train)].mean(axis=1)
        assert share[members[0]] >= share[members[1]]
    for repeat in (folds[:6], folds[6:]):
        assert sorted(q for what, _, test in repeat if what == "decide" for q in test) == list(range(23))
    told = outcome.foretold
    for f, (_, _, test) in enumerate(folds[1:6:2]):
        assert {told.probability[q] for q in test} == {0.5 + (2 * f + 3) / 10**6}
    assert told.right == (True,) * 23


def test_what_is_foretold_is_algorithm_1_beside_the_rule():
    """Confidence is the speaking member's share, and the vote it goes with right or wrong, question by question."""
    recording = recorded({"a": ["11", "23", "12", "--"] * 3, "b": ["12", "44", "21", "-3"] * 3})
    arrays = arrays_of(recording)
    learner, _ = scripted()
    told = contest(
        arrays, "learned", {"learned": learner}, [1, 0], lambda train: [0, 1], folds=3, repeats=1, seed=0
    ).foretold
    assert told.confidence == (1.0, 1.0, 0.5, 0.5) * 3
    assert told.right_by_confidence == (True, False, True, False) * 3


def test_a_question_without_an_answer_is_foretold_as_never_right():
    """Where no member said anything the probability is 0, and the question counts among those given up."""
    said = {"a": ["11", "12", "23", "--"] * 20, "b": ["12", "11", "34", "--"] * 20}
    selection = selected(recorded(said), sizes=[2])
    told = selection.by_size[2].foretold
    assert len(told.probability) == 80
    assert told.probability[3::4] == (0.0,) * 20
    assert min(told.probability[0::4]) > 0
    # A quarter has no answer, and with a confidence of 90 % a budget of a third leaves room for more than those.
    assert selection.threshold(budget=0.33, size=2).answered == 0.75
    assert selection.threshold(budget=0.2, size=2).p == 0.0


def test_in_a_fold_too_few_to_learn_from_algorithm_1_decides():
    """The rule's entry is that of self-consistency where no fold could learn, and nothing is foretold."""
    recording = liar(20)
    arrays = arrays_of(recording)
    rule = fit(arrays)
    learner, calls = scripted(lambda _, questions: rule if questions.size == 20 else None)
    outcome = contest(
        arrays, "learned", {"learned": learner}, [0, 1, 2], lambda train: [0, 1, 2], folds=4, repeats=2, seed=0
    )
    assert outcome.estimates["learned"] == outcome.estimates["self-consistency"]
    assert outcome.foretold is None
    assert not calls
    assert outcome.fitted == {"learned": rule}


def test_questions_of_a_fold_too_few_to_learn_from_are_not_foretold():
    """Of the other folds each question is foretold, once; the later repeats add nothing."""
    recording = liar(20)
    arrays = arrays_of(recording)
    rule = fit(arrays)
    answers = iter([rule, None, *[rule] * 7])
    learner, _ = scripted(lambda _, __: next(answers))
    told = contest(
        arrays, "learned", {"learned": learner}, [0, 1, 2], lambda train: [0, 1, 2], folds=4, repeats=2, seed=0
    ).foretold
    # The first `fit` is the one on all questions: of the four folds the first could not learn.
    assert len(told.probability) == len(told.right) == len(told.confidence) == len(told.right_by_confidence) == 15


@some
@given(pools())
def test_its_pooled_vote_is_the_baseline(recording):
    """Right and wrong, question by question, as `baselines` counts one vote of all samples."""
    arrays = arrays_of(recording)
    row = next(row for row in baselines(recording) if row.name == AGENT_FOREST)
    rank = [arrays.models.index(model) for model in row.models]
    everything = np.arange(len(arrays.questions))
    assert _pooled(arrays)(rank, everything[:0], everything).tolist() == row.right.astype(bool).tolist()


# Which rule is served


@some
@given(pools(least=12, most=30), st.sampled_from(RULES[1:3]))
def test_the_rule_asked_for_is_served(recording, rule):
    """Whichever did best; self-consistency if it could not be fitted. All up to it are compared, simplest first."""
    for subset in selected(recording, rule).by_size.values():
        entries = [name for name in RULES if name in subset.contest]
        assert list(subset.contest) == ["single", *entries]
        assert subset.rule == (rule if rule in entries else "self-consistency")
        assert ("learned" in subset.fitted) == ("learned" in subset.contest)


def test_a_learned_rule_wins_where_a_member_is_sure_and_wrong():
    """The weights take the liar's word for what it is worth: far more is right than by any simpler rule, held out."""
    selection = selected(liar(120), sizes=[3], folds=5, repeats=4, n_resamples=10)
    best = selection.best
    assert best.rule == "learned"
    assert best.contest["learned"].low > 0
    assert best.contest["learned"].accuracy > best.contest["pooled"].accuracy + 0.1
    assert best.fitted["learned"] == fit(arrays_of(liar(120), best.models))
    assert selection.verdict.startswith(
        f'mux {" + ".join(best.models)} with rule="learned": better than model {selection.single.models[0]} alone ('
    )
    assert selection.recommendation == "mux"


def test_a_rule_by_question_wins_where_only_the_topic_tells_who_knows():
    """No weights but those that follow the question tell the two apart: they are right on all that no fold had seen."""
    selection = selected(topics(120), "learned-by-question", sizes=[2], embedding=by_topic, n_resamples=5)
    best = selection.best
    assert list(best.contest) == ["single", *RULES]
    assert best.rule == "learned-by-question"
    assert best.contest["learned-by-question"].accuracy == 1.0
    assert best.contest["learned"].accuracy < 0.8
    assert (best.foretold.rule, set(best.foretold.right)) == ("learned-by-question", {True})
    assert list(best.fitted) == ["learned", "learned-by-question"]
    for text, knows in (("rivers x", "bob"), ("primes x", "ann")):
        rule = best.fitted["learned-by-question"].at(text, embed=by_topic)
        assert max(zip(rule.weights, rule.models, strict=True))[1] == knows
    assert 'with rule="learned-by-question": better than' in selection.verdict


def test_a_text_is_embedded_once():
    """However many sizes, folds and repeats there are: an embedding may be paid for by the call."""
    asked = []
    selected(topics(20), "learned-by-question", embedding=lambda text: asked.append(text) or by_topic(text))
    assert sorted(asked) == sorted({row.question for row in topics(20).rows})


def test_by_question_falls_back_with_the_learned_rule():
    """Where too few questions teach neither is fitted, and the verdict names the one asked for."""
    selection = selected(topics(FEWEST - 2), "learned-by-question", sizes=[2], embedding=by_topic)
    assert list(selection.by_size[2].contest) == ["single", "self-consistency"]
    assert '; too few questions tell right from wrong to fit rule="learned-by-question", so ' in selection.verdict


def test_where_nothing_can_be_held_out_there_is_no_contest():
    """One question alone cannot be held out: self-consistency is served, and the verdict says that nothing is known."""
    selection = selected(recorded({"a": ["11"], "b": ["12"]}), "pooled", sizes=[2])
    assert (selection.best.contest, selection.best.rule) == (None, "self-consistency")
    assert selection.verdict.startswith("cannot tell yet: too few questions")


def test_the_fitted_rule_is_of_the_subset_alone():
    """A rule of two is fitted on the samples of these two, and weighs no other."""
    recording = liar(60)
    for subset in selected(recording, sizes=[2, 3]).by_size.values():
        assert set(subset.fitted["learned"].models) == set(subset.models)
        assert subset.fitted["learned"] == fit(arrays_of(recording, subset.models))


def test_with_too_few_questions_self_consistency_decides_and_the_verdict_says_so():
    """Fewer than can teach: no fitted rule, nothing foretold, and only self-consistency stands against the single."""
    questions = [*(["11"] * 3), *(["12"] * (FEWEST - 1))]
    recording = recorded({"a": questions, "b": ["11"] * 3 + ["11"] * (FEWEST - 1)})
    selection = selected(recording, sizes=[2])
    assert list(selection.by_size[2].contest) == ["single", "self-consistency"]
    mux = selection.by_size[2]
    assert (mux.rule, mux.fitted, mux.foretold) == ("self-consistency", {}, None)
    assert '; too few questions tell right from wrong to fit rule="learned", so rule="self-consistency" ' in (
        selection.verdict
    )
    with pytest.raises(ArgumentError, match=r"no probabilities of a fitted rule for a \+ b; make it with"):
        selection.threshold(budget=0.1, size=2)


@pytest.mark.parametrize(("questions", "served"), [(60, False), (99, False), (100, True)])
def test_on_few_questions_the_single_model_is_served_unless_the_rule_is_preferred(questions, served):
    """Below 100 questions a rule whose held-out gain is not above 0 gives way to the single model, by itself."""
    rng = np.random.default_rng(2)
    dominated = {"a": ["11"] * (questions - 5) + ["12"] * 5} | {
        m: ["".join(rng.choice(list("123"), size=2)) for _ in range(questions)] for m in "bc"
    }
    selection = selected(recorded(dominated), sizes=[2])
    mux = selection.by_size[2]
    assert mux.rule == "learned"
    assert mux.contest["learned"].gain <= 0
    if served:
        assert selection.best == mux
    else:
        assert (selection.best.models, selection.best.rule) == (("a",), "self-consistency")


def test_on_few_questions_a_rule_that_is_preferred_is_served():
    """Below 100 questions a rule whose held-out gain is above 0 is served as it is."""
    preferred = selected(liar(60), sizes=[3])
    assert preferred.best.contest["learned"].gain > 0
    assert preferred.best == preferred.by_size[3]


def test_the_single_model_that_is_served_comes_back_from_a_file(tmp_path):
    """Saved and loaded it is still served by itself, also where a mux of one with the rule was looked at."""
    dominated = {"a": ["11"] * 40, "b": ["12", "22"] * 20, "c": ["32", "12"] * 20}
    selection = selected(recorded(dominated), sizes=[1, 2])
    assert selection.best.models == ("a",)
    file = tmp_path / "selection.json"
    selection.save(file)
    assert Selection.load(file) == selection
    assert "rule" not in selected_arguments(Selection.load(file), {"a": object()}, None, {"extract": "auto"})


# What is kept of it


def test_the_order_of_questions_does_not_change_what_is_fitted():
    """The splits are of places, so what is held out may differ; models and rules, fitted on all, do not."""
    recording = liar(60)
    one, other = selected(recording), selected(reversed_questions(recording))
    for size, subset in one.by_size.items():
        assert other.by_size[size].models == subset.models
        assert other.by_size[size].fitted == subset.fitted


def test_one_seed_gives_one_selection():
    """Nothing is drawn but by the seed."""
    assert selected(liar(30), seed=7) == selected(liar(30), seed=7)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    """Rules, contest and what was foretold come back as they were; the file holds no text of a question or a reply."""
    recording = liar(120)
    rows = [replace(row, question=f"why {row.question_id}", text=f"since {row.answer}") for row in recording.rows]
    selection = selected(Recording.of(rows), sizes=[2, 3])
    file = tmp_path / "selection.json"
    selection.save(file)
    loaded = Selection.load(file)
    assert loaded == selection
    assert isinstance(loaded.best.fitted["learned"], LearnedRule)
    assert loaded.threshold(budget=0.2) == selection.threshold(budget=0.2)
    assert "why" not in file.read_text()
    assert "since" not in file.read_text()


def test_a_rule_by_question_is_saved_once_a_size_and_without_the_texts(tmp_path):
    """Loaded it is the rule that was fitted, in every place; questions cannot be read in the file, nor their ids."""
    recording = topics(40)
    selection = selected(recording, "learned-by-question", embedding=by_topic)
    file = tmp_path / "selection.json"
    selection.save(file)
    assert Selection.load(file) == selection
    assert file.read_text().count('"lean"') == len(selection.by_size)
    for word in [*TOPICS, "q001"]:
        assert word not in file.read_text()


def test_a_rule_by_question_by_words_holds_no_word(tmp_path):
    """Without an embedding questions are compared by their words: the file has none of them, and decides as fitted."""
    pytest.importorskip("sklearn", reason="the extra learned")
    selection = selected(topics(40), "learned-by-question", sizes=[2], repeats=1)
    file = tmp_path / "selection.json"
    selection.save(file)
    loaded = Selection.load(file).best.fitted["learned-by-question"]
    assert loaded.at("primes q999") == selection.best.fitted["learned-by-question"].at("primes q999")
    assert not any(word in file.read_text() for word in TOPICS)


def test_a_file_from_before_there_were_rules_is_read(tmp_path):
    """What it does not say is what it was: self-consistency, and nothing fitted."""
    plain = select_complementary(liar(20), repeats=1)
    file = tmp_path / "selection.json"
    plain.save(file)
    found = json.loads(file.read_text())
    subsets = [found["selection"][name] for name in ("best", "single")] + found["selection"]["ranking"]
    for subset in [*subsets, *found["selection"]["by_size"].values()]:
        for name in ("contest", "rule", "fitted", "foretold"):
            del subset[name]
    file.write_text(json.dumps(found))
    assert Selection.load(file) == plain


def test_a_threshold_is_of_the_subset_of_a_size():
    """Each size has its own; one that was not looked at is an error, and so is a selection without a rule."""
    selection = selected(liar(120), sizes=[2, 3])
    for size, subset in selection.by_size.items():
        result = selection.threshold(budget=0.3, size=size)
        assert result.answered == sum(p >= result.p for p in subset.foretold.probability) / 120
        assert (result.rule, result.questions) == ("learned", 120)
    assert selection.threshold(budget=0.3) == selection.threshold(budget=0.3, size=len(selection.best.models))
    with pytest.raises(ArgumentError, match=r"size 4 was not looked at; the selection has \[2, 3\]"):
        selection.threshold(budget=0.3, size=4)
    with pytest.raises(ArgumentError, match=r'no probabilities of a fitted rule for .*rule="learned"'):
        select_complementary(liar(20), repeats=1).threshold(budget=0.3)


# What is refused, and what is served


@pytest.mark.parametrize("rule", RULES[1:])
@pytest.mark.parametrize("agreement", ["math", "embedding"])
def test_a_rule_needs_answers_that_are_keys(rule, agreement):
    """Where equality was no key, answers of different members were never compared: that is said, for each rule."""
    with pytest.raises(ArgumentError, match=f'compared by agreement={agreement!r}.*record with agreement="canonical"'):
        selected(recorded({"a": ["1"], "b": ["1"]}, agreement=agreement), rule)


def test_a_rule_by_question_needs_the_questions():
    """Rows without a question's text are refused, by name; an embedding for another rule would go unused."""
    lacking = [replace(row, question=None) if row.question_id == "q003" else row for row in topics(20).rows]
    with pytest.raises(RecordingError, match="goes by the text of a question, and 'q003' has none; record"):
        selected(Recording.of(lacking), "learned-by-question", embedding=by_topic)
    with pytest.raises(ArgumentError, match="embedding is for rule=\"learned-by-question\", received rule='learned'"):
        selected(topics(20), "learned", embedding=by_topic)


def test_an_unknown_rule_is_refused_by_name():
    """The names there are stand in the error."""
    with pytest.raises(
        ArgumentError, match="rule='learnt' does not exist; write one of 'self-consistency', 'pooled', "
    ):
        selected(liar(12), "learnt")


def served(selection, **options):
    options = {"extract": "auto", **options}
    return selected_arguments(selection, dict.fromkeys(["liar", "ann", "bob"], object()), None, options)


@pytest.fixture(scope="module")
def of_liars():
    return selected(liar(120), sizes=[3])


def test_a_mux_of_a_selection_decides_by_its_rule(of_liars):
    """The fitted rule itself, the name of a simpler one, and nothing for self-consistency."""
    selection = of_liars
    assert served(selection)["rule"] == selection.best.fitted["learned"]
    for rule in ("pooled", "self-consistency"):
        other = replace(selection, best=replace(selection.best, rule=rule))
        assert served(other).get("rule", "self-consistency") == rule
        assert served(other, rule="learned")["rule"] == selection.best.fitted["learned"]
    assert "rule" not in served(select_complementary(liar(20), repeats=1))


def test_the_rule_of_a_mux_comes_before_the_selections(of_liars):
    """A name or a rule that the mux is given is what decides; a fitted one that the selection lacks is an error."""
    selection = of_liars
    own = LearnedRule(("liar", "ann", "bob"), (1, 2, 3), (0, 0, 0), None, 9)
    assert served(selection, rule=own)["rule"] is own
    assert served(selection, rule="pooled")["rule"] == "pooled"
    assert served(selection, rule="self-consistency").get("rule") in {None, "self-consistency"}
    with pytest.raises(
        ArgumentError, match=r"rule='learned' is the one fitted in the selection, and for .* it has none"
    ):
        served(select_complementary(liar(20), repeats=1), rule="learned")
    by_question = selected(topics(40), "learned-by-question", sizes=[2], embedding=by_topic)
    assert served(by_question)["rule"] is by_question.best.fitted["learned-by-question"]
    assert served(by_question, rule="learned")["rule"] is by_question.best.fitted["learned"]
    with pytest.raises(ArgumentError, match=r"rule='learned-by-question' is the one .* it has 'learned'; make it with"):
        served(selection, rule="learned-by-question")


def test_what_is_fitted_is_what_is_asked_for_and_all_that_is_simpler():
    """No rule is learned for nothing."""
    assert [list(learners(rule, list)) for rule in RULES] == [[], [], ["learned"], ["learned", "learned-by-question"]]
    arrays = arrays_of(liar(30))
    found = learners("learned", list)["learned"]
    everything = np.arange(30)
    assert found.decide(arrays, found.fit(arrays, everything), everything)[0].tolist() == (
        evaluate(arrays, fit(arrays))[0].tolist()
    )
