"""What the plugins that come with langchain-tests would add to every run, and nobody here asked for."""

from typing import Any

import pytest


@pytest.fixture
def benchmark(benchmark: Any) -> Any:
    """Run what a standard test would time once and untimed: figures are bench/'s, and a busy machine's mean nothing."""
    benchmark.disabled = True
    return benchmark
