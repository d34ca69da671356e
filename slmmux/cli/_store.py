"""`slmmux work`, `status` and `pull`: a campaign in a database, from the command line."""

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.table import Table

from slmmux._display.terminal import text_line
from slmmux._errors import ArgumentError
from slmmux.cli._ask import ConfigFile, Framework, Samples, System
from slmmux.cli._console import OptionError, print_json
from slmmux.cli._frameworks import PACKAGES, make_with
from slmmux.cli._offline import Json
from slmmux.cli._settings import settings_of

if TYPE_CHECKING:
    from slmmux.config import Config
    from slmmux.profiling import Question
    from slmmux.store import Status

__all__ = ["StoreAddress", "counting", "plan", "pull", "status", "work"]

StoreAddress = Annotated[
    str, typer.Option("--store", metavar="URL", help="The database: postgresql://USER@HOST/NAME, or a file, store.db.")
]

_stderr = Console(stderr=True)


def plan(url: str, settings: "Config", framework: str, questions: "Sequence[Question]", *, texts: bool) -> None:
    """Put the plan of a campaign into a store, and print what is in it."""
    from slmmux._mux.offline.profile import Members  # noqa: PLC0415
    from slmmux.store import Store, put_plan  # noqa: PLC0415

    mux, _ = make_with(PACKAGES, framework, settings, prepare=False)  # nothing is asked here
    pool = Members(mux)
    store = Store(url)
    try:
        is_new = put_plan(
            store,
            pool,
            questions,
            requests_per_minute={label: member.requests_per_minute for label, member in settings.models.items()},
            texts=texts,
        )
    finally:
        store.close()
    count = len(questions) * sum(pool.samples.values())
    _stderr.print(
        f"{'planned' if is_new else 'planned before, and the same'}: {len(questions):,} questions, "
        f"{len(pool.samples)} members, {count:,} samples; work on them with `slmmux work`",
        soft_wrap=True,
    )


def work(
    store: StoreAddress,
    config: ConfigFile = None,
    members: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Ask these members; by default all of the file.")
    ] = None,
    samples: Samples = None,
    system: System = None,
    framework: Framework = "langchain",
    concurrency: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Requests at once for each member, in this worker.")
    ] = None,
    retries: Annotated[int, typer.Option(min=0, metavar="N", help="Retries per request.")] = 5,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The worker's name in `slmmux status`.")] = None,
    as_json: Json = False,
) -> None:
    """Do a part of a campaign that is planned in a database.

    It ends when nothing is left. Start as many as you like, on any machine that reaches the database. What one
    leaves undone, the others do.

    Example: slmmux work --store store.db --config mux.toml

    Example: slmmux work --store postgresql://me@db/campaign --config mux.toml --members qwen,phi
    """
    from slmmux._mux.offline.profile import Members  # noqa: PLC0415
    from slmmux.store import Store  # noqa: PLC0415
    from slmmux.store import work as do_work  # noqa: PLC0415

    settings = settings_of(config, samples=samples, system=system)
    labels = list(settings.models) if members is None else [label.strip() for label in members.split(",")]
    for label in labels:
        if label not in settings.models:
            raise OptionError(f"--members names {label!r}; the members of the file are {', '.join(settings.models)}")
    # Only these members are made: the keys and weights of the others need not be here.
    settings = settings.model_copy(update={"models": {label: settings.models[label] for label in labels}})
    campaign = Store(store)
    try:
        campaign.check()
        mux, _ = make_with(PACKAGES, framework, settings)
        counts = {label: [0, 0] for label in labels}
        written = do_work(
            campaign,
            Members(mux),
            labels,
            concurrency=concurrency or {label: settings.concurrency_of(label) for label in labels},
            retries=retries,
            timeout=settings.timeout,
            worker=name,
            came=counting(counts),
        )
    except KeyboardInterrupt:
        _stderr.print("interrupted; every sample so far is in the store, and others do the rest", style="dim")
        raise typer.Exit(130) from None
    finally:
        campaign.close()
    _stderr.print(f"nothing is left for {', '.join(labels)}; {written:,} samples by this worker", soft_wrap=True)
    if as_json:
        print_json(
            {"samples": written, "members": {label: {"samples": n, "failed": f} for label, (n, f) in counts.items()}}
        )


def counting(counts: dict[str, list[int]]) -> Callable[[str, int, int], None]:
    """Return a function that counts the samples of this worker, and shows the counts on a terminal."""

    def came(label: str, samples: int, failed: int) -> None:
        counts[label][0] += samples
        counts[label][1] += failed
        if sys.stderr.isatty():
            state = ", ".join(f"{name} {n:,}" + (f" ({f:,} failed)" if f else "") for name, (n, f) in counts.items())
            _stderr.print(text_line(state, "dim"), end="\r", soft_wrap=True)

    return came


def status(
    store: StoreAddress,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every two seconds, until all is done.")] = False,
    as_json: Json = False,
) -> None:
    """Show how far a campaign in a database is, by member and by worker.

    Example: slmmux status --store store.db --watch
    """
    from rich.live import Live  # noqa: PLC0415

    from slmmux.store import Store  # noqa: PLC0415
    from slmmux.store import status as state_of  # noqa: PLC0415

    campaign = Store(store, patience=10)
    try:
        state = state_of(campaign)
        if as_json:
            print_json({**dataclasses.asdict(state), "finished": state.finished})
            return
        console = Console()
        if not watch:
            console.print(_tables(state))
            return
        with Live(_tables(state), console=console, auto_refresh=False) as live:
            while not state.finished:
                time.sleep(2)
                state = state_of(campaign)
                live.update(_tables(state), refresh=True)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:
        campaign.close()


def _tables(state: "Status") -> Group:
    columns = ("done", "of", "failed", "running", "a second", "left", "asked twice", "tokens", "cost")
    members = _table("member", *columns)
    for m in state.members:
        members.add_row(
            text_line(m.label), f"{m.done:,}", f"{m.planned:,}", f"{m.failed:,}", f"{m.running:,}", f"{m.rate:.1f}",
            "done" if m.done >= m.planned else _time(m.eta), f"{m.twice:,}", f"{m.input_tokens + m.output_tokens:,}",
            "-" if m.cost is None else f"{m.cost:.2f}",
        )  # fmt: skip
    workers = _table("worker", "samples", "failed", "a second", "last request", "cost", "members")
    for w in state.workers:
        workers.add_row(
            text_line(w.name), f"{w.samples:,}", f"{w.failed:,}", f"{w.rate:.1f}", f"{_time(w.idle)} ago",
            "-" if w.cost is None else f"{w.cost:.2f}", text_line(", ".join(w.members)),
        )  # fmt: skip
    return Group(members, "", workers) if state.workers else Group(members)


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="left" if column == "members" else "right")
    return table


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 90:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004


def pull(
    store: StoreAddress,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The recording to write: .parquet, .jsonl or .jsonl.gz.")],
    as_json: Json = False,
) -> None:
    """Write the samples of a campaign in a database as a recording.

    The campaign may go on meanwhile; then it is a recording of the samples so far.

    Example: slmmux pull --store store.db --out samples.parquet
    """
    from slmmux.store import Store  # noqa: PLC0415
    from slmmux.store import pull as write  # noqa: PLC0415

    campaign = Store(store, patience=10)
    try:
        count = write(campaign, out)
    except OSError as error:
        raise ArgumentError(f"{error.filename}: {error.strerror}") from error
    finally:
        campaign.close()
    if as_json:
        print_json({"written": str(out), "samples": count})
    else:
        Console().print(text_line(f"written: {out}, {count:,} samples"), soft_wrap=True)
