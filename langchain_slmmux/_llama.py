"""ChatOpenAI for llama.cpp's server: the tokens of all completions are counted, and several lines are not cut."""

from typing import Any

from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from pydantic import Field
from typing_extensions import override

from slmmux._mux.llama_cpp import COUNTING, count_completions, stop_of

__all__ = ["ChatLlama"]


class ChatLlama(ChatOpenAI):
    """A member served by llama.cpp."""

    stop_in_lines: list[str] = Field(default_factory=list)
    """The template's stop sequences for a reply of several lines."""

    @override
    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if stop is None:  # the template's own
            own = self.stop if isinstance(self.stop, list) else []
            payload["stop"] = stop_of(payload, own, self.stop_in_lines)
            payload = {name: value for name, value in payload.items() if name != "stop" or value is not None}
        return payload | COUNTING if (payload.get("n") or 1) > 1 or payload.get("logprobs") else payload

    @override
    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        # The client's object has what it parsed, so that it stays one where nothing has to be counted.
        if not isinstance(response, dict) and len(response.choices or ()) <= 1:
            return super()._create_chat_result(response, generation_info)
        plain: dict[str, Any] = response if isinstance(response, dict) else response.model_dump()
        count_completions(plain, keep=bool(self.logprobs))
        return super()._create_chat_result(plain, generation_info)
