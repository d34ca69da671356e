"""SLM-MUX for LangChain: one chat model made of several."""

from typing import TYPE_CHECKING

try:
    from langchain_slmmux._chat_model import SLMMuxChatModel
except ModuleNotFoundError as _missing:
    if (_missing.name or "").partition(".")[0] != "langchain_core":
        raise
    raise ModuleNotFoundError(
        'langchain_slmmux needs langchain-core: pip install "slmmux[langchain]"', name=_missing.name
    ) from _missing

if TYPE_CHECKING:
    from langchain_slmmux._compare import compare
    from langchain_slmmux._profile import aprofile, profile

__all__ = ["SLMMuxChatModel", "aprofile", "compare", "profile"]


def __getattr__(name: str) -> object:
    # Who asks and never records does not wait for what recording needs.
    if name in {"aprofile", "compare", "profile"}:
        from importlib import import_module  # noqa: PLC0415

        function: object = getattr(import_module(f"{__name__}._{name.removeprefix('a')}"), name)
        function.__module__ = __name__
        return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


SLMMuxChatModel.__module__ = __name__  # tracebacks and reprs name the path that people import
