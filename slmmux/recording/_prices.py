"""The members' prices in a recording's settings: what its tokens cost.

Prices do not affect samples, so the files of one recording may differ in them: those of the last file stand.
"""

from collections.abc import Mapping
from typing import Any

from slmmux._decision.price import Price
from slmmux._errors import RecordingError, SLMMuxError

__all__ = ["PRICES", "prices_of"]

PRICES = "prices"  # their name among the settings


def prices_of(settings: Mapping[str, Any]) -> dict[str, Price]:
    """Return the recorded prices by label; an empty dict if there are none.

    Raises:
        RecordingError: A price cannot be read.

    Example:
        >>> prices_of({"prices": {"qwen": {"input": 0.1, "output": 0.4}}})["qwen"].output
        0.4
    """
    prices = settings.get(PRICES) or {}
    if not isinstance(prices, Mapping):
        raise RecordingError(
            f'the settings have prices of type {type(prices).__name__}; expected {{"label": {{"input": 0.10, '
            '"output": 0.40}}'
        )
    fault = None
    try:
        return {label: Price.of(price, f"the recorded price of {label!r}") for label, price in prices.items()}
    except SLMMuxError as error:
        fault = RecordingError(str(error))
    raise fault
