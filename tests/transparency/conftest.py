"""What the table's clients need not do."""

import gc
import ssl
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients be made without reading certificates: no server here speaks TLS, and it is half of the table's time."""
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)


@pytest.fixture(autouse=True, scope="package")
def _nothing_old_is_collected() -> Iterator[None]:
    """Let a collection look at what the cells make, and not at every class of both frameworks again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
