"""Settings of a call under the names that people use, as each member's class names them.

`max_tokens` is Ollama's `num_predict`; a class without a seed cannot be given one. What a member cannot take is left
out for it and said once; what no member takes is an error.
"""

from collections.abc import Collection, Mapping
from typing import Any

from slmmux._decision.clock import seconds_for_call
from slmmux._errors import ArgumentError

__all__ = ["client_timeout", "field_for", "is_standard", "no_member_takes", "refuse_at_call_time"]

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


# Classes over the SDKs of OpenAI and Anthropic, whose calls take a time-out of their own.
_TAKE_TIMEOUT = (
    "langchain_anthropic.",
    "langchain_openai.",
    "llama_index.llms.anthropic.",
    "llama_index.llms.openai.",
)
_TIMEOUT_FIELDS = ("request_timeout", "default_request_timeout", "timeout")
_MARGIN_S = 0.25  # so that the driver's own limit is the first, and its sentence the one that is read


def client_timeout(model: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the call argument with which a member's client gives up when nobody waits for the call any more.

    A call on a thread cannot be stopped: without this it holds its thread and its connection for as long as its client
    has patience. A shorter time-out of the member's own stays.

    Args:
        model: The member's model.
        kwargs: The arguments of the call.
    """
    seconds = seconds_for_call()
    classes = type(model).__mro__
    if seconds is None or "timeout" in kwargs or not any(c.__module__.startswith(_TAKE_TIMEOUT) for c in classes):
        return {}
    own = next((value for name in _TIMEOUT_FIELDS if (value := getattr(model, name, None)) is not None), None)
    return {"timeout": _shorter(own, seconds + _MARGIN_S)}


def _shorter(own: Any, seconds: float) -> Any:
    """Return a time-out of which each part is the shorter one of two; `own` is in any form that the SDKs take."""
    if own is None or isinstance(own, int | float):
        return seconds if own is None else min(own, seconds)
    if isinstance(own, tuple):
        return tuple(seconds if part is None else min(part, seconds) for part in own)
    if hasattr(own, "as_dict"):  # httpx's, in which a part that is None has no limit
        parts = {name: seconds if part is None else min(part, seconds) for name, part in own.as_dict().items()}
        return type(own)(**parts)
    return own
