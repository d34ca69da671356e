"""How a profile is shown: what it will do, then a bar a member with its rate, the time left, tokens and failures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slmmux._display.terminal import shown
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
    """Give who looks on while a profile runs.

    Args:
        progress: Whether to show bars; or who looks on instead.
        console: Where; standard error if `None`.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield None
    else:
        from rich.console import Console  # noqa: PLC0415 - who wants no bars needs no terminal

        bars = Bars(console if console is not None else Console(stderr=True))
        try:
            yield bars
        finally:
            bars.stop()


class Bars:
    """Bars on a terminal.

    Args:
        console: Which one.
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
        self._tasks: dict[str, _Counted] = {}

    def begins(self, efforts: Sequence[Effort]) -> None:
        """Show what will be asked."""
        self._console.print(_table("To do", efforts))
        for effort in efforts:
            task = self._progress.add_task(
                shown(effort.model).plain, total=effort.there + effort.samples, completed=effort.there,
                rate="", tokens=0, failed="",
            )  # fmt: skip
            self._tasks[effort.model] = _Counted(task)
        if any(effort.samples for effort in efforts):
            self._progress.start()

    def estimated(self, efforts: Sequence[Effort]) -> None:
        """Show what the first few requests say of the rest."""
        if any(effort.samples for effort in efforts):
            self._console.print(_table("Left, by the first few requests", efforts))

    def came(self, model: str, samples: int, failed: int, tokens: int) -> None:
        """Move a bar."""
        counted = self._tasks[model]
        counted.failed += failed
        counted.tokens += tokens
        self._progress.update(
            counted.task,
            advance=samples,
            tokens=counted.tokens,
            failed=f"[red]{counted.failed} failed" if counted.failed else "",
        )
        speed = self._progress.tasks[self._progress.task_ids.index(counted.task)].speed
        self._progress.update(counted.task, rate=f"{speed:.1f}/s" if speed else "")

    def waits(self, model: str, error: BaseException) -> None:
        """Say why a member pauses."""
        self._console.print(shown(f"{model} pauses: {type(error).__name__}: {error}", "dim", limit=160))

    def stop(self) -> None:
        """Leave the terminal to others."""
        if self._progress.live.is_started:
            self._progress.stop()


class _Counted:
    """One bar's counts."""

    def __init__(self, task: "TaskID") -> None:
        self.task = task
        self.failed = 0
        self.tokens = 0


def _table(title: str, efforts: Sequence[Effort]) -> object:
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("member", "requests", "samples", "there already", "tokens", "time alone"):
        table.add_column(column, justify="left" if column == "member" else "right")
    for effort in efforts:
        table.add_row(
            shown(effort.model), f"{effort.requests:,}", f"{effort.samples:,}", f"{effort.there:,}",
            "?" if effort.tokens is None else f"about {effort.tokens:,}",
            "?" if effort.seconds is None else _time(effort.seconds),
        )  # fmt: skip
    return table


def _time(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004
