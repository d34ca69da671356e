"""What may be a member, what is taken from it, and that it is never changed; and what the package brings with it."""

import copy
import importlib
import json
import subprocess
import sys
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import MockLLM
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel, Field

import llamaindex_slmmux
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM

from ..langchain.openai_server import serving
from .support import CompletionOnly, calling, user


class Noting(ScriptedLLM):
    """A member that notes what it was when it was asked, in a list its copies share, and rewrites what it was sent."""

    script: Any = Field(default=("4",), exclude=True, repr=False)
    max_retries: int = 5
    additional_kwargs: dict[str, Any] = Field(default_factory=dict)
    noted: list[Any] = Field(default_factory=list, exclude=True)

    def _reply(self, messages: Any, kwargs: dict[str, Any]) -> Any:
        self.noted.append(self)
        reply = super()._reply(messages, kwargs)
        messages[0].blocks.clear()
        messages.clear()
        return reply


def rank(mux: SLMMuxLLM) -> list[str]:
    return [vote["model"] for vote in mux.complete("q").raw["slmmux"]["votes"]]


def openai_like(url: str = "http://127.0.0.1:9/v1", **options: Any) -> OpenAILike:
    return OpenAILike(**{"model": "m", "api_base": url, "api_key": "none", "is_chat_model": True, **options})


# --- never changed --------------------------------------------------------------------------------------------------

SETTINGS = {"temperature": 0.9, "max_tokens": 7, "max_retries": 0}


async def _sync(mux, question):
    return mux.chat(question)


async def _async(mux, question):
    return await mux.achat(question)


async def _tools(mux, question):
    from llama_index.core.tools import FunctionTool

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    return mux.chat_with_tools([FunctionTool.from_defaults(add)], chat_history=question, user_msg="now")


@pytest.mark.parametrize("ask", [_sync, _async, _tools])
@pytest.mark.parametrize("settings", [{}, SETTINGS])
async def test_members_and_the_callers_history_are_never_changed(ask, settings):
    """Whatever is set and asked, a member keeps its fields and callbacks, and the caller's messages stay as they were."""
    counter = TokenCountingHandler(tokenizer=str.split)
    one = Noting(temperature=0.1, additional_kwargs={"temperature": 0.2}, callback_manager=CallbackManager([counter]))
    before, fields, handlers = one.to_dict(), dict(one.__dict__), list(one.callback_manager.handlers)
    question = [*user("before"), calling("add", a=1, b=2), *user("q")]
    asked = copy.deepcopy(question)
    # With the very counter, since the mux then asks a copy that does not tell it.
    mux = SLMMuxLLM(models={"a": one}, samples=2, callback_manager=CallbackManager([counter]), **settings)
    await ask(mux, question)
    assert one.noted
    assert one.to_dict() == before
    assert {name: value for name, value in one.__dict__.items() if value is not fields[name]} == {}
    assert one.callback_manager.handlers == handlers
    assert question == asked


def test_a_question_is_formed_once_for_a_member_whatever_its_k():
    """A member forms its prompt once a question; its samples share it, each with messages of its own."""
    formed = []

    def now(**_: Any) -> str:
        formed.append("noon")
        return formed[-1]

    members = {"a": Noting(script=["4"]), "b": Noting(script=["4"])}
    mux = SLMMuxLLM(models=members, samples=4, wait="exhausted")
    assert mux.predict(PromptTemplate("At {now}?", function_mappings={"now": now})) == "4"
    assert [len(member.noted) for member in members.values()] == [4, 4]
    # Once for each member, and once for the mux's own event.
    assert len(formed) == 3


def test_explicit_settings_reach_the_copies():
    """temperature (for all, or by label), max_tokens and max_retries are what the sampled copy has."""
    models = {name: Noting(temperature=0.2) for name in "ab"}
    SLMMuxLLM(models=models, samples=1, **{**SETTINGS, "temperature": {"a": 0.9}}, wait="exhausted").complete("q")
    asked = {
        name: [(llm.temperature, llm.max_tokens, llm.max_retries) for llm in models[name].noted] for name in models
    }
    assert asked == {"a": [(0.9, 7, 0)], "b": [(0.2, 7, 0)]}


def test_without_settings_the_very_object_is_asked():
    """A member that is given nothing is not copied: one that keeps state of its own keeps it where the user looks."""
    one, other = Noting(), Noting()
    SLMMuxLLM(models={"a": one, "b": other}, samples=2, temperature={"b": 0.5}, wait="exhausted").complete("q")
    assert [llm is one for llm in one.noted] == [True, True]
    assert [llm is other for llm in other.noted] == [False, False]


def test_a_setting_only_some_members_have():
    """A setting goes to the members that have it; the others are asked as they are, without a word."""
    able, mock = Noting(), MockLLM(max_tokens=1)
    SLMMuxLLM(models={"able": able, "mock": mock}, samples=1, max_retries=0, wait="exhausted").complete("q")
    assert [llm.max_retries for llm in able.noted] == [0]


def test_a_temperature_in_additional_kwargs_gives_way():
    """The mux's temperature is what the server gets, though the member's own would come first; other kwargs stay."""
    with serving(["4"]) as server:
        one = openai_like(server.url, additional_kwargs={"temperature": 0.3, "top_p": 0.5})
        SLMMuxLLM(models={"a": one}, samples=1, temperature=0.9).complete("q")
        SLMMuxLLM(models={"a": one}, samples=1).complete("q")
    assert [(body["temperature"], body["top_p"]) for body in server.requests] == [(0.9, 0.5), (0.3, 0.5)]
    assert one.additional_kwargs == {"temperature": 0.3, "top_p": 0.5}


@pytest.mark.parametrize("built", [True, False])
def test_max_retries_reaches_the_clients_of_openai_members(built):
    """The OpenAI SDK takes max_retries when a client is built: the copy's clients have the new, the member's its own."""
    one = openai_like(max_retries=5)
    if built:
        one._get_client(), one._get_aclient()
    copied = SLMMuxLLM(models={"a": one}, max_retries=0)._members["a"].llm
    assert [client.max_retries for client in (copied._get_client(), copied._get_aclient())] == [0, 0]
    assert [client.max_retries for client in (one._get_client(), one._get_aclient())] == [5, 5]


# --- names, rank, k -------------------------------------------------------------------------------------------------


class Unnamed(CompletionOnly):
    """An LLM whose metadata know no name."""

    @property
    def metadata(self) -> Any:
        return super().metadata.model_copy(update={"model_name": "unknown"})


class ModelName(Unnamed):
    model_name: str = "by-model-name"


def test_a_list_is_labelled_by_the_models_own_names():
    """Members of a list are named by model, model_name or metadata, or by their class where they have none."""
    mux = SLMMuxLLM(models=[ScriptedLLM(script=["4"], model="by-model"), ModelName(), CompletionOnly(), Unnamed()])
    assert rank(mux) == ["by-model", "by-model-name", "completion-only", "Unnamed"]


def test_accuracies_are_the_rank_and_break_ties():
    """The member of higher validation accuracy comes first and wins among equals; equal accuracies keep the order."""
    models = {name: ScriptedLLM(script=[name]) for name in "abc"}
    mux = SLMMuxLLM(models=models, samples=2, accuracies={"a": 0.5, "b": 0.9, "c": 0.9}, wait="exhausted")
    response = mux.complete("q")
    assert rank(mux) == ["b", "c", "a"]
    assert (response.text, response.raw["slmmux"]["decided_by"]) == ("b", "tie-break")


def test_k_may_differ_between_members():
    """Each member is asked its own k times, `of` is that k, and `k` says so in rank order."""
    models = {"a": ScriptedLLM(script=["4", "5"]), "b": ScriptedLLM(script=["6"])}
    mux = SLMMuxLLM(models=models, samples={"a": 4, "b": 2}, accuracies={"a": 0.1, "b": 0.2}, wait="exhausted")
    votes = mux.complete("q").raw["slmmux"]["votes"]
    assert [(vote["model"], vote["of"]) for vote in votes] == [("b", 2), ("a", 4)]
    assert [len(models[name].calls) for name in "ab"] == [4, 2]
    assert list(mux.k.items()) == [("b", 2), ("a", 4)]


def test_one_member_is_plain_self_consistency():
    """A mux of one returns that model's most frequent answer."""
    assert (
        SLMMuxLLM(models=[ScriptedLLM(script=["5", "4", "4"])], samples=3, wait="exhausted").complete("q").text == "4"
    )


# --- what may be a member -------------------------------------------------------------------------------------------


class Total(BaseModel):
    """A number."""

    value: int


MEMBERS = {
    "structured": (
        lambda: StructuredLLM(llm=ScriptedLLM(script=[calling("Total", value=4)]), output_cls=Total),
        '{"value":4}',
    ),
    "mock": (lambda: MockLLM(max_tokens=2), "text text"),
    "a mock that calls functions": (
        lambda: MockFunctionCallingLLM(response_generator=lambda _: calling("add", a=2, b=3)),
        "",
    ),
    "completion only": (CompletionOnly, "4"),
    "a mux": (lambda: SLMMuxLLM(models=[ScriptedLLM(script=["5", "4", "4"])], samples=3, wait="exhausted"), "4"),
}


@pytest.mark.parametrize("case", MEMBERS)
@pytest.mark.parametrize("ask", [_sync, _async])
async def test_any_llm_is_a_member(case, ask):
    """Whatever LLM is wrapped, each sample is a reply of its own, and the winner's text is what it says."""
    make, text = MEMBERS[case]
    mux = SLMMuxLLM(models={"it": make()}, samples=2, wait="exhausted")
    response = await ask(mux, user("q"))
    assert (response.message.content or "") == text
    (vote,) = response.raw["slmmux"]["votes"]
    assert (vote["of"], vote["failed"], vote["abstained"]) == (2, 0, 0)


def test_the_cost_of_a_mux_inside_a_mux_is_counted():
    """Every token of the inner members is in the outer usage."""
    inner = SLMMuxLLM(models={"x": ScriptedLLM(script=["4"], tokens=(1, 1))}, samples=2, wait="exhausted")
    outer = SLMMuxLLM(models={"in": inner}, samples=3, wait="exhausted")
    assert outer.complete("q").raw["usage"]["total_tokens"] == 3 * 2 * 2


# --- copies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        lambda mux: mux.model_copy(),
        lambda mux: mux.model_copy(update={"samples": 1}),
        lambda mux: mux.model_copy(update={"models": {"b": Noting()}}),
        lambda mux: mux.model_copy(update={"models": [Noting(model="b")]}),
        lambda mux: mux.model_copy(update={"max_concurrency": 1, "system_prompt": "s"}),
    ],
    ids=["copy", "model_copy", "samples", "models", "a list", "limits"],
)
async def test_a_copy_keeps_working(copied):
    """A copy, with options or members of its own, answers like a mux, and the original stays what it was."""
    mux = SLMMuxLLM(models={"a": Noting()}, samples=2)
    other = copied(mux)
    labels = list(other.models)
    assert rank(other) == labels
    assert (await other.achat(user("q"))).raw["slmmux"]["samples"]["planned"] == other.samples
    assert list(json.loads(other.to_json())["members"]) == labels
    other.samples = 4
    assert (mux.samples, mux.k, rank(mux)) == (2, {"a": 2}, ["a"])


def test_members_set_later():
    """New members given to a mux are those asked, with the mux's own settings; a list is labelled."""
    mux = SLMMuxLLM(models={"a": Noting()}, samples=2, temperature=0.9)
    new = Noting(model="new", temperature=0.1)
    mux.models = [new]
    assert rank(mux) == ["new"]
    assert {llm.temperature for llm in new.noted} == {0.9}


# --- the package ----------------------------------------------------------------------------------------------------


def imported(statement: str) -> set[str]:
    """Return the top-level names and the packages of ours that an import brings, in a process of its own."""
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True, text=True)
    modules = json.loads(done.stdout.splitlines()[-1])
    return {name.partition(".")[0] for name in modules} | {name for name in modules if name.startswith("slmmux.")}


def test_what_importing_the_package_brings():
    """The LlamaIndex package brings no LangChain, no OpenAI client, no local models, and not the models of `mux.toml`."""
    brought = imported("import llamaindex_slmmux, llamaindex_slmmux.testing")
    assert not brought & {"langchain_core", "langchain_slmmux", "openai", "xllamacpp"}
    assert not brought & {"slmmux.cli", "slmmux.config", "slmmux.local"}
    assert {"llama_index", "slmmux"} <= brought


def test_what_importing_the_langchain_package_brings():
    """The LangChain package never imports LlamaIndex, nor the core either of them; numpy, which is slow, is not needed."""
    others = {"llama_index", "llama_index_instrumentation", "llamaindex_slmmux", "numpy"}
    assert not imported("import langchain_slmmux") & others
    assert not imported("import slmmux") & {*others, "langchain_core", "langchain_slmmux", "pydantic"}


def test_the_public_names():
    """The package offers its class and what profiles members, and what it offers is there."""
    assert llamaindex_slmmux.__all__ == ["SLMMuxLLM", "SLMMuxSampleEvent", "aprofile", "compare", "profile"]
    assert all(getattr(llamaindex_slmmux, name) for name in llamaindex_slmmux.__all__)
    with pytest.raises(AttributeError, match="module 'llamaindex_slmmux' has no attribute 'Profile'"):
        _ = llamaindex_slmmux.Profile
    assert importlib.import_module("llamaindex_slmmux.testing").__all__ == ["ScriptedLLM"]
