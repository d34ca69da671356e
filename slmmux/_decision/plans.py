"""The order of asking: each plan yields the draws of its next step once those of the last are in.

A plan knows no rule. It sees the tallies as they stand, and the race asks it only while nothing is settled.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from slmmux._decision.settled import most_promising
from slmmux._decision.types import Draw
from slmmux._decision.vote import Tally

__all__ = ["PLANS", "Plan", "Steps"]

Plan = Literal["parallel", "cascade", "adaptive", "first_round"]
Steps = Callable[[Sequence[Tally]], Iterator[list[Draw]]]


def parallel(tallies: Sequence[Tally]) -> Iterator[list[Draw]]:
    """Ask everything at once; the members take turns, so that servers side by side all have work."""
    yield _in_turns(tallies)


def cascade(tallies: Sequence[Tally]) -> Iterator[list[Draw]]:
    """Ask one member after another, the best-ranked first, all its samples at once."""
    for tally in tallies:
        yield _in_turns([tally])


def adaptive(tallies: Sequence[Tally]) -> Iterator[list[Draw]]:
    """Ask for one sample after another: of the member that could still become the most confident.

    As long as it agrees with itself that is the best-ranked one; once it does not, whoever promises more.
    """
    while (tally := most_promising(tallies)) is not None:
        yield [Draw(tally.model, tally.lowest_outstanding)]


def first_round(tallies: Sequence[Tally]) -> Iterator[list[Draw]]:
    """Ask each member once, then for all the rest: the paper's order."""
    every = _in_turns(tallies)
    yield every[: len(tallies)]
    yield every[len(tallies) :]


PLANS: dict[Plan, Steps] = {
    "parallel": parallel,
    "cascade": cascade,
    "adaptive": adaptive,
    "first_round": first_round,
}


def _in_turns(tallies: Sequence[Tally]) -> list[Draw]:
    longest = max(tally.of for tally in tallies)
    return [Draw(tally.model, i) for i in range(longest) for tally in tallies if i < tally.of]
