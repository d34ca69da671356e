"""A completion-only LLM, as users write one for a server of their own."""

import json
from collections.abc import Sequence
from typing import Any

import httpx
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback

__all__ = ["CompletionLLM"]


def _instructed(prompt: str) -> str:
    return f"[INST]{prompt}[/INST]"


def _joined(messages: Sequence[ChatMessage]) -> str:
    return "\n".join(f"<{message.role.value}>{message.content}" for message in messages)


class CompletionLLM(CustomLLM):
    """An LLM that completes a text."""

    url: str
    temperature: float = 0.7
    max_tokens: int = 256

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(**{"completion_to_prompt": _instructed, "messages_to_prompt": _joined, "url": url, **settings})

    @classmethod
    def class_name(cls) -> str:
        return "CompletionLLM"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="base-1b", context_window=2048, num_output=self.max_tokens)

    def _body(self, prompt: str, formatted: bool, kwargs: dict[str, Any]) -> dict[str, Any]:
        text = prompt if formatted or self.completion_to_prompt is None else self.completion_to_prompt(prompt)
        return {"prompt": text, "temperature": self.temperature, "max_tokens": self.max_tokens, **kwargs}

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        response = httpx.post(f"{self.url}/completions", json=self._body(prompt, formatted, kwargs), verify=False)
        response.raise_for_status()
        return CompletionResponse(text=response.json()["choices"][0]["text"], raw=response.json())

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        def responses() -> CompletionResponseGen:
            body = {**self._body(prompt, formatted, kwargs), "stream": True}
            text = ""
            with httpx.stream("POST", f"{self.url}/completions", json=body, verify=False) as response:
                response.raise_for_status()
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        chunk = json.loads(line.removeprefix("data: "))
                        text += chunk["choices"][0]["text"]
                        yield CompletionResponse(text=text, delta=chunk["choices"][0]["text"], raw=chunk)

        return responses()
