"""The members a `mux.toml` names, as LangChain chat models: every one speaks the OpenAI protocol."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.rate_limiters import InMemoryRateLimiter

from slmmux import ConfigError
from slmmux.config import Config, MemberConfig, load_config

__all__ = ["arguments"]


def arguments(source: str | Path | Config) -> dict[str, Any]:
    """Return the arguments of SLMMuxChatModel that a configuration describes; local servers are started together.

    Raises:
        ConfigError: The file cannot be read, a key's variable is not set, or the extra is missing.
    """
    config = source if isinstance(source, Config) else load_config(source)
    local = {label: m for label, m in config.models.items() if m.local is not None}
    servers: dict[str, Any] = {}
    if local:
        from slmmux.local import serve  # noqa: PLC0415 - members by address need no llama.cpp

        with ThreadPoolExecutor(len(local)) as pool:
            started = pool.map(lambda label: serve(str(local[label].local), parallel=config.samples_of(label)), local)
            servers = dict(zip(local, started, strict=True))
    return {
        "models": {label: _member(config, label, m, servers.get(label)) for label, m in config.models.items()},
        "samples": {label: config.samples_of(label) for label in config.models},
        "accuracies": config.accuracies(),
        "extract": config.extract,
        "plan": config.plan,
        "wait": config.wait,
        "max_concurrency": config.max_concurrency,
        "timeout": config.timeout,
        "deadline": config.deadline,
        "system_prompt": config.system_prompt,
    }


def _member(config: Config, label: str, member: MemberConfig, server: Any | None) -> BaseChatModel:
    try:
        import openai  # noqa: PLC0415
        from langchain_openai import ChatOpenAI  # noqa: PLC0415

        from langchain_slmmux._llama import ChatLlama  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f'members by address need langchain-openai; pip install "slmmux[langchain]" ({error})'
        ) from error

    more: dict[str, Any] = {}
    if member.concurrency is not None:
        # The HTTP client is what a member's calls share; waiting for a connection is not the call's own time.
        limits = _http(openai).Limits(max_connections=member.concurrency)
        more["http_client"] = openai.DefaultHttpxClient(limits=limits)
        more["http_async_client"] = openai.DefaultAsyncHttpxClient(limits=limits)
    if member.requests_per_minute is not None:
        more["rate_limiter"] = InMemoryRateLimiter(
            requests_per_second=member.requests_per_minute / 60,
            max_bucket_size=max(1.0, member.requests_per_minute / 60),
        )
    if server is not None and server.stop:
        more["stop_sequences"] = list(server.stop)
    if (temperature := config.temperature_of(label)) is not None:
        more["temperature"] = temperature
    if (max_tokens := member.max_tokens or config.max_tokens) is not None:
        more["max_tokens"] = max_tokens
    if member.timeout is not None:
        more["timeout"] = openai.Timeout(member.timeout, pool=None)
    chat = ChatLlama if server else ChatOpenAI
    return chat(
        base_url=server.base_url if server else member.url,
        api_key=server.api_key if server else member.api_key() or "none",  # type: ignore[arg-type]
        model=server.model if server else str(member.model),
        use_responses_api=False,
        **more,
    )


def _http(sdk: Any) -> Any:
    """Return the HTTP library the SDK was built on, httpx or its successor: the two do not take each other's types."""
    library = next(c.__module__ for c in sdk.DefaultHttpxClient.__mro__ if c.__module__.startswith("httpx"))
    return import_module(library.partition(".")[0])
