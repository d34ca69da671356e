"""A member of a `mux.toml` as a LangChain chat model: every one speaks the OpenAI protocol."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.rate_limiters import InMemoryRateLimiter

from slmmux import ConfigError
from slmmux._mux.from_config import Endpoint, http_clients

__all__ = ["member"]


def member(endpoint: Endpoint) -> BaseChatModel:
    """Return the chat model that asks an endpoint.

    Raises:
        ConfigError: The extra is missing.
    """
    try:
        import openai  # noqa: PLC0415
        from langchain_openai import ChatOpenAI  # noqa: PLC0415

        from langchain_slmmux._llama import ChatLlama  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f'members by address need langchain-openai; pip install "slmmux[langchain]" ({error})'
        ) from error

    more: dict[str, Any] = {}
    if endpoint.concurrency is not None:
        more["http_client"], more["http_async_client"] = http_clients(openai, endpoint.concurrency)
    if endpoint.requests_per_minute is not None:
        a_second = endpoint.requests_per_minute / 60
        more["rate_limiter"] = InMemoryRateLimiter(requests_per_second=a_second, max_bucket_size=max(1.0, a_second))
    if endpoint.stop:
        more["stop_sequences"] = list(endpoint.stop)
    if endpoint.local and endpoint.stop_in_lines:
        more["stop_in_lines"] = list(endpoint.stop_in_lines)
    if endpoint.temperature is not None:
        more["temperature"] = endpoint.temperature
    if endpoint.max_tokens is not None:
        more["max_tokens"] = endpoint.max_tokens
    if endpoint.timeout is not None:
        more["timeout"] = openai.Timeout(endpoint.timeout, pool=None)
    if endpoint.context is not None:  # what shortens histories by a share of the window looks here
        more["profile"] = {"max_input_tokens": endpoint.context}
    chat = ChatLlama if endpoint.local else ChatOpenAI
    return chat(
        base_url=endpoint.url,
        api_key=endpoint.api_key,  # type: ignore[arg-type]
        model=endpoint.model,
        use_responses_api=False,
        **more,
    )
