"""A budget as an option of both classes and of `mux.toml`: kept, said in the record, and refused where it is none."""

import asyncio
import warnings

import pytest

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import ArgumentError, NoAnswerError
from slmmux.config import load_config

ASK = {
    "langchain": lambda mux: mux.invoke("q").response_metadata["slmmux"],
    "langchain, async": lambda mux: asyncio.run(mux.ainvoke("q")).response_metadata["slmmux"],
    "llamaindex": lambda mux: mux.complete("q").raw["slmmux"],
    "llamaindex, async": lambda mux: asyncio.run(mux.acomplete("q")).raw["slmmux"],
}


@pytest.fixture(params=ASK)
def way(request):
    return request.param


def mux(way, *, max_tokens=20, **options):
    """Make a mux of two members whose replies cost 10 + 2 tokens each and never agree."""
    langchain = way.startswith("langchain")
    cls, member = (SLMMuxChatModel, ScriptedChatModel) if langchain else (SLMMuxLLM, ScriptedLLM)
    models = {
        label: member(script=[f"{label}{i}" for i in range(9)], tokens=(10, 2), max_tokens=max_tokens) for label in "ab"
    }
    return cls(models=models, wait="exhausted", **options)


def test_a_budget_of_calls_ends_the_sampling(way):
    """With four calls of ten allowed four samples are used, and the record says why it ended."""
    record = ASK[way](mux(way, samples=5, budget={"calls": 4}))
    assert (record["reason"], record["samples"]) == ("budget", {"planned": 10, "used": 4})
    assert record["usage"]["total_tokens"] == 48
    assert [vote["of"] for vote in record["votes"]] == [5, 5]


def test_a_budget_of_tokens_sets_aside_what_is_in_flight(way):
    """A call sets 20 tokens and its prompt of 10 aside: after 36 of 60 are spent, 24 are left, and no call fits them."""
    record = ASK[way](mux(way, samples=5, budget={"tokens": 60}))
    assert (record["reason"], record["samples"]["used"]) == ("budget", 3)
    assert record["usage"]["total_tokens"] == 36


def test_with_nothing_in_there_is_an_error(way):
    """A budget that not even one call fits raises, and names it."""
    with pytest.raises(NoAnswerError, match="no member replied: budget reached"):
        ASK[way](mux(way, samples=5, budget={"tokens": 5}))


def test_a_member_without_max_tokens_is_warned_of(way):
    """Its calls in flight can overrun a budget of tokens by any length, and nothing is said of one of calls."""
    with pytest.warns(
        UserWarning, match=r"'a', 'b' has no max_tokens, so its calls in flight can overrun the 60 by any"
    ):
        mux(way, max_tokens=None, budget={"tokens": 60})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mux(way, max_tokens=None, budget={"calls": 4})


def test_a_budget_without_a_unit_is_refused(way):
    """A bare number is no budget: the sentence says how to write one."""
    for budget in (10, {"seconds": 1}):
        with pytest.raises(ArgumentError, match="budget"):
            mux(way, budget=budget)


def test_a_configuration_holds_a_budget(tmp_path):
    """`budget = { calls = 8 }` in a mux.toml is the mux's."""
    file = tmp_path / "mux.toml"
    file.write_text(
        'plan = "adaptive"\nbudget = { calls = 8 }\n[models.a]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n', "utf-8"
    )
    assert load_config(file).budget == {"calls": 8}
    for cls in (SLMMuxChatModel, SLMMuxLLM):
        made = cls.from_config(file)
        assert (made.budget, made.plan) == ({"calls": 8}, "adaptive")
