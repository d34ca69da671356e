"""OpenTelemetry: tracers that stand on it hear of the mux alone, never of its samples."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llamaindex_slmmux._private import suppression

__all__ = ["trace_once", "traced_once"]


def trace_once() -> None:
    """Let tracers that stand on OpenTelemetry hear of the mux alone, for as long as this context lasts.

    The mux's span has the whole cost, and a dashboard that adds up all LLM spans would count each sample's part again.
    LlamaIndex's own events and callbacks still tell of every sample.
    """
    _attach()


@contextmanager
def traced_once() -> Iterator[None]:
    """Let such tracers hear of the mux alone while a step of a stream is made, which ends where it began."""
    attached = _attach()
    try:
        yield
    finally:
        if attached is not None:
            context, token = attached
            context.detach(token)


def _attach() -> tuple[Any, Any] | None:
    if (key_in := suppression()) is None:
        return None
    context, key = key_in
    return context, context.attach(context.set_value(key, True))  # noqa: FBT003 - its signature
