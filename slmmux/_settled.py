"""When no sample still outstanding can change (model, answer): exact, neither early nor late.

Knows nothing of plans or calls: it reads the tallies of the members in rank order.
"""

from collections.abc import Sequence

from slmmux._vote import Tally, leader

__all__ = ["most_promising", "settled"]


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
