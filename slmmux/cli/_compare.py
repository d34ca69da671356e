"""`slmmux compare`: the mux beside what others do with the same members, on the same questions."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from slmmux._display.terminal import text_line
from slmmux.cli._ask import ConfigFile, Framework, Samples, System
from slmmux.cli._console import completing, notices, print_json, resumable
from slmmux.cli._frameworks import PACKAGES, make_with
from slmmux.cli._offline import Json
from slmmux.cli._profile import QUESTIONS, Limit, Seed
from slmmux.cli._settings import settings_of

if TYPE_CHECKING:
    from slmmux.compare import Comparison, Gain, MethodResult

__all__ = ["compare"]

METHODS = ("single", "mux", "forest", "moa", "debate", "verify", "fuse", "best")  # as in slmmux.compare


def compare(
    questions: Annotated[str, typer.Argument(help=QUESTIONS)],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The folder of the recordings; calls in it are not made again.")
    ],
    config: ConfigFile = None,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help=f"Some of {', '.join(METHODS)}; by default all.",
            autocompletion=completing(lambda: METHODS),
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=2, metavar="N", help="Rounds of a debate.")] = 2,
    layers: Annotated[int, typer.Option(min=2, metavar="N", help="Layers of Mixture-of-Agents.")] = 3,
    limit: Limit = None,
    seed: Seed = None,
    samples: Samples = None,
    system: System = None,
    framework: Framework = "langchain",
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw accuracy against tokens: a .svg, .png or .pdf file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the mux with what others do, on the same members.

    The first member of the configuration writes, judges or generates where one model does: name the best one first.

    Example: slmmux compare questions.jsonl --methods mux,moa --out compared
    """
    from slmmux.profiling import read_questions  # noqa: PLC0415

    with resumable(out):
        settings = settings_of(config, samples=samples, system=system)
        with notices():
            items = read_questions(questions, limit=limit, seed=seed)
        mux, package = make_with(PACKAGES, framework, settings)
        result = package.compare(
            mux,
            items,
            folder=out,
            methods=METHODS if methods is None else [name.strip() for name in methods.split(",") if name.strip()],
            rounds=rounds,
            layers=layers,
            concurrency={label: settings.concurrency_of(label) for label in settings.models},
        )
        if picture is not None:
            from slmmux.plots import plot_comparison  # noqa: PLC0415

            plot_comparison(result).savefig(picture)
    if as_json:
        print_json(_as_json(result))
        return
    Console().print(_table(result))


def _table(result: "Comparison") -> Table:
    best = result.best_single()
    title = f"{result.questions} questions, {len(result.models)} models"
    if best is not None:
        title += f"; gains are over {best.method}, the best model on these questions, with 95 % intervals"
    table = Table(title=text_line(title), title_justify="left", box=None, pad_edge=False)
    table.add_column("method")
    for name in ("includes", "exact", "gain, points", "calls", "tokens", "seconds"):
        table.add_column(name, justify="right")
    for each in result.methods:
        gain = "" if best is None or each is best else _gain(each.gain_over(best))
        table.add_row(
            text_line(each.method),
            f"{each.accuracy():.1%}",
            f"{each.accuracy('exact'):.1%}",
            gain,
            f"{each.calls:.1f}",
            "" if each.tokens is None else f"{each.tokens:,.0f}",
            "" if each.seconds is None else f"{each.seconds:.1f}",
        )
    return table


def _gain(gain: "Gain") -> str:
    return f"{100 * gain.points:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"


def _as_json(result: "Comparison") -> dict[str, Any]:
    best = {score: result.best_single(score) for score in ("includes", "exact")}
    return {
        "models": result.models,
        "questions": result.questions,
        "best_single": {score: None if each is None else each.method for score, each in best.items()},
        "methods": [_method_as_json(each, best) for each in result.methods],
    }


def _method_as_json(method: "MethodResult", best: "dict[str, MethodResult | None]") -> dict[str, Any]:
    return {
        "method": method.method,
        "accuracy": {score: method.accuracy(score) for score in best},
        "gain": {
            score: None if each is None else dataclasses.asdict(method.gain_over(each, score))
            for score, each in best.items()
        },
        "calls": method.calls,
        "tokens": method.tokens,
        "seconds": method.seconds,
    }
