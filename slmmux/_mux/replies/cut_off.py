"""Whether a reply was cut off at its limit of tokens, as providers say it."""

from collections.abc import Mapping
from typing import Any

__all__ = ["is_cut_off"]

_REASONS = ("finish_reason", "stop_reason", "done_reason", "finishReason", "stopReason")
_LIMITS = {"length", "max_tokens", "max_output_tokens", "model_length", "token_limit"}


def is_cut_off(metadata: Any) -> bool:
    """Return whether the metadata of a reply says that it was cut off at its limit.

    Args:
        metadata: A mapping or an object with a finish reason, in itself or in its only choice; anything else counts as
            not cut off.

    Example:
        >>> is_cut_off({"finish_reason": "length"}), is_cut_off({"choices": [{"finish_reason": "stop"}]})
        (True, False)
    """
    if not metadata:
        return False
    choices = _field(metadata, "choices")
    if isinstance(choices, list | tuple) and len(choices) == 1:
        return is_cut_off(choices[0])
    for name in _REASONS:
        reason = _field(metadata, name)
        reason = getattr(reason, "name", reason)  # Gemini's are members of an enum
        if isinstance(reason, str) and reason.lower() in _LIMITS:
            return True
    details = _field(metadata, "incomplete_details")  # OpenAI's responses
    return _field(details, "reason") in _LIMITS


def _field(metadata: Any, name: str) -> Any:
    if type(metadata) is dict:  # nearly always, and to ask an abstract class takes ten times as long
        return metadata.get(name)
    return metadata.get(name) if isinstance(metadata, Mapping) else getattr(metadata, name, None)
