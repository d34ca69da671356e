"""The prices of a mux's members: as they were passed, or from LiteLLM's price table."""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, TypeAlias

from slmmux._decision.labels import by_label
from slmmux._decision.price import Price
from slmmux._errors import ArgumentError
from slmmux._mux.members import Member, name_of_model

__all__ = ["LITELLM", "PriceTable", "listed_price", "prices_of"]

LITELLM = "litellm"  # the price table by that name, and the extra that brings it
PriceTable: TypeAlias = dict[str, dict[str, float] | Literal["litellm"]] | Literal["litellm"]

_LOCAL = "LITELLM_LOCAL_MODEL_COST_MAP"
_MILLION = 1_000_000


def prices_of(
    prices: Any, members: Mapping[str, Member], *, optional: str | None, budget: Mapping[str, Any] | None
) -> dict[str, Price]:
    """Return the price of each member; an empty dict without prices.

    Args:
        prices: {label: price}, each a mapping or "litellm"; or "litellm" for all members.
        members: The members by label, the bigger model included.
        optional: The label of the bigger model.
        budget: The budget; one of cost needs prices.

    Raises:
        ArgumentError: A label is not a member's, a member has no price, a price cannot be read, LiteLLM's table does
            not have the model, or a budget of cost has no prices.
    """
    if prices is None:
        if budget and "cost" in budget:
            raise ArgumentError(
                'a budget of cost needs prices; write prices={label: {"input": 0.10, "output": 0.40}}, per million '
                "tokens, for each member"
            )
        return {}
    if prices != LITELLM and not isinstance(prices, Mapping):
        raise ArgumentError(
            f'prices must name the price of each member, received {prices!r}; write prices={{label: {{"input": 0.10, '
            '"output": 0.40}}, per million tokens, or prices="litellm"'
        )
    # A mux inside a mux counts its own cost, if it has prices.
    own = {label for label, member in members.items() if getattr(member.model, "prices", None) is not None}
    by_member = by_label("prices", prices, members, partly=True)
    if absent := [label for label in members if label not in by_member and label not in own]:
        free = ' (of a model on your own machine, {"input": 0, "output": 0})'
        what = ", ".join(map(repr, absent))
        more = f"; {optional!r} is the bigger model" if optional in absent else ""
        raise ArgumentError(f"prices does not name {what}{more}; give every member its price{free}")
    return {
        label: listed_price(label, members[label].model) if price == LITELLM else Price.of(price, f"prices[{label!r}]")
        for label, price in by_member.items()
    }


def listed_price(label: str, model: object) -> Price:
    """Return a model's price in LiteLLM's table.

    Raises:
        ArgumentError: The table does not have the model, or is not installed.
    """
    name = name_of_model(model)
    entry = _table().get(name) if name else None
    if not isinstance(entry, Mapping) or entry.get("input_cost_per_token") is None:
        raise ArgumentError(
            f"prices[{label!r}]: LiteLLM's table has no price per token for {name!r}; write "
            '{"input": 0.10, "output": 0.40}, per million tokens'
        )
    cached, written = entry.get("cache_read_input_token_cost"), entry.get("cache_creation_input_token_cost")
    return Price(
        input=_per_million(entry["input_cost_per_token"]),
        output=_per_million(entry.get("output_cost_per_token") or 0.0),
        cached_input=None if cached is None else _per_million(cached),
        cache_write=None if written is None else _per_million(written),
    )


def _per_million(cost: float) -> float:
    # Through twelve digits, so that a price of 1.5e-07 per token is the 0.15 that its maker publishes.
    return float(f"{cost * _MILLION:.12g}")


def _table() -> Mapping[str, Any]:
    # The import would fetch the table of today from the network; the installed one is what was tested, and is at hand.
    before = os.environ.get(_LOCAL)
    os.environ.setdefault(_LOCAL, "True")
    try:
        litellm = import_module(LITELLM)  # takes seconds, and few muxes look prices up
    except ImportError as error:
        raise ArgumentError(
            f'prices="litellm" needs the package litellm; pip install "slmmux[litellm]", or write the prices ({error})'
        ) from error
    finally:
        if before is None:
            os.environ.pop(_LOCAL, None)
    table: Mapping[str, Any] = litellm.model_cost
    return table
