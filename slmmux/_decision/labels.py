"""An option's value for each member: one value for all of them, or a mapping by label."""

from collections.abc import Iterable, Mapping
from typing import Any

from slmmux._errors import ArgumentError, did_you_mean

__all__ = ["by_label"]


def by_label(name: str, value: Any, labels: Iterable[str], *, partly: bool = False) -> dict[str, Any]:
    """Return an option's value for each label, in the labels' order, which may be the rank.

    Args:
        name: The option's name, for the error sentences.
        value: One value, or {label: value}.
        labels: The members' labels.
        partly: Whether a mapping may leave members out.

    Raises:
        ArgumentError: A mapping has a label that is not a member's, or lacks one that it must have.

    Example:
        >>> by_label("samples", 3, ["qwen", "phi"]), by_label("samples", {"phi": 5, "qwen": 3}, ["qwen", "phi"])
        ({'qwen': 3, 'phi': 3}, {'qwen': 3, 'phi': 5})
    """
    labels = list(labels)
    if not isinstance(value, Mapping):
        return dict.fromkeys(labels, value)
    for label in value:
        if label not in labels:
            hint = did_you_mean(label, labels) or f"the members are {', '.join(map(repr, labels))}"
            raise ArgumentError(f"{name} names {label!r}, which is not a member; {hint}")
    absent = [label for label in labels if label not in value]
    if absent and not partly:
        raise ArgumentError(f"{name} does not name {', '.join(map(repr, absent))}; give every member a value")
    return {label: value[label] for label in labels if label in value}
