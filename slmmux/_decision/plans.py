"""The order of the requests: each plan yields the draws of its next step after all samples of the last one arrived.

A plan reads the members' tallies and what a sample of each costs, and does not know the rule. The race advances it only
while the outcome is open, so a plan never has to decide when to stop.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal

from slmmux._decision.settled import cheapest_way, most_promising
from slmmux._decision.types import Draw
from slmmux._decision.vote import Tally

__all__ = ["PLANS", "Plan", "Steps"]

Plan = Literal["parallel", "cascade", "adaptive", "cheapest", "first_round"]
Costs = Mapping[str, float]
Steps = Callable[[Sequence[Tally], Costs | None], Iterator[Iterable[Draw]]]


def parallel(tallies: Sequence[Tally], _costs: Costs | None = None) -> Iterator[Iterable[Draw]]:
    """Request all samples at once, the members in turn, so that each member's server has work from the start."""
    yield _in_turns(tallies)


def cascade(tallies: Sequence[Tally], _costs: Costs | None = None) -> Iterator[Iterable[Draw]]:
    """Request all samples of one member at a time, the best-ranked member first."""
    for tally in tallies:
        yield _in_turns([tally])


def adaptive(tallies: Sequence[Tally], _costs: Costs | None = None) -> Iterator[Iterable[Draw]]:
    """Request one sample at a time, always from the member that could still reach the highest confidence.

    At first that is the best-ranked member. It stays in front while its samples agree; after one that does not, a
    member whose answers may still be unanimous comes first.
    """
    while (tally := most_promising(tallies)) is not None:
        yield [Draw(tally.model, tally.lowest_outstanding)]


def cheapest(tallies: Sequence[Tally], costs: Costs | None = None) -> Iterator[Iterable[Draw]]:
    """Request one sample at a time, as `adaptive` does, but decide by cost where there is a choice.

    Mostly there is none. Where another member could still end up above the best that the leader can reach, no outcome
    is settled before that member's samples have arrived, so they are needed at any price. The choice is between more
    samples of the leader, which may put it out of the others' reach, and samples of those others, which may fall
    behind it as it is: the way with the higher chance for its cost comes first.
    """
    costs = dict.fromkeys((tally.model for tally in tallies), 1.0) if costs is None else costs
    while (tally := cheapest_way(tallies, costs)) is not None:
        yield [Draw(tally.model, tally.lowest_outstanding)]


def first_round(tallies: Sequence[Tally], _costs: Costs | None = None) -> Iterator[Iterable[Draw]]:
    """Request one sample of each member, then all the others: the paper's order."""
    yield islice(_in_turns(tallies), len(tallies))
    yield islice(_in_turns(tallies), len(tallies), None)


PLANS: dict[Plan, Steps] = {
    "parallel": parallel,
    "cascade": cascade,
    "adaptive": adaptive,
    "cheapest": cheapest,
    "first_round": first_round,
}


def _in_turns(tallies: Sequence[Tally]) -> Iterator[Draw]:
    longest = max(tally.of for tally in tallies)
    return (Draw(tally.model, i) for i in range(longest) for tally in tallies if i < tally.of)
