"""The arguments of a mux that a configuration describes; an adapter makes the members out of where they run."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from slmmux._mux.from_selection import load_selection, selected_arguments, with_selected_members
from slmmux.config import Config, MemberConfig, load_config

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
        stop_in_lines: The template's stop sequences for a reply of several lines.
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
    stop_in_lines: tuple[str, ...] = ()

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
    config = with_selected_members(source if isinstance(source, Config) else load_config(source))
    local = {label: m for label, m in config.models.items() if m.local is not None}
    servers: dict[str, Any] = {}
    if local:
        with ThreadPoolExecutor(len(local)) as pool:
            starting = pool.map(lambda label: _started(local[label], config.samples_of(label)), local)
            servers = dict(zip(local, starting, strict=True))
    models = {label: member(_endpoint(config, m, servers.get(label))) for label, m in config.models.items()}
    own: dict[str, Any] = {
        "models": models,
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
        "tau": config.tau,
        "abstain_below": config.abstain_below,
        "abstain_with": config.abstain_with,
        "escalate_below": config.escalate_below,
    }
    if config.escalate_to is not None:
        own["escalate_to"] = member(_endpoint(config, config.escalate_to, _started(config.escalate_to, 1)))
    if config.confidence != "consistency":
        own["confidence"] = config.confidence
    if isinstance(config.judge, MemberConfig):
        own["judge"] = member(_endpoint(config, config.judge, _started(config.judge, 1)))
    elif config.judge is not None:
        own["judge"] = config.judge
    if config.embedding is not None:
        server = _started(config.embedding, 1, embeddings=True)
        own["embedding"] = _embedding(_endpoint(config, config.embedding, server))
    if config.selection is None:
        return own
    # What the file leaves at its default is the selection's; k and rank are the members' own by now.
    taken = {name: value for name, value in own.items() if name in {*config.model_fields_set, "samples", "accuracies"}}
    return selected_arguments(load_selection(config.selection), models, None, {**taken, "models": models})


def _started(member: MemberConfig, parallel: int, *, embeddings: bool = False) -> Any:
    """Return the server of a model on this machine, started if it is not running; `None` for one by address."""
    if member.local is None:
        return None
    from slmmux.local import serve  # noqa: PLC0415 - members by address need no llama.cpp

    return serve(member.local, parallel=parallel, embeddings=embeddings)


def _embedding(endpoint: Endpoint) -> Callable[[str], list[float]]:
    """Return a function that asks an endpoint for a text's vector."""
    # Both adapters' extras bring the SDK; this package imports no framework's.
    client = import_module("openai").OpenAI(base_url=endpoint.url, api_key=endpoint.api_key, timeout=endpoint.timeout)

    def embed(text: str) -> list[float]:
        vector: list[float] = (
            client.embeddings.create(model=endpoint.model, input=text, encoding_format="float").data[0].embedding
        )
        return vector

    return embed


def _endpoint(config: Config, member: MemberConfig, server: Any | None) -> Endpoint:
    return Endpoint(
        url=server.base_url if server else str(member.url),
        model=server.model if server else str(member.model),
        api_key=server.api_key if server else member.api_key() or "none",
        temperature=config.temperature if member.temperature is None else member.temperature,
        max_tokens=member.max_tokens or config.max_tokens,
        stop=tuple(server.stop) if server else (),
        stop_in_lines=tuple(server.stop_in_lines) if server else (),
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
