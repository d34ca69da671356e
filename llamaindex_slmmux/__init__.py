"""SLM-MUX for LlamaIndex: one LLM made of several."""

from llamaindex_slmmux._llm import SLMMuxLLM
from llamaindex_slmmux._profile import aprofile, profile

__all__ = ["SLMMuxLLM", "aprofile", "profile"]
