"""A decision as rows for display: a row for each member in rank order, a chip for each sample.

The rows are read from a record or from a decision; `html` and `table` draw them.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from slmmux._display.sentences import members_choice, sentences
from slmmux._display.text import LONGEST, block, line, shorten
from slmmux._errors import ArgumentError, quote

__all__ = ["Chip", "Look", "MemberRow", "answer_chip", "in_colours", "read_decision", "read_record", "status_chip"]

Look = Literal["answer", "another", "no answer", "failed", "not needed", "awaited"]

# The text and the explanation of a chip that has no answer of its own.
_STATUS: dict[Look, tuple[str, str]] = {
    "another": ("another answer", "an answer that did not win this member's vote; the record does not have it"),
    "no answer": ("no answer", "the reply contains no answer that could be read"),
    "failed": ("failed", "the call failed"),
    "not needed": ("not needed", "never requested, or still outstanding at the decision"),
    "awaited": ("·", "not here yet"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """One sample.

    Attributes:
        text: The answer as one line, shortened if it is long; or the status of a sample without one.
        look: The sample's status.
        title: The whole answer if it was shortened; the reason, if there is no answer.
        answer: Equal for equal answers; `None` if there is no answer, or if the record does not have it.
        colour: The answer's number in order of appearance over all members; `None` if `answer` is.
    """

    text: str
    look: Look = "answer"
    title: str = ""
    answer: Hashable = None
    colour: int | None = None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member.

    Attributes:
        model: The member's label, as one line.
        chips: Its k samples.
        vote: Its most frequent answer as a chip shows it; "" while there is no vote.
        share: The share of its k samples with this answer, such as "4/5".
        title: The whole vote if it was shortened.
        speaks: Whether its vote won.
    """

    model: str
    chips: tuple[Chip, ...]
    vote: str
    share: str
    title: str
    speaks: bool


def answer_chip(value: Any, answer: Hashable) -> Chip:
    """Return the chip of an answer."""
    return Chip(shorten(line(value), LONGEST), title=_title(value), answer=answer)


def status_chip(look: Look, detail: str = "") -> Chip:
    """Return the chip of a sample without an answer, or of one whose answer the record does not have."""
    text, reason = _STATUS[look]
    return Chip(text, look, f"{reason}: {detail}" if detail else reason)


def in_colours(members: Iterable[MemberRow]) -> tuple[MemberRow, ...]:
    """Return the members with the answers numbered in the order in which they first appear."""
    numbers: dict[Hashable, int] = {}
    return tuple(
        replace(
            member,
            chips=tuple(
                chip if chip.answer is None else replace(chip, colour=numbers.setdefault(chip.answer, len(numbers)))
                for chip in member.chips
            ),
        )
        for member in members
    )


# --- a record --------------------------------------------------------------------------------------------------------


def read_record(record: Mapping[str, Any]) -> tuple[tuple[MemberRow, ...], tuple[str, ...]]:
    """Return the members and the sentences of a record; one of an older version can be read too.

    Raises:
        ArgumentError: A field is not what the mux writes; the sentence names it.
    """
    votes = record.get("votes")
    if not isinstance(votes, Sequence) or isinstance(votes, str) or not votes:
        raise _unreadable("votes", votes)
    if not isinstance(record.get("model"), str):
        raise _unreadable("model", record.get("model"))
    for name in ("confidence", "probability", "seconds"):
        if not isinstance(value := record.get(name), int | float | None):
            raise _unreadable(name, value)
    for i, row in enumerate(votes):
        if not isinstance(row, Mapping):
            raise _unreadable(f"votes[{i}]", row)
        if not isinstance(row.get("model"), str):
            raise _unreadable(f"votes[{i}]['model']", row.get("model"))
        for name in ("count", "of", "abstained", "failed", "unused"):
            value = row.get(name)
            if not isinstance(value, int) or isinstance(value, bool) or value < (name == "of"):
                raise _unreadable(f"votes[{i}][{name!r}]", value)
    winner = members_choice(record)["model"]
    members = in_colours(
        _member(
            row["model"],
            tuple(_row_chips(row)),
            row.get("answer"),
            f"{row['count']}/{row['of']}",
            row["model"] == winner,
        )
        for row in votes
    )
    return members, tuple(sentences(record))


def _unreadable(field: str, value: Any) -> ArgumentError:
    return ArgumentError(
        f"this record cannot be read: {field} is {shorten(line(repr(value)), 80)}; pass a record as the mux wrote it, "
        'response_metadata["slmmux"] or raw["slmmux"]'
    )


def _row_chips(row: Mapping[str, Any]) -> Iterator[Chip]:
    """Yield the k samples of a vote row: its answers, the most frequent first, then the samples without an answer."""
    without_answer = [
        *(status_chip("no answer") for _ in range(row["abstained"])),
        *(status_chip("failed") for _ in range(row["failed"])),
        *(status_chip("not needed") for _ in range(row["unused"])),
    ]
    room = row["of"] - len(without_answer)
    for chip in _answers(row):
        if room > 0:  # a record that counts a sample in two groups displays it once
            room -= 1
            yield chip
    yield from (status_chip("another") for _ in range(room))
    yield from without_answer[: row["of"]]


def _answers(row: Mapping[str, Any]) -> Iterator[Chip]:
    pairs = row.get("answers")
    if pairs is None:  # older records have the vote alone
        pairs = [[row.get("answer"), row["count"]]] if row["count"] else []
    if not isinstance(pairs, Sequence) or isinstance(pairs, str):
        raise _unreadable("answers", pairs)
    times: dict[str, int] = {}  # unequal answers of one member can have the same wording
    for pair in pairs:
        if not isinstance(pair, Sequence) or len(pair) != 2 or not isinstance(pair[1], int):  # noqa: PLR2004
            raise _unreadable("an entry of answers", pair)
        value, count = pair
        wording = block(value)
        times[wording] = times.get(wording, 0) + 1
        for _ in range(count):
            yield answer_chip(value, (wording, times[wording]))


# --- a decision ------------------------------------------------------------------------------------------------------


def read_decision(decision: Any) -> tuple[tuple[MemberRow, ...], tuple[str, ...]]:
    """Return the members and the sentences of a `slmmux.Decision`, with every sample at its index."""
    winner, votes = decision.winner, decision.votes
    members = []
    for vote in votes:
        samples = {s.draw.index: s for s in decision.samples if s.draw.model == vote.model}
        groups = _groups({i: s for i, s in samples.items() if s.error is None and s.answer is not None}, vote)
        chips = tuple(_sample_chip(samples.get(i), groups.get(i)) for i in range(vote.of))
        share = f"{vote.count}/{vote.of}"
        members.append(_member(vote.model, chips, vote.answer, share, vote.model == winner.model))
    planned = sum(vote.of for vote in votes)
    facts = {
        "model": winner.model,
        "answer": winner.answer,
        "confidence": winner.count / winner.of,
        "probability": getattr(decision, "probability", None),
        "decided_by": decision.decided_by,
        "reason": decision.reason,
        "votes": [{"model": vote.model, "answer": vote.answer} for vote in votes],
        "samples": {"planned": planned, "used": len(decision.samples)},
        "seconds": getattr(decision, "seconds", None),
    }
    return in_colours(members), tuple(sentences(facts))


def _sample_chip(sample: Any, group: Hashable) -> Chip:
    if sample is None:
        return status_chip("not needed")
    if sample.error is not None:
        return status_chip("failed", block(quote(sample.error)))
    if sample.answer is None:
        return status_chip("no answer")
    return answer_chip(sample.answer.value, group)


def _groups(samples: Mapping[int, Any], vote: Any) -> dict[int, Hashable]:
    """Return a value for each sample that is equal for equal answers: the key of the first sample of its group.

    For an equality that is not a key, the groups are formed again as the vote formed them: each sample joins the first
    group whose first sample it agrees with. If the vote counted a centre and its neighbours, these are one group.
    """
    agree = {i: {j for j in samples if j == i or _key(samples[j]) == _key(samples[i])} for i in samples}
    for i, sample in samples.items():
        for j in sample.alike.keys() & samples.keys():
            agree[i].add(j)
            agree[j].add(i)
    group = _classes(agree, samples)
    # A decision does not name its grouping. Only one of the two explains the vote's count: classes are tried first.
    speakers = [i for i in sorted(samples) if line(samples[i].answer.value) == line(vote.answer)]
    if not any(list(group.values()).count(group[i]) == vote.count for i in speakers):
        centre = next((i for i in speakers if len(agree[i]) == vote.count), None)
        if centre is not None:
            group = _classes(agree, samples.keys() - agree[centre]) | dict.fromkeys(agree[centre], centre)
    return {i: _key(samples[first]) for i, first in group.items()}


def _classes(agree: Mapping[int, Iterable[int]], indices: Iterable[int]) -> dict[int, int]:
    """Return the first sample of each sample's class, formed in index order (`classes` in `_decision.groups`)."""
    firsts: dict[int, int] = {}
    for i in sorted(indices):
        firsts[i] = next((first for first in dict.fromkeys(firsts.values()) if first in agree[i]), i)
    return firsts


def _key(sample: Any) -> tuple[str, str]:
    return sample.answer.kind, sample.answer.key


# --- both ------------------------------------------------------------------------------------------------------------


def _member(model: str, chips: tuple[Chip, ...], answer: Any, share: str, speaks: bool) -> MemberRow:  # noqa: FBT001
    return MemberRow(line(model), chips, shorten(line(answer), LONGEST), share, _title(answer), speaks)


def _title(value: Any) -> str:
    return block(value) if len(line(value)) > LONGEST else ""
