"""`slmmux models` and `slmmux models pull`: the small models that run here, listed and fetched."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from slmmux._display.terminal import shown
from slmmux._errors import ConfigError
from slmmux.cli._console import Command, Group, completing, print_json, refusing
from slmmux.cli._offline import Json

if TYPE_CHECKING:
    pass

__all__ = ["fetch_weights", "models_app"]

models_app: typer.Typer = typer.Typer(cls=Group, invoke_without_command=True)


_stderr = Console(stderr=True)


def fetch_weights(spec: str) -> None:
    from slmmux.local import bar, fetch  # noqa: PLC0415

    try:
        with bar(_stderr) as progress:
            fetch(spec, progress=progress, notice=lambda text: _stderr.print(shown(text, "dim"), soft_wrap=True))
    except ImportError as error:
        raise ConfigError(f'local models need an extra: pip install "slmmux[local]" ({error})') from error


@models_app.callback()
@refusing
def models(context: typer.Context, as_json: Json = False) -> None:
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
    fetch_weights(name)
