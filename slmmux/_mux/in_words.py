"""Tool turns in words: what one member did, told to another whose provider takes no such call from anybody else.

A provider that signs a model's thoughts (Anthropic with thinking on, Google) refuses a history in which a call stands
without them. Nobody can sign for another maker's model, so its call and the tool's reply are told as text: the member
knows what was done, keeps its own settings, and goes on with calls of its own.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["call_in_words", "result_in_words", "takes_signed_calls_only"]

_ON = {"adaptive", "enabled"}  # with thinking off, calls need no thoughts


def takes_signed_calls_only(settings: Iterable[object]) -> bool:
    """Return whether a member's provider takes a call only beside the thoughts that led to it.

    Args:
        settings: The settings of a request, mappings in which `thinking` may stand as Anthropic's API has it.

    Example:
        >>> takes_signed_calls_only([{"thinking": {"type": "enabled", "budget_tokens": 2000}}, None])
        True
    """
    thoughts = [each.get("thinking") for each in settings if isinstance(each, Mapping)]
    return any(isinstance(each, Mapping) and each.get("type") in _ON for each in thoughts)


def call_in_words(name: str, arguments: Any) -> str:
    """Return a call as the model that made it would tell it.

    Example:
        >>> call_in_words("weather", {"city": "Oslo"})
        'I called the tool weather with {"city": "Oslo"}.'
    """
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, default=str)
    return f"I called the tool {name} with {written}."


def result_in_words(name: str) -> str:
    """Return the line under which a tool's reply is told.

    Example:
        >>> result_in_words("weather")
        'The tool weather replied:'
    """
    return f"The tool {name} replied:"
