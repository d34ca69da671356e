"""The contract of every adapter, kept by LangChain's."""

from slmmux.testing import AdapterContract

from ..frameworks import LangChain


class TestLangChain(LangChain, AdapterContract):
    """A mux of scripted members."""
