"""The contract of every adapter, kept by LlamaIndex's."""

from slmmux.testing import AdapterContract

from ..frameworks import LlamaIndex


class TestLlamaIndex(LlamaIndex, AdapterContract):
    """A mux of scripted members."""
