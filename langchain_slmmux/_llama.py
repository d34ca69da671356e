"""ChatOpenAI for llama.cpp's server, which counts the tokens of one completion where a request has several."""

from typing import Any

from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from typing_extensions import override

from slmmux._mux.llama_cpp import COUNTING, count_completions

__all__ = ["ChatLlama"]


class ChatLlama(ChatOpenAI):
    """A member served by llama.cpp."""

    @override
    def _get_request_payload(self, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        return payload | COUNTING if (payload.get("n") or 1) > 1 else payload

    @override
    def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
        plain: dict[str, Any] = response if isinstance(response, dict) else response.model_dump()
        count_completions(plain)
        return super()._create_chat_result(plain, generation_info)
