"""`slmmux models` and `slmmux models pull`: list the small models that run on this machine, and download them."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from slmmux._display.terminal import text_line
from slmmux._errors import ConfigError
from slmmux.cli._console import Command, Group, completing, print_json, refusing
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


def _model_names() -> list[str]:
    from slmmux.local import CATALOGUE  # noqa: PLC0415

    return list(CATALOGUE)


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
