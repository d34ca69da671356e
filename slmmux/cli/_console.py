"""How the commands speak: a sentence for whatever is wrong, a status that scripts can use, JSON where asked for.

It knows no command.
"""

import functools
import json
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from slmmux._display.terminal import shown
from slmmux._errors import ArgumentError, SLMMuxError

__all__ = ["STATUS", "Command", "Group", "OptionError", "completing", "one_of", "print_json", "refuse", "refusing"]

STATUS = (
    "Exit codes: 0 done; 1 it could not be done, for example because no model replied; 2 the command line is wrong; "
    "130 interrupted. What is wrong is one sentence on standard error. With --json, standard output is JSON and "
    "nothing else."
)
_FAILED, _MISUSED, _INTERRUPTED = 1, 2, 130


class OptionError(ArgumentError):
    """An option has a value that it does not take: the command line is wrong, whatever the files hold."""


class _Flags:
    """What a flag takes is nothing, and the help says nothing of it."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False):
                param.metavar = ""
        return params


class Command(_Flags, TyperCommand):
    """A command."""


class Group(_Flags, TyperGroup):
    """A group of commands whose misuse is told in one sentence, like every other error."""

    def main(self, *args: Any, **more: Any) -> Any:
        """Run the command that the arguments name, and end the process.

        Args:
            args: As typer has them.
            more: As typer has them; where `standalone_mode` is false all of it is left to typer.
        """
        if not more.get("standalone_mode", True):
            return super().main(*args, **more)
        more["standalone_mode"] = False  # what is raised comes to us
        try:
            status = super().main(*args, **more)
        except typer.Abort:
            status = _INTERRUPTED
        except Exception as error:
            # Typer keeps the class of its usage errors to itself; this is what sets them apart.
            if not hasattr(error, "format_message"):
                raise
            if type(error).__name__ != "NoArgsIsHelpError":  # the help is all there is to say
                _say(_misuse(error))
            status = getattr(error, "exit_code", _MISUSED)
        sys.exit(status or 0)


def _misuse(error: Any) -> str:
    context = getattr(error, "ctx", None)
    sentence = " ".join(str(error.format_message()).split()).rstrip(".")
    return sentence if context is None else f"{sentence}; see {context.command_path} --help"


def refuse(error: SLMMuxError) -> NoReturn:
    """Say what was wrong on standard error and end: with 2 where the command line was, else with 1."""
    _say(str(error))
    raise typer.Exit(_MISUSED if isinstance(error, OptionError) else _FAILED)


def _say(text: str) -> None:
    console = Console(stderr=True)
    console.print("error:", style="bold red", end=" ")
    for line in text.splitlines():
        console.print(shown(line), soft_wrap=True)


def refusing(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose errors of ours are a sentence and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except SLMMuxError as error:
            refuse(error)

    return run


def one_of(option: str, value: str, known: Iterable[str]) -> str:
    """Return an option's value.

    Raises:
        OptionError: It is none of those that are known; names them, and the one that was probably meant.

    Example:
        >>> one_of("--plan", "cascade", ["parallel", "cascade"])
        'cascade'
    """
    names = list(known)
    if value in names:
        return value
    near = get_close_matches(value, names, 1)
    hint = f"did you mean {near[0]!r}? There are" if near else "choose one of"
    raise OptionError(f"{option} {value!r} does not exist; {hint} {', '.join(map(repr, names))}")


def completing(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return what a shell asks for the values of an option or argument, all of them known only when it asks.

    Example:
        >>> completing(lambda: ["parallel", "cascade"])("c")
        ['cascade']
    """

    def complete(incomplete: str) -> list[str]:
        return [value for value in known() if value.startswith(incomplete)]

    return complete


def print_json(value: Any) -> None:
    """Print a value as one line of JSON; what the terminal or the pipe cannot take is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value)
    sys.stdout.write(text + "\n")
