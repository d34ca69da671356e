"""One server for all tests that only ask."""

import openai
import pytest

from .support import app, serving


@pytest.fixture(scope="module")
def url():
    with serving(app()) as address:
        yield address


@pytest.fixture
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def _without_certificates(monkeypatch):
    """Loopback needs none, and reading them takes longer than most of these tests."""
    import ssl

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
