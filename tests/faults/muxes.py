"""Muxes of real clients over a faulty server, in both frameworks."""

from typing import Any

import httpx
import openai
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike

from tests import frameworks

__all__ = ["FRAMEWORKS", "QUESTION", "LangChain", "LlamaIndex"]

QUESTION = "What is 2 + 2?"


class LangChain(frameworks.LangChain):
    """Muxes of ChatOpenAI; `several` asks for all samples with one request."""

    def __init__(self) -> None:
        self.clients: list[Any] = []

    def member_at(self, url: str, name: str, *, several: bool) -> Any:
        sync, tasks = httpx.Client(), httpx.AsyncClient()
        self.clients += [sync]
        model = ChatOpenAI(
            base_url=url, api_key="none", model=name, max_retries=0, http_client=sync, http_async_client=tasks
        )
        return model if several else model.bind(n=1)


class LlamaIndex(frameworks.LlamaIndex):
    """Muxes of OpenAILike."""

    def __init__(self) -> None:
        self.clients: list[Any] = []

    def member_at(self, url: str, name: str, *, several: bool) -> Any:
        sync, tasks = httpx.Client(), httpx.AsyncClient()
        self.clients += [sync]
        made = {"base_url": url, "api_key": "none", "max_retries": 0}
        return OpenAILike(
            model=name,
            api_base=url,
            api_key="none",
            max_retries=0,
            is_chat_model=True,
            openai_client=openai.OpenAI(http_client=sync, **made),
            async_openai_client=openai.AsyncOpenAI(http_client=tasks, **made),
            additional_kwargs={} if several else {"n": 1},
        )


FRAMEWORKS = {"langchain": LangChain, "llamaindex": LlamaIndex}
