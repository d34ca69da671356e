"""SLM-MUX for LlamaIndex: one LLM made of several."""

from llamaindex_slmmux._llm import SLMMuxLLM

__all__ = ["SLMMuxLLM"]
