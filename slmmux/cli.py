"""The commands: the one place that puts core, adapters and local models together.

Heavy parts are imported where they are used: `slmmux models` does not wait for a framework.
"""

import contextlib
import functools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias, get_args

import typer
from rich.console import Console
from rich.table import Table

from slmmux import _commands
from slmmux._errors import ArgumentError, ConfigError, SLMMuxError
from slmmux._race import Plan
from slmmux._terminal import shown, whole

if TYPE_CHECKING:
    from slmmux.config import Config

__all__ = ["app"]

# Puts a question, and reports the samples to (read, answered, failed) as they arrive: the text and the record.
Put: TypeAlias = Callable[[str, tuple[Any, ...] | None], tuple[str, dict[str, Any]]]

app = typer.Typer(
    help="A chat model that is really several small ones.", no_args_is_help=True, pretty_exceptions_show_locals=False
)
models_app = typer.Typer(help="List the small models, or fetch one.", invoke_without_command=True)
app.add_typer(models_app, name="models")

_stderr = Console(stderr=True)


def _refuse(error: SLMMuxError) -> NoReturn:
    _stderr.print("error:", style="bold red", end=" ")
    for line in str(error).splitlines():
        _stderr.print(shown(line), soft_wrap=True)
    raise typer.Exit(1)


def _refusing(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose errors of ours are a sentence and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except SLMMuxError as error:
            _refuse(error)

    return run


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(version("slmmux"))
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """A chat model that is really several small ones."""


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    config: Annotated[Path | None, typer.Option(help="A mux.toml; without it two small local models answer.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="k, the samples of each member.")] = None,
    plan: Annotated[str | None, typer.Option(help='"parallel", "cascade", "adaptive" or "first_round".')] = None,
    system: Annotated[str | None, typer.Option(help='The instruction put in front; "" for none.')] = None,
    framework: Annotated[str, typer.Option(help='"langchain" or "llamaindex".')] = "langchain",
    as_json: Annotated[bool, typer.Option("--json", help="Print the record and nothing else.")] = False,
) -> None:
    """Ask every member k times; the one that agrees most with itself answers."""
    try:
        settings = _settings(config, samples, plan, system)
        _known_framework(framework)
        _ask(question, settings, framework, as_json=as_json)
    except SLMMuxError as error:
        _refuse(error)


@app.command()
def profile(
    questions: Annotated[Path, typer.Argument(help='A .jsonl: {"question_id", "question", "gold"} a line.')],
    out: Annotated[Path, typer.Option(help="The recording, a .jsonl; what it holds is not asked again.")],
    config: Annotated[Path | None, typer.Option(help="A mux.toml; without it two small local models.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="k, the samples of each member.")] = None,
    system: Annotated[str | None, typer.Option(help='The instruction put in front; "" for none.')] = None,
    framework: Annotated[str, typer.Option(help='"langchain" or "llamaindex".')] = "langchain",
    concurrency: Annotated[int | None, typer.Option(min=1, help="Requests at once a member.")] = None,
    retries: Annotated[int, typer.Option(min=0, help="How often a request is made again.")] = 5,
    trial: Annotated[bool, typer.Option("--trial", help="Make the first few requests and stop.")] = False,
) -> None:
    """Sample every member k times on every question, and keep every sample in a file.

    Killed or interrupted, it goes on where it was when it is run again.

    Example: slmmux profile questions.jsonl --config mux.toml --samples 5 --out samples.jsonl
    """
    try:
        settings = _settings(config, samples, None, system)
        _known_framework(framework)
        _begin(settings)
        try:
            mux, put_to = _PROFILES[framework](settings)
        except ImportError as error:
            raise ConfigError(f'this needs the extra: pip install "slmmux[{framework},local]" ({error})') from error
        put_to(
            mux,
            questions,
            recording=out,
            concurrency=concurrency or {label: settings.concurrency_of(label) for label in settings.models},
            retries=retries,
            trial_only=trial,
        )
    except KeyboardInterrupt:
        _stderr.print(f"interrupted; what came is in {out}, run the same again to go on", style="dim")
        raise typer.Exit(130) from None
    except SLMMuxError as error:
        _refuse(error)
    except OSError as error:
        _refuse(ArgumentError(str(error)))


for _command in (_commands.select, _commands.scale, _commands.report, _commands.reread, _commands.convert):
    app.command()(_refusing(_command))


def _settings(path: Path | None, samples: int | None, plan: str | None, system: str | None) -> "Config":
    from slmmux.config import Config, default_config, load_config  # noqa: PLC0415

    settings = default_config() if path is None else load_config(path)
    changed: dict[str, Any] = settings.model_dump()
    if samples is not None:
        changed["samples"] = samples
        for member in changed["models"].values():
            member["samples"] = None
    if plan is not None:
        if plan not in get_args(Plan):
            raise ConfigError(f"plan {plan!r} does not exist; choose one of {', '.join(map(repr, get_args(Plan)))}")
        changed["plan"] = plan
    if system is not None:
        changed["system_prompt"] = system or None
    return Config.model_validate(changed)


def _known_framework(framework: str) -> None:
    if framework not in _FRAMEWORKS:
        known = ", ".join(map(repr, _FRAMEWORKS))
        raise ConfigError(f"framework {framework!r} does not exist; choose one of {known}")


def _begin(settings: "Config") -> None:
    """Fetch the local models, and let their servers load while the framework is imported.

    Together they are most of the time to a first answer.
    """
    local = {m.local: settings.samples_of(label) for label, m in settings.models.items() if m.local is not None}
    for spec in local:
        _fetch(spec)
    for spec, k in local.items():
        Thread(target=_warm, args=(spec, k), daemon=True).start()


def _ask(question: str, settings: "Config", framework: str, *, as_json: bool) -> None:
    _begin(settings)
    try:
        samples, put = _FRAMEWORKS[framework](settings)
    except ImportError as error:
        raise ConfigError(f'this needs the extra: pip install "slmmux[{framework},local]" ({error})') from error
    if as_json:
        _, record = put(question, None)
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    else:
        _watched(question, settings, samples, put)


def _langchain(settings: "Config") -> tuple[Mapping[str, int], Put]:
    from langchain_slmmux import SLMMuxChatModel  # noqa: PLC0415
    from langchain_slmmux._watch import Watch  # noqa: PLC0415

    mux = SLMMuxChatModel.from_config(settings)

    def put(question: str, watch: tuple[Any, ...] | None) -> tuple[str, dict[str, Any]]:
        message = mux.invoke(question, {"callbacks": [Watch(*watch)]} if watch else None)
        return str(message.text), message.response_metadata["slmmux"]

    return mux.k, put


def _llamaindex(settings: "Config") -> tuple[Mapping[str, int], Put]:
    from llamaindex_slmmux import SLMMuxLLM  # noqa: PLC0415
    from llamaindex_slmmux._watch import watching  # noqa: PLC0415

    mux = SLMMuxLLM.from_config(settings)

    def put(question: str, watch: tuple[Any, ...] | None) -> tuple[str, dict[str, Any]]:
        with watching(*watch) if watch else contextlib.nullcontext():
            response = mux.complete(question)
        assert isinstance(response.raw, dict)  # noqa: S101 - ours always is
        return response.text, response.raw["slmmux"]

    return mux.k, put


_FRAMEWORKS = {"langchain": _langchain, "llamaindex": _llamaindex}


def _langchain_profile(settings: "Config") -> tuple[Any, Callable[..., Any]]:
    import langchain_slmmux  # noqa: PLC0415

    return langchain_slmmux.SLMMuxChatModel.from_config(settings), langchain_slmmux.profile


def _llamaindex_profile(settings: "Config") -> tuple[Any, Callable[..., Any]]:
    import llamaindex_slmmux  # noqa: PLC0415

    return llamaindex_slmmux.SLMMuxLLM.from_config(settings), llamaindex_slmmux.profile


_PROFILES = {"langchain": _langchain_profile, "llamaindex": _llamaindex_profile}


def _watched(question: str, settings: "Config", samples: Mapping[str, int], put: Put) -> None:
    from asyncio import CancelledError  # noqa: PLC0415

    from rich.live import Live  # noqa: PLC0415

    from slmmux import answers  # noqa: PLC0415
    from slmmux._live import Board  # noqa: PLC0415

    console = Console()
    if settings.system_prompt:
        console.print("instruction:", shown(settings.system_prompt), style="dim")
    board = Board(samples)
    watch = (
        answers.reader(settings.extract),
        board.answered,
        lambda label, index, error: board.failed(label, index, unneeded=isinstance(error, CancelledError)),
    )
    with Live(board, console=console, refresh_per_second=8):
        text, record = put(question, watch)
        board.decided(record)
    console.print()
    console.print(whole(text, "bold"))


def _warm(spec: str, k: int) -> None:
    from slmmux.local import serve  # noqa: PLC0415

    with contextlib.suppress(SLMMuxError):  # asked for again, and told, where the member is made
        serve(spec, parallel=k)


def _fetch(spec: str) -> None:
    from slmmux.local import bar, fetch  # noqa: PLC0415

    with bar(_stderr) as progress:
        fetch(spec, progress=progress, notice=lambda text: _stderr.print(shown(text, "dim"), soft_wrap=True))


@models_app.callback()
def models(context: typer.Context) -> None:
    """List the small models: name, size, licence, and whether they are here."""
    if context.invoked_subcommand is not None:
        return
    from slmmux.local import listing  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for column in ("name", "size", "licence", "here", "source"):
        table.add_column(column, justify="right" if column == "size" else "left")
    for entry in listing():
        table.add_row(
            entry.name, f"{entry.size / 1e6:,.0f} MB", entry.licence, "yes" if entry.path else "no", entry.source
        )
    Console().print(table)


@models_app.command()
def pull(name: Annotated[str, typer.Argument(help="A name of the list, or hf:owner/repo/file.gguf.")]) -> None:
    """Fetch a model's weights into the cache folder, checked."""
    try:
        _fetch(name)
    except SLMMuxError as error:
        _refuse(error)


if __name__ == "__main__":
    app()
