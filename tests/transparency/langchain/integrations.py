"""The rows of LangChain: each class of chat models as its package ships it, against its own protocol."""

import os

from tests.servers.anthropic import anthropic
from tests.servers.gemini import gemini
from tests.servers.ollama import ollama
from tests.servers.openai_chat import openai_chat
from tests.servers.openai_responses import openai_responses

from ..table import ARGS_PARSED, NO_AUDIO, NO_IMAGES_OUT, NO_REASONING, NO_REFUSAL, Integration, model_of

__all__ = ["INTEGRATIONS"]


# LiteLLM fetches its list of prices when it is imported, unless it is told to take the one it brings.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")


# A counter of tokens of the user's own.
_COUNTER = {"custom_get_token_ids": lambda text: list(range(len(text.split())))}

INTEGRATIONS = (
    Integration(
        "ChatOpenAI",
        "langchain",
        "langchain-openai",
        openai_chat,
        model_of(
            "langchain_openai",
            "ChatOpenAI",
            lambda url: {"base_url": f"{url}/v1"},
            model="gpt-4.1-mini",
            api_key="sk-member",
            max_retries=0,
        ),
        settings={"count": _COUNTER},
        forms={"search": {"type": "web_search_preview"}, "default_method": "json_schema"},
        without={
            "reasoning": NO_REASONING,
            "reasoning with tools": NO_REASONING,
            "provider tools": "chat completions have none: they are the Responses API's",
            "tool extras": "chat completions know no extras of tools",
            "images out": NO_IMAGES_OUT,
        },
        common=True,
    ),
    Integration(
        "ChatOllama",
        "langchain",
        "langchain-ollama",
        ollama,
        model_of("langchain_ollama", "ChatOllama", lambda url: {"base_url": url}, model="qwen2.5:3b"),
        settings={
            "thinking": {"reasoning": True},
            "count": _COUNTER,
        },
        forms={
            "default_method": "json_schema",
            # ChatOllama takes these at call time not at all, or under another name: what the mux must send is what the
            # member sends that was made with them.
            "options": {
                "temperature": {"temperature": 0.1},
                "max_tokens": {"num_predict": 20},
                "seed": {"seed": 7},
                "top_p": {"top_p": 0.5},
                "user": None,
            },
        },
        without={
            "refusal": NO_REFUSAL,
            "invalid tool call": ARGS_PARSED,
            "cut-off tool call": ARGS_PARSED,
            "provider tools": "Ollama has no tools of its own",
            "tool extras": "Ollama knows no extras of tools",
            "images out": NO_IMAGES_OUT,
            "audio out": NO_AUDIO,
        },
        common=True,
    ),
    Integration(
        "ChatAnthropic",
        "langchain",
        "langchain-anthropic",
        anthropic,
        model_of(
            "langchain_anthropic",
            "ChatAnthropic",
            lambda url: {"base_url": url},
            model="claude-sonnet-4-5",
            api_key="sk-member",
            max_retries=0,
            max_tokens=3000,
        ),
        settings={"thinking": {"thinking": {"type": "enabled", "budget_tokens": 2000}}},
        forms={
            "search": {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            "default_method": "function_calling",
            "extras": {"cache_control": {"type": "ephemeral"}},
            "options": {"seed": None, "user": None},
        },
        without={
            "structured json_mode": "ChatAnthropic has no method json_mode",
            "invalid tool call": ARGS_PARSED,
            "images out": NO_IMAGES_OUT,
            "audio out": NO_AUDIO,
        },
        common=True,
    ),
    Integration(
        "ChatGoogleGenerativeAI",
        "langchain",
        "langchain-google-genai",
        gemini,
        model_of(
            "langchain_google_genai",
            "ChatGoogleGenerativeAI",
            lambda url: {"base_url": url},
            model="gemini-2.5-flash",
            api_key="sk-member",
            max_retries=1,
        ),
        settings={"thinking": {"include_thoughts": True, "thinking_budget": 1000}},
        forms={
            "search": {"google_search": {}},
            "default_method": "json_schema",
            "options": {"max_tokens": {"max_tokens": 20}, "user": None},
        },
        without={
            "invalid tool call": ARGS_PARSED,
            "cut-off tool call": ARGS_PARSED,
            "tool extras": "Gemini knows no extras of tools",
            "audio out": "asked for in its own way, with a model that speaks",
        },
        common=True,
    ),
    Integration(
        "ChatOpenAI with Responses",
        "langchain",
        "langchain-openai",
        openai_responses,
        model_of(
            "langchain_openai",
            "ChatOpenAI",
            lambda url: {"base_url": f"{url}/v1"},
            model="gpt-4.1-mini",
            api_key="sk-member",
            max_retries=0,
            use_responses_api=True,
        ),
        settings={
            "thinking": {"reasoning": {"effort": "low", "summary": "auto"}},
            "count": _COUNTER,
        },
        forms={
            "search": {"type": "web_search_preview"},
            "default_method": "json_schema",
            "options": {"seed": None},
        },
        without={
            "tool extras": "the Responses API knows no extras of tools",
            "audio out": NO_AUDIO,
        },
    ),
    Integration(
        "ChatMistralAI",
        "langchain",
        "langchain-mistralai",
        openai_chat,
        model_of(
            "langchain_mistralai",
            "ChatMistralAI",
            lambda url: {"base_url": f"{url}/v1"},
            model="mistral-small-latest",
            api_key="sk-member",
            max_retries=0,
        ),
        settings={"count": _COUNTER},
        forms={"default_method": "function_calling", "options": {"seed": {"random_seed": 7}}},
        without={
            "reasoning": "the class passes over reasoning",
            "reasoning with tools": "the class passes over reasoning",
            "refusal": NO_REFUSAL,
            "provider tools": "the API of completions has none",
            "tool extras": "Mistral knows no extras of tools",
            "images out": NO_IMAGES_OUT,
            "audio out": NO_AUDIO,
        },
    ),
    Integration(
        "ChatDeepSeek",
        "langchain",
        "langchain-deepseek",
        openai_chat,
        model_of(
            "langchain_deepseek",
            "ChatDeepSeek",
            lambda url: {"api_base": f"{url}/v1"},
            model="deepseek-chat",
            api_key="sk-member",
            max_retries=0,
        ),
        settings={"count": _COUNTER},
        forms={"default_method": "function_calling"},
        without={
            "provider tools": "DeepSeek has no tools of its own",
            "tool extras": "DeepSeek knows no extras of tools",
            "images out": NO_IMAGES_OUT,
            "audio out": NO_AUDIO,
        },
    ),
    Integration(
        "ChatLiteLLM",
        "langchain",
        "langchain-litellm",
        openai_chat,
        model_of(
            "langchain_litellm",
            "ChatLiteLLM",
            lambda url: {"api_base": f"{url}/v1"},
            model="openai/gpt-4.1-mini",
            api_key="sk-member",
            max_retries=0,
        ),
        forms={"default_method": "function_calling"},
        without={
            "provider tools": "chat completions have none: they are the Responses API's",
            "tool extras": "chat completions know no extras of tools",
            "images out": NO_IMAGES_OUT,
            "audio out": NO_AUDIO,
        },
    ),
)
