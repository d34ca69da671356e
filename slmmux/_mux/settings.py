"""Settings of a call under the names that people use, as each member's class names them.

`max_tokens` is Ollama's `num_predict`; a class without a seed cannot be given one. What a member cannot take is left
out for it and said once; what no member takes is an error.
"""

from collections.abc import Collection, Mapping
from typing import Any

from slmmux._errors import ArgumentError

__all__ = ["field_for", "is_standard", "no_member_takes", "refuse_at_call_time"]

# Settings of generation that frameworks and evaluation libraries pass at call time; each with its other names.
STANDARD: Mapping[str, tuple[str, ...]] = {
    "frequency_penalty": (),
    "max_tokens": (
        "max_completion_tokens",
        "max_output_tokens",
        "num_predict",
        "max_new_tokens",
        "max_tokens_to_sample",
    ),
    "presence_penalty": (),
    "repeat_penalty": ("repetition_penalty",),
    "seed": ("random_seed",),
    "temperature": (),
    "top_k": (),
    "top_p": (),
    "user": (),
}
_NAMES = {alias: name for name, aliases in STANDARD.items() for alias in (name, *aliases)}

_NOT_AT_CALL_TIME = {
    "model": "it would turn every member into that model; build a mux with other models={label: model}",
    "n": "a mux returns one message and draws its own samples; set samples=",
}


def refuse_at_call_time(kwargs: Mapping[str, Any]) -> None:
    """Refuse what a mux decides itself.

    Raises:
        ArgumentError: `model=` or `n=` at call time.
    """
    for name, reason in _NOT_AT_CALL_TIME.items():
        if kwargs.get(name) is not None:
            raise ArgumentError(f"{name}={kwargs[name]!r} cannot be given at call time: {reason}")


def is_standard(name: str) -> bool:
    """Return whether a name is one that people use for a setting of generation, in any framework."""
    return name in _NAMES


def field_for(setting: str, fields: Collection[str]) -> str | None:
    """Return the field in which a class keeps a standard setting, or `None` if it has none.

    Example:
        >>> field_for("max_tokens", {"temperature", "num_predict"}), field_for("seed", {"temperature"})
        ('num_predict', None)
    """
    name = _NAMES.get(setting)
    if name is None:
        return None
    return next((each for each in (setting, name, *STANDARD[name]) if each in fields), None)


def no_member_takes(setting: str, value: Any, classes: Collection[str]) -> ArgumentError:
    """Return the error for a setting that no member takes."""
    return ArgumentError(
        f"{setting}={value!r} cannot be given at call time: no member takes it ({', '.join(sorted(set(classes)))}); "
        "leave it out, or set it on the members that have something like it"
    )
