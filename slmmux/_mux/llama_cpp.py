"""What a member that llama.cpp serves needs beside its request: the tokens of all completions, and when a reply ends.

One request for k completions reads the prompt once, and on two cores answers in a third of the time of k requests. Its
`usage.completion_tokens` is the first completion's alone, so the others are counted by their log-probabilities, of
which there is one a token.

A base model ends its answer with a line break, which is a stop sequence of its template; a schema, a tool call or a
program has several lines, and would end at its first.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from slmmux._mux.replies.forms import form_of

__all__ = ["COUNTING", "count_completions", "stop_of"]

_CONSTRAINTS = ("tools", "functions", "grammar", "json_schema")
# A prompt that asks for an object, a program or steps in words, as frameworks do where they cannot ask for a schema.
_SEVERAL_LINES = re.compile(r"\bJSON\b|\bjson\b|```|<tool_call>|^Action(?: Input)?:|\bYAML\b|\bXML\b", re.MULTILINE)
_MOST_CHARACTERS = 20_000  # of a prompt, its end

# What to send for log-probabilities, by which the completions of a request for several are counted too; it gives none
# for top_logprobs 0.
COUNTING = {"logprobs": True, "top_logprobs": 1}


def stop_of(request: Mapping[str, Any], own: Sequence[str], in_lines: Sequence[str]) -> list[str] | None:
    """Return the stop sequences of a request: those it has, unless they are the template's own and cut its reply short.

    Args:
        request: A chat completion request.
        own: The stop sequences of the model's template.
        in_lines: Those for a reply of several lines.

    Example:
        >>> stop_of({"stop": ["a"]}, ["a"], []), stop_of({"stop": ["a", "b"], "tools": [{}]}, ["a", "b"], ["b"])
        (['a'], ['b'])
    """
    stop = request.get("stop")
    if not own or stop is None or list(stop) != list(own) or not _has_lines(request):
        return stop
    return list(in_lines) or None


def _has_lines(request: Mapping[str, Any]) -> bool:
    """Return whether a request asks for a reply of several lines."""
    body = {**request, **(request.get("extra_body") or {})}
    response_format = body.get("response_format")
    if response_format and (not isinstance(response_format, Mapping) or response_format.get("type") != "text"):
        return True
    if any(body.get(name) for name in _CONSTRAINTS):
        return True
    prompt = "\n".join(str(message.get("content") or "") for message in body.get("messages") or [])[-_MOST_CHARACTERS:]
    return _SEVERAL_LINES.search(prompt) is not None or form_of(prompt) is not None


def count_completions(response: dict[str, Any], *, keep: bool = False) -> None:
    """Put the tokens of all completions in place of the first one's, and leave log-probabilities out.

    Args:
        response: A chat completion as plain values; changed in place.
        keep: Whether log-probabilities were asked for, and stay.
    """
    usage, choices = response.get("usage"), response.get("choices") or []
    if not usage or len(choices) < 2:  # noqa: PLR2004 - one is counted as it is
        return
    tokens = usage["completion_tokens"] + sum(_tokens(choice) for choice in choices[1:])
    response["usage"] = {**usage, "completion_tokens": tokens, "total_tokens": usage["prompt_tokens"] + tokens}
    if not keep:
        for choice in choices:
            choice["logprobs"] = None


def _tokens(choice: dict[str, Any]) -> int:
    """Return the tokens of one completion, the one that ended it included.

    The end-of-text token has an entry of its own, without text; a stop sequence has none and is counted as one.
    """
    entries = [entry["token"] for entry in (choice.get("logprobs") or {}).get("content") or []]
    text = choice["message"].get("content") or ""
    stopped_by_text = choice["finish_reason"] == "stop" and "".join(entries) == text and entries[-1:] != [""]
    return len(entries) + stopped_by_text
