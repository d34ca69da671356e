"""`slmmux models` and `slmmux models pull`: list the small models that run on this machine, and download them."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from slmmux._display.terminal import text_line
from slmmux._errors import ConfigError
from slmmux.cli._console import Command, Group, OptionError, completing, print_json, refusing
from slmmux.cli._offline import Json

__all__ = ["fetch_weights", "models_app"]

models_app: typer.Typer = typer.Typer(cls=Group, invoke_without_command=True)


_stderr = Console(stderr=True)


def fetch_weights(spec: str) -> None:
    """Download a model's weights with a progress bar, unless they are in the cache folder."""
    from slmmux.local import bar, fetch  # noqa: PLC0415

    try:
        with bar(_stderr) as progress:
            fetch(spec, progress=progress, notice=lambda text: _stderr.print(text_line(text, "dim"), soft_wrap=True))
    except ImportError as error:
        raise ConfigError(f'local models need an extra: pip install "slmmux[local]" ({error})') from error


@models_app.callback()
@refusing
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the small models that run on this machine, or download one.

    The list has each model's name, size, licence and source, and whether it is downloaded.

    Example: slmmux models
    """
    if context.invoked_subcommand is not None:
        return
    from slmmux.local import HUB_MODELS, listing  # noqa: PLC0415

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
    table.add_column("name", no_wrap=True)  # People copy names, so they are never wrapped.
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("downloaded")
    table.add_column("licence", overflow="fold")
    for entry in entries:
        downloaded = "yes" if entry.path else "no"
        table.add_row(entry.name, f"{entry.size / 1e6:,.0f} MB", downloaded, entry.licence)
    console.print(table)
    console.print()
    for entry in entries:
        console.print(text_line(f"{entry.name}: from {entry.source}", "dim"), soft_wrap=True)
    console.print()
    more = Table(box=None, pad_edge=False, title="on the hub; hashes are not pinned here", title_justify="left")
    more.add_column("name", no_wrap=True)
    more.add_column("about", justify="right", no_wrap=True)
    more.add_column("licence", overflow="fold")
    for model in HUB_MODELS.values():
        more.add_row(model.name, f"{model.megabytes:,} MB", model.licence)
    console.print(more)


def _model_names() -> list[str]:
    from slmmux.local import CATALOGUE, HUB_MODELS  # noqa: PLC0415

    return [*CATALOGUE, *HUB_MODELS]


@models_app.command(cls=Command)
@refusing
def pull(
    name: Annotated[
        str,
        typer.Argument(
            help="A name from the list, or hf:owner/repo/file.gguf.", autocompletion=completing(_model_names)
        ),
    ],
) -> None:
    """Download a model's weights into the cache folder and check them.

    Example: slmmux models pull smollm2-135m-instruct
    """
    fetch_weights(name)


@models_app.command(cls=Command)
@refusing
def trio(
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The configuration to write; an existing file is not replaced.")
    ] = Path("mux.toml"),
    names: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME,...", help="Other models than the three, from the list or by hf: address."),
    ] = None,
) -> None:
    """Download three small models of different makers from the hub, and write a mux.toml of them.

    Whether they complement each other on your questions, slmmux profile and slmmux select say afterwards.

    Example: slmmux models trio --out mux.toml
    """
    from slmmux.config import FEW_WORDS  # noqa: PLC0415
    from slmmux.local import TRIO  # noqa: PLC0415

    chosen = list(TRIO) if names is None else [name.strip() for name in names.split(",") if name.strip()]
    if not chosen:
        raise OptionError("--names has no name; write names from `slmmux models`, with commas between them")
    if out.exists():
        raise OptionError(f"--out: {out} exists already; name another file, or remove it")
    for name in chosen:
        fetch_weights(name)
    tables = "".join(
        f"\n[models.{json.dumps(_label(name))}]\nlocal = {json.dumps(name)}\nconcurrency = 1\n" for name in chosen
    )
    text = f"samples = 5\ntemperature = 0.7\nmax_tokens = 64\nsystem_prompt = {json.dumps(FEW_WORDS)}\n{tables}"
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"--out: {out} cannot be written: {error}; name another file") from error
    Console().print(text_line(f"written: {out}; ask with: slmmux ask QUESTION --config {out}"), soft_wrap=True)


def _label(name: str) -> str:
    """Return a member's label: the model's name, or that of its file."""
    return name.rpartition("/")[2].removesuffix(".gguf")
