"""A cache keeps the mux's answer and never a sample; two different muxes never share a key."""

import warnings

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel

with warnings.catch_warnings():
    # langchain-community is sunset and says so when it is imported; its SQLite cache is what users have.
    warnings.simplefilter("ignore", DeprecationWarning)
    from langchain_community.cache import SQLiteCache

# The SQLite cache reads with langchain-core's loads(), which announces itself as beta and its default as changing.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The function `loads` is in beta"),
    pytest.mark.filterwarnings("ignore:The default value of `allowed_objects`"),
]


@pytest.fixture(params=["memory", "sqlite"])
def cache(request, tmp_path):
    made = InMemoryCache() if request.param == "memory" else SQLiteCache(str(tmp_path / "cache.db"))
    set_llm_cache(made)
    yield made
    set_llm_cache(None)
    if request.param == "sqlite":
        made.engine.dispose()


def member(**options):
    return ScriptedChatModel(**{"script": ["4", "5", "6", "6"], **options})


def test_every_sample_is_drawn_although_a_cache_is_set(cache):
    """With a global cache k samples are k calls: one cached reply would be false certainty."""
    one = member()
    message = SLMMuxChatModel(models={"a": one}, samples=4, wait="exhausted").invoke("q")
    assert len(one.calls) == 4
    assert message.response_metadata["slmmux"]["confidence"] == 0.5


def test_the_second_question_comes_out_of_the_cache_with_its_record(cache):
    """The same question again costs no call and brings the same text and record."""
    one = member()
    mux = SLMMuxChatModel(models={"a": one}, samples=4, wait="exhausted")
    first, second = mux.invoke("q"), mux.invoke("q")
    assert len(one.calls) == 4
    assert second.text == first.text
    assert second.response_metadata["slmmux"] == first.response_metadata["slmmux"]
    assert second.usage_metadata["total_tokens"] == first.usage_metadata["total_tokens"]


async def test_the_async_and_streamed_ways_use_the_same_cache(cache):
    """What invoke cached, ainvoke and astream find."""
    one = member()
    mux = SLMMuxChatModel(models={"a": one}, samples=4)
    text = mux.invoke("q").text
    assert (await mux.ainvoke("q")).text == text
    assert [chunk.text async for chunk in mux.astream("q")] == [text]
    assert len(one.calls) == 4


def test_a_cached_answer_does_not_upset_a_usage_handler(cache):
    """A usage handler survives a cache hit and counts no second cost."""
    handler = UsageMetadataCallbackHandler()
    mux = SLMMuxChatModel(models={"a": member(model_name="A")}, samples=2, wait="exhausted")
    mux.invoke("q", {"callbacks": [handler]})
    mux.invoke("q", {"callbacks": [handler]})
    assert handler.usage_metadata["A"]["total_tokens"] == 24


def test_a_members_own_cache_is_left_alone_and_not_used(cache):
    """A member with `cache=True` of its own is still sampled, and still has its setting afterwards."""
    one = member(cache=True)
    SLMMuxChatModel(models={"a": one}, samples=3, wait="exhausted").invoke("q")
    assert len(one.calls) == 3
    assert one.cache is True


class Schema(BaseModel):
    x: int


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    return word


def module_level(text):
    return text


def variants():
    base = {"models": {"a": member()}, "samples": 2}
    yield "base", SLMMuxChatModel(**base)
    yield "label", SLMMuxChatModel(models={"b": member()}, samples=2)
    yield "k", SLMMuxChatModel(**{**base, "samples": 3})
    yield "temperature", SLMMuxChatModel(**base, temperature=0.5)
    yield "member temperature", SLMMuxChatModel(models={"a": member(temperature=0.7)}, samples=2)
    yield "model", SLMMuxChatModel(models={"a": member(model_name="other")}, samples=2)
    yield "two members", SLMMuxChatModel(models={"a": member(), "b": member()}, samples=2)
    yield (
        "other rank",
        SLMMuxChatModel(models={"a": member(), "b": member()}, samples=2, accuracies={"a": 0.1, "b": 0.9}),
    )
    yield "extractor", SLMMuxChatModel(**base, extract="number")
    yield "callable", SLMMuxChatModel(**base, extract=module_level)
    yield "lambda", SLMMuxChatModel(**base, extract=lambda text: text)
    yield "another lambda", SLMMuxChatModel(**base, extract=lambda text: text[:1])
    yield "plan", SLMMuxChatModel(**base, plan="cascade")
    yield "wait", SLMMuxChatModel(**base, wait="exhausted")
    yield "system", SLMMuxChatModel(**base, system_prompt="Be brief.")
    yield "max_tokens", SLMMuxChatModel(**base, max_tokens=5)
    yield "vote_on", SLMMuxChatModel(**base, vote_on=["x"])
    yield "no_answer", SLMMuxChatModel(**base, no_answer=["unknown"])
    yield "record", SLMMuxChatModel(**base, record="full")
    for price in (1.0, 2.0):
        prices = {"a": {"input": price, "output": 1.0}}
        yield f"budget of cost at {price}", SLMMuxChatModel(**base, budget={"cost": 1.0}, prices=prices, max_tokens=5)
    yield "binding", SLMMuxChatModel(models={"a": member().bind(seed=None, top_p=0.5)}, samples=2)
    yield "opaque", SLMMuxChatModel(models={"a": Opaque(script=["1"], handle=object())}, samples=2)
    yield "another opaque", SLMMuxChatModel(models={"a": Opaque(script=["1"], handle=object())}, samples=2)
    yield "tools", SLMMuxChatModel(**base).bind_tools([look_up])
    yield "tool choice", SLMMuxChatModel(**base).bind_tools([look_up], tool_choice="any")
    yield "schema", SLMMuxChatModel(**base).with_structured_output(Schema).first
    yield "method", SLMMuxChatModel(**base).with_structured_output(Schema, method="function_calling").first


class Opaque(ScriptedChatModel):
    handle: object


def test_different_muxes_never_share_a_key():
    """Whatever changes what a sample would be, or how it is read, changes the key."""
    keys = {}
    for name, mux in variants():
        model, kwargs = (mux, {}) if isinstance(mux, SLMMuxChatModel) else (mux.bound, dict(mux.kwargs))
        kwargs.pop("ls_structured_output_format", None)
        key = model._get_llm_string(**kwargs)
        assert key not in keys, f"{name} shares its key with {keys.get(key)}"
        keys[key] = name
    assert len(keys) == 28


def test_the_same_mux_built_twice_shares_its_key():
    """A mux built the same way again, by the next process say, finds what the first one cached."""
    build = lambda: SLMMuxChatModel(models={"a": member()}, samples=2, extract=module_level)  # noqa: E731
    assert build()._get_llm_string() == build()._get_llm_string()
    assert build()._get_llm_string(stop=["x"]) != build()._get_llm_string()


def test_structured_output_comes_out_of_the_cache(cache):
    """A structured value is found again, as an instance of its class."""
    one = member(
        script=lambda messages, turn, kwargs: AIMessage(
            "", tool_calls=[{"name": "Schema", "args": {"x": 1}, "id": "i"}]
        )
    )
    structured = SLMMuxChatModel(models={"a": one}, samples=2).with_structured_output(Schema)
    assert structured.invoke("q") == structured.invoke("q") == Schema(x=1)
    assert len(one.calls) == 2
