"""The live table of `slmmux ask`: who said what, filling as samples arrive; it ends as `explain()` shows a record.

It knows members, answers and seconds; where they come from is the caller's business.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult

from slmmux._display.members import Chip, Look, Shown, in_colours, own_look, read_record, said
from slmmux._display.table import table
from slmmux._display.text import whole

__all__ = ["Board"]


class Board:
    """One row a member, one chip a sample.

    Args:
        samples: k by label, in rank order.
    """

    def __init__(self, samples: Mapping[str, int]) -> None:
        self._samples = samples
        self._chips: dict[str, dict[int, Chip]] = {label: {} for label in samples}
        self._record: Mapping[str, Any] | None = None
        self._begun = time.monotonic()

    def answered(self, label: str, index: int, answer: Any) -> None:
        """Show a sample's answer; `None`: none was found in it."""
        self._chips[label][index] = own_look("no answer") if answer is None else said(answer, (whole(answer), 1))

    def failed(self, label: str, index: int, *, unneeded: bool) -> None:
        """Show that a sample's call failed, or was no longer needed."""
        self._chips[label][index] = own_look("not needed" if unneeded else "failed")

    def decided(self, record: Mapping[str, Any]) -> None:
        """Show the decision's record."""
        seconds = record.get("seconds")
        self._record = {**record, "seconds": time.monotonic() - self._begun if seconds is None else seconds}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._record is None:
            members = [Shown(label, self._seen(label, "awaited"), "", "", "", speaks=False) for label in self._samples]
            sentences: tuple[str, ...] = (f"asking ... {time.monotonic() - self._begun:.1f} s",)
        else:
            recorded, sentences = read_record(self._record)
            members = [replace(m, chips=_counted(self._seen(m.model, "not needed"), m.chips)) for m in recorded]
        yield from table(in_colours(members), sentences, console)

    def _seen(self, label: str, missing: Look) -> tuple[Chip, ...]:
        return tuple(self._chips[label].get(i, own_look(missing)) for i in range(self._samples[label]))


def _counted(seen: Sequence[Chip], recorded: Sequence[Chip]) -> tuple[Chip, ...]:
    """Return the samples as they were seen, each with the answer the record counted it for.

    The record has each answer as one sample wrote it. Where the others wrote it in another way, as "Oslo." for "Oslo",
    and one answer alone has counts left for them, they are of that one.
    """
    left = Counter(chip.answer for chip in recorded if chip.answer is not None)
    known = set(left)
    left.subtract(chip.answer for chip in seen if chip.answer in known)
    others = sum(chip.answer is not None and chip.answer not in known for chip in seen)
    open_ = [answer for answer, count in left.items() if count > 0]
    of_all = open_[0] if len(open_) == 1 and left[open_[0]] == others else None
    return tuple(
        replace(chip, answer=of_all)
        if of_all is not None and chip.answer is not None and chip.answer not in known
        else chip
        for chip in seen
    )
