"""One option's value for each member: a single value for all, or a mapping by label."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from slmmux._errors import ArgumentError

__all__ = ["by_label"]


def by_label(name: str, value: Any, labels: Iterable[str], *, partly: bool = False) -> dict[str, Any]:
    """Return one option's value for each label, in the labels' order, which may be the rank.

    Args:
        name: The option, for the sentences.
        value: One value, or {label: value}.
        labels: The members.
        partly: Whether a mapping may leave members out.

    Raises:
        ArgumentError: A mapping names no member of ours, or leaves one out that it must name.

    Example:
        >>> by_label("samples", 3, ["qwen", "phi"]), by_label("samples", {"phi": 5, "qwen": 3}, ["qwen", "phi"])
        ({'qwen': 3, 'phi': 3}, {'qwen': 3, 'phi': 5})
    """
    labels = list(labels)
    if not isinstance(value, Mapping):
        return dict.fromkeys(labels, value)
    for label in value:
        if label not in labels:
            near = difflib.get_close_matches(str(label), labels, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the members are {', '.join(map(repr, labels))}"
            raise ArgumentError(f"{name} names {label!r}, which is no member; {hint}")
    if not partly and (missing := [label for label in labels if label not in value]):
        raise ArgumentError(f"{name} does not name {', '.join(map(repr, missing))}; give every member a value")
    return {label: value[label] for label in labels if label in value}
