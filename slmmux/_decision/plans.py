"""The order of the requests: each plan yields the draws of its next step after all samples of the last one arrived.

A plan reads the members' tallies and does not know the rule. The race advances it only while the outcome is open, so a
plan never has to decide when to stop.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

from slmmux._decision.settled import most_promising
from slmmux._decision.types import Draw
from slmmux._decision.vote import Tally

__all__ = ["PLANS", "Plan", "Steps"]

Plan = Literal["parallel", "cascade", "adaptive", "first_round"]
Steps = Callable[[Sequence[Tally]], Iterator[Iterable[Draw]]]


def parallel(tallies: Sequence[Tally]) -> Iterator[Iterable[Draw]]:
    """Request all samples at once, the members in turn, so that each member's server has work from the start."""
    yield _in_turns(tallies)


def cascade(tallies: Sequence[Tally]) -> Iterator[Iterable[Draw]]:
    """Request all samples of one member at a time, the best-ranked member first."""
    for tally in tallies:
        yield _in_turns([tally])


def adaptive(tallies: Sequence[Tally]) -> Iterator[Iterable[Draw]]:
    """Request one sample at a time, always from the member that could still reach the highest confidence.

    At first that is the best-ranked member. It stays in front while its samples agree; after one that does not, a
    member whose answers may still be unanimous comes first.
    """
    while (tally := most_promising(tallies)) is not None:
        yield [Draw(tally.model, tally.lowest_outstanding)]


def first_round(tallies: Sequence[Tally]) -> Iterator[Iterable[Draw]]:
    """Request one sample of each member, then all the others: the paper's order."""
    yield islice(_in_turns(tallies), len(tallies))
    yield islice(_in_turns(tallies), len(tallies), None)


PLANS: dict[Plan, Steps] = {
    "parallel": parallel,
    "cascade": cascade,
    "adaptive": adaptive,
    "first_round": first_round,
}


def _in_turns(tallies: Sequence[Tally]) -> Iterator[Draw]:
    longest = max(tally.of for tally in tallies)
    return (Draw(tally.model, i) for i in range(longest) for tally in tallies if i < tally.of)
