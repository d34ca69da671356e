"""OpenTelemetry: the one file that rests on a private name of it, the context key `_SUPPRESS_INSTRUMENTATION_KEY`.

The public context manager would have to be left in the context it was entered in, and a sample's context ends unseen.
"""

import sys

__all__ = ["trace_once"]


def trace_once() -> None:
    """Let tracers that stand on OpenTelemetry hear of the mux alone, for as long as this context lasts.

    The mux's span has the whole cost, and a dashboard that adds up all LLM spans would count each sample's part again.
    LlamaIndex's own events and callbacks still tell of every sample.
    """
    context = sys.modules.get("opentelemetry.context")
    key = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", None)
    if context is not None and key is not None:
        context.attach(context.set_value(key, True))  # noqa: FBT003 - its signature
