"""SLM-MUX for LangChain: one chat model made of several."""

from langchain_slmmux._chat_model import SLMMuxChatModel
from langchain_slmmux._profile import aprofile, profile

__all__ = ["SLMMuxChatModel", "aprofile", "profile"]
