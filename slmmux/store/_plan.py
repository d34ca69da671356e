"""Puts a plan into a store: the questions, the members, and a task for each pair of them."""

from collections.abc import Mapping

from slmmux._decision.price import Price
from slmmux.profiling import MemberPool, Questions
from slmmux.profiling._questions import questions_of
from slmmux.recording._prices import PRICES, prices_of
from slmmux.store._store import Member, Store

__all__ = ["put_plan"]


def put_plan(
    store: Store,
    pool: MemberPool,
    questions: Questions,
    *,
    requests_per_minute: Mapping[str, float | None] | None = None,
    prices: Mapping[str, Mapping[str, float] | None] | None = None,
    texts: bool = True,
    lease: float = 120.0,
) -> bool:
    """Write the plan of a campaign; return False if the very same plan is there already.

    Args:
        store: The database.
        pool: The members, with k and settings; none of them is called.
        questions: As for `slmmux.profile`.
        requests_per_minute: Limits by label, which hold over all workers together.
        prices: Cost of a million tokens by label: {"input": .., "output": ..}; by default those of the pool's settings.
        texts: Whether the replies' texts are kept.
        lease: The seconds for which a task is a worker's without a renewal.

    Raises:
        ArgumentError: The questions or a price cannot be used, or the store holds another plan.
    """
    settings = {name: value for name, value in pool.settings.items() if name != "models"}
    for label, price in (prices or {}).items():
        if price is not None:
            plain = Price.of(price, f"prices[{label!r}]").plain()
            settings[PRICES] = {**settings.get(PRICES, {}), label: plain}
    costs = prices_of(settings)
    own = pool.settings.get("models", {})
    members = [
        Member(
            label,
            k,
            own.get(label, {}),
            (requests_per_minute or {}).get(label),
            costs[label].plain() if label in costs else None,
        )
        for label, k in pool.samples.items()
    ]
    return store.create(questions_of(questions), members, settings, keeps_texts=texts, lease=lease)
