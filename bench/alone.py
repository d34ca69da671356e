"""Each figure in a process of its own, so that the memory of one does not slow down the next."""

from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

from bench.cli import Figure
from bench.row import Row

__all__ = ["alone", "figure"]


def figure(name: str) -> Figure:
    """Return the function that measures a figure."""
    rows: Figure = import_module(f"bench.{name}").rows
    return rows


def alone(name: str) -> list[Row]:
    """Measure a figure in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, name).result()


def _measure(name: str) -> list[Row]:
    return figure(name)()
