"""The rows of LlamaIndex: each class of LLMs as its package ships it, against its own protocol."""

import importlib
from typing import Any

from tests.servers.anthropic import anthropic
from tests.servers.completions import completions
from tests.servers.gemini import gemini
from tests.servers.ollama import ollama
from tests.servers.openai_chat import openai_chat
from tests.servers.openai_responses import openai_responses

from ..table import ARGS_PARSED, NO_AUDIO, NO_IMAGES_OUT, NO_REASONING, NO_REFUSAL, Integration, model_of
from .completion_llm import CompletionLLM

__all__ = ["INTEGRATIONS"]


def _gemini(url: str, **settings: Any) -> Any:
    """Return Google's LLM, whose address goes into an object of Google's package."""
    module = importlib.import_module("llama_index.llms.google_genai")
    types = importlib.import_module("google.genai.types")
    fixed = {
        "model": "gemini-2.5-flash",
        "api_key": "sk-member",
        "max_retries": 0,
        "context_window": 8192,
        "max_tokens": 256,
    }
    return module.GoogleGenAI(**{**fixed, "http_options": types.HttpOptions(base_url=url), **settings})


_NO_FUNCTIONS = "an LLM that completes a text calls no functions"
_TEXT_ONLY = "an LLM that completes a text has nothing else"

INTEGRATIONS = (
    Integration(
        "OpenAI",
        "llamaindex",
        "llama-index-llms-openai",
        openai_chat,
        model_of(
            "llama_index.llms.openai",
            "OpenAI",
            lambda url: {"api_base": f"{url}/v1"},
            model="gpt-4.1-mini",
            api_key="sk-member",
            max_retries=0,
        ),
        forms={"structured": "text"},
        without={
            "images out": NO_IMAGES_OUT,
            "provider tools": "chat completions have none: they are the Responses API's",
        },
        common=True,
    ),
    Integration(
        "OpenAILike",
        "llamaindex",
        "llama-index-llms-openai-like",
        openai_chat,
        model_of(
            "llama_index.llms.openai_like",
            "OpenAILike",
            lambda url: {"api_base": f"{url}/v1"},
            model="qwen2.5-3b",
            api_key="sk-member",
            max_retries=0,
            is_chat_model=True,
            is_function_calling_model=True,
        ),
        settings={"schema": {"should_use_structured_outputs": True}},
        forms={"structured": "call"},
        without={
            "images out": NO_IMAGES_OUT,
            "provider tools": "chat completions have none: they are the Responses API's",
        },
        common=True,
    ),
    Integration(
        "Ollama",
        "llamaindex",
        "llama-index-llms-ollama",
        ollama,
        model_of(
            "llama_index.llms.ollama", "Ollama", lambda url: {"base_url": url}, model="qwen2.5:3b", context_window=4096
        ),
        settings={"thinking": {"thinking": True}},
        forms={
            "structured": "text",
            # Ollama takes these at call time not at all, or under another name: what the mux must send is what the
            # member sends that was made with them.
            "options": {
                "temperature": {"temperature": 0.1},
                "max_tokens": {"additional_kwargs": {"num_predict": 20}},
                "seed": {"additional_kwargs": {"seed": 7}},
                "top_p": {"additional_kwargs": {"top_p": 0.5}},
                "stop": {"additional_kwargs": {"stop": ["\n"]}},
                "user": None,
            },
        },
        without={
            "refusal": NO_REFUSAL,
            "invalid tool call": ARGS_PARSED,
            "cut-off tool call": ARGS_PARSED,
            "provider tools": "Ollama has no tools of its own",
            "images out": NO_IMAGES_OUT,
            "audio out": NO_AUDIO,
        },
        common=True,
    ),
    Integration(
        "Anthropic",
        "llamaindex",
        "llama-index-llms-anthropic",
        anthropic,
        model_of(
            "llama_index.llms.anthropic",
            "Anthropic",
            lambda url: {"base_url": url},
            model="claude-sonnet-4-5",
            api_key="sk-member",
            max_retries=0,
            max_tokens=3000,
        ),
        settings={
            "thinking": {"thinking_dict": {"type": "enabled", "budget_tokens": 2000}, "temperature": 1},
            "search": {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]},
        },
        forms={
            "structured": "text",
            "options": {"stop": {"additional_kwargs": {"stop_sequences": ["\n"]}}, "seed": None, "user": None},
        },
        without={
            "invalid tool call": ARGS_PARSED,
            "images out": NO_IMAGES_OUT,
            "audio out": NO_AUDIO,
        },
        common=True,
    ),
    Integration(
        "OpenAIResponses",
        "llamaindex",
        "llama-index-llms-openai",
        openai_responses,
        model_of(
            "llama_index.llms.openai",
            "OpenAIResponses",
            lambda url: {"api_base": f"{url}/v1"},
            model="gpt-4.1-mini",
            api_key="sk-member",
            max_retries=0,
        ),
        settings={
            "thinking": {"reasoning_options": {"effort": "low", "summary": "auto"}},
            "search": {"built_in_tools": [{"type": "web_search_preview"}]},
        },
        forms={"structured": "text", "options": {"stop": None, "seed": None}},
        without={"audio out": NO_AUDIO},
    ),
    Integration(
        "GoogleGenAI",
        "llamaindex",
        "llama-index-llms-google-genai",
        gemini,
        _gemini,
        settings={"schema": {}},
        forms={"structured": "text"},
        without={
            "call-time options": "they go into an object of Google's package; `test_settings.py` looks at the wire",
            "invalid tool call": ARGS_PARSED,
            "cut-off tool call": ARGS_PARSED,
            "audio out": NO_AUDIO,
            "provider tools": "asked for by an object of Google's package",
        },
    ),
    Integration(
        "MistralAI",
        "llamaindex",
        "llama-index-llms-mistralai",
        openai_chat,
        model_of(
            "llama_index.llms.mistralai",
            "MistralAI",
            lambda url: {"endpoint": url},
            model="mistral-small-latest",
            api_key="sk-member",
            max_retries=0,
        ),
        forms={"structured": "call"},
        without={
            "reasoning": NO_REASONING,
            "reasoning with tools": NO_REASONING,
            "refusal": NO_REFUSAL,
            "images out": NO_IMAGES_OUT,
            "audio out": NO_AUDIO,
            "provider tools": "the API of completions has none",
        },
    ),
    Integration(
        "CustomLLM",
        "llamaindex",
        "llama-index-core",
        completions,
        CompletionLLM,
        forms={"structured": "text"},
        without={
            **dict.fromkeys(
                (
                    "stream of tool calls",
                    "tools over three turns",
                    "parallel tool calls",
                    "forced tool call",
                    "cut-off tool call",
                    "invalid tool call",
                    "cut-off text",
                    "empty reply",
                    "a history of others",
                    "reasoning with tools",
                ),
                _NO_FUNCTIONS,
            ),
            **dict.fromkeys(
                ("images and documents in", "images out", "audio out", "reasoning", "refusal", "provider tools"),
                _TEXT_ONLY,
            ),
        },
    ),
)
