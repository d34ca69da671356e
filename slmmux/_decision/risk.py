"""The chance that the outstanding samples change the answer, from a posterior over each member's next answers.

This file reads the members' tallies in rank order. It knows neither plans nor calls, and draws no random numbers.

The next answer of a member with n replies so far, of which c_z have the answer z, with K different answers, is

    z, seen before:     (c_z - d) / (n + t)
    drawn anew:         (t + d K) / (n + t),    and then the leading answer y with probability h, else one not yet seen

This is the predictive rule of the Pitman-Yor process (Pitman and Yor, 1997, "The two-parameter Poisson-Dirichlet
distribution derived from a stable subordinator", Annals of Probability 25), with concentration t and discount d. Room
for an answer that was not yet seen never closes. A draw anew knows the other members: h is the share of y among their
replies, h = n_y / (n + t) over them, as in the hierarchical Dirichlet process (Teh and others, 2006, Journal of the
American Statistical Association 101), with replies in place of its tables. Replies without an answer are one more
answer, which never wins; failed calls say nothing about the next ones.

Given these, members are independent, and the chance that Algorithm 1 ends with y is a sum over all ways in which the
outstanding samples can turn out. It is exact, except that a member that has not given y so far is taken to lose every
tie of y with another of its answers, which can only raise the chance of a change.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from slmmux._decision.types import Answer
from slmmux._decision.vote import Tally, leader

__all__ = ["chance_of_change"]

CONCENTRATION = 1.5  # t; both were measured on recordings, see bench/risk.py
DISCOUNT = 0.2  # d
MOST_OUTSTANDING = 12  # of one member; with more of them there are too many ways, and the race waits

# (top count, whether y has it) -> probability
_Law: TypeAlias = Mapping[tuple[int, bool], float]


def chance_of_change(tallies: Sequence[Tally]) -> float:
    """Return the chance that all samples together give another answer than those so far; 1 if it cannot be told."""
    lead = leader(tallies)
    if lead.best is None or any(tally.outstanding > MOST_OUTSTANDING for tally in tallies):
        return 1.0
    y = lead.best.answer
    laws = [(tally.of, _law_of(tally, y, tallies)) for tally in tallies]
    kept = 0.0
    for m, (of, law) in enumerate(laws):
        for (top, is_y), chance in law.items():
            if is_y:
                kept += chance * _wins(laws, m, Fraction(top, of))
    return max(0.0, 1.0 - kept)


def _wins(laws: Sequence[tuple[int, _Law]], winner: int, confidence: Fraction) -> float:
    """Return the chance that no member passes a confidence of one of them; equals fall to the rank."""
    chance = 1.0
    for m, (of, law) in enumerate(laws):
        if m != winner:
            chance *= sum(
                p
                for (top, _), p in law.items()
                if top * confidence.denominator < confidence.numerator * of
                or (top * confidence.denominator == confidence.numerator * of and m > winner)
            )
    return chance


def _law_of(tally: Tally, y: Answer, tallies: Sequence[Tally]) -> _Law:
    """Return the law of a member's top count, and of whether y has it, once all its samples have arrived."""
    counts = tally.counts()
    own, first = counts.pop(y, (0, tally.of))
    # At equal counts the lower first index wins: y's, if no other answer has, or can still have, a lower one.
    wins_ties = own > 0 and first < min([tally.lowest_outstanding, *(index for _, index in counts.values())])
    others = [other for other in tallies if other is not tally]
    replies = sum(other.of - other.outstanding - other.failed for other in others)
    with_y = sum(other.counts().get(y, (0, 0))[0] for other in others)
    shared = with_y / (replies + CONCENTRATION)
    rest = tuple(sorted((count for count, _ in counts.values()), reverse=True))
    return _law(own, rest, tally.abstained, tally.outstanding, shared, wins_ties)


@lru_cache(maxsize=100_000)
def _law(  # noqa: PLR0917 - a state, which the cache knows by its parts
    own: int,
    rest: tuple[int, ...],
    silent: int,
    outstanding: int,
    shared: float,
    wins_ties: bool,  # noqa: FBT001
) -> _Law:
    """Return the law for a member with `own` samples of y, `rest` of the other answers and `silent` without one."""
    top = rest[0] if rest else 0
    if not outstanding:
        is_y = own > top or (own == top and own > 0 and wins_ties)
        return {(own if is_y else max(own, top), is_y): 1.0}
    seen = len(rest) + (own > 0) + (silent > 0)
    total = own + sum(rest) + silent + CONCENTRATION
    anew = (CONCENTRATION + DISCOUNT * seen) / total
    law: defaultdict[tuple[int, bool], float] = defaultdict(float)

    def add(chance: float, more: _Law) -> None:
        for state, p in more.items():
            law[state] += chance * p

    left = outstanding - 1
    if (chance := (max(0.0, own - DISCOUNT) / total if own else 0.0) + anew * shared) > 0:
        add(chance, _law(own + 1, rest, silent, left, shared, wins_ties))
    if silent:
        add((silent - DISCOUNT) / total, _law(own, rest, silent + 1, left, shared, wins_ties))
    if (chance := anew * (1 - shared)) > 0:
        add(chance, _law(own, (*rest, 1), silent, left, shared, wins_ties))
    for count in {*rest}:
        place = rest.index(count)  # the first of its size, so that the counts stay in order
        raised = (*rest[:place], count + 1, *rest[place + 1 :])
        chance = rest.count(count) * (count - DISCOUNT) / total
        add(chance, _law(own, raised, silent, left, shared, wins_ties))
    return dict(law)
