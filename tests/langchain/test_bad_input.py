"""What cannot be used is refused with a sentence that says what to pass instead, and never quotes a secret."""

import asyncio
import math
import re
import socket
import warnings

import pytest
from langchain_core.language_models import FakeListChatModel, FakeListLLM
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux import ArgumentError, MemberError, NoAnswerError, SLMMuxError

from .openai_server import serving
from .rules import MethodsChatModel

SECRET = "sk-very-secret-0123456789"


class Keyed(ScriptedChatModel):
    """A member with a key, as most have."""

    script: object = ("5",)
    api_key: SecretStr = SecretStr(SECRET)
    plain_token: str = SECRET


def members():
    return {"qwen": Keyed(), "phi": Keyed()}


PARROT = FakeListChatModel(responses=["x"])

REFUSED = {
    # no members
    "nothing": ({}, "no members.*pass at least one"),
    "an empty dict": ({"models": {}}, "no members.*pass at least one"),
    "an empty list": ({"models": []}, "no members.*pass at least one"),
    "a name": ({"models": "gpt"}, "models must be a dict of label to chat model, or a list.*received str"),
    "one model": ({"models": PARROT}, "models must be a dict.*received FakeListChatModel"),
    "nothing at all": ({"models": None}, "models must be a dict.*received NoneType"),
    # labels
    "two of one name": ({"models": [Keyed(), Keyed()]}, "two members are both named 'scripted'.*pass a dict"),
    "an empty label": ({"models": {"": Keyed()}}, "label must be a text that is not empty"),
    "a number as label": ({"models": {1: Keyed()}}, "label must be a text.*received 1"),
    # k
    "k of 0": ({"samples": 0}, "samples for 'qwen' must be a whole number of at least 1, received 0"),
    "k below 0": ({"samples": {"qwen": 3, "phi": -1}}, "samples for 'phi' must be .* at least 1, received -1"),
    "half a sample": ({"samples": 2.5}, "samples: .*integer"),
    "k in words": ({"samples": "five"}, "samples: .*integer"),
    "k of a stranger": (
        {"samples": {"qwen": 3, "phy": 3}},
        "samples names 'phy', which is not a member; did you mean 'phi'",
    ),
    "k of nobody like it": ({"samples": {"zzz": 3}}, "samples names 'zzz'.*the members are 'qwen', 'phi'"),
    "k of some": ({"samples": {"qwen": 3}}, "samples does not name 'phi'; give every member a value"),
    # accuracies
    "accuracy of a stranger": ({"accuracies": {"qwen": 0.5, "phy": 0.5}}, "accuracies names 'phy'.*did you mean 'phi'"),
    "accuracy of some": ({"accuracies": {"qwen": 0.5}}, "accuracies does not name 'phi'"),
    "accuracy in percent": ({"accuracies": {"qwen": 75, "phi": 0.5}}, "accuracies\\['qwen'\\].*between 0 and 1.*0.75"),
    "accuracy below 0": ({"accuracies": {"qwen": 0.5, "phi": -0.1}}, "accuracies\\['phi'\\].*between 0 and 1"),
    "accuracy of nothing": ({"accuracies": {"qwen": float("nan"), "phi": 0.5}}, "between 0 and 1, received nan"),
    # temperature
    "temperature of a stranger": ({"temperature": {"phy": 0.5}}, "temperature names 'phy'.*did you mean 'phi'"),
    "temperature in words": ({"temperature": "hot"}, "temperature: .*number"),
    # names
    "an extractor that is none": ({"extract": "boxd"}, "no extractor 'boxd'; did you mean 'boxed'"),
    "an extractor like none": ({"extract": "zzz"}, "no extractor 'zzz'.*auto, boxed"),
    "an extractor of no kind": ({"extract": 3}, "extract: .*string or .*callable"),
    "a plan that is none": (
        {"plan": "serial"},
        "plan: .*'parallel', 'cascade', 'adaptive', 'cheapest' or 'first_round'",
    ),
    "a wait that is none": ({"wait": "never"}, 'wait=.*write "settled", "exhausted", or'),
    # limits
    "a deadline of yes": ({"deadline": True}, "deadline must be a number, received True"),
    "a tau that is no number": ({"tau": math.nan}, "tau must be above 0 and at most 1, received nan"),
    "no time": ({"timeout": 0}, "timeout must be above 0"),
    "less than no time": ({"deadline": -1}, "deadline must be above 0"),
    "no calls at once": ({"max_concurrency": 0}, "max_concurrency must be above 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_construction(case):
    """Each is an ArgumentError (a ValueError) that says what is wrong and what to pass; no value of a member is in it."""
    given, sentence = REFUSED[case]
    with pytest.raises(ArgumentError, match=f"(?s){sentence}") as caught:
        SLMMuxChatModel(**{**({"models": members()} if case != "nothing" else {}), **given})
    assert isinstance(caught.value, SLMMuxError)
    assert isinstance(caught.value, ValueError)
    quoted = "".join(f"{e} {e!r}" for e in chain_of(caught.value))
    assert SECRET not in quoted
    assert "ScriptedChatModel(" not in quoted
    assert "errors.pydantic.dev" not in quoted


def chain_of(error):
    """Yield an error and whatever it would print or give away with it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


NOT_MODELS = {
    "a retry": (PARROT.with_retry(), "a RunnableRetry.*max_retries, or put with_retry around the mux"),
    "fallbacks": (PARROT.with_fallbacks([PARROT]), "a RunnableWithFallbacks.*put with_fallbacks around the mux"),
    "a chain": (
        ChatPromptTemplate.from_template("{x}") | PARROT,
        "a RunnableSequence.*prompt before and the parser after",
    ),
    "structured output": (MethodsChatModel(script=["5"]).with_structured_output({"title": "A"}), "a RunnableSequence"),
    "a function": (RunnableLambda(lambda x: x), "a RunnableLambda.*pass the chat model inside it"),
    "a model with listeners": (PARROT.with_listeners(on_start=print), "put with_listeners around the mux"),
    "a binding of no model": (RunnableLambda(lambda x: x).bind(a=1), "a RunnableLambda"),
    "a text model": (FakeListLLM(responses=["x"]), "a FakeListLLM"),
    "a name": ("qwen2.5", "a str.*init_chat_model\\('qwen2.5'\\)"),
    "a class": (FakeListChatModel, "the class FakeListChatModel.*pass an instance of it"),
    "nothing": (None, "a NoneType.*pass a LangChain chat model such as ChatOpenAI"),
    "a callable": (print, "a builtin_function_or_method.*pass a LangChain chat model"),
}


@pytest.mark.parametrize("case", NOT_MODELS)
@pytest.mark.parametrize("as_list", [True, False])
def test_what_is_no_chat_model(case, as_list):
    """A member that is no chat model is named, said to be what it is, and what to pass instead is said."""
    given, sentence = NOT_MODELS[case]
    label = "models[1]" if as_list else "odd"  # in a list, where members have no labels yet, its place
    with pytest.raises(MemberError, match=f"(?s)^member '{re.escape(label)}' .*{sentence}"):
        SLMMuxChatModel(models=[PARROT, given] if as_list else {"ok": PARROT, "odd": given})


# --- temperature ----------------------------------------------------------------------------------------------------


def test_a_temperature_the_member_has_no_field_for():
    """An explicit temperature for a member that takes none is refused, with its label; `None` leaves it alone."""
    models = {"able": Keyed(), "parrot": PARROT}
    with pytest.raises(
        MemberError, match=r"member 'parrot' \(FakeListChatModel\) takes no temperature, received .*0.7"
    ):
        SLMMuxChatModel(models=models, temperature=0.7)
    with pytest.raises(MemberError, match="'parrot'"):
        SLMMuxChatModel(models=models, temperature={"parrot": 0.7})
    SLMMuxChatModel(models=models, temperature={"able": 0.7})
    SLMMuxChatModel(models=models)


def test_a_temperature_the_profile_rules_out():
    """A model whose profile says that it takes no temperature is refused one, though its class has the field."""
    reasoning = ScriptedChatModel(script=["5"], profile={"temperature": False})
    with pytest.raises(MemberError, match=r"'o' .*takes no temperature"):
        SLMMuxChatModel(models={"o": reasoning}, temperature=0.7)


@pytest.mark.parametrize(
    ("models", "options"),
    [
        ({"cold": ScriptedChatModel(script=["5"])}, {"temperature": 0}),
        ({"cold": ScriptedChatModel(script=["5"])}, {"temperature": {"cold": 0.0}}),
        ({"cold": ScriptedChatModel(script=["5"], temperature=0)}, {}),
        ({"cold": ScriptedChatModel(script=["5"], temperature=0.7).bind(temperature=0)}, {}),
    ],
)
def test_temperature_0_with_several_samples(models, options):
    """k > 1 samples at temperature 0 are one sample k times: the warning says so, and points at the caller's line."""
    with pytest.warns(
        UserWarning, match=r"cold: temperature 0 makes its 3 samples equal.*samples=\{'cold': 1\}"
    ) as seen:
        SLMMuxChatModel(models=models, samples=3, **options)
    assert [warning.filename for warning in seen] == [__file__]


def test_temperature_0_with_one_sample_is_fine():
    """One sample at temperature 0, or another temperature for a cold member, is worth no word."""
    cold = ScriptedChatModel(script=["5"], temperature=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SLMMuxChatModel(models={"cold": cold}, samples=1)
        SLMMuxChatModel(models={"cold": cold}, samples=3, temperature=0.7)


def test_a_fixed_seed_with_several_samples():
    """The same for a seed: with it every sample is the same."""
    with pytest.warns(UserWarning, match="a: the fixed seed 7 makes its 2 samples equal"):
        SLMMuxChatModel(models={"a": ScriptedChatModel(script=["5"]).bind(seed=7)}, samples=2)


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
    """A keyword nobody knows, which LangChain drops without a word, gives a warning that names the nearest."""
    with pytest.warns(UserWarning, match=f"does not know '{keyword}' and ignores it.*{hint}") as seen:
        SLMMuxChatModel(models=members(), **{keyword: 5})
    assert [warning.filename for warning in seen] == [__file__]


def test_an_api_key_has_no_use():
    """`api_key` is a standard name, taken with a warning: each member carries its own; it is in no repr and no dump."""
    with pytest.warns(UserWarning, match="uses no api_key: each member carries its own"):
        mux = SLMMuxChatModel(models=members(), api_key=SECRET)
    assert SECRET not in f"{mux!r} {mux.model_dump()} {mux.model_dump_json()}"


def test_a_setting_no_member_has():
    """`max_tokens` goes to the members that have it; where none has, a warning says so. `max_retries` holds for all."""
    with pytest.warns(UserWarning, match="max_tokens: no member has this setting"):
        SLMMuxChatModel(models=[FakeListChatModel(responses=["5"])], max_retries=1, max_tokens=5)


def test_standard_keywords_are_no_news():
    """The names every LangChain model takes are taken without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SLMMuxChatModel(
            models=members(), name="mux", tags=["t"], metadata={"a": 1}, cache=False, callbacks=[], stop=["x"],
            streaming=True, max_tokens=5, timeout=3, verbose=False, disable_streaming=True,
        )  # fmt: skip


# --- at call time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"model": "gpt-5"}, "model='gpt-5' cannot be given at call time.*models="),
        ({"n": 3}, "n=3 cannot be given at call time.*samples="),
    ],
)
async def test_model_and_n_at_call_time(given, sentence):
    """`model=` and `n=` at call time are refused before any member is called, however the mux is called."""
    models = members()
    mux = SLMMuxChatModel(models=models)
    for ask in (mux.invoke, mux.bind(**given).invoke, lambda q, **kw: list(mux.stream(q, **kw))):
        with pytest.raises(ArgumentError, match=sentence):
            ask("q", **given)
    with pytest.raises(ArgumentError, match=sentence):
        await mux.ainvoke("q", **given)
    with pytest.raises(ArgumentError, match=sentence):
        await mux.bind_tools([{"name": "a", "description": "b", "parameters": {}}], **given).ainvoke("q")
    assert [model.calls for model in models.values()] == [[], []]


def test_a_configurable_that_cannot_be_used():
    """A value given through `configurable_fields` at call time is refused like one at construction."""
    from langchain_core.runnables import ConfigurableField

    mux = SLMMuxChatModel(models=members()).configurable_fields(samples=ConfigurableField("k"))
    with pytest.raises(ArgumentError, match="at least 1, received 0"):
        mux.invoke("q", {"configurable": {"k": 0}})


def test_a_copy_that_cannot_be_used():
    """`model_copy(update=...)`, which pydantic does not check, is refused as well."""
    with pytest.raises(ArgumentError, match="at least 1, received 0"):
        SLMMuxChatModel(models=members()).model_copy(update={"samples": 0})


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize("trace_samples", [True, False])
def test_an_address_that_does_not_answer(trace_samples):
    """Where no member answers, one error names every member and the cause once, and quotes no key."""
    port = closed_port()
    models = {
        label: ChatOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=SECRET, model=label, max_retries=0)
        for label in ("qwen", "phi")
    }
    mux = SLMMuxChatModel(models=models, samples=2, trace_samples=trace_samples)
    for ask in (mux.invoke, lambda q: asyncio.run(mux.ainvoke(q))):
        with pytest.raises(NoAnswerError, match=r"no member replied.*\n  qwen, phi: .*Connection") as caught:
            ask("q")
        assert {(error.model, error.index) for error in caught.value.errors} == {
            (label, i) for label in models for i in (0, 1)
        }
        assert SECRET not in "".join(f"{e} {e!r}" for e in chain_of(caught.value))


def test_one_address_that_does_not_answer():
    """A member that cannot be reached costs its votes only."""
    with serving(["5"]) as server:
        models = {
            "gone": ChatOpenAI(base_url=f"http://127.0.0.1:{closed_port()}/v1", api_key="k", model="g", max_retries=0),
            "here": ChatOpenAI(base_url=server.url, api_key="k", model="h", max_retries=0),
        }
        message = SLMMuxChatModel(models=models, samples=2, wait="exhausted").invoke("q")
    votes = message.response_metadata["slmmux"]["votes"]
    assert [(v["model"], v["count"], v["failed"]) for v in votes] == [("gone", 0, 2), ("here", 2, 0)]
