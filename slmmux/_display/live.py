"""The live table of `slmmux ask`: it fills as samples arrive, and ends as `explain()` displays the record."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult

from slmmux._display.members import Chip, Look, MemberRow, answer_chip, in_colours, read_record, status_chip
from slmmux._display.table import table
from slmmux._display.text import block

__all__ = ["Board"]


class Board:
    """A row for each member, a chip for each sample.

    Args:
        samples: k by label, in rank order.
    """

    def __init__(self, samples: Mapping[str, int]) -> None:
        self._samples = samples
        self._chips: dict[str, dict[int, Chip]] = {label: {} for label in samples}
        self._record: Mapping[str, Any] | None = None
        self._start = time.monotonic()

    def add_sample(self, sample: Any) -> None:
        """Display a `slmmux.Sample` as it is counted; a call that is abandoned never becomes one."""
        if sample.error is not None:
            chip = status_chip("failed")
        elif sample.answer is None:
            chip = status_chip("no answer")
        else:
            chip = answer_chip(sample.answer.value, (block(sample.answer.value), 1))
        self._chips[sample.draw.model][sample.draw.index] = chip

    def finish(self, record: Mapping[str, Any]) -> None:
        """Display the decision's record."""
        seconds = record.get("seconds")
        self._record = {**record, "seconds": time.monotonic() - self._start if seconds is None else seconds}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._record is None:
            members = [
                MemberRow(label, self._row(label, "awaited"), "", "", "", speaks=False) for label in self._samples
            ]
            sentences: tuple[str, ...] = (f"asking ... {time.monotonic() - self._start:.1f} s",)
        else:
            rows, sentences = read_record(self._record)
            # By the record's labels: a row has its label as one line, which need not be the label itself.
            labels = [vote["model"] for vote in self._record["votes"]]
            members = [
                replace(row, chips=_with_votes(self._row(label, "not needed"), row.chips))
                for label, row in zip(labels, rows, strict=True)
            ]
        yield from table(in_colours(members), sentences, console)

    def _row(self, label: str, otherwise: Look) -> tuple[Chip, ...]:
        return tuple(self._chips[label].get(i, status_chip(otherwise)) for i in range(self._samples[label]))


def _with_votes(chips: Sequence[Chip], counted: Sequence[Chip]) -> tuple[Chip, ...]:
    """Return a member's samples in order of their index, each with the answer that the record counts it for.

    The record has one wording for each answer. Samples with another wording ("Oslo." for "Oslo") have no chip of their
    own there. If exactly one of the record's answers still has counts to give, and as many as there are such samples,
    they belong to it.
    """
    remaining = Counter(chip.answer for chip in counted if chip.answer is not None)
    wordings = set(remaining)
    remaining.subtract(chip.answer for chip in chips if chip.answer in wordings)
    unassigned = sum(chip.answer is not None and chip.answer not in wordings for chip in chips)
    candidates = [answer for answer, count in remaining.items() if count > 0]
    if len(candidates) != 1 or remaining[candidates[0]] != unassigned:
        return tuple(chips)
    return tuple(
        replace(chip, answer=candidates[0]) if chip.answer is not None and chip.answer not in wordings else chip
        for chip in chips
    )
