"""The short form of the bench: the assumptions behind its figures hold on any machine. No test reads a clock."""

import re

import numpy as np
import pytest

from bench.__main__ import FIGURES, RESULTS, markdown
from bench.ablation import without
from bench.alone import figure
from bench.growth import simulated
from bench.measure import acpu, interleaved, median_ratio
from bench.recorded import outcome_of
from bench.row import Row as Figure
from bench.scored import VARIANTS, Answers, held_out
from bench.synthetic import synthetic
from slmmux import Recording, Row, replay
from slmmux.by_question import evaluate_by_question, fit_by_question, vectors_of
from slmmux.learned import fit
from slmmux.recording import arrays_of
from tests.lengths import short_form


@pytest.mark.parametrize("name", short_form(FIGURES, lambda name: name not in {"imports", "engine", "in_flight"}))
def test_the_assumptions_of_each_figure_hold(name):
    """For each figure of the bench, decisions agree, counts are as planned, and no task is left running."""
    figure(name)(short=True)


def test_every_figure_has_its_results():
    """RESULTS.md has a goal and a measured value for each figure, and a reason for each missed goal."""
    text = RESULTS.read_text(encoding="utf-8")
    rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in text.splitlines() if line.startswith("| `")]
    held_to = {name.strip("`") for name, _, goal, *_ in rows if goal}
    assert held_to == set(FIGURES)
    for name, what, goal, measured, verdict, note in rows:
        assert re.fullmatch(r"\d+\.\d+( ms| µs| %)?", measured), (name, what)
        if goal:
            most = float(re.fullmatch(r"at most ([\d.]+)( ms| µs| %)?", goal)[1])
            assert verdict == ("met" if float(measured.split()[0]) <= most else "missed"), (name, what)
            assert verdict == "met" or note, f"{name}: {what} misses its goal without a reason"


def test_results_name_the_machine_and_no_path():
    """RESULTS.md names the machine's hardware, without a path or an address."""
    text = RESULTS.read_text(encoding="utf-8")
    machine = r"^\d{4}-\d\d-\d\d; \w+ on \w+, \d+ cores .*; CPython 3\.\d+\.\d+; langchain-core \d"
    assert re.search(machine, text, re.MULTILINE)
    assert not re.search(r"(^|[\s`(])/\w+/|\w+://", text, re.MULTILINE)


def test_a_figure_beyond_its_goal_is_shown_as_missed_with_its_reason():
    """A row shows its reason only if its value, as printed, misses its goal."""
    met, missed = Figure("it", 1.254, 1.25, why="slow"), Figure("it", 1.256, 1.25, why="slow")
    assert met.cells == ("it", "at most 1.25", "1.25", "met", "")
    assert missed.cells == ("it", "at most 1.25", "1.26", "missed", "slow")
    page = markdown([("engine", met), ("engine", missed), ("tail", Figure("a | b", 0.5))], ["a recording"])
    assert "1 of 2 goals met" in page
    assert "Left out: a recording." in page
    assert "| `tail` | a / b |  | 0.50 |  |  |" in page


def test_a_call_that_leaves_a_task_behind_is_an_error():
    """A measured call must end with no task running."""
    import asyncio

    tasks = []

    async def leave():
        tasks.append(asyncio.ensure_future(asyncio.sleep(3600)))
        await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="left running"):
        acpu(leave)


def test_variants_take_turns():
    """Each round runs every variant once, and the first round is not counted."""
    order = []

    def cost(name):
        order.append(name)
        return float(len(order))

    costs = interleaved({"a": lambda: cost("a"), "b": lambda: cost("b")}, rounds=2)
    assert order == ["a", "b"] * 3
    assert costs == {"a": [3.0, 5.0], "b": [4.0, 6.0]}
    assert median_ratio({"a": [2.0, 9.0, 4.0], "b": [1.0, 1.0, 4.0]}, "a", "b") == 2.0


def test_the_synthetic_recording_has_its_accuracies():
    """The seeded members are right on about 0.8, 0.7 and 0.6 of the questions, the same for the same seed."""
    recording = synthetic(400)
    right = {
        model: sum(row.answer == "right" for row in recording.rows if row.model == model) / 2000
        for model in recording.models
    }
    assert right == pytest.approx({"strong": 0.8, "middle": 0.7, "weak": 0.6}, abs=0.04)
    assert recording.rows == synthetic(400).rows != synthetic(400, seed=1).rows


def test_plans_are_compared_by_the_answers_key():
    """Two spellings of one answer are equal; another answer, another model and a missing answer are not."""

    def decision(model, answer, key):
        row = Row(question_id="q", model=model, sample_index=0, answer=answer, kind="text", key=key)
        return replay(Recording.of([row]), models=[model])["q"]

    assert outcome_of(decision("a", "Paris.", "paris")) == outcome_of(decision("a", "paris", "paris"))
    others = [decision("a", "Rome", "rome"), decision("b", "paris", "paris"), decision("a", None, None)]
    assert len({outcome_of(decision("a", "paris", "paris")), *map(outcome_of, others)}) == 4


def test_the_readme_prints_the_measured_costs():
    """Each row of the README's table of costs is a row of RESULTS.md, with value, goal and whether it was met."""
    results = RESULTS.read_text(encoding="utf-8")
    readme = RESULTS.parents[1].joinpath("README.md").read_text(encoding="utf-8")
    section = readme.partition("## What it costs")[2].partition("\n## ")[0]
    shown = [re.split(r"\s*\|\s*", line)[1:-1] for line in section.splitlines() if line.startswith("| ")][1:]
    told = {
        "an answer of 3 members": "`ainvoke`, over one sample",
        "twenty such answers": "`abatch` of 20, over one sample",
        "samples that `plan": 'plan="adaptive" over all, 3 members x 5: our own recording',
        "prompt tokens of 5": "prompt tokens of 5 samples with `n`, `ainvoke`",
        "latency until settled": "lognormal latency, sigma 0.8, 3 members x 5, plan",
    }
    assert len(shown) == len(told)
    for what, measured, goal in shown:
        (row,) = [
            line for line in results.splitlines() if next(v for k, v in told.items() if what.startswith(k)) in line
        ]
        _, _, wanted, figure, verdict, _ = re.split(r"\s*\|\s*", row)[1:-1]
        assert (measured, goal.removesuffix(", missed")) == (figure, wanted)
        assert goal.endswith(", missed") == (verdict == "missed")


def test_more_workers_take_less_time_until_something_holds_them_up():
    """Ten times the workers take a tenth of the time; a rate limit and the store's own rate bound it, and places wait."""
    latencies = np.array([1.0, 2.0, 3.0])
    one, ten = (simulated(latencies, workers, requests=20_000) for workers in (1, 10))
    assert one.seconds == pytest.approx(10 * ten.seconds, rel=0.01)
    assert one.busy == pytest.approx(1, abs=0.01)
    limited = simulated(latencies, 100, per_minute=600, requests=20_000)
    assert limited.seconds == pytest.approx(20_000 / 10, rel=0.01)
    assert limited.busy < 0.1
    held_up = simulated(latencies, 100, writes=50, requests=20_000)
    assert held_up.seconds == pytest.approx(20_000 / 50, rel=0.01)


def shares(answers, *, right, confidences=None):
    """Return a recording of two members, [question][member] -> the answers of its samples."""
    return Recording.of(
        Row(
            question_id=f"q{q:03}",
            model=model,
            sample_index=i,
            answer=answer,
            gold=right[q],
            confidences=None if confidences is None else {"logprob": confidences[q][m][i]},
        )
        for q, of in enumerate(answers)
        for m, model in enumerate(("a", "b"))
        for i, answer in enumerate(of[m])
    )


def test_a_part_of_the_rule_is_away_only_while_it_is_measured():
    """Without weights of answers "unknown" has none, without its prior weights start elsewhere; then all is as it was."""
    kin = ("mother", "uncle", "nephew")
    answers = [
        (("unknown",) * 3, (kin[q % 3], kin[q % 3], "unknown") if q % 4 else ("unknown",) * 3) for q in range(60)
    ]
    arrays = arrays_of(shares(answers, right=[kin[q % 3] for q in range(60)]))
    whole = fit(arrays)
    assert "unknown" in dict(whole.answers)
    with without("weights of answers"):
        assert fit(arrays).answers == ()
    with without("prior of log-odds"):
        linear = fit(arrays, ridge=1e9).weights  # a penalty that holds the weights to the prior
    assert linear[0] == pytest.approx((3 * 45 / 60 + 0.5) * 10**6)
    assert fit(arrays) == whole


def test_the_nearest_questions_stand_in_for_kernel_ridge():
    """A rule by question without kernel ridge has no coefficients: it goes by the rights of its nearest questions."""
    answers = [(("4",), ("5",)) if q % 2 else (("5",), ("4",)) for q in range(40)]
    arrays = arrays_of(shares(answers, right=["4"] * 40))
    vectors = vectors_of(["river" if q % 2 else "sum" for q in range(40)], lambda text: [len(text) - 4, 1])
    assert fit_by_question(arrays, vectors).coefficients
    with without("kernel ridge"):
        rule = fit_by_question(arrays, vectors)
    assert rule.coefficients == ()
    assert rule.lean > 0
    assert evaluate_by_question(arrays, vectors, rule)[0].all()


def test_scores_that_know_the_truth_would_show():
    """Where a sample's confidence alone tells right from wrong, the rule with its feature is right and the other not."""
    answers = [(("4",), ("5",)) if q % 2 else (("5",), ("4",)) for q in range(60)]
    told = [((0.9,), (0.2,)) if q % 2 else ((0.2,), (0.9,)) for q in range(60)]
    known = Answers.of(shares(answers, right=["4"] * 60, confidences=told), "logprob")
    blind, one, each = (held_out(known, variant, 1)[0].mean() for variant in VARIANTS)
    assert blind < 0.7
    assert (one, each) == (1, 1)
