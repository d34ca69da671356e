"""The live table of `slmmux ask`: who said what, filling as samples arrive.

It knows members, answers and seconds; where they come from is the caller's business.
"""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from slmmux._terminal import shown

__all__ = ["Board"]

_WIDEST = 18  # characters of one sample in its row


class Board:
    """One row a member, one chip a sample.

    Args:
        samples: k by label, in rank order.
    """

    def __init__(self, samples: Mapping[str, int]) -> None:
        self._samples = samples
        self._chips: dict[str, dict[int, Text]] = {label: {} for label in samples}
        self._record: Mapping[str, Any] | None = None
        self._begun = time.monotonic()
        self._ended: float | None = None

    def answered(self, label: str, index: int, answer: Any) -> None:
        """Show a sample's answer; `None`: none was found in it."""
        chip = shown("no answer", "dim italic") if answer is None else shown(answer, limit=_WIDEST)
        self._chips[label][index] = chip

    def failed(self, label: str, index: int, *, unneeded: bool) -> None:
        """Show that a sample's call failed, or was no longer needed."""
        self._chips[label][index] = shown("not needed", "dim") if unneeded else shown("failed", "red")

    def decided(self, record: Mapping[str, Any]) -> None:
        """Show the decision's record."""
        self._record = record
        self._ended = time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        votes = {vote["model"]: vote for vote in self._record["votes"]} if self._record else {}
        winner = self._record["model"] if self._record else None
        table = Table(box=None, pad_edge=False, show_edge=False)
        table.add_column("member", no_wrap=True)
        table.add_column("samples", overflow="fold")
        table.add_column("vote", justify="right", no_wrap=True)
        missing = Text("not needed" if self._record else "·", style="dim")
        for label, k in self._samples.items():
            chips = [self._chips[label].get(i, missing) for i in range(k)]
            vote = votes.get(label)
            says = (
                Text.assemble(f"{vote['count']}/{vote['of']}  ", shown(vote["answer"], limit=_WIDEST)) if vote else ""
            )
            mark = "➜ " if label == winner else "  "
            style = "bold green" if label == winner else ""
            table.add_row(Text(mark, style=style) + shown(label, style), Text(" | ", style="dim").join(chips), says)
        yield table
        yield Text(self._summary(), style="dim")

    def _summary(self) -> str:
        seconds = (self._ended or time.monotonic()) - self._begun
        if self._record is None:
            return f"asking ... {seconds:.1f} s"
        samples, usage = self._record["samples"], self._record["usage"]
        return (
            f"{self._record['model']} speaks: confidence {self._record['confidence']:.2f}, decided by "
            f"{self._record['decided_by']} ({self._record['reason']}); "
            f"{samples['used']} of {samples['planned']} samples, "
            f"{usage['input_tokens']} + {usage['output_tokens']} tokens, {seconds:.1f} s"
        )
