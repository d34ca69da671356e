"""What llama.cpp's server leaves out when one request has several completions: the tokens of all but the first.

One request for k completions reads the prompt once, and on two cores answers in a third of the time of k requests. Its
`usage.completion_tokens` is the first completion's alone, so the others are counted by their log-probabilities, of
which there is one a token.
"""

from typing import Any

__all__ = ["COUNTING", "count_completions"]

# What to send with a request for several, so that they can be counted; it gives none for top_logprobs 0.
COUNTING = {"logprobs": True, "top_logprobs": 1}


def count_completions(response: dict[str, Any]) -> None:
    """Put the tokens of all completions in place of the first one's, and leave the log-probabilities out.

    Args:
        response: A chat completion as plain values; changed in place.
    """
    usage, choices = response.get("usage"), response.get("choices") or []
    if not usage or len(choices) < 2:  # noqa: PLR2004 - one is counted as it is
        return
    tokens = usage["completion_tokens"] + sum(_tokens(choice) for choice in choices[1:])
    response["usage"] = {**usage, "completion_tokens": tokens, "total_tokens": usage["prompt_tokens"] + tokens}
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
