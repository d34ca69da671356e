"""A decision explained: in a notebook, on a terminal, as text.

Results of either framework are recognised by their attributes, so that neither is imported.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slmmux._display.members import MemberRow, read_decision, read_record
from slmmux._errors import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Each member's samples and confidence, and the member that speaks.

    A notebook displays it as a table of coloured chips, one colour for each answer; `rich.print` displays it on a
    terminal, and `str` returns it as plain text. Text from models is escaped in all of them.

    Attributes:
        members: A row for each member, in rank order.
        sentences: The member that speaks and why, the cost, and whether the mux abstained or escalated.
    """

    members: tuple[MemberRow, ...]
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        rows = [("member", "samples", "vote")]
        for member in self.members:
            mark = "➜ " if member.speaks else "  "
            chips = " | ".join(chip.text for chip in member.chips)
            rows.append((f"{mark}{member.model}", chips, f"{member.share}  {member.vote}"))
        first, second = (max(_width(row[column]) for row in rows) for column in range(2))
        table = [f"{_padded(member, first)}  {_padded(chips, second)}  {vote}" for member, chips, vote in rows]
        return "\n".join([*table, *self.sentences])

    __repr__ = __str__  # a prompt displays it as a notebook does

    def _repr_html_(self) -> str:
        from slmmux._display.html import html  # noqa: PLC0415 - only a notebook calls it

        return html(self.members, self.sentences)

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        from slmmux._display.table import table  # noqa: PLC0415 - imports rich

        yield from table(self.members, self.sentences, console)


def explain(decided: Any) -> Explanation:
    """Explain a decision: the samples of each member, its confidence, and the member that speaks.

    Args:
        decided: A result of a mux (a LangChain message, a LlamaIndex response, or the record in either), a `Decision`,
            or an `AbstainedError`. A record has the count of each answer, a decision also the sample that gave it. A
            record of an older version only has each member's vote; the other answers are then called "another answer".

    Returns:
        The explanation, for a notebook, `print` or `rich.print`.

    Raises:
        ArgumentError: There is no record, or it cannot be read.

    Example:
        >>> from slmmux import Answer, Draw, Race
        >>> race = Race({"qwen": 3, "phi": 2}, read=lambda text: Answer(text, "text", text), wait="exhausted")
        >>> replies = {"qwen": ["Oslo", "Bergen", "Oslo"], "phi": ["Oslo", "Oslo"]}
        >>> for draw in race.ask():
        ...     race.tell(draw, replies[draw.model][draw.index])
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
            f"expected a result of a mux, received {_kind(decided)} without a record; pass the message or response, "
            'its record (response_metadata["slmmux"] or raw["slmmux"]), or a Decision'
        )
    return Explanation(*read_record(record))


def _record(decided: Any) -> Mapping[str, Any] | None:
    """Return a result's record: the result itself, a field of it, or a field of its raw message; else `None`."""
    if isinstance(decided, Mapping):
        if isinstance(decided.get("slmmux"), Mapping):
            return decided["slmmux"]  # type: ignore[no-any-return]
        if "votes" in decided:
            return decided
        return _record(decided["raw"]) if "raw" in decided else None
    if isinstance(record := getattr(decided, "record", None), Mapping):
        return record  # an AbstainedError
    for holder in ("response_metadata", "raw"):
        metadata = getattr(decided, holder, None)
        if isinstance(metadata, Mapping) and isinstance(metadata.get("slmmux"), Mapping):
            return metadata["slmmux"]  # type: ignore[no-any-return]
    return None


def _kind(decided: Any) -> str:
    if isinstance(decided, Mapping):
        return f"a dict with the keys {', '.join(map(repr, list(decided)[:5]))}" if decided else "an empty dict"
    if isinstance(decided, Sequence) and not isinstance(decided, str):
        return f"a {type(decided).__name__} (explain one result at a time)"
    return f"a value of type {type(decided).__name__}"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return the columns that a text takes: two for East Asian characters, none for combining ones."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)
