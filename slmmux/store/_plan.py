"""Puts a plan into a store: the questions, the members, and a task for each pair of them."""

from collections.abc import Mapping

from slmmux.profiling import MemberPool, Questions
from slmmux.profiling._questions import questions_of
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
        prices: Cost of a million tokens by label: {"input": .., "output": ..}.
        texts: Whether the replies' texts are kept.
        lease: The seconds for which a task is a worker's without a renewal.

    Raises:
        ArgumentError: The questions cannot be used, or the store holds another plan.
    """
    settings = {name: value for name, value in pool.settings.items() if name != "models"}
    own = pool.settings.get("models", {})
    members = [
        Member(
            label, k, own.get(label, {}), (requests_per_minute or {}).get(label), (prices or {}).get(label),
        )
        for label, k in pool.samples.items()
    ]  # fmt: skip
    return store.create(questions_of(questions), members, settings, keeps_texts=texts, lease=lease)
