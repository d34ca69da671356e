"""SLM-MUX for LlamaIndex: one LLM made of several."""

from typing import TYPE_CHECKING

try:
    from llamaindex_slmmux._llm import SLMMuxLLM
    from llamaindex_slmmux._progress import SLMMuxSampleEvent
except ModuleNotFoundError as _missing:
    if (_missing.name or "").partition(".")[0] != "llama_index":
        raise
    raise ModuleNotFoundError(
        'llamaindex_slmmux needs llama-index-core: pip install "slmmux[llamaindex]"', name=_missing.name
    ) from _missing

if TYPE_CHECKING:
    from llamaindex_slmmux._compare import compare
    from llamaindex_slmmux._profile import aprofile, profile

__all__ = ["SLMMuxLLM", "SLMMuxSampleEvent", "aprofile", "compare", "profile"]


def __getattr__(name: str) -> object:
    # Who asks and never records does not wait for what recording needs.
    if name in {"aprofile", "compare", "profile"}:
        from importlib import import_module  # noqa: PLC0415

        function: object = getattr(import_module(f"{__name__}._{name.removeprefix('a')}"), name)
        function.__module__ = __name__
        return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


SLMMuxLLM.__module__ = SLMMuxSampleEvent.__module__ = __name__  # tracebacks and reprs name the path that people import
