"""What of a model's settings makes its samples what they are: the part of a recording's fingerprint that a member has.

By a list of names: addresses, keys, time-outs and clients change nothing in what a model says.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["generation_settings", "longest_reply"]

_MODEL = ("model_name", "model", "model_id", "deployment_name")
_SETTINGS = (
    "frequency_penalty",
    "logit_bias",
    "max_completion_tokens",
    "max_new_tokens",
    "max_tokens",
    "mirostat",
    "min_p",
    "num_ctx",
    "num_predict",
    "presence_penalty",
    "reasoning",
    "reasoning_effort",
    "repeat_penalty",
    "repetition_penalty",
    "response_format",
    "seed",
    "stop",
    "stop_sequences",
    "system",
    "system_prompt",
    "temperature",
    "thinking",
    "tools",
    "top_k",
    "top_p",
)
_LIMITS = ("max_completion_tokens", "max_new_tokens", "max_tokens", "num_predict")
_NESTED = ("additional_kwargs", "extra_body", "generate_kwargs", "model_kwargs", "options")


def generation_settings(model: object, kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what a model is asked with, as JSON and without secrets.

    Args:
        model: Any framework's model; its attributes are read.
        kwargs: Call arguments that come with each request.

    Example:
        >>> from types import SimpleNamespace
        >>> generation_settings(SimpleNamespace(model="qwen", temperature=0.7, api_key="..."))
        {'model': 'qwen', 'temperature': 0.7}
    """
    name = next((n for a in _MODEL if isinstance(n := getattr(model, a, None), str) and n), None)
    settings: dict[str, Any] = {"model": name or type(model).__name__}
    for holder in (model, *(getattr(model, nested, None) for nested in _NESTED), kwargs):
        for setting in _SETTINGS:
            value = holder.get(setting) if isinstance(holder, Mapping) else getattr(holder, setting, None)
            if value not in (None, [], (), {}, "") and _is_json(value):
                settings[setting] = value
    return settings


def longest_reply(model: object, kwargs: Mapping[str, Any] | None = None) -> int | None:
    """Return the most tokens a reply can have, as far as a model says.

    Example:
        >>> from types import SimpleNamespace
        >>> longest_reply(SimpleNamespace(max_tokens=24)), longest_reply(SimpleNamespace(max_tokens=None))
        (24, None)
    """
    settings = generation_settings(model, kwargs)
    limits = [limit for name in _LIMITS if isinstance(limit := settings.get(name), int) and limit > 0]
    return min(limits, default=None)


def _is_json(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return value is None or isinstance(value, str | int | float | bool)
