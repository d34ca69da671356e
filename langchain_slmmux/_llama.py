"""ChatOpenAI for llama.cpp's server, which counts the tokens of one completion where a request has several.

One request for k completions reads the prompt once, and on two cores answers in a third of the time of k requests. Its
`usage.completion_tokens` is the first completion's alone, so the others are counted by their log-probabilities, of
which there is one a token.
"""

from typing import Any

from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from typing_extensions import override

__all__ = ["ChatLlama"]


class ChatLlama(ChatOpenAI):
    """A member served by llama.cpp."""

    @override
    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if (payload.get("n") or 1) > 1:
            payload |= {"logprobs": True, "top_logprobs": 1}  # it gives none for top_logprobs 0
        return payload

    @override
    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        plain: dict[str, Any] = response if isinstance(response, dict) else response.model_dump()
        if len(plain.get("choices") or []) > 1 and plain.get("usage"):
            _count(plain)
        return super()._create_chat_result(plain, generation_info)


def _count(response: dict[str, Any]) -> None:
    """Put the tokens of all completions in place of the first one's, and leave the log-probabilities out."""
    usage, choices = response["usage"], response["choices"]
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
