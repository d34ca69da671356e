"""OpenAILike for a `mux.toml`: it can leave the server its own temperature, and a call's stop sequences come first."""

from typing import Any

from llama_index.llms.openai_like import OpenAILike
from pydantic import Field
from typing_extensions import override

__all__ = ["Served"]


class Served(OpenAILike):  # type: ignore[misc]  # it comes without types
    """A model behind an OpenAI-compatible address.

    Args:
        temperature: `None` sends none.
        stop: Stop sequences that belong to the model's template, unless the call brings its own.
    """

    temperature: float | None = Field(default=None, ge=0.0)  # pyright: ignore[reportIncompatibleVariableOverride]
    stop: list[str] = Field(default_factory=list)

    @override
    def _get_model_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        stop = {"stop": list(self.stop)} if self.stop else {}
        made: dict[str, Any] = super()._get_model_kwargs(**{**stop, **kwargs})
        return {name: value for name, value in made.items() if name != "temperature" or value is not None}
