"""The commands: the one place that puts core, adapters and local models together.

Heavy parts are imported where they are used: `slmmux models` does not wait for a framework.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args

import typer
from rich.console import Console
from rich.table import Table

from slmmux import _commands
from slmmux._command_line import STATUS, Command, Group, OptionError, completing, one_of, print_json, refusing
from slmmux._errors import ArgumentError, ConfigError, SLMMuxError
from slmmux._race import Plan
from slmmux._terminal import shown, whole

if TYPE_CHECKING:
    from slmmux.config import Config
    from slmmux.recording import Recording

__all__ = ["app"]

# Puts a question, and reports the samples to (read, answered, failed) as they arrive: the text and the record.
Put: TypeAlias = Callable[[str, tuple[Any, ...] | None], tuple[str, dict[str, Any]]]

app: typer.Typer = typer.Typer(
    cls=Group, epilog=STATUS, no_args_is_help=True, pretty_exceptions_show_locals=False, rich_markup_mode="rich"
)
models_app: typer.Typer = typer.Typer(cls=Group, invoke_without_command=True)
app.add_typer(models_app, name="models", rich_help_panel="Ask")

_stderr = Console(stderr=True)

_FRAMEWORK_NAMES = ("langchain", "llamaindex")
Question = Annotated[str, typer.Argument(help="What to ask.")]
ConfigFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A mux.toml; without it two small local models answer.")
]
Samples = Annotated[int | None, typer.Option(min=1, metavar="K", help="Samples of each member.")]
PlanName = Annotated[
    str | None,
    typer.Option(
        metavar="PLAN",
        help=f"{', '.join(get_args(Plan))}: which samples are asked for, and when it ends.",
        autocompletion=completing(lambda: get_args(Plan)),
    ),
]
_UNFITTED = ("self-consistency", "pooled")
RuleServed = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"What decides: {' or '.join(_UNFITTED)}.",
        autocompletion=completing(lambda: _UNFITTED),
    ),
]
System = Annotated[str | None, typer.Option(metavar="TEXT", help='The instruction put in front; "" for none.')]
Framework = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="langchain or llamaindex: who asks.", autocompletion=completing(lambda: _FRAMEWORK_NAMES)
    ),
]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(version("slmmux"))
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """A chat model that is really several small ones: the one that agrees most with itself answers.

    Example: slmmux ask "What is the capital of Norway?"
    """


@app.command(cls=Command, rich_help_panel="Ask")
@refusing
def ask(
    question: Question,
    config: ConfigFile = None,
    samples: Samples = None,
    plan: PlanName = None,
    rule: RuleServed = None,
    system: System = None,
    framework: Framework = "langchain",
    as_json: Annotated[bool, typer.Option("--json", help="Print the record, as JSON, and nothing else.")] = False,
) -> None:
    """Ask a question: the member that agrees most with itself answers.

    Every member is sampled K times. Its confidence is the share of the K that gave its most frequent answer.

    Example: slmmux ask "What is the capital of Norway?"

    Example: slmmux ask "2 + 2?" --config mux.toml --plan cascade --json
    """
    settings = _settings(config, samples=samples, system=system, plan=plan, rule=rule)
    samples_of, put = _made(_FRAMEWORKS, framework, settings)
    if as_json:
        _, record = put(question, None)
        print_json(record)
    else:
        _watched(question, settings, samples_of, put)


@app.command(cls=Command, rich_help_panel="Choose your models")
@refusing
def profile(
    questions: Annotated[Path, typer.Argument(help='A .jsonl: {"question_id", "question", "gold"} a line.')],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The recording, a .jsonl; what it holds is not asked again.")
    ],
    config: ConfigFile = None,
    samples: Samples = None,
    system: System = None,
    framework: Framework = "langchain",
    concurrency: Annotated[int | None, typer.Option(min=1, metavar="N", help="Requests at once a member.")] = None,
    retries: Annotated[int, typer.Option(min=0, metavar="N", help="How often a request is made again.")] = 5,
    trial: Annotated[bool, typer.Option("--trial", help="Make the first few requests and stop.")] = False,
    as_json: _commands.Json = False,
) -> None:
    """Put questions to every member, and keep every sample in a file.

    Killed or interrupted, it goes on where it was when it is run again.

    Example: slmmux profile questions.jsonl --config mux.toml --out samples.jsonl
    """
    try:
        settings = _settings(config, samples=samples, system=system)
        mux, put_to = _made(_PROFILES, framework, settings)
        recording = put_to(
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
    except OSError as error:
        raise ArgumentError(str(error)) from error
    if as_json:
        print_json({"recording": str(out), "models": _recorded(recording, list(settings.models))})


def _recorded(recording: "Recording", labels: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = {}
    for label in labels:
        rows = [row for row in recording.rows if row.model == label]
        counts[label] = {
            "questions": len({row.question_id for row in rows}),
            "samples": len(rows),
            "no_answer": sum(row.error is None and row.answer is None for row in rows),
            "failed": sum(row.error is not None for row in rows),
            "input_tokens": sum(row.input_tokens or 0 for row in rows),
            "output_tokens": sum(row.output_tokens or 0 for row in rows),
        }
    return counts


for _command, _panel in (
    (_commands.select, "Choose your models"),
    (_commands.scale, "Choose your models"),
    (_commands.report, "Choose your models"),
    (_commands.reread, "Recordings"),
    (_commands.convert, "Recordings"),
):
    app.command(cls=Command, rich_help_panel=_panel)(refusing(_command))


def _settings(path: Path | None, *, samples: int | None, **given: Any) -> "Config":
    """Return the settings of a file, or of the default pair, with what the command line gives in their place.

    Args:
        path: The file.
        samples: k of every member.
        given: Other settings, by their names in the file; `None`: not given.
    """
    from pydantic import ValidationError  # noqa: PLC0415

    from slmmux.config import Config, default_config, load_config  # noqa: PLC0415

    settings = default_config() if path is None else load_config(path)
    changed: dict[str, Any] = settings.model_dump()
    if samples is not None:
        changed["samples"] = samples
        for member in changed["models"].values():
            member["samples"] = None
    if (system := given.pop("system", None)) is not None:
        changed["system_prompt"] = system or None
    if (plan := given.get("plan")) is not None:
        one_of("plan", plan, get_args(Plan))
    if (rule := given.get("rule")) is not None:
        one_of("rule", rule, _UNFITTED)
    changed |= {name: value for name, value in given.items() if value is not None}
    try:
        return Config.model_validate(changed)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise OptionError("; ".join(faults)) from None


def _begin(settings: "Config") -> None:
    """Fetch the local models, and let their servers load while the framework is imported.

    Together they are most of the time to a first answer.
    """
    local = {m.local: settings.samples_of(label) for label, m in settings.models.items() if m.local is not None}
    for spec in local:
        _fetch(spec)
    for spec, k in local.items():
        Thread(target=_warm, args=(spec, k), daemon=True).start()


def _made(makers: "Mapping[str, Callable[[Config], Any]]", framework: str, settings: "Config") -> Any:
    """Return what a framework makes of the settings; whatever is not installed is told before anything is fetched."""
    one_of("framework", framework, makers)
    needed = {framework: _NEEDED[framework]}
    if any(member.local is not None for member in settings.models.values()):
        needed["local"] = _NEEDED["local"]
    if missing := [extra for extra, modules in needed.items() if not all(map(_installed, modules))]:
        raise ConfigError(f'this needs what is not installed: pip install "slmmux[{",".join(missing)}]"')
    _begin(settings)
    try:
        return makers[framework](settings)
    except ImportError as error:
        raise ConfigError(f'this needs the extra: pip install "slmmux[{framework},local]" ({error})') from error


_NEEDED = {
    "langchain": ("langchain_core", "langchain_openai"),
    "llamaindex": ("llama_index.core", "llama_index.llms.openai_like"),
    "local": ("filelock", "xllamacpp"),
}


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is not there
        return False


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

    try:
        with bar(_stderr) as progress:
            fetch(spec, progress=progress, notice=lambda text: _stderr.print(shown(text, "dim"), soft_wrap=True))
    except ImportError as error:
        raise ConfigError(f'local models need an extra: pip install "slmmux[local]" ({error})') from error


@models_app.callback()
@refusing
def models(context: typer.Context, as_json: _commands.Json = False) -> None:
    """List the small models that run here, or fetch one.

    Of each: name, size, whether it is here, licence, and where it comes from.

    Example: slmmux models
    """
    if context.invoked_subcommand is not None:
        return
    from slmmux.local import listing  # noqa: PLC0415

    entries = listing()
    if as_json:
        paths = [None if entry.path is None else str(entry.path) for entry in entries]
        print_json(
            [
                {"name": entry.name, "size": entry.size, "licence": entry.licence, "path": path, "source": entry.source}
                for entry, path in zip(entries, paths, strict=True)
            ]
        )
        return
    console = Console()
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)  # to be copied
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("here")
    table.add_column("licence", overflow="fold")
    for entry in entries:
        here = "yes" if entry.path else "no"
        table.add_row(entry.name, f"{entry.size / 1e6:,.0f} MB", here, entry.licence)
    console.print(table)
    console.print()
    for entry in entries:
        console.print(shown(f"{entry.name}: from {entry.source}", "dim"), soft_wrap=True)


def _model_names() -> list[str]:
    from slmmux.local import CATALOGUE  # noqa: PLC0415

    return list(CATALOGUE)


@models_app.command(cls=Command)
@refusing
def pull(
    name: Annotated[
        str,
        typer.Argument(help="A name of the list, or hf:owner/repo/file.gguf.", autocompletion=completing(_model_names)),
    ],
) -> None:
    """Fetch a model's weights into the cache folder, checked.

    Example: slmmux models pull smollm2-135m-instruct
    """
    _fetch(name)


if __name__ == "__main__":
    app()
