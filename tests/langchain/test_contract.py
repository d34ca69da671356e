"""The contract of every adapter, kept by LangChain's."""

from typing import Any

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel
from slmmux.testing import AdapterContract


class TestLangChain(AdapterContract):
    """A mux of scripted chat models."""

    def member(self, script: Any) -> ScriptedChatModel:
        return ScriptedChatModel(script=script)

    def mux(self, models: Any, **options: Any) -> SLMMuxChatModel:
        return SLMMuxChatModel(models=models, **options)

    def ask(self, mux: SLMMuxChatModel, question: str) -> Any:
        message = mux.invoke(question)
        return str(message.text), message.response_metadata["slmmux"]

    async def aask(self, mux: SLMMuxChatModel, question: str) -> Any:
        message = await mux.ainvoke(question)
        return str(message.text), message.response_metadata["slmmux"]
