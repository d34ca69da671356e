"""What a reply cost, wherever an integration puts that, and what calls nobody sees replied."""

from collections.abc import Mapping
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.callbacks.base_handler import BaseCallbackHandler

from slmmux._mux.usage import COST, USAGE

__all__ = ["Recorder", "usage_of"]

_INPUT = ("prompt_tokens", "input_tokens", "prompt_token_count", "prompt_eval_count")
_CACHED = ("cached_tokens", "cached_content_token_count")  # counted among those of the request
# Counted beside them, as Anthropic's API does.
_CACHED_BESIDE = ("cache_read_input_tokens",)
_WRITTEN_BESIDE = ("cache_creation_input_tokens",)
_OUTPUT = ("completion_tokens", "output_tokens", "candidates_token_count", "eval_count")


class Recorder(BaseCallbackHandler):
    """Keeps the responses of an LLM whose caller gets something else: a parsed value, say.

    Attributes:
        responses: Every chat or completion response, in order.
    """

    def __init__(self) -> None:
        super().__init__(event_starts_to_ignore=[], event_ends_to_ignore=[])
        self.responses: list[ChatResponse | CompletionResponse] = []

    def on_event_end(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Keep an LLM's response."""
        if event_type is CBEventType.LLM and payload:
            response = payload.get(EventPayload.RESPONSE) or payload.get(EventPayload.COMPLETION)
            if isinstance(response, ChatResponse | CompletionResponse):
                self.responses.append(response)

    def on_event_start(
        self,
        event_type: CBEventType,  # noqa: ARG002
        payload: dict[str, Any] | None = None,  # noqa: ARG002
        event_id: str = "",
        parent_id: str = "",  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> str:
        """Keep nothing: a call counts when it replies."""
        return event_id

    def start_trace(self, trace_id: str | None = None) -> None:
        """Keep nothing."""

    def end_trace(self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None) -> None:
        """Keep nothing."""


def usage_of(response: ChatResponse | CompletionResponse) -> dict[str, Any]:
    """Return a response's tokens: those of its raw reply, else those of its `additional_kwargs`, else zeros.

    Tokens of the request that the server read from its cache, or wrote into it, are part of the input, whether the
    server counts them there or beside it; they are also under `input_token_details`, as LangChain has them.

    Example:
        >>> from llama_index.core.llms import CompletionResponse
        >>> usage_of(CompletionResponse(text="", raw={"usage": {"prompt_tokens": 9, "completion_tokens": 2}}))
        {'input_tokens': 9, 'output_tokens': 2, 'total_tokens': 11}
    """
    raw = response.raw
    for holder in (_get(raw, "usage"), _get(raw, "usage_metadata"), raw, response.additional_kwargs):
        if not holder:
            continue
        prompt_tokens, completion_tokens = _first(holder, _INPUT), _first(holder, _OUTPUT)
        if prompt_tokens or completion_tokens:
            details = _get(holder, "prompt_tokens_details") or _get(holder, "input_tokens_details")
            cached = _first(details, _CACHED) or _first(holder, _CACHED)
            if beside := _first(holder, _CACHED_BESIDE):
                cached = beside
            written = _first(holder, _WRITTEN_BESIDE)
            if not _get(holder, "prompt_tokens"):  # LiteLLM has Anthropic's names, too, and counts them among these
                prompt_tokens += beside + written
            usage: dict[str, Any] = dict(
                zip(USAGE, (prompt_tokens, completion_tokens, prompt_tokens + completion_tokens), strict=True)
            )
            details = {"cache_read": cached, "cache_creation": written}
            if cached or written:
                usage["input_token_details"] = {name: tokens for name, tokens in details.items() if tokens}
            # A mux inside a mux knows what its members cost. A cost that a server counts is in nobody's currency here.
            if (cost := _get(_get(_get(raw, "slmmux"), "usage"), COST)) is not None:
                usage[COST] = cost
            return usage
    return dict.fromkeys(USAGE, 0)


def _get(holder: Any, name: str) -> Any:
    if type(holder) is dict:  # nearly always, and to ask an abstract class takes ten times as long
        return holder.get(name)
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _first(holder: Any, names: tuple[str, ...]) -> int:
    counts = (_get(holder, name) for name in names)
    return next((tokens for tokens in counts if isinstance(tokens, int) and tokens), 0)
