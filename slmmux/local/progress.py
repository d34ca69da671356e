"""The progress of a download: a bar on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Progress", "bar"]

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in total) as bytes arrive; the same numbers may come twice."""


@contextmanager
def bar(console: "Console | None" = None) -> Iterator[Progress]:
    """Show a bar while bytes arrive; without a download, nothing appears.

    Args:
        console: The console of the bar; standard error if `None`.

    Example:
        >>> with bar() as progress:                            # doctest: +SKIP
        ...     fetch("smollm2-135m-instruct", progress=progress)
    """
    from rich.console import Console  # noqa: PLC0415 - only a download needs it
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    console = console if console is not None else Console(stderr=True)
    bars = Bars(BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), console=console)
    try:

        def progress(arrived: int, total: int) -> None:
            if not bars.tasks:
                bars.add_task("", total=total)
                bars.start()  # not earlier: a model in the cache needs no bar
            bars.update(bars.task_ids[0], completed=arrived, total=total)

        yield progress
    finally:
        if bars.tasks:  # stopping a bar that never started prints an empty line
            bars.stop()
