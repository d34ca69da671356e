"""What one answer may cost: calls or tokens, counted as calls begin and end.

Sans-IO: a driver asks how many samples still fit, and says what it began and what came of it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slmmux._decision.types import Draw
from slmmux._errors import ArgumentError

__all__ = ["Budget", "check_budget"]

Draws = tuple[Draw, ...]

_UNITS = ("calls", "tokens")


class Budget:
    """The budget of one answer.

    A budget of calls is never exceeded. One of tokens sets aside what the replies in flight may come to, by `reserve`;
    what that does not know (a prompt's length before the first reply, a member without `max_tokens`) can overrun it,
    by the calls in flight at most.

    Args:
        limits: {"calls": most requests}, {"tokens": most input and output tokens}, or both; `None` limits nothing.
        reserve: The most tokens a sample's reply can have; 0 where nobody knows.
        spent: The tokens of a reply, its request's included.

    Example:
        >>> budget = Budget({"calls": 2})
        >>> draws = (Draw("qwen", 0), Draw("qwen", 1))
        >>> budget.fits(draws)  # one request for both
        2
        >>> budget.begin(draws); budget.begin((Draw("phi", 0),)); budget.fits((Draw("phi", 1),))
        0
    """

    def __init__(
        self,
        limits: Mapping[str, int] | None = None,
        reserve: Callable[[Draw], int] = lambda _: 0,
        spent: Callable[[Any], int] = lambda _: 0,
    ) -> None:
        self._calls_left = None if limits is None else limits.get("calls")
        self._tokens_left = None if limits is None else limits.get("tokens")
        self._reserve = reserve
        self._spent = spent
        self._in_flight: dict[Draws, int] = {}

    def fits(self, draws: Draws) -> int:
        """Return how many of the samples of one request may still be asked for, from the first on."""
        if self._calls_left is not None and self._calls_left < 1:
            return 0
        if self._tokens_left is None:
            return len(draws)
        left = self._tokens_left - sum(self._in_flight.values())
        for count, draw in enumerate(draws):
            left -= self._reserve(draw)
            if left < 0 or self._tokens_left <= 0:
                return count
        return len(draws)

    def begin(self, draws: Draws) -> None:
        """Count a request that begins."""
        if self._calls_left is not None:
            self._calls_left -= 1
        if self._tokens_left is not None:
            self._in_flight[draws] = sum(map(self._reserve, draws))

    def end(self, draws: Draws, replies: Sequence[Any]) -> None:
        """Count what a request came to: what was set aside where nobody counted, nothing where it failed."""
        if self._tokens_left is not None:
            set_aside = self._in_flight.pop(draws)
            self._tokens_left -= (sum(map(self._spent, replies)) or set_aside) if replies else 0


def check_budget(limits: Any) -> None:
    """Refuse a budget that is none.

    Raises:
        ArgumentError: Not a mapping of "calls" or "tokens" to whole numbers of at least 1.
    """
    if limits is None:
        return
    if not isinstance(limits, Mapping) or not limits or not set(limits) <= set(_UNITS):
        raise ArgumentError(f'budget={limits!r} has no unit; write budget={{"calls": 10}} or budget={{"tokens": 2000}}')
    for unit, limit in limits.items():
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ArgumentError(f"a budget of {unit} must be a whole number of at least 1, found {limit!r}")
