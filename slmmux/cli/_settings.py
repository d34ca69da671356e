"""The settings of a command: a file's or the default pair's, with what the command line puts in their place."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from slmmux._decision.race import Plan
from slmmux.cli._console import OptionError, one_of

if TYPE_CHECKING:
    from slmmux.config import Config


__all__ = ["UNFITTED_RULES", "settings_of"]

UNFITTED_RULES = ("self-consistency", "pooled")


def settings_of(path: Path | None, *, samples: int | None, **given: Any) -> "Config":
    """Return the settings of a file, or of the default pair, with what the command line gives in their place.

    Args:
        path: The file.
        samples: k of every member.
        given: Other settings, by their names in the file; `None`: not given.
    """
    from pydantic import ValidationError  # noqa: PLC0415

    from slmmux.config import Config, default_config, load_config  # noqa: PLC0415

    settings = default_config() if path is None else load_config(path)
    changed: dict[str, Any] = settings.model_dump()
    if samples is not None:
        changed["samples"] = samples
        for member in changed["models"].values():
            member["samples"] = None
    if (system := given.pop("system", None)) is not None:
        changed["system_prompt"] = system or None
    if (plan := given.get("plan")) is not None:
        one_of("plan", plan, get_args(Plan))
    if (rule := given.get("rule")) is not None:
        one_of("rule", rule, UNFITTED_RULES)
    changed |= {name: value for name, value in given.items() if value is not None}
    try:
        return Config.model_validate(changed)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise OptionError("; ".join(faults)) from None
