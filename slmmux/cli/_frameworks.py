"""The two adapters, imported only when a command uses them and after their extras have been checked."""

import contextlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from slmmux._errors import ConfigError, SLMMuxError
from slmmux.cli._console import one_of
from slmmux.cli._models import fetch_weights

if TYPE_CHECKING:
    from slmmux._mux.observe import Observe
    from slmmux.config import Config

__all__ = ["ASKERS", "COMPARERS", "FRAMEWORK_NAMES", "PROFILERS", "SERVED", "AskFunction", "installed", "make_with"]

# Asks a question and returns the answer's text and the record. The second argument, if any, is called with each sample
# when it arrives.
AskFunction: TypeAlias = "Callable[[str, Observe | None], tuple[str, dict[str, Any]]]"


FRAMEWORK_NAMES = ("langchain", "llamaindex")


_MODULES = {
    "langchain": ("langchain_core", "langchain_openai"),
    "llamaindex": ("llama_index.core", "llama_index.llms.openai_like"),
    "local": ("filelock", "xllamacpp"),
}


def installed(module: str) -> bool:
    """Return whether a module can be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is not installed
        return False


def make_with(
    makers: "Mapping[str, Callable[[Config], Any]]", framework: str, settings: "Config", *, prepare: bool = True
) -> Any:
    """Make something of the settings with one framework's maker, after checking that its extras are installed.

    Args:
        makers: The maker of each framework.
        framework: The framework.
        settings: The settings.
        prepare: Whether local models are fetched and started meanwhile.

    Raises:
        ConfigError: An extra is not installed; this is found out before any download.
    """
    one_of("framework", framework, makers)
    modules_of = {framework: _MODULES[framework]}
    if _local_specs(settings):
        modules_of["local"] = _MODULES["local"]
    if absent := [extra for extra, modules in modules_of.items() if not all(map(installed, modules))]:
        raise ConfigError(f'a package is not installed: pip install "slmmux[{",".join(absent)}]"')
    if prepare:
        _prepare_local_models(settings)
    try:
        return makers[framework](settings)
    except ImportError as error:
        raise ConfigError(f'a package is not installed: pip install "slmmux[{framework},local]" ({error})') from error


def _langchain_mux(settings: "Config") -> Any:
    from langchain_slmmux import SLMMuxChatModel  # noqa: PLC0415

    return SLMMuxChatModel.from_config(settings)


# A server asks through one framework, which its clients never see.
SERVED = {"langchain": _langchain_mux}


def _langchain(settings: "Config") -> tuple[Mapping[str, int], AskFunction]:
    mux = _langchain_mux(settings)

    def ask(question: str, observe: "Observe | None") -> tuple[str, dict[str, Any]]:
        with _observed_by(observe):
            message = mux.invoke(question)
        return str(message.text), message.response_metadata["slmmux"]

    return mux.k, ask


def _llamaindex(settings: "Config") -> tuple[Mapping[str, int], AskFunction]:
    from llamaindex_slmmux import SLMMuxLLM  # noqa: PLC0415

    mux = SLMMuxLLM.from_config(settings)

    def ask(question: str, observe: "Observe | None") -> tuple[str, dict[str, Any]]:
        with _observed_by(observe):
            response = mux.complete(question)
        assert isinstance(response.raw, dict)  # noqa: S101 - ours always is
        return response.text, response.raw["slmmux"]

    return mux.k, ask


def _observed_by(observe: "Observe | None") -> contextlib.AbstractContextManager[None]:
    from slmmux._mux.observe import observe_samples  # noqa: PLC0415

    return contextlib.nullcontext() if observe is None else observe_samples(observe)


ASKERS = {"langchain": _langchain, "llamaindex": _llamaindex}


def _langchain_profile(settings: "Config") -> tuple[Any, Callable[..., Any]]:
    import langchain_slmmux  # noqa: PLC0415

    return _langchain_mux(settings), langchain_slmmux.profile


def _llamaindex_profile(settings: "Config") -> tuple[Any, Callable[..., Any]]:
    import llamaindex_slmmux  # noqa: PLC0415

    return llamaindex_slmmux.SLMMuxLLM.from_config(settings), llamaindex_slmmux.profile


def _langchain_compare(settings: "Config") -> tuple[Any, Callable[..., Any]]:
    import langchain_slmmux  # noqa: PLC0415

    return _langchain_mux(settings), langchain_slmmux.compare


def _llamaindex_compare(settings: "Config") -> tuple[Any, Callable[..., Any]]:
    import llamaindex_slmmux  # noqa: PLC0415

    return llamaindex_slmmux.SLMMuxLLM.from_config(settings), llamaindex_slmmux.compare


COMPARERS = {"langchain": _langchain_compare, "llamaindex": _llamaindex_compare}
PROFILERS = {"langchain": _langchain_profile, "llamaindex": _llamaindex_profile}


def _prepare_local_models(settings: "Config") -> None:
    """Fetch the local models, and let their servers load while the framework is imported.

    Loading both one after the other would be most of the time to a first answer.
    """
    for spec in _local_specs(settings):
        fetch_weights(spec)
    local = {m.local: settings.samples_of(label) for label, m in settings.models.items() if m.local is not None}
    for spec, k in local.items():
        Thread(target=_warm, args=(spec, k), daemon=True).start()


def _local_specs(settings: "Config") -> list[str]:
    """Return the models on this machine: members, the bigger model, and the one for embeddings; each once."""
    models = [*settings.models.values(), settings.escalate_to, settings.embedding]
    return list(dict.fromkeys(m.local for m in models if m is not None and m.local is not None))


def _warm(spec: str, k: int) -> None:
    from slmmux.local import serve  # noqa: PLC0415

    with contextlib.suppress(SLMMuxError):  # The member starts the server again and reports the error.
        serve(spec, parallel=k)
