"""What cannot be used is refused with a sentence that says what to pass instead, and never quotes a secret."""

import math
import re
import warnings
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from llama_index.core import MockEmbedding
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata, MockLLM
from pydantic import Field

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux import ArgumentError, MemberError, SLMMuxError

SECRET = "sk-very-secret-0123456789"


class Keyed(ScriptedLLM):
    """A member with a plain key, as OpenAI's LLM has it."""

    script: Any = Field(default=("5",), exclude=True, repr=False)
    api_key: str = SECRET


def members(kind: Any = Keyed) -> dict[str, Any]:
    return {"qwen": kind(script=["5"]), "phi": kind(script=["5"])}


# Each is a function of the member's class, so that both frameworks' muxes can be asked the same.
REFUSED = {
    # no members
    "nothing": (lambda _: {}, "no members.*pass at least one LLM"),
    "an empty dict": (lambda _: {"models": {}}, "no members.*pass at least one LLM"),
    "an empty list": (lambda _: {"models": []}, "no members.*pass at least one LLM"),
    "a name": (lambda _: {"models": "gpt"}, "models must be a dict of label to LLM, or a list of LLMs, received str"),
    "one model": (
        lambda kind: {"models": kind(script=["5"])},
        r"models must be a dict.*received Keyed; .*OpenAILike\(",
    ),
    "nothing at all": (lambda _: {"models": None}, "models must be a dict.*received NoneType"),
    # labels
    "two of one name": (
        lambda kind: {"models": list(members(kind).values())},
        "two members are both named 'scripted'.*pass a dict",
    ),
    "an empty label": (lambda kind: {"models": {"": kind(script=["5"])}}, "label must be a text that is not empty"),
    "a number as label": (lambda kind: {"models": {1: kind(script=["5"])}}, "label must be a text.*received 1"),
    # k
    "k of 0": (lambda _: {"samples": 0}, "samples for 'qwen' must be a whole number of at least 1, received 0"),
    "k below 0": (
        lambda _: {"samples": {"qwen": 3, "phi": -1}},
        "samples for 'phi' must be .* at least 1, received -1",
    ),
    "half a sample": (lambda _: {"samples": 2.5}, "samples: .*integer"),
    "k in words": (lambda _: {"samples": "five"}, "samples: .*integer"),
    "k of yes": (lambda _: {"samples": True}, "samples.*whole number|samples: .*integer"),
    "k of yes for one": (lambda _: {"samples": {"qwen": 3, "phi": True}}, "samples.*whole number|samples: .*integer"),
    "k of a stranger": (
        lambda _: {"samples": {"qwen": 3, "phy": 3}},
        "samples names 'phy', which is not a member; did you mean 'phi'",
    ),
    "k of nobody like it": (lambda _: {"samples": {"zzz": 3}}, "samples names 'zzz'.*the members are 'qwen', 'phi'"),
    "k of some": (lambda _: {"samples": {"qwen": 3}}, "samples does not name 'phi'; give every member a value"),
    # accuracies
    "accuracy of a stranger": (
        lambda _: {"accuracies": {"qwen": 0.5, "phy": 0.5}},
        "accuracies names 'phy'.*did you mean 'phi'",
    ),
    "accuracy of some": (lambda _: {"accuracies": {"qwen": 0.5}}, "accuracies does not name 'phi'"),
    "accuracy in percent": (
        lambda _: {"accuracies": {"qwen": 75, "phi": 0.5}},
        r"accuracies\['qwen'\].*between 0 and 1.*0.75",
    ),
    "accuracy below 0": (
        lambda _: {"accuracies": {"qwen": 0.5, "phi": -0.1}},
        r"accuracies\['phi'\].*between 0 and 1",
    ),
    "accuracy of nothing": (
        lambda _: {"accuracies": {"qwen": float("nan"), "phi": 0.5}},
        "between 0 and 1, received nan",
    ),
    # temperature
    "temperature of a stranger": (lambda _: {"temperature": {"phy": 0.5}}, "temperature names 'phy'.*mean 'phi'"),
    "temperature in words": (lambda _: {"temperature": "hot"}, "temperature: .*number"),
    # names
    "an extractor that is none": (lambda _: {"extract": "boxd"}, "no extractor 'boxd'; did you mean 'boxed'"),
    "an extractor like none": (lambda _: {"extract": "zzz"}, "no extractor 'zzz'.*auto, boxed"),
    "an extractor of no kind": (lambda _: {"extract": 3}, "extract: .*string or .*callable"),
    "a plan that is none": (
        lambda _: {"plan": "serial"},
        "plan: .*'parallel', 'cascade', 'adaptive', 'cheapest' or 'first_round'",
    ),
    "a wait that is none": (lambda _: {"wait": "never"}, 'wait=.*write "settled", "exhausted", or'),
    # limits
    "a deadline of yes": (lambda _: {"deadline": True}, "deadline must be a number, received True"),
    "a tau that is no number": (lambda _: {"tau": math.nan}, "tau must be above 0 and at most 1, received nan"),
    "no time": (lambda _: {"timeout": 0}, "timeout must be above 0"),
    "less than no time": (lambda _: {"deadline": -1}, "deadline must be above 0"),
    "no calls at once": (lambda _: {"max_concurrency": 0}, "max_concurrency must be above 0"),
    "a secret in the wrong place": (lambda _: {"timeout": SECRET}, "timeout: .*number"),
}


def refusal(mux: Any, kind: Any, case: str) -> ArgumentError:
    given = REFUSED[case][0](kind)
    with pytest.raises(ArgumentError) as caught:
        mux(**{**({} if case == "nothing" else {"models": members(kind)}), **given})
    return caught.value


def chain_of(error):
    """Yield an error and whatever it would print or give away with it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_construction(case):
    """Each is an ArgumentError (a ValueError) that says what is wrong and what to pass; no value of a member is in it."""
    error = refusal(SLMMuxLLM, Keyed, case)
    assert re.search(REFUSED[case][1], str(error), re.DOTALL)
    assert isinstance(error, SLMMuxError)
    assert isinstance(error, ValueError)
    quoted = "".join(f"{e} {e!r}" for e in chain_of(error))
    assert SECRET not in quoted
    assert "script=" not in quoted
    assert "errors.pydantic.dev" not in quoted


@pytest.mark.parametrize("case", REFUSED)
def test_both_classes_refuse_in_the_same_words(case):
    """LangChain's and LlamaIndex's mux say the same sentence, but for what a model and its class are called."""
    theirs = str(refusal(SLMMuxChatModel, ScriptedChatModel, case))
    for word, ours in (("chat model", "LLM"), ("ChatOpenAI", "OpenAILike"), ("ScriptedChatModel", "ScriptedLLM")):
        theirs = theirs.replace(word, ours)
    assert str(refusal(SLMMuxLLM, ScriptedLLM, case)) == theirs


NOT_LLMS = {
    "a name": ("qwen2.5", r"a str, not a LlamaIndex LLM; .*OpenAILike\(model='qwen2.5'"),
    "a class": (MockLLM, "the class MockLLM.*pass an instance of it"),
    "an embedding model": (MockEmbedding(embed_dim=3), r"a MockEmbedding.*pass one such as OpenAILike"),
    "nothing": (None, "a NoneType.*pass one such as OpenAILike"),
    "a callable": (print, "a builtin_function_or_method.*pass one such as OpenAILike"),
    "LangChain's": (FakeListChatModel(responses=["5"]), "a FakeListChatModel.*use langchain_slmmux.SLMMuxChatModel"),
}


@pytest.mark.parametrize("case", NOT_LLMS)
@pytest.mark.parametrize("as_list", [True, False])
def test_what_is_no_llm(case, as_list):
    """A member that is no LLM is named, said to be what it is, and what to pass instead is said."""
    given, sentence = NOT_LLMS[case]
    label = "models[1]" if as_list else "odd"  # in a list, where members have no labels yet, its place
    with pytest.raises(MemberError, match=f"(?s)^member '{re.escape(label)}' is {sentence}"):
        SLMMuxLLM(models=[Keyed(), given] if as_list else {"ok": Keyed(), "odd": given})


def test_a_llamaindex_llm_in_the_langchain_class():
    """Who brings an LLM of LlamaIndex to the LangChain class is told which class takes it."""
    with pytest.raises(MemberError, match=r"'odd' is a Keyed.*use llamaindex_slmmux\.SLMMuxLLM"):
        SLMMuxChatModel(models={"odd": Keyed()})


# --- temperature ----------------------------------------------------------------------------------------------------


def test_a_temperature_the_member_has_no_field_for():
    """An explicit temperature for a member that takes none is refused, with its label; `None` leaves it alone."""
    models = {"able": Keyed(), "mock": MockLLM()}
    with pytest.raises(MemberError, match=r"member 'mock' \(MockLLM\) takes no temperature, received .*0.7"):
        SLMMuxLLM(models=models, temperature=0.7)
    with pytest.raises(MemberError, match="'mock'"):
        SLMMuxLLM(models=models, temperature={"mock": 0.7})
    SLMMuxLLM(models=models, temperature={"able": 0.7})
    SLMMuxLLM(models=models)


class More(ScriptedLLM):
    """A member with arguments beyond its fields, and a seed."""

    additional_kwargs: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None


@pytest.mark.parametrize(
    ("member", "options", "why"),
    [
        (More(script=["5"]), {"temperature": 0}, "temperature 0"),
        (More(script=["5"]), {"temperature": {"cold": 0.0}}, "temperature 0"),
        (More(script=["5"], temperature=0), {}, "temperature 0"),
        (More(script=["5"], temperature=0.7, additional_kwargs={"temperature": 0}), {}, "temperature 0"),
        (More(script=["5"], seed=7), {}, "the fixed seed 7"),
        (More(script=["5"], additional_kwargs={"seed": 7}), {}, "the fixed seed 7"),
    ],
)
def test_several_samples_that_will_be_one(member, options, why):
    """k > 1 samples at temperature 0 or of one seed are one sample k times: said once, at the caller's own line."""
    with pytest.warns(UserWarning, match=rf"cold: {why} makes its 3 samples equal.*samples=\{{'cold': 1\}}") as seen:
        SLMMuxLLM(models={"cold": member}, samples=3, **options)
    assert [warning.filename for warning in seen] == [__file__]


def test_samples_that_may_differ_are_worth_no_word():
    """One sample at temperature 0, or another temperature for a cold member, gives no warning."""
    cold = More(script=["5"], temperature=0, additional_kwargs={"temperature": 0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SLMMuxLLM(models={"cold": cold}, samples=1)
        SLMMuxLLM(models={"cold": cold}, samples=3, temperature=0.7)


# --- keywords -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keyword", "hint"),
    [
        ("sample", "did you mean 'samples'"),
        ("temprature", "did you mean 'temperature'"),
        ("max_concurency", "did you mean 'max_concurrency'"),
        ("zzz", "the options are .*accuracies.*wait"),
    ],
)
def test_an_unknown_keyword(keyword, hint):
    """A keyword nobody knows, which LlamaIndex drops without a word, gives a warning that names the nearest."""
    with pytest.warns(UserWarning, match=f"SLMMuxLLM does not know '{keyword}' and ignores it.*{hint}") as seen:
        SLMMuxLLM(models=members(), **{keyword: 5})
    assert [warning.filename for warning in seen] == [__file__]


@pytest.mark.parametrize("mux", [SLMMuxLLM, SLMMuxChatModel])
def test_an_api_key_has_no_use(mux):
    """`api_key` is dropped with one warning: each member carries its own; it is in no repr, dump or warning."""
    models = members() if mux is SLMMuxLLM else members(ScriptedChatModel)
    with pytest.warns(UserWarning, match="uses no api_key: each member carries its own") as seen:
        made = mux(models=models, api_key=SECRET)
    assert [warning.filename for warning in seen] == [__file__]
    assert SECRET not in f"{made!r} {made.model_dump()} {made.model_dump_json()} {seen[0].message}"


class Plain(CustomLLM):
    """A member of the user's own, with no settings."""

    @property
    def metadata(self):
        return LLMMetadata()

    def complete(self, prompt, formatted=False, **kwargs):
        return CompletionResponse(text="5")

    def stream_complete(self, prompt, formatted=False, **kwargs):
        raise NotImplementedError


def test_a_setting_no_member_has():
    """`max_tokens` goes to the members that have it; where none has, a warning says so. `max_retries` holds for all."""
    with pytest.warns(UserWarning, match="max_tokens: no member has this setting") as seen:
        SLMMuxLLM(models=[Plain()], max_retries=1, max_tokens=5)
    assert [warning.filename for warning in seen] == [__file__]


def test_samples_cannot_be_hidden():
    """`trace_samples=False`, which LlamaIndex has no means for, is refused with what a handler can do instead."""
    with pytest.raises(ArgumentError, match=r"leave it out.*your handler.*tags have 'slmmux_member'"):
        SLMMuxLLM(models=members(), trace_samples=False)


# --- later ----------------------------------------------------------------------------------------------------------

LATER = {
    "samples": (0, "at least 1, received 0"),
    "accuracies": ({"qwen": 75, "phi": 0.5}, "between 0 and 1"),
    "temperature": ({"phy": 0.5}, "did you mean 'phi'"),
    "models": ({}, "no members"),
    "timeout": (0, "above 0"),
    "plan": ("serial", "'parallel', 'cascade', 'adaptive', 'cheapest' or 'first_round'"),
    "wait": ("never", 'write "settled", "exhausted", or'),
    "extract": ("boxd", "did you mean 'boxed'"),
    "trace_samples": (False, "your handler"),
}


@pytest.mark.parametrize("name", LATER)
def test_an_option_set_later_that_cannot_be_used(name):
    """Setting an option on a mux, as LlamaIndex's users do, is refused like one at construction, and changes nothing."""
    value, sentence = LATER[name]
    mux = SLMMuxLLM(models=members())
    before = getattr(mux, name)
    with pytest.raises(ArgumentError, match=sentence):
        setattr(mux, name, value)
    assert getattr(mux, name) == before
    assert mux.complete("q").raw["slmmux"]["samples"]["planned"] == 6


@pytest.mark.parametrize("name", ["samples", "accuracies", "temperature", "models", "timeout"])
def test_a_copy_that_cannot_be_used(name):
    """`model_copy(update=...)`, which pydantic does not check, is refused as well."""
    value, sentence = LATER[name]
    with pytest.raises(ArgumentError, match=sentence):
        SLMMuxLLM(models=members()).model_copy(update={name: value})


# --- dumps ----------------------------------------------------------------------------------------------------------


def shortest(text: str) -> str:
    return text[:1]


@pytest.mark.parametrize(
    ("options", "given", "sentence"),
    [
        ({}, {}, "a dump holds no LLMs, nor their keys; pass llms={label: LLM} for 'qwen', 'phi'"),
        ({}, {"llms": {}}, "no members.*pass at least one LLM"),
        ({}, {"llms": {"qwen": Keyed()}}, "a mux of 'qwen', 'phi', received llms for 'qwen'"),
        ({}, {"llms": {**members(), "x": Keyed()}}, "a mux of 'qwen', 'phi', received llms for 'qwen', 'phi', 'x'"),
        ({}, {"llms": [Keyed(model="phi"), Keyed(model="qwn")]}, "received llms for 'phi', 'qwn'"),
        ({}, {"llms": {"qwen": Keyed(), "phi": "gpt"}}, "member 'phi' is a str"),
        ({"extract": shortest}, {"llms": members()}, "a callable extractor, which it cannot hold; pass extract="),
    ],
)
def test_a_dump_that_cannot_be_made_whole(options, given, sentence):
    """`from_dict` says which LLMs the dump needs, and that a callable extractor has to be given again; no key in it."""
    dump = SLMMuxLLM(models=members(), **options).to_dict()
    with pytest.raises(ArgumentError, match=sentence) as caught:
        SLMMuxLLM.from_dict(dump, **given)
    assert SECRET not in "".join(f"{e} {e!r}" for e in chain_of(caught.value))
