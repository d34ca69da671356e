"""What all commands print in one way: an error as a sentence, an exit code for scripts, JSON with --json.

Nothing here knows a single command.
"""

import functools
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from slmmux._display.terminal import text_line
from slmmux._errors import ArgumentError, SLMMuxError, did_you_mean

__all__ = [
    "STATUS",
    "Command",
    "Group",
    "OptionError",
    "completing",
    "notices",
    "one_of",
    "print_json",
    "refuse",
    "refusing",
    "resumable",
]

STATUS = (
    "Exit codes: 0 success; 1 failure, for example because no model replied; 2 the command line is wrong; "
    "130 interrupted. An error is one sentence on standard error. With --json, standard output is JSON and "
    "nothing else."
)
_FAILED, _MISUSED, _INTERRUPTED = 1, 2, 130


class OptionError(ArgumentError):
    """An option has a value that it does not accept, so the command line itself is wrong."""


class _Flags:
    """Leaves out the type of a flag in the help, since a flag takes no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False):
                param.metavar = ""
        return params


class Command(_Flags, TyperCommand):
    """A command."""


class Group(_Flags, TyperGroup):
    """A group of commands that reports misuse in one sentence, like every other error."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command that the arguments name, and end the process.

        Args:
            args: As for typer.
            options: As for typer; if `standalone_mode` is false, typer handles everything.
        """
        if not options.get("standalone_mode", True):
            return super().main(*args, **options)
        options["standalone_mode"] = False  # Typer then raises its errors instead of printing them.
        try:
            status = super().main(*args, **options)
        except typer.Abort:
            status = _INTERRUPTED
        except Exception as error:
            # Typer does not export the class of its usage errors, but only they have this method.
            if not hasattr(error, "format_message"):
                raise
            if type(error).__name__ != "NoArgsIsHelpError":  # The help is printed already.
                _print_error(_misuse(error))
            status = getattr(error, "exit_code", _MISUSED)
        sys.exit(status or 0)


def _misuse(error: Any) -> str:
    context = getattr(error, "ctx", None)
    sentence = " ".join(str(error.format_message()).split()).rstrip(".")
    return sentence if context is None else f"{sentence}; see {context.command_path} --help"


def refuse(error: SLMMuxError) -> NoReturn:
    """Print an error on standard error and exit, with 2 if the command line is wrong and else with 1."""
    _print_error(str(error))
    raise typer.Exit(_MISUSED if isinstance(error, OptionError) else _FAILED)


def _print_error(text: str) -> None:
    console = Console(stderr=True)
    console.print("error:", style="bold red", end=" ")
    for line in text.splitlines():
        console.print(text_line(line), soft_wrap=True)


def refusing(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that errors of this package become a sentence and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except SLMMuxError as error:
            refuse(error)

    return run


@contextmanager
def resumable(out: object) -> Iterator[None]:
    """End an interrupted command with a word on how to continue it, and a fault of a file with a sentence.

    Args:
        out: The file or folder that keeps what is there so far; `None` if nothing is kept in a file.

    Raises:
        typer.Exit: The command was interrupted.
        ArgumentError: A file cannot be read or written.
    """
    try:
        yield
    except KeyboardInterrupt:
        text = f"interrupted; what is there so far is in {out}; run the same command again to continue"
        Console(stderr=True).print(text if out is not None else "interrupted", style="dim", soft_wrap=True)
        raise typer.Exit(_INTERRUPTED) from None
    except OSError as error:
        raise ArgumentError(str(error)) from error


def one_of(option: str, value: str, choices: Iterable[str]) -> str:
    """Return an option's value.

    Raises:
        OptionError: The value is unknown; the sentence names the nearest choice and all others.

    Example:
        >>> one_of("--plan", "cascade", ["parallel", "cascade"])
        'cascade'
    """
    names = list(choices)
    if value in names:
        return value
    near = did_you_mean(value, names)
    hint = f"{near} The choices are" if near else "choose one of"
    raise OptionError(f"{option} {value!r} does not exist; {hint} {', '.join(map(repr, names))}")


def completing(choices: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a shell completion for an option; `choices` is called only when a shell asks.

    Example:
        >>> completing(lambda: ["parallel", "cascade"])("c")
        ['cascade']
    """

    def complete(incomplete: str) -> list[str]:
        return [value for value in choices() if value.startswith(incomplete)]

    return complete


@contextmanager
def notices() -> Iterator[None]:
    """Print the warnings of a block as sentences on standard error, without the place in this program's code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:  # Before an error too: how a file was read may be its cause.
            console = Console(stderr=True)
            for warning in caught:
                console.print(text_line(str(warning.message), "dim"), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as one line of JSON; characters that the output cannot encode are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value)
    sys.stdout.write(text + "\n")
