"""Settings of a call, as each maker's client names them on the wire."""

import warnings

import pytest
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.ollama import Ollama

from llamaindex_slmmux import SLMMuxLLM
from slmmux import ArgumentError
from tests.servers.gemini import gemini
from tests.servers.loopback import serving
from tests.servers.ollama import ollama
from tests.servers.replies import Reply

SETTINGS = {"max_tokens": 20, "temperature": 0.1, "top_p": 0.5, "seed": 7, "stop": ["."]}


def test_ollama_gets_them_as_its_options():
    """Each setting reaches Ollama under the name of its own protocol, stop sequences included."""
    with serving(ollama, [Reply("Oslo")]) as server:
        mux = SLMMuxLLM(models={"a": Ollama(model="qwen2.5:3b", base_url=server.url, context_window=4096)}, samples=1)
        mux.complete("Capital of Norway?", **SETTINGS)
        options = server.requests[0].body["options"]
    assert {k: options[k] for k in ("num_predict", "temperature", "top_p", "seed", "stop")} == {
        "num_predict": 20,
        "temperature": 0.1,
        "top_p": 0.5,
        "seed": 7,
        "stop": ["."],
    }


def test_gemini_gets_them_in_its_configuration():
    """Each setting reaches Gemini in its configuration of a generation."""
    google = pytest.importorskip("llama_index.llms.google_genai")
    types = pytest.importorskip("google.genai.types")
    with serving(gemini, [Reply("Oslo")]) as server:
        member = google.GoogleGenAI(
            model="gemini-2.5-flash",
            api_key="sk-member",
            context_window=8192,
            max_tokens=256,
            http_options=types.HttpOptions(base_url=server.url),
        )
        SLMMuxLLM(models={"a": member}, samples=1).complete("Capital of Norway?", **SETTINGS)
        sent = server.requests[-1].body["generationConfig"]
    assert {k: sent[k] for k in ("maxOutputTokens", "temperature", "topP", "seed", "stopSequences")} == {
        "maxOutputTokens": 20,
        "temperature": 0.1,
        "topP": 0.5,
        "seed": 7,
        "stopSequences": ["."],
    }


def test_a_setting_that_no_member_takes_is_refused():
    """A setting that no member's client knows is an error that names it; if one member takes it, a warning names the other."""
    with serving(ollama, [Reply("Oslo")]) as server:
        first = Ollama(model="qwen2.5:3b", base_url=server.url, context_window=4096)
        second = Anthropic(model="claude-sonnet-4-5", api_key="sk-member", base_url=server.url)
        with pytest.raises(ArgumentError, match="user='ann'"):
            SLMMuxLLM(models={"a": first, "b": second}, samples=1).complete("Capital?", user="ann")
        assert not server.requests
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            SLMMuxLLM(models={"a": first, "b": second}, samples=1).complete("Capital?", seed=7)
    assert any("seed=7" in str(w.message) and "b does without" in str(w.message) for w in caught)
