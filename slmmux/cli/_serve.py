"""`slmmux serve`: muxes behind an address that speaks OpenAI's protocol."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from slmmux._display.terminal import text_line
from slmmux._errors import ConfigError
from slmmux.cli._console import OptionError, notices
from slmmux.cli._frameworks import SERVED, installed, make_with
from slmmux.cli._settings import settings_of

if TYPE_CHECKING:
    from slmmux.config import Config

__all__ = ["serve"]

_DEFAULT_NAME = "slmmux"
_REPLY = 256  # tokens: who asks a server wants more than the few words of a first try

_KEEP_S = 75  # longer than balancers and clients keep an idle connection, which else breaks as they reuse it

_stderr = Console(stderr=True)


def serve(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]FILE",
            help="A mux.toml or a saved selection for each model name; by default two small local models answer.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="The port; 0 takes a free one.")] = 8000,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The environment variable with the key that clients must send.")
    ] = None,
    anyone_may_ask: Annotated[
        bool, typer.Option("--anyone-may-ask", help="Listen on other hosts than loopback without a key.")
    ] = False,
    cors: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help="An origin whose web pages may ask; repeatable.")
    ] = None,
    max_questions: Annotated[int, typer.Option(min=1, metavar="N", help="Questions at once.")] = 64,
    max_waiting: Annotated[int, typer.Option(min=0, metavar="N", help="Questions that may wait; then 429.")] = 256,
    max_body: Annotated[int, typer.Option(min=1, metavar="BYTES", help="The largest body of a request.")] = 16_000_000,
    log_questions: Annotated[bool, typer.Option("--log-questions", help="Log the texts of requests.")] = False,
) -> None:
    """Answer at an OpenAI-compatible address, and on a page for people.

    Each file is a model name. Point a program at it: base URL http://127.0.0.1:8000/v1, and as the model the file's
    name without its ending, or "slmmux" if there is no file.

    Example: slmmux serve

    Example: slmmux serve mux.toml fast=small.toml --port 8080
    """
    if absent := [name for name in ("starlette", "uvicorn", "openai", "prometheus_client") if not installed(name)]:
        raise ConfigError(f'a package is not installed: pip install "slmmux[serve]" ({", ".join(absent)})')
    from slmmux.serve._guard import is_loopback  # noqa: PLC0415 - it needs the extra

    is_local = is_loopback(host)
    key = _key(host, api_key_env, needs_none=is_local or anyone_may_ask)
    settings = _settings(files or [])
    with notices():
        models = {name: make_with(SERVED, "langchain", each) for name, each in settings.items()}
    from slmmux.serve import create_app  # noqa: PLC0415

    app = create_app(
        models,
        api_key=key,
        local_only=is_local and key is None,
        max_questions=max_questions,
        max_waiting=max_waiting,
        max_body=max_body,
        cors=cors or (),
        log_questions=log_questions,
    )
    _run(app, host, port, list(models), log_questions=log_questions)


def _key(host: str, api_key_env: str | None, *, needs_none: bool) -> str | None:
    """Return the key; a host that others reach needs one, or the words that say otherwise."""
    if api_key_env is not None:
        if key := os.environ.get(api_key_env, "").strip():
            return key
        raise OptionError(f"--api-key-env: the environment variable {api_key_env} is not set; set it to the key")
    if needs_none:
        return None
    raise OptionError(
        f"--host {host} can be reached from other machines; pass --api-key-env NAME with a key for clients, or "
        "--anyone-may-ask"
    )


def _settings(files: list[str]) -> "dict[str, Config]":
    """Return the settings of each model name."""
    if not files:
        return {_DEFAULT_NAME: settings_of(None, samples=None, max_tokens=_REPLY)}
    settings: dict[str, Any] = {}
    for text in files:
        name, sign, path = text.partition("=")
        file = Path(path if sign else text)
        name = name if sign else file.stem
        if name in settings:
            raise OptionError(f"two files are both named {name!r}; name them yourself: NAME=FILE")
        is_selection = file.suffix == ".json"
        settings[name] = settings_of(
            None if is_selection else file, samples=None, selection=file if is_selection else None
        )
    return settings


def _run(app: Any, host: str, port: int, names: list[str], *, log_questions: bool) -> None:
    """Listen until the process is interrupted."""
    import logging  # noqa: PLC0415
    import socket  # noqa: PLC0415

    import uvicorn  # noqa: PLC0415

    if log_questions:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("slmmux.serve").setLevel(logging.INFO)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # before the line below: whoever reads it may connect at once, and waits for the server
    except OSError as error:
        listener.close()
        raise OptionError(f"--host {host} --port {port} cannot be used: {error.strerror}; choose another") from error
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    line = f"{', '.join(names)} at {address}/v1; a page for people at {address}/"
    _stderr.print(text_line(line), soft_wrap=True)
    # No log of requests: it would hold clients' addresses. Headers tell nothing of the server's version.
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_keep_alive=_KEEP_S)
    with listener:
        uvicorn.Server(config).run(sockets=[listener])
