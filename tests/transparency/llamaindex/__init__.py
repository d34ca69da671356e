"""The table for LlamaIndex."""
