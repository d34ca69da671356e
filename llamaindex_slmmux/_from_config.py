"""A member of a `mux.toml` as a LlamaIndex LLM: every one speaks the OpenAI protocol."""

from typing import Any

from llama_index.core.llms import LLM
from llama_index.core.rate_limiter import TokenBucketRateLimiter

from slmmux import ConfigError
from slmmux._mux.from_config import Endpoint, http_clients

__all__ = ["member"]

_PATIENCE_S = 600.0  # the SDK's own default; LlamaIndex's minute is short for a small machine that answers k at once


def member(endpoint: Endpoint) -> LLM:
    """Return the LLM that asks an endpoint.

    Raises:
        ConfigError: The extra is missing.
    """
    try:
        import openai  # noqa: PLC0415

        from llamaindex_slmmux._served import Served  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f'members by address need llama-index-llms-openai-like; pip install "slmmux[llamaindex]" ({error})'
        ) from error

    more: dict[str, Any] = {}
    # Waiting for one of the member's connections is not the call's own time.
    timeout = openai.Timeout(endpoint.timeout or _PATIENCE_S, pool=None)
    client: dict[str, Any] = {"base_url": endpoint.url, "api_key": endpoint.api_key, "timeout": timeout}
    aclient = dict(client)
    if endpoint.concurrency is not None:
        client["http_client"], aclient["http_client"] = http_clients(openai, endpoint.concurrency)
    more["openai_client"] = openai.OpenAI(**client, max_retries=2)
    more["async_openai_client"] = openai.AsyncOpenAI(**aclient, max_retries=2)
    if endpoint.requests_per_minute is not None:
        more["rate_limiter"] = TokenBucketRateLimiter(requests_per_minute=endpoint.requests_per_minute)
    if endpoint.context is not None:
        more["context_window"] = endpoint.context
    return Served(
        model=endpoint.model,
        api_base=endpoint.url,
        api_key=endpoint.api_key,
        temperature=endpoint.temperature,
        max_tokens=endpoint.max_tokens,
        stop=list(endpoint.stop),
        stop_in_lines=list(endpoint.stop_in_lines),
        counts_first_only=endpoint.local,
        timeout=endpoint.timeout or _PATIENCE_S,
        max_retries=0,  # the SDK's clients retry; LlamaIndex would repeat each of their tries
        is_chat_model=True,
        is_function_calling_model=True,
        should_use_structured_outputs=True,
        **more,
    )
