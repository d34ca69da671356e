"""The limit on what one answer may cost: calls or tokens, counted as requests begin and end.

Sans-IO: a driver asks how many samples still fit, and reports each request that begins or ends.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slmmux._decision.types import Draw, Draws
from slmmux._errors import ArgumentError

__all__ = ["Budget", "check_budget"]

_UNITS = ("calls", "tokens")


class Budget:
    """The budget of one answer.

    A budget of calls is never exceeded. A budget of tokens reserves the prompt and the longest possible reply of each
    request in flight. The prompt's size is measured: the first request goes alone, and what it reports holds for the
    other members until each has reported its own. The budget can still be exceeded by tokens that nobody knows in
    advance: the first prompt, the difference between members' prompts, and replies of members without `max_tokens`.

    Args:
        limits: {"calls": most requests}, {"tokens": most input and output tokens}, or both; `None` means no limit.
        reserve: Returns the most tokens that a sample's reply can have, or 0 if that is unknown.
        spent: Returns the tokens of a reply, those of its request included.
        prompt: Returns the tokens of a reply's request; without it prompts are not reserved.

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
        prompt: Callable[[Any], int] | None = None,
    ) -> None:
        self._calls_left = None if limits is None else limits.get("calls")
        self._tokens_left = None if limits is None else limits.get("tokens")
        self._reserve = reserve
        self._spent = spent
        self._prompt = prompt
        self._prompts: dict[str, int] = {}  # the measured tokens of each member's prompt
        self._in_flight: dict[Draws, int] = {}  # the reserved tokens of each request

    def fits(self, draws: Draws) -> int:
        """Return how many samples of one request, counted from its first, are still within the budget."""
        if self._calls_left is not None and self._calls_left < 1:
            return 0
        if self._tokens_left is None:
            return len(draws)
        if self._prompt is not None and not self._prompts and self._in_flight:
            return 0  # the first request tells the size of the prompt
        free = self._tokens_left - sum(self._in_flight.values()) - self._prompt_of(draws[0].model)
        for count, draw in enumerate(draws):
            free -= self._reserve(draw)
            # The second condition stops members that reserve nothing, as their replies have no known limit.
            if free < 0 or self._tokens_left <= 0:
                return count
        return len(draws)

    def begin(self, draws: Draws) -> None:
        """Count a request that begins."""
        if self._calls_left is not None:
            self._calls_left -= 1
        if self._tokens_left is not None:
            self._in_flight[draws] = sum(map(self._reserve, draws)) + self._prompt_of(draws[0].model)

    def end(self, draws: Draws, replies: Sequence[Any]) -> None:
        """Count the tokens of a request that ended: 0 if it failed, its reserve if the server did not count them."""
        if self._tokens_left is not None:
            reserve = self._in_flight.pop(draws)
            # No server gives tokens back: one that reports fewer than none would undo the budget.
            self._tokens_left -= (sum(max(0, self._spent(reply)) for reply in replies) or reserve) if replies else 0
            if self._prompt is not None and replies:
                self._prompts[draws[0].model] = max(0, *map(self._prompt, replies))

    def _prompt_of(self, model: str) -> int:
        """Return the tokens of a member's prompt, as it reported them; else the most that another member reported."""
        return self._prompts.get(model, max(self._prompts.values(), default=0))


def check_budget(limits: Any) -> None:
    """Check that a budget can be used.

    Raises:
        ArgumentError: It is not a mapping of "calls" or "tokens" to whole numbers of at least 1.
    """
    if limits is None:
        return
    if not isinstance(limits, Mapping) or not limits or not set(limits) <= set(_UNITS):
        raise ArgumentError(
            f'expected a budget of "calls" or "tokens", received {limits!r}; write budget={{"calls": 10}} or '
            'budget={"tokens": 2000}'
        )
    for unit, limit in limits.items():
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ArgumentError(f"a budget of {unit} must be a whole number of at least 1, received {limit!r}")
