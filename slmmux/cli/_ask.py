"""`slmmux ask`: one question, with each sample shown when it arrives."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console

from slmmux._decision.race import Plan
from slmmux._decision.rules import RuleName
from slmmux._display.sentences import advice
from slmmux._display.terminal import text_block, text_line
from slmmux.cli._console import completing, notices, print_json
from slmmux.cli._frameworks import ASKERS, FRAMEWORK_NAMES, AskFunction, make_with
from slmmux.cli._settings import settings_of

if TYPE_CHECKING:
    from slmmux.config import Config

__all__ = ["ConfigFile", "Framework", "Samples", "System", "ask"]

Question = Annotated[str, typer.Argument(help="The question.")]


ConfigFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The mux.toml to use; by default two small local models answer.")
]


Samples = Annotated[int | None, typer.Option(min=1, metavar="K", help="Samples of each member (k).")]


PlanName = Annotated[
    str | None,
    typer.Option(
        metavar="PLAN",
        help=f"The order of samples: {', '.join(get_args(Plan))}.",
        autocompletion=completing(lambda: get_args(Plan)),
    ),
]


RuleServed = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"The decision rule: {', '.join(get_args(RuleName))}; the last two are fitted in a selection.",
        autocompletion=completing(lambda: get_args(RuleName)),
    ),
]


SelectionFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A saved selection: its models answer, by its rule, as they were profiled."),
]


System = Annotated[str | None, typer.Option(metavar="TEXT", help='The system prompt; "" for no system prompt.')]


Framework = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The framework that asks: langchain or llamaindex.",
        autocompletion=completing(lambda: FRAMEWORK_NAMES),
    ),
]


def ask(
    question: Question,
    config: ConfigFile = None,
    samples: Samples = None,
    plan: PlanName = None,
    rule: RuleServed = None,
    system: System = None,
    selection: SelectionFile = None,
    abstain_below: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="P", help="Answer only if the probability of being right is at least P."),
    ] = None,
    escalate_below: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="P", help="Ask the bigger model of the mux.toml if it is below P."),
    ] = None,
    framework: Framework = "langchain",
    as_json: Annotated[bool, typer.Option("--json", help="Print only the record, as JSON.")] = False,
) -> None:
    """Ask a question: the member that agrees most with itself answers.

    Each member is sampled K times. Its confidence is the share of its samples that give its most frequent answer.

    Example: slmmux ask "What is the capital of Norway?"

    Example: slmmux ask "2 + 2?" --config mux.toml --plan cascade --json

    Example: slmmux ask "2 + 2?" --config mux.toml --selection selection.json
    """
    settings = settings_of(
        config,
        samples=samples,
        system=system,
        plan=plan,
        rule=rule,
        selection=selection,
        abstain_below=abstain_below,
        escalate_below=escalate_below,
    )
    with notices():  # what is served otherwise than it was profiled
        samples_of, ask_mux = make_with(ASKERS, framework, settings)
    if as_json:
        _, record = ask_mux(question, None)
        words = advice(record)
        print_json({**record, "advice": words} if words else record)
    else:
        _ask_live(question, settings, samples_of, ask_mux)


def _ask_live(question: str, settings: "Config", samples: Mapping[str, int], ask_mux: AskFunction) -> None:
    from rich.live import Live  # noqa: PLC0415

    from slmmux._display.live import Board  # noqa: PLC0415

    console = Console()
    if settings.system_prompt:
        console.print("instruction:", text_line(settings.system_prompt), style="dim")
    board = Board(samples)
    with Live(board, console=console, refresh_per_second=8):
        text, record = ask_mux(question, board.add_sample)
        board.finish(record)
    console.print()
    console.print(text_block(text, "bold"))
