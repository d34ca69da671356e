"""A decision as rows to look at: a row a member in rank order, a chip a sample.

Read from a record or from a decision; how they are drawn is the business of others.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from slmmux._display.sentences import sentences, spoken
from slmmux._display.text import LONGEST, cut, line, whole
from slmmux._errors import ArgumentError, quote

__all__ = ["Chip", "Look", "Shown", "in_colours", "own_look", "read_decision", "read_record", "said"]

Look = Literal["answer", "another", "no answer", "failed", "not needed", "awaited"]

# What a chip without an answer of its own says, and why.
_SAYS: dict[Look, tuple[str, str]] = {
    "another": ("another answer", "an answer that did not win this member's vote; the record does not say which"),
    "no answer": ("no answer", "a reply came, but no answer was read in it"),
    "failed": ("failed", "the call failed"),
    "not needed": ("not needed", "never asked, or no longer waited for"),
    "awaited": ("·", "not in yet"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """One sample.

    Attributes:
        says: Its answer as one line, cut where it is long; or that there is none.
        look: What became of the sample.
        title: All of the answer where it was cut; why there is none where there is none.
        answer: What makes its answer equal to others'; `None` where it has none, or none that is known.
        colour: Which of the answers it is, in order of appearance over all members; `None` with `answer`.
    """

    says: str
    look: Look = "answer"
    title: str = ""
    answer: Hashable = None
    colour: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """One member.

    Attributes:
        model: Its label, as one line.
        chips: Its samples, k of them.
        vote: Its most frequent answer, as a chip shows it; "" while there is no vote.
        share: How many of its k samples gave it, such as "4/5".
        title: All of the vote where it was cut.
        speaks: Whether its vote won.
    """

    model: str
    chips: tuple[Chip, ...]
    vote: str
    share: str
    title: str
    speaks: bool


def said(value: Any, answer: Hashable) -> Chip:
    """Return the chip of an answer that was read."""
    return Chip(cut(line(value), LONGEST), title=_title(value), answer=answer)


def own_look(look: Look, why: str = "") -> Chip:
    """Return the chip of a sample without an answer, or of one whose answer is not known."""
    says, because = _SAYS[look]
    return Chip(says, look, f"{because}: {why}" if why else because)


def in_colours(members: Iterable[Shown]) -> tuple[Shown, ...]:
    """Return the members with each answer numbered by when it first appears."""
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


def read_record(record: Mapping[str, Any]) -> tuple[tuple[Shown, ...], tuple[str, ...]]:
    """Return members and sentences of a record, one of an older version included.

    Raises:
        ArgumentError: Something in it is not as we write it; names what.
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
    winner = spoken(record)["model"]
    members = in_colours(
        _member(
            row["model"],
            tuple(_recorded(row)),
            row.get("answer"),
            f"{row['count']}/{row['of']}",
            row["model"] == winner,
        )
        for row in votes
    )
    return members, tuple(sentences(record))


def _unreadable(what: str, found: Any) -> ArgumentError:
    return ArgumentError(
        f"this record cannot be read: {what} is {cut(line(repr(found)), 80)}; pass a record as the mux wrote it, "
        'response_metadata["slmmux"] or raw["slmmux"]'
    )


def _recorded(row: Mapping[str, Any]) -> Iterator[Chip]:
    """Give the samples of a vote row: its answers, most frequent first, then those without one; of them in all."""
    silent = [
        *(own_look("no answer") for _ in range(row["abstained"])),
        *(own_look("failed") for _ in range(row["failed"])),
        *(own_look("not needed") for _ in range(row["unused"])),
    ]
    room = row["of"] - len(silent)
    for chip in _answers(row):
        if room > 0:  # a record that counts a sample in two groups shows it once
            room -= 1
            yield chip
    yield from (own_look("another") for _ in range(room))
    yield from silent[: row["of"]]


def _answers(row: Mapping[str, Any]) -> Iterator[Chip]:
    pairs = row.get("answers")
    if pairs is None:  # older records have the vote alone
        pairs = [[row.get("answer"), row["count"]]] if row["count"] else []
    if not isinstance(pairs, Sequence) or isinstance(pairs, str):
        raise _unreadable("answers", pairs)
    times: dict[str, int] = {}  # two answers of one member that are written alike are two all the same
    for pair in pairs:
        if not isinstance(pair, Sequence) or len(pair) != 2 or not isinstance(pair[1], int):  # noqa: PLR2004
            raise _unreadable("an entry of answers", pair)
        value, count = pair
        written = whole(value)
        times[written] = times.get(written, 0) + 1
        for _ in range(count):
            yield said(value, (written, times[written]))


# --- a decision ------------------------------------------------------------------------------------------------------


def read_decision(decision: Any) -> tuple[tuple[Shown, ...], tuple[str, ...]]:
    """Return members and sentences of a `slmmux.Decision`, every sample at its index."""
    winner, votes = decision.winner, decision.votes
    members = []
    for vote in votes:
        samples = {s.draw.index: s for s in decision.samples if s.draw.model == vote.model}
        groups = _groups({i: s for i, s in samples.items() if s.error is None and s.answer is not None}, vote)
        chips = tuple(_sampled(samples.get(i), groups.get(i)) for i in range(vote.of))
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
        "samples": {"planned": planned, "used": planned - len(decision.unused)},
        "seconds": getattr(decision, "seconds", None),
    }
    return in_colours(members), tuple(sentences(facts))


def _sampled(sample: Any, group: Hashable) -> Chip:
    if sample is None:
        return own_look("not needed")
    if sample.error is not None:
        return own_look("failed", whole(quote(sample.error)))
    if sample.answer is None:
        return own_look("no answer")
    return said(sample.answer.value, group)


def _groups(samples: Mapping[int, Any], vote: Any) -> dict[int, Hashable]:
    """Return what makes each sample's answer equal to others: its key, or that of the group it was counted in.

    Where equality was no key, groups are formed again as the vote formed them: each sample joins the first group whose
    first sample it agrees with; where the vote counted a centre and its neighbours instead, these are one group.
    """
    agree = {i: {j for j, other in samples.items() if j == i or _key(other) == _key(samples[i])} for i in samples}
    for i, sample in samples.items():
        for j in sample.alike.keys() & samples.keys():
            agree[i].add(j)
            agree[j].add(i)
    group = _classes(agree, samples)
    voted = [i for i in sorted(samples) if line(samples[i].answer.value) == line(vote.answer)]
    if not any(list(group.values()).count(group[i]) == vote.count for i in voted):
        centre = next((i for i in voted if len(agree[i]) == vote.count), None)
        if centre is not None:
            group = _classes(agree, samples.keys() - agree[centre]) | dict.fromkeys(agree[centre], centre)
    return {i: _key(samples[first]) for i, first in group.items()}


def _classes(agree: Mapping[int, Iterable[int]], indices: Iterable[int]) -> dict[int, int]:
    """Return the first sample of each one's class; in index order each joins the first class whose first agrees."""
    firsts: dict[int, int] = {}
    for i in sorted(indices):
        firsts[i] = next((first for first in dict.fromkeys(firsts.values()) if first in agree[i]), i)
    return firsts


def _key(sample: Any) -> tuple[str, str]:
    return sample.answer.kind, sample.answer.key


# --- both ------------------------------------------------------------------------------------------------------------


def _member(model: str, chips: tuple[Chip, ...], answer: Any, share: str, speaks: bool) -> Shown:  # noqa: FBT001
    return Shown(line(model), chips, cut(line(answer), LONGEST), share, _title(answer), speaks)


def _title(value: Any) -> str:
    return whole(value) if len(line(value)) > LONGEST else ""
