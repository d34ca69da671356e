"""Both frameworks in one form, for tests that hold for every mux: make members and muxes, and ask them."""

from typing import Any

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM

__all__ = ["LangChain", "LlamaIndex"]


class LangChain:
    """Scripted chat models, and muxes of them."""

    def member(self, script: Any, **fields: Any) -> ScriptedChatModel:
        return ScriptedChatModel(script=script, **fields)

    def mux(self, models: Any, **options: Any) -> SLMMuxChatModel:
        return SLMMuxChatModel(models=models, **options)

    def ask(self, mux: SLMMuxChatModel, question: str) -> Any:
        message = mux.invoke(question)
        return str(message.text), message.response_metadata["slmmux"]

    async def aask(self, mux: SLMMuxChatModel, question: str) -> Any:
        message = await mux.ainvoke(question)
        return str(message.text), message.response_metadata["slmmux"]

    def stream(self, mux: SLMMuxChatModel, question: str) -> Any:
        return mux.stream(question)

    def astream(self, mux: SLMMuxChatModel, question: str) -> Any:
        return mux.astream(question)


class LlamaIndex:
    """Scripted LLMs, and muxes of them."""

    def member(self, script: Any, **fields: Any) -> ScriptedLLM:
        return ScriptedLLM(script=script, **fields)

    def mux(self, models: Any, **options: Any) -> SLMMuxLLM:
        return SLMMuxLLM(models=models, **options)

    def ask(self, mux: SLMMuxLLM, question: str) -> Any:
        response = mux.complete(question)
        return response.text, response.raw["slmmux"]

    async def aask(self, mux: SLMMuxLLM, question: str) -> Any:
        response = await mux.acomplete(question)
        return response.text, response.raw["slmmux"]

    def stream(self, mux: SLMMuxLLM, question: str) -> Any:
        return mux.stream_complete(question)

    async def astream(self, mux: SLMMuxLLM, question: str) -> Any:
        async for response in await mux.astream_complete(question):
            yield response
