"""The private names of LlamaIndex, and of what stands on it, that one file rests on."""

import inspect
from pathlib import Path

import pytest
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike
from opentelemetry import context

import llamaindex_slmmux
from llamaindex_slmmux import _private
from llamaindex_slmmux.testing import ScriptedLLM
from tests.private_names import foreign_private_names, own_names

FOLDER = Path(llamaindex_slmmux.__file__).parent
OURS = own_names([FOLDER, FOLDER.with_name("slmmux")])

OF_LLMS = {"_get_messages", "_get_prompt"}
OF_OPENAI = {"_aclient", "_client", "_get_aclient", "_get_client", "_get_response_token_counts"}
OF_OPENTELEMETRY = {"_SUPPRESS_INSTRUMENTATION_KEY"}
OVERRIDES = {"_extend_messages", "_prepare_chat_with_tools"}
OVERRIDES_OF_OPENAI = {"_achat", "_astream_chat", "_chat", "_get_model_kwargs", "_stream_chat"}


def test_one_file_uses_private_names_of_others():
    """No file but `_private.py` asks LlamaIndex for a private name, and it for none but those that are listed here."""
    theirs = {*dir(FunctionCallingLLM), *dir(OpenAILike)}
    used = {file.name: foreign_private_names(file, OURS, theirs) for file in FOLDER.glob("*.py")}
    assert used.pop("_private.py") == OF_LLMS | OF_OPENAI | OF_OPENTELEMETRY
    assert {name: names for name, names in used.items() if names} == {}


@pytest.mark.parametrize("name", sorted(OF_LLMS | OVERRIDES))
def test_an_llm_has_the_private_name(name):
    """Each private method that we call or override is still one of LlamaIndex's LLMs."""
    assert hasattr(FunctionCallingLLM, name)


@pytest.mark.parametrize("name", sorted(OF_OPENAI | OVERRIDES_OF_OPENAI))
def test_openais_class_has_the_private_name(name):
    """Each private name that we use of OpenAI's class, or override, is still its own."""
    assert name in {*dir(OpenAILike), *OpenAI.__private_attributes__}


def test_opentelemetry_has_the_private_name():
    """The key by which tracers are kept still is there, and what we take of it is a context and a key."""
    assert _private.suppression() == (context, context._SUPPRESS_INSTRUMENTATION_KEY)


def test_a_class_without_clients_builds_none():
    """A class that builds no clients has nothing to be asked for."""
    assert _private.client_builders(ScriptedLLM(script=["1"])) == []
    assert all(inspect.ismethod(builder) for builder in _private.client_builders(OpenAI(model="gpt-4", api_key="k")))
