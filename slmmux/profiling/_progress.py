"""The progress of a profile on a terminal: a table of the work, then a bar for each member."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slmmux._display.terminal import text_line
from slmmux.profiling._run import Effort, Watch

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

__all__ = ["watching"]


@contextmanager
def watching(
    progress: bool | Watch,  # noqa: FBT001 - as the profiles take it
    console: "Console | None" = None,
) -> Iterator[Watch | None]:
    """Yield the observer of a profile; on exit, any bars are closed.

    Args:
        progress: Whether to show bars, or an observer to use instead.
        console: The console for the bars; standard error if `None`.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield None
    else:
        from rich.console import Console  # noqa: PLC0415 - rich is only imported to show bars

        bars = Bars(console if console is not None else Console(stderr=True))
        try:
            yield bars
        finally:
            bars.stop()


class Bars:
    """Progress bars on a terminal, one for each member.

    Args:
        console: The console to draw on.
    """

    def __init__(self, console: "Console") -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[tokens]:,} tokens"),
            TextColumn("{task.fields[failed]}"),
            console=console,
        )
        self._tasks: dict[str, _Bar] = {}

    def begins(self, efforts: Sequence[Effort]) -> None:
        """Show the work ahead, and start the bars."""
        self._console.print(_table("Planned", efforts))
        for effort in efforts:
            task = self._progress.add_task(
                text_line(effort.model).plain, total=effort.there + effort.samples, completed=effort.there,
                rate="", tokens=0, failed="",
            )  # fmt: skip
            self._tasks[effort.model] = _Bar(task)
        if any(effort.samples for effort in efforts):
            self._progress.start()

    def estimated(self, efforts: Sequence[Effort]) -> None:
        """Show the estimate for the rest, made from the first few requests."""
        if any(effort.samples for effort in efforts):
            self._console.print(_table("Remaining, estimated from the first few requests", efforts))

    def came(self, model: str, samples: int, failed: int, tokens: int) -> None:
        """Advance a bar."""
        bar = self._tasks[model]
        bar.failed += failed
        bar.tokens += tokens
        self._progress.update(
            bar.task,
            advance=samples,
            tokens=bar.tokens,
            failed=f"[red]{bar.failed} failed" if bar.failed else "",
        )
        speed = self._progress.tasks[self._progress.task_ids.index(bar.task)].speed
        self._progress.update(bar.task, rate=f"{speed:.1f}/s" if speed else "")

    def waits(self, model: str, error: BaseException) -> None:
        """Print the reason why a member pauses."""
        self._console.print(text_line(f"{model} pauses: {type(error).__name__}: {error}", "dim", limit=160))

    def stop(self) -> None:
        """Close the bars and release the terminal."""
        if self._progress.live.is_started:
            self._progress.stop()


class _Bar:
    """A bar's task and running totals."""

    def __init__(self, task: "TaskID") -> None:
        self.task = task
        self.failed = 0
        self.tokens = 0


def _table(title: str, efforts: Sequence[Effort]) -> object:
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("member", "requests", "samples", "recorded before", "tokens", "time if run alone"):
        table.add_column(column, justify="left" if column == "member" else "right")
    for effort in efforts:
        table.add_row(
            text_line(effort.model), f"{effort.requests:,}", f"{effort.samples:,}", f"{effort.there:,}",
            "?" if effort.tokens is None else f"about {effort.tokens:,}",
            "?" if effort.seconds is None else _time(effort.seconds),
        )  # fmt: skip
    return table


def _time(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004
