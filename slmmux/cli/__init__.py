"""The commands, which combine the core, the adapters and the local models.

Heavy parts are imported where they are used, so that `slmmux models` does not wait for a framework.
"""

from typing import Annotated

import typer

from slmmux.cli._ask import ask
from slmmux.cli._compare import compare
from slmmux.cli._console import STATUS, Command, Group, refusing
from slmmux.cli._models import models_app
from slmmux.cli._offline import convert, repair, report, reread, scale, select
from slmmux.cli._profile import profile
from slmmux.cli._serve import serve
from slmmux.cli._store import pull, status, work

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    cls=Group, epilog=STATUS, no_args_is_help=True, pretty_exceptions_show_locals=False, rich_markup_mode="rich"
)
app.add_typer(models_app, name="models", rich_help_panel="Ask")


def _version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(version("slmmux"))
        raise typer.Exit


@app.callback()
def _main(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """A chat model made of several small ones: the one that agrees most with itself answers.

    Example: slmmux ask "What is the capital of Norway?"
    """


for _command, _panel in (
    (ask, "Ask"),
    (serve, "Ask"),
    (profile, "Choose your models"),
    (work, "Choose your models"),
    (status, "Choose your models"),
    (pull, "Choose your models"),
    (select, "Choose your models"),
    (scale, "Choose your models"),
    (compare, "Choose your models"),
    (report, "Choose your models"),
    (reread, "Recordings"),
    (convert, "Recordings"),
    (repair, "Recordings"),
):
    app.command(cls=Command, rich_help_panel=_panel)(refusing(_command))
