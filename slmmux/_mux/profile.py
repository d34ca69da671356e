"""What the profiles of both adapters share: which mux asks, and what of it makes its samples what they are."""

from collections.abc import Mapping
from typing import Any

from slmmux._errors import ArgumentError
from slmmux.answers._reader import extractor_name

__all__ = ["asking_mux", "recorded_settings"]


def asking_mux(models: Any, cls: type[Any], samples: int | dict[str, int] | None, options: Mapping[str, Any]) -> Any:
    """Return the mux that asks: the one given, or one made of models.

    Args:
        models: A mux, or what its class takes as models.
        cls: The mux's class.
        samples: k, or k by label; 5 where a mux is made and none is given.
        options: Arguments of the class.

    Raises:
        ArgumentError: Options beside a mux, which has its own.
    """
    if not isinstance(models, cls):
        return cls(models=models, samples=5 if samples is None else samples, **options)
    if options:
        raise ArgumentError(f"{next(iter(options))!r} is the mux's own; give it to {cls.__name__}(...)")
    return models


def recorded_settings(mux: Any, models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a recording's first line says: what all members share, and each one's own settings."""
    return {
        "extract": extractor_name(mux.extract),
        "agreement": mux.agreement,
        "tau": mux.tau if mux.agreement == "embedding" else None,
        "system_prompt": mux.system_prompt,
        "stop": mux.stop,
        "models": models,
    }
