"""The offline commands: they read a recording and print a table or JSON, or write a file, without calling a model."""

import dataclasses
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from rich.console import Console
from rich.table import Table

from slmmux._decision.rules import RuleName
from slmmux._display.terminal import text_line
from slmmux._errors import ArgumentError
from slmmux.cli._console import OptionError, completing, notices, one_of, print_json

if TYPE_CHECKING:
    from slmmux.recording import Recording
    from slmmux.selection import ConfidenceResult, HeldOut, Selection
    from slmmux.selection._spending import Within

__all__ = ["convert", "repair", "report", "reread", "scale", "select"]

_EXTRACTORS = ("auto", "boxed", "choice", "code", "json", "number", "text")
_AGREEMENTS = ("canonical", "math")
_SOURCES = ("lm-eval", "inspect", "batch", "helm", "promptfoo", "lighteval", "slm-mux", "table")
_CORRECT = ("unanimous", "plurality", "at_least:2")
_RULES = get_args(RuleName)
_MOST_SUGGESTED = 3
_SCORES = ("exact", "includes", "choice", "math", "recorded")

Recordings = Annotated[
    list[Path],
    typer.Argument(help="A recording, .jsonl, .jsonl.gz or .parquet, or a folder of them; several are read as one."),
]
Samples = Annotated[
    int | None, typer.Option(min=1, metavar="K", help="Use the first K samples of each model; by default all.")
]
Models = Annotated[str | None, typer.Option(metavar="A,B,...", help="Use these models; by default all.")]
Json = Annotated[bool, typer.Option("--json", help="Print only JSON.")]
Drop = Annotated[bool, typer.Option("--drop", help="Leave out questions that lack samples of a model.")]
Resamples = Annotated[
    int, typer.Option(metavar="N", help="Resamples for the 95 % intervals; 0 leaves the intervals out.")
]
NoAnswer = Annotated[
    list[str] | None,
    typer.Option(metavar="ANSWER", help="An answer that is none, such as unknown; can be given several times."),
]
Worth = Annotated[float, typer.Option(metavar="X", help="The smallest gain worth a mux, in points.")]
RuleAsked = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"The decision rule, compared with simpler ones: {', '.join(_RULES)}.",
        autocompletion=completing(lambda: _RULES),
    ),
]
Scoring = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"When a sample is right: {', '.join(_SCORES)}. By default includes for texts, and exact otherwise.",
        autocompletion=completing(lambda: _SCORES),
    ),
]
Extract = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"The extractor that reads answers: {', '.join(_EXTRACTORS)}.",
        autocompletion=completing(lambda: _EXTRACTORS),
    ),
]


@contextmanager
def _files() -> Iterator[None]:
    """Report a file that cannot be opened in the system's words, as an error of the command."""
    try:
        yield
    except OSError as error:
        raise ArgumentError(f"{error.filename}: {error.strerror}") from error


def _load(paths: Sequence[Path]) -> "Recording":
    from slmmux.recording import Recording  # noqa: PLC0415

    with _files():
        return Recording.load(*paths)


def _score(name: str | None) -> Any:
    if name is not None:
        one_of("score", name, _SCORES)
    return name


def select(
    recording: Recordings,
    sizes: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Numbers of models, such as 1,2,3; by default up to 3.")
    ] = None,
    penalty: Annotated[float, typer.Option(metavar="X", help="Penalty for each contradiction.")] = 1.0,
    correct: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="When a model counts as right: unanimous, plurality or at_least:2 (samples).",
            autocompletion=completing(lambda: _CORRECT),
        ),
    ] = "unanimous",
    samples: Samples = None,
    models: Models = None,
    rule: RuleAsked = "self-consistency",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the selection to this file, as JSON.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed for the held-out splits.")] = 0,
    resamples: Resamples = 50,
    worth: Worth = 1.0,
    no_answer: NoAnswer = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of subsets to show for each size.")] = 3,
    score: Scoring = None,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A mux.toml with the members' prices; else the recorded ones.")
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="POINTS", help="Choose the cheapest subset within so many points of the most accurate one."
        ),
    ] = None,
    time_limit: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Seconds of search per size; past them the best so far is shown, unproved."
        ),
    ] = 60.0,
    drop: Drop = False,
    as_json: Json = False,
) -> None:
    """Select models that complement each other, with a verdict.

    Example: slmmux select samples.jsonl --sizes 1,2,3 --out selection.json

    Example: slmmux select samples.jsonl --rule learned --out selection.json

    Example: slmmux select samples.jsonl --within 1.0
    """
    from slmmux.selection import select_complementary  # noqa: PLC0415
    from slmmux.selection._confidences import best_mux  # noqa: PLC0415

    one_of("rule", rule, _RULES)
    form = _score(score)
    options: dict[str, Any] = {} if sizes is None else {"sizes": _whole_numbers("sizes", sizes)}
    if not re.fullmatch(r"unanimous|plurality|at_least:0*[1-9]\d*", correct):
        raise OptionError(f"correct {correct!r} does not exist; write unanimous, plurality or at_least:2")
    loaded = _load(recording)
    with _resampling() as (progress, closing):
        selection = select_complementary(
            loaded,
            penalty=penalty,
            correct=correct,
            samples=samples,
            models=_labels(models),
            seed=seed,
            missing="drop" if drop else "error",
            score=form,
            rule=cast("RuleName", rule),
            n_resamples=resamples,
            worth=worth / 100,
            no_answer=no_answer or (),
            prices=_prices(prices),
            within=within,
            progress=progress,
            closing=closing,
            time_limit=time_limit,
            **options,
        )
    if out is not None:
        with _files():
            selection.save(out)
    compared = _compared(loaded, selection, samples, drop=drop, score=form)
    if as_json:
        more = {"confidences": [dataclasses.asdict(each) for each in compared]} if compared else {}
        print_json({**dataclasses.asdict(selection), **more})
        return
    console = Console()
    console.print(_subsets(selection, top))
    console.print()
    console.print(_held_out(selection))
    console.print()
    console.print(_front(selection))
    console.print()
    if selection.within is not None:
        console.print(text_line(_within(selection.within), "bold"))
    if rule != "self-consistency":
        console.print(_contest(selection))
        console.print()
    if compared:
        console.print(_confidences(compared, best_mux(selection).models))
        console.print()
    questions = f"{selection.questions} question{'' if selection.questions == 1 else 's'}"
    console.print(text_line(f"{questions}; {selection.correct}, penalty {selection.penalty:g}", "dim"))
    if unproved := [str(size) for size, proved in selection.proved.items() if not proved]:
        console.print(
            text_line(
                f"not proved within {time_limit:g} s: size {', '.join(unproved)}; for a proof ask for a longer "
                "--time-limit",
                "yellow",
            )
        )
    if selection.never_right:
        console.print(text_line(_suggestion(selection.never_right), "yellow"))
    console.print(text_line(selection.verdict, "bold"))


def _compared(
    recording: "Recording", selection: "Selection", samples: int | None, *, drop: bool, score: Any
) -> "tuple[ConfidenceResult, ...]":
    """Return what the recorded confidences are worth for the best mux; nothing if none was recorded."""
    from slmmux.recording._replay import recorded_confidences  # noqa: PLC0415
    from slmmux.selection import compare_confidences  # noqa: PLC0415
    from slmmux.selection._confidences import best_mux  # noqa: PLC0415

    if not recorded_confidences(recording):
        return ()
    read = recording.abstaining(selection.no_answer)
    missing: Any = "drop" if drop else "error"
    return compare_confidences(read, best_mux(selection).models, samples, missing=missing, score=score)


def _confidences(results: "Sequence[ConfidenceResult]", models: Sequence[str]) -> Table:
    names = ("right", "gain", "95 % interval", "stated", "ECE", "Brier", "AUROC", "scored", "tokens")
    table = _table(f"by confidence, nothing fitted, %: {' + '.join(models)}", *names)
    table.add_column("confidence")
    for each in results:
        is_first = each is results[0]
        table.add_row(
            _percent(each.accuracy),
            "-" if is_first else f"{100 * each.gain:+z.1f}",
            "-" if is_first else f"{100 * each.low:+z.1f} to {100 * each.high:+z.1f}",
            _percent(each.stated),
            f"{each.error:.3f}",
            f"{each.brier:.3f}",
            "-" if each.separation is None else f"{each.separation:.2f}",
            "-" if each.scored is None else _percent(each.scored),
            "-" if each.tokens is None else f"{each.tokens:,.0f}",
            text_line(each.confidence),
        )
    return table


def _suggestion(never_right: Sequence[str]) -> str:
    """Return a sentence about answers that are common and were never right."""
    quotes = ", ".join(json.dumps(answer, ensure_ascii=False) for answer in never_right[:_MOST_SUGGESTED])
    option = " ".join(f"--no-answer {shlex.quote(answer)}" for answer in never_right[:_MOST_SUGGESTED])
    return f"common and never right: {quotes}; if that is no answer, select again with {option}"


def _subsets(selection: "Selection", top: int) -> Table:
    shares = ("objective", "union", "contradiction", "floor", "accuracy", "ceiling")
    table = _table("in-sample, on the questions of the choice, %", *shares[:2], "contra", *shares[3:], "samples")
    table.add_column("models, best first")
    for size in selection.by_size:
        for subset in [s for s in selection.ranking if len(s.models) == size][:top]:
            samples = f"{subset.samples['cascade']:.1f}-{subset.samples['parallel']:g}"
            figures = (_percent(getattr(subset, share)) for share in shares)
            table.add_row(*figures, samples, text_line(" + ".join(subset.models)))
    return table


def _prices(path: Path | None) -> dict[str, Any] | None:
    """Return the prices of a mux.toml."""
    if path is None:
        return None
    from slmmux._mux.prices import LITELLM, listed_price  # noqa: PLC0415
    from slmmux.config import load_config  # noqa: PLC0415

    config = load_config(path)
    prices = config.prices()
    if prices is None:
        raise OptionError(
            f"--prices: {path} must have a price of each member; write price = {{ input = 0.10, output = 0.40 }}"
        )
    return {
        label: listed_price(label, config.models.get(label) or getattr(config, label)).plain()
        if price == LITELLM
        else price
        for label, price in prices.items()
    }


def _front(selection: "Selection") -> Table:
    """Return the Pareto front: what each of its subsets takes per question and per right answer."""
    from slmmux.selection._spending import PLAN, spending_of, unit_of  # noqa: PLC0415

    unit = unit_of(selection.single)
    table = _table(
        f"accuracy against {unit}, in-sample, plan {PLAN}", "accuracy, %", f"{unit} a question", "a right answer"
    )
    table.add_column("no other subset is better and cheaper")
    for subset in selection.front:
        per_right = subset.per_right().get(unit, {}).get(PLAN)
        row = _percent(subset.accuracy), f"{spending_of(subset):.3g}", "-" if per_right is None else f"{per_right:.3g}"
        table.add_row(*row, text_line(" + ".join(subset.models)))
    return table


def _within(within: "Within") -> str:
    """Return the sentence about the cheapest subset within some points."""
    saved = "-" if not within.best_spending else f"{100 * (1 - within.spending / within.best_spending):.0f} %"
    return (
        f"cheapest within {within.points:g} points: {' + '.join(within.models)}; chosen so, the accuracy on other "
        f"questions is {_percent(within.accuracy)} % where the most accurate subset has {_percent(within.best)} %, and "
        f"{saved} of the {within.unit} are saved (held-out)"
    )


def _held_out(selection: "Selection") -> Table:
    table = _table("held-out, on other questions, %", "models", "mux", "best single", "gain", "95 % interval")
    for size, subset in selection.by_size.items():
        if (held_out := subset.held_out) is None:
            table.add_row(str(size), "too few questions, or too many subsets")
        else:
            interval = _interval(held_out)
            gain = f"{100 * held_out.gain:+z.1f}"
            table.add_row(str(size), _percent(held_out.accuracy), _percent(held_out.single), gain, interval)
    return table


def _contest(selection: "Selection") -> Table:
    table = _table("held-out, by decision rule, %", "models", "right", "gain", "95 % interval")
    table.add_column("rule")
    for size, subset in selection.by_size.items():
        for name, result in (subset.contest or {}).items():
            interval = _interval(result)
            is_served = name == subset.rule
            row = str(size), _percent(result.accuracy), f"{100 * result.gain:+z.1f}", interval
            table.add_row(*row, text_line(f"{name}, served" if is_served else name, "bold" if is_served else ""))
    return table


def _interval(estimate: "HeldOut") -> str:
    if (interval := estimate.interval) is None:
        return "-"
    return f"{100 * interval[0]:+z.1f} to {100 * interval[1]:+z.1f}"


@contextmanager
def _resampling() -> Iterator[tuple[Callable[[int, int], None], Callable[[int, float, float], None]]]:
    """Show how far a choice is on stderr, on a terminal: the bound of each search, then the resamples done."""
    from rich.progress import Progress, TextColumn  # noqa: PLC0415

    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[state]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        searching = bar.add_task("search", total=None, state="")
        task = bar.add_task("intervals", total=None, state="")

        def update(count: int, total: int) -> None:
            bar.update(task, completed=count, total=total)

        def close(size: int, best: float, bound: float) -> None:
            bar.update(searching, state=f"size {size}: best {100 * best:.1f} %, none above {100 * bound:.1f} %")

        yield update, close


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def scale(
    recording: Recordings,
    models: Models = None,
    samples: Annotated[
        str | None, typer.Option(metavar="K,K,...", help="Samples of each model, such as 2,3,5; by default 2 to 9.")
    ] = None,
    score: Scoring = None,
    drop: Drop = False,
    as_json: Json = False,
) -> None:
    """Compare baselines, and the mux with more samples and models.

    Example: slmmux scale samples.jsonl --models qwen,phi --samples 2,3,5
    """
    from slmmux.baselines import baselines  # noqa: PLC0415
    from slmmux.scaling import scaling  # noqa: PLC0415

    ks = None if samples is None else _whole_numbers("samples", samples)
    loaded = _load(recording)
    missing: Any = "drop" if drop else "error"
    form = _score(score)
    rows = baselines(loaded, _labels(models), missing=missing, score=form)
    # The rank of the baselines: best first, in-sample.
    rank = max((row.models for row in rows), key=len)
    points = scaling(loaded, rank, ks, sizes=range(1, len(rank) + 1), missing=missing, score=form)
    if as_json:
        plain = [{k: v for k, v in dataclasses.asdict(row).items() if k != "right"} for row in rows]
        print_json({"baselines": plain, "scaling": [dataclasses.asdict(point) for point in points]})
        return
    console = Console()
    table = _table(f"on all recorded samples, %{f', by {score}' if score else ''}", "right", "samples")
    table.add_column("way to answer")
    for row in rows:
        who = row.models[0] if len(row.models) == 1 else f"{len(row.models)} models"
        note = " (in-sample)" if row.in_sample else ""
        table.add_row(_percent(row.accuracy), f"{row.samples:.1f}", text_line(f"{row.name}, {who}{note}"))
    console.print(table)
    console.print()
    console.print(_scaled(points))


def _scaled(points: Sequence[Any]) -> Table:
    ks = sorted({point.samples for point in points})
    table = _table("the mux with k samples per model, expected % (deviation of a run)", *(f"k={k}" for k in ks))
    table.add_column("models, best first (in-sample)")
    for models in dict.fromkeys(point.models for point in points):
        of_models = {point.samples: point for point in points if point.models == models}
        cells = [
            f"{100 * of_models[k].accuracy:.1f} ({100 * of_models[k].deviation:.1f})" if k in of_models else ""
            for k in ks
        ]
        table.add_row(*cells, text_line(f"... + {models[-1]}" if len(models) > 1 else models[0]))
    return table


def report(
    recording: Recordings,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page to write.")] = Path("report.html"),
    samples: Samples = None,
    rule: RuleAsked = "self-consistency",
    score: Scoring = None,
    resamples: Resamples = 50,
    worth: Worth = 1.0,
    no_answer: NoAnswer = None,
    drop: Drop = False,
    as_json: Json = False,
) -> None:
    """Write a report on a recording as one page of HTML.

    It shows how accurate the models are, which of them complement each other, and whether to mux. It is self-contained.

    Example: slmmux report samples.jsonl --out report.html
    """
    from slmmux.report import report as write  # noqa: PLC0415

    one_of("rule", rule, _RULES)
    loaded = _load(recording)
    with _files(), _resampling() as (progress, closing):
        write(
            loaded,
            out,
            samples=samples,
            missing="drop" if drop else "error",
            score=_score(score),
            rule=cast("RuleName", rule),
            n_resamples=resamples,
            worth=worth / 100,
            no_answer=no_answer or (),
            progress=progress,
            closing=closing,
        )
    summary = {"written": str(out), "models": list(loaded.models), "questions": len(loaded.questions)}
    _print_result(f"written: {out}", summary, as_json=as_json)


def reread(
    recording: Recordings,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The new recording, .jsonl or .jsonl.gz.")],
    extract: Extract = "auto",
    agreement: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How answers are compared: canonical or math.",
            autocompletion=completing(lambda: _AGREEMENTS),
        ),
    ] = "canonical",
    as_json: Json = False,
) -> None:
    """Read a recording's answers again, with another extractor.

    Models are not called, and the old recording is not changed.

    Example: slmmux reread samples.jsonl --extract number --out numbers.jsonl
    """
    from slmmux import rereading  # noqa: PLC0415
    from slmmux._mux.agreement import agreement_of  # noqa: PLC0415

    one_of("extract", extract, _EXTRACTORS)
    one_of("agreement", agreement, _AGREEMENTS)
    compare = agreement_of(agreement).compare
    loaded = _load(recording)
    reread_recording = rereading.reread(loaded, extract, compare=None if compare is None else (agreement, compare))
    with _files():
        reread_recording.save(out)
    changes = sum(old.answer != new.answer for old, new in zip(loaded.rows, reread_recording.rows, strict=True))
    _print_result(
        f"written: {out}, {len(reread_recording.rows):,} samples, {changes:,} with another answer",
        {"written": str(out), "samples": len(reread_recording.rows), "changed": changes},
        as_json=as_json,
    )


def convert(
    logs: Annotated[
        list[Path],
        typer.Argument(help="Files of another tool, or folders with them; or recordings, to write in another format."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The recording to write: .jsonl, .jsonl.gz, .parquet, or a folder.")
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TOOL",
            help=f"The form of the files: {', '.join(_SOURCES)}. By default it is found out.",
            autocompletion=completing(lambda: _SOURCES),
        ),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="MAP",
            help="The fields of a table, such as question=prompt,answer=output,gold=target.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="LABEL", help="The model's label, if the files do not name it.")
    ] = None,
    filter_name: Annotated[
        str | None, typer.Option("--filter", metavar="NAME", help="The lm-eval filter whose verdicts to keep.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Questions with golds, by id, if the files have none.")
    ] = None,
    extract: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help='The extractor that reads answers, as for reread; "" keeps the other tool\'s answers.',
            autocompletion=completing(lambda: _EXTRACTORS),
        ),
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Convert samples of other tools, or recordings into another format.

    Example: slmmux convert results/my-model --out samples.jsonl

    Example: slmmux convert samples.jsonl --out samples.parquet

    Example: slmmux convert qwen.csv --map gold=target --out samples.jsonl
    """
    from slmmux._files.fields import map_of  # noqa: PLC0415
    from slmmux.readers import read  # noqa: PLC0415
    from slmmux.recording._formats import is_recording  # noqa: PLC0415

    if source is not None:
        one_of("--from", source, _SOURCES)
    if extract:
        one_of("extract", extract, _EXTRACTORS)
    with _files(), notices():
        if not any((source, fields, model, filter_name, questions)) and all(map(is_recording, logs)):
            recording = _load(logs)  # nothing is read again: the answers stay
        else:
            recording = read(
                *logs,
                source=source,
                model=model,
                map=None if fields is None else map_of(fields),
                filter=filter_name,
                questions=questions,
                extract=extract or None,
            )
        recording.save(out)
    columns = recording.columns
    failed = int(columns.failed.sum())
    unscored = int((columns.coded("gold").codes < 0).sum())
    answered = int((columns.answers()[0] >= 0).sum())
    text = f"written: {out}, {len(recording):,} samples of {', '.join(recording.models)}"
    text += f"; {failed:,} failed" if failed else ""
    text += f"; {unscored:,} without a gold answer" if unscored else ""
    summary = {
        "written": str(out),
        "samples": len(recording),
        "models": list(recording.models),
        "questions": len(recording.questions),
        "failed": failed,
        "no_answer": len(recording) - failed - answered,
        "no_gold": unscored,
    }
    _print_result(text, summary, as_json=as_json)


def repair(
    recording: Annotated[Path, typer.Argument(help="A recording, .jsonl or .jsonl.gz.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file; by default the recording is replaced.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep all whole rows of a damaged recording, and say what went.

    What is removed is kept beside it, in FILE.removed.

    Example: slmmux repair samples.jsonl
    """
    from slmmux.recording._repair import repair as repair_file  # noqa: PLC0415

    with _files():
        result = repair_file(recording, out)
    target = out or recording
    if not result.losses:
        text = f"{recording}: nothing to repair, {result.rows:,} rows are whole"
    else:
        text = f"written: {target}, {result.rows:,} rows; removed, and kept in {target}.removed:"
        text += "".join(f"\n  {loss}" for loss in result.losses[:_MOST_LOSSES])
        if len(result.losses) > _MOST_LOSSES:
            text += f"\n  and {len(result.losses) - _MOST_LOSSES:,} more"
    if not result.has_settings:
        text += "\nThe recording does not state its settings, so a profile cannot continue it."
    summary = {
        "written": str(target) if result.losses or out else None,
        "samples": result.rows,
        "removed": [{"line": loss.line, "reason": loss.reason} for loss in result.losses],
        "settings": result.has_settings,
    }
    _print_result(text, summary, as_json=as_json)


_MOST_LOSSES = 20  # are named; all of them are in the file


def _print_result(text: str, summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
    else:
        Console().print(text_line(text), soft_wrap=True)


def _labels(models: str | None) -> list[str] | None:
    return None if models is None else [label.strip() for label in models.split(",")]


def _whole_numbers(name: str, text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise OptionError(f"{name} expects whole numbers, received {text!r}; write them as 1,2,3") from None


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
