"""What an answer costs, in the record of either framework and as a budget: prices passed, configured or looked up."""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux import profile as langchain_profile
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import ArgumentError, ConfigError, explain
from slmmux._decision.price import Price
from slmmux.config import load_config
from slmmux.recording import Recording, Row
from tests.frameworks import LangChain, LlamaIndex

PRICES = {"a": {"input": 1.0, "output": 10.0}, "b": {"input": 2.0, "output": 20.0}}  # a reply: 30e-6 and 60e-6


@pytest.fixture(params=[LangChain(), LlamaIndex()], ids=["langchain", "llamaindex"])
def framework(request):
    return request.param


def mux(framework, *, samples=2, **options):
    """Make a mux of two members whose replies take 10 + 2 tokens each and never agree."""
    models = {
        label: framework.member([f"{label}{i}" for i in range(9)], tokens=(10, 2), max_tokens=2) for label in "ab"
    }
    options = {"wait": "exhausted", "prices": PRICES, **options}
    return framework.mux(models, samples=samples, **options)


def test_the_record_has_the_cost(framework):
    """The cost is the sum over the replies of tokens times the price of their member, sync and async, and is shown."""
    one = mux(framework)
    _, record = framework.ask(one, "q")
    assert record["usage"]["cost"] == pytest.approx(2 * 30e-6 + 2 * 60e-6)
    _, of_async = asyncio.run(framework.aask(mux(framework), "q"))
    assert of_async["usage"]["cost"] == record["usage"]["cost"]
    assert "cost 0.00018" in str(explain(record))


def test_without_prices_there_is_no_cost(framework):
    """A mux without prices has no cost in its record, rather than one of 0."""
    assert "cost" not in framework.ask(mux(framework, prices=None), "q")[1]["usage"]


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("traced", [True, False], ids=["traced", "untraced"])
def test_a_mux_inside_a_mux_counts_its_own_cost(framework, traced, samples):
    """The inner mux needs no price in the outer one, whose record has the cost of both, traced or not."""
    if not traced and isinstance(framework, LlamaIndex):
        pytest.skip("its LLMs report their own calls")
    prices = {"a": PRICES["a"]}
    member = framework.member(["4"] * 4, tokens=(10, 2))
    inner = framework.mux({"a": member}, samples=samples, wait="exhausted", prices=prices)
    models = {"inner": inner, "b": framework.member(["4"], tokens=(10, 2))}
    outer = framework.mux(models, samples=1, wait="exhausted", prices={"b": PRICES["b"]}, trace_samples=traced)
    _, record = framework.ask(outer, "q")
    assert record["usage"]["cost"] == pytest.approx(samples * 30e-6 + 60e-6)


def test_a_budget_of_cost_sets_aside_what_is_in_flight(framework):
    """Each call reserves its prompt and its longest reply at its member's price; the sum never passes the budget."""
    _, record = framework.ask(mux(framework, samples=4, budget={"cost": 150e-6}), "q")
    assert record["reason"] == "budget"
    assert record["samples"]["used"] == 3  # 30 + 60 + 30 millionths; the next would be 60 more
    assert record["usage"]["cost"] == pytest.approx(120e-6)


def test_a_free_member_does_not_end_a_budget_of_cost(framework):
    """With a free member all its samples arrive, whatever the other one has spent."""
    prices = {"a": {"input": 0, "output": 0}, "b": PRICES["b"]}
    _, record = framework.ask(mux(framework, samples=4, budget={"cost": 60e-6}, prices=prices, plan="cascade"), "q")
    assert [vote["of"] - vote["unused"] for vote in record["votes"]] == [4, 1]


def test_prices_name_every_member_or_none(framework):
    """A cost over a part of the members would look like the whole: a missing price is refused, and so is a wrong one."""
    with pytest.raises(ArgumentError, match="prices does not name 'b'"):
        mux(framework, prices={"a": PRICES["a"]})
    with pytest.raises(ArgumentError, match=r"prices\['b'\] must be a price per million tokens"):
        mux(framework, prices={**PRICES, "b": {"input": -1, "output": 1}})
    for amount in (float("nan"), float("inf"), "0.1", True, None):
        with pytest.raises(ArgumentError, match=r"prices\['b'\] must be a price .* write \{\"input\": 0.10"):
            mux(framework, prices={**PRICES, "b": {"input": amount, "output": 1}})
    for prices in ("openrouter", 0.4, [0.1, 0.4]):
        with pytest.raises(ArgumentError, match=r"received .*; write prices=\{label: .*, or prices=\"litellm\""):
            mux(framework, prices=prices)
    for limit in (0, -1, float("nan"), float("inf"), "1", True):
        with pytest.raises(ArgumentError, match="a budget of cost must be a number above 0, received"):
            mux(framework, budget={"cost": limit})
    for budget in (0.01, "cheap", [1]):
        with pytest.raises(ArgumentError, match=r"received .*; write budget=\{"):
            mux(framework, budget=budget)
    with pytest.raises(ArgumentError, match="a budget of cost needs prices"):
        mux(framework, prices=None, budget={"cost": 1})


def test_the_bigger_model_has_a_price_of_its_own(framework):
    """With a model to escalate to, its price is asked for by the label that it is called under."""
    from slmmux import LearnedRule

    rule = LearnedRule(("a", "b"), (2_000_000, 1_000_000), (0, 0), (0.0, 1.0), 60)
    bigger = {"rule": rule, "escalate_to": framework.member(["big"], tokens=(10, 2)), "escalate_below": 1.0}
    with pytest.raises(ArgumentError, match="'escalate_to' is the bigger model"):
        mux(framework, **bigger)
    prices = {**PRICES, "escalate_to": {"input": 100, "output": 100}}
    _, record = framework.ask(mux(framework, **bigger | {"prices": prices}), "q")
    assert record["escalation"]["usage"]["cost"] == pytest.approx(1200e-6)
    assert record["usage"]["cost"] == pytest.approx(180e-6 + 1200e-6)


def test_litellms_table_gives_prices_by_the_models_name(framework, monkeypatch):
    """The table's prices per token become prices per million, and a model that it does not have is named."""
    listed = {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "cache_read_input_token_cost": 7.5e-08}
    monkeypatch.setitem(sys.modules, "litellm", SimpleNamespace(model_cost={"scripted": listed}))
    one = mux(framework, prices="litellm")
    assert one._prices == dict.fromkeys("ab", Price(0.15, 0.6, 0.075))
    monkeypatch.setitem(sys.modules, "litellm", SimpleNamespace(model_cost={}))
    with pytest.raises(ArgumentError, match="LiteLLM's table has no price per token for 'scripted'"):
        mux(framework, prices={"a": PRICES["a"], "b": "litellm"})


def test_without_litellm_the_error_names_the_extra(framework, monkeypatch):
    """A missing package is a sentence with the command that brings it."""
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(ArgumentError, match=r'pip install "slmmux\[litellm\]"'):
        mux(framework, prices="litellm")


def test_a_configuration_has_prices(tmp_path):
    """`price` of a member, and a budget of cost, reach the mux of either framework; members by address need one each."""
    head = "budget = { cost = 0.01, calls = 8 }\nmax_tokens = 9\n"
    a = '[models.a]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\nprice = { input = 0.10, output = 0.40 }\n'
    b = '[models.b]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    file = tmp_path / "mux.toml"
    file.write_text(head + a + b + "price = { input = 0, output = 0, cached_input = 0 }\n", "utf-8")
    for cls in (SLMMuxChatModel, SLMMuxLLM):
        made = cls.from_config(file)
        assert made.prices["a"] == {"input": 0.1, "output": 0.4}
        assert made.budget == {"cost": 0.01, "calls": 8}
    file.write_text(head + a + b, "utf-8")
    with pytest.raises(ConfigError, match="price is missing for 'b'"):
        SLMMuxChatModel.from_config(file)
    file.write_text(head.replace("8", "8.5") + a, "utf-8")
    with pytest.raises(ConfigError, match=r"calls must be a whole number of at least 1, received 8\.5"):
        load_config(file)
    file.write_text(a.replace("output", "outptu"), "utf-8")
    with pytest.raises(ConfigError, match="line 4"):
        load_config(file)


def test_a_file_prices_the_judge_and_the_bigger_model(tmp_path):
    """A price in the tables `[judge]` and `[escalate_to]` is theirs; without one the sentence names the table."""
    member, price = 'url = "http://127.0.0.1:9/v1"\nmodel = "m"\n', "price = { input = 3, output = 4 }\n"
    file = tmp_path / "mux.toml"
    file.write_text(f'confidence = "judge"\n[models.a]\n{member}{price}[judge]\n{member}{price}', "utf-8")
    for cls in (SLMMuxChatModel, SLMMuxLLM):
        assert cls.from_config(file).prices["judge"] == {"input": 3, "output": 4}
    bigger = f"selection = 's.json'\nescalate_below = 0.5\n[models.a]\n{member}{price}[escalate_to]\n{member}"
    file.write_text(bigger + price, "utf-8")
    assert load_config(file).prices() == {label: {"input": 3, "output": 4} for label in ("a", "escalate_to")}
    file.write_text(bigger, "utf-8")
    with pytest.raises(ConfigError, match="price is missing for 'escalate_to'"):
        load_config(file).prices()


def test_cached_input_has_its_own_price():
    """Tokens read from a cache cost the cached price; without one they cost the price of all input."""
    usage = {"input_tokens": 100, "output_tokens": 0, "input_token_details": {"cache_read": 60}}
    assert Price(1, 1, 0.5).cost(usage) == pytest.approx(70e-6)
    assert Price(1, 1).cost(usage) == pytest.approx(100e-6)


@pytest.mark.parametrize("name", ["cache_creation", "ephemeral_5m_input_tokens"])
def test_what_is_written_into_a_cache_has_its_own_price(name):
    """Tokens written into a cache cost the price of writing; without one they cost the price of all input."""
    usage = {"input_tokens": 100, "output_tokens": 0, "input_token_details": {"cache_read": 60, name: 30}}
    assert Price(1, 1, 0.5, 2).cost(usage) == pytest.approx(100e-6)
    assert Price(1, 1, 0.5).cost(usage) == pytest.approx(70e-6)
    assert Price.of({"input": 1, "output": 1, "cache_write": 2}, "it").plain()["cache_write"] == 2


class Counting(ScriptedLLM):
    """An LLM whose replies count their tokens in a maker's own way."""

    usage: Any

    def chat(self, messages, **kwargs):
        return ChatResponse(message=ChatMessage("4", role="assistant"), raw={"usage": self.usage})


ANTHROPIC = {
    "input_tokens": 40,
    "output_tokens": 5,
    "cache_read_input_tokens": 60,
    "cache_creation_input_tokens": 20,
}


@pytest.mark.parametrize(
    ("counted", "sent", "cached"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}}, 100, 60),
        (ANTHROPIC, 120, 60),
        ({"prompt_tokens": 100, "completion_tokens": 5, **ANTHROPIC}, 100, 60),
        ({"prompt_tokens": 100, "completion_tokens": 5}, 100, None),
    ],
    ids=["openai", "anthropic", "both", "none"],
)
def test_llamaindex_reads_what_was_cached(counted, sent, cached):
    """Each maker's count of cached tokens is read; they are part of the input, as are those written into a cache."""
    from llama_index.core.llms import CompletionResponse

    from llamaindex_slmmux._usage import usage_of

    usage = usage_of(CompletionResponse(text="", raw={"usage": counted}))
    assert usage["input_tokens"] == sent
    assert (usage.get("input_token_details") or {}).get("cache_read") == cached


@pytest.mark.parametrize("usage", [ANTHROPIC, SimpleNamespace(**ANTHROPIC)], ids=["mapping", "object"])
def test_cached_tokens_are_paid_for_and_the_members_counts_stay(usage):
    """The record of a mux of one costs its cached tokens; the usage in its `raw` is as its member's maker counts."""
    prices = {"a": {"input": 1.0, "output": 10.0, "cached_input": 0.5}}
    one = SLMMuxLLM(models={"a": Counting(script=["4"], usage=usage)}, samples=1, prices=prices)
    response = one.chat([ChatMessage("2 + 2?")])
    assert response.raw["slmmux"]["usage"]["input_tokens"] == 120
    assert response.raw["slmmux"]["usage"]["cost"] == pytest.approx((60 * 1.0 + 60 * 0.5 + 5 * 10.0) / 1e6)
    assert (response.raw["usage"]["input_tokens"], response.raw["usage"]["output_tokens"]) == (40, 5)


def test_a_profile_keeps_the_prices_and_may_change_them(tmp_path):
    """The recording's settings have the prices; a profile goes on under other prices, as they change no sample."""
    file = tmp_path / "samples.jsonl"
    for output in (10.0, 5.0):
        prices = {"a": {"input": 1.0, "output": output}}
        one = SLMMuxChatModel(models={"a": LangChain().member(["4"])}, samples=2, prices=prices)
        recording = langchain_profile(one, [{"question_id": "q", "question": "2 + 2?"}], recording=file, progress=False)
    assert recording.settings["prices"] == {"a": {"input": 1.0, "output": 10.0}}
    other = tmp_path / "more.jsonl"
    row = Row(question_id="q", model="b", sample_index=0, answer="4")
    Recording.of([row], {**recording.settings, "models": {}, "prices": {"b": PRICES["b"]}}).save(other)
    assert set(Recording.load(file, other).settings["prices"]) == {"a", "b"}


def test_messages_carry_tokens_alone():
    """LangChain's callbacks add up every number in a message's usage, so that the cost stays in the record."""
    message = mux(LangChain()).invoke("q")
    assert "cost" not in message.usage_metadata
    assert message.usage_metadata["total_tokens"] == 48
