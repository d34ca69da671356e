"""A figure in a process of its own: what one leaves in memory, the next must not pay for."""

from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

from bench.cli import Figure
from bench.row import Row

__all__ = ["alone", "figure"]


def figure(name: str) -> Figure:
    """Return what measures a figure."""
    found: Figure = import_module(f"bench.{name}").rows
    return found


def alone(name: str) -> list[Row]:
    """Measure a figure in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, name).result()


def _measured(name: str) -> list[Row]:
    return figure(name)()
