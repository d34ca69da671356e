"""The limit on what one answer may cost: calls, tokens or money, counted as requests begin and end.

Sans-IO: a driver asks how many samples still fit, and reports each request that begins or ends.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import isfinite
from typing import Any

from slmmux._decision.price import Price
from slmmux._decision.types import Draw, Draws
from slmmux._errors import ArgumentError

__all__ = ["MOST_TOKENS", "Budget", "check_budget"]

MOST_TOKENS = 1_000_000_000  # of one reply: longer than any model writes

_UNITS = ("calls", "tokens", "cost")


class Budget:
    """The budget of one answer.

    A budget of calls is never exceeded. A budget of tokens, or of their cost, reserves the prompt and the longest
    possible reply of each request in flight. The prompt's size is measured: the first request goes alone, and what it
    reports holds for the other members until each has reported its own. The budget can still be exceeded by tokens that
    nobody knows in advance: the first prompt, the difference between members' prompts, and replies of members without
    `max_tokens`. A call on a thread that is overdue keeps what was set aside for it until it ends.

    Args:
        limits: {"calls": most requests}, {"tokens": most input and output tokens}, {"cost": most cost}, or several of
            them; `None` means no limit.
        reserve: Returns the most tokens that a sample's reply can have, or 0 if that is unknown.
        spent: Returns the tokens of a reply, those of its request included.
        prompt: Returns the tokens of a reply's request; without it prompts are not reserved.
        cost: Returns the cost of a member's reply, by the member's label and the reply; for a budget of cost.
        prices: The members' prices by label; for a budget of cost.

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
        limits: Mapping[str, float] | None = None,
        reserve: Callable[[Draw], int] = lambda _: 0,
        spent: Callable[[Any], int] = lambda _: 0,
        prompt: Callable[[Any], int] | None = None,
        *,
        cost: Callable[[str, Any], float] = lambda *_: 0.0,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        limits = limits or {}
        self._calls_left = limits.get("calls")
        self._meters: list[_Meter] = []
        if (tokens := limits.get("tokens")) is not None:
            self._meters.append(_Meter(tokens, lambda _, reply: spent(reply)))
        if (most := limits.get("cost")) is not None:
            self._meters.append(_Meter(most, cost, prices or {}))
        self._reserve = reserve
        self._prompt = prompt
        self._prompts: dict[str, int] = {}  # the measured tokens of each member's prompt
        self._in_flight = 0
        self._overdue: set[Draws] = set()

    def fits(self, draws: Draws) -> int:
        """Return how many samples of one request, counted from its first, are still within the budget."""
        if self._calls_left is not None and self._calls_left < 1:
            return 0
        if not self._meters:
            return len(draws)
        if self._prompt is not None and not self._prompts and self._in_flight:
            return 0  # the first request tells the size of the prompt
        replies = list(map(self._reserve, draws))
        prompt = self._prompt_of(draws[0].model)
        return min(meter.fits(draws[0].model, prompt, replies) for meter in self._meters)

    def begin(self, draws: Draws) -> None:
        """Count a request that begins."""
        if self._calls_left is not None:
            self._calls_left -= 1
        self._in_flight += 1
        for meter in self._meters:
            meter.begin(draws, self._prompt_of(draws[0].model), sum(map(self._reserve, draws)))

    def repeat(self) -> bool:
        """Count one more call for a request that failed, and return whether one was left."""
        if self._calls_left is None:
            return True
        if self._calls_left < 1:
            return False
        self._calls_left -= 1
        return True

    def keep(self, draws: Draws) -> None:
        """Wait no more for a request that runs on all the same: what it may cost stays set aside until it ends."""
        self._in_flight -= 1
        self._overdue.add(draws)

    def end(self, draws: Draws, replies: Sequence[Any]) -> None:
        """Count the tokens of a request that ended: 0 if it failed, its reserve if the server did not count them."""
        if draws in self._overdue:
            self._overdue.discard(draws)
        else:
            self._in_flight -= 1
        for meter in self._meters:
            meter.end(draws, replies)
        if self._meters and self._prompt is not None and replies:
            self._prompts[draws[0].model] = max(0, *map(self._prompt, replies))

    def _prompt_of(self, model: str) -> int:
        """Return the tokens of a member's prompt, as it reported them; else the most that another member reported."""
        return self._prompts.get(model, max(self._prompts.values(), default=0))


class _Meter:
    """The part of a budget that is counted in tokens, each of which counts as 1, or as its price.

    Args:
        limit: The most that may be spent.
        spent: Returns what a member's reply took.
        prices: The members' prices; `None` counts tokens.
    """

    def __init__(
        self, limit: float, spent: Callable[[str, Any], float], prices: Mapping[str, Price] | None = None
    ) -> None:
        # Exact, through the decimals that these numbers print as: a limit of 0.3 is reached by three times 0.1.
        self._left = Fraction(str(limit))
        self._spent = spent
        self._prices = prices
        self._in_flight: dict[Draws, Fraction] = {}  # what is reserved for each request

    def fits(self, model: str, prompt: int, replies: Sequence[int]) -> int:
        """Return how many replies, counted from the first, are still within the limit, their prompt included."""
        if self._prices is not None and model in self._prices and not any(self._prices[model].plain().values()):
            return len(replies)  # a member that costs nothing cannot overrun a limit on the cost
        free = self._left - sum(self._in_flight.values()) - self._of(model, prompt, 0)
        for count, tokens in enumerate(replies):
            free -= self._of(model, 0, tokens)
            # The second condition stops members that reserve nothing, as their replies have no known limit.
            if free < 0 or self._left <= 0:
                return count
        return len(replies)

    def begin(self, draws: Draws, prompt: int, reply: int) -> None:
        """Reserve for a request that begins."""
        self._in_flight[draws] = self._of(draws[0].model, prompt, reply)

    def end(self, draws: Draws, replies: Sequence[Any]) -> None:
        """Count a request that ended."""
        reserve = self._in_flight.pop(draws)
        # No server gives tokens back: one that reports fewer than none would undo the budget.
        model = draws[0].model
        spent = sum(max(Fraction(0), Fraction(str(self._spent(model, reply)))) for reply in replies)
        self._left -= (spent or reserve) if replies else 0

    def _of(self, model: str, prompt: int, reply: int) -> Fraction:
        if self._prices is None:
            return Fraction(prompt + reply)
        if (price := self._prices.get(model)) is None:
            return Fraction(0)  # a mux inside a mux, which knows its own prices
        return price.exact_cost({"input_tokens": prompt, "output_tokens": reply})


def check_budget(limits: Any) -> None:
    """Check that a budget can be used.

    Raises:
        ArgumentError: It is not a mapping of "calls" or "tokens" to whole numbers of at least 1, or of "cost" to a
            number above 0.
    """
    if limits is None:
        return
    if not isinstance(limits, Mapping) or not limits or not set(limits) <= set(_UNITS):
        raise ArgumentError(
            f'expected a budget of "calls", "tokens" or "cost", received {limits!r}; write budget={{"calls": 10}}, '
            'budget={"tokens": 2000} or budget={"cost": 0.01}'
        )
    for unit, limit in limits.items():
        is_number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if unit == "cost":
            if not is_number or not limit > 0 or not isfinite(limit):
                raise ArgumentError(f"a budget of cost must be a number above 0, received {limit!r}")
        elif not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ArgumentError(f"a budget of {unit} must be a whole number of at least 1, received {limit!r}")


Budget.__module__ = "slmmux"  # the path that people import
