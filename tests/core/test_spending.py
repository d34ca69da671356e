"""What subsets spend: by plan, per right answer, the Pareto front, and the cheapest one within some points."""

import json
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from slmmux import ArgumentError, ConfigError, Recording, Row, select_complementary
from slmmux.cli import app
from slmmux.config import load_config
from slmmux.plots import plot_spending
from slmmux.selection import Selection, _choose, _spending

GOLD = "x" * 40
RIGHT = {"a": 32, "b": 31, "c": 10}  # of 40 questions
SENT, RECEIVED = {"a": 100, "b": 20, "c": 10}, {"a": 50, "b": 10, "c": 5}
PRICES = {"a": {"input": 1.0, "output": 2.0}, "b": {"input": 1.0, "output": 2.0}, "c": {"input": 8.0, "output": 9.0}}


def recording(settings=None, *, tokens=True, one_request=False):
    """Return three models, each right on its first questions, by two samples that agree."""
    return Recording.of(
        (
            Row(
                question_id=f"q{q:02}",
                model=model,
                sample_index=i,
                answer="x" if q < right else f"wrong {model}",
                gold="x",
                input_tokens=(SENT[model] if not (one_request and i) else 0) if tokens else None,
                output_tokens=(RECEIVED[model] * (2 - 2 * i if one_request else 1)) if tokens else None,
            )
            for model, right in RIGHT.items()
            for q in range(40)
            for i in range(2)
        ),
        settings,
    )


def chosen(source=None, **options):
    return select_complementary(source or recording(), sizes=(1, 2), n_resamples=0, repeats=2, **options)


def test_the_cost_is_that_of_the_tokens():
    """A subset's cost per question is its tokens times the prices, by plan; without prices there is none."""
    single = chosen(prices=PRICES).single
    assert (single.models, single.tokens["parallel"]) == (("a",), 300)
    assert single.cost["parallel"] == pytest.approx((200 * 1 + 100 * 2) / 1e6)
    assert single.per_right()["cost"]["parallel"] == pytest.approx(400e-6 / 0.8)
    assert "first_round" not in single.per_right()["cost"]
    assert chosen().single.cost is None


def test_recorded_prices_count_and_passed_ones_replace_them():
    """Prices come with a recording's settings, and `prices=` takes their place."""
    with_prices = recording({"prices": PRICES})
    assert chosen(with_prices).single.cost["parallel"] == pytest.approx(400e-6)
    free = {label: {"input": 0, "output": 0} for label in PRICES}
    assert chosen(with_prices, prices=free).single.cost["parallel"] == 0


def test_the_adaptive_plans_are_counted_by_the_samples_they_draw():
    """The best subset of each size has the tokens and the cost of both replayed plans, "cheapest" with prices alone."""
    best = chosen(prices=PRICES).by_size[2]
    for plan in ("adaptive", "cheapest"):
        assert 0 < best.cost[plan] <= best.cost["parallel"]
        assert 0 < best.tokens[plan] <= best.tokens["parallel"]
    assert "cheapest" not in chosen().by_size[2].samples


def test_a_prompt_for_several_samples_is_paid_whole_by_one():
    """Two samples of one request share its prompt; a sample that the adaptive plan draws alone pays all of it."""
    best = chosen(recording(one_request=True)).by_size[1]
    assert (best.tokens["parallel"], best.samples["adaptive"], best.tokens["adaptive"]) == (200, 1, 150)


def test_the_front_has_no_subset_that_another_beats():
    """From one subset of the front to the next both accuracy and spending rise, and nothing off it beats one on it."""
    selection = chosen(prices=PRICES)
    front = selection.front
    figures = [(subset.cost["cascade"], subset.accuracy) for subset in front]
    assert figures == sorted(figures)
    assert len({accuracy for _, accuracy in figures}) == len(front) > 1
    for subset in selection.ranking:
        spending, accuracy = subset.cost["cascade"], subset.accuracy
        assert not any(spending < s and accuracy >= a for s, a in figures)
    assert ("b",) in [subset.models for subset in front]


def test_within_serves_the_cheapest_near_the_best(tmp_path):
    """Within five points b is served for a, at a seventh of the tokens; within none the most accurate one stays."""
    selection = chosen(within=5.0)
    assert (selection.within.models, selection.best.models, selection.within.unit) == (("b",), ("b",), "tokens")
    assert selection.within.spending == pytest.approx(60)
    assert selection.within.accuracy == pytest.approx(31 / 40)
    assert chosen(within=0.0).best.accuracy == max(s.accuracy for s in chosen().ranking)
    selection.save(tmp_path / "selection.json")
    assert Selection.load(tmp_path / "selection.json") == selection


def test_within_is_chosen_on_other_questions():
    """A model that is good on a few questions by chance is not promised: the held-out accuracy is that of the choice."""
    rows = [
        Row(question_id=f"q{q}", model=m, sample_index=0, answer="x" if q % 2 == p else "y", gold="x", output_tokens=t)
        for q in range(40)
        for m, p, t in (("even", 0, 9), ("odd", 1, 1))
    ]
    within = select_complementary(Recording.of(rows), sizes=[1], n_resamples=0, within=0.0, repeats=5).within
    assert within.accuracy < 0.5  # whichever leads on the other folds is behind on this one


def test_without_tokens_samples_are_counted():
    """A recording without token counts has its spending in samples."""
    assert chosen(recording(tokens=False), within=5.0).within.unit == "samples"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"within": -1}, "within must be points of accuracy"),
        ({"within": 1.0, "rule": "pooled"}, "within chooses by the accuracy of self-consistency"),
        ({"within": float("nan")}, "within must be points of accuracy"),
        ({"prices": {"a": {"input": 1}}}, r"prices\['a'\] must be a price"),
        ({"prices": 0.4}, r"received 0.4; write prices=\{label"),
        ({"prices": {"a": PRICES["a"], "bb": PRICES["b"]}}, r"does not name 'b', 'c'; did you mean 'bb'\? give every"),
        ({"prices": {"a": PRICES["a"]}, "models": ["a", "c"]}, "does not name 'c'; give every model its price"),
    ],
    ids=["negative", "rule", "nan", "price", "number", "slip", "part"],
)
def test_an_unusable_option_is_refused(options, sentence):
    """Each sentence says what was received and what to write."""
    with pytest.raises(ArgumentError, match=sentence):
        chosen(**options)


def test_models_that_have_no_part_need_no_price():
    """Prices of the models that were chosen from are enough, and those of others may be there."""
    assert chosen(prices={**PRICES, "d": PRICES["a"]}).best.cost is not None
    assert chosen(prices={"a": PRICES["a"], "b": PRICES["b"]}, models=["a", "b"]).best.cost is not None


def test_prices_without_token_counts_say_nothing():
    """The spending is then in samples, as without prices, and a warning says why."""
    with pytest.warns(
        UserWarning, match="tokens, which are not recorded of every model: spending is counted in samples"
    ):
        assert chosen(recording(tokens=False), prices=PRICES).best.cost is None


def test_the_commands_prices_may_come_from_litellms_table(tmp_path, monkeypatch):
    """`price = "litellm"` is looked up by the server's name of the model; a wrong price is refused with its line."""
    listed = {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}
    monkeypatch.setitem(sys.modules, "litellm", SimpleNamespace(model_cost={"listed": listed}))
    path, prices = tmp_path / "samples.jsonl", tmp_path / "prices.toml"
    recording().save(path)
    head = 'url = "http://127.0.0.1:1/v1"\nmodel = "listed"\nprice = '
    prices.write_text("".join(f'[models.{label}]\n{head}"litellm"\n' for label in "abc"))
    command = ["select", str(path), "--prices", str(prices), "--sizes", "1", "--resamples", "0"]
    result = CliRunner().invoke(app, [*command, "--json"])
    assert json.loads(result.stdout)["best"]["cost"]["parallel"] == pytest.approx((200 * 1 + 100 * 2) / 1e6)
    prices.write_text(f"[models.a]\n{head}{{ input = -1, output = 1 }}\n")
    with pytest.raises(
        ConfigError, match=r"line 4: models.a.price: .* write price = \{ input = 0.10, output = 0.40 \}"
    ):
        load_config(prices)


def test_within_needs_few_subsets_and_two_questions(monkeypatch):
    """Every subset is tried in every fold: too many are refused, and so is a recording that has nothing to hold out."""
    with pytest.raises(ArgumentError, match="within needs questions to hold out, received 1"):
        chosen(recording().of_questions(["q00"]), within=1.0)
    monkeypatch.setattr(_spending, "_MOST_SUBSETS", 5)
    with pytest.raises(ArgumentError, match="and there are 6; name fewer models"):
        chosen(within=1.0)


def test_on_many_questions_the_adaptive_plan_is_replayed_on_some(monkeypatch):
    """Its samples are a mean over evenly spaced questions: on all of them alike, the figure is the same."""
    whole = chosen(recording().of_questions([f"q{q:02}" for q in range(10)])).best.samples["adaptive"]
    monkeypatch.setattr(_choose, "_REPLAYED", 3)
    assert chosen(recording().of_questions([f"q{q:02}" for q in range(10)])).best.samples["adaptive"] == whole


def test_the_command_prints_the_front_and_the_choice(tmp_path):
    """`slmmux select --prices FILE --within N` counts in money, and says what the choice loses and saves."""
    file, toml = tmp_path / "samples.jsonl", tmp_path / "mux.toml"
    recording().save(file)
    member = '[models.{0}]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\nprice = {{ input = 1, output = 2 }}\n'
    toml.write_text("".join(member.format(label) for label in "abc"), "utf-8")
    arguments = ["select", str(file), "--sizes", "1,2", "--resamples", "0", "--within", "5", "--prices", str(toml)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "accuracy against cost" in result.output
    assert "cheapest within 5 points: b" in result.output
    as_json = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(as_json.stdout)["within"]["models"] == ["b"]


def test_the_picture_has_the_front_and_every_subset():
    """The picture draws a dot for each kept subset and the line of the front, and says that it is in-sample."""
    pytest.importorskip("matplotlib")
    selection = chosen(prices=PRICES)
    figure = plot_spending(selection)
    *dots, line = figure.axes[0].lines
    assert sum(len(each.get_xdata()) for each in dots) == len(selection.ranking)
    assert list(line.get_ydata()) == [subset.accuracy for subset in selection.front]
    assert "in-sample" in figure.get_suptitle()
