"""What a decision rests on, to look at: in a notebook, on a terminal, as text.

Knows results of either framework by what they carry, and imports none.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slmmux._display.members import Shown, read_decision, read_record
from slmmux._errors import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Who said what, how sure each member was, and who speaks.

    The last expression of a notebook's cell shows as a table of coloured chips, one colour an answer; `rich.print`
    shows it on a terminal, and `str` is the same as plain text. What models wrote is escaped in each.

    Attributes:
        members: A row a member, in rank order.
        sentences: Who speaks and why, what it took, and whether the mux abstained or escalated.
    """

    members: tuple[Shown, ...]
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        rows = [("member", "samples", "vote")]
        for member in self.members:
            mark = "➜ " if member.speaks else "  "
            chips = " | ".join(chip.says for chip in member.chips)
            rows.append((f"{mark}{member.model}", chips, f"{member.share}  {member.vote}"))
        first, second = (max(_width(row[column]) for row in rows) for column in range(2))
        table = [f"{_padded(member, first)}  {_padded(chips, second)}  {vote}" for member, chips, vote in rows]
        return "\n".join([*table, *self.sentences])

    __repr__ = __str__  # at a prompt it shows itself, as in a notebook

    def _repr_html_(self) -> str:
        from slmmux._display.html import html  # noqa: PLC0415 - only a notebook asks

        return html(self.members, self.sentences)

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        from slmmux._display.table import table  # noqa: PLC0415 - it brings rich

        yield from table(self.members, self.sentences, console)


def explain(decided: Any) -> Explanation:
    """Show what a decision rests on.

    Args:
        decided: What a mux returned: a LangChain message, a LlamaIndex response, or the record in either; a `Decision`;
            or an `AbstainedError`. A record tells how often a member gave each answer, a decision which sample gave it.
            A record of an older version tells the vote alone; whoever said something else said "another answer".

    Returns:
        The explanation; a notebook shows it, `print` and `rich.print` do.

    Raises:
        ArgumentError: It carries no record, or one that cannot be read.

    Example:
        >>> from slmmux import Answer, Draw, Race
        >>> race = Race({"qwen": 3, "phi": 2}, read=lambda text: Answer(text, "text", text), wait="exhausted")
        >>> said = {"qwen": ["Oslo", "Bergen", "Oslo"], "phi": ["Oslo", "Oslo"]}
        >>> for draw in race.ask():
        ...     race.tell(draw, said[draw.model][draw.index])
        >>> print(explain(race.decision))
        member  samples               vote
          qwen  Oslo | Bergen | Oslo  2/3  Oslo
        ➜ phi   Oslo | Oslo           2/2  Oslo
        phi speaks: confidence 1.00, decided by confidence (exhausted); 5 of 5 samples
    """
    if all(hasattr(decided, name) for name in ("winner", "votes", "samples", "unused")):
        return Explanation(*read_decision(decided))
    record = _record(decided)
    if record is None:
        raise ArgumentError(
            f"there is no record in this {_kind(decided)}; pass what a mux returned (a message or response), "
            'its record (response_metadata["slmmux"] or raw["slmmux"]), or a Decision'
        )
    return Explanation(*read_record(record))


def _record(decided: Any) -> Mapping[str, Any] | None:
    """Return the record that something carries: itself, what holds it, or the message in a structured output."""
    if isinstance(decided, Mapping):
        if isinstance(decided.get("slmmux"), Mapping):
            return decided["slmmux"]  # type: ignore[no-any-return]
        if "votes" in decided:
            return decided
        return _record(decided["raw"]) if "raw" in decided else None
    if isinstance(record := getattr(decided, "record", None), Mapping):
        return record  # an AbstainedError
    for holder in ("response_metadata", "raw"):
        held = getattr(decided, holder, None)
        if isinstance(held, Mapping) and isinstance(held.get("slmmux"), Mapping):
            return held["slmmux"]  # type: ignore[no-any-return]
    return None


def _kind(decided: Any) -> str:
    if isinstance(decided, Mapping):
        return f"dict with the keys {', '.join(map(repr, list(decided)[:5]))}" if decided else "empty dict"
    if isinstance(decided, Sequence) and not isinstance(decided, str):
        return f"{type(decided).__name__}: explain one result at a time"
    return type(decided).__name__


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return how many columns a text takes: East Asian characters take two, those that combine none."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)
