"""The settings of a command: those of a file or of the default pair, overridden by the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from slmmux._decision.race import Plan
from slmmux._errors import fault_sentence
from slmmux.cli._console import OptionError, one_of

if TYPE_CHECKING:
    from slmmux.config import Config


__all__ = ["UNFITTED_RULES", "settings_of"]

UNFITTED_RULES = ("self-consistency", "pooled")


def settings_of(path: Path | None, *, samples: int | None, **options: Any) -> "Config":
    """Return the settings of a file, or of the default pair, overridden by the command line.

    Args:
        path: The file.
        samples: k of every member.
        options: Other settings by their names in the file; `None` leaves the file's.
    """
    from pydantic import ValidationError  # noqa: PLC0415

    from slmmux.config import Config, default_config, load_config  # noqa: PLC0415

    settings = default_config() if path is None else load_config(path)
    values: dict[str, Any] = settings.model_dump()
    if samples is not None:
        values["samples"] = samples
        for member in values["models"].values():
            member["samples"] = None
    if (system := options.pop("system", None)) is not None:
        values["system_prompt"] = system or None
    if (plan := options.get("plan")) is not None:
        one_of("plan", plan, get_args(Plan))
    if (rule := options.get("rule")) is not None:
        one_of("rule", rule, UNFITTED_RULES)
    values |= {name: value for name, value in options.items() if value is not None}
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise OptionError("; ".join(map(fault_sentence, error.errors()))) from None
