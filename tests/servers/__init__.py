"""Loopback servers that speak the providers' protocols; one file a protocol."""
