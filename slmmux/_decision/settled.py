"""Whether any outcome of the outstanding samples could still change (model, answer).

Both conditions below are exact: they hold as soon as no outcome can change the decision, and not before. This file
reads the members' tallies in rank order and knows neither plans nor calls.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import lcm, prod

from slmmux._decision.rules import WeightedRule
from slmmux._decision.types import Answer, text_of
from slmmux._decision.vote import Tally, leader

__all__ = ["cheapest_way", "is_settled", "is_settled_by", "most_promising"]


def is_settled(tallies: Sequence[Tally]) -> bool:
    """Return whether Algorithm 1 decides the same for every outcome of the outstanding samples.

    With leader L, its answer y, count c and k_L samples, both conditions must hold:

    (a) no other answer of L, observed or not, can reach c + 1, nor c with a first index below y's;
    (b) no rival m can lift (its top count + its outstanding) / k_m above c / k_L, nor to it if m ranks first.

    The conditions are sufficient: (a) keeps L's answer, (b) keeps L in front, whatever arrives. They are necessary too,
    because each way to fail has an outcome that realises it. If (a) fails, all of L's outstanding samples give the one
    other answer. If (b) fails, all of m's give m's top answer, and all of L's fail. Members are sampled independently,
    so these outcomes are possible; counts only grow, so failed calls and abstentions need no case of their own.

    Before the first answer any outstanding sample could bring one: nothing is settled while one is outstanding.
    """
    lead = leader(tallies)
    if lead.best is None:
        return not any(t.outstanding for t in tallies)
    return _keeps_answer(lead) and _keeps_lead(lead, tallies)


def most_promising(tallies: Sequence[Tally]) -> Tally | None:
    """Return the member with outstanding samples that can reach the highest confidence; equals fall to the rank.

    A member can reach (its top count + its outstanding) / k. The result is `None` if nothing is outstanding.
    """
    best: Tally | None = None
    for tally in tallies:
        # Cross-multiplied, as in `leader`: these are fractions over different k.
        if tally.outstanding and (
            best is None or (tally.count + tally.outstanding) * best.of > (best.count + best.outstanding) * tally.of
        ):
            best = tally
    return best


def cheapest_way(tallies: Sequence[Tally], costs: Mapping[str, float]) -> Tally | None:
    """Return the member whose next sample has the highest chance of settling the outcome for its cost.

    While another member than the leader can reach most, it is that one: nothing is settled without its samples. Else
    there are two ways to settle, each with the samples that it takes at least:

    - the leader gives its answer in all of its next samples until no rival can reach it;
    - every rival that can still reach the leader falls behind it.

    The chance that a member's next sample gives its most frequent answer is (count + 1) / (samples + 2), Laplace's rule
    of succession. A way's worth is its chance / its cost, and equal ways fall to the leader, as in `most_promising`.
    """
    top, lead = most_promising(tallies), leader(tallies)
    if top is not lead or lead.best is None or not _keeps_answer(lead):
        return top
    place = tallies.index(lead)
    blocking = [
        (rival, place < rank)
        for rank, rival in enumerate(tallies)
        if rival is not lead and _can_pass(rival, lead, ranks_first=place < rank)
    ]
    hits = next(
        hits
        for hits in range(1, lead.outstanding + 1)
        if hits == lead.outstanding
        or not any(_can_pass(rival, lead, ranks_first=first, hits=hits) for rival, first in blocking)
    )
    chance, cost = 1.0, 0.0
    for rival, ranks_first in blocking:
        misses = next(
            misses
            for misses in range(1, rival.of + 1)
            if not _can_pass(rival, lead, ranks_first=ranks_first, misses=misses)
        )
        if misses > rival.outstanding:
            return top  # it keeps what it has, and only the leader's own samples can settle that
        chance *= _chance_of_misses(rival, misses)
        cost += misses * costs[rival.model]
    if not blocking or _chance_of_hits(lead, hits) * cost >= chance * hits * costs[lead.model]:
        return top
    return most_promising([rival for rival, _ in blocking])


def _chance_of_hits(tally: Tally, samples: int) -> float:
    """Return the chance that a member's next samples all give its most frequent answer."""
    arrived = tally.of - tally.outstanding
    return prod((tally.count + 1 + i) / (arrived + 2 + i) for i in range(samples))


def _chance_of_misses(tally: Tally, samples: int) -> float:
    """Return the chance that none of a member's next samples gives its most frequent answer."""
    arrived = tally.of - tally.outstanding
    return prod((arrived - tally.count + 1 + i) / (arrived + 2 + i) for i in range(samples))


def _keeps_answer(lead: Tally) -> bool:
    """Return whether condition (a) holds."""
    if not lead.outstanding or lead.best is None:
        return True
    # The strongest other answer is the second place or, if all samples so far give y, an answer not yet observed: that
    # one starts from 0. No third place can do better, as all of them gain the same from the outstanding samples.
    reach = lead.outstanding + (lead.second.count if lead.second else 0)
    # At equal counts the lower first index wins, and an outstanding sample may have a lower one than any that arrived.
    first = min(lead.lowest_outstanding, lead.second.first if lead.second else lead.of)
    return (reach, -first) < (lead.best.count, -lead.best.first)


def _keeps_lead(lead: Tally, tallies: Sequence[Tally]) -> bool:
    """Return whether condition (b) holds."""
    ranks_first = False  # L against this rival: a rival listed before L wins a tie, one listed after L loses it
    for rival in tallies:
        if rival is lead:
            ranks_first = True
        elif _can_pass(rival, lead, ranks_first=ranks_first):
            return False
    return True


def _can_pass(rival: Tally, lead: Tally, *, ranks_first: bool, hits: int = 0, misses: int = 0) -> bool:
    """Return whether a rival can still pass the leader, after so many hits of the leader and misses of its own."""
    reach = (rival.count + rival.outstanding) * lead.of - misses * lead.of
    limit = lead.count * rival.of + hits * rival.of
    return reach > limit or (reach == limit and not ranks_first)


def is_settled_by(rule: WeightedRule, tallies: Sequence[Tally]) -> bool:
    """Return whether a rule decides the same (model, answer) for every outcome of the outstanding samples.

    With y the answer of the highest score so far, both conditions must hold:

    (a) no other answer z, observed or not, can pass y. Each member splits its outstanding samples between y, z and
        neither; the sum over the members of the split best for z, with the bonuses of the two answers themselves, must
        leave S(z) - S(y) below 0. At exactly 0 z draws level, which is enough for y only if y was first given by a
        better-ranked member, or at a lower index, than z was or still can be;
    (b) no other member can come to speak for y: its largest possible w f(y) is below the speaker's least, or equal to
        it and the member ranks behind.

    The members' samples are independent, so their best splits can all happen in one outcome: below 0, (a) is exact. At
    0 it is on the safe side, because the split that draws level need not be the one with the lowest index for z.
    """
    if not any(tally.outstanding for tally in tallies):
        return True
    counts = {tally.model: tally.counts() for tally in tallies}
    ruling = rule.decide(counts, {tally.model: tally.of for tally in tallies})
    if ruling is None:
        return False
    members = list(_contributions(rule, {tally.model: tally for tally in tallies}, counts))
    unit = lcm(*(tally.of for tally in tallies))
    worths = {text: worth * unit for text, worth in rule.answers}
    answer = ruling.answer
    return _keeps_highest_score(members, answer, worths) and _keeps_speaker(members, answer, ruling.model)


class _Contribution:
    """One member's part in the scores: the worth of a sample, its answers, and its outstanding samples."""

    __slots__ = ("bonus", "counts", "firsts", "lowest", "model", "of", "outstanding", "worth")

    def __init__(self, tally: Tally, counts: Mapping[Answer, tuple[int, int]], worth: int, bonus: int) -> None:
        self.model = tally.model
        self.of = tally.of
        self.outstanding = tally.outstanding
        self.lowest = tally.lowest_outstanding
        self.worth = worth
        self.bonus = bonus
        self.counts = {answer: count for answer, (count, _) in counts.items()}
        self.firsts = {answer: first for answer, (_, first) in counts.items()}

    def swing(self, y: Answer, z: Answer | None) -> int:
        """Return the most that this member alone can make of S(z) - S(y); z `None` is an answer not yet observed."""
        o, cy, cz = self.outstanding, self.counts.get(y, 0), self.counts.get(z, 0) if z is not None else 0

        def difference(to_y: int, to_z: int) -> int:
            unanimous = (cz + to_z == self.of) - (cy + to_y == self.of)
            return self.worth * (cz + to_z - cy - to_y) + self.bonus * unanimous

        # Weights and bonuses may be negative. The difference is linear in the split, except where y or z becomes
        # unanimous, which takes all outstanding samples: its maximum is at a corner, or beside one.
        splits = {(0, 0), (o, 0), (0, o), (o - 1, 0), (0, o - 1), (o - 1, 1), (1, o - 1)}
        return max(difference(a, b) for a, b in splits if a >= 0 and b >= 0 and a + b <= o)

    def position(self, z: Answer | None) -> int:
        """Return the lowest index at which this member gives, or could still give, an answer."""
        first = self.firsts.get(z, self.of) if z is not None else self.of
        return min(first, self.lowest) if self.outstanding else first


def _contributions(
    rule: WeightedRule, tallies: Mapping[str, Tally], counts: Mapping[str, Mapping[Answer, tuple[int, int]]]
) -> Iterator[_Contribution]:
    unit = lcm(*(tally.of for tally in tallies.values()))
    for label, weight, bonus in zip(rule.models, rule.weights, rule.bonuses, strict=True):
        tally = tallies[label]
        yield _Contribution(tally, counts[label], weight * (unit // tally.of), bonus * unit)


def _keeps_highest_score(members: Sequence[_Contribution], y: Answer, worths: Mapping[str, int]) -> bool:
    """Return whether condition (a) holds under a rule."""
    rivals = {answer for member in members for answer in member.counts if answer != y}
    own = worths.get(text_of(y), 0) if worths else 0
    # An answer that nobody gave so far could be any of those that the rule gives a worth of their own.
    unseen = max(0, *worths.values()) if worths else 0
    position = next((rank, m.firsts[y]) for rank, m in enumerate(members) if y in m.firsts)
    for z in (None, *rivals):  # one answer not yet observed stands for all of them
        worth = unseen if z is None else worths.get(text_of(z), 0) if worths else 0
        lead = sum(member.swing(y, z) for member in members) + worth - own
        if lead > 0:
            return False
        if lead == 0:
            first = min(((rank, m.position(z)) for rank, m in enumerate(members) if m.position(z) < m.of), default=None)
            if first is not None and first < position:
                return False
    return True


def _keeps_speaker(members: Sequence[_Contribution], y: Answer, speaker: str) -> bool:
    """Return whether condition (b) holds under a rule."""
    lead = next(m for m in members if m.model == speaker)
    count = lead.counts[y]
    # The least is at one of the two ends, and at which one depends on the sign of the weight.
    least = min(lead.worth * count, lead.worth * (count + lead.outstanding))
    ranks_first = False  # the speaker against this rival
    for rival in members:
        if rival is lead:
            ranks_first = True
            continue
        count = rival.counts.get(y, 0)
        low, high = max(count, 1), count + rival.outstanding  # only a member that gives y can speak for it
        if low <= high:
            reach = max(rival.worth * low, rival.worth * high)
            if reach > least or (reach == least and not ranks_first):
                return False
    return True
