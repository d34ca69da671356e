"""Muxes of real clients over a faulty server, in both frameworks."""

from typing import Any

import httpx
import openai
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike

from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM

__all__ = ["FRAMEWORKS", "LangChain", "LlamaIndex"]


class LangChain:
    """ChatOpenAI members; `several` asks for all samples with one request."""

    def __init__(self) -> None:
        self.clients: list[Any] = []

    def member(self, url: str, name: str, *, several: bool) -> Any:
        sync, tasks = httpx.Client(), httpx.AsyncClient()
        self.clients += [sync]
        model = ChatOpenAI(
            base_url=url, api_key="none", model=name, max_retries=0, http_client=sync, http_async_client=tasks
        )
        return model if several else model.bind(n=1)

    def mux(self, models: Any, **options: Any) -> Any:
        return SLMMuxChatModel(models=models, **options)

    def ask(self, mux: Any) -> Any:
        message = mux.invoke("What is 2 + 2?")
        return str(message.text), message.response_metadata["slmmux"]

    async def aask(self, mux: Any) -> Any:
        message = await mux.ainvoke("What is 2 + 2?")
        return str(message.text), message.response_metadata["slmmux"]


class LlamaIndex:
    """OpenAILike members."""

    def __init__(self) -> None:
        self.clients: list[Any] = []

    def member(self, url: str, name: str, *, several: bool) -> Any:
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

    def mux(self, models: Any, **options: Any) -> Any:
        return SLMMuxLLM(models=models, **options)

    def ask(self, mux: Any) -> Any:
        response = mux.complete("What is 2 + 2?")
        return response.text, response.raw["slmmux"]

    async def aask(self, mux: Any) -> Any:
        response = await mux.acomplete("What is 2 + 2?")
        return response.text, response.raw["slmmux"]


FRAMEWORKS = {"langchain": LangChain, "llamaindex": LlamaIndex}
