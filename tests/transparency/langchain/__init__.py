"""The table for LangChain."""
