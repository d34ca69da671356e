"""SLM-MUX for LangChain: one chat model made of several."""

from langchain_slmmux._chat_model import SLMMuxChatModel

__all__ = ["SLMMuxChatModel"]
