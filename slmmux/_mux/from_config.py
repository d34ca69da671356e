"""The arguments of a mux that a configuration describes; an adapter makes the members out of where they run."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from slmmux.config import Config, load_config

__all__ = ["Endpoint", "arguments", "http_clients"]


@dataclass(frozen=True)
class Endpoint:
    """One member's OpenAI-compatible address, and the settings of its requests.

    Attributes:
        url: The base address, ".../v1".
        model: The name the server knows.
        api_key: Its key; "none" where it wants none, since the clients insist on one.
        temperature: None leaves the server's own.
        max_tokens: The longest reply; None leaves the server's own.
        stop: Stop sequences that belong to the model's template.
        timeout: Seconds a call.
        concurrency: Calls at once.
        requests_per_minute: Its rate limit.
        context: The longest prompt and reply together, in tokens; None where it is not known.
        local: Whether we started the server: then it is llama.cpp.
    """

    url: str
    model: str
    api_key: str
    temperature: float | None
    max_tokens: int | None
    stop: tuple[str, ...]
    timeout: float | None
    concurrency: int | None
    requests_per_minute: float | None
    context: int | None
    local: bool

    def __repr__(self) -> str:
        return f"Endpoint({self.model!r} at {self.url!r})"  # without the key


def arguments(source: str | Path | Config, member: Callable[[Endpoint], Any]) -> dict[str, Any]:
    """Return the arguments of a mux class; local servers are started together.

    Args:
        source: A `mux.toml`, or what was read of one.
        member: Makes a framework's model of an endpoint.

    Raises:
        ConfigError: The file cannot be read, a key's variable is not set, or the extra is missing.
    """
    config = source if isinstance(source, Config) else load_config(source)
    local = {label: m for label, m in config.models.items() if m.local is not None}
    servers: dict[str, Any] = {}
    if local:
        from slmmux.local import serve  # noqa: PLC0415 - members by address need no llama.cpp

        with ThreadPoolExecutor(len(local)) as pool:
            starting = pool.map(lambda label: serve(str(local[label].local), parallel=config.samples_of(label)), local)
            servers = dict(zip(local, starting, strict=True))
    return {
        "models": {label: member(_endpoint(config, label, servers.get(label))) for label in config.models},
        "samples": {label: config.samples_of(label) for label in config.models},
        "accuracies": config.accuracies(),
        "extract": config.extract,
        "agreement": config.agreement,
        "plan": config.plan,
        "wait": config.wait,
        "rule": config.rule,
        "max_concurrency": config.max_concurrency,
        "timeout": config.timeout,
        "deadline": config.deadline,
        "budget": config.budget,
        "prices": config.prices(),
        "no_answer": list(config.no_answer),
        "system_prompt": config.system_prompt,
    }


def _endpoint(config: Config, label: str, server: Any | None) -> Endpoint:
    member = config.models[label]
    return Endpoint(
        url=server.base_url if server else str(member.url),
        model=server.model if server else str(member.model),
        api_key=server.api_key if server else member.api_key() or "none",
        temperature=config.temperature_of(label),
        max_tokens=member.max_tokens or config.max_tokens,
        stop=tuple(server.stop) if server else (),
        timeout=member.timeout,
        concurrency=member.concurrency,
        requests_per_minute=member.requests_per_minute,
        context=server.context if server else None,
        local=server is not None,
    )


def http_clients(sdk: Any, concurrency: int) -> tuple[Any, Any]:
    """Return a client and an async client with `concurrency` connections.

    The client is what a member's calls share; waiting for a connection is not the call's own time.

    Args:
        sdk: The module `openai`.
        concurrency: Calls at once.
    """
    # httpx or its successor, whichever the SDK was built on: the two do not take each other's types
    library = next(c.__module__ for c in sdk.DefaultHttpxClient.__mro__ if c.__module__.startswith("httpx"))
    limits = import_module(library.partition(".")[0]).Limits(max_connections=concurrency)
    return sdk.DefaultHttpxClient(limits=limits), sdk.DefaultAsyncHttpxClient(limits=limits)
