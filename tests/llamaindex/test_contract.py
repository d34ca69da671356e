"""The contract of every adapter, kept by LlamaIndex's."""

from typing import Any

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM
from slmmux.testing import AdapterContract


class TestLlamaIndex(AdapterContract):
    """A mux of scripted LLMs."""

    def member(self, script: Any) -> ScriptedLLM:
        return ScriptedLLM(script=script)

    def mux(self, models: Any, **options: Any) -> SLMMuxLLM:
        return SLMMuxLLM(models=models, **options)

    def ask(self, mux: SLMMuxLLM, question: str) -> Any:
        response = mux.complete(question)
        return response.text, response.raw["slmmux"]

    async def aask(self, mux: SLMMuxLLM, question: str) -> Any:
        response = await mux.acomplete(question)
        return response.text, response.raw["slmmux"]
