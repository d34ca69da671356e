"""Whether a reply was cut off at its limit of tokens, as providers say it."""

from collections.abc import Mapping
from typing import Any

__all__ = ["is_cut_off"]

_REASONS = ("finish_reason", "stop_reason", "done_reason", "finishReason", "stopReason")
_CUT = {"length", "max_tokens", "max_output_tokens", "model_length", "token_limit"}


def is_cut_off(said: Any) -> bool:
    """Return whether what a provider says beside a reply calls it cut off at its limit.

    Args:
        said: A mapping or an object with a finish reason, in itself or in its first choice; anything else says nothing.

    Example:
        >>> is_cut_off({"finish_reason": "length"}), is_cut_off({"choices": [{"finish_reason": "stop"}]})
        (True, False)
    """
    choices = _field(said, "choices")
    if isinstance(choices, list | tuple) and len(choices) == 1:
        return is_cut_off(choices[0])
    for name in _REASONS:
        reason = _field(said, name)
        reason = getattr(reason, "name", reason)  # Gemini's are members of an enum
        if isinstance(reason, str) and reason.lower() in _CUT:
            return True
    details = _field(said, "incomplete_details")  # OpenAI's responses
    return _field(details, "reason") in _CUT


def _field(said: Any, name: str) -> Any:
    return said.get(name) if isinstance(said, Mapping) else getattr(said, name, None)
