"""An explanation on a terminal: the table that `slmmux ask` fills and `explain()` displays."""

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from slmmux._display.html import GROUNDS, INK
from slmmux._display.members import Chip, Look, MemberRow
from slmmux._display.terminal import text_line

__all__ = ["table"]

_STYLES: dict[Look, str] = {
    "answer": "",
    "another": "italic",
    "no answer": "dim italic",
    "failed": "red",
    "not needed": "dim",
    "awaited": "dim",
}


def table(members: Sequence[MemberRow], sentences: Sequence[str], console: Console) -> Iterator[RenderableType]:
    """Yield the table and the sentences below it, with coloured chips if the console has these colours."""
    has_grounds = console.color_system in {"truecolor", "256"} and not console.no_color
    rows = Table(box=None, pad_edge=False, show_edge=False)
    rows.add_column("member", no_wrap=True)
    rows.add_column("samples")
    rows.add_column("vote", no_wrap=True)
    for member in members:
        style = "bold green" if member.speaks else ""
        mark = Text("➜ " if member.speaks else "  ", style=style)
        vote = Text.assemble(f"{member.share}  ", text_line(member.vote)) if member.share else ""
        chips = _Chips([_chip(chip, has_grounds=has_grounds) for chip in member.chips], " " if has_grounds else " | ")
        rows.add_row(mark + text_line(member.model, style), chips, vote)
    yield rows
    for sentence in sentences:
        yield text_line(sentence, "dim")


def _chip(chip: Chip, *, has_grounds: bool) -> Text:
    text = text_line(chip.text, _STYLES[chip.look])
    if has_grounds and chip.colour is not None and chip.colour < len(GROUNDS):
        return Text(f" {text.plain} ", style=f"{INK} on {GROUNDS[chip.colour]}")
    return text


class _Chips:
    """Chips in lines, as many in each as fit; a chip is broken only if it does not fit in a line of its own."""

    def __init__(self, chips: Sequence[Text], between: str) -> None:
        self._chips = chips
        self._between = Text.assemble((between, "dim"))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widths = [chip.cell_len for chip in self._chips]
        apart = self._between.cell_len
        return Measurement(max(widths), sum(widths) + apart * (len(widths) - 1)).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[list[Text]] = [[]]
        filled = 0  # columns of the last line
        for chip in self._chips:
            width = chip.cell_len + self._between.cell_len  # a separator also ends a line, except the last
            if lines[-1] and filled + width > options.max_width + (chip is self._chips[-1]) * self._between.cell_len:
                lines.append([])
                filled = 0
            lines[-1].append(chip)
            filled += width
        for i, chips in enumerate(lines):
            end = self._between.copy() if i < len(lines) - 1 else Text()
            end.rstrip()
            yield self._between.join(chips) + end
