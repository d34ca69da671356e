"""`slmmux ask`: one question, with the samples shown as they arrive."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console

from slmmux._decision.race import Plan
from slmmux._display.terminal import shown, whole
from slmmux.cli._console import completing, print_json

if TYPE_CHECKING:
    from slmmux.config import Config
from slmmux.cli._frameworks import ASKERS, FRAMEWORK_NAMES, Put, made_by
from slmmux.cli._settings import UNFITTED_RULES, settings_of

__all__ = ["ConfigFile", "Framework", "Samples", "System", "ask"]

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


RuleServed = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"What decides: {' or '.join(UNFITTED_RULES)}.",
        autocompletion=completing(lambda: UNFITTED_RULES),
    ),
]


System = Annotated[str | None, typer.Option(metavar="TEXT", help='The instruction put in front; "" for none.')]


Framework = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="langchain or llamaindex: who asks.", autocompletion=completing(lambda: FRAMEWORK_NAMES)
    ),
]


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
    settings = settings_of(config, samples=samples, system=system, plan=plan, rule=rule)
    samples_of, put = made_by(ASKERS, framework, settings)
    if as_json:
        _, record = put(question, None)
        print_json(record)
    else:
        _watched(question, settings, samples_of, put)


def _watched(question: str, settings: "Config", samples: Mapping[str, int], put: Put) -> None:
    from asyncio import CancelledError  # noqa: PLC0415

    from rich.live import Live  # noqa: PLC0415

    from slmmux import answers  # noqa: PLC0415
    from slmmux._display.live import Board  # noqa: PLC0415

    console = Console()
    if settings.system_prompt:
        console.print("instruction:", shown(settings.system_prompt), style="dim")
    board = Board(samples)
    watch = (
        answers.reader(settings.extract),
        board.add_answer,
        lambda label, index, error: board.add_failure(label, index, is_unneeded=isinstance(error, CancelledError)),
    )
    with Live(board, console=console, refresh_per_second=8):
        text, record = put(question, watch)
        board.finish(record)
    console.print()
    console.print(whole(text, "bold"))
