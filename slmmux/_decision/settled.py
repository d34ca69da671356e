"""When no sample still outstanding can change (model, answer): exact, neither early nor late.

Knows nothing of plans or calls: it reads the tallies of the members in rank order.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import lcm

from slmmux._decision.rules import WeightedRule, text_of
from slmmux._decision.types import Answer
from slmmux._decision.vote import Tally, leader

__all__ = ["most_promising", "settled", "settled_by"]


def settled(tallies: Sequence[Tally]) -> bool:
    """Return whether the decision is the same under every completion of the outstanding samples.

    With leader L, its answer y, count c and k_L samples, both must hold:

    (a) no other answer of L, one never seen included, can reach c + 1, nor c with a first index below y's;
    (b) no rival m can reach (its top count + its outstanding) / k_m above c / k_L, nor equal to it
        when m ranks first.

    It is exact because each way of failing has a completion that realises it: all of L's outstanding
    samples giving the one other answer, or all of m's giving its top answer while L's abstain.
    Without any answer yet, any outstanding sample could bring the first one.
    """
    lead = leader(tallies)
    if lead.best is None:
        return not any(t.outstanding for t in tallies)
    return _answer_stands(lead) and _no_rival_can_win(lead, tallies)


def most_promising(tallies: Sequence[Tally]) -> Tally | None:
    """Return the member with samples outstanding that could become the most confident; equals fall to the rank.

    What it could reach is (its top count + its outstanding) / k, compared cross-multiplied. `None`: nobody has any.
    """
    best: Tally | None = None
    for tally in tallies:
        if tally.outstanding and (
            best is None or (tally.count + tally.outstanding) * best.of > (best.count + best.outstanding) * tally.of
        ):
            best = tally
    return best


def _answer_stands(lead: Tally) -> bool:
    assert lead.best is not None  # noqa: S101 - `settled` asked
    if not lead.outstanding:
        return True
    # The strongest other answer is the second place or, where all seen are y, one never seen.
    reach = lead.outstanding + (lead.second.count if lead.second else 0)
    first = min(lead.lowest_outstanding, lead.second.first if lead.second else lead.of)
    return (reach, -first) < (lead.best.count, -lead.best.first)


def _no_rival_can_win(lead: Tally, tallies: Sequence[Tally]) -> bool:
    ranks_first = False  # L against this rival: those listed before L win a tie, those after it lose one
    for rival in tallies:
        if rival is lead:
            ranks_first = True
            continue
        reach = (rival.count + rival.outstanding) * lead.of
        limit = lead.count * rival.of
        if reach > limit or (reach == limit and not ranks_first):
            return False
    return True


def settled_by(rule: WeightedRule, tallies: Sequence[Tally]) -> bool:
    """Return whether (model, answer) is the same under every completion of the outstanding samples.

    With y the answer of the highest score so far, both must hold:

    (a) no other answer z, one never seen included, can pass y: the sum over members of the best split of each one's
        outstanding samples between y, z and neither, for z, and of what the rule gives z itself over y, is below 0; or
        it is 0, so that z could draw level, and y was first given by a better-ranked member, or at a lower index, than
        z is or could yet be;
    (b) no other member can come to speak for y: its largest possible w f(y) is below the speaker's least, or equal to
        it and it ranks behind.

    The members' samples are independent, and so are the best splits: (a) is exact, but that the split that draws level
    need not be the one that takes the tie.
    """
    if not any(tally.outstanding for tally in tallies):
        return True
    given = {tally.model: tally.given() for tally in tallies}
    ruling = rule.decide(given, {tally.model: tally.of for tally in tallies})
    if ruling is None:
        return False
    members = list(_contributions(rule, {tally.model: tally for tally in tallies}, given))
    whole = lcm(*(tally.of for tally in tallies))
    worths = {text: worth * whole for text, worth in rule.answers}
    answer = ruling.answer
    return _answer_stands_by_rule(members, answer, worths) and _speaker_stands(members, answer, ruling.model)


class _Contribution:
    """One member as the rule sees it: what each sample of it is worth, and what can still come."""

    __slots__ = ("bonus", "counts", "firsts", "lowest", "model", "of", "outstanding", "worth")

    def __init__(self, tally: Tally, given: Mapping[Answer, tuple[int, int]], worth: int, bonus: int) -> None:
        self.model = tally.model
        self.of = tally.of
        self.outstanding = tally.outstanding
        self.lowest = tally.lowest_outstanding
        self.worth = worth
        self.bonus = bonus
        self.counts = {answer: count for answer, (count, _) in given.items()}
        self.firsts = {answer: first for answer, (_, first) in given.items()}

    def swing(self, y: Answer, z: Answer | None) -> int:
        """Return the most that S(z) - S(y) can become from this member alone."""
        o, cy, cz = self.outstanding, self.counts.get(y, 0), self.counts.get(z, 0) if z is not None else 0

        def difference(to_y: int, to_z: int) -> int:
            sure = (cz + to_z == self.of) - (cy + to_y == self.of)
            return self.worth * (cz + to_z - cy - to_y) + self.bonus * sure

        # Linear but where one of the two becomes unanimous: the corners, and the points beside them.
        splits = {(0, 0), (o, 0), (0, o), (o - 1, 0), (0, o - 1), (o - 1, 1), (1, o - 1)}
        return max(difference(a, b) for a, b in splits if a >= 0 and b >= 0 and a + b <= o)

    def position(self, z: Answer | None) -> int:
        """Return the lowest index at which this member gives, or could yet give, an answer."""
        first = self.firsts.get(z, self.of) if z is not None else self.of
        return min(first, self.lowest) if self.outstanding else first


def _contributions(
    rule: WeightedRule, tallies: Mapping[str, Tally], given: Mapping[str, Mapping[Answer, tuple[int, int]]]
) -> Iterator[_Contribution]:
    whole = lcm(*(tally.of for tally in tallies.values()))
    for label, weight, bonus in zip(rule.models, rule.weights, rule.bonuses, strict=True):
        tally = tallies[label]
        yield _Contribution(tally, given[label], weight * (whole // tally.of), bonus * whole)


def _answer_stands_by_rule(members: Sequence[_Contribution], y: Answer, worths: Mapping[str, int]) -> bool:
    rivals = {answer for member in members for answer in member.counts if answer != y}
    own = worths.get(text_of(y), 0) if worths else 0
    # An answer that nobody gave so far could be any of those that the rule gives a worth of their own.
    unseen = max(0, *worths.values()) if worths else 0
    position = next((rank, m.firsts[y]) for rank, m in enumerate(members) if y in m.firsts)
    for z in (None, *rivals):
        worth = unseen if z is None else worths.get(text_of(z), 0) if worths else 0
        lead = sum(member.swing(y, z) for member in members) + worth - own
        if lead > 0:
            return False
        if lead == 0:
            first = min(((rank, m.position(z)) for rank, m in enumerate(members) if m.position(z) < m.of), default=None)
            if first is not None and first < position:
                return False
    return True


def _speaker_stands(members: Sequence[_Contribution], y: Answer, speaker: str) -> bool:
    own = next(m for m in members if m.model == speaker)
    count = own.counts[y]
    least = min(own.worth * count, own.worth * (count + own.outstanding))
    ranks_first = False  # the speaker against this rival
    for rival in members:
        if rival is own:
            ranks_first = True
            continue
        count = rival.counts.get(y, 0)
        low, high = max(count, 1), count + rival.outstanding
        if low <= high:
            reach = max(rival.worth * low, rival.worth * high)
            if reach > least or (reach == least and not ranks_first):
                return False
    return True
