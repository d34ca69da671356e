"""OpenAILike for a `mux.toml`: what its servers want otherwise than OpenAI's own."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ChatResponseAsyncGen, ChatResponseGen
from llama_index.llms.openai_like import OpenAILike
from pydantic import Field
from typing_extensions import override

from llamaindex_slmmux._private import token_counts
from slmmux._mux.llama_cpp import COUNTING, count_completions, stop_of

__all__ = ["Served"]


class Served(OpenAILike):  # type: ignore[misc]  # it comes without types
    """A model behind an OpenAI-compatible address.

    Args:
        temperature: `None` sends none.
        stop: Stop sequences that belong to the model's template, unless the call brings its own.
        stop_in_lines: Those of a request whose reply has several lines: JSON, tool calls, a program.
        counts_first_only: Whether the server counts the first completion of several only.
    """

    temperature: float | None = Field(default=None, ge=0.0)  # pyright: ignore[reportIncompatibleVariableOverride]
    stop: list[str] = Field(default_factory=list)
    stop_in_lines: list[str] = Field(default_factory=list)
    counts_first_only: bool = False

    @override
    def _get_model_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        stop = {"stop": list(self.stop)} if self.stop else {}
        arguments: dict[str, Any] = super()._get_model_kwargs(**{**stop, **kwargs})
        if self.counts_first_only and (arguments.get("n", 1) > 1 or arguments.get("logprobs")):
            arguments |= COUNTING
        return {
            name: value for name, value in arguments.items() if name not in {"temperature", "stop"} or value is not None
        }

    def _with_stop(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return call arguments with the stop sequences that the kind of reply needs; a call's own stay."""
        if "stop" in kwargs or not self.stop or not self.stop_in_lines:
            return kwargs
        request = {"stop": self.stop, "messages": [{"content": message.content} for message in messages], **kwargs}
        return {**kwargs, "stop": stop_of(request, self.stop, self.stop_in_lines)}

    @override
    def _chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self._with_counts(super()._chat(messages, **self._with_stop(messages, kwargs)))

    @override
    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self._with_counts(await super()._achat(messages, **self._with_stop(messages, kwargs)))

    @override
    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        stream: ChatResponseGen = super()._stream_chat(messages, **self._with_stop(messages, kwargs))
        return stream

    @override
    async def _astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        stream: ChatResponseAsyncGen = await super()._astream_chat(messages, **self._with_stop(messages, kwargs))
        return stream

    def _with_counts(self, response: ChatResponse) -> ChatResponse:
        completion: Any = response.raw
        if not self.counts_first_only or len(completion.choices) <= 1:
            return response
        plain = completion.model_dump()
        count_completions(plain, keep=bool(self.logprobs))
        raw = type(completion).model_validate(plain)
        update = {"raw": raw, "additional_kwargs": token_counts(self, raw)}
        return response.model_copy(update=update if self.logprobs else {**update, "logprobs": None})
