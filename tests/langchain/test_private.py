"""The private names of LangChain that one file rests on: a release that renames one of them is named here."""

from pathlib import Path

import pytest
from langchain_core.language_models import BaseChatModel, chat_models
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tracers import context
from langchain_openai import ChatOpenAI

import langchain_slmmux
from langchain_slmmux import _private
from langchain_slmmux.testing import ScriptedChatModel
from tests.private_names import foreign_private_names, own_names

FOLDER = Path(langchain_slmmux.__file__).parent
OURS = own_names([FOLDER, FOLDER.with_name("slmmux")])

OF_CHAT_MODELS = {
    "_agenerate",
    "_agenerate_with_cache",
    "_astream",
    "_combine_llm_outputs",
    "_generate_with_cache",
    "_get_invocation_params",
    "_get_ls_params",
    "_get_ls_params_with_defaults",
    "_identifying_params",
    "_serialized",
    "_should_stream",
    "_stream",
}
OF_MODULES = {"_compat_bridge", "_format_for_tracing", "_tracing_v2_is_enabled"}
OF_OPENAI = {"_create_chat_result"}
# What our class defines because LangChain calls it: renamed there, it would never be called.
OVERRIDES = {
    "_agenerate",
    "_astream",
    "_convert_cached_generations",
    "_generate",
    "_get_invocation_params",
    "_get_llm_string",
    "_get_ls_params",
    "_identifying_params",
    "_llm_type",
    "_resolve_model_profile",
    "_should_stream",
    "_stream",
}


def test_one_file_uses_private_names_of_others():
    """No file but `_private.py` asks LangChain for a private name, and it for none but those that are listed here."""
    theirs = {*dir(BaseChatModel), *dir(ChatOpenAI)}
    used = {file.name: foreign_private_names(file, OURS, theirs) for file in FOLDER.glob("*.py")}
    assert used.pop("_private.py") == OF_CHAT_MODELS | OF_MODULES | OF_OPENAI
    assert {name: names for name, names in used.items() if names} == {}


@pytest.mark.parametrize("name", sorted(OF_CHAT_MODELS | OVERRIDES))
def test_a_chat_model_has_the_private_name(name):
    """Each private method that we call or override is still one of LangChain's chat models."""
    assert hasattr(BaseChatModel, name)


def test_modules_have_the_private_names():
    """The functions we use of LangChain's modules are there under their names, and so is OpenAI's reading of a reply."""
    assert hasattr(chat_models, "_format_for_tracing")
    assert hasattr(context, "_tracing_v2_is_enabled")
    assert callable(_private.result_of_completion(ChatOpenAI(model="m", api_key="k")))
    assert _private.result_of_completion(ScriptedChatModel(script=["1"])) is None


def test_where_langchain_looks_for_our_events():
    """The v3 stream asks a chat model for its events by name: the two methods that LangChain's own code names."""
    written = Path(chat_models.__file__).read_text(encoding="utf-8")
    assert '"_stream_chat_model_events"' in written
    assert '"_astream_chat_model_events"' in written


def test_runs_show_messages_in_the_form_of_langchains_own(monkeypatch):
    """`_format_for_tracing` forms a picture's block as LangChain's own runs show it; without it messages stay as they are."""
    block = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
    (formed,) = _private.traced_form([HumanMessage([block])])
    assert formed.content[0]["type"] == "image_url"
    monkeypatch.delattr(chat_models, "_format_for_tracing")
    assert _private.traced_form([HumanMessage([block])])[0].content == [block]


def test_a_message_is_made_into_events():
    """`message_to_events` makes a message into the events of the v3 protocol, from its start to its finish."""
    events = list(_private.events_of(AIMessage("Oslo", id="1")))
    assert (events[0]["event"], events[-1]["event"]) == ("message-start", "message-finish")
