"""What the table's clients need not do."""

import ssl

import pytest


@pytest.fixture(autouse=True)
def _no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients be made without reading certificates: no server here speaks TLS, and it is half of the table's time."""
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
